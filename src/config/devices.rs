//! What a node keeps of devices in memory, and what all keep in the records.

use std::ops::RangeInclusive;

use serde::Deserialize;

use super::{ConfigError, within};
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
}

impl DevicesConfig {
    /// # Errors
    /// The first value out of its range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("devices.flush_seconds", self.flush_seconds, FLUSH_SECONDS)?;
        within("devices.keep_days", self.keep_days, KEEP_DAYS)
    }
}
