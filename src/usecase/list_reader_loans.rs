//! A reader's loans, the newest first.

use std::sync::Arc;

use super::act_for;
use super::get_reader::only_itself;
use super::look_at_reader::{self, Look, Which};
use super::page::{Page, PageRequest};
use super::view::LoanView;
use super::{Caller, Result, UseCaseError};
use crate::domain::ids::ReaderId;
use crate::store::Store;

/// Lists the open loans, or, for a reason, all that are still linked to the reader. Looks of the staff are noted.
///
/// # Errors
/// `NotFound`, also for a reader who asks for somebody else; `Forbidden`; `Invalid` naming `reason`; a failure of the store.
pub async fn list_reader_loans(
    store: &Arc<Store>,
    caller: &Caller,
    id: ReaderId,
    which: Which,
    page: PageRequest,
) -> Result<Page<LoanView>> {
    let open_only = which.open_only;
    look_at_reader::require(caller, open_only, which.reason.as_deref())?;
    only_itself(caller, id)?;
    if !open_only {
        look_at_reader::note_history(store, caller, id, Look::Loans, which.reason).await?;
    }
    let who = caller.clone();
    let listed = store
        .read(move |tx| {
            act_for::resolved(tx, &who)?;
            let network = tx.network()?;
            tx.reader_view(id)?.ok_or(UseCaseError::NotFound("reader"))?;
            let rows = tx.loans_of_reader(id, open_only, page.before_id(), page.fetch())?;
            let page = page.cut(rows, |row| row.id);
            Ok::<_, UseCaseError>(page.map(|row| LoanView::of(row, &network)))
        })
        .await?;
    if open_only {
        look_at_reader::note(store, caller, id, Look::Loans).await;
    }
    Ok(listed)
}
