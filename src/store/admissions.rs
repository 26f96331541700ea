//! Requests to providers, and who let a reader in. Never a score.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::error::StoreError;
use super::items::parse_day;
use super::schema::{admission_reports, admission_requests, readers};
use super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::admission::{AdmissionState, AdmittedBy};
use crate::domain::entry_gate::Entry;
use crate::domain::ids::{CategoryId, ReaderId, UnitId};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct AdmissionRow {
    pub id: i64,
    pub reader_id: i64,
    pub provider: String,
    pub state: String,
    pub order_key: String,
    pub asked_at: i64,
    pub decided_at: Option<i64>,
    pub agree_url: Option<String>,
    pub agreed_at: Option<i64>,
    pub ended_at: Option<i64>,
}

impl AdmissionRow {
    /// Where it is in its life.
    ///
    /// # Errors
    /// `Corrupt` for a word this version does not know.
    pub fn state(&self) -> Result<AdmissionState, StoreError> {
        AdmissionState::from_code(&self.state).ok_or_else(|| {
            StoreError::Corrupt(format!(
                "admission request {} has the unknown state {}",
                self.id, self.state
            ))
        })
    }
}

/// What a provider reported.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = admission_reports)]
pub struct AdmissionReportRow {
    pub provider: String,
    pub report_id: String,
    pub request_id: i64,
    pub decision: String,
    pub reported_at: i64,
    pub applied: bool,
}

/// A reader at the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    pub reader: ReaderId,
    pub name: String,
    pub home: UnitId,
    pub category: CategoryId,
    pub birth_date: Option<NaiveDate>,
    pub admitted_by: Option<String>,
    pub entry: Entry,
}

type NewcomerRow = (i64, String, i64, i64, Option<String>, Option<String>, i64);

impl ReadTx<'_> {
    /// A reader at the gate.
    pub fn newcomer(&mut self, reader: ReaderId) -> Result<Option<Newcomer>, StoreError> {
        let row: Option<NewcomerRow> = readers::table
            .find(reader.get())
            .select((
                readers::id,
                readers::name,
                readers::home_unit_id,
                readers::category_id,
                readers::birth_date,
                readers::admitted_by,
                readers::created_at,
            ))
            .first(self.conn)
            .optional()?;
        let newcomer = row.map(|(id, name, home, category, birth_date, admitted_by, created_at)| {
            Ok(Newcomer {
                reader: ReaderId::new(id),
                name,
                home: UnitId::new(home),
                category: CategoryId::new(category),
                birth_date: birth_date.as_deref().map(parse_day).transpose()?,
                entry: Entry {
                    admitted: admitted_by.is_some(),
                    registered_at: from_millis(created_at),
                },
                admitted_by,
            })
        });
        newcomer.transpose()
    }

    /// The newest request of a reader.
    pub fn admission_of(&mut self, reader: ReaderId) -> Result<Option<AdmissionRow>, StoreError> {
        Ok(admission_requests::table
            .filter(admission_requests::reader_id.eq(reader.get()))
            .order(admission_requests::id.desc())
            .first(self.conn)
            .optional()?)
    }

    /// Requests of a person, also under records that were merged into this one, the newest first.
    pub fn admissions_of(&mut self, reader: ReaderId) -> Result<Vec<AdmissionRow>, StoreError> {
        let person = readers::table
            .filter(readers::id.eq(reader.get()).or(readers::merged_into.eq(reader.get())))
            .select(readers::id);
        Ok(admission_requests::table
            .filter(admission_requests::reader_id.eq_any(person))
            .order(admission_requests::id.desc())
            .load(self.conn)?)
    }

    /// A request by its number.
    pub fn admission(&mut self, id: i64) -> Result<Option<AdmissionRow>, StoreError> {
        Ok(admission_requests::table.find(id).first(self.conn).optional()?)
    }

    /// A request by the key that its provider knows.
    pub fn admission_by_key(&mut self, provider: &str, key: &str) -> Result<Option<AdmissionRow>, StoreError> {
        Ok(admission_requests::table
            .filter(
                admission_requests::order_key
                    .eq(key)
                    .and(admission_requests::provider.eq(provider)),
            )
            .first(self.conn)
            .optional()?)
    }

    /// What a provider reported under a number of its own.
    pub fn admission_report(
        &mut self,
        provider: &str,
        report_id: &str,
    ) -> Result<Option<AdmissionReportRow>, StoreError> {
        Ok(admission_reports::table
            .find((provider, report_id))
            .first(self.conn)
            .optional()?)
    }
}

impl WriteTx<'_> {
    /// A request that begins.
    pub fn insert_admission(
        &mut self,
        id: i64,
        reader: ReaderId,
        provider: &str,
        order_key: &str,
    ) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        diesel::insert_into(admission_requests::table)
            .values((
                admission_requests::id.eq(id),
                admission_requests::reader_id.eq(reader.get()),
                admission_requests::provider.eq(provider),
                admission_requests::state.eq(AdmissionState::Asked.code()),
                admission_requests::order_key.eq(order_key),
                admission_requests::asked_at.eq(now),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Where the reader agrees, as long as nothing was decided.
    pub fn set_agree_url(&mut self, id: i64, url: &str) -> Result<(), StoreError> {
        diesel::update(admission_requests::table.find(id))
            .filter(admission_requests::decided_at.is_null())
            .set(admission_requests::agree_url.eq(url))
            .execute(self.conn)?;
        Ok(())
    }

    /// The reader has agreed.
    pub fn agree_admission(&mut self, id: i64, at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(admission_requests::table.find(id))
            .filter(admission_requests::decided_at.is_null())
            .set((
                admission_requests::state.eq(AdmissionState::Agreed.code()),
                admission_requests::agreed_at.eq(at.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends the asking. False: it was decided before.
    pub fn decide_admission(&mut self, id: i64, to: AdmissionState) -> Result<bool, StoreError> {
        let now = self.now().timestamp_millis();
        let changed = diesel::update(admission_requests::table.find(id))
            .filter(admission_requests::decided_at.is_null())
            .set((
                admission_requests::state.eq(to.code()),
                admission_requests::decided_at.eq(now),
                admission_requests::agree_url.eq(None::<String>),
            ))
            .execute(self.conn)?;
        Ok(changed == 1)
    }

    /// Nothing is asked or told under it any more.
    pub fn end_admission(&mut self, id: i64) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        diesel::update(admission_requests::table.find(id))
            .set(admission_requests::ended_at.eq(now))
            .execute(self.conn)?;
        Ok(())
    }

    /// Lets a reader in. False: somebody did before.
    pub fn admit_reader(&mut self, reader: ReaderId, by: AdmittedBy) -> Result<bool, StoreError> {
        let changed = diesel::update(readers::table.find(reader.get()))
            .filter(readers::admitted_by.is_null())
            .set(readers::admitted_by.eq(by.code()))
            .execute(self.conn)?;
        Ok(changed == 1)
    }

    /// The reader is at the gate again.
    pub fn send_back_to_gate(&mut self, reader: ReaderId) -> Result<(), StoreError> {
        diesel::update(readers::table.find(reader.get()))
            .set(readers::admitted_by.eq(None::<String>))
            .execute(self.conn)?;
        Ok(())
    }

    /// Keeps what a provider reported.
    pub fn insert_admission_report(&mut self, report: &AdmissionReportRow) -> Result<(), StoreError> {
        diesel::insert_into(admission_reports::table)
            .values(report.clone())
            .execute(self.conn)?;
        Ok(())
    }
}
