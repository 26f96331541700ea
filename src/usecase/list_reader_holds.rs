//! A reader's holds, the newest first, with their places in the queue.

use std::sync::Arc;

use super::act_for;
use super::get_reader::only_itself;
use super::look_at_reader::{self, Look, Which};
use super::page::{Page, PageRequest};
use super::view::HoldView;
use super::{Caller, Result, UseCaseError};
use crate::domain::hold::HoldStatus;
use crate::domain::ids::ReaderId;
use crate::store::Store;

/// Lists the open holds, or, for a reason, all that are still linked to the reader. Looks of the staff are noted.
///
/// # Errors
/// `NotFound`, also for a reader who asks for somebody else; `Forbidden`; `Invalid` naming `reason`; a failure of the store.
pub async fn list_reader_holds(
    store: &Arc<Store>,
    caller: &Caller,
    id: ReaderId,
    which: Which,
    page: PageRequest,
) -> Result<Page<HoldView>> {
    let open_only = which.open_only;
    look_at_reader::require(caller, open_only, which.reason.as_deref())?;
    only_itself(caller, id)?;
    if !open_only {
        look_at_reader::note_history(store, caller, id, Look::Holds, which.reason).await?;
    }
    let who = caller.clone();
    let listed = store
        .read(move |tx| {
            act_for::resolved(tx, &who)?;
            let network = tx.network()?;
            tx.reader_view(id)?.ok_or(UseCaseError::NotFound("reader"))?;
            let rows = page.cut(
                tx.holds_of_reader(id, open_only, page.before_id(), page.fetch())?,
                |row| row.id,
            );
            let mut items = Vec::with_capacity(rows.items.len());
            for row in rows.items {
                let waits = row.status() == HoldStatus::Waiting.code();
                let position = if waits { Some(tx.queue_position(&row)?) } else { None };
                items.push(HoldView::of(row, position, &network));
            }
            Ok::<_, UseCaseError>(Page { items, next: rows.next })
        })
        .await?;
    if open_only {
        look_at_reader::note(store, caller, id, Look::Holds).await;
    }
    Ok(listed)
}
