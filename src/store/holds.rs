//! Holds: the queue of a bib, what is set aside for whom, and the numbered hold shelf.
//! The place in a queue is the rank by (priority, queue_rank, id): 1..n without gaps by construction.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::closing::Closing;
use super::error::StoreError;
use super::hold_queue::target_of;
use super::items::{parse_day, volume_of};
use super::readers::day_text;
use super::schema::{bibs, holds};
use super::tx::{ReadTx, WriteTx};
use crate::domain::hold::{HoldFacts, HoldStatus};
use crate::domain::hold_terms::Waived;
use crate::domain::ids::{BibId, HoldId, ItemId, ReaderId, UnitId};
use crate::domain::route::Capture;
use crate::domain::void_loan::FilledHold;
use crate::domain::volume::Volume;

/// A new hold's row.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = holds)]
pub struct NewHold {
    pub id: i64,
    pub bib_id: i64,
    pub item_id: Option<i64>,
    pub reader_id: Option<i64>,
    pub pickup_unit_id: i64,
    pub priority: i32,
    pub placed_at: i64,
    pub not_before: Option<String>,
    pub wanted_until: Option<String>,
    pub volume: Option<String>,
    /// See [`WriteTx::next_rank`].
    pub queue_rank: i64,
    /// See [`Waived`].
    pub waives_home_only: bool,
    pub waives_new_item: bool,
}

/// How a hold ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldEnd {
    Filled,
    Cancelled,
    Expired,
}

impl HoldEnd {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Filled => HoldStatus::Filled.code(),
            Self::Cancelled => HoldStatus::Cancelled.code(),
            Self::Expired => HoldStatus::Expired.code(),
        }
    }
}

/// A hold with what its verbs need besides the facts.
#[derive(Debug, Clone)]
pub struct LoadedHold {
    pub facts: HoldFacts,
    pub bib: BibId,
    /// The copy set aside.
    pub captured_item: Option<ItemId>,
    /// The last local day it is wanted, while it waits.
    pub wanted_until: Option<NaiveDate>,
    /// The last local day it waits on the hold shelf, once it is there.
    pub shelf_until: Option<NaiveDate>,
    pub waived: Waived,
}

/// An open hold of a reader on a bib.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenHold {
    pub id: HoldId,
    /// The copy it waits for; `None` for any.
    pub item: Option<ItemId>,
    /// The volume it waits for; `None` for any.
    pub volume: Option<Volume>,
    /// The copy set aside for it.
    pub captured_item: Option<ItemId>,
}

/// A hold as people see it.
#[derive(Debug, Clone, Queryable)]
pub struct HoldView {
    pub id: i64,
    pub bib_id: i64,
    pub title: String,
    pub item_id: Option<i64>,
    pub reader_id: Option<i64>,
    pub pickup_unit_id: i64,
    pub priority: i32,
    pub placed_at: i64,
    pub captured_item_id: Option<i64>,
    pub shelf_number: Option<i32>,
    pub shelf_until: Option<String>,
    pub closed_at: Option<i64>,
    pub closed_how: Option<String>,
    pub replaced_by: Option<i64>,
    pub volume: Option<String>,
    pub not_before: Option<String>,
    pub wanted_until: Option<String>,
    pub suspended: bool,
    pub queue_rank: i64,
    pub waives_home_only: bool,
    pub waives_new_item: bool,
}

impl HoldView {
    /// The word for its state.
    pub fn status(&self) -> &str {
        match (&self.closed_how, self.captured_item_id) {
            (Some(how), _) => how,
            (None, Some(_)) => HoldStatus::Captured.code(),
            (None, None) => HoldStatus::Waiting.code(),
        }
    }
}

macro_rules! view_columns {
    () => {
        (
            holds::id,
            holds::bib_id,
            bibs::title,
            holds::item_id,
            holds::reader_id,
            holds::pickup_unit_id,
            holds::priority,
            holds::placed_at,
            holds::captured_item_id,
            holds::shelf_number,
            holds::shelf_until,
            holds::closed_at,
            holds::closed_how,
            holds::replaced_by,
            holds::volume,
            holds::not_before,
            holds::wanted_until,
            holds::suspended,
            holds::queue_rank,
            holds::waives_home_only,
            holds::waives_new_item,
        )
    };
}
pub(super) use view_columns;

impl ReadTx<'_> {
    /// The bib of a hold, to lock it before the hold is read.
    pub fn bib_of_hold(&mut self, id: HoldId) -> Result<Option<(BibId, Option<ReaderId>)>, StoreError> {
        let row: Option<(i64, Option<i64>)> = holds::table
            .find(id.get())
            .select((holds::bib_id, holds::reader_id))
            .first(self.conn)
            .optional()?;
        Ok(row.map(|(bib, reader)| (BibId::new(bib), reader.map(ReaderId::new))))
    }

    /// A hold as people see it.
    pub fn hold_view(&mut self, id: HoldId) -> Result<Option<HoldView>, StoreError> {
        Ok(holds::table
            .inner_join(bibs::table.on(bibs::id.eq(holds::bib_id)))
            .filter(holds::id.eq(id.get()))
            .select(view_columns!())
            .first(self.conn)
            .optional()?)
    }

    /// A reader's holds before `before` (newest first): open ones, or all.
    pub fn holds_of_reader(
        &mut self,
        reader: ReaderId,
        open_only: bool,
        before: i64,
        limit: i64,
    ) -> Result<Vec<HoldView>, StoreError> {
        let mut query = holds::table
            .inner_join(bibs::table.on(bibs::id.eq(holds::bib_id)))
            .filter(holds::reader_id.eq(reader.get()).and(holds::id.lt(before)))
            .select(view_columns!())
            .order(holds::id.desc())
            .limit(limit)
            .into_boxed();
        if open_only {
            query = query.filter(holds::closed_at.is_null());
        }
        Ok(query.load(self.conn)?)
    }

    /// The open holds of a reader on a bib: id, the copy named by it, the copy set aside for it.
    pub fn open_holds_on_bib(&mut self, reader: ReaderId, bib: BibId) -> Result<Vec<OpenHold>, StoreError> {
        let rows = holds::table
            .filter(
                holds::reader_id
                    .eq(reader.get())
                    .and(holds::bib_id.eq(bib.get()))
                    .and(holds::closed_at.is_null()),
            )
            .select((holds::id, holds::item_id, holds::volume, holds::captured_item_id))
            .order((holds::priority, holds::queue_rank, holds::id))
            .load::<(i64, Option<i64>, Option<String>, Option<i64>)>(self.conn)?;
        rows.into_iter()
            .map(|(id, item, volume, captured)| {
                Ok(OpenHold {
                    id: HoldId::new(id),
                    item: item.map(ItemId::new),
                    volume: volume_of(volume.as_deref())?,
                    captured_item: captured.map(ItemId::new),
                })
            })
            .collect()
    }

    /// Holds the reader placed since a moment.
    pub fn holds_placed_since(&mut self, reader: ReaderId, since: DateTime<Utc>) -> Result<u32, StoreError> {
        let n: i64 = holds::table
            .filter(
                holds::reader_id
                    .eq(reader.get())
                    .and(holds::placed_at.ge(since.timestamp_millis())),
            )
            .count()
            .get_result(self.conn)?;
        Ok(u32::try_from(n).unwrap_or(u32::MAX))
    }
}

impl WriteTx<'_> {
    /// Locks the bib of a hold and reads the hold.
    pub fn lock_hold(&mut self, id: HoldId) -> Result<Option<LoadedHold>, StoreError> {
        let Some((bib, _)) = self.bib_of_hold(id)? else {
            return Ok(None);
        };
        self.lock_bib(bib)?;
        let hold = self.hold(id)?;
        // A merge may have moved it between the look-up and the lock: the bib locked is then the wrong one.
        if hold.as_ref().is_some_and(|hold| hold.bib != bib) {
            return Err(StoreError::Retry(diesel::result::Error::RollbackTransaction));
        }
        Ok(hold)
    }

    /// A hold under the lock of its bib; `None` for an unknown or closed one is not distinguished: see `facts.status`.
    pub fn hold(&mut self, id: HoldId) -> Result<Option<LoadedHold>, StoreError> {
        let Some(view) = self.hold_view(id)? else {
            return Ok(None);
        };
        let Some(reader) = view.reader_id else { return Ok(None) };
        let bib = BibId::new(view.bib_id);
        let status = HoldStatus::from_code(view.status())
            .ok_or_else(|| StoreError::Corrupt(format!("hold {id} has the unknown status {}", view.status())))?;
        let target = target_of(bib, view.item_id, view.volume.as_deref())?;
        let day = |day: Option<&str>| day.map(parse_day).transpose();
        Ok(Some(LoadedHold {
            facts: HoldFacts {
                id,
                reader: ReaderId::new(reader),
                target,
                pickup: UnitId::new(view.pickup_unit_id),
                status,
            },
            bib,
            captured_item: view.captured_item_id.map(ItemId::new),
            wanted_until: day(view.wanted_until.as_deref())?,
            shelf_until: day(view.shelf_until.as_deref())?,
            waived: Waived {
                home_only: view.waives_home_only,
                new_item: view.waives_new_item,
            },
        }))
    }

    /// The lowest free place on a hold shelf, from 1.
    pub fn next_shelf_number(&mut self, unit: UnitId) -> Result<u32, StoreError> {
        // Copies of different bibs may reach the same shelf at once; their bibs' locks do not meet.
        super::dialect::lock_hold_shelf(self.conn, unit.get())?;
        let mut free = 1_u32;
        for number in super::hold_shelf::taken_numbers(self.conn, unit)? {
            if number > free {
                break;
            }
            free = number + 1;
        }
        Ok(free)
    }

    /// Adds a hold and counts it at bib and reader.
    ///
    /// # Errors
    /// `Conflict` when the reader has an open hold on the same target.
    pub fn insert_hold(&mut self, hold: &NewHold) -> Result<(), StoreError> {
        diesel::insert_into(holds::table)
            .values(hold.clone())
            .execute(self.conn)?;
        self.count_hold_of_bib(BibId::new(hold.bib_id), 1)?;
        if let Some(reader) = hold.reader_id {
            self.count_hold_of_reader(ReaderId::new(reader), 1)?;
        }
        Ok(())
    }

    /// Sets a copy aside for a hold: on its way, or at its numbered place.
    pub fn capture_hold(&mut self, item: ItemId, capture: &Capture, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.close_with(Closing::CaptureHold {
            id: capture.hold.get(),
            item_id: item.get(),
            captured_at: at.timestamp_millis(),
            shelf_number: capture.shelf_number.and_then(|number| i32::try_from(number).ok()),
            shelf_until: capture.expires_on.map(day_text),
        })
    }

    /// A hold that a loan filled, as it was before.
    pub fn filled_hold(&mut self, id: HoldId) -> Result<Option<FilledHold>, StoreError> {
        let captured = super::item_lock::captured_hold_by_id(self.conn, id.get())?;
        Ok(captured.map(|(captured, item)| match item {
            Some(_) => FilledHold::Captured(captured),
            None => FilledHold::Waiting(id),
        }))
    }

    /// Opens a filled hold again: at a place of the hold shelf until a day, or (without one) waiting at its old place in the queue.
    pub fn reopen_hold(
        &mut self,
        id: HoldId,
        bib: BibId,
        reader: ReaderId,
        place: Option<(u32, NaiveDate)>,
    ) -> Result<(), StoreError> {
        let none = (holds::closed_at.eq(None::<i64>), holds::closed_how.eq(None::<String>));
        let place = place.and_then(|(number, until)| Some((i32::try_from(number).ok()?, until)));
        match place {
            Some((number, until)) => diesel::update(holds::table.find(id.get()))
                .set((
                    none,
                    holds::shelf_number.eq(number),
                    holds::shelf_until.eq(day_text(until)),
                ))
                .execute(self.conn)?,
            None => {
                self.release_hold(id)?;
                diesel::update(holds::table.find(id.get()))
                    .set(none)
                    .execute(self.conn)?
            }
        };
        self.count_hold_of_bib(bib, 1)?;
        self.count_hold_of_reader(reader, 1)
    }

    /// Sends a captured hold back to its place in the queue.
    pub fn release_hold(&mut self, id: HoldId) -> Result<(), StoreError> {
        diesel::update(holds::table.find(id.get()))
            .set((
                holds::captured_item_id.eq(None::<i64>),
                holds::captured_at.eq(None::<i64>),
                holds::shelf_number.eq(None::<i32>),
                holds::shelf_until.eq(None::<String>),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends a hold and counts it out at bib and reader.
    pub fn close_hold(
        &mut self,
        id: HoldId,
        bib: BibId,
        reader: ReaderId,
        how: HoldEnd,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::update(holds::table.find(id.get()))
            .set((
                holds::closed_at.eq(at.timestamp_millis()),
                holds::closed_how.eq(how.code()),
            ))
            .execute(self.conn)?;
        self.count_hold_of_bib(bib, -1)?;
        self.count_hold_of_reader(reader, -1)
    }
}
