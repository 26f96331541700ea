//! Reads that somebody stands and waits for, with a step to go: they have connections of their own and do not queue with the
//! others. Not for: anything of more than a few statements by an index.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use diesel::r2d2::PooledConnection;

use super::connection::PoolManager;
use super::error::StoreError;
use super::job::FromStore;
use super::tx::ReadTx;
use super::{Store, has_failed, pools};
use crate::telemetry::traces::TransactionTrace;

/// Reads of this kind that may wait for a connection; one more is answered `Busy`.
pub(super) const SLOTS: usize = 256;

impl Store {
    /// As `read`, at once. SQLite is read in place: where both processors are busy, waking a thread and being woken by it takes ten times
    /// as long as the read. The first one, and those for which no connection is free, take the way of all others.
    ///
    /// # Errors
    /// What `work` answered, or the store's own failure.
    pub async fn read_at_once<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut ReadTx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: FromStore + Send + 'static,
    {
        if !self.is_postgres
            && let Some(mut pooled) = self.at_once.try_get()
        {
            if pools::begin_read(&mut pooled).is_ok() {
                return self.read_in_place(pooled, work);
            }
            pooled.broken = true;
        }
        self.read_by(&self.at_once, &self.at_once_slots, work).await
    }

    /// The work in a transaction that has begun, on this thread.
    fn read_in_place<T, E, F>(&self, mut pooled: PooledConnection<PoolManager>, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut ReadTx<'_>) -> Result<T, E>,
        E: FromStore,
    {
        let trace = TransactionTrace::begin("read transaction", self.engine());
        self.stats.figures.read_wait.observe(Duration::ZERO);
        trace.waiting().iter().for_each(|waiting| waiting.over());
        let read = AssertUnwindSafe(|| pools::read_once(&mut pooled, &self.shared, self.read_timeout, work));
        let answer = catch_unwind(read).unwrap_or_else(|_| Err(StoreError::Panicked.into()));
        // One that is not as it was is opened anew.
        pooled.broken = has_failed(&answer);
        trace.end(has_failed(&answer));
        answer
    }
}
