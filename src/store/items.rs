//! Items: the facts about one copy under its lock, and what a plan changes of it.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::closing::Closing;
use super::error::StoreError;
use super::schema::items;
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{BibId, ItemId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::volume::Volume;

/// What shows an item to people.
#[derive(Debug, Clone, Queryable)]
pub struct ItemView {
    pub id: i64,
    pub bib_id: i64,
    pub barcode: String,
    pub rfid_tag: Option<String>,
    pub owner_unit_id: i64,
    pub home_unit_id: i64,
    /// Where it belongs for the time being, while it is in a deposit.
    pub deposit_unit_id: Option<i64>,
    pub current_unit_id: i64,
    pub collection_id: Option<i64>,
    pub shelf_location: Option<String>,
    pub call_number: Option<String>,
    pub item_type_id: i64,
    pub price_fen: Option<i64>,
    pub status: String,
    pub not_for_loan: bool,
    pub last_event_at: i64,
    pub volume: Option<String>,
    pub lending: String,
    pub bound_into_item_id: Option<i64>,
}

macro_rules! view_columns {
    () => {
        (
            items::id,
            items::bib_id,
            items::barcode,
            items::rfid_tag,
            items::owner_unit_id,
            items::home_unit_id,
            items::deposit_unit_id,
            items::current_unit_id,
            items::collection_id,
            items::shelf_location,
            items::call_number,
            items::item_type_id,
            items::price_fen,
            items::status,
            items::not_for_loan,
            items::last_event_at,
            items::volume,
            items::lending,
            items::bound_into_item_id,
        )
    };
}

/// A new item's row.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = items)]
pub struct NewItem {
    pub id: i64,
    pub bib_id: i64,
    pub barcode: String,
    pub rfid_tag: Option<String>,
    pub owner_unit_id: i64,
    pub home_unit_id: i64,
    pub current_unit_id: i64,
    pub collection_id: Option<i64>,
    pub shelf_location: Option<String>,
    pub call_number: Option<String>,
    pub item_type_id: i64,
    pub price_fen: Option<i64>,
    pub status: String,
    pub not_for_loan: bool,
    pub min_age_years: Option<i32>,
    pub for_children: bool,
    pub alert_note: Option<String>,
    pub parts: i32,
    pub last_event_at: i64,
    pub created_at: i64,
    pub volume: Option<String>,
}

impl ReadTx<'_> {
    /// Items with a barcode, without locking any: of every owner, or of one. Two are enough to see that it is ambiguous.
    pub fn items_with_barcode(&mut self, barcode: &str, owner: Option<UnitId>) -> Result<Vec<ItemView>, StoreError> {
        let mut query = items::table
            .filter(items::barcode.eq(barcode))
            .order(items::owner_unit_id)
            .limit(2)
            .select(view_columns!())
            .into_boxed();
        if let Some(owner) = owner {
            query = query.filter(items::owner_unit_id.eq(owner.get()));
        }
        Ok(query.load(self.conn)?)
    }

    /// An item by its id, as people see it.
    pub fn item_view(&mut self, id: ItemId) -> Result<Option<ItemView>, StoreError> {
        Ok(items::table
            .find(id.get())
            .select(view_columns!())
            .first(self.conn)
            .optional()?)
    }

    /// The items of a bib after `after`, by id.
    pub fn items_of_bib(&mut self, bib: BibId, after: i64, limit: i64) -> Result<Vec<ItemView>, StoreError> {
        Ok(items::table
            .filter(items::bib_id.eq(bib.get()).and(items::id.gt(after)))
            .order(items::id)
            .limit(limit)
            .select(view_columns!())
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Where the item is now and in what state. Whatever it was to be taken from, it has been.
    pub fn set_item_state(
        &mut self,
        item: ItemId,
        status: ItemStatus,
        current: UnitId,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.close_with(Closing::SetItemState {
            id: item.get(),
            status: status.code(),
            current_unit_id: current.get(),
            last_event_at: at.timestamp_millis(),
        })
    }

    /// Adds an item.
    ///
    /// # Errors
    /// `Conflict` when the owner has this barcode already.
    pub fn insert_item(&mut self, item: &NewItem) -> Result<(), StoreError> {
        diesel::insert_into(items::table)
            .values(item.clone())
            .execute(self.conn)?;
        Ok(())
    }
}

/// Reads an ISO day back.
pub(super) fn parse_day(text: &str) -> Result<NaiveDate, StoreError> {
    text.parse()
        .map_err(|_| StoreError::Corrupt(format!("'{text}' is not a day")))
}

/// Reads a designation back.
pub(super) fn volume_of(text: Option<&str>) -> Result<Option<Volume>, StoreError> {
    let parse =
        |text: &str| Volume::parse(text).map_err(|error| StoreError::Corrupt(format!("volume '{text}' {error}")));
    text.map(parse).transpose()
}
