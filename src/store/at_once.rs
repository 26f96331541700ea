//! Reads that somebody stands and waits for, with a step to go: they have connections of their own and do not queue with the
//! others. Not for: anything of more than a few statements by an index.

use super::Store;
use super::job::FromStore;
use super::tx::ReadTx;

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
        self.read_by(&self.at_once, &self.at_once_slots, work).await
    }
}
