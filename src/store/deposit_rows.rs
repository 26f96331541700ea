//! The copies of deposits: what was asked for, what became of each, and where each is now.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, Text};

use super::connection::AnyConnection;
use super::error::StoreError;
use super::schema::{bibs, deposit_items, items, transits};
use super::tx::{ReadTx, WriteTx};
use crate::domain::deposit::{CopyState, Why};
use crate::domain::ids::{BibId, CollectionId, DepositId, ItemId, ItemTypeId, UnitId};
use crate::domain::item::{ItemStatus, TransitReason};
use crate::domain::transit::TransitStatus;

/// A copy that is asked for: by its barcode, or by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub barcode: String,
    pub item: Option<ItemId>,
    /// It is not taken, whatever state it is in.
    pub refused: Option<Why>,
}

/// A row to be dealt with.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct OpenRow {
    pub row_number: i32,
    pub barcode: String,
    pub item_id: Option<i64>,
    pub state: String,
}

/// A row with where its copy is now.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct CopyRow {
    pub row_number: i32,
    pub barcode: String,
    pub item_id: Option<i64>,
    pub state: String,
    pub why: Option<String>,
    pub status: Option<String>,
    pub current_unit_id: Option<i64>,
    pub call_number: Option<String>,
    pub shelf_location: Option<String>,
    pub title: Option<String>,
    pub transit_id: Option<i64>,
    pub transit_to_unit_id: Option<i64>,
}

/// Which copies of a home's shelf.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShelfFilter {
    /// `None`: whoever owns them.
    pub owners: Option<Vec<UnitId>>,
    pub collection: Option<CollectionId>,
    pub item_type: Option<ItemTypeId>,
    /// Call numbers from this on, up to the next text that does not begin with it.
    pub call_number_prefix: Option<String>,
    pub at_most: i64,
}

diesel::define_sql_function! {
    /// So many characters from the one counted from 1.
    fn substr(text: Nullable<Text>, from: Integer, length: Integer) -> Nullable<Text>;
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = deposit_items)]
struct NewRow {
    deposit_id: i64,
    row_number: i32,
    barcode: String,
    item_id: Option<i64>,
    state: &'static str,
    why: Option<&'static str>,
}

/// Rows in one statement of PostgreSQL.
const ROWS_PER_STATEMENT: usize = 500;

impl ReadTx<'_> {
    /// The copies that stand on the shelf of their home and are in no deposit, by id.
    pub fn copies_at_home(&mut self, home: UnitId, filter: &ShelfFilter) -> Result<Vec<Asked>, StoreError> {
        let mut query = items::table
            .filter(
                items::home_unit_id
                    .eq(home.get())
                    .and(items::current_unit_id.eq(home.get()))
                    .and(items::status.eq(ItemStatus::OnShelf.code()))
                    .and(items::deposit_unit_id.is_null()),
            )
            .order(items::id)
            .limit(filter.at_most)
            .select((items::id, items::barcode))
            .into_boxed();
        if let Some(owners) = &filter.owners {
            let owners: Vec<i64> = owners.iter().map(|owner| owner.get()).collect();
            query = query.filter(items::owner_unit_id.eq_any(owners));
        }
        if let Some(collection) = filter.collection {
            query = query.filter(items::collection_id.eq(collection.get()));
        }
        if let Some(item_type) = filter.item_type {
            query = query.filter(items::item_type_id.eq(item_type.get()));
        }
        if let Some(prefix) = &filter.call_number_prefix {
            // Not LIKE: SQLite's takes `tp` for `TP`.
            let length = i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX);
            query = query.filter(substr(items::call_number, 1, length).eq(prefix.clone()));
        }
        let rows: Vec<(i64, String)> = query.load(self.conn)?;
        let asked = |(id, barcode)| Asked {
            barcode,
            item: Some(ItemId::new(id)),
            refused: None,
        };
        Ok(rows.into_iter().map(asked).collect())
    }

    /// Of these items, barcode and bib.
    pub fn item_and_bib(&mut self, item: ItemId) -> Result<Option<(String, BibId)>, StoreError> {
        let row: Option<(String, i64)> = items::table
            .find(item.get())
            .select((items::barcode, items::bib_id))
            .first(self.conn)
            .optional()?;
        Ok(row.map(|(barcode, bib)| (barcode, BibId::new(bib))))
    }

    /// Who owns the items with a barcode whose home is a unit.
    pub fn owners_of_barcode(&mut self, barcode: &str, home: UnitId) -> Result<Vec<UnitId>, StoreError> {
        let owners: Vec<i64> = items::table
            .filter(items::barcode.eq(barcode).and(items::home_unit_id.eq(home.get())))
            .order(items::id)
            .select(items::owner_unit_id)
            .load(self.conn)?;
        Ok(owners.into_iter().map(UnitId::new).collect())
    }

    /// Every item with a barcode, of whatever owner: id, home.
    pub fn homes_of_barcode(&mut self, barcode: &str) -> Result<Vec<(ItemId, UnitId)>, StoreError> {
        let rows: Vec<(i64, i64)> = items::table
            .filter(items::barcode.eq(barcode))
            .order(items::id)
            .select((items::id, items::home_unit_id))
            .load(self.conn)?;
        Ok(rows
            .into_iter()
            .map(|(id, home)| (ItemId::new(id), UnitId::new(home)))
            .collect())
    }

    /// Rows of a deposit that wait to be dealt with: those not looked up yet, and, once it is `recalled`, those that are out, that
    /// have reached a shelf or their end, or that were taken out of their crate before it left.
    pub fn deposit_rows_to_do(
        &mut self,
        id: DepositId,
        recalled: bool,
        limit: i64,
    ) -> Result<Vec<OpenRow>, StoreError> {
        let settled = [ItemStatus::OnShelf, ItemStatus::Lost, ItemStatus::Withdrawn].map(ItemStatus::code);
        let mut query = deposit_items::table
            .left_join(items::table.on(items::id.nullable().eq(deposit_items::item_id)))
            .left_join(transits::table.on(transits::item_id.eq(items::id).and(transits::closed_at.is_null())))
            .filter(deposit_items::deposit_id.eq(id.get()))
            .order(deposit_items::row_number)
            .limit(limit)
            .select((
                deposit_items::row_number,
                deposit_items::barcode,
                deposit_items::item_id,
                deposit_items::state,
            ))
            .into_boxed();
        let pending = deposit_items::state.eq(CopyState::Pending.code());
        query = if recalled {
            let called = || deposit_items::state.eq(CopyState::Recalled.code());
            let reached = called().and(items::status.eq_any(settled));
            let out = deposit_items::state.eq(CopyState::Out.code());
            let goes_astray = transits::reason
                .eq(TransitReason::Rotation.code())
                .and(transits::status.eq(TransitStatus::AwaitingDispatch.code()))
                .and(transits::to_unit_id.ne(items::home_unit_id));
            let goes_astray = called().and(goes_astray);
            query.filter(
                pending
                    .or(out)
                    .or(reached.assume_not_null())
                    .or(goes_astray.assume_not_null()),
            )
        } else {
            query.filter(pending)
        };
        Ok(query.load(self.conn)?)
    }

    /// Rows of a deposit after `after`, with where each copy is now.
    pub fn deposit_copies(&mut self, id: DepositId, after: i64, limit: i64) -> Result<Vec<CopyRow>, StoreError> {
        let after = i32::try_from(after).unwrap_or(i32::MAX);
        Ok(deposit_items::table
            .left_join(items::table.on(items::id.nullable().eq(deposit_items::item_id)))
            .left_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .left_join(transits::table.on(transits::item_id.eq(items::id).and(transits::closed_at.is_null())))
            .filter(
                deposit_items::deposit_id
                    .eq(id.get())
                    .and(deposit_items::row_number.gt(after)),
            )
            .order(deposit_items::row_number)
            .limit(limit)
            .select((
                deposit_items::row_number,
                deposit_items::barcode,
                deposit_items::item_id,
                deposit_items::state,
                deposit_items::why,
                items::status.nullable(),
                items::current_unit_id.nullable(),
                items::call_number.nullable(),
                items::shelf_location.nullable(),
                bibs::title.nullable(),
                transits::id.nullable(),
                transits::to_unit_id.nullable(),
            ))
            .load(self.conn)?)
    }

    /// The open row of a deposited item: its deposit and number.
    pub fn open_row_of_item(&mut self, item: ItemId) -> Result<Option<(DepositId, i32)>, StoreError> {
        let open = [CopyState::Out, CopyState::Recalled].map(CopyState::code);
        let row: Option<(i64, i32)> = deposit_items::table
            .filter(deposit_items::item_id.eq(item.get()))
            .filter(deposit_items::state.eq_any(open))
            .select((deposit_items::deposit_id, deposit_items::row_number))
            .first(self.conn)
            .optional()?;
        Ok(row.map(|(deposit, row)| (DepositId::new(deposit), row)))
    }
}

impl WriteTx<'_> {
    /// Adds the copies that are asked for, counted from 1.
    pub fn insert_deposit_rows(&mut self, id: DepositId, asked: &[Asked]) -> Result<(), StoreError> {
        let rows = (1_i32..).zip(asked).map(|(row_number, asked)| NewRow {
            deposit_id: id.get(),
            row_number,
            barcode: asked.barcode.clone(),
            item_id: asked.item.map(ItemId::get),
            state: asked.refused.map_or(CopyState::Pending, |_| CopyState::Refused).code(),
            why: asked.refused.map(Why::code),
        });
        let rows: Vec<NewRow> = rows.collect();
        match &mut *self.conn {
            AnyConnection::Sqlite(conn) => {
                for row in &rows {
                    diesel::insert_into(deposit_items::table).values(row).execute(conn)?;
                }
            }
            AnyConnection::Postgres(conn) => {
                for some in rows.chunks(ROWS_PER_STATEMENT) {
                    diesel::insert_into(deposit_items::table).values(some).execute(conn)?;
                }
            }
        }
        Ok(())
    }

    /// A copy was not taken.
    pub fn refuse_deposit_row(&mut self, id: DepositId, row: i32, why: Why) -> Result<(), StoreError> {
        diesel::update(deposit_items::table.find((id.get(), row)))
            .set((
                deposit_items::state.eq(CopyState::Refused.code()),
                deposit_items::why.eq(why.code()),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// A copy is in another state; under the lock of its item.
    pub fn set_deposit_row(
        &mut self,
        id: DepositId,
        row: i32,
        item: ItemId,
        state: CopyState,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let open = matches!(state, CopyState::Out | CopyState::Recalled);
        diesel::update(deposit_items::table.find((id.get(), row)))
            .set((
                deposit_items::item_id.eq(item.get()),
                deposit_items::state.eq(state.code()),
                deposit_items::ended_at.eq((!open).then(|| at.timestamp_millis())),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Where a deposited item belongs for the time being; under its lock.
    pub fn set_deposit_unit(&mut self, item: ItemId, unit: Option<UnitId>) -> Result<(), StoreError> {
        diesel::update(items::table.find(item.get()))
            .set(items::deposit_unit_id.eq(unit.map(UnitId::get)))
            .execute(self.conn)?;
        Ok(())
    }
}
