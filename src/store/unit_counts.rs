//! What is counted at a unit: what floats there of a stock with a cap, and what still hangs on a unit that is to close for good.

use diesel::prelude::*;

use super::dialect;
use super::error::StoreError;
use super::schema::{crates, deposits, holds, items, transits};
use super::tx::{ReadTx, WriteTx};
use crate::domain::deposit::DepositStatus;
use crate::domain::ids::{CollectionId, UnitId};
use crate::domain::item::{ItemFacts, ItemStatus};
use crate::domain::route::asks_what_floats;

/// Nobody asks how many more there are.
pub const MOST_COUNTED: i64 = 1_000;

/// Counts, each [`MOST_COUNTED`] at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnitTies {
    /// Copies whose home it is, but for withdrawn ones.
    pub at_home: usize,
    /// Copies of others that float there.
    pub floating: usize,
    /// Deposits from or to it that have not ended.
    pub deposits: usize,
    /// Open holds to be picked up there.
    pub holds: usize,
    /// Journeys there that have not ended.
    pub journeys: usize,
    /// Crates that stand there or go there.
    pub crates: usize,
}

impl ReadTx<'_> {
    /// Counts what hangs on a unit. It walks all open holds: not for a write, which others wait for.
    pub fn unit_ties(&mut self, unit: UnitId) -> Result<UnitTies, StoreError> {
        let unit = unit.get();
        let at_home: Vec<i64> = items::table
            .filter(items::home_unit_id.eq(unit))
            .filter(items::status.ne(ItemStatus::Withdrawn.code()))
            .limit(MOST_COUNTED)
            .select(items::id)
            .load(self.conn)?;
        let open_deposits: Vec<i64> = deposits::table
            .filter(deposits::status.ne(DepositStatus::Ended.code()))
            .filter(deposits::from_unit_id.eq(unit).or(deposits::to_unit_id.eq(unit)))
            .limit(MOST_COUNTED)
            .select(deposits::id)
            .load(self.conn)?;
        let pickups: Vec<i64> = holds::table
            .filter(holds::closed_at.is_null().and(holds::pickup_unit_id.eq(unit)))
            .limit(MOST_COUNTED)
            .select(holds::id)
            .load(self.conn)?;
        let journeys: Vec<i64> = transits::table
            .filter(transits::closed_at.is_null().and(transits::to_unit_id.eq(unit)))
            .limit(MOST_COUNTED)
            .select(transits::id)
            .load(self.conn)?;
        let crates: Vec<i64> = crates::table
            .filter(crates::ended_at.is_null())
            .filter(crates::to_unit_id.eq(unit).or(crates::at_unit_id.eq(unit)))
            .limit(MOST_COUNTED)
            .select(crates::id)
            .load(self.conn)?;
        Ok(UnitTies {
            at_home: at_home.len(),
            floating: self.floating_copies(unit)?,
            deposits: open_deposits.len(),
            holds: pickups.len(),
            journeys: journeys.len(),
            crates: crates.len(),
        })
    }

    /// Of collections and of none: each has its index.
    fn floating_copies(&mut self, unit: i64) -> Result<usize, StoreError> {
        let afloat = || {
            let away = items::current_unit_id
                .eq(unit)
                .and(items::current_unit_id.ne(items::home_unit_id));
            items::table.filter(away.and(items::status.eq(ItemStatus::OnShelf.code())))
        };
        let collected: Vec<i64> = afloat()
            .filter(items::collection_id.is_not_null())
            .limit(MOST_COUNTED)
            .select(items::id)
            .load(self.conn)?;
        let plain: Vec<i64> = afloat()
            .filter(items::collection_id.is_null())
            .limit(MOST_COUNTED)
            .select(items::id)
            .load(self.conn)?;
        Ok(collected.len() + plain.len())
    }
}

impl WriteTx<'_> {
    /// Counts what floats at a unit for a decision about an item that may stay there. After every lock of a row: on PostgreSQL who
    /// counts the same stock at the same unit waits until this transaction ends. Nothing is read where nothing depends on it.
    pub fn count_floating(&mut self, item: &mut ItemFacts, at: UnitId) -> Result<(), StoreError> {
        if asks_what_floats(item, at) {
            let (home, collection) = (item.home_of_record.get(), item.collection.map(CollectionId::get));
            item.floating_here = self.floating_at(at, home, collection)?;
        }
        Ok(())
    }

    /// Copies of a collection (without one: of a home and no collection) that float at a unit. Two that come back there at once
    /// count one after the other, or both would find the last place under the cap.
    fn floating_at(&mut self, unit: UnitId, home: i64, collection: Option<i64>) -> Result<u32, StoreError> {
        dialect::lock_floating(self.conn, unit.get(), collection.unwrap_or(home))?;
        let not_deposited_there = items::deposit_unit_id
            .is_null()
            .or(items::deposit_unit_id.ne(unit.get()));
        let floats = items::current_unit_id
            .eq(unit.get())
            .and(items::current_unit_id.ne(items::home_unit_id))
            .and(items::status.eq(ItemStatus::OnShelf.code()));
        let query = items::table.filter(floats).filter(not_deposited_there);
        let n: i64 = match collection {
            Some(collection) => query
                .filter(items::collection_id.eq(collection))
                .count()
                .get_result(self.conn)?,
            None => {
                let plain = items::collection_id.is_null().and(items::home_unit_id.eq(home));
                query.filter(plain).count().get_result(self.conn)?
            }
        };
        Ok(u32::try_from(n).unwrap_or(u32::MAX))
    }
}
