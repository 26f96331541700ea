//! Erases what is long over of machines: commands and alarms that have ended, passages at gates that were settled. Run by a job.
//! What is open stays, however old it is.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::run_job::{Look, Pass};
use super::{Result, UseCaseError};
use crate::store::Store;
use crate::store::tx::ReadTx;

/// Rows of a kind erased by one write: some milliseconds.
const PER_WRITE: i64 = 200;

/// What is too old, by number.
#[derive(Debug, Clone)]
pub struct Old {
    commands: Vec<i64>,
    alarms: Vec<i64>,
    gate_checks: Vec<i64>,
}

/// Forgets what ended more than so many days ago.
#[derive(Debug, Clone, Copy)]
pub struct EraseMachineRecords {
    pub days: u32,
}

impl Pass for EraseMachineRecords {
    type Work = Old;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<Old>> + Send + 'static {
        let before = now - TimeDelta::days(i64::from(self.days));
        move |tx| {
            let old = Old {
                commands: tx.old_commands(before, PER_WRITE)?,
                alarms: tx.old_alarms(before, PER_WRITE)?,
                gate_checks: tx.old_gate_checks(before, PER_WRITE)?,
            };
            let found = old.commands.len() + old.alarms.len() + old.gate_checks.len();
            Ok(Look::until_nothing(found, after, old))
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<Old>) -> Result<i64> {
        let mut erased = 0;
        for old in work {
            let gone = store
                .write(move |tx| {
                    let commands = tx.erase_commands(&old.commands)?;
                    let alarms = tx.erase_alarms(&old.alarms)?;
                    let gate_checks = tx.erase_gate_checks(&old.gate_checks)?;
                    Ok::<_, UseCaseError>(commands + alarms + gate_checks)
                })
                .await?;
            erased += i64::try_from(gone).unwrap_or(i64::MAX);
        }
        Ok(erased)
    }
}
