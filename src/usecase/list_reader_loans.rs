//! A reader's loans, the newest first.

use std::sync::Arc;

use super::get_reader::only_itself;
use super::page::{Page, PageRequest};
use super::view::LoanView;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::ReaderId;
use crate::store::Store;

/// Lists the open loans, or all that are still linked to the reader.
///
/// # Errors
/// `NotFound`, also for a reader who asks for somebody else; `Forbidden`; a failure of the store.
pub async fn list_reader_loans(
    store: &Arc<Store>,
    caller: &Caller,
    id: ReaderId,
    open_only: bool,
    page: PageRequest,
) -> Result<Page<LoanView>> {
    caller.require_somewhere(Right::ReadBorrowing)?;
    only_itself(caller, id)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            tx.reader_view(id)?.ok_or(UseCaseError::NotFound("reader"))?;
            let rows = tx.loans_of_reader(id, open_only, page.before_id(), page.fetch())?;
            Ok(page.cut(rows, |row| row.id).map(|row| LoanView::of(row, &network)))
        })
        .await
}
