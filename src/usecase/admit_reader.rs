//! Staff let a reader in: a deposit was paid, or they decide so. And how it stands, for staff and for the reader.

use std::sync::Arc;

use serde_json::json;

use super::admission_view::{AdmissionView, admission_of, tell};
use super::get_reader::only_itself;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::admission::AdmittedBy;
use crate::domain::event::EventKind;
use crate::domain::ids::ReaderId;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct AdmitReader {
    pub reader: ReaderId,
    /// `Deposit` or `Staff`.
    pub by: AdmittedBy,
    pub reason: String,
}

/// Lets a reader in, for good.
///
/// # Errors
/// `NotFound`; `State` when somebody did before; `Forbidden`; a failure of the store.
pub async fn admit_reader(
    store: &Arc<Store>,
    caller: &Caller,
    command: AdmitReader,
    key: Option<IdempotencyKey>,
) -> Result<Once<AdmissionView>> {
    caller.require_somewhere(Right::ManageCredit)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &AdmitReader, mut ids: IdRun) -> Result<AdmissionView> {
    let network = tx.network()?;
    caller.require(Right::ManageCredit, caller.working_unit()?, &network)?;
    tx.lock_readers(&[command.reader])?;
    let newcomer = tx.newcomer(command.reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    if !tx.admit_reader(command.reader, command.by)? {
        let by = newcomer.admitted_by.unwrap_or_default();
        return Err(UseCaseError::State(format!("the reader was let in before, by {by}")));
    }
    let detail = json!({"by": command.by.code()});
    let note = json!({"note": command.reason});
    let event = (ids.next(), EventKind::ReaderAdmitted);
    tell(tx, (caller, &network), &newcomer, event, (detail, Some(note)))?;
    admission_of(tx, &network, command.reader)
}

/// A reader at the gate.
///
/// # Errors
/// `NotFound`, also for a reader who asks for somebody else; `Forbidden`; a failure of the store.
pub async fn get_admission(store: &Arc<Store>, caller: &Caller, reader: ReaderId) -> Result<AdmissionView> {
    caller.require_somewhere(Right::ReadCredit)?;
    only_itself(caller, reader)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            admission_of(tx, &network, reader)
        })
        .await
}
