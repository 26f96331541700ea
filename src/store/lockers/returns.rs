//! Returns at machines: the number on the receipt, and what became of each. They name nobody.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::clock::from_millis;
use crate::domain::ids::{CompartmentId, DeviceId, ItemId};
use crate::store::error::StoreError;
use crate::store::schema::locker_returns;
use crate::store::tx::{ReadTx, WriteTx};

/// One return.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = locker_returns)]
pub struct ReturnRow {
    pub id: i64,
    pub device_id: i64,
    pub compartment_id: i64,
    pub turn: i64,
    pub asked_at: i64,
    /// Closed with something in it: the true time of return.
    pub reported_at: Option<i64>,
    /// `waiting`, `checked_in`, `held`, `nothing` or `unsure`.
    pub state: String,
    pub item_id: Option<i64>,
    /// What was read, separated by commas.
    pub tags: String,
    /// When staff saw to what was held.
    pub settled_at: Option<i64>,
}

impl ReturnRow {
    /// A reader has asked for a door.
    pub fn asked(id: i64, device: DeviceId, compartment: CompartmentId, turn: i64, now: DateTime<Utc>) -> Self {
        Self {
            id,
            device_id: device.get(),
            compartment_id: compartment.get(),
            turn,
            asked_at: now.timestamp_millis(),
            reported_at: None,
            state: "waiting".to_owned(),
            item_id: None,
            tags: String::new(),
            settled_at: None,
        }
    }

    /// When it was closed with something in it.
    pub fn returned_at(&self) -> Option<DateTime<Utc>> {
        self.reported_at.map(from_millis)
    }

    /// Nobody has said what became of it.
    pub fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "waiting" | "unsure")
    }

    /// The same with what became of it.
    #[must_use]
    pub fn became(self, state: &str, item: Option<ItemId>) -> Self {
        Self {
            state: state.to_owned(),
            item_id: item.map(ItemId::get),
            ..self
        }
    }
}

impl ReadTx<'_> {
    /// The return for which a compartment was opened at a turn.
    pub fn return_of(&mut self, compartment: CompartmentId, turn: i64) -> Result<Option<ReturnRow>, StoreError> {
        Ok(locker_returns::table
            .filter(locker_returns::compartment_id.eq(compartment.get()))
            .filter(locker_returns::turn.eq(turn))
            .first(self.conn)
            .optional()?)
    }

    /// What is held in a compartment of a return and nobody has seen to: the last one.
    pub fn held_return(&mut self, compartment: CompartmentId) -> Result<Option<ReturnRow>, StoreError> {
        Ok(locker_returns::table
            .filter(locker_returns::compartment_id.eq(compartment.get()))
            .filter(locker_returns::state.eq_any(["held", "unsure"]))
            .filter(locker_returns::settled_at.is_null())
            .order(locker_returns::id.desc())
            .first(self.conn)
            .optional()?)
    }
}

impl WriteTx<'_> {
    /// Keeps that a reader asked for a door.
    pub fn insert_return(&mut self, row: &ReturnRow) -> Result<(), StoreError> {
        diesel::insert_into(locker_returns::table)
            .values(row.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// Whatever was held in a compartment has been taken out: no return waits for a person there any more. Answers those that did.
    pub fn settle_returns(
        &mut self,
        compartment: CompartmentId,
        now: DateTime<Utc>,
    ) -> Result<Vec<ReturnRow>, StoreError> {
        let rows: Vec<ReturnRow> = locker_returns::table
            .filter(locker_returns::compartment_id.eq(compartment.get()))
            .filter(locker_returns::state.eq_any(["held", "unsure"]))
            .filter(locker_returns::settled_at.is_null())
            .order(locker_returns::id)
            .load(self.conn)?;
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        diesel::update(locker_returns::table.filter(locker_returns::id.eq_any(ids)))
            .set(locker_returns::settled_at.eq(now.timestamp_millis()))
            .execute(self.conn)?;
        Ok(rows)
    }

    /// Keeps what became of a return.
    pub fn put_return(&mut self, row: &ReturnRow) -> Result<(), StoreError> {
        diesel::update(locker_returns::table.find(row.id))
            .set((
                locker_returns::reported_at.eq(row.reported_at),
                locker_returns::state.eq(&row.state),
                locker_returns::item_id.eq(row.item_id),
                locker_returns::tags.eq(&row.tags),
                locker_returns::settled_at.eq(row.settled_at),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
