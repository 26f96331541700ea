//! A reader's credit and its lines, the newest first: for the reader, and for staff.

use std::sync::Arc;

use super::credit_view::{CreditEntryView, CreditView, credit_of};
use super::get_reader::only_itself;
use super::page::{Page, PageRequest};
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::ReaderId;
use crate::store::Store;

/// Finds a reader's credit.
///
/// # Errors
/// `NotFound`, also for a reader who asks for somebody else; `Forbidden`; a failure of the store.
pub async fn get_credit(store: &Arc<Store>, caller: &Caller, reader: ReaderId) -> Result<CreditView> {
    caller.require_somewhere(Right::ReadCredit)?;
    only_itself(caller, reader)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            credit_of(tx, &network, reader)
        })
        .await
}

/// Lists the lines of a reader's ledger.
///
/// # Errors
/// As [`get_credit`].
pub async fn list_credit_entries(
    store: &Arc<Store>,
    caller: &Caller,
    reader: ReaderId,
    page: PageRequest,
) -> Result<Page<CreditEntryView>> {
    caller.require_somewhere(Right::ReadCredit)?;
    only_itself(caller, reader)?;
    store
        .read(move |tx| {
            tx.credit_account(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
            let rows = tx.credit_entries_of(reader, page.before_id(), page.fetch())?;
            Ok(page.cut(rows, |row| row.number).map(CreditEntryView::from))
        })
        .await
}
