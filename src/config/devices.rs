//! What a node keeps of devices in memory, what all keep in the records, and where drivers may speak.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use super::{AddressRanges, ConfigError, within};
use crate::domain::device_heartbeat::LATEST_FLUSH_SECONDS;

const FLUSH_SECONDS: RangeInclusive<u32> = 5..=LATEST_FLUSH_SECONDS;

/// Longer than a gate may tell of a passage again.
const KEEP_DAYS: RangeInclusive<u32> = 60..=3_650;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevicesConfig {
    pub flush_seconds: u32,
    /// How long what is over of machines is kept.
    pub keep_days: u32,
    /// This node speaks to devices that do not call us.
    pub drivers: bool,
    /// Where they may speak.
    pub lines: DeviceLines,
}

/// Addresses of networks and serial lines, written with commas between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceLines {
    addresses: AddressRanges,
    /// With `*` at its end: whatever begins so.
    files: Vec<String>,
}

impl DeviceLines {
    /// Whether this address is one of them.
    ///
    /// ```
    /// # use tongjie::config::DeviceLines;
    /// let lines: DeviceLines = "10.0.0.0/8, /dev/ttyUSB*".parse().expect("a list");
    /// assert!(lines.has_address("10.1.2.3".parse().expect("an address")));
    /// assert!(lines.has_file("/dev/ttyUSB0") && !lines.has_file("/dev/ttyS0"));
    /// ```
    #[must_use]
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.contains(address)
    }

    /// Whether this file is one of them.
    #[must_use]
    pub fn has_file(&self, path: &str) -> bool {
        self.files.iter().any(|file| match file.strip_suffix('*') {
            Some(begin) => path.starts_with(begin),
            None => path == file,
        })
    }
}

impl FromStr for DeviceLines {
    type Err = String;

    /// # Errors
    /// The part that is neither an address, nor a range, nor a file below /dev/.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let (files, addresses): (Vec<&str>, Vec<&str>) = parts.partition(|part| part.starts_with('/'));
        for file in &files {
            let name = file.strip_prefix("/dev/").unwrap_or_default();
            let name = name.strip_suffix('*').unwrap_or(name);
            if name.is_empty() || name.contains('*') || name.split('/').any(|part| part == "..") {
                return Err(format!(
                    "{file} is no file below /dev/, such as /dev/ttyS0 or /dev/ttyUSB*"
                ));
            }
        }
        Ok(Self {
            addresses: addresses.join(",").parse()?,
            files: files.into_iter().map(str::to_owned).collect(),
        })
    }
}

impl<'de> Deserialize<'de> for DeviceLines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl DevicesConfig {
    /// # Errors
    /// The first value out of its range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("devices.flush_seconds", self.flush_seconds, FLUSH_SECONDS)?;
        within("devices.keep_days", self.keep_days, KEEP_DAYS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_addresses_and_files_below_dev() {
        let lines: DeviceLines = "10.0.0.0/8, ::1,/dev/serial/*, /dev/ttyS0".parse().expect("a list");
        assert!(lines.has_address("::1".parse().expect("an address")));
        assert!(!lines.has_address("11.0.0.1".parse().expect("an address")));
        assert!(lines.has_file("/dev/serial/by-id/x") && lines.has_file("/dev/ttyS0"));
        assert!(!lines.has_file("/dev/ttyS01") && !lines.has_file("/dev/mem"));
        for bad in [
            "/etc/passwd",
            "/dev/",
            "/dev/*",
            "/dev/../etc/*",
            "/dev/t*S",
            "board-7",
            "10.0.0.0/33",
        ] {
            assert!(bad.parse::<DeviceLines>().is_err(), "{bad}");
        }
        assert_eq!("".parse(), Ok(DeviceLines::default()));
    }
}
