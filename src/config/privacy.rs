//! How long readers are named, and how long codes count.

use std::ops::RangeInclusive;

use serde::Deserialize;

use super::{ConfigError, bad, within};

const UNLINK_DAYS: RangeInclusive<u32> = 1..=3650;
const APPLICATION_DAYS: RangeInclusive<u32> = 2..=365;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacyConfig {
    pub unlink_days: u32,
    pub application_days: u32,
}

impl PrivacyConfig {
    /// # Errors
    /// The first value out of its range, or one that a stored answer would outlive.
    pub(super) fn check(&self, idempotency_days: u32, keep_days: u32) -> Result<(), ConfigError> {
        within("privacy.unlink_days", self.unlink_days, UNLINK_DAYS)?;
        within("privacy.application_days", self.application_days, APPLICATION_DAYS)?;
        if self.unlink_days < idempotency_days {
            return bad(
                "privacy.unlink_days",
                format!("less than jobs.idempotency_days ({idempotency_days}): stored answers name readers that long"),
            );
        }
        if self.unlink_days < keep_days {
            return bad(
                "privacy.unlink_days",
                format!("less than notices.keep_days ({keep_days}): notices name readers and loans that long"),
            );
        }
        Ok(())
    }
}
