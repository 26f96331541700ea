//! Loans and hold shelves that a change of calendars concerns: found in small reads, moved and put back in small writes that look
//! again whether anybody changed them meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::hot::on_engine;
use super::schema::{cards, holds, loans, moved_holds, moved_loans};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::UnitId;

/// An open loan on the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable)]
pub struct DueLoan {
    pub id: i64,
    pub item_id: i64,
    pub unit_id: i64,
    /// UTC milliseconds.
    pub due_at: i64,
    pub due_by_hand: bool,
    pub card_id: Option<i64>,
}

/// A copy on a hold shelf.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct ShelvedHold {
    pub id: i64,
    pub unit_id: i64,
    pub shelf_until: Option<String>,
    /// When it got its place there.
    pub captured_at: Option<i64>,
}

/// Something that moves, or goes back, from `old` to `new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move<T> {
    pub id: i64,
    pub old: T,
    pub new: T,
}

/// What a change moved and has not put back, with the unit whose calendar counts.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Moved<T> {
    pub id: i64,
    pub unit_id: i64,
    pub old: T,
    pub new: T,
}

/// The loan, where it was lent, and when it was due before.
pub type MovedLoan = (i64, i64, i64);

impl ReadTx<'_> {
    /// The next open loans in the order of their items.
    pub fn walk_due(&mut self, after_item: i64, limit: i64) -> Result<Vec<DueLoan>, StoreError> {
        let query = loans::table
            .filter(loans::closed_at.is_null().and(loans::item_id.gt(after_item)))
            .order(loans::item_id)
            .limit(limit)
            .select((
                loans::id,
                loans::item_id,
                loans::unit_id,
                loans::due_at,
                loans::due_by_hand,
                loans::card_id,
            ));
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }

    /// On which day these cards end, if they do.
    pub fn card_ends(&mut self, ids: &[i64]) -> Result<HashMap<i64, String>, StoreError> {
        let query = cards::table
            .filter(cards::id.eq_any(ids).and(cards::expires_on.is_not_null()))
            .select((cards::id, cards::expires_on.assume_not_null()));
        let rows: Vec<(i64, String)> = on_engine!(self.conn, conn => query.load(conn))?;
        Ok(rows.into_iter().collect())
    }

    /// What stands on the hold shelves of these units.
    pub fn shelved_holds(&mut self, units: &[UnitId]) -> Result<Vec<ShelvedHold>, StoreError> {
        let units: Vec<i64> = units.iter().map(|unit| unit.get()).collect();
        Ok(holds::table
            .filter(holds::closed_at.is_null().and(holds::shelf_number.is_not_null()))
            .filter(holds::pickup_unit_id.eq_any(units))
            .order((holds::pickup_unit_id, holds::shelf_number))
            .select((holds::id, holds::pickup_unit_id, holds::shelf_until, holds::captured_at))
            .load(self.conn)?)
    }

    /// Which of these holds a change has moved already.
    pub fn holds_moved_by(&mut self, change: i64, ids: &[i64]) -> Result<HashSet<i64>, StoreError> {
        let rows: Vec<i64> = moved_holds::table
            .filter(moved_holds::change_id.eq(change).and(moved_holds::hold_id.eq_any(ids)))
            .select(moved_holds::hold_id)
            .load(self.conn)?;
        Ok(rows.into_iter().collect())
    }

    /// The first loans a change moved.
    pub fn loans_moved_by(&mut self, change: i64, limit: i64) -> Result<Vec<MovedLoan>, StoreError> {
        Ok(moved_loans::table
            .inner_join(loans::table.on(loans::id.eq(moved_loans::loan_id)))
            .filter(moved_loans::change_id.eq(change))
            .order(moved_loans::loan_id)
            .limit(limit)
            .select((loans::id, loans::unit_id, moved_loans::old_due_at))
            .load(self.conn)?)
    }

    /// The next loans that a change moved and nobody changed since.
    pub fn loans_to_put_back(&mut self, change: i64, after: i64, limit: i64) -> Result<Vec<Moved<i64>>, StoreError> {
        Ok(moved_loans::table
            .inner_join(loans::table.on(loans::id.eq(moved_loans::loan_id)))
            .filter(moved_loans::change_id.eq(change).and(moved_loans::put_back.eq(false)))
            .filter(moved_loans::loan_id.gt(after))
            .filter(loans::closed_at.is_null().and(loans::due_by_hand.eq(false)))
            .filter(loans::due_at.eq(moved_loans::new_due_at))
            .order(moved_loans::loan_id)
            .limit(limit)
            .select((
                loans::id,
                loans::unit_id,
                moved_loans::old_due_at,
                moved_loans::new_due_at,
            ))
            .load(self.conn)?)
    }

    /// The next holds of which the same is true, and whose copy stood there when the change was made: a later one got its last day
    /// by the calendar that knew of it.
    pub fn holds_to_put_back(
        &mut self,
        (change, made_at): (i64, i64),
        after: i64,
        limit: i64,
    ) -> Result<Vec<Moved<String>>, StoreError> {
        Ok(moved_holds::table
            .inner_join(holds::table.on(holds::id.eq(moved_holds::hold_id)))
            .filter(moved_holds::change_id.eq(change).and(moved_holds::put_back.eq(false)))
            .filter(moved_holds::hold_id.gt(after))
            .filter(holds::closed_at.is_null().and(holds::captured_at.le(made_at)))
            .filter(holds::shelf_until.eq(moved_holds::new_until.nullable()))
            .order(moved_holds::hold_id)
            .limit(limit)
            .select((
                holds::id,
                holds::pickup_unit_id,
                moved_holds::old_until,
                moved_holds::new_until,
            ))
            .load(self.conn)?)
    }
}

/// The ids of moves between the same two values.
fn together<T: Ord + Clone>(moves: &[Move<T>]) -> BTreeMap<(T, T), Vec<i64>> {
    let mut groups: BTreeMap<(T, T), Vec<i64>> = BTreeMap::new();
    for one in moves {
        let ids = groups.entry((one.old.clone(), one.new.clone())).or_default();
        ids.push(one.id);
    }
    groups
}

macro_rules! insert_all {
    ($conn:expr, $table:expr, $rows:expr) => {
        match &mut *$conn {
            AnyConnection::Sqlite(conn) => {
                for row in $rows {
                    diesel::insert_into($table).values(row).execute(conn)?;
                }
            }
            AnyConnection::Postgres(conn) => {
                diesel::insert_into($table).values($rows).execute(conn)?;
            }
        }
    };
}

impl WriteTx<'_> {
    /// Moves the due dates that are still as they were found, and remembers it; answers how many.
    pub fn move_due_loans(&mut self, change: i64, moves: &[Move<i64>]) -> Result<i64, StoreError> {
        let mut count = 0;
        for ((old, new), ids) in together(moves) {
            let moved = self.set_due(&ids, old, new)?;
            // Moved by this walk before: it goes back to where it was then. Renewed since, that move is history.
            let again = || {
                let before = moved_loans::table.filter(moved_loans::change_id.eq(change));
                before.filter(moved_loans::loan_id.eq_any(moved.clone()))
            };
            let first: Vec<(i64, i64)> = again()
                .filter(moved_loans::new_due_at.eq(old).and(moved_loans::put_back.eq(false)))
                .select((moved_loans::loan_id, moved_loans::old_due_at))
                .load(self.conn)?;
            let first: HashMap<i64, i64> = first.into_iter().collect();
            diesel::delete(again()).execute(self.conn)?;
            count += i64::try_from(moved.len()).unwrap_or(i64::MAX);
            let row = |id: &i64| {
                (
                    moved_loans::change_id.eq(change),
                    moved_loans::loan_id.eq(*id),
                    moved_loans::old_due_at.eq(first.get(id).copied().unwrap_or(old)),
                    moved_loans::new_due_at.eq(new),
                    moved_loans::put_back.eq(false),
                )
            };
            let rows: Vec<_> = moved.iter().map(row).collect();
            insert_all!(self.conn, moved_loans::table, &rows);
        }
        Ok(count)
    }

    /// Puts back the due dates that are still as the change left them; answers how many.
    pub fn put_due_back(&mut self, change: i64, moves: &[Move<i64>]) -> Result<i64, StoreError> {
        let mut count = 0;
        for ((new, back), ids) in together(moves) {
            let done = self.set_due(&ids, new, back)?;
            let rows = moved_loans::table.filter(moved_loans::change_id.eq(change));
            count += diesel::update(rows.filter(moved_loans::loan_id.eq_any(done)))
                .set(moved_loans::put_back.eq(true))
                .execute(self.conn)?;
        }
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }

    fn set_due(&mut self, ids: &[i64], old: i64, new: i64) -> Result<Vec<i64>, StoreError> {
        let standing = loans::table.filter(
            loans::id
                .eq_any(ids)
                .and(loans::closed_at.is_null())
                .and(loans::due_at.eq(old))
                .and(loans::due_by_hand.eq(false)),
        );
        let update = diesel::update(standing).set(loans::due_at.eq(new)).returning(loans::id);
        Ok(on_engine!(self.conn, conn => update.get_results(conn))?)
    }

    /// The same for the last days of hold shelves.
    pub fn move_shelves(&mut self, change: i64, moves: &[Move<String>]) -> Result<i64, StoreError> {
        let mut count = 0;
        for ((old, new), ids) in together(moves) {
            let moved = self.set_until(&ids, &old, &new)?;
            let again = || {
                let before = moved_holds::table.filter(moved_holds::change_id.eq(change));
                before.filter(moved_holds::hold_id.eq_any(moved.clone()))
            };
            let first: Vec<(i64, String)> = again()
                .filter(
                    moved_holds::new_until
                        .eq(old.clone())
                        .and(moved_holds::put_back.eq(false)),
                )
                .select((moved_holds::hold_id, moved_holds::old_until))
                .load(self.conn)?;
            let first: HashMap<i64, String> = first.into_iter().collect();
            diesel::delete(again()).execute(self.conn)?;
            count += i64::try_from(moved.len()).unwrap_or(i64::MAX);
            let row = |id: &i64| {
                (
                    moved_holds::change_id.eq(change),
                    moved_holds::hold_id.eq(*id),
                    moved_holds::old_until.eq(first.get(id).unwrap_or(&old).clone()),
                    moved_holds::new_until.eq(new.clone()),
                    moved_holds::put_back.eq(false),
                )
            };
            let rows: Vec<_> = moved.iter().map(row).collect();
            insert_all!(self.conn, moved_holds::table, &rows);
        }
        Ok(count)
    }

    /// Puts back the last days that are still as the change left them; answers how many.
    pub fn put_shelves_back(&mut self, change: i64, moves: &[Move<String>]) -> Result<i64, StoreError> {
        let mut count = 0;
        for ((new, back), ids) in together(moves) {
            let done = self.set_until(&ids, &new, &back)?;
            let rows = moved_holds::table.filter(moved_holds::change_id.eq(change));
            count += diesel::update(rows.filter(moved_holds::hold_id.eq_any(done)))
                .set(moved_holds::put_back.eq(true))
                .execute(self.conn)?;
        }
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }

    fn set_until(&mut self, ids: &[i64], old: &str, new: &str) -> Result<Vec<i64>, StoreError> {
        let standing = holds::table.filter(
            holds::id
                .eq_any(ids)
                .and(holds::closed_at.is_null())
                .and(holds::shelf_until.eq(old)),
        );
        let update = diesel::update(standing)
            .set(holds::shelf_until.eq(new))
            .returning(holds::id);
        Ok(on_engine!(self.conn, conn => update.get_results(conn))?)
    }
}
