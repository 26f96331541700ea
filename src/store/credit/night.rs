//! What a write of the night reads of many readers at once, under their locks.

use chrono::NaiveDate;
use diesel::prelude::*;

use super::super::error::StoreError;
use super::super::hot::on_engine;
use super::super::items::parse_day;
use super::super::readers::day_text;
use super::super::schema::{credit_entries, credit_overdue, loans, readers};
use super::super::tx::ReadTx;
use super::feed::{OverdueLoan, OverdueRow, overdue_columns, overdue_loan};
use super::{AccountRow, CreditAccount, account_columns};
use crate::domain::credit::{CreditEvent, EntryKind};
use crate::domain::ids::ReaderId;
use crate::domain::reader::CreditBand;

impl ReadTx<'_> {
    /// Accounts of some readers; those that are gone are missing.
    pub fn credit_accounts(&mut self, of: &[ReaderId]) -> Result<Vec<CreditAccount>, StoreError> {
        let ids: Vec<i64> = of.iter().map(|reader| reader.get()).collect();
        let query = readers::table
            .filter(readers::id.eq_any(ids).and(readers::merged_into.is_null()))
            .select(account_columns!());
        let rows: Vec<AccountRow> = on_engine!(self.conn, conn => query.load(conn))?;
        let mut accounts: Vec<CreditAccount> = rows
            .into_iter()
            .map(CreditAccount::try_from)
            .collect::<Result<_, _>>()?;
        for account in &mut accounts {
            // Few are frozen.
            if account.band == CreditBand::Frozen {
                account.at_floor = self.is_frozen_at_floor(account.reader)?;
            }
        }
        Ok(accounts)
    }

    /// On which day the ledgers of some readers were opened; those that are not are missing.
    pub fn credit_opened_by_each(&mut self, of: &[ReaderId]) -> Result<Vec<(ReaderId, NaiveDate)>, StoreError> {
        let ids: Vec<i64> = of.iter().map(|reader| reader.get()).collect();
        let query = credit_entries::table
            .filter(credit_entries::reader_id.eq_any(ids).and(credit_entries::number.eq(1)))
            .select((credit_entries::reader_id, credit_entries::day));
        let rows: Vec<(i64, String)> = on_engine!(self.conn, conn => query.load(conn))?;
        rows.into_iter()
            .map(|(reader, day)| Ok((ReaderId::new(reader), parse_day(&day)?)))
            .collect()
    }

    /// Of some loans those that are open, or of which days are still to be charged, with what their overdue days cost.
    pub fn loans_to_charge(&mut self, ids: &[i64]) -> Result<Vec<OverdueLoan>, StoreError> {
        let query = loans::table
            .left_join(credit_overdue::table.on(credit_overdue::loan_id.eq(loans::id)))
            .filter(loans::id.eq_any(ids.to_vec()))
            .filter(
                loans::closed_at
                    .is_null()
                    .or(credit_overdue::rest_until.nullable().is_not_null()),
            )
            .select(overdue_columns!());
        let rows: Vec<OverdueRow> = on_engine!(self.conn, conn => query.load(conn))?;
        rows.into_iter()
            .filter_map(|row| overdue_loan(row).transpose())
            .collect()
    }

    /// What some events have moved for each of some readers on each day of a span, as `credit_used` says of one.
    pub fn credit_used_by_each(
        &mut self,
        of: &[ReaderId],
        events: &[CreditEvent],
        (first, last): (NaiveDate, NaiveDate),
    ) -> Result<Vec<(ReaderId, NaiveDate, i64)>, StoreError> {
        let ids: Vec<i64> = of.iter().map(|reader| reader.get()).collect();
        let codes: Vec<&str> = events.iter().map(|event| event.code()).collect();
        let rows: Vec<(i64, String, i64)> = credit_entries::table
            .filter(
                credit_entries::reader_id
                    .eq_any(ids)
                    .and(credit_entries::event.eq_any(codes)),
            )
            .filter(
                credit_entries::day
                    .ge(day_text(first))
                    .and(credit_entries::day.le(day_text(last))),
            )
            .filter(credit_entries::kind.ne(EntryKind::Lapse.code()))
            .select((credit_entries::reader_id, credit_entries::day, credit_entries::points))
            .load(self.conn)?;
        rows.into_iter()
            .map(|(reader, day, points)| Ok((ReaderId::new(reader), parse_day(&day)?, points)))
            .collect()
    }
}
