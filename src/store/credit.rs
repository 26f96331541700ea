//! The ledger of credit: a reader's account under its lock, lines that are appended, and the line that undoes another.
//! Not for: what a line comes to (see `domain::post_credit`), freezes (see `freezes`).

mod audit;
pub mod feed;
pub mod freezes;
mod night;

use chrono::NaiveDate;
use diesel::prelude::*;

use super::error::StoreError;
use super::hot::on_engine;
use super::items::parse_day;
use super::readers::{band_from_code, day_text};
use super::schema::{credit_entries, credit_reasons, holds, loans, readers};
use super::tx::{ReadTx, WriteTx};
use crate::domain::credit::{CreditEvent, EntryCause, EntryKind};
use crate::domain::ids::{CategoryId, ReaderId, UnitId};
use crate::domain::reader::CreditBand;

/// A reader's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditAccount {
    pub reader: ReaderId,
    pub balance: i64,
    /// Lines so far; 0: the ledger is not opened yet.
    pub entries: i64,
    pub band: CreditBand,
    /// The freeze of the programme, for having come to the floor, is open.
    pub at_floor: bool,
    pub home: UnitId,
    pub category: CategoryId,
    pub birth_date: Option<NaiveDate>,
}

type AccountRow = (i64, i64, i64, String, i64, i64, Option<String>);

macro_rules! account_columns {
    () => {
        (
            readers::id,
            readers::credit_balance,
            readers::credit_entries,
            readers::credit_band,
            readers::home_unit_id,
            readers::category_id,
            readers::birth_date,
        )
    };
}
use account_columns;

impl TryFrom<AccountRow> for CreditAccount {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Result<Self, StoreError> {
        let (id, balance, entries, band, home, category, birth_date) = row;
        Ok(Self {
            reader: ReaderId::new(id),
            balance,
            entries,
            band: band_from_code(&band)?,
            at_floor: false,
            home: UnitId::new(home),
            category: CategoryId::new(category),
            birth_date: birth_date.as_deref().map(parse_day).transpose()?,
        })
    }
}

/// A line to be appended.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = credit_entries)]
pub struct NewCreditEntry {
    pub id: i64,
    pub reader_id: i64,
    pub number: i64,
    pub posted_at: i64,
    pub day: String,
    pub kind: &'static str,
    pub event: Option<&'static str>,
    pub points: i64,
    pub asked: i64,
    pub limited_by: Option<String>,
    pub balance: i64,
    pub rules_version: i64,
    pub cause: &'static str,
    pub undoes_id: Option<i64>,
}

/// Why a line is there, as far as it is personal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreditReason {
    pub loan_id: Option<i64>,
    pub hold_id: Option<i64>,
    pub staff_id: Option<i64>,
    pub note: Option<String>,
}

impl CreditReason {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A line with its reason, if that is still there.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct CreditEntryRow {
    pub id: i64,
    pub reader_id: i64,
    pub number: i64,
    pub posted_at: i64,
    pub day: String,
    pub kind: String,
    pub event: Option<String>,
    pub points: i64,
    pub asked: i64,
    pub limited_by: Option<String>,
    pub balance: i64,
    pub rules_version: i64,
    pub cause: String,
    pub undoes_id: Option<i64>,
    pub undone_by: Option<i64>,
    pub loan_id: Option<i64>,
    pub hold_id: Option<i64>,
    pub note: Option<String>,
}

impl CreditEntryRow {
    /// What kind of line it is.
    ///
    /// # Errors
    /// `Corrupt` for a word this version does not know.
    pub fn kind(&self) -> Result<EntryKind, StoreError> {
        EntryKind::from_code(&self.kind).ok_or_else(|| {
            StoreError::Corrupt(format!("credit entry {} is of the unknown kind {}", self.id, self.kind))
        })
    }

    /// What it is about.
    pub fn event(&self) -> Option<CreditEvent> {
        self.event.as_deref().and_then(CreditEvent::from_code)
    }

    /// Who or what made it.
    pub fn cause(&self) -> Option<EntryCause> {
        EntryCause::from_code(&self.cause)
    }
}

macro_rules! entry_columns {
    () => {
        (
            credit_entries::id,
            credit_entries::reader_id,
            credit_entries::number,
            credit_entries::posted_at,
            credit_entries::day,
            credit_entries::kind,
            credit_entries::event,
            credit_entries::points,
            credit_entries::asked,
            credit_entries::limited_by,
            credit_entries::balance,
            credit_entries::rules_version,
            credit_entries::cause,
            credit_entries::undoes_id,
            credit_entries::undone_by,
            credit_reasons::loan_id.nullable(),
            credit_reasons::hold_id.nullable(),
            credit_reasons::note.nullable(),
        )
    };
}

/// Lines with their reasons.
macro_rules! entries {
    () => {
        credit_entries::table.left_join(credit_reasons::table.on(credit_reasons::entry_id.eq(credit_entries::id)))
    };
}

impl ReadTx<'_> {
    /// A reader's account; none of one that was merged into another.
    pub fn credit_account(&mut self, reader: ReaderId) -> Result<Option<CreditAccount>, StoreError> {
        let query = readers::table
            .filter(readers::id.eq(reader.get()).and(readers::merged_into.is_null()))
            .select(account_columns!());
        let row: Option<AccountRow> = on_engine!(self.conn, conn => query.first(conn).optional())?;
        let Some(mut account) = row.map(CreditAccount::try_from).transpose()? else {
            return Ok(None);
        };
        // Nobody else has one.
        if account.band == CreditBand::Frozen {
            account.at_floor = self.is_frozen_at_floor(reader)?;
        }
        Ok(Some(account))
    }

    /// Lines of a reader, the newest first, before a number.
    pub fn credit_entries_of(
        &mut self,
        reader: ReaderId,
        before: i64,
        limit: i64,
    ) -> Result<Vec<CreditEntryRow>, StoreError> {
        let query = entries!()
            .filter(
                credit_entries::reader_id
                    .eq(reader.get())
                    .and(credit_entries::number.lt(before)),
            )
            .order(credit_entries::number.desc())
            .limit(limit)
            .select(entry_columns!());
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }

    /// One line.
    pub fn credit_entry(&mut self, id: i64) -> Result<Option<CreditEntryRow>, StoreError> {
        let query = entries!().filter(credit_entries::id.eq(id)).select(entry_columns!());
        Ok(on_engine!(self.conn, conn => query.first(conn).optional())?)
    }

    /// Lines about a loan and an event that stand, the latest day first.
    pub fn credit_entries_of_loan(&mut self, loan: i64, event: CreditEvent) -> Result<Vec<CreditEntryRow>, StoreError> {
        let query = entries!()
            .filter(
                credit_reasons::loan_id
                    .eq(loan)
                    .and(credit_entries::event.eq(event.code())),
            )
            .filter(
                credit_entries::kind
                    .eq(EntryKind::Rule.code())
                    .and(credit_entries::undone_by.is_null()),
            )
            .order((credit_entries::day.desc(), credit_entries::id.desc()))
            .select(entry_columns!());
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }

    /// What some events have moved on each day of a span, those that were undone taken back.
    pub fn credit_used(
        &mut self,
        reader: ReaderId,
        events: &[CreditEvent],
        (first, last): (NaiveDate, NaiveDate),
    ) -> Result<Vec<(NaiveDate, i64)>, StoreError> {
        let codes: Vec<&str> = events.iter().map(|event| event.code()).collect();
        let rows: Vec<(String, i64)> = credit_entries::table
            .filter(
                credit_entries::reader_id
                    .eq(reader.get())
                    .and(credit_entries::event.eq_any(codes)),
            )
            .filter(
                credit_entries::day
                    .ge(day_text(first))
                    .and(credit_entries::day.le(day_text(last))),
            )
            .filter(credit_entries::kind.ne(EntryKind::Lapse.code()))
            .select((credit_entries::day, credit_entries::points))
            .load(self.conn)?;
        rows.into_iter()
            .map(|(day, points)| Ok((parse_day(&day)?, points)))
            .collect()
    }

    /// What an event has moved for a loan.
    pub fn credit_used_by_loan(&mut self, loan: i64, events: &[CreditEvent]) -> Result<i64, StoreError> {
        let codes: Vec<&str> = events.iter().map(|event| event.code()).collect();
        let rows: Vec<i64> = entries!()
            .filter(
                credit_reasons::loan_id
                    .eq(loan)
                    .and(credit_entries::event.eq_any(codes)),
            )
            .filter(credit_entries::kind.ne(EntryKind::Lapse.code()))
            .select(credit_entries::points)
            .load(self.conn)?;
        Ok(rows.into_iter().sum())
    }

    /// Which of some loans are open.
    pub fn open_among_loans(&mut self, of: &[i64]) -> Result<Vec<i64>, StoreError> {
        let query = loans::table
            .filter(loans::id.eq_any(of).and(loans::closed_at.is_null()))
            .select(loans::id);
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }

    /// Whose loan it is, open or not; `None` once it is unlinked.
    pub fn reader_of_loan(&mut self, loan: i64) -> Result<Option<ReaderId>, StoreError> {
        let reader: Option<Option<i64>> = loans::table
            .find(loan)
            .select(loans::reader_id)
            .first(self.conn)
            .optional()?;
        Ok(reader.flatten().map(ReaderId::new))
    }
}

impl WriteTx<'_> {
    /// Locks a reader (after bibs and items) and reads the account.
    pub fn lock_credit(&mut self, reader: ReaderId) -> Result<Option<CreditAccount>, StoreError> {
        self.lock_readers(&[reader])?;
        self.credit_account(reader)
    }

    /// Appends a line and its reason; the account follows in the same write. Of a loan or hold that was unlinked from its reader
    /// meanwhile the reason does not say whose it was.
    pub fn append_credit(
        &mut self,
        entry: &NewCreditEntry,
        reason: &CreditReason,
        band: CreditBand,
    ) -> Result<(), StoreError> {
        diesel::insert_into(credit_entries::table)
            .values(entry.clone())
            .execute(self.conn)?;
        if !reason.is_empty() {
            let linked_loan = loans::table
                .filter(loans::id.nullable().eq(reason.loan_id))
                .filter(loans::reader_id.is_not_null())
                .select(loans::id);
            let linked_hold = holds::table
                .filter(holds::id.nullable().eq(reason.hold_id))
                .filter(holds::reader_id.is_not_null())
                .select(holds::id);
            diesel::insert_into(credit_reasons::table)
                .values((
                    credit_reasons::entry_id.eq(entry.id),
                    credit_reasons::loan_id.eq(linked_loan.single_value()),
                    credit_reasons::hold_id.eq(linked_hold.single_value()),
                    credit_reasons::staff_id.eq(reason.staff_id),
                    credit_reasons::note.eq(&reason.note),
                ))
                .execute(self.conn)?;
        }
        if let Some(undone) = entry.undoes_id {
            diesel::update(credit_entries::table.find(undone))
                .set(credit_entries::undone_by.eq(entry.id))
                .execute(self.conn)?;
        }
        diesel::update(readers::table.find(entry.reader_id))
            .set((
                readers::credit_balance.eq(entry.balance),
                readers::credit_entries.eq(entry.number),
                readers::credit_band.eq(band.code()),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Gives a reader another band, without a line.
    pub fn set_credit_band(&mut self, reader: ReaderId, band: CreditBand) -> Result<(), StoreError> {
        diesel::update(readers::table.find(reader.get()))
            .set(readers::credit_band.eq(band.code()))
            .execute(self.conn)?;
        Ok(())
    }

    /// A loan is not linked to its reader any more: nor do lines say what they were about.
    pub fn unlink_credit_of_loan(&mut self, loan: i64) -> Result<(), StoreError> {
        diesel::update(credit_reasons::table.filter(credit_reasons::loan_id.eq(loan)))
            .set(credit_reasons::loan_id.eq(None::<i64>))
            .execute(self.conn)?;
        Ok(())
    }

    /// A hold is not linked to its reader any more.
    pub fn unlink_credit_of_hold(&mut self, hold: i64) -> Result<(), StoreError> {
        diesel::update(credit_reasons::table.filter(credit_reasons::hold_id.eq(hold)))
            .set(credit_reasons::hold_id.eq(None::<i64>))
            .execute(self.conn)?;
        Ok(())
    }
}
