//! Freezes of readers, their appeals, and what other systems reported: beside the ledger.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::super::error::StoreError;
use super::super::schema::{credit_appeals, credit_freezes, credit_reports};
use super::super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{ReaderId, StaffId};

/// Why a reader is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreezeCause {
    /// The balance fell to the floor.
    Floor,
    Staff,
    /// An overdue item in the regime `lock`.
    Overdue,
}

impl FreezeCause {
    /// The word used in the database and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Staff => "staff",
            Self::Overdue => "overdue",
        }
    }
}

/// What ended a freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreezeEnd {
    Time,
    Staff,
    Work,
    Quiz,
    Reversal,
    Loan,
}

impl FreezeEnd {
    /// The word used in the database and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Staff => "staff",
            Self::Work => "work",
            Self::Quiz => "quiz",
            Self::Reversal => "reversal",
            Self::Loan => "loan",
        }
    }
}

/// A freeze.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = credit_freezes)]
pub struct FreezeRow {
    pub id: i64,
    pub reader_id: i64,
    pub cause: String,
    pub entry_id: Option<i64>,
    pub loan_id: Option<i64>,
    pub started_at: i64,
    pub until: Option<i64>,
    pub restart: Option<i64>,
    pub minutes_needed: Option<i32>,
    pub minutes_done: i32,
    pub quiz: bool,
    pub note: Option<String>,
    pub ended_at: Option<i64>,
    pub ended_by: Option<String>,
}

impl FreezeRow {
    /// One that begins, without an end.
    pub fn new(id: i64, reader: ReaderId, cause: FreezeCause, at: DateTime<Utc>) -> Self {
        Self {
            id,
            reader_id: reader.get(),
            cause: cause.code().to_owned(),
            entry_id: None,
            loan_id: None,
            started_at: at.timestamp_millis(),
            until: None,
            restart: None,
            minutes_needed: None,
            minutes_done: 0,
            quiz: false,
            note: None,
            ended_at: None,
            ended_by: None,
        }
    }
}

/// A reader's objection to a line.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct AppealRow {
    pub id: i64,
    pub entry_id: i64,
    pub reader_id: i64,
    pub reason: Option<String>,
    pub made_at: i64,
    pub status: String,
    pub decided_at: Option<i64>,
    pub decided_by: Option<i64>,
    pub answer: Option<String>,
}

/// What became of a report of another system.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = credit_reports)]
pub struct CreditReportRow {
    pub source: String,
    pub report_id: String,
    pub fingerprint: Vec<u8>,
    pub outcome: String,
    pub entry_id: Option<i64>,
    pub reported_at: i64,
}

impl ReadTx<'_> {
    /// A reader's open freezes, the oldest first.
    pub fn open_freezes(&mut self, reader: ReaderId) -> Result<Vec<FreezeRow>, StoreError> {
        Ok(credit_freezes::table
            .filter(
                credit_freezes::reader_id
                    .eq(reader.get())
                    .and(credit_freezes::ended_at.is_null()),
            )
            .order(credit_freezes::id)
            .load(self.conn)?)
    }

    /// Whether the freeze of the programme is open, for having come to the floor.
    pub fn is_frozen_at_floor(&mut self, reader: ReaderId) -> Result<bool, StoreError> {
        let open: i64 = credit_freezes::table
            .filter(
                credit_freezes::reader_id
                    .eq(reader.get())
                    .and(credit_freezes::ended_at.is_null()),
            )
            .filter(credit_freezes::cause.eq(FreezeCause::Floor.code()))
            .count()
            .get_result(self.conn)?;
        Ok(open > 0)
    }

    /// The open freeze for an overdue loan.
    pub fn freeze_of_loan(&mut self, loan: i64) -> Result<Option<FreezeRow>, StoreError> {
        Ok(credit_freezes::table
            .filter(credit_freezes::loan_id.eq(loan).and(credit_freezes::ended_at.is_null()))
            .first(self.conn)
            .optional()?)
    }

    /// Open freezes of readers in a span of ids whose time is over.
    pub fn freezes_over(
        &mut self,
        (after, last): (i64, i64),
        now: DateTime<Utc>,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        Ok(credit_freezes::table
            .filter(
                credit_freezes::ended_at
                    .is_null()
                    .and(credit_freezes::until.le(now.timestamp_millis())),
            )
            .filter(
                credit_freezes::reader_id
                    .gt(after)
                    .and(credit_freezes::reader_id.le(last)),
            )
            .order((credit_freezes::reader_id, credit_freezes::id))
            .select((credit_freezes::reader_id, credit_freezes::id))
            .load(self.conn)?)
    }

    /// The appeal against a line.
    pub fn appeal_of_entry(&mut self, entry: i64) -> Result<Option<AppealRow>, StoreError> {
        Ok(credit_appeals::table
            .filter(credit_appeals::entry_id.eq(entry))
            .first(self.conn)
            .optional()?)
    }

    /// One appeal.
    pub fn appeal(&mut self, id: i64) -> Result<Option<AppealRow>, StoreError> {
        Ok(credit_appeals::table.find(id).first(self.conn).optional()?)
    }

    /// Appeals that wait, the oldest first.
    pub fn open_appeals(&mut self, after: i64, limit: i64) -> Result<Vec<AppealRow>, StoreError> {
        Ok(credit_appeals::table
            .filter(credit_appeals::status.eq("open").and(credit_appeals::id.gt(after)))
            .order(credit_appeals::id)
            .limit(limit)
            .load(self.conn)?)
    }

    /// A report, if it came before.
    pub fn credit_report(&mut self, source: &str, report: &str) -> Result<Option<CreditReportRow>, StoreError> {
        Ok(credit_reports::table
            .find((source, report))
            .first(self.conn)
            .optional()?)
    }
}

impl WriteTx<'_> {
    /// Freezes a reader.
    ///
    /// # Errors
    /// `Conflict` for a second one at the floor, or for the same loan.
    pub fn insert_freeze(&mut self, freeze: &FreezeRow) -> Result<(), StoreError> {
        diesel::insert_into(credit_freezes::table)
            .values(freeze.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends a freeze. What it was for is not kept.
    pub fn end_freeze(&mut self, id: i64, how: FreezeEnd, at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(credit_freezes::table.find(id))
            .set((
                credit_freezes::ended_at.eq(at.timestamp_millis()),
                credit_freezes::ended_by.eq(how.code()),
                credit_freezes::loan_id.eq(None::<i64>),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// A freeze has an end now.
    pub fn set_freeze_end(&mut self, id: i64, until: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(credit_freezes::table.find(id))
            .set(credit_freezes::until.eq(until.timestamp_millis()))
            .execute(self.conn)?;
        Ok(())
    }

    /// Volunteer work that counts for a freeze.
    pub fn add_freeze_minutes(&mut self, id: i64, minutes: i32) -> Result<(), StoreError> {
        diesel::update(credit_freezes::table.find(id))
            .set(credit_freezes::minutes_done.eq(credit_freezes::minutes_done + minutes))
            .execute(self.conn)?;
        Ok(())
    }

    /// A reader objects to a line.
    ///
    /// # Errors
    /// `Conflict` when there is an appeal against it.
    pub fn insert_appeal(
        &mut self,
        id: i64,
        entry: i64,
        reader: ReaderId,
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::insert_into(credit_appeals::table)
            .values((
                credit_appeals::id.eq(id),
                credit_appeals::entry_id.eq(entry),
                credit_appeals::reader_id.eq(reader.get()),
                credit_appeals::reason.eq(reason),
                credit_appeals::made_at.eq(at.timestamp_millis()),
                credit_appeals::status.eq("open"),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// An appeal is decided. False: it was.
    pub fn decide_appeal(
        &mut self,
        id: i64,
        upheld: bool,
        by: Option<StaffId>,
        answer: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let changed = diesel::update(credit_appeals::table.find(id))
            .filter(credit_appeals::status.eq("open"))
            .set((
                credit_appeals::status.eq(if upheld { "upheld" } else { "rejected" }),
                credit_appeals::decided_at.eq(at.timestamp_millis()),
                credit_appeals::decided_by.eq(by.map(StaffId::get)),
                credit_appeals::answer.eq(answer),
            ))
            .execute(self.conn)?;
        Ok(changed == 1)
    }

    /// Keeps what became of a report.
    ///
    /// # Errors
    /// `Conflict` when it is kept already.
    pub fn insert_credit_report(&mut self, report: &CreditReportRow) -> Result<(), StoreError> {
        diesel::insert_into(credit_reports::table)
            .values(report.clone())
            .execute(self.conn)?;
        Ok(())
    }
}
