//! What a device is configured to do, and whether that makes sense for what it is and can do. A device that cannot run a version
//! says so; what nobody could run is refused before.
//! Not for: the settings of a driver, which its driver reads (`device::drivers`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::device::{Capabilities, Capability, DeviceKind};
use super::words::words;

words! {
    /// How a gate knows by itself that a book is lent.
    Security:
    /// The application family of the tag is another one on loan.
    Afi = "afi",
    /// A bit of its own.
    Eas = "eas",
    Both = "both",
    Neither = "neither";
}

/// One version of a device's settings. What is left out is as the default says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Seconds between two heartbeats.
    pub heartbeat_seconds: u16,
    /// It may lend while nobody answers.
    pub offline_loans: bool,
    pub security: Security,
    /// Below how many of a thing in stock staff are told.
    pub low_stock: BTreeMap<String, i64>,
    /// Readers it serves at once.
    pub screens: u8,
    /// Doors that may stand open at once in one session.
    pub doors_at_once: u8,
    /// Without a sensor: a door that was open and is closed counts as taken.
    pub door_means_taken: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeat_seconds: 60,
            offline_loans: false,
            security: Security::Afi,
            low_stock: BTreeMap::new(),
            screens: 1,
            doors_at_once: 1,
            door_means_taken: false,
        }
    }
}

/// A setting that makes no sense: its name, and what would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub field: &'static str,
    pub reason: &'static str,
}

/// Most names in `low_stock`.
const MAX_STOCK: usize = 32;

/// Longest name of a thing in stock, in bytes.
const MAX_STOCK_NAME: usize = 40;

/// Everything that makes no sense, at once.
///
/// ```
/// use tongjie::domain::device::{Capabilities, DeviceKind};
/// use tongjie::domain::device_settings::{Settings, check};
/// let gate = Capabilities::parse(DeviceKind::Gate, ["gate"])?;
/// assert!(check(&Settings::default(), DeviceKind::Gate, &gate).is_empty());
/// let lends = Settings { offline_loans: true, ..Settings::default() };
/// assert_eq!(check(&lends, DeviceKind::Gate, &gate)[0].field, "offline_loans");
/// # Ok::<(), tongjie::domain::device::CapabilityFault>(())
/// ```
pub fn check(settings: &Settings, kind: DeviceKind, capabilities: &Capabilities) -> Vec<Fault> {
    let has_doors = capabilities.has(Capability::DoorBank);
    let lends = matches!(kind, DeviceKind::Locker | DeviceKind::Kiosk | DeviceKind::DeskReader);
    let names_fit = settings
        .low_stock
        .keys()
        .all(|name| !name.is_empty() && name.len() <= MAX_STOCK_NAME);
    let rules = [
        (
            (10..=600).contains(&settings.heartbeat_seconds),
            "heartbeat_seconds",
            "must be 10 to 600",
        ),
        (
            !settings.offline_loans || lends,
            "offline_loans",
            "belongs to a locker, kiosk or desk_reader",
        ),
        ((1..=8).contains(&settings.screens), "screens", "must be 1 to 8"),
        (
            (1..=3).contains(&settings.doors_at_once),
            "doors_at_once",
            "must be 1 to 3",
        ),
        (
            settings.doors_at_once == 1 || has_doors,
            "doors_at_once",
            "needs the capability door_bank",
        ),
        (
            !settings.door_means_taken || (has_doors && !capabilities.has(Capability::ItemSensor)),
            "door_means_taken",
            "is for doors without the capability item_sensor",
        ),
        (
            settings.low_stock.len() <= MAX_STOCK && names_fit,
            "low_stock",
            "takes up to 32 names of 1 to 40 bytes",
        ),
        (
            settings.low_stock.values().all(|least| *least >= 0),
            "low_stock",
            "must not be negative",
        ),
    ];
    let broken = rules.into_iter().filter(|(holds, ..)| !holds);
    broken.map(|(_, field, reason)| Fault { field, reason }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn can(kind: DeviceKind, words: &[&str]) -> Capabilities {
        Capabilities::parse(kind, words.iter().copied()).unwrap()
    }

    #[test]
    fn the_default_makes_sense_for_every_kind() {
        for kind in DeviceKind::ALL {
            let faults = check(&Settings::default(), *kind, &Capabilities::default());
            assert!(faults.is_empty(), "{kind}: {faults:?}");
        }
    }

    #[test]
    fn each_setting_has_its_bounds() {
        let doors = can(DeviceKind::Kiosk, &["door_bank"]);
        let sensed = can(DeviceKind::Kiosk, &["door_bank", "item_sensor"]);
        let none = Capabilities::default();
        let stock = |name: &str, least| BTreeMap::from([(name.to_owned(), least)]);
        let good = Settings::default;
        #[rustfmt::skip]
        let cases = [
            (Settings { heartbeat_seconds: 9, ..good() }, &doors, "heartbeat_seconds"),
            (Settings { heartbeat_seconds: 601, ..good() }, &doors, "heartbeat_seconds"),
            (Settings { screens: 0, ..good() }, &doors, "screens"),
            (Settings { screens: 9, ..good() }, &doors, "screens"),
            (Settings { doors_at_once: 0, ..good() }, &doors, "doors_at_once"),
            (Settings { doors_at_once: 4, ..good() }, &doors, "doors_at_once"),
            (Settings { doors_at_once: 2, ..good() }, &none, "doors_at_once"),
            (Settings { door_means_taken: true, ..good() }, &none, "door_means_taken"),
            (Settings { door_means_taken: true, ..good() }, &sensed, "door_means_taken"),
            (Settings { low_stock: stock("", 1), ..good() }, &doors, "low_stock"),
            (Settings { low_stock: stock(&"x".repeat(41), 1), ..good() }, &doors, "low_stock"),
            (Settings { low_stock: stock("paper", -1), ..good() }, &doors, "low_stock"),
        ];
        for (settings, capabilities, field) in cases {
            let faults = check(&settings, DeviceKind::Kiosk, capabilities);
            assert!(faults.iter().any(|fault| fault.field == field), "{field}: {faults:?}");
        }
        let open = Settings {
            door_means_taken: true,
            doors_at_once: 3,
            ..good()
        };
        assert!(check(&open, DeviceKind::Kiosk, &doors).is_empty());
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let wrong = Settings {
            heartbeat_seconds: 0,
            offline_loans: true,
            screens: 0,
            ..Settings::default()
        };
        let faults = check(&wrong, DeviceKind::Sorter, &Capabilities::default());
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["heartbeat_seconds", "offline_loans", "screens"]);
    }

    #[test]
    fn what_is_not_known_is_not_read() {
        assert!(serde_json::from_str::<Settings>(r#"{"hartbeat_seconds": 60}"#).is_err());
        let read: Settings = serde_json::from_str(r#"{"security": "both"}"#).unwrap();
        assert_eq!(read.security, Security::Both);
        assert_eq!(read.heartbeat_seconds, 60);
    }
}
