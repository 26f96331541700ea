//! How often jobs run, and how long things are kept for them.

use serde::Deserialize;

use super::{ConfigError, within};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsConfig {
    pub seal_interval_ms: u64,
    pub idempotency_days: u32,
    pub transit_missing_days: u32,
}

impl JobsConfig {
    /// # Errors
    /// The first value out of its range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("jobs.seal_interval_ms", self.seal_interval_ms, 50..=60_000)?;
        within("jobs.idempotency_days", self.idempotency_days, 1..=90)?;
        within("jobs.transit_missing_days", self.transit_missing_days, 1..=365)
    }
}
