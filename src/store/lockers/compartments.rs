//! Compartments: what is known of the inside of each.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::clock::from_millis;
use crate::domain::compartment_choice::{Purpose, Size};
use crate::domain::compartment_life::CompartmentState;
use crate::domain::ids::{BibId, CompartmentId, DeviceId, HoldId, ItemId, ReaderId, UnitId};
use crate::store::dialect;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::schema::{
    bibs, compartments, devices, holds, items, loading_round_lines, loan_confirmations, locker_returns,
};
use crate::store::tx::{ReadTx, WriteTx};

/// Two are enough to see that a tag means several.
const SEVERAL: i64 = 2;

/// One compartment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compartment {
    pub id: CompartmentId,
    pub device: DeviceId,
    pub number: u16,
    pub size: Size,
    pub purpose: Purpose,
    pub state: CompartmentState,
    /// What lies in it, or lay in it when it was last known.
    pub item: Option<ItemId>,
    /// What is to be put in.
    pub awaited: Option<ItemId>,
    pub turn: i64,
    /// When silence makes it unsure.
    pub deadline_at: Option<DateTime<Utc>>,
    pub changed_at: DateTime<Utc>,
}

#[derive(Debug, Insertable, Queryable)]
#[diesel(table_name = compartments)]
struct CompartmentRow {
    id: i64,
    device_id: i64,
    number: i32,
    size: String,
    purpose: String,
    state: String,
    item_id: Option<i64>,
    awaited_item_id: Option<i64>,
    turn: i64,
    deadline_at: Option<i64>,
    changed_at: i64,
}

impl CompartmentRow {
    fn of(one: &Compartment) -> Self {
        Self {
            id: one.id.get(),
            device_id: one.device.get(),
            number: i32::from(one.number),
            size: one.size.code().to_owned(),
            purpose: one.purpose.code().to_owned(),
            state: one.state.code().to_owned(),
            item_id: one.item.map(ItemId::get),
            awaited_item_id: one.awaited.map(ItemId::get),
            turn: one.turn,
            deadline_at: one.deadline_at.map(|at| at.timestamp_millis()),
            changed_at: one.changed_at.timestamp_millis(),
        }
    }

    fn read(self) -> Result<Compartment, StoreError> {
        let id = self.id;
        let corrupt = |what: &str| StoreError::Corrupt(format!("compartment {id} has an unknown {what}"));
        Ok(Compartment {
            id: CompartmentId::new(id),
            device: DeviceId::new(self.device_id),
            number: u16::try_from(self.number).map_err(|_| corrupt("number"))?,
            size: Size::from_code(&self.size).ok_or_else(|| corrupt("size"))?,
            purpose: Purpose::from_code(&self.purpose).ok_or_else(|| corrupt("purpose"))?,
            state: CompartmentState::from_code(&self.state).ok_or_else(|| corrupt("state"))?,
            item: self.item_id.map(ItemId::new),
            awaited: self.awaited_item_id.map(ItemId::new),
            turn: self.turn,
            deadline_at: self.deadline_at.map(from_millis),
            changed_at: from_millis(self.changed_at),
        })
    }
}

/// What lies in a compartment, as people and machines see it.
#[derive(Debug, Clone, Queryable)]
pub struct Content {
    pub compartment_id: i64,
    pub item_id: i64,
    pub bib_id: i64,
    pub barcode: String,
    pub title: String,
    pub status: String,
    pub current_unit_id: i64,
    /// The open hold it is set aside for.
    pub hold_id: Option<i64>,
    pub reader_id: Option<i64>,
}

impl Content {
    /// The item with its bib, as locks want them.
    pub const fn item(&self) -> (ItemId, BibId) {
        (ItemId::new(self.item_id), BibId::new(self.bib_id))
    }

    /// The hold it is set aside for.
    pub fn hold(&self) -> Option<HoldId> {
        self.hold_id.map(HoldId::new)
    }

    /// Whether it waits for this reader.
    pub fn waits_for(&self, reader: ReaderId) -> bool {
        self.reader_id == Some(reader.get())
    }
}

impl ReadTx<'_> {
    /// The compartments of a device, by number.
    pub fn compartments_of(&mut self, device: DeviceId) -> Result<Vec<Compartment>, StoreError> {
        let rows: Vec<CompartmentRow> = compartments::table
            .filter(compartments::device_id.eq(device.get()))
            .order(compartments::number)
            .load(self.conn)?;
        rows.into_iter().map(CompartmentRow::read).collect()
    }

    /// The compartments of a device of which something is still to be heard: ordered open, or unsure. By number.
    pub fn compartments_in_question(&mut self, device: DeviceId) -> Result<Vec<Compartment>, StoreError> {
        let states = CompartmentState::ALL.iter().copied();
        let states = states.filter(|state| state.is_waiting() || *state == CompartmentState::Unsure);
        let states: Vec<&str> = states.map(CompartmentState::code).collect();
        let rows: Vec<CompartmentRow> = compartments::table
            .filter(compartments::device_id.eq(device.get()))
            .filter(compartments::state.eq_any(states))
            .order(compartments::number)
            .load(self.conn)?;
        rows.into_iter().map(CompartmentRow::read).collect()
    }

    /// A compartment by the number on its door.
    pub fn compartment_at(&mut self, device: DeviceId, number: u16) -> Result<Option<Compartment>, StoreError> {
        let row: Option<CompartmentRow> = compartments::table
            .filter(compartments::device_id.eq(device.get()))
            .filter(compartments::number.eq(i32::from(number)))
            .first(self.conn)
            .optional()?;
        row.map(CompartmentRow::read).transpose()
    }

    /// A compartment by its id.
    pub fn compartment(&mut self, id: CompartmentId) -> Result<Option<Compartment>, StoreError> {
        let row: Option<CompartmentRow> = compartments::table.find(id.get()).first(self.conn).optional()?;
        row.map(CompartmentRow::read).transpose()
    }

    /// The compartment an item lies in, or lay in when it was last known.
    pub fn compartment_with(&mut self, item: ItemId) -> Result<Option<Compartment>, StoreError> {
        let row: Option<CompartmentRow> = compartments::table
            .filter(compartments::item_id.eq(item.get()))
            .first(self.conn)
            .optional()?;
        row.map(CompartmentRow::read).transpose()
    }

    /// What lies in the compartments of a device, by number.
    pub fn contents_of(&mut self, device: DeviceId) -> Result<Vec<Content>, StoreError> {
        Ok(compartments::table
            .inner_join(items::table.on(compartments::item_id.eq(items::id.nullable())))
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .left_join(
                holds::table.on(holds::captured_item_id
                    .eq(items::id.nullable())
                    .and(holds::closed_at.is_null())),
            )
            .filter(compartments::device_id.eq(device.get()))
            .order(compartments::number)
            .select((
                compartments::id,
                items::id,
                items::bib_id,
                items::barcode,
                bibs::title,
                items::status,
                items::current_unit_id,
                holds::id.nullable(),
                holds::reader_id.nullable(),
            ))
            .load(self.conn)?)
    }

    /// An item's tag and size, and what it is a copy of.
    pub fn tag_and_size(&mut self, item: ItemId) -> Result<Option<(BibId, Option<String>, Size)>, StoreError> {
        let row: Option<(i64, Option<String>, Option<String>)> = items::table
            .find(item.get())
            .select((items::bib_id, items::rfid_tag, items::size))
            .first(self.conn)
            .optional()?;
        Ok(row.map(|(bib, tag, size)| {
            let size = size.as_deref().and_then(Size::from_code).unwrap_or(Size::UNRECORDED);
            (BibId::new(bib), tag, size)
        }))
    }

    /// The one item of ours that a tag means; none where nobody has it, or several.
    pub fn item_of_tag(&mut self, tag: &str) -> Result<Option<(ItemId, BibId)>, StoreError> {
        let rows: Vec<(i64, i64)> = items::table
            .filter(items::rfid_tag.eq(tag))
            .select((items::id, items::bib_id))
            .limit(SEVERAL)
            .load(self.conn)?;
        Ok(match rows.as_slice() {
            [(item, bib)] => Some((ItemId::new(*item), BibId::new(*bib))),
            _ => None,
        })
    }

    /// Compartments whose order to open nobody has answered in its time, after an id.
    pub fn silent_compartments(
        &mut self,
        now: DateTime<Utc>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<CompartmentId>, StoreError> {
        let ids: Vec<i64> = compartments::table
            .filter(compartments::deadline_at.le(now.timestamp_millis()))
            .filter(compartments::id.gt(after))
            .order(compartments::id)
            .select(compartments::id)
            .limit(limit)
            .load(self.conn)?;
        Ok(ids.into_iter().map(CompartmentId::new).collect())
    }

    /// The compartments of the machines at work of a unit; empty where it has none.
    pub fn compartments_at(&mut self, unit: UnitId) -> Result<Vec<Compartment>, StoreError> {
        let rows: Vec<CompartmentRow> = compartments::table
            .inner_join(devices::table.on(devices::id.eq(compartments::device_id)))
            .filter(devices::unit_id.eq(unit.get()).and(devices::retired_at.is_null()))
            .order((compartments::device_id, compartments::number))
            .select(compartments::all_columns)
            .load(self.conn)?;
        rows.into_iter().map(CompartmentRow::read).collect()
    }

    /// Whether a unit has a machine at work with compartments for what readers asked for.
    pub fn has_compartments(&mut self, unit: UnitId) -> Result<bool, StoreError> {
        let found = compartments::table
            .inner_join(devices::table.on(devices::id.eq(compartments::device_id)))
            .filter(devices::unit_id.eq(unit.get()).and(devices::retired_at.is_null()))
            .filter(compartments::purpose.eq_any(["pickup", "any"]))
            .limit(1)
            .select(compartments::id);
        let found: Option<i64> = on_engine!(self.conn, conn => found.first(conn)).optional()?;
        Ok(found.is_some())
    }
}

impl WriteTx<'_> {
    /// A compartment that nobody else changes until the end of the transaction. After bib, item and reader.
    pub fn lock_compartment(&mut self, id: CompartmentId) -> Result<Option<Compartment>, StoreError> {
        dialect::lock_compartment(self.conn, id.get())?;
        self.compartment(id)
    }

    /// Locks a compartment as it was read.
    ///
    /// # Errors
    /// `Retry` when somebody has changed it since.
    pub fn lock_compartment_as(&mut self, seen: &Compartment) -> Result<(), StoreError> {
        if self.lock_compartment(seen.id)?.as_ref() == Some(seen) {
            Ok(())
        } else {
            Err(StoreError::Retry(diesel::result::Error::RollbackTransaction))
        }
    }

    /// Adds a compartment.
    pub fn insert_compartment(&mut self, one: &Compartment) -> Result<(), StoreError> {
        diesel::insert_into(compartments::table)
            .values(CompartmentRow::of(one))
            .execute(self.conn)?;
        Ok(())
    }

    /// Keeps what is known of a compartment now.
    pub fn put_compartment(&mut self, one: &Compartment) -> Result<(), StoreError> {
        let row = CompartmentRow::of(one);
        diesel::update(compartments::table.find(row.id))
            .set((
                compartments::size.eq(row.size),
                compartments::purpose.eq(row.purpose),
                compartments::state.eq(row.state),
                compartments::item_id.eq(row.item_id),
                compartments::awaited_item_id.eq(row.awaited_item_id),
                compartments::turn.eq(row.turn),
                compartments::deadline_at.eq(row.deadline_at),
                compartments::changed_at.eq(row.changed_at),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// A round proposed it, or a loan or return was of it.
    pub fn compartment_is_named(&mut self, id: CompartmentId) -> Result<bool, StoreError> {
        let proposed: i64 = loading_round_lines::table
            .filter(loading_round_lines::compartment_id.eq(id.get()))
            .count()
            .get_result(self.conn)?;
        let lent: i64 = loan_confirmations::table
            .filter(loan_confirmations::compartment_id.eq(id.get()))
            .count()
            .get_result(self.conn)?;
        let returned: i64 = locker_returns::table
            .filter(locker_returns::compartment_id.eq(id.get()))
            .count()
            .get_result(self.conn)?;
        Ok(proposed + lent + returned > 0)
    }

    /// Takes a compartment away that was never opened.
    pub fn delete_compartment(&mut self, id: CompartmentId) -> Result<(), StoreError> {
        diesel::delete(compartments::table.find(id.get())).execute(self.conn)?;
        Ok(())
    }
}
