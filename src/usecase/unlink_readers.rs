//! Unlinking loans, holds, requests and events from their readers, some time after they ended. Run by a job, which walks over
//! the readers; what is not over yet keeps its reader, however old it is.

use std::sync::Arc;

use chrono::{DateTime, NaiveTime, TimeDelta, TimeZone, Utc};

use super::run_job::{Look, Pass};
use super::{Result, UseCaseError};
use crate::domain::ids::ReaderId;
use crate::store::Store;
use crate::store::held::Unlinked;
use crate::store::tx::ReadTx;

/// Readers looked at in one read.
const READERS_PER_LOOK: i64 = 1_000;

/// The walk over all readers.
#[derive(Debug, Clone, Copy)]
pub struct UnlinkReaders {
    /// How many days after its end a thing names its reader.
    pub days: u32,
}

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A run begins.
    Begin {
        before: DateTime<Utc>,
    },
    One {
        reader: i64,
        before: DateTime<Utc>,
    },
    /// It came to its end.
    End,
}

impl Pass for UnlinkReaders {
    type Work = Step;

    fn expected(&self, tx: &mut ReadTx<'_>) -> Result<Option<i64>> {
        Ok(Some(tx.audit_size("readers")?))
    }

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<Step>> + Send + 'static {
        let days = self.days;
        move |tx| {
            let before = first_kept(tx, now, days);
            let walked = tx.walk_unlinking(after, before, READERS_PER_LOOK)?;
            let mut work = Vec::with_capacity(walked.found.len() + 2);
            if after == 0 {
                work.push(Step::Begin { before });
            }
            work.extend(walked.found.into_iter().map(|reader| Step::One { reader, before }));
            if walked.last.is_none() {
                work.push(Step::End);
            }
            Ok(Look {
                work,
                looked_at: walked.readers,
                after: walked.last,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<Step>) -> Result<i64> {
        let mut changed = 0;
        for step in work {
            match step {
                Step::Begin { before } => {
                    store
                        .write(move |tx| -> Result<_> { Ok(tx.begin_unlinking(before)?) })
                        .await?
                }
                Step::One { reader, before } => changed += unlink(store, ReaderId::new(reader), before).await?,
                Step::End => store.write(|tx| -> Result<_> { Ok(tx.end_unlinking()?) }).await?,
            }
        }
        Ok(changed)
    }
}

/// What ended before the first moment of this day is unlinked: the same all day long, so that a run has one border.
fn first_kept(tx: &ReadTx<'_>, now: DateTime<Utc>, days: u32) -> DateTime<Utc> {
    let at = now - TimeDelta::days(i64::from(days));
    let midnight = tx.day_of(at).and_time(NaiveTime::MIN);
    tx.zone()
        .from_local_datetime(&midnight)
        .earliest()
        .map_or(at, |first| first.with_timezone(&Utc))
}

/// Unlinks one reader in short writes; answers how many rows forgot the reader.
async fn unlink(store: &Arc<Store>, reader: ReaderId, before: DateTime<Utc>) -> Result<i64> {
    // Restored events have numbers below zero.
    let (mut rows, mut after) = (0, Some(i64::MIN));
    while let Some(from) = after {
        let (done, next): (Unlinked, Option<i64>) = store
            .write(move |tx| tx.unlink_reader(reader, before, from).map_err(UseCaseError::from))
            .await?;
        rows += done.rows;
        after = next;
    }
    Ok(i64::try_from(rows).unwrap_or(i64::MAX))
}
