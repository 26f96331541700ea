//! The queue of a bib: who waits, in order, and which copy may serve whom.
//! The rules of "may" are the domain's; the order is (priority, queue_rank, id).

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use super::error::StoreError;
use super::holds::HoldView;
use super::items::{parse_day, volume_of};
use super::readers::band_from_code;
use super::schema::{holds, items, readers};
use super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::hold::{CopyFacts, HoldCandidate, Target, Wish, may_fill};
use crate::domain::hold_terms::Waived;
use crate::domain::ids::{BibId, CategoryId, HoldId, ItemId, ItemTypeId, ReaderId, UnitId};
use crate::domain::item::{ItemStatus, Lending};
use crate::domain::network::Network;

diesel::define_sql_function! {
    /// A deposited copy belongs to the unit of its deposit.
    fn coalesce(deposit: Nullable<BigInt>, home: BigInt) -> BigInt;
}

/// Waiting holds read at a time while one is sought that a copy may fill: few at first, because the first ones usually do.
const FIRST_PAGE: i64 = 4;
const QUEUE_PAGE: i64 = 50;

/// A waiting hold with what decides about its reader.
#[derive(Debug, Queryable)]
pub(super) struct WaitingRow {
    pub(super) id: i64,
    pub(super) bib: i64,
    item: Option<i64>,
    pickup: i64,
    priority: i32,
    queue_rank: i64,
    volume: Option<String>,
    not_before: Option<String>,
    wanted_until: Option<String>,
    pub(super) reader: i64,
    category: i64,
    band: String,
    home: i64,
    birth_date: Option<String>,
    status: String,
    barred: bool,
    waives_home_only: bool,
    waives_new_item: bool,
    block_reason: Option<String>,
    block_until: Option<i64>,
}

type CopyRow = (
    i64,
    i64,
    Option<String>,
    i64,
    i64,
    i64,
    i64,
    String,
    bool,
    bool,
    Option<i32>,
    String,
    Option<i64>,
    i64,
);

macro_rules! waiting_columns {
    () => {
        (
            holds::id,
            holds::bib_id,
            holds::item_id,
            holds::pickup_unit_id,
            holds::priority,
            holds::queue_rank,
            holds::volume,
            holds::not_before,
            holds::wanted_until,
            readers::id,
            readers::category_id,
            readers::credit_band,
            readers::home_unit_id,
            readers::birth_date,
            readers::status,
            readers::barred,
            holds::waives_home_only,
            holds::waives_new_item,
            readers::block_reason,
            readers::block_until,
        )
    };
}
pub(super) use waiting_columns;

impl WaitingRow {
    /// It is neither asleep nor past its last day, and its reader may borrow.
    pub(super) fn is_served(&self, network: &Network, today: NaiveDate) -> Result<bool, StoreError> {
        let awake = self.not_before.as_deref().map(parse_day).transpose()?;
        let wanted = self.last_day()?;
        let due = awake.is_none_or(|first| first <= today) && wanted.is_none_or(|last| last >= today);
        // A block that ends today is over before the copy is fetched.
        let lasts = |until: i64| network.local_day(from_millis(until)) > today;
        let blocked = self.block_reason.is_some() && self.block_until.is_none_or(lasts);
        Ok(due && self.status == "active" && !self.barred && !blocked)
    }

    pub(super) fn last_day(&self) -> Result<Option<NaiveDate>, StoreError> {
        self.wanted_until.as_deref().map(parse_day).transpose()
    }

    pub(super) fn wish(&self, network: &Network) -> Result<Wish, StoreError> {
        let category = CategoryId::new(self.category);
        Ok(Wish {
            target: target_of(BibId::new(self.bib), self.item, self.volume.as_deref())?,
            pickup: UnitId::new(self.pickup),
            category,
            band: band_from_code(&self.band)?,
            child: network.category(category).is_some_and(|category| category.child),
            reader_home: UnitId::new(self.home),
            birth_date: self.birth_date.as_deref().map(parse_day).transpose()?,
            waived: Waived {
                home_only: self.waives_home_only,
                new_item: self.waives_new_item,
            },
        })
    }
}

impl ReadTx<'_> {
    /// The place of a waiting hold in its queue, from 1.
    pub fn queue_position(&mut self, hold: &HoldView) -> Result<i64, StoreError> {
        let before: i64 = holds::table
            .filter(
                holds::bib_id
                    .eq(hold.bib_id)
                    .and(holds::closed_at.is_null())
                    .and(holds::captured_item_id.is_null()),
            )
            .filter(
                holds::priority
                    .lt(hold.priority)
                    .or(holds::priority
                        .eq(hold.priority)
                        .and(holds::queue_rank.lt(hold.queue_rank)))
                    .or(holds::priority
                        .eq(hold.priority)
                        .and(holds::queue_rank.eq(hold.queue_rank))
                        .and(holds::id.lt(hold.id))),
            )
            .count()
            .get_result(self.conn)?;
        Ok(before + 1)
    }

    /// What decides about every copy of a bib that is not withdrawn.
    pub fn copies_of_bib(&mut self, bib: BibId) -> Result<Vec<CopyFacts>, StoreError> {
        self.copies_of_bibs(&[bib.get()], None)
    }

    /// The same of several bibs, by bib: all that are not withdrawn, or those in one status.
    pub(super) fn copies_of_bibs(
        &mut self,
        bibs: &[i64],
        status: Option<ItemStatus>,
    ) -> Result<Vec<CopyFacts>, StoreError> {
        let mut query = items::table
            .left_join(
                holds::table.on(holds::captured_item_id
                    .eq(items::id.nullable())
                    .and(holds::closed_at.is_null())),
            )
            .filter(items::bib_id.eq_any(bibs))
            .select((
                (
                    items::id,
                    items::bib_id,
                    items::volume,
                    items::owner_unit_id,
                    coalesce(items::deposit_unit_id, items::home_unit_id),
                    items::current_unit_id,
                    items::item_type_id,
                    items::status,
                    items::not_for_loan,
                    items::for_children,
                    items::min_age_years,
                    items::lending,
                    items::bound_into_item_id,
                    items::created_at,
                ),
                holds::id.nullable(),
            ))
            .order((items::bib_id, items::id))
            .into_boxed();
        query = match status {
            Some(status) => query.filter(items::status.eq(status.code())),
            None => query.filter(items::status.ne(ItemStatus::Withdrawn.code())),
        };
        let rows: Vec<(CopyRow, Option<i64>)> = query.load(self.conn)?;
        rows.into_iter()
            .map(|(row, hold)| copy_of(row, hold.is_some()))
            .collect()
    }
}

fn copy_of(row: CopyRow, captured: bool) -> Result<CopyFacts, StoreError> {
    let (
        id,
        bib,
        volume,
        owner,
        home,
        current,
        item_type,
        status,
        not_for_loan,
        for_children,
        min_age,
        lending,
        bound,
        created,
    ) = row;
    Ok(CopyFacts {
        item: ItemId::new(id),
        bib: BibId::new(bib),
        volume: volume_of(volume.as_deref())?,
        owner: UnitId::new(owner),
        home: UnitId::new(home),
        current: UnitId::new(current),
        item_type: ItemTypeId::new(item_type),
        status: ItemStatus::from_code(&status)
            .ok_or_else(|| StoreError::Corrupt(format!("item {id} has the unknown status {status}")))?,
        not_for_loan: not_for_loan || lending != Lending::Normal.code() || bound.is_some(),
        for_children,
        min_age_years: min_age.and_then(|years| u8::try_from(years).ok()),
        added_at: from_millis(created),
        captured,
    })
}

impl WriteTx<'_> {
    /// The waiting holds of a bib.
    pub fn queue_length(&mut self, bib: BibId) -> Result<u32, StoreError> {
        let n: i64 = holds::table
            .filter(
                holds::bib_id
                    .eq(bib.get())
                    .and(holds::closed_at.is_null())
                    .and(holds::captured_item_id.is_null()),
            )
            .count()
            .get_result(self.conn)?;
        Ok(u32::try_from(n).unwrap_or(u32::MAX))
    }

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

    /// How many waiting holds of other readers a copy may fill; more than `at_most` are not counted, because everybody
    /// else's write waits for this one.
    pub fn count_fillable(
        &mut self,
        network: &Network,
        copy: &CopyFacts,
        today: NaiveDate,
        except: ReaderId,
        at_most: u32,
    ) -> Result<u32, StoreError> {
        let mut count = 0;
        self.walk_queue(network, copy, today, &mut |candidate| {
            count += u32::from(candidate.reader != except);
            count < at_most
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
            let limit = if after.is_none() { FIRST_PAGE } else { QUEUE_PAGE };
            let page = self.waiting_page(copy, after, limit)?;
            let full = page.len() == usize::try_from(limit).unwrap_or(usize::MAX);
            for row in page {
                after = Some((row.priority, row.queue_rank, row.id));
                if !row.is_served(network, today)? {
                    continue;
                }
                let wish = row.wish(network)?;
                if may_fill(network, copy, &wish, today).is_err() {
                    continue;
                }
                if !visit(HoldCandidate {
                    id: HoldId::new(row.id),
                    reader: ReaderId::new(row.reader),
                    wish,
                    pulled: false,
                }) {
                    return Ok(());
                }
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn waiting_page(
        &mut self,
        copy: &CopyFacts,
        after: Option<(i32, i64, i64)>,
        limit: i64,
    ) -> Result<Vec<WaitingRow>, StoreError> {
        let mut query = holds::table
            .inner_join(readers::table.on(holds::reader_id.eq(readers::id.nullable())))
            .filter(holds::bib_id.eq(copy.bib.get()).and(holds::closed_at.is_null()))
            .filter(holds::captured_item_id.is_null())
            .filter(holds::suspended.eq(false))
            .filter(holds::item_id.is_null().or(holds::item_id.eq(copy.item.get())))
            .order((holds::priority, holds::queue_rank, holds::id))
            .limit(limit)
            .select(waiting_columns!())
            .into_boxed();
        query = match &copy.volume {
            Some(volume) => query.filter(holds::volume.is_null().or(holds::volume.eq(volume.to_string()))),
            None => query.filter(holds::volume.is_null()),
        };
        if let Some((priority, queue_rank, id)) = after {
            query = query.filter(
                holds::priority
                    .gt(priority)
                    .or(holds::priority.eq(priority).and(holds::queue_rank.gt(queue_rank)))
                    .or(holds::priority
                        .eq(priority)
                        .and(holds::queue_rank.eq(queue_rank))
                        .and(holds::id.gt(id))),
            );
        }
        Ok(query.load(self.conn)?)
    }
}

/// What a stored hold waits for.
pub(super) fn target_of(bib: BibId, item: Option<i64>, volume: Option<&str>) -> Result<Target, StoreError> {
    Ok(match (item, volume_of(volume)?) {
        (Some(item), _) => Target::Item(ItemId::new(item)),
        (None, Some(volume)) => Target::Volume(bib, volume),
        (None, None) => Target::Bib(bib),
    })
}
