//! Pulls: copies to be fetched from shelves for waiting holds. An open row may be out of date until the next pass closes it,
//! because a check-out or check-in writes nothing here unless it must; whoever reads open rows looks at hold and copy.
//! Not for: choosing (see `domain::target_hold`).

mod stale;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::error::StoreError;
use super::hold_queue::{WaitingRow, waiting_columns};
use super::readers::day_text;
use super::schema::{bibs, compartments, holds, items, pulls, readers};
use super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::hold::CopyFacts;
use crate::domain::ids::{BibId, HoldId, ItemId, ReaderId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::network::Network;
use crate::domain::target_hold::{Pull, Waiting, rests};
use crate::domain::{hold::HoldCandidate, hold::may_fill};

/// A pull as staff see it.
#[derive(Debug, Clone, Queryable)]
pub struct PullView {
    pub id: i64,
    pub hold_id: i64,
    pub bib_id: i64,
    pub item_id: i64,
    pub unit_id: i64,
    pub asked_at: i64,
    pub answer_by: String,
    pub barcode: String,
    pub title: String,
    pub call_number: Option<String>,
    pub shelf_location: Option<String>,
    pub volume: Option<String>,
    pub pickup_unit_id: i64,
    pub closed_how: Option<String>,
    /// The compartment of a machine in which the copy lies.
    pub compartment: Option<i32>,
}

macro_rules! view_columns {
    () => {
        (
            pulls::id,
            pulls::hold_id,
            pulls::bib_id,
            pulls::item_id,
            pulls::unit_id,
            pulls::asked_at,
            pulls::answer_by,
            items::barcode,
            bibs::title,
            items::call_number,
            items::shelf_location,
            items::volume,
            holds::pickup_unit_id,
            pulls::closed_how,
            compartments::table
                .filter(compartments::item_id.eq(items::id.nullable()))
                .select(compartments::number)
                .single_value(),
        )
    };
}

/// A pull whose copy may still be fetched: the hold waits and the copy stands where it stood.
macro_rules! is_live {
    () => {
        pulls::closed_at
            .is_null()
            .and(holds::closed_at.is_null())
            .and(holds::captured_item_id.is_null())
            .and(holds::suspended.eq(false))
            .and(items::status.eq(ItemStatus::OnShelf.code()))
            .and(items::current_unit_id.eq(pulls::unit_id))
    };
}

/// Pulls by unit.
pub type Counts = HashMap<UnitId, u32>;

impl ReadTx<'_> {
    /// A pull with its bib, to lock it.
    pub fn pull(&mut self, id: i64) -> Result<Option<PullView>, StoreError> {
        Ok(pulls::table
            .inner_join(items::table.on(items::id.eq(pulls::item_id)))
            .inner_join(holds::table.on(holds::id.eq(pulls::hold_id)))
            .inner_join(bibs::table.on(bibs::id.eq(pulls::bib_id)))
            .filter(pulls::id.eq(id))
            .select(view_columns!())
            .first(self.conn)
            .optional()?)
    }

    /// Whether a pull's copy may still be fetched.
    pub fn is_live_pull(&mut self, id: i64) -> Result<bool, StoreError> {
        let n: i64 = pulls::table
            .inner_join(items::table.on(items::id.eq(pulls::item_id)))
            .inner_join(holds::table.on(holds::id.eq(pulls::hold_id)))
            .filter(pulls::id.eq(id).and(is_live!()))
            .count()
            .get_result(self.conn)?;
        Ok(n == 1)
    }

    /// What a unit is to fetch from its shelves, after the pull `after`.
    pub fn pulls_of_unit(&mut self, unit: UnitId, after: i64, limit: i64) -> Result<Vec<PullView>, StoreError> {
        Ok(pulls::table
            .inner_join(items::table.on(items::id.eq(pulls::item_id)))
            .inner_join(holds::table.on(holds::id.eq(pulls::hold_id)))
            .inner_join(bibs::table.on(bibs::id.eq(pulls::bib_id)))
            .filter(pulls::unit_id.eq(unit.get()).and(pulls::id.gt(after)))
            .filter(is_live!())
            .order(pulls::id)
            .limit(limit)
            .select(view_columns!())
            .load(self.conn)?)
    }

    /// Open pulls by unit: of all units, or of some.
    pub fn open_pulls(&mut self, of: Option<&[i64]>) -> Result<Counts, StoreError> {
        let open = pulls::table
            .filter(pulls::closed_at.is_null())
            .group_by(pulls::unit_id)
            .select((pulls::unit_id, diesel::dsl::count_star()));
        let rows: Vec<(i64, i64)> = match of {
            None => open.load(self.conn)?,
            Some(units) => open.filter(pulls::unit_id.eq_any(units)).load(self.conn)?,
        };
        Ok(counts(rows))
    }

    /// What units were asked for on a day, whatever they answered.
    pub fn pulls_asked_on(&mut self, day: NaiveDate, units: &[i64]) -> Result<Counts, StoreError> {
        let rows: Vec<(i64, i64)> = pulls::table
            .filter(pulls::unit_id.eq_any(units).and(pulls::asked_on.eq(day_text(day))))
            .group_by(pulls::unit_id)
            .select((pulls::unit_id, diesel::dsl::count_star()))
            .load(self.conn)?;
        Ok(counts(rows))
    }
}

impl WriteTx<'_> {
    /// Lets one transaction at a time count what capped units were asked for, until its end.
    pub fn lock_daily_caps(&mut self) -> Result<(), StoreError> {
        Ok(super::dialect::lock_daily_caps(self.conn)?)
    }
}

impl ReadTx<'_> {
    /// The waiting holds of these bibs that nothing is being fetched for, by bib and place. Under their locks it stays true.
    pub fn unserved_holds(
        &mut self,
        network: &Network,
        bibs: &[i64],
        today: NaiveDate,
    ) -> Result<Vec<(BibId, Waiting)>, StoreError> {
        let rows: Vec<WaitingRow> = holds::table
            .inner_join(readers::table.on(holds::reader_id.eq(readers::id.nullable())))
            .left_join(pulls::table.on(pulls::hold_id.eq(holds::id).and(pulls::closed_at.is_null())))
            .filter(holds::bib_id.eq_any(bibs).and(holds::closed_at.is_null()))
            .filter(holds::captured_item_id.is_null().and(holds::suspended.eq(false)))
            .filter(pulls::id.nullable().is_null())
            .order((holds::bib_id, holds::priority, holds::queue_rank, holds::id))
            .select(waiting_columns!())
            .load(self.conn)?;
        let refused: Vec<(i64, i64, Option<i64>)> = pulls::table
            .inner_join(holds::table.on(holds::id.eq(pulls::hold_id)))
            .filter(holds::bib_id.eq_any(bibs).and(holds::closed_at.is_null()))
            .filter(pulls::closed_how.eq("refused").or(pulls::closed_how.eq("timed_out")))
            .select((pulls::hold_id, pulls::unit_id, pulls::closed_at))
            .load(self.conn)?;
        let mut refused_by: HashMap<i64, Vec<UnitId>> = HashMap::new();
        for (hold, unit, closed_at) in refused {
            let (unit, since) = (
                UnitId::new(unit),
                closed_at.map(|at| network.local_day(from_millis(at))),
            );
            if since.is_some_and(|since| rests(network, unit, since, today)) {
                refused_by.entry(hold).or_default().push(unit);
            }
        }
        let mut waiting = Vec::with_capacity(rows.len());
        for row in rows {
            if row.is_served(network, today)? {
                let hold = Waiting {
                    hold: HoldId::new(row.id),
                    reader: ReaderId::new(row.reader),
                    wish: row.wish(network)?,
                    refused_by: refused_by.remove(&row.id).unwrap_or_default(),
                    wanted_until: row.last_day()?,
                };
                waiting.push((BibId::new(row.bib), hold));
            }
        }
        Ok(waiting)
    }

    /// The copies of these bibs that may be lent, stand on a shelf and are not being fetched, by bib.
    pub fn copies_to_fetch(&mut self, bibs: &[i64]) -> Result<Vec<CopyFacts>, StoreError> {
        let copies = self.copies_of_bibs(bibs, Some(ItemStatus::OnShelf))?;
        self.not_fetched(bibs, copies)
    }

    /// Those of the copies of these bibs that are not being fetched.
    pub(super) fn not_fetched(&mut self, bibs: &[i64], copies: Vec<CopyFacts>) -> Result<Vec<CopyFacts>, StoreError> {
        let fetched: Vec<i64> = pulls::table
            .filter(pulls::bib_id.eq_any(bibs).and(pulls::closed_at.is_null()))
            .select(pulls::item_id)
            .load(self.conn)?;
        let is_free = |copy: &CopyFacts| !copy.not_for_loan && !fetched.contains(&copy.item.get());
        Ok(copies.into_iter().filter(is_free).collect())
    }
}

impl WriteTx<'_> {
    /// Asks units to fetch copies; `ids` are their numbers.
    pub fn insert_pulls(
        &mut self,
        new: &[(i64, BibId, Pull)],
        today: NaiveDate,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if new.is_empty() {
            return Ok(());
        }
        let (at, today) = (at.timestamp_millis(), day_text(today));
        let row = |(id, bib, pull): &(i64, BibId, Pull)| {
            let (hold, item, unit, answer_by) = (pull.hold, pull.item, pull.unit, day_text(pull.answer_by));
            format!("({id},{hold},{bib},{item},{unit},{at},'{today}','{answer_by}')")
        };
        let rows: Vec<String> = new.iter().map(row).collect();
        let sql = format!(
            "INSERT INTO pulls (id, hold_id, bib_id, item_id, unit_id, asked_at, asked_on, answer_by) VALUES {}",
            rows.join(",")
        );
        diesel::sql_query(sql).execute(self.conn)?;
        Ok(())
    }

    /// The hold for which a copy on a shelf is being fetched, if it may still fill it. Read under the lock of the bib.
    pub fn pulled_for(
        &mut self,
        network: &Network,
        copy: &CopyFacts,
        today: NaiveDate,
    ) -> Result<Option<HoldCandidate>, StoreError> {
        let row: Option<WaitingRow> = holds::table
            .inner_join(readers::table.on(holds::reader_id.eq(readers::id.nullable())))
            .inner_join(pulls::table.on(pulls::hold_id.eq(holds::id)))
            .filter(pulls::item_id.eq(copy.item.get()).and(pulls::closed_at.is_null()))
            .filter(holds::closed_at.is_null().and(holds::captured_item_id.is_null()))
            .filter(holds::suspended.eq(false))
            .select(waiting_columns!())
            .first(self.conn)
            .optional()?;
        let Some(row) = row else { return Ok(None) };
        if !row.is_served(network, today)? {
            return Ok(None);
        }
        let wish = row.wish(network)?;
        let fits = may_fill(network, copy, &wish, today).is_ok();
        Ok(fits.then(|| HoldCandidate {
            id: HoldId::new(row.id),
            reader: ReaderId::new(row.reader),
            wish,
            pulled: true,
        }))
    }

    /// Closes the open pull of a copy that was found.
    pub fn close_found_pull(&mut self, item: ItemId, at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(pulls::table.filter(pulls::item_id.eq(item.get()).and(pulls::closed_at.is_null())))
            .set((
                pulls::closed_at.eq(at.timestamp_millis()),
                pulls::closed_how.eq("found"),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Closes what is being fetched for a hold: it sleeps, or goes elsewhere.
    pub fn withdraw_pull(&mut self, hold: HoldId, at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(pulls::table.filter(pulls::hold_id.eq(hold.get()).and(pulls::closed_at.is_null())))
            .set((
                pulls::closed_at.eq(at.timestamp_millis()),
                pulls::closed_how.eq("withdrawn"),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Forgets some pulls that ended before a moment; answers how many.
    pub fn forget_pulls(&mut self, ended_before: DateTime<Utc>, at_most: i64) -> Result<usize, StoreError> {
        let ids: Vec<i64> = pulls::table
            .filter(pulls::closed_at.lt(ended_before.timestamp_millis()))
            .limit(at_most)
            .select(pulls::id)
            .load(self.conn)?;
        Ok(diesel::delete(pulls::table.filter(pulls::id.eq_any(ids))).execute(self.conn)?)
    }

    /// Closes a pull that the unit refused.
    pub fn refuse_pull(
        &mut self,
        id: i64,
        reason: &str,
        note: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::update(pulls::table.find(id))
            .set((
                pulls::closed_at.eq(at.timestamp_millis()),
                pulls::closed_how.eq("refused"),
                pulls::reason.eq(reason),
                pulls::note.eq(note),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}

fn counts(rows: Vec<(i64, i64)>) -> Counts {
    let count = |(unit, n)| (UnitId::new(unit), u32::try_from(n).unwrap_or(u32::MAX));
    rows.into_iter().map(count).collect()
}
