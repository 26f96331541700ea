//! Transits: one item's journey between two units. At most one is open per item.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::error::StoreError;
use super::schema::{bibs, crates, items, transits};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{BibId, HoldId, ItemId, TransitId, UnitId};
use crate::domain::transit::TransitStatus;

/// A new journey.
#[derive(Debug, Clone, Copy)]
pub struct NewTransit<'a> {
    pub id: TransitId,
    pub item: ItemId,
    pub from: UnitId,
    pub to: UnitId,
    pub reason: &'a str,
    pub hold: Option<HoldId>,
}

/// How a journey ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransitEnd {
    Received,
    Cancelled,
}

/// A transit as people see it.
#[derive(Debug, Clone, Queryable)]
pub struct TransitView {
    pub id: i64,
    pub item_id: i64,
    pub barcode: String,
    pub title: String,
    pub from_unit_id: i64,
    pub to_unit_id: i64,
    pub reason: String,
    pub hold_id: Option<i64>,
    pub status: String,
    pub opened_at: i64,
    pub closed_at: Option<i64>,
}

macro_rules! view_columns {
    () => {
        (
            transits::id,
            transits::item_id,
            items::barcode,
            bibs::title,
            transits::from_unit_id,
            transits::to_unit_id,
            transits::reason,
            transits::hold_id,
            transits::status,
            transits::opened_at,
            transits::closed_at,
        )
    };
}

impl ReadTx<'_> {
    /// The item and bib of a transit, to lock them before the transit is read.
    pub fn item_of_transit(&mut self, id: TransitId) -> Result<Option<(ItemId, BibId)>, StoreError> {
        let row: Option<(i64, i64)> = transits::table
            .inner_join(items::table.on(items::id.eq(transits::item_id)))
            .filter(transits::id.eq(id.get()))
            .select((transits::item_id, items::bib_id))
            .first(self.conn)
            .optional()?;
        Ok(row.map(|(item, bib)| (ItemId::new(item), BibId::new(bib))))
    }

    /// A transit as people see it.
    pub fn transit_view(&mut self, id: TransitId) -> Result<Option<TransitView>, StoreError> {
        Ok(transits::table
            .inner_join(items::table.on(items::id.eq(transits::item_id)))
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .filter(transits::id.eq(id.get()))
            .select(view_columns!())
            .first(self.conn)
            .optional()?)
    }

    /// Open transits after `after`, by id: all, or those from or to a unit.
    pub fn open_transits(
        &mut self,
        from: Option<UnitId>,
        to: Option<UnitId>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<TransitView>, StoreError> {
        let mut query = transits::table
            .inner_join(items::table.on(items::id.eq(transits::item_id)))
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .filter(transits::closed_at.is_null())
            .select(view_columns!())
            .limit(limit)
            .into_boxed();
        query = if from.is_none() && to.is_none() {
            // As in `overdue_transits`: by an index of open ones, not past every journey there ever was.
            query.filter((transits::id + 0).gt(after)).order(transits::id + 0)
        } else {
            query.filter(transits::id.gt(after)).order(transits::id)
        };
        if let Some(from) = from {
            query = query.filter(transits::from_unit_id.eq(from.get()));
        }
        if let Some(to) = to {
            query = query.filter(transits::to_unit_id.eq(to.get()));
        }
        Ok(query.load(self.conn)?)
    }
}

/// Journeys of one kind to a unit, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingRow {
    pub from_unit_id: i64,
    pub status: String,
    /// Where its crate was loaded last, if it lies in one.
    pub crate_at_unit_id: Option<i64>,
    /// When that crate left.
    pub crate_sent_at: Option<i64>,
    pub items: i64,
}

impl ReadTx<'_> {
    /// What is on its way to a unit, or waits elsewhere to be sent there.
    pub fn incoming(&mut self, to: UnitId) -> Result<Vec<IncomingRow>, StoreError> {
        let rows: Vec<(i64, String, Option<i64>, i64)> = transits::table
            .filter(transits::to_unit_id.eq(to.get()).and(transits::closed_at.is_null()))
            .group_by((transits::from_unit_id, transits::status, transits::crate_id))
            .order((transits::from_unit_id, transits::status, transits::crate_id))
            .select((
                transits::from_unit_id,
                transits::status,
                transits::crate_id,
                diesel::dsl::count_star(),
            ))
            .load(self.conn)?;
        let lying: Vec<i64> = rows.iter().filter_map(|(_, _, crate_id, _)| *crate_id).collect();
        let loaded: Vec<(i64, i64, Option<i64>)> = crates::table
            .filter(crates::id.eq_any(lying))
            .select((crates::id, crates::at_unit_id, crates::sent_at))
            .load(self.conn)?;
        let rows = rows.into_iter().map(|(from_unit_id, status, crate_id, items)| {
            let of = loaded.iter().find(|(id, ..)| Some(*id) == crate_id);
            IncomingRow {
                from_unit_id,
                status,
                crate_at_unit_id: of.map(|(_, at, _)| *at),
                crate_sent_at: of.and_then(|(.., sent_at)| *sent_at),
                items,
            }
        });
        Ok(rows.collect())
    }

    /// Journeys that left before a moment and have not ended, after `after`: journey, item, bib.
    pub fn overdue_transits(
        &mut self,
        before: DateTime<Utc>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(TransitId, ItemId, BibId)>, StoreError> {
        let rows: Vec<(i64, i64, i64)> = transits::table
            .inner_join(items::table.on(items::id.eq(transits::item_id)))
            .filter(transits::status.eq(TransitStatus::Sent.code()))
            .filter(transits::sent_at.lt(before.timestamp_millis()))
            // The sum keeps SQLite from walking the whole table by its key: the index of what is under way is short.
            .filter((transits::id + 0).gt(after))
            .order(transits::id + 0)
            .limit(limit)
            .select((transits::id, items::id, items::bib_id))
            .load(self.conn)?;
        let ids = |(transit, item, bib)| (TransitId::new(transit), ItemId::new(item), BibId::new(bib));
        Ok(rows.into_iter().map(ids).collect())
    }
}

impl WriteTx<'_> {
    /// A journey that left does not arrive.
    pub fn give_up_transit(&mut self, id: TransitId) -> Result<(), StoreError> {
        diesel::update(transits::table.find(id.get()))
            .set(transits::status.eq(TransitStatus::Missing.code()))
            .execute(self.conn)?;
        Ok(())
    }

    /// Opens a journey.
    ///
    /// # Errors
    /// `Conflict` when the item is on another one.
    pub fn insert_transit(&mut self, transit: NewTransit<'_>, at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::insert_into(transits::table)
            .values((
                transits::id.eq(transit.id.get()),
                transits::item_id.eq(transit.item.get()),
                transits::from_unit_id.eq(transit.from.get()),
                transits::to_unit_id.eq(transit.to.get()),
                transits::reason.eq(transit.reason),
                transits::hold_id.eq(transit.hold.map(HoldId::get)),
                transits::status.eq("awaiting_dispatch"),
                transits::opened_at.eq(at.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// It left at this moment, in no crate: how journeys of before are written down.
    pub fn mark_sent(&mut self, id: TransitId, at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(transits::table.find(id.get()))
            .set((transits::status.eq("sent"), transits::sent_at.eq(at.timestamp_millis())))
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends a journey.
    pub fn close_transit(&mut self, id: TransitId, how: TransitEnd, at: DateTime<Utc>) -> Result<(), StoreError> {
        let status = match how {
            TransitEnd::Received => "received",
            TransitEnd::Cancelled => "cancelled",
        };
        diesel::update(transits::table.find(id.get()))
            .set((
                transits::status.eq(status),
                transits::closed_at.eq(at.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
