//! One hold, with its place in the queue; and the open holds of a bib, for staff.

use std::sync::Arc;

use super::page::{Page, PageRequest};
use super::view::HoldView;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::hold::HoldStatus;
use crate::domain::ids::{BibId, HoldId, UnitId};
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::holds::HoldView as HoldRow;
use crate::store::tx::ReadTx;

/// Finds a hold; a reader only its own.
///
/// # Errors
/// `NotFound`, also for another reader's; `Forbidden`; a failure of the store.
pub async fn get_hold(store: &Arc<Store>, caller: &Caller, id: HoldId) -> Result<HoldView> {
    caller.require_somewhere(Right::ReadBorrowing)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let row = tx.hold_view(id)?.ok_or(UseCaseError::NotFound("hold"))?;
            if caller.reader().is_some_and(|own| row.reader_id != Some(own.get())) {
                return Err(UseCaseError::NotFound("hold"));
            }
            view(tx, row, &network)
        })
        .await
}

/// Lists the open holds of a bib in the order of the queue; those a copy is set aside for stand where they stood. Whose they are is
/// told of those that are picked up where the caller may see what readers borrow.
///
/// # Errors
/// `NotFound`; `Forbidden`; a failure of the store.
pub async fn list_bib_holds(
    store: &Arc<Store>,
    caller: &Caller,
    bib: BibId,
    page: PageRequest,
) -> Result<Page<HoldView>> {
    caller.require_somewhere(Right::ManageHolds)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            tx.bib_view(bib)?.ok_or(UseCaseError::NotFound("bib"))?;
            let rows = tx.holds_of_bib(bib, page.after.map(HoldId::new), page.fetch())?;
            let rows = page.cut(rows, |row| row.id);
            // Counted once; from there on every waiting hold stands one behind the last.
            let mut place = None;
            let mut items = Vec::with_capacity(rows.items.len());
            for row in rows.items {
                let waits = row.status() == HoldStatus::Waiting.code();
                if waits {
                    place = Some(match place {
                        Some(last) => last + 1,
                        None => tx.queue_position(&row)?,
                    });
                }
                let sees_reader = caller.may(Right::ReadBorrowing, UnitId::new(row.pickup_unit_id), &network);
                let mut shown = HoldView::of(row, place.filter(|_| waits), &network);
                shown.reader_id = shown.reader_id.filter(|_| sees_reader);
                items.push(shown);
            }
            Ok(Page { items, next: rows.next })
        })
        .await
}

/// A hold with its place, if it waits.
pub(super) fn view(tx: &mut ReadTx<'_>, row: HoldRow, network: &Network) -> Result<HoldView> {
    let waits = row.status() == HoldStatus::Waiting.code();
    let position = if waits { Some(tx.queue_position(&row)?) } else { None };
    Ok(HoldView::of(row, position, network))
}
