//! Carries out what is ordered of devices that do not call us: takes each command, asks the driver, and acknowledges with the outcome,
//! as the device itself would; and says of them that they are there, as long as they answer. Started like a job.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::driver_list::{DriverList, Start};
use super::line::Lines;
use super::reach::Reach;
use super::worker::Worker;
use crate::app::App;
use crate::domain::ids::DeviceId;
use crate::usecase::driven_devices::{DrivenDevice, driven_devices};
use crate::usecase::driver_answers::{driver_cannot_run, driver_runs};

/// How soon a device that was configured is spoken to.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Starts it: one task that looks which devices there are, and one for each.
#[must_use]
pub fn start(app: &Arc<App>, stopped: &watch::Receiver<bool>) -> JoinHandle<()> {
    let mut stopped = stopped.clone();
    let mut runner = Runner {
        app: Arc::clone(app),
        node: Arc::new(Node::of(Reach::of(&app.config.devices.lines))),
        at_work: BTreeMap::new(),
        refused: HashMap::new(),
    };
    tokio::spawn(async move {
        while !*stopped.borrow() {
            runner.look().await;
            tokio::select! {
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                _ = stopped.changed() => {}
            }
        }
        let all = std::mem::take(&mut runner.at_work);
        runner.end(all.into_values().collect()).await;
    })
}

/// What all machines of a node share.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub lines: Lines,
    pub reach: Reach,
}

impl Node {
    fn of(reach: Reach) -> Self {
        Self {
            lines: Lines::default(),
            reach,
        }
    }
}

/// A device and who speaks to it.
struct AtWork {
    device: DrivenDevice,
    /// The line, if it has one.
    line: Option<String>,
    worker: Worker,
}

struct Runner {
    app: Arc<App>,
    node: Arc<Node>,
    at_work: BTreeMap<DeviceId, AtWork>,
    /// Versions of configurations that nothing can be done with, and why: each is told once.
    refused: HashMap<DeviceId, (i64, String)>,
}

impl Runner {
    async fn look(&mut self) {
        let (devices, unread) = match driven_devices(&self.app.store).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "it cannot be read which devices have a driver");
                return;
            }
        };
        for device in unread {
            self.refuse(device.id, &device.code, device.version, device.why).await;
        }
        self.take_over(devices).await;
    }

    /// What is not there any more, or configured otherwise, ends; what is new begins.
    async fn take_over(&mut self, devices: Vec<DrivenDevice>) {
        let wanted: BTreeMap<DeviceId, DrivenDevice> = devices.into_iter().map(|device| (device.id, device)).collect();
        let ended: Vec<DeviceId> = self
            .at_work
            .iter()
            .filter(|(id, running)| wanted.get(id) != Some(&running.device) || running.worker.has_ended())
            .map(|(id, _)| *id)
            .collect();
        let ended = ended.iter().filter_map(|id| self.at_work.remove(id)).collect();
        self.end(ended).await;
        for (id, device) in wanted {
            if self.at_work.contains_key(&id) {
                continue;
            }
            match self.start_of(&device) {
                Ok(start) => self.begin(device, start).await,
                Err(why) => self.refuse(id, &device.code, device.version, why).await,
            }
        }
    }

    /// What a configuration of another version of the program, or of the time before two devices on one line were refused, cannot have
    /// is a start.
    fn start_of(&self, device: &DrivenDevice) -> Result<Start, String> {
        let start = match DriverList::make(&device.driver, &device.settings) {
            Some(Ok(start)) => start,
            Some(Err(faults)) => {
                let told = faults.iter().map(|one| format!("{}: {}", one.field, one.reason));
                return Err(told.collect::<Vec<String>>().join("; "));
            }
            None => return Err(format!("there is no driver {}", device.driver)),
        };
        let line = start.place.as_ref().map(|place| &place.line);
        let other = self
            .at_work
            .values()
            .find(|other| line.is_some() && other.line.as_ref() == line);
        match other {
            Some(other) => Err(format!("{} is spoken to on the same line", other.device.code)),
            None => Ok(start),
        }
    }

    async fn begin(&mut self, device: DrivenDevice, start: Start) {
        tracing::info!(
            device = device.code,
            driver = device.driver,
            "a driver speaks to a device"
        );
        self.refused.remove(&device.id);
        if let Err(error) = driver_runs(&self.app.store, device.id).await {
            tracing::warn!(device = device.code, %error, "an alarm of a device could not be ended");
        }
        let line = start.place.as_ref().map(|place| place.line.clone());
        let worker = Worker::start(&self.app, &self.node, device.clone(), start);
        self.at_work.insert(device.id, AtWork { device, line, worker });
    }

    /// The others go on; of this one a person is told.
    async fn refuse(&mut self, id: DeviceId, code: &str, version: i64, why: String) {
        if self
            .refused
            .get(&id)
            .is_some_and(|told| *told == (version, why.clone()))
        {
            return;
        }
        tracing::error!(
            device = code,
            version,
            why,
            "a device cannot be spoken to as it is configured"
        );
        match driver_cannot_run(&self.app.store, id).await {
            Ok(()) => {
                self.refused.insert(id, (version, why));
            }
            Err(error) => tracing::warn!(device = code, %error, "an alarm of a device could not be raised"),
        }
    }

    /// All are told first, and then waited for.
    async fn end(&self, ended: Vec<AtWork>) {
        for one in &ended {
            one.worker.stop();
            // It may wait for commands.
            self.app.board.wake(one.device.id);
        }
        for one in ended {
            one.worker.ended().await;
        }
    }
}
