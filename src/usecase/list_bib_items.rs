//! The items of a bib.

use std::sync::Arc;

use super::get_item::ItemView;
use super::page::{Page, PageRequest};
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::BibId;
use crate::store::Store;

/// Lists the items of a bib in the order of their ids.
///
/// # Errors
/// `NotFound` when there is no such bib; a failure of the store.
pub async fn list_bib_items(
    store: &Arc<Store>,
    caller: &Caller,
    bib: BibId,
    page: PageRequest,
) -> Result<Page<ItemView>> {
    caller.require_somewhere(Right::ReadCatalogue)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            tx.bib_view(bib)?.ok_or(UseCaseError::NotFound("bib"))?;
            let rows = tx.items_of_bib(bib, page.after_id(), page.fetch())?;
            let rows = ItemView::with_deposits(tx, rows, &network)?;
            Ok(page.cut(rows, |row| row.id))
        })
        .await
}
