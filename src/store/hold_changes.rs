//! What is changed of a hold that stays open: sleep, pickup unit, place; and which holds have to end.
//! Not for: capturing or closing (see `holds`).

use chrono::NaiveDate;
use diesel::prelude::*;

use super::error::StoreError;
use super::readers::day_text;
use super::schema::{bibs, holds, parcel_lines};
use super::tx::{ReadTx, WriteTx};
use crate::domain::hold_terms::Waived;
use crate::domain::ids::{BibId, HoldId, UnitId};
use crate::domain::reorder_hold::{QueueKey, STEP};
use crate::domain::suspend_hold::Sleep;
use crate::store::holds::{HoldView, view_columns};

/// Most waiting holds of a bib that are put in order at once.
pub const QUEUE_ORDERED: i64 = 20_000;

/// The open line of a parcel with the copy of the hold that is asked about.
macro_rules! packed {
    () => {
        parcel_lines::table
            .filter(parcel_lines::hold_id.eq(holds::id.nullable()))
            .filter(parcel_lines::item_id.nullable().eq(holds::captured_item_id))
            .filter(parcel_lines::closed_at.is_null())
    };
}

/// Open holds after an id, the first few. `+ 0` keeps SQLite from walking over all holds in the order of their ids.
macro_rules! open {
    ($after:expr, $limit:expr) => {
        holds::table
            .filter(holds::closed_at.is_null().and((holds::id + 0).gt($after)))
            .order(holds::id + 0)
            .limit($limit)
            .select(holds::id)
    };
}

impl ReadTx<'_> {
    /// The open holds of a bib in the order of the queue; those a copy is set aside for stand where they stood.
    pub fn holds_of_bib(&mut self, bib: BibId, after: Option<HoldId>, limit: i64) -> Result<Vec<HoldView>, StoreError> {
        let mut query = holds::table
            .inner_join(bibs::table.on(bibs::id.eq(holds::bib_id)))
            .filter(holds::bib_id.eq(bib.get()).and(holds::closed_at.is_null()))
            .order((holds::priority, holds::queue_rank, holds::id))
            .limit(limit)
            .select(view_columns!())
            .into_boxed();
        if let Some(last) = after {
            // Closed meanwhile or not: it keeps its key.
            let key: Option<(i32, i64)> = holds::table
                .find(last.get())
                .select((holds::priority, holds::queue_rank))
                .first(self.conn)
                .optional()?;
            let (priority, rank) = key.unwrap_or((i32::MAX, i64::MAX));
            let level = holds::priority.eq(priority);
            query = query.filter(
                holds::priority
                    .gt(priority)
                    .or(level.and(holds::queue_rank.gt(rank)))
                    .or(level.and(holds::queue_rank.eq(rank)).and(holds::id.gt(last.get()))),
            );
        }
        Ok(query.load(self.conn)?)
    }

    /// Whether a hold is a line of a delivery request.
    pub fn is_for_delivery(&mut self, hold: HoldId) -> Result<bool, StoreError> {
        let line = holds::table
            .find(hold.get())
            .filter(holds::delivery_request_id.is_not_null());
        Ok(diesel::select(diesel::dsl::exists(line)).get_result(self.conn)?)
    }

    /// Whether the copy set aside for a hold lies in a parcel.
    pub fn is_packed(&mut self, hold: HoldId) -> Result<bool, StoreError> {
        let line = holds::table.find(hold.get()).filter(diesel::dsl::exists(packed!()));
        Ok(diesel::select(diesel::dsl::exists(line)).get_result(self.conn)?)
    }

    /// Holds whose time is over: waiting ones past their last wanted day, and those whose days on the shelf are over. What
    /// lies in a parcel waits for it to leave.
    pub fn holds_to_end(&mut self, today: NaiveDate, after: i64, limit: i64) -> Result<Vec<HoldId>, StoreError> {
        let today = day_text(today);
        // Each by its own index: an OR of both would walk over every hold there ever was.
        let unwanted = open!(after, limit)
            .filter(holds::wanted_until.lt(&today))
            .filter(holds::captured_item_id.is_null());
        let mut ids: Vec<i64> = unwanted.load(self.conn)?;
        let uncollected: Vec<i64> = open!(after, limit)
            .filter(holds::shelf_until.lt(&today))
            .filter(diesel::dsl::not(diesel::dsl::exists(packed!())))
            .load(self.conn)?;
        ids.extend(uncollected);
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(ids.into_iter().map(HoldId::new).collect())
    }
}

impl WriteTx<'_> {
    /// A rank behind everybody who waits for the bib in a class, and not before `placed_at` (milliseconds).
    pub fn next_rank(&mut self, bib: BibId, priority: i32, placed_at: i64) -> Result<i64, StoreError> {
        let last: Option<i64> = holds::table
            .filter(holds::bib_id.eq(bib.get()).and(holds::closed_at.is_null()))
            .filter(holds::priority.eq(priority))
            .order(holds::queue_rank.desc())
            .select(holds::queue_rank)
            .first(self.conn)
            .optional()?;
        let by_time = placed_at.saturating_mul(STEP);
        Ok(last.map_or(by_time, |last| by_time.max(last.saturating_add(1))))
    }

    /// The keys of the waiting holds of a bib, in order. Read under its lock.
    pub fn queue_keys(&mut self, bib: BibId) -> Result<Vec<QueueKey>, StoreError> {
        let rows: Vec<(i32, i64, i64)> = holds::table
            .filter(holds::bib_id.eq(bib.get()).and(holds::closed_at.is_null()))
            .filter(holds::captured_item_id.is_null())
            .order((holds::priority, holds::queue_rank, holds::id))
            .limit(QUEUE_ORDERED)
            .select((holds::priority, holds::queue_rank, holds::id))
            .load(self.conn)?;
        let key = |(priority, rank, id)| QueueKey {
            priority,
            rank,
            hold: HoldId::new(id),
        };
        Ok(rows.into_iter().map(key).collect())
    }

    /// Puts this key and everything behind it in its class back by a step.
    pub fn step_back(&mut self, bib: BibId, from: QueueKey) -> Result<(), StoreError> {
        let behind = holds::queue_rank
            .gt(from.rank)
            .or(holds::queue_rank.eq(from.rank).and(holds::id.ge(from.hold.get())));
        diesel::update(
            holds::table
                .filter(holds::bib_id.eq(bib.get()).and(holds::closed_at.is_null()))
                .filter(holds::priority.eq(from.priority).and(behind)),
        )
        .set(holds::queue_rank.eq(holds::queue_rank + STEP))
        .execute(self.conn)?;
        Ok(())
    }

    /// Gives a hold its key in the queue.
    pub fn set_place(&mut self, hold: HoldId, priority: i32, rank: i64) -> Result<(), StoreError> {
        diesel::update(holds::table.find(hold.get()))
            .set((holds::priority.eq(priority), holds::queue_rank.eq(rank)))
            .execute(self.conn)?;
        Ok(())
    }

    /// Lets a hold sleep or wakes it.
    pub fn set_sleep(&mut self, hold: HoldId, sleep: Sleep) -> Result<(), StoreError> {
        let until = match sleep {
            Sleep::Until(day) => Some(day_text(day)),
            Sleep::UntilResumed | Sleep::NotAtAll => None,
        };
        diesel::update(holds::table.find(hold.get()))
            .set((
                holds::suspended.eq(sleep == Sleep::UntilResumed),
                holds::not_before.eq(until),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Another pickup unit, and what was passed over for it.
    pub fn set_pickup(&mut self, hold: HoldId, pickup: UnitId, waived: Waived) -> Result<(), StoreError> {
        // The number belongs to the shelf of the old one.
        diesel::update(holds::table.find(hold.get()))
            .set((
                holds::pickup_unit_id.eq(pickup.get()),
                holds::waives_home_only.eq(waived.home_only),
                holds::waives_new_item.eq(waived.new_item),
                holds::shelf_number.eq(None::<i32>),
                holds::shelf_until.eq(None::<String>),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
