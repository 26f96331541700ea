//! Couriers at machines: what is to be put in, what is to be taken out, and what was done.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::domain::ids::{CompartmentId, DeviceId, ItemId};
use crate::store::error::StoreError;
use crate::store::schema::{bibs, compartments, crates, items, loading_round_lines, loading_rounds, transits};
use crate::store::tx::{ReadTx, WriteTx};

/// A round.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = loading_rounds)]
pub struct RoundRow {
    pub id: i64,
    pub device_id: i64,
    pub started_at: i64,
    pub ended_at: Option<i64>,
}

/// One book of it.
#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = loading_round_lines)]
pub struct NewLine {
    pub round_id: i64,
    pub item_id: i64,
    pub way: &'static str,
    pub compartment_id: Option<i64>,
    pub state: &'static str,
    pub done_at: Option<i64>,
}

/// The same, as couriers see it.
#[derive(Debug, Clone, Queryable)]
pub struct LineView {
    pub item_id: i64,
    pub barcode: String,
    pub title: String,
    pub size: Option<String>,
    pub way: String,
    pub number: Option<i32>,
    pub state: String,
}

impl ReadTx<'_> {
    /// A round of a device.
    pub fn round(&mut self, device: DeviceId, id: i64) -> Result<Option<RoundRow>, StoreError> {
        Ok(loading_rounds::table
            .find(id)
            .filter(loading_rounds::device_id.eq(device.get()))
            .first(self.conn)
            .optional()?)
    }

    /// The round at a device that has not ended.
    pub fn open_round(&mut self, device: DeviceId) -> Result<Option<RoundRow>, StoreError> {
        Ok(loading_rounds::table
            .filter(loading_rounds::device_id.eq(device.get()))
            .filter(loading_rounds::ended_at.is_null())
            .first(self.conn)
            .optional()?)
    }

    /// The books of a round: what is put in first, then by number.
    pub fn lines_of_round(&mut self, id: i64) -> Result<Vec<LineView>, StoreError> {
        Ok(loading_round_lines::table
            .inner_join(items::table.on(items::id.eq(loading_round_lines::item_id)))
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .left_join(compartments::table.on(loading_round_lines::compartment_id.eq(compartments::id.nullable())))
            .filter(loading_round_lines::round_id.eq(id))
            .order((
                loading_round_lines::way,
                compartments::number,
                loading_round_lines::item_id,
            ))
            .select((
                items::id,
                items::barcode,
                bibs::title,
                items::size,
                loading_round_lines::way,
                compartments::number.nullable(),
                loading_round_lines::state,
            ))
            .load(self.conn)?)
    }

    /// The items of a crate that are on their way to a unit, with their sizes.
    pub fn items_of_crate_to(&mut self, label: &str, unit: i64) -> Result<Vec<(i64, Option<String>)>, StoreError> {
        Ok(transits::table
            .inner_join(crates::table.on(transits::crate_id.eq(crates::id.nullable())))
            .inner_join(items::table.on(items::id.eq(transits::item_id)))
            .filter(crates::label.eq(label))
            .filter(transits::to_unit_id.eq(unit).and(transits::closed_at.is_null()))
            .order(items::id)
            .select((items::id, items::size))
            .load(self.conn)?)
    }

    /// Whether a crate has this label.
    pub fn is_crate(&mut self, label: &str) -> Result<bool, StoreError> {
        let n: i64 = crates::table
            .filter(crates::label.eq(label))
            .count()
            .get_result(self.conn)?;
        Ok(n > 0)
    }
}

impl WriteTx<'_> {
    /// Begins a round.
    ///
    /// # Errors
    /// `Conflict` when another one has not ended.
    pub fn insert_round(&mut self, row: &RoundRow, lines: &[NewLine]) -> Result<(), StoreError> {
        diesel::insert_into(loading_rounds::table)
            .values(row.clone())
            .execute(self.conn)?;
        for line in lines {
            diesel::insert_into(loading_round_lines::table)
                .values(line.clone())
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Ends a round; what was not done is left.
    pub fn end_round(&mut self, id: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
        let left = loading_round_lines::table
            .filter(loading_round_lines::round_id.eq(id))
            .filter(loading_round_lines::state.eq("open"));
        diesel::update(left)
            .set((
                loading_round_lines::state.eq("left"),
                loading_round_lines::done_at.eq(now.timestamp_millis()),
            ))
            .execute(self.conn)?;
        diesel::update(loading_rounds::table.find(id))
            .set(loading_rounds::ended_at.eq(now.timestamp_millis()))
            .execute(self.conn)?;
        Ok(())
    }

    /// Says of a book of the open round at a device that it was put in or taken out, and where.
    pub fn round_line_done(
        &mut self,
        device: DeviceId,
        item: ItemId,
        compartment: CompartmentId,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let Some(round) = self.open_round(device)? else {
            return Ok(());
        };
        let line = loading_round_lines::table
            .filter(loading_round_lines::round_id.eq(round.id))
            .filter(loading_round_lines::item_id.eq(item.get()))
            .filter(loading_round_lines::state.eq("open"));
        diesel::update(line)
            .set((
                loading_round_lines::state.eq("done"),
                loading_round_lines::compartment_id.eq(compartment.get()),
                loading_round_lines::done_at.eq(now.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
