//! Sealing: chains the events that have settled since the last seal. Run by a job, off the hot path.

use std::sync::Arc;

use super::{Result, UseCaseError};
use crate::store::Store;

/// Seals until nothing settled is left; answers how many seals were written. Safe with two nodes at once: the second
/// finds the position taken and goes on behind it.
///
/// # Errors
/// A failure of the store; what was sealed before it stays.
pub async fn seal_events(store: &Arc<Store>) -> Result<u64> {
    let mut written = 0;
    while let Some(next) = store.read(|tx| tx.next_seal().map_err(UseCaseError::from)).await? {
        let done = store
            .write(move |tx| tx.write_seal(&next, tx.now()).map_err(UseCaseError::from))
            .await?;
        written += u64::from(done);
    }
    Ok(written)
}
