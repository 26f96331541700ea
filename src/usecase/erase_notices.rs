//! Erases notices, one-time codes, applications for cards, and what webhooks were told, once they are old. Run by a job.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::run_job::{Look, Pass};
use super::{Result, UseCaseError};
use crate::store::Store;
use crate::store::tx::ReadTx;

/// Rows erased by one write: some milliseconds.
const PER_WRITE: i64 = 200;

/// An application whose address nobody proved is of no use once its code counts no longer.
const UNPROVED_FOR: TimeDelta = TimeDelta::days(1);

/// What is too old, by number.
#[derive(Debug, Clone)]
pub struct Old {
    notices: Vec<i64>,
    deliveries: Vec<i64>,
    codes: Vec<i64>,
    applications: Vec<i64>,
}

/// Forgets what is older than so many days.
#[derive(Debug, Clone, Copy)]
pub struct EraseNotices {
    pub days: u32,
    /// Of applications, whatever became of them.
    pub application_days: u32,
}

impl Pass for EraseNotices {
    type Work = Old;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<Old>> + Send + 'static {
        let before = now - TimeDelta::days(i64::from(self.days));
        let made_before = now - TimeDelta::days(i64::from(self.application_days));
        move |tx| {
            let old = Old {
                notices: tx.old_notices(before, PER_WRITE)?,
                deliveries: tx.old_deliveries(before, PER_WRITE)?,
                codes: tx.old_codes(before, PER_WRITE)?,
                applications: tx.old_applications(made_before, now - UNPROVED_FOR, PER_WRITE)?,
            };
            let found = old.notices.len() + old.deliveries.len() + old.codes.len() + old.applications.len();
            Ok(Look::until_nothing(found, after, old))
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<Old>) -> Result<i64> {
        let mut erased = 0;
        for old in work {
            let gone = store
                .write(move |tx| {
                    let notices = tx.erase_notices(&old.notices)?;
                    let deliveries = tx.erase_deliveries(&old.deliveries)?;
                    let codes = tx.erase_codes(&old.codes)?;
                    let applications = tx.erase_applications(&old.applications)?;
                    Ok::<_, UseCaseError>(notices + deliveries + codes + applications)
                })
                .await?;
            erased += i64::try_from(gone).unwrap_or(i64::MAX);
        }
        Ok(erased)
    }
}
