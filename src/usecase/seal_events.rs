//! Sealing: chains the events that have settled since the last seal. Run by a job, off the hot path.

use std::sync::Arc;

use super::{Result, UseCaseError};
use crate::store::Store;
use crate::store::seals::SEAL_EVENTS;

/// Seals what is settled now; answers how many seals were written. What settles meanwhile waits for the next run, so that
/// seals are few and full however busy it is. Safe with two nodes at once: the second finds the position taken and goes on
/// behind it.
///
/// # Errors
/// A failure of the store; what was sealed before it stays.
pub async fn seal_events(store: &Arc<Store>) -> Result<u64> {
    let mut written = 0;
    while let Some(next) = store.read(|tx| tx.next_seal().map_err(UseCaseError::from)).await? {
        let last = next.seal.event_count < SEAL_EVENTS;
        let done = store
            .write(move |tx| tx.write_seal(&next, tx.now()).map_err(UseCaseError::from))
            .await?;
        written += u64::from(done);
        if done && last {
            break;
        }
    }
    Ok(written)
}
