//! How a job runs: one node takes it, walks over what there is in small steps, keeps how far it is, and leaves it. A node that
//! dies loses its lease; another goes on where it stood. Every step may be done twice without harm, so a lease only saves work.
//! Not here: what a job does (a [`Pass`]), and the timer (see `jobs`).

use std::future::Future;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Result, UseCaseError};
use crate::domain::schedule::{Job, LEASE_SECONDS};
use crate::store::Store;
use crate::store::job::FromStore;
use crate::store::jobs::{Lease, Leave};
use crate::store::tx::ReadTx;

/// How often a run that changes nothing says how far it is.
const SAY_SECONDS: i64 = 2;

/// What a job walks over, and what it does with what it finds. The order of the walk is that of ids above zero.
pub trait Pass: Send + Sync {
    /// One thing to do.
    type Work: Send + 'static;

    /// What there is to look at, for the list of jobs.
    ///
    /// # Errors
    /// A failure of the store.
    fn expected(&self, _tx: &mut ReadTx<'_>) -> Result<Option<i64>> {
        Ok(None)
    }

    /// The next few after an id, read in a short transaction.
    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<Self::Work>> + Send + 'static;

    /// Does the work in short writes of its own and answers how much it changed. What was done already, or is no longer to be
    /// done, is passed over.
    fn act(&self, store: &Arc<Store>, work: Vec<Self::Work>) -> impl Future<Output = Result<i64>> + Send;
}

/// One step of a walk.
#[derive(Debug)]
pub struct Look<W> {
    pub work: Vec<W>,
    /// How many were looked at, with work or without.
    pub looked_at: i64,
    /// The last one's id; `None` when there is no more.
    pub after: Option<i64>,
}

impl<W> Look<W> {
    /// Of a walk that has no ids to go by and ends when nothing is `found` any more: `after` only counts its steps.
    pub fn until_nothing(found: usize, after: i64, work: W) -> Look<W> {
        Look {
            looked_at: i64::try_from(found).unwrap_or(i64::MAX),
            after: (found > 0).then_some(after + 1),
            work: if found > 0 { vec![work] } else { Vec::new() },
        }
    }
}

/// How an attempt to run a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// It is not time yet, or another node has it.
    NotNow,
    Finished {
        looked_at: i64,
        changed: i64,
    },
    /// It was asked to stop, and will go on where it stands.
    Stopped,
    /// Another node took it over: this one was silent for too long.
    TakenOver,
}

/// Runs `job` on `node` if it is due and nobody has it. `stop` is asked between the steps.
///
/// # Errors
/// A failure of the store, of which the list of jobs tells, too; the run is tried again later where it stood.
pub async fn run_job<P: Pass + 'static>(
    store: &Arc<Store>,
    node: &str,
    job: Job,
    pass: &Arc<P>,
    stop: impl Fn() -> bool,
) -> Result<Ran> {
    let Some(lease) = take(store, node, job, pass).await? else {
        return Ok(Ran::NotNow);
    };
    let mut run = Run { store, pass, lease };
    let ended = run.walk(&stop).await;
    let how = match &ended {
        Ok(Ran::Finished { .. }) => Leave::Finished,
        Ok(Ran::Stopped) => Leave::Stopped,
        Ok(Ran::TakenOver | Ran::NotNow) => return ended,
        Err(error) => Leave::Failed(error.to_string()),
    };
    let lease = run.lease;
    let left = store
        .write(move |tx| tx.leave_job(&lease, &how).map_err(UseCaseError::from))
        .await;
    ended.and_then(|ran| left.map(|()| ran))
}

/// The lease of a due job.
async fn take<P: Pass + 'static>(store: &Arc<Store>, node: &str, job: Job, pass: &Arc<P>) -> Result<Option<Lease>> {
    let zone = store.zone();
    let pass = Arc::clone(pass);
    let due = store
        .read(move |tx| {
            let runs = tx.job(job.name)?.map(|row| row.runs()).unwrap_or_default();
            if !runs.is_due(job.schedule, zone, tx.now()) {
                return Ok(None);
            }
            pass.expected(tx).map(Some)
        })
        .await?;
    let Some(expected) = due else {
        return Ok(None);
    };
    let node = node.to_owned();
    store
        .write(move |tx| {
            // Another node may have run it between the look and the lock.
            let runs = tx.job(job.name)?.map(|row| row.runs()).unwrap_or_default();
            if !runs.is_due(job.schedule, zone, tx.now()) {
                return Ok(None);
            }
            Ok(tx.take_job(job.name, &node, expected, lease_end(tx.now()))?)
        })
        .await
}

/// What a step did with one record. A fault of this record alone is told to the operator and passed over, so that it does not
/// keep those behind it waiting; the next run looks at it again.
///
/// # Errors
/// What would stop every other record, too.
pub(super) fn of_one<T>(did: Result<T>, record: &'static str, id: i64) -> Result<Option<T>> {
    match did {
        Ok(did) => Ok(Some(did)),
        Err(error) if stops_all(&error) => Err(error),
        Err(error) => {
            tracing::error!(record, id, error = &error as &dyn std::error::Error, "passed over");
            Ok(None)
        }
    }
}

/// Whether an error is of the store rather than of the record at hand.
pub(super) fn stops_all(error: &UseCaseError) -> bool {
    error.store_error().is_some_and(|error| !error.is_of_record())
}

fn lease_end(now: DateTime<Utc>) -> DateTime<Utc> {
    now + TimeDelta::seconds(LEASE_SECONDS)
}

struct Run<'a, P> {
    store: &'a Arc<Store>,
    pass: &'a Arc<P>,
    lease: Lease,
}

impl<P: Pass + 'static> Run<'_, P> {
    async fn walk(&mut self, stop: &impl Fn() -> bool) -> Result<Ran> {
        let clock = self.store.clock();
        let mut said_at = clock.now();
        loop {
            if stop() {
                return Ok(Ran::Stopped);
            }
            let looked = self
                .store
                .read(self.pass.look(self.lease.after_id, clock.now()))
                .await?;
            let works = !looked.work.is_empty();
            if works {
                self.lease.changed += self.pass.act(self.store, looked.work).await?;
            }
            self.lease.looked_at += looked.looked_at;
            let Some(after) = looked.after else {
                return Ok(Ran::Finished {
                    looked_at: self.lease.looked_at,
                    changed: self.lease.changed,
                });
            };
            self.lease.after_id = after;
            let now = clock.now();
            let silent = (now - said_at).num_seconds();
            if works || !(0..SAY_SECONDS).contains(&silent) {
                said_at = now;
                if !self.keep().await? {
                    return Ok(Ran::TakenOver);
                }
            }
        }
    }

    async fn keep(&self) -> Result<bool> {
        let lease = self.lease.clone();
        self.store
            .write(move |tx| {
                let until = lease_end(tx.now());
                tx.keep_job(&lease, until).map_err(UseCaseError::from)
            })
            .await
    }
}
