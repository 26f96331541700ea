//! Which drivers there are. A driver says its name, what it can do, and reads its settings.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::drivers::DRIVERS;
use super::line::{Line, Lines};
use super::reach::Reach;
use super::settings::Settings;
use crate::domain::device::Capability;
use crate::usecase::machine_ports::{DriverRead, DriverShelf, Machine, Place, SettingFault};

/// What a bus is given of the node.
pub struct OnLine {
    pub line: Arc<Line>,
    pub reach: Reach,
}

/// Begins to speak to a machine.
type Begin = Box<dyn FnOnce(&Lines, &Reach) -> Machine + Send>;

/// Settings that make sense: where the machine is, and how it is begun to be spoken to.
pub struct Start {
    pub place: Option<Place>,
    begin: Begin,
}

impl Start {
    /// A machine on a line.
    pub fn at(place: Place, begin: impl FnOnce(OnLine) -> Machine + Send + 'static) -> Self {
        let line = place.line.clone();
        Self {
            place: Some(place),
            begin: Box::new(move |lines, reach| {
                begin(OnLine {
                    line: lines.line(&line),
                    reach: reach.clone(),
                })
            }),
        }
    }

    /// A machine without a line.
    pub fn nowhere(begin: impl FnOnce() -> Machine + Send + 'static) -> Self {
        Self {
            place: None,
            begin: Box::new(|_, _| begin()),
        }
    }

    /// Begins to speak to the machine. To be called on the runtime: a bus is a task.
    pub fn begin(self, lines: &Lines, reach: &Reach) -> Machine {
        (self.begin)(lines, reach)
    }
}

/// One driver.
#[derive(Debug)]
pub struct Driver {
    /// As the configuration of a device names it.
    pub name: &'static str,
    pub capabilities: &'static [Capability],
    /// Reads the settings, and speaks to nobody yet.
    pub make: fn(Settings<'_>) -> Result<Start, Vec<SettingFault>>,
}

/// All of them.
#[derive(Debug, Clone, Copy)]
pub struct DriverList;

impl DriverList {
    fn find(driver: &str) -> Option<&'static Driver> {
        DRIVERS.iter().find(|one| one.name == driver)
    }

    /// What begins to speak to a machine; `None` where there is no such driver.
    ///
    /// # Errors
    /// Every setting that makes no sense.
    pub fn make(driver: &str, settings: &Map<String, Value>) -> Option<Result<Start, Vec<SettingFault>>> {
        Self::find(driver).map(|driver| (driver.make)(Settings::new(settings)))
    }
}

impl DriverShelf for DriverList {
    fn names(&self) -> Vec<&'static str> {
        DRIVERS.iter().map(|driver| driver.name).collect()
    }

    fn read(&self, driver: &str, settings: &Map<String, Value>) -> Option<DriverRead> {
        let driver = Self::find(driver)?;
        let (place, faults) = match (driver.make)(Settings::new(settings)) {
            Ok(start) => (start.place, Vec::new()),
            Err(faults) => (None, faults),
        };
        Some(DriverRead {
            capabilities: driver.capabilities,
            faults,
            place,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_drivers_share_a_name() {
        let mut names = DriverList.names();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn what_is_not_known_is_refused_by_every_driver() {
        let given = serde_json::json!({"no_such_setting": 1});
        for name in DriverList.names() {
            let read = DriverList.read(name, given.as_object().unwrap()).unwrap();
            let told = read.faults.iter().any(|fault| fault.field == "no_such_setting");
            assert!(told, "{name}: {:?}", read.faults);
        }
        assert_eq!(DriverList.read("modbus", &Map::new()), None);
    }
}
