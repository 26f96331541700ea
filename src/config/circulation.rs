//! What circulation is held to on every node of a network, beside the rules, which are data.

use std::ops::RangeInclusive;

use chrono::TimeDelta;
use serde::Deserialize;

use super::{ConfigError, within};
use crate::domain::recall::Guarantee;

const CONSENT_MINUTES: RangeInclusive<u32> = 1..=60;
const AUTO_RENEWAL_DAYS: RangeInclusive<u16> = 0..=14;
const RECALL_DAYS: RangeInclusive<u16> = 0..=365;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CirculationConfig {
    pub consent_minutes: u32,
    pub recall_notice_days: u16,
    pub recall_guaranteed_days: u16,
    pub auto_renewal_days: u16,
}

impl CirculationConfig {
    /// # Errors
    /// The first value out of its range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("circulation.consent_minutes", self.consent_minutes, CONSENT_MINUTES)?;
        within("circulation.recall_notice_days", self.recall_notice_days, RECALL_DAYS)?;
        within(
            "circulation.recall_guaranteed_days",
            self.recall_guaranteed_days,
            RECALL_DAYS,
        )?;
        within(
            "circulation.auto_renewal_days",
            self.auto_renewal_days,
            AUTO_RENEWAL_DAYS,
        )
    }

    /// How long staff may think about what they were told.
    #[must_use]
    pub fn consent_life(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.consent_minutes))
    }

    /// What a recall leaves every reader.
    #[must_use]
    pub const fn guarantee(&self) -> Guarantee {
        Guarantee {
            loan_days: self.recall_guaranteed_days,
            notice_days: self.recall_notice_days,
        }
    }
}
