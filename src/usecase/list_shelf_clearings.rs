//! What staff of a unit must take from its hold shelf, or out of a crate, and what to do with it: holds that ended, or go
//! elsewhere, leave copies behind.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, PageRequest};
use super::view::unit_code;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::item::ItemStatus;
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::hold_shelf::ToClear;

/// A copy to be taken from where it lies. Checking it in says that this was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShelfClearing {
    pub item_id: i64,
    pub item_barcode: String,
    pub title: String,
    pub call_number: Option<String>,
    /// The number of the hold shelf it stands at; absent when it lies in a crate that was not sent.
    pub shelf_number: Option<i32>,
    /// Since when it has to be taken off.
    pub since: DateTime<Utc>,
    /// `check_in`: the next reader picks it up here and gets a number when it is checked in; `crate`: it goes to `to_unit_code`;
    /// `shelf_here`: it goes back to the open shelf; `exception`: staff must look at it.
    #[schema(example = "check_in")]
    pub next_step: String,
    /// `crate`: where it goes.
    pub to_unit_code: Option<String>,
    /// The hold it is set aside for.
    pub hold_id: Option<i64>,
}

/// Lists what a unit has to clear, by item.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; a failure of the store.
pub async fn list_shelf_clearings(
    store: &Arc<Store>,
    caller: &Caller,
    code: String,
    page: PageRequest,
) -> Result<Page<ShelfClearing>> {
    caller.require_somewhere(Right::ManageHolds)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = network.units().by_code(&code).ok_or(UseCaseError::NotFound("unit"))?;
            caller.require(Right::ManageHolds, unit.id, &network)?;
            let rows = tx.copies_to_clear(unit.id, page.after_id(), page.fetch())?;
            Ok(page.cut(rows, |row| row.item_id).map(|row| view(row, &network)))
        })
        .await
}

fn view(row: ToClear, network: &Network) -> ShelfClearing {
    let next_step = match ItemStatus::from_code(&row.status) {
        Some(ItemStatus::OnHoldShelf) => "check_in",
        Some(ItemStatus::AwaitingDispatch) => "crate",
        Some(ItemStatus::OnShelf) => "shelf_here",
        _ => "exception",
    };
    ShelfClearing {
        item_id: row.item_id,
        item_barcode: row.barcode,
        title: row.title,
        call_number: row.call_number,
        shelf_number: row.number,
        since: from_millis(row.since.unwrap_or_default()),
        next_step: next_step.to_owned(),
        to_unit_code: row.to_unit_id.map(|unit| unit_code(network, unit)),
        hold_id: row.hold_id,
    }
}
