//! Tells what the outbox holds to whoever it is for, after its transaction has committed: at least once, always under the same
//! key, so that the other end acts once. Run by a job; two nodes may do it at once.
//!
//! An attempt begins by a write that moves the row's next attempt ahead. A node that dies while it sends leaves a row that is
//! tried again then. Several rows may be told side by side: a commit of SQLite then serves many of them.
//! Not here: what is told (see a [`Consumer`]).

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::run_job::{Look, Pass, of_one};
use super::{Result, UseCaseError};
use crate::store::Store;
use crate::store::outbox::OutboxRow;
use crate::store::tx::{ReadTx, WriteTx};

/// After so long a step begins nothing more, so that it ends before the lease of the job does. The rest is for the next run.
const BEGIN_WITHIN: Duration = Duration::from_secs(15);

/// A row that failed so often is given up: about two days.
const ATTEMPTS: i32 = 60;

/// The longest rest between two attempts.
const REST_SECONDS: i64 = 3_600;

/// Why something could not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nobody answered in time, or they cannot just now: tried again.
    Later(String),
    /// They say no, and would say so again: somebody must look at it.
    Never(String),
}

/// Who is told, and how.
pub trait Consumer: Send + Sync + 'static {
    /// The word in the outbox.
    const NAME: &'static str;
    /// Rows told between two looks.
    const ROWS_PER_LOOK: i64 = 5;
    /// How many of them side by side.
    const AT_ONCE: usize = 1;
    /// That there is nothing to tell any more is as it should be, not a failure.
    const LAPSES: bool = false;
    /// What is told. It may be personal, so it is put together when it is told and kept nowhere.
    type Message: Send + 'static;
    /// What came back.
    type Receipt: Send + Sync + 'static;

    /// False while there is no sense in trying.
    fn is_ready(&self) -> bool {
        true
    }

    /// False while there is no sense in trying this one.
    fn is_ready_for(&self, _row: &OutboxRow) -> bool {
        true
    }

    /// What has to stand still from now on, in the transaction that claims the row.
    ///
    /// # Errors
    /// A failure of the store.
    fn claimed(_tx: &mut WriteTx<'_>, _row: &OutboxRow) -> Result<()> {
        Ok(())
    }

    /// Puts together what is told; `None` when there is nothing to tell any more.
    ///
    /// # Errors
    /// A failure of the store.
    fn prepare(tx: &mut ReadTx<'_>, row: &OutboxRow) -> Result<Option<Self::Message>>;

    /// Tells it, in bounded time.
    fn send(
        &self,
        key: &str,
        message: Self::Message,
    ) -> impl Future<Output = std::result::Result<Self::Receipt, Fault>> + Send;

    /// Keeps what came back, in the transaction that marks the row.
    ///
    /// # Errors
    /// A failure of the store.
    fn settle(tx: &mut WriteTx<'_>, row: &OutboxRow, receipt: &Self::Receipt) -> Result<()>;
}

/// The walk over what is due for one consumer.
#[derive(Debug)]
pub struct DeliverOutbox<C>(pub C);

impl<C: Consumer> Pass for DeliverOutbox<C> {
    type Work = OutboxRow;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<OutboxRow>> + Send + 'static {
        let ready = self.0.is_ready();
        move |tx| {
            let work = if ready {
                tx.outbox_due(C::NAME, after, now, C::ROWS_PER_LOOK)?
            } else {
                Vec::new()
            };
            Ok(Look {
                looked_at: i64::try_from(work.len()).unwrap_or(i64::MAX),
                after: work.last().map(|row| row.id),
                work,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<OutboxRow>) -> Result<i64> {
        let (mut told, began) = (0, Instant::now());
        let mut waiting = work.into_iter();
        let mut under_way = FuturesUnordered::new();
        let mut failed = None;
        loop {
            let may_begin = || failed.is_none() && began.elapsed() < BEGIN_WITHIN && self.0.is_ready();
            while under_way.len() < C::AT_ONCE && may_begin() {
                match waiting.next() {
                    Some(row) if self.0.is_ready_for(&row) => under_way.push(self.tell(store, row)),
                    Some(_) => {}
                    None => break,
                }
            }
            match under_way.next().await {
                Some(Ok(was_told)) => told += i64::from(was_told),
                // What is under way is carried to its end, so that nobody is told twice.
                Some(Err(error)) => failed = Some(error),
                None => return failed.map_or(Ok(told), Err),
            }
        }
    }
}

impl<C: Consumer> DeliverOutbox<C> {
    /// One attempt. True: it was told.
    async fn tell(&self, store: &Arc<Store>, row: OutboxRow) -> Result<bool> {
        let claim = row.clone();
        let mine = store
            .write(move |tx| {
                let again_at = tx.now() + rest_after(claim.attempts);
                let mine = tx.claim_outbox(&claim, again_at)?;
                if mine {
                    C::claimed(tx, &claim)?;
                }
                Ok::<_, UseCaseError>(mine)
            })
            .await?;
        if !mine {
            return Ok(false);
        }
        let look = row.clone();
        let prepared = store.read(move |tx| C::prepare(tx, &look)).await;
        let Some(message) = of_one(prepared, "outbox", row.id)? else {
            let for_good = row.attempts + 1 >= ATTEMPTS;
            return fail(store, &row, "it could not be put together", for_good).await;
        };
        let Some(message) = message else {
            if C::LAPSES {
                store
                    .write(move |tx| tx.withdraw_outbox(row.id).map_err(UseCaseError::from))
                    .await?;
                return Ok(false);
            }
            return fail(store, &row, "there was nothing to tell any more", true).await;
        };
        match self.0.send(&row.message_key, message).await {
            Ok(receipt) => {
                store
                    .write(move |tx| {
                        let first = tx.finish_outbox(row.id)?;
                        if first {
                            C::settle(tx, &row, &receipt)?;
                        }
                        Ok::<_, UseCaseError>(first)
                    })
                    .await
            }
            Err(Fault::Later(error)) => fail(store, &row, &error, row.attempts + 1 >= ATTEMPTS).await,
            Err(Fault::Never(error)) => fail(store, &row, &error, true).await,
        }
    }
}

async fn fail(store: &Arc<Store>, row: &OutboxRow, error: &str, for_good: bool) -> Result<bool> {
    tracing::warn!(
        consumer = row.consumer,
        row = row.id,
        error,
        for_good,
        "could not be told"
    );
    let (row, error) = (row.clone(), error.to_owned());
    store
        .write(move |tx| {
            let again_at = (!for_good).then(|| tx.now() + rest_after(row.attempts));
            tx.fail_outbox(row.id, &error, again_at).map_err(UseCaseError::from)
        })
        .await?;
    Ok(false)
}

/// Longer from one attempt to the next: 30 s, 1 min, 2 min, … an hour.
fn rest_after(attempts: i32) -> TimeDelta {
    let doubled = 30_i64 << attempts.clamp(0, 7);
    TimeDelta::seconds(doubled.min(REST_SECONDS))
}
