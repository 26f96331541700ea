//! Holds: the queue of a bib, what is set aside for whom, and the numbered hold shelf.
//! The place in a queue is the rank by (priority, time, id): 1..n without gaps by construction.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::error::StoreError;
use super::items::parse_day;
use super::readers::{band_from_code, day_text};
use super::schema::{bibs, holds, items, readers};
use super::tx::{ReadTx, WriteTx};
use crate::domain::hold::{CopyFacts, HoldCandidate, HoldFacts, HoldStatus, Target, Wish, may_fill};
use crate::domain::ids::{BibId, CategoryId, HoldId, ItemId, ItemTypeId, ReaderId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::network::Network;
use crate::domain::route::Capture;
use crate::domain::void_loan::FilledHold;

/// Waiting holds read at a time while one is sought that a copy may fill.
const QUEUE_PAGE: i64 = 50;

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
}

/// How a hold ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldEnd {
    Filled,
    Cancelled,
}

impl HoldEnd {
    fn code(self) -> &'static str {
        match self {
            Self::Filled => HoldStatus::Filled.code(),
            Self::Cancelled => HoldStatus::Cancelled.code(),
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
        )
    };
}

#[derive(Debug, Queryable)]
struct WaitingRow {
    id: i64,
    item: Option<i64>,
    pickup: i64,
    priority: i32,
    placed_at: i64,
    not_before: Option<String>,
    wanted_until: Option<String>,
    reader: i64,
    category: i64,
    band: String,
    home: i64,
    birth_date: Option<String>,
    status: String,
    barred: bool,
}

type CopyRow = (i64, i64, i64, i64, i64, String, bool, bool, Option<i32>);

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

    /// The place of a waiting hold in its queue, from 1.
    pub fn queue_position(&mut self, hold: &HoldView) -> Result<i64, StoreError> {
        let before: i64 = holds::table
            .filter(holds::bib_id.eq(hold.bib_id).and(holds::closed_at.is_null()).and(holds::captured_item_id.is_null()))
            .filter(
                holds::priority
                    .lt(hold.priority)
                    .or(holds::priority.eq(hold.priority).and(holds::placed_at.lt(hold.placed_at)))
                    .or(holds::priority
                        .eq(hold.priority)
                        .and(holds::placed_at.eq(hold.placed_at))
                        .and(holds::id.lt(hold.id))),
            )
            .count()
            .get_result(self.conn)?;
        Ok(before + 1)
    }

    /// What decides about every copy of a bib that is not withdrawn.
    pub fn copies_of_bib(&mut self, bib: BibId) -> Result<Vec<CopyFacts>, StoreError> {
        let rows: Vec<(CopyRow, Option<i64>)> = items::table
            .left_join(holds::table.on(holds::captured_item_id.eq(items::id.nullable()).and(holds::closed_at.is_null())))
            .filter(items::bib_id.eq(bib.get()).and(items::status.ne(ItemStatus::Withdrawn.code())))
            .select((
                (
                    items::id,
                    items::owner_unit_id,
                    items::home_unit_id,
                    items::current_unit_id,
                    items::item_type_id,
                    items::status,
                    items::not_for_loan,
                    items::for_children,
                    items::min_age_years,
                ),
                holds::id.nullable(),
            ))
            .order(items::id)
            .load(self.conn)?;
        rows.into_iter()
            .map(|((id, owner, home, current, item_type, status, not_for_loan, for_children, min_age), hold)| {
                Ok(CopyFacts {
                    item: ItemId::new(id),
                    bib,
                    owner: UnitId::new(owner),
                    home: UnitId::new(home),
                    current: UnitId::new(current),
                    item_type: ItemTypeId::new(item_type),
                    status: ItemStatus::from_code(&status)
                        .ok_or_else(|| StoreError::Corrupt(format!("item {id} has the unknown status {status}")))?,
                    not_for_loan,
                    for_children,
                    min_age_years: min_age.and_then(|years| u8::try_from(years).ok()),
                    captured: hold.is_some(),
                })
            })
            .collect()
    }
}

impl WriteTx<'_> {
    /// The first waiting hold a copy may fill, in the order of the queue. Read under the lock of the bib.
    pub fn first_fillable(
        &mut self,
        network: &Network,
        copy: &CopyFacts,
        today: NaiveDate,
    ) -> Result<Option<HoldCandidate>, StoreError> {
        let mut first = None;
        self.walk_queue(network, copy, today, &mut |candidate| {
            first = Some(candidate);
            false
        })?;
        Ok(first)
    }

    /// How many waiting holds of other readers a copy may fill.
    pub fn count_fillable(
        &mut self,
        network: &Network,
        copy: &CopyFacts,
        today: NaiveDate,
        except: ReaderId,
    ) -> Result<u32, StoreError> {
        let mut count = 0;
        self.walk_queue(network, copy, today, &mut |candidate| {
            count += u32::from(candidate.reader != except);
            true
        })?;
        Ok(count)
    }

    /// Shows `visit` every waiting hold the copy may fill until it answers false. Sleeping and expired holds and those of
    /// readers who may not borrow are skipped.
    fn walk_queue(
        &mut self,
        network: &Network,
        copy: &CopyFacts,
        today: NaiveDate,
        visit: &mut dyn FnMut(HoldCandidate) -> bool,
    ) -> Result<(), StoreError> {
        let mut after: Option<(i32, i64, i64)> = None;
        loop {
            let page = self.waiting_page(copy, after)?;
            let full = page.len() == usize::try_from(QUEUE_PAGE).unwrap_or(usize::MAX);
            for row in page {
                after = Some((row.priority, row.placed_at, row.id));
                let awake = row.not_before.as_deref().map(parse_day).transpose()?.is_none_or(|first| first <= today);
                let wanted = row.wanted_until.as_deref().map(parse_day).transpose()?.is_none_or(|last| last >= today);
                if !awake || !wanted || row.status != "active" || row.barred {
                    continue;
                }
                let wish = wish_of(&row, copy.bib, network)?;
                if may_fill(network, copy, &wish, today).is_err() {
                    continue;
                }
                if !visit(HoldCandidate { id: HoldId::new(row.id), reader: ReaderId::new(row.reader), wish }) {
                    return Ok(());
                }
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn waiting_page(&mut self, copy: &CopyFacts, after: Option<(i32, i64, i64)>) -> Result<Vec<WaitingRow>, StoreError> {
        let mut query = holds::table
            .inner_join(readers::table.on(holds::reader_id.eq(readers::id.nullable())))
            .filter(holds::bib_id.eq(copy.bib.get()).and(holds::closed_at.is_null()))
            .filter(holds::captured_item_id.is_null())
            .filter(holds::item_id.is_null().or(holds::item_id.eq(copy.item.get())))
            .order((holds::priority, holds::placed_at, holds::id))
            .limit(QUEUE_PAGE)
            .select((
                holds::id,
                holds::item_id,
                holds::pickup_unit_id,
                holds::priority,
                holds::placed_at,
                holds::not_before,
                holds::wanted_until,
                readers::id,
                readers::category_id,
                readers::credit_band,
                readers::home_unit_id,
                readers::birth_date,
                readers::status,
                readers::barred,
            ))
            .into_boxed();
        if let Some((priority, placed_at, id)) = after {
            query = query.filter(
                holds::priority
                    .gt(priority)
                    .or(holds::priority.eq(priority).and(holds::placed_at.gt(placed_at)))
                    .or(holds::priority.eq(priority).and(holds::placed_at.eq(placed_at)).and(holds::id.gt(id))),
            );
        }
        Ok(query.load(self.conn)?)
    }

    /// A hold under the lock of its bib; `None` for an unknown or closed one is not distinguished: see `facts.status`.
    pub fn hold(&mut self, id: HoldId) -> Result<Option<LoadedHold>, StoreError> {
        let Some(view) = self.hold_view(id)? else { return Ok(None) };
        let Some(reader) = view.reader_id else { return Ok(None) };
        let bib = BibId::new(view.bib_id);
        let status = HoldStatus::from_code(view.status())
            .ok_or_else(|| StoreError::Corrupt(format!("hold {id} has the unknown status {}", view.status())))?;
        let target = view.item_id.map_or(Target::Bib(bib), |item| Target::Item(ItemId::new(item)));
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
        }))
    }

    /// The open holds of a reader on a bib: id, the copy named by it, the copy set aside for it.
    pub fn open_holds_on_bib(
        &mut self,
        reader: ReaderId,
        bib: BibId,
    ) -> Result<Vec<(HoldId, Option<ItemId>, Option<ItemId>)>, StoreError> {
        let rows: Vec<(i64, Option<i64>, Option<i64>)> = holds::table
            .filter(holds::reader_id.eq(reader.get()).and(holds::bib_id.eq(bib.get())).and(holds::closed_at.is_null()))
            .select((holds::id, holds::item_id, holds::captured_item_id))
            .order((holds::priority, holds::placed_at, holds::id))
            .load(self.conn)?;
        Ok(rows
            .into_iter()
            .map(|(id, item, captured)| (HoldId::new(id), item.map(ItemId::new), captured.map(ItemId::new)))
            .collect())
    }

    /// Holds the reader placed since a moment.
    pub fn holds_placed_since(&mut self, reader: ReaderId, since: DateTime<Utc>) -> Result<u32, StoreError> {
        let n: i64 = holds::table
            .filter(holds::reader_id.eq(reader.get()).and(holds::placed_at.ge(since.timestamp_millis())))
            .count()
            .get_result(self.conn)?;
        Ok(u32::try_from(n).unwrap_or(u32::MAX))
    }

    /// The lowest free place on a hold shelf, from 1.
    pub fn next_shelf_number(&mut self, unit: UnitId) -> Result<u32, StoreError> {
        let taken: Vec<Option<i32>> = holds::table
            .filter(holds::pickup_unit_id.eq(unit.get()).and(holds::closed_at.is_null()))
            .filter(holds::shelf_number.is_not_null())
            .order(holds::shelf_number)
            .select(holds::shelf_number)
            .load(self.conn)?;
        let mut free = 1_u32;
        for number in taken.into_iter().flatten().filter_map(|number| u32::try_from(number).ok()) {
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
        diesel::insert_into(holds::table).values(hold.clone()).execute(self.conn)?;
        self.count_hold_of_bib(BibId::new(hold.bib_id), 1)?;
        if let Some(reader) = hold.reader_id {
            self.count_hold_of_reader(ReaderId::new(reader), 1)?;
        }
        Ok(())
    }

    /// Sets a copy aside for a hold: on its way, or at its numbered place.
    pub fn capture_hold(&mut self, item: ItemId, capture: &Capture, at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(holds::table.find(capture.hold.get()))
            .set((
                holds::captured_item_id.eq(item.get()),
                holds::captured_at.eq(at.timestamp_millis()),
                holds::shelf_number.eq(capture.shelf_number.and_then(|number| i32::try_from(number).ok())),
                holds::shelf_until.eq(capture.expires_on.map(day_text)),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// The waiting holds of a bib.
    pub fn queue_length(&mut self, bib: BibId) -> Result<u32, StoreError> {
        let n: i64 = holds::table
            .filter(holds::bib_id.eq(bib.get()).and(holds::closed_at.is_null()).and(holds::captured_item_id.is_null()))
            .count()
            .get_result(self.conn)?;
        Ok(u32::try_from(n).unwrap_or(u32::MAX))
    }

    /// A hold that a loan filled, as it was before.
    pub fn filled_hold(&mut self, id: HoldId) -> Result<Option<FilledHold>, StoreError> {
        let captured = super::items::captured_hold_by_id(self.conn, id.get())?;
        Ok(captured.map(|(captured, item)| match item {
            Some(_) => FilledHold::Captured(captured),
            None => FilledHold::Waiting(id),
        }))
    }

    /// Opens a filled hold again: at a place of the hold shelf, or (without one) waiting at its old place in the queue.
    pub fn reopen_hold(
        &mut self,
        id: HoldId,
        bib: BibId,
        reader: ReaderId,
        shelf_number: Option<u32>,
    ) -> Result<(), StoreError> {
        let none = (holds::closed_at.eq(None::<i64>), holds::closed_how.eq(None::<String>));
        match shelf_number.and_then(|number| i32::try_from(number).ok()) {
            Some(number) => diesel::update(holds::table.find(id.get()))
                .set((none, holds::shelf_number.eq(number)))
                .execute(self.conn)?,
            None => {
                self.release_hold(id)?;
                diesel::update(holds::table.find(id.get())).set(none).execute(self.conn)?
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
            .set((holds::closed_at.eq(at.timestamp_millis()), holds::closed_how.eq(how.code())))
            .execute(self.conn)?;
        self.count_hold_of_bib(bib, -1)?;
        self.count_hold_of_reader(reader, -1)
    }
}

fn wish_of(row: &WaitingRow, bib: BibId, network: &Network) -> Result<Wish, StoreError> {
    let category = CategoryId::new(row.category);
    Ok(Wish {
        target: row.item.map_or(Target::Bib(bib), |item| Target::Item(ItemId::new(item))),
        pickup: UnitId::new(row.pickup),
        category,
        band: band_from_code(&row.band)?,
        child: network.category(category).is_some_and(|category| category.child),
        reader_home: UnitId::new(row.home),
        birth_date: row.birth_date.as_deref().map(parse_day).transpose()?,
    })
}
