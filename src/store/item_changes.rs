//! What cataloguers change of an item that is there already.
//! Not for: where circulation sends it (see `items` and `closing`).

use diesel::prelude::*;

use super::error::StoreError;
use super::schema::{holds, items};
use super::tx::WriteTx;
use crate::domain::ids::ItemId;

/// The columns to change; `None` leaves one as it is, `Some(None)` empties it.
#[derive(Debug, Clone, Default, AsChangeset)]
#[diesel(table_name = items)]
pub struct ItemChange {
    pub barcode: Option<String>,
    pub rfid_tag: Option<Option<String>>,
    pub home_unit_id: Option<i64>,
    pub current_unit_id: Option<i64>,
    pub collection_id: Option<Option<i64>>,
    pub shelf_location: Option<Option<String>>,
    pub call_number: Option<Option<String>>,
    pub item_type_id: Option<i64>,
    pub price_fen: Option<Option<i64>>,
    pub status: Option<String>,
    pub not_for_loan: Option<bool>,
    pub min_age_years: Option<Option<i32>>,
    pub for_children: Option<bool>,
    pub alert_note: Option<Option<String>>,
    pub parts: Option<i32>,
    pub lending: Option<String>,
    pub bound_into_item_id: Option<Option<i64>>,
    pub last_event_at: Option<i64>,
    pub volume: Option<Option<String>>,
    /// Set by [`WriteTx::change_item`].
    pub clear_number: Option<Option<i32>>,
    pub clear_since: Option<Option<i64>>,
    pub deposit_unit_id: Option<Option<i64>>,
}

impl WriteTx<'_> {
    /// Changes an item, under its lock.
    ///
    /// Whoever takes it elsewhere has seen to it.
    ///
    /// # Errors
    /// `Conflict` when the owner has this barcode already.
    pub fn change_item(&mut self, item: ItemId, change: &ItemChange) -> Result<(), StoreError> {
        let mut changed = change.clone();
        if changed.current_unit_id.is_some() || changed.status.is_some() {
            (changed.clear_number, changed.clear_since) = (Some(None), Some(None));
        }
        diesel::update(items::table.find(item.get()))
            .set(changed)
            .execute(self.conn)?;
        Ok(())
    }

    /// Whether other items are bound into this one.
    pub fn is_host(&mut self, item: ItemId) -> Result<bool, StoreError> {
        let bound = items::table.filter(items::bound_into_item_id.eq(item.get()));
        Ok(diesel::select(diesel::dsl::exists(bound)).get_result(self.conn)?)
    }

    /// Open holds that wait for this very copy. Read under the lock of its bib.
    pub fn holds_on_copy(&mut self, item: ItemId) -> Result<i64, StoreError> {
        Ok(holds::table
            .filter(holds::item_id.eq(item.get()).and(holds::closed_at.is_null()))
            .count()
            .get_result(self.conn)?)
    }
}
