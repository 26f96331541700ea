//! Gates: what a tag means on its way out, the alarms kept for people, and how many went in and out.
//! Not for: deciding whether it may pass (`domain::gate_exit`).

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::devices::configurations::ConfigurationRow;
use super::error::StoreError;
use super::hot::on_engine;
use super::schema::{
    device_configurations, device_status, devices, gate_batches, gate_checks, gate_hours, items, journal_cursors,
    journal_entries, loan_confirmations, loans,
};
use super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::gate_exit::ItemSeen;
use crate::domain::ids::{DeviceId, ItemId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::item_shown::ItemShown;
use crate::domain::two_phase::LoanPhase;

/// Two are enough to see that a number means several.
const SEVERAL: i64 = 2;

/// Batches that are forgotten in one write.
const FORGOTTEN_AT_ONCE: i64 = 1000;

/// Kinds of devices that may lend.
const LENDERS: [&str; 3] = ["locker", "kiosk", "desk_reader"];

/// One item that it may mean.
#[derive(Debug, Clone, Copy)]
pub struct FoundAtGate {
    pub item: ItemId,
    pub seen: ItemSeen,
    /// When anything last happened to it.
    pub last_event_at: DateTime<Utc>,
}

/// A device that may lend, as far as it says how far its journal has come.
#[derive(Debug, Clone)]
pub struct Lender {
    /// `None`: it was never heard of.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// The newest made for it; `None`: the defaults.
    pub configuration: Option<ConfigurationRow>,
    /// Something of its journal is missing or not judged yet.
    pub owes: bool,
}

/// A line of the log of alarms.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = gate_checks)]
pub struct NewGateCheck {
    pub id: i64,
    pub device_id: i64,
    pub check_id: String,
    pub unit_id: i64,
    pub at: i64,
    pub decision: &'static str,
    pub reason: &'static str,
    pub decided: &'static str,
    pub tag: Option<String>,
    pub item_id: Option<i64>,
}

/// The same, as people see it.
#[derive(Debug, Clone, Queryable)]
pub struct GateCheckRow {
    pub id: i64,
    pub device_id: i64,
    pub device_code: String,
    pub unit_id: i64,
    pub check_id: String,
    pub at: i64,
    pub decision: String,
    pub reason: String,
    pub decided: String,
    pub tag: Option<String>,
    pub item_id: Option<i64>,
    pub item_barcode: Option<String>,
    pub outcome: Option<String>,
    pub settled_at: Option<i64>,
    pub note: Option<String>,
}

/// How often a gate was answered so.
#[derive(Debug, Clone)]
pub struct GateAnswers {
    pub decision: String,
    pub reason: String,
    pub times: i64,
    pub first_id: i64,
}

macro_rules! check_columns {
    () => {
        (
            gate_checks::id,
            gate_checks::device_id,
            devices::code,
            gate_checks::unit_id,
            gate_checks::check_id,
            gate_checks::at,
            gate_checks::decision,
            gate_checks::reason,
            gate_checks::decided,
            gate_checks::tag,
            gate_checks::item_id,
            items::barcode.nullable(),
            gate_checks::outcome,
            gate_checks::settled_at,
            gate_checks::note,
        )
    };
}

impl ReadTx<'_> {
    /// The items that what was read may mean, with their open loans; two at most. One statement.
    pub fn found_at_gate(&mut self, read: &ItemShown) -> Result<Vec<FoundAtGate>, StoreError> {
        type Row = (i64, String, i64, Option<i64>, Option<String>);
        let query = items::table
            .left_join(loans::table.on(loans::item_id.eq(items::id).and(loans::closed_at.is_null())))
            .left_join(loan_confirmations::table.on(loan_confirmations::loan_id.nullable().eq(loans::id.nullable())))
            .limit(SEVERAL)
            .select((
                items::id,
                items::status,
                items::last_event_at,
                loans::id.nullable(),
                loan_confirmations::state.nullable(),
            ));
        let rows: Vec<Row> = match read {
            ItemShown::Tag(tag) => on_engine!(self.conn, conn => query.filter(items::rfid_tag.eq(tag)).load(conn))?,
            ItemShown::Barcode(barcode) => {
                on_engine!(self.conn, conn => query.filter(items::barcode.eq(barcode.as_str())).load(conn))?
            }
        };
        rows.into_iter().map(found).collect()
    }

    /// The devices of a unit that may lend, of those that are at work.
    pub fn lenders_of(&mut self, unit: UnitId) -> Result<Vec<Lender>, StoreError> {
        let newest = device_configurations::device_id
            .eq(devices::id)
            .and(device_configurations::version.eq(devices::configuration_version));
        let lenders = devices::table
            .left_join(device_status::table.on(device_status::device_id.eq(devices::id)))
            .left_join(device_configurations::table.on(newest))
            .filter(devices::unit_id.eq(unit.get()).and(devices::kind.eq_any(LENDERS)))
            .filter(devices::active.eq(true).and(devices::retired_at.is_null()))
            .filter(devices::approved_at.is_not_null())
            .select((
                devices::id,
                device_status::last_seen_at.nullable(),
                device_configurations::all_columns.nullable(),
            ));
        let rows: Vec<(i64, Option<i64>, Option<ConfigurationRow>)> =
            on_engine!(self.conn, conn => lenders.load(conn))?;
        let ids: Vec<i64> = rows.iter().map(|(id, ..)| *id).collect();
        let owing = self.owing(&ids)?;
        let lenders = rows.into_iter().map(|(id, last_seen_at, configuration)| Lender {
            last_seen_at: last_seen_at.map(from_millis),
            configuration,
            owes: owing.contains(&id),
        });
        Ok(lenders.collect())
    }

    /// Those of whose journals something is missing, or is not judged yet.
    fn owing(&mut self, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
        let mut owing: Vec<i64> = journal_cursors::table
            .filter(journal_cursors::device_id.eq_any(ids))
            .filter(journal_cursors::gap_since.is_not_null())
            .select(journal_cursors::device_id)
            .load(self.conn)?;
        let waiting: Vec<i64> = journal_entries::table
            .filter(journal_entries::device_id.eq_any(ids))
            .filter(journal_entries::verdict.eq("waiting"))
            .select(journal_entries::device_id)
            .distinct()
            .load(self.conn)?;
        owing.extend(waiting);
        Ok(owing)
    }

    /// Alarms and doubts of some units, the newest first.
    pub fn gate_checks(
        &mut self,
        units: &[i64],
        settled: bool,
        before: i64,
        limit: i64,
    ) -> Result<Vec<GateCheckRow>, StoreError> {
        let mut query = gate_checks::table
            .inner_join(devices::table.on(devices::id.eq(gate_checks::device_id)))
            .left_join(items::table.on(gate_checks::item_id.eq(items::id.nullable())))
            .filter(gate_checks::unit_id.eq_any(units))
            .filter(gate_checks::id.lt(before))
            .order(gate_checks::id.desc())
            .limit(limit)
            .select(check_columns!())
            .into_boxed();
        query = if settled {
            query.filter(gate_checks::settled_at.is_not_null())
        } else {
            query.filter(gate_checks::settled_at.is_null())
        };
        Ok(query.load(self.conn)?)
    }

    /// Some lines of the log of gates that were settled before a moment.
    pub fn old_gate_checks(&mut self, before: DateTime<Utc>, at_most: i64) -> Result<Vec<i64>, StoreError> {
        Ok(gate_checks::table
            .filter(gate_checks::settled_at.lt(before.timestamp_millis()))
            .order(gate_checks::settled_at)
            .limit(at_most)
            .select(gate_checks::id)
            .load(self.conn)?)
    }

    /// Every answer that is kept, with how often it was given.
    pub fn gate_answers(&mut self) -> Result<Vec<GateAnswers>, StoreError> {
        let rows: Vec<(String, String, i64, Option<i64>)> = gate_checks::table
            .filter(gate_checks::decided.eq("asked"))
            .group_by((gate_checks::decision, gate_checks::reason))
            .order((gate_checks::decision, gate_checks::reason))
            .select((
                gate_checks::decision,
                gate_checks::reason,
                diesel::dsl::count_star(),
                diesel::dsl::min(gate_checks::id),
            ))
            .load(self.conn)?;
        let answers = rows.into_iter().map(|(decision, reason, times, first)| GateAnswers {
            decision,
            reason,
            times,
            first_id: first.unwrap_or_default(),
        });
        Ok(answers.collect())
    }

    /// One of them.
    pub fn gate_check(&mut self, id: i64) -> Result<Option<GateCheckRow>, StoreError> {
        Ok(gate_checks::table
            .inner_join(devices::table.on(devices::id.eq(gate_checks::device_id)))
            .left_join(items::table.on(gate_checks::item_id.eq(items::id.nullable())))
            .filter(gate_checks::id.eq(id))
            .select(check_columns!())
            .first(self.conn)
            .optional()?)
    }
}

impl WriteTx<'_> {
    /// Keeps an alarm or a doubt, unless the gate told of this passage before. Answers whether it is new.
    pub fn insert_gate_check(&mut self, check: &NewGateCheck) -> Result<bool, StoreError> {
        let statement = diesel::insert_into(gate_checks::table).values(check.clone());
        let inserted = on_engine!(self.conn, conn => statement
            .on_conflict((gate_checks::device_id, gate_checks::check_id))
            .do_nothing()
            .execute(conn))?;
        Ok(inserted == 1)
    }

    /// Says what became of an alarm.
    ///
    /// # Errors
    /// `Retry` when somebody else does so at the same time.
    pub fn settle_gate_check(
        &mut self,
        id: i64,
        outcome: &str,
        note: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let changed = diesel::update(gate_checks::table.find(id))
            .filter(gate_checks::settled_at.is_null())
            .set((
                gate_checks::outcome.eq(outcome),
                gate_checks::note.eq(note),
                gate_checks::settled_at.eq(at.timestamp_millis()),
            ))
            .execute(self.conn)?;
        if changed == 0 {
            return Err(StoreError::Retry(diesel::result::Error::RollbackTransaction));
        }
        Ok(())
    }

    /// Erases lines of the log of gates; answers how many.
    pub fn erase_gate_checks(&mut self, ids: &[i64]) -> Result<usize, StoreError> {
        Ok(diesel::delete(gate_checks::table.filter(gate_checks::id.eq_any(ids))).execute(self.conn)?)
    }

    /// Notes that a batch of a gate was counted; false: it was counted before.
    pub fn note_gate_batch(&mut self, device: DeviceId, batch: &str, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let statement = diesel::insert_into(gate_batches::table).values((
            gate_batches::device_id.eq(device.get()),
            gate_batches::batch.eq(batch),
            gate_batches::received_at.eq(at.timestamp_millis()),
        ));
        let inserted = on_engine!(self.conn, conn => statement
            .on_conflict((gate_batches::device_id, gate_batches::batch))
            .do_nothing()
            .execute(conn))?;
        Ok(inserted == 1)
    }

    /// Adds to the numbers of an hour.
    pub fn add_gate_hour(
        &mut self,
        device: DeviceId,
        unit: UnitId,
        hour: DateTime<Utc>,
        (went_in, went_out): (u32, u32),
    ) -> Result<(), StoreError> {
        use diesel::upsert::excluded;
        let statement = diesel::insert_into(gate_hours::table).values((
            gate_hours::device_id.eq(device.get()),
            gate_hours::hour_start.eq(hour.timestamp_millis()),
            gate_hours::unit_id.eq(unit.get()),
            gate_hours::went_in.eq(i64::from(went_in)),
            gate_hours::went_out.eq(i64::from(went_out)),
        ));
        on_engine!(self.conn, conn => statement
            .on_conflict((gate_hours::device_id, gate_hours::hour_start))
            .do_update()
            .set((
                gate_hours::went_in.eq(gate_hours::went_in + excluded(gate_hours::went_in)),
                gate_hours::went_out.eq(gate_hours::went_out + excluded(gate_hours::went_out)),
            ))
            .execute(conn))?;
        Ok(())
    }

    /// Forgets the oldest batches received before a moment, a thousand or so at a time; answers how many.
    pub fn forget_gate_batches(&mut self, before: DateTime<Utc>) -> Result<usize, StoreError> {
        let before = before.timestamp_millis();
        let oldest: Vec<i64> = gate_batches::table
            .filter(gate_batches::received_at.lt(before))
            .order(gate_batches::received_at)
            .limit(FORGOTTEN_AT_ONCE)
            .select(gate_batches::received_at)
            .load(self.conn)?;
        let Some(last) = oldest.last() else { return Ok(0) };
        Ok(diesel::delete(gate_batches::table.filter(gate_batches::received_at.le(*last))).execute(self.conn)?)
    }
}

fn found(row: (i64, String, i64, Option<i64>, Option<String>)) -> Result<FoundAtGate, StoreError> {
    let (id, status, last_event_at, loan, phase) = row;
    let unknown = |what: &str, code: &str| StoreError::Corrupt(format!("item {id} has the unknown {what} {code}"));
    let phase = phase.map(|code| LoanPhase::from_code(&code).ok_or_else(|| unknown("phase of a loan", &code)));
    Ok(FoundAtGate {
        item: ItemId::new(id),
        seen: ItemSeen {
            status: ItemStatus::from_code(&status).ok_or_else(|| unknown("status", &status))?,
            has_open_loan: loan.is_some(),
            phase: phase.transpose()?,
        },
        last_event_at: from_millis(last_event_at),
    })
}
