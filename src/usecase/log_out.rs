//! Log-out: the session's refresh tokens end at once; its access token ends within its minutes.

use std::sync::Arc;

use super::{Caller, Result, UseCaseError};
use crate::store::Store;

/// Ends the caller's session. Doing it twice changes nothing.
///
/// # Errors
/// A failure of the store.
pub async fn log_out(store: &Arc<Store>, caller: &Caller) -> Result<()> {
    let family = caller.session;
    let end = move |tx: &mut crate::store::tx::WriteTx<'_>| {
        let now = tx.now().timestamp_millis();
        tx.revoke_family(family, now).map_err(UseCaseError::from)
    };
    store.write(end).await
}
