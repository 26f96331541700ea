//! What carriers report of parcels, and what follows for loans.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::error::StoreError;
use super::schema::{cards, loans, parcel_reports, parcels, readers};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::LoanId;

/// What a carrier reported.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = parcel_reports)]
pub struct ReportRow {
    pub report_id: String,
    pub parcel_id: i64,
    pub step: String,
    pub occurred_at: i64,
    pub reported_at: i64,
    pub applied: bool,
}

impl ReadTx<'_> {
    /// A report, if it came before.
    pub fn parcel_report(&mut self, report: &str) -> Result<Option<ReportRow>, StoreError> {
        Ok(parcel_reports::table.find(report).first(self.conn).optional()?)
    }

    /// What the carrier reported of a parcel, in the order in which it happened.
    pub fn parcel_reports(&mut self, id: i64) -> Result<Vec<ReportRow>, StoreError> {
        Ok(parcel_reports::table
            .filter(parcel_reports::parcel_id.eq(id))
            .order((parcel_reports::occurred_at, parcel_reports::reported_at))
            .limit(200)
            .load(self.conn)?)
    }

    /// Open parcels after `after`, by id, of which nothing was heard since `before` and that are not alarmed.
    pub fn silent_parcels(&mut self, before: DateTime<Utc>, after: i64, limit: i64) -> Result<Vec<i64>, StoreError> {
        let before = before.timestamp_millis();
        let heard = parcel_reports::table
            .filter(parcel_reports::parcel_id.eq(parcels::id))
            .filter(parcel_reports::reported_at.ge(before));
        Ok(parcels::table
            .filter(parcels::closed_at.is_null().and(parcels::alarmed_at.is_null()))
            .filter(parcels::id.gt(after).and(parcels::opened_at.lt(before)))
            .filter(
                parcels::posted_at
                    .is_null()
                    .or(parcels::posted_at.lt(before).assume_not_null()),
            )
            .filter(diesel::dsl::not(diesel::dsl::exists(heard)))
            .order(parcels::id)
            .limit(limit)
            .select(parcels::id)
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Nobody has heard of a parcel for days.
    pub fn alarm_parcel(&mut self, id: i64, at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(parcels::table.find(id))
            .set(parcels::alarmed_at.eq(at.timestamp_millis()))
            .execute(self.conn)?;
        Ok(())
    }

    /// A parcel that was closed has not arrived.
    pub fn give_up_parcel(&mut self, id: i64, at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(parcels::table.find(id))
            .set(parcels::given_up_at.eq(at.timestamp_millis()))
            .execute(self.conn)?;
        Ok(())
    }

    /// Keeps a report.
    ///
    /// # Errors
    /// `Conflict` when it is kept already.
    pub fn insert_parcel_report(&mut self, report: &ReportRow) -> Result<(), StoreError> {
        diesel::insert_into(parcel_reports::table)
            .values(report.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// A loan that travels by parcel is due later than was thought when it was made.
    pub fn postpone_due(&mut self, loan: LoanId, due_at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(loans::table.find(loan.get()))
            .set(loans::due_at.eq(due_at.timestamp_millis()))
            .execute(self.conn)?;
        Ok(())
    }

    /// What decides whether the due date of a loan may be set anew: open, not renewed or recalled, not by hand; the reader's
    /// credit band and the card's end.
    pub fn loan_to_postpone(&mut self, loan: i64) -> Result<Option<(String, Option<String>)>, StoreError> {
        Ok(loans::table
            .inner_join(readers::table.on(loans::reader_id.eq(readers::id.nullable())))
            .left_join(cards::table.on(loans::card_id.eq(cards::id.nullable())))
            .filter(loans::id.eq(loan).and(loans::closed_at.is_null()))
            .filter(loans::renewals.eq(0).and(loans::due_by_hand.eq(false)))
            .filter(loans::recalled_at.is_null())
            .select((readers::credit_band, cards::expires_on.nullable()))
            .first(self.conn)
            .optional()?)
    }
}
