//! A reader's credit and its lines, the newest first: for the reader, and for staff.

use std::sync::Arc;

use super::credit_view::{CreditEntryView, CreditView, credit_of};
use super::get_reader::only_itself;
use super::look_at_reader::{self, Look};
use super::page::{Page, PageRequest};
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::ReaderId;
use crate::store::Store;
use crate::store::credit::CreditEntryRow;
use crate::store::tx::ReadTx;

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

/// Lists the lines of a reader's ledger. Staff see which loans that have ended they are about for a reason only, which is noted.
///
/// # Errors
/// As [`get_credit`]; `Forbidden` for staff who give a reason without the right to the history.
pub async fn list_credit_entries(
    store: &Arc<Store>,
    caller: &Caller,
    reader: ReaderId,
    page: PageRequest,
    reason: Option<String>,
) -> Result<Page<CreditEntryView>> {
    caller.require_somewhere(Right::ReadCredit)?;
    only_itself(caller, reader)?;
    let shows_ended = caller.reader().is_some() || reason.is_some();
    if reason.is_some() {
        look_at_reader::require(caller, false, reason.as_deref())?;
        look_at_reader::note_history(store, caller, reader, Look::Credit, reason).await?;
    }
    store
        .read(move |tx| {
            tx.credit_account(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
            let mut rows = tx.credit_entries_of(reader, page.before_id(), page.fetch())?;
            if !shows_ended {
                hide_ended_loans(tx, &mut rows)?;
            }
            Ok(page.cut(rows, |row| row.number).map(CreditEntryView::from))
        })
        .await
}

/// Lines keep what they are about, but not which loan it was: that says what was borrowed.
pub(super) fn hide_ended_loans(tx: &mut ReadTx<'_>, lines: &mut [CreditEntryRow]) -> Result<()> {
    let named: Vec<i64> = lines.iter().filter_map(|line| line.loan_id).collect();
    if named.is_empty() {
        return Ok(());
    }
    let open = tx.open_among_loans(&named)?;
    for line in lines {
        line.loan_id = line.loan_id.filter(|loan| open.contains(loan));
    }
    Ok(())
}
