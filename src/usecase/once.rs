//! A changing verb under its idempotency key: ids are taken outside the transaction, the work is done inside it, once.

use std::sync::Arc;

use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Runs `apply` for `caller` with `ids` fresh ids. It may be run more than once and then gets the same ids.
///
/// # Errors
/// What `apply` answered; `KeyReused` when the key was used with another request; a failure of the store.
pub(super) async fn once<C, T, F>(
    store: &Arc<Store>,
    caller: &Caller,
    key: Option<IdempotencyKey>,
    ids: i64,
    command: C,
    apply: F,
) -> Result<Once<T>>
where
    C: Send + 'static,
    T: Outcome + Send + 'static,
    F: Fn(&mut WriteTx<'_>, &Caller, &C, IdRun) -> Result<T> + Send + 'static,
{
    let ids = store.take_ids::<UseCaseError>(ids).await?;
    let who = caller.clone();
    let claim = key.map(|key| key.claim(caller));
    store
        .write_once(claim, move |tx| apply(tx, &who, &command, ids.clone()))
        .await
}
