//! What stands on a unit's hold shelf for readers, by number. Not for: what has no business there (see `list_shelf_clearings`).

use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, PageRequest};
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::store::Store;
use crate::store::hold_shelf::Shelved;

/// A copy that waits on the hold shelf for its reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShelvedCopy {
    /// Where on the hold shelf it stands.
    #[schema(example = 17)]
    pub shelf_number: i32,
    pub item_id: i64,
    pub item_barcode: String,
    pub title: String,
    pub hold_id: i64,
    /// Who collects it; absent for those who may not see what readers borrow.
    pub reader_id: Option<i64>,
    /// The last local day on which it can be collected.
    pub shelf_until: Option<NaiveDate>,
}

/// Lists the hold shelf of a unit, by number.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; a failure of the store.
pub async fn list_hold_shelf(
    store: &Arc<Store>,
    caller: &Caller,
    code: String,
    page: PageRequest,
) -> Result<Page<ShelvedCopy>> {
    caller.require_somewhere(Right::ManageHolds)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = network.units().by_code(&code).ok_or(UseCaseError::NotFound("unit"))?;
            caller.require(Right::ManageHolds, unit.id, &network)?;
            let sees_readers = caller.may(Right::ReadBorrowing, unit.id, &network);
            let rows = tx.hold_shelf(unit.id, page.after_id(), page.fetch())?;
            let page = page.cut(rows, |row| i64::from(row.number.unwrap_or(0)));
            Ok(page.map(|row| view(row, sees_readers)))
        })
        .await
}

fn view(row: Shelved, sees_readers: bool) -> ShelvedCopy {
    ShelvedCopy {
        shelf_number: row.number.unwrap_or(0),
        item_id: row.item_id,
        item_barcode: row.barcode,
        title: row.title,
        hold_id: row.hold_id,
        reader_id: row.reader_id.filter(|_| sees_readers),
        shelf_until: row.until.and_then(|day| day.parse().ok()),
    }
}
