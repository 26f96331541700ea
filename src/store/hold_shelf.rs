//! The hold shelf: which numbers are taken, and what stands there without a hold until somebody has seen to it.
//! Not for: giving a number to a hold (see `holds`).

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::hot::on_engine;
use super::schema::{bibs, holds, items, transits};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{ItemId, UnitId};
use crate::domain::item::Unscanned;

/// A copy that staff must take from where it lies.
#[derive(Debug, Clone, Queryable)]
pub struct ToClear {
    pub item_id: i64,
    pub barcode: String,
    pub title: String,
    pub call_number: Option<String>,
    /// The number at which it stands; without one it lies in a crate that was not sent.
    pub number: Option<i32>,
    pub since: Option<i64>,
    pub status: String,
    /// Where its open journey leads.
    pub to_unit_id: Option<i64>,
    /// The hold it is set aside for.
    pub hold_id: Option<i64>,
}

/// A copy that stands on the hold shelf for a reader.
#[derive(Debug, Clone, Queryable)]
pub struct Shelved {
    pub number: Option<i32>,
    pub item_id: i64,
    pub barcode: String,
    pub title: String,
    pub hold_id: i64,
    pub reader_id: Option<i64>,
    /// The last local day it waits.
    pub until: Option<String>,
}

/// The numbers of a unit's hold shelf at which something stands, ascending.
pub(super) fn taken_numbers(conn: &mut AnyConnection, unit: UnitId) -> Result<Vec<u32>, StoreError> {
    let held = holds::table
        .filter(holds::pickup_unit_id.eq(unit.get()).and(holds::closed_at.is_null()))
        .filter(holds::shelf_number.is_not_null())
        .select(holds::shelf_number);
    let to_clear = items::table
        .filter(items::current_unit_id.eq(unit.get()))
        .filter(items::clear_number.is_not_null())
        .select(items::clear_number);
    let rows: Vec<Option<i32>> = on_engine!(conn, inner => held.union_all(to_clear).load(inner))?;
    let mut taken: Vec<u32> = rows
        .into_iter()
        .flatten()
        .filter_map(|n| u32::try_from(n).ok())
        .collect();
    taken.sort_unstable();
    Ok(taken)
}

impl ReadTx<'_> {
    /// What stands on a unit's hold shelf for readers, by number, after the number `after`.
    pub fn hold_shelf(&mut self, unit: UnitId, after: i64, limit: i64) -> Result<Vec<Shelved>, StoreError> {
        let after = i32::try_from(after).unwrap_or(i32::MAX);
        Ok(holds::table
            .inner_join(items::table.on(holds::captured_item_id.eq(items::id.nullable())))
            .inner_join(bibs::table.on(bibs::id.eq(holds::bib_id)))
            .filter(holds::pickup_unit_id.eq(unit.get()).and(holds::closed_at.is_null()))
            .filter(holds::shelf_number.gt(after))
            .order(holds::shelf_number)
            .limit(limit)
            .select((
                holds::shelf_number,
                items::id,
                items::barcode,
                bibs::title,
                holds::id,
                holds::reader_id,
                holds::shelf_until,
            ))
            .load(self.conn)?)
    }

    /// What staff of a unit must take from its hold shelf or its crates, after the item `after`.
    pub fn copies_to_clear(&mut self, unit: UnitId, after: i64, limit: i64) -> Result<Vec<ToClear>, StoreError> {
        Ok(items::table
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .left_join(transits::table.on(transits::item_id.eq(items::id).and(transits::closed_at.is_null())))
            .left_join(
                holds::table.on(holds::captured_item_id
                    .eq(items::id.nullable())
                    .and(holds::closed_at.is_null())),
            )
            .filter(
                items::current_unit_id
                    .eq(unit.get())
                    .and(items::clear_since.is_not_null()),
            )
            .filter(items::id.gt(after))
            .order(items::id)
            .limit(limit)
            .select((
                items::id,
                items::barcode,
                bibs::title,
                items::call_number,
                items::clear_number,
                items::clear_since,
                items::status,
                transits::to_unit_id.nullable(),
                holds::id.nullable(),
            ))
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Says that a copy was sent elsewhere without anybody scanning it. The next scan says it was seen to.
    pub fn leave_to_clear(&mut self, item: ItemId, leaves: Unscanned, at: DateTime<Utc>) -> Result<(), StoreError> {
        let number = leaves.number.and_then(|number| i32::try_from(number).ok());
        diesel::update(items::table.find(item.get()))
            .set((
                items::clear_number.eq(number),
                items::clear_since.eq(at.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
