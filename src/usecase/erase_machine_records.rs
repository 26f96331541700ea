//! Erases what is long over of machines: commands and alarms that have ended, passages at gates that were settled. Run by a job.
//! What is open stays, however old it is; but of what a journal told and nobody settled the text goes.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::run_job::{Look, Pass};
use super::{Result, UseCaseError};
use crate::store::Store;
use crate::store::tx::ReadTx;

/// Rows of a kind erased by one write: some milliseconds.
const PER_WRITE: i64 = 200;

/// Texts of the quarantine and of contradictions that nobody settled are kept for so long: they may hold the number of a card.
const TEXTS_KEPT: TimeDelta = TimeDelta::days(180);

/// What is too old, by number.
#[derive(Debug, Clone)]
pub struct Old {
    commands: Vec<i64>,
    alarms: Vec<i64>,
    gate_checks: Vec<i64>,
    quarantine_texts: Vec<i64>,
    conflict_texts: Vec<i64>,
}

impl Old {
    fn len(&self) -> usize {
        self.commands.len()
            + self.alarms.len()
            + self.gate_checks.len()
            + self.quarantine_texts.len()
            + self.conflict_texts.len()
    }
}

/// Forgets what ended more than so many days ago, and texts that nobody settled.
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
        let told_before = now - TEXTS_KEPT;
        move |tx| {
            let old = Old {
                commands: tx.old_commands(before, PER_WRITE)?,
                alarms: tx.old_alarms(before, PER_WRITE)?,
                gate_checks: tx.old_gate_checks(before, PER_WRITE)?,
                quarantine_texts: tx.old_quarantine_texts(told_before, PER_WRITE)?,
                conflict_texts: tx.old_conflict_texts(told_before, PER_WRITE)?,
            };
            let found = old.len();
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
                    let quarantined = tx.forget_quarantine_texts(&old.quarantine_texts)?;
                    let conflicts = tx.forget_conflict_texts(&old.conflict_texts)?;
                    Ok::<_, UseCaseError>(commands + alarms + gate_checks + quarantined + conflicts)
                })
                .await?;
            erased += i64::try_from(gone).unwrap_or(i64::MAX);
        }
        Ok(erased)
    }
}
