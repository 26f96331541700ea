//! Reads that somebody stands and waits for, with a step to go: they have connections of their own and do not queue with the
//! others. Not for: anything of more than a few statements by an index.

use std::time::Instant;

use super::job::FromStore;
use super::tx::ReadTx;
use super::{Store, StoreError, has_failed, pools};
use crate::telemetry::traces::TransactionTrace;

/// Reads of this kind that may wait for a connection; one more is answered `Busy`.
pub(super) const SLOTS: usize = 256;

impl Store {
    /// As `read`, at once.
    ///
    /// # Errors
    /// What `work` answered, or the store's own failure.
    pub async fn read_at_once<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut ReadTx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: FromStore + Send + 'static,
    {
        let Ok(_slot) = self.at_once_slots.try_acquire() else {
            return Err(StoreError::Busy.into());
        };
        let (pool, shared, stats) = (self.at_once.clone(), self.shared.clone(), self.stats.clone());
        let trace = TransactionTrace::begin("read transaction", self.engine());
        let waiting = trace.waiting();
        let limit = self.read_timeout;
        let ran = tokio::task::spawn_blocking(move || {
            let asked = Instant::now();
            let mut pooled = pools::begun(&pool)?;
            stats.figures.read_wait.observe(asked.elapsed());
            waiting.iter().for_each(|waiting| waiting.over());
            pools::read_once(&mut pooled, &shared, limit, work)
        });
        let answer = ran.await.unwrap_or_else(|_| Err(StoreError::Panicked.into()));
        trace.end(has_failed(&answer));
        answer
    }
}
