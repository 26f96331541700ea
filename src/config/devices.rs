//! What a node keeps of devices in memory.

use std::ops::RangeInclusive;

use serde::Deserialize;

use super::{ConfigError, within};
use crate::domain::device_heartbeat::LATEST_FLUSH_SECONDS;

const FLUSH_SECONDS: RangeInclusive<u32> = 5..=LATEST_FLUSH_SECONDS;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevicesConfig {
    pub flush_seconds: u32,
    /// This node speaks to devices that do not call us.
    pub drivers: bool,
}

impl DevicesConfig {
    /// # Errors
    /// The first value out of its range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("devices.flush_seconds", self.flush_seconds, FLUSH_SECONDS)
    }
}
