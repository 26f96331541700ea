//! Changes of calendars and how far the walk that follows each is. The walk itself: see `due_moves`.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::dialect;
use super::error::StoreError;
use super::readers::day_text;
use super::schema::calendar_changes;
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::UnitId;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// An emergency closing: it closes days itself.
    Closing,
    ClosedDays,
    Hours,
    /// Exceptional openings were removed.
    Openings,
    /// The unit's place in the tree, whether it is a machine or a vehicle, or the vehicle's stops.
    Unit,
}

impl ChangeKind {
    /// The word used in the database.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Closing => "closing",
            Self::ClosedDays => "closed_days",
            Self::Hours => "hours",
            Self::Openings => "openings",
            Self::Unit => "unit",
        }
    }
}

/// Of a walk that moves.
pub const MOVING: &str = "moving";
/// Of one that has seen everything and waits for transactions older than the change.
pub const SETTLING: &str = "settling";
/// Everything has moved.
pub const DONE: &str = "done";
/// Of a walk that puts back.
pub const UNDOING: &str = "undoing";
/// Everything is back that nobody changed since.
pub const UNDONE: &str = "undone";

/// A change's row.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = calendar_changes)]
pub struct ChangeRow {
    pub id: i64,
    pub kind: String,
    pub unit_id: i64,
    pub first_day: Option<String>,
    pub last_day: Option<String>,
    pub reason: Option<String>,
    pub made_at: i64,
    pub undone_at: Option<i64>,
    pub status: String,
    pub walks_holds: bool,
    pub after_id: i64,
    pub began_at: Option<i64>,
    pub sure: bool,
    pub expected: Option<i64>,
    pub looked_at: i64,
    pub moved_loans: i64,
    pub moved_holds: i64,
    pub put_back: i64,
    pub finished_at: Option<i64>,
}

impl ReadTx<'_> {
    /// One change.
    pub fn calendar_change(&mut self, id: i64) -> Result<Option<ChangeRow>, StoreError> {
        Ok(calendar_changes::table.find(id).first(self.conn).optional()?)
    }

    /// The next change whose walk has not ended.
    pub fn change_under_way(&mut self, after: i64) -> Result<Option<ChangeRow>, StoreError> {
        Ok(calendar_changes::table
            .filter(calendar_changes::id.gt(after))
            .filter(calendar_changes::status.eq_any([MOVING, SETTLING, UNDOING]))
            .order(calendar_changes::id)
            .first(self.conn)
            .optional()?)
    }

    /// The units below which a walk has not ended.
    pub fn units_under_way(&mut self) -> Result<Vec<UnitId>, StoreError> {
        let units: Vec<i64> = calendar_changes::table
            .filter(calendar_changes::status.eq_any([MOVING, SETTLING, UNDOING]))
            .select(calendar_changes::unit_id)
            .load(self.conn)?;
        Ok(units.into_iter().map(UnitId::new).collect())
    }

    /// Emergency closings of these units, the newest first; `None`: of any unit.
    pub fn closings(
        &mut self,
        units: Option<&[UnitId]>,
        before: i64,
        limit: i64,
    ) -> Result<Vec<ChangeRow>, StoreError> {
        let mut query = calendar_changes::table
            .filter(calendar_changes::kind.eq("closing"))
            .filter(calendar_changes::id.lt(before))
            .order(calendar_changes::id.desc())
            .limit(limit)
            .into_boxed();
        if let Some(units) = units {
            let units: Vec<i64> = units.iter().map(|unit| unit.get()).collect();
            query = query.filter(calendar_changes::unit_id.eq_any(units));
        }
        Ok(query.load(self.conn)?)
    }

    /// The database's own clock, in microseconds; transactions begun later know what this one sees.
    pub fn moment_of_database(&mut self) -> Result<i64, StoreError> {
        Ok(dialect::moment(self.conn)?)
    }

    /// Whether a transaction from before that moment may still bring a loan.
    pub fn has_older_writers(&mut self, than: i64) -> Result<bool, StoreError> {
        Ok(dialect::has_older_writers(self.conn, than)?)
    }
}

impl WriteTx<'_> {
    /// Notes a change of a unit's calendar; the walk begins with the next look for one.
    pub fn insert_change(&mut self, id: i64, kind: ChangeKind, unit: UnitId) -> Result<(), StoreError> {
        diesel::insert_into(calendar_changes::table)
            .values((
                calendar_changes::id.eq(id),
                calendar_changes::kind.eq(kind.code()),
                calendar_changes::unit_id.eq(unit.get()),
                calendar_changes::made_at.eq(self.now().timestamp_millis()),
                calendar_changes::status.eq(MOVING),
                calendar_changes::walks_holds.eq(true),
                calendar_changes::after_id.eq(0),
                calendar_changes::sure.eq(false),
                calendar_changes::looked_at.eq(0),
                calendar_changes::moved_loans.eq(0),
                calendar_changes::moved_holds.eq(0),
                calendar_changes::put_back.eq(0),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Notes an emergency closing, which is in force from now on.
    pub fn insert_closing(
        &mut self,
        id: i64,
        unit: UnitId,
        (first, last): (NaiveDate, NaiveDate),
        reason: &str,
    ) -> Result<(), StoreError> {
        diesel::insert_into(calendar_changes::table)
            .values((
                calendar_changes::id.eq(id),
                calendar_changes::kind.eq(ChangeKind::Closing.code()),
                calendar_changes::unit_id.eq(unit.get()),
                calendar_changes::first_day.eq(day_text(first)),
                calendar_changes::last_day.eq(day_text(last)),
                calendar_changes::reason.eq(reason),
                calendar_changes::made_at.eq(self.now().timestamp_millis()),
                calendar_changes::status.eq(MOVING),
                calendar_changes::walks_holds.eq(true),
                calendar_changes::after_id.eq(0),
                calendar_changes::sure.eq(false),
                calendar_changes::looked_at.eq(0),
                calendar_changes::moved_loans.eq(0),
                calendar_changes::moved_holds.eq(0),
                calendar_changes::put_back.eq(0),
            ))
            .execute(self.conn)?;
        self.bump_config_version()
    }

    /// Ends an emergency closing: what it moved is put back from now on.
    pub fn begin_undoing(&mut self, id: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(calendar_changes::table.find(id))
            .set((
                calendar_changes::status.eq(UNDOING),
                calendar_changes::undone_at.eq(now.timestamp_millis()),
                calendar_changes::finished_at.eq(None::<i64>),
                calendar_changes::walks_holds.eq(true),
                calendar_changes::after_id.eq(0),
                calendar_changes::looked_at.eq(0),
            ))
            .execute(self.conn)?;
        self.bump_config_version()
    }

    /// Begins a walk from its start; false when another node was first.
    pub fn begin_walk(
        &mut self,
        row: &ChangeRow,
        began_at: i64,
        sure: bool,
        expected: i64,
    ) -> Result<bool, StoreError> {
        let begun = diesel::update(standing(row))
            .set((
                calendar_changes::status.eq(MOVING),
                calendar_changes::began_at.eq(began_at),
                calendar_changes::sure.eq(sure),
                calendar_changes::expected.eq(expected),
                calendar_changes::walks_holds.eq(true),
                calendar_changes::after_id.eq(0),
                calendar_changes::looked_at.eq(0),
            ))
            .execute(self.conn)?;
        Ok(begun == 1)
    }

    /// Takes a step of the walk: from where `row` stands to `walks_holds` and `after`. False when another node was first; then
    /// nothing of the step may be written.
    pub fn take_step(
        &mut self,
        row: &ChangeRow,
        (walks_holds, after): (bool, i64),
        looked_at: i64,
    ) -> Result<bool, StoreError> {
        let taken = diesel::update(standing(row))
            .set((
                calendar_changes::walks_holds.eq(walks_holds),
                calendar_changes::after_id.eq(after),
                calendar_changes::looked_at.eq(calendar_changes::looked_at + looked_at),
            ))
            .execute(self.conn)?;
        Ok(taken == 1)
    }

    /// Adds to what a walk has done.
    pub fn count_moves(&mut self, id: i64, loans: i64, holds: i64, put_back: i64) -> Result<(), StoreError> {
        diesel::update(calendar_changes::table.find(id))
            .set((
                calendar_changes::moved_loans.eq(calendar_changes::moved_loans + loans),
                calendar_changes::moved_holds.eq(calendar_changes::moved_holds + holds),
                calendar_changes::put_back.eq(calendar_changes::put_back + put_back),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends a walk where `row` stands; false when another node was first.
    pub fn end_walk(&mut self, row: &ChangeRow, status: &'static str) -> Result<bool, StoreError> {
        let finished = (status != SETTLING).then(|| self.now().timestamp_millis());
        let ended = diesel::update(standing(row))
            .set((
                calendar_changes::status.eq(status),
                calendar_changes::finished_at.eq(finished),
            ))
            .execute(self.conn)?;
        Ok(ended == 1)
    }
}

type Standing = diesel::helper_types::Filter<
    diesel::helper_types::Find<calendar_changes::table, i64>,
    diesel::dsl::And<
        diesel::dsl::And<
            diesel::dsl::Eq<calendar_changes::status, String>,
            diesel::dsl::Eq<calendar_changes::walks_holds, bool>,
        >,
        diesel::dsl::Eq<calendar_changes::after_id, i64>,
    >,
>;

/// The change, if its walk still is where `row` says.
fn standing(row: &ChangeRow) -> Standing {
    calendar_changes::table.find(row.id).filter(
        calendar_changes::status
            .eq(row.status.clone())
            .and(calendar_changes::walks_holds.eq(row.walks_holds))
            .and(calendar_changes::after_id.eq(row.after_id)),
    )
}
