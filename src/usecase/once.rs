//! A changing verb under its idempotency key: ids are taken outside the transaction, the work is done inside it, once.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Caller, IdempotencyKey, Result, UseCaseError, act_for};
use crate::domain::ids::ReaderId;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::job::FromStore;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store, StoreError};

/// Runs `apply` for `caller` with `ids` fresh ids. It may be run more than once and then gets the same ids.
///
/// # Errors
/// What `apply` answered; what keeps a guardian from acting for the ward; `KeyReused` when the key was used with another request; a failure of the store.
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
        .write_once(claim, move |tx| {
            let who = act_for::resolved(tx, &who)?;
            apply(tx, &who, &command, ids.clone())
        })
        .await
}

/// An answer that does not say whom it is about, kept with the reader it is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct About<T> {
    /// Absent in what was kept before this was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about_reader: Option<i64>,
    #[serde(flatten)]
    value: T,
}

impl<T> About<T> {
    pub(super) const fn reader(reader: ReaderId, value: T) -> Self {
        Self {
            about_reader: Some(reader.get()),
            value,
        }
    }

    /// The answer alone.
    pub(super) fn alone(once: Once<Self>) -> Once<T> {
        Once {
            value: once.value.value,
            replayed: once.replayed,
        }
    }
}

impl<T: Serialize + DeserializeOwned> Outcome for About<T> {
    fn reader_id(&self) -> Option<i64> {
        self.about_reader
    }
}

/// Runs the very same code as the act itself and rolls it back.
///
/// # Errors
/// As [`once`].
pub(super) async fn rehearsed<C, T, F>(
    store: &Arc<Store>,
    caller: &Caller,
    ids: i64,
    command: C,
    apply: F,
) -> Result<Once<T>>
where
    C: Send + 'static,
    T: Send + 'static,
    F: Fn(&mut WriteTx<'_>, &Caller, &C, IdRun) -> Result<T> + Send + 'static,
{
    let ids = store.take_ids::<UseCaseError>(ids).await?;
    let who = caller.clone();
    let ended: std::result::Result<std::convert::Infallible, Rehearsed<T>> = store
        .write(move |tx| match apply(tx, &who, &command, ids.clone()) {
            Ok(value) => Err(Rehearsed::Decided(value)),
            Err(error) => Err(Rehearsed::Failed(error)),
        })
        .await;
    match ended {
        Err(Rehearsed::Decided(value)) => Ok(Once { value, replayed: false }),
        Err(Rehearsed::Failed(error)) => Err(error),
        Ok(never) => match never {},
    }
}

/// The end of a rehearsal: always an error for the store, so that everything is undone.
enum Rehearsed<T> {
    Decided(T),
    Failed(UseCaseError),
}

impl<T> From<StoreError> for Rehearsed<T> {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl<T> FromStore for Rehearsed<T> {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Failed(error) => error.store_error(),
            Self::Decided(_) => None,
        }
    }
}
