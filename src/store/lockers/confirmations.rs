//! Loans at machines: reserved before the door opens, and then confirmed, voided, or in question.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::clock::from_millis;
use crate::domain::ids::{CompartmentId, DeviceId, LoanId, LockerSessionId};
use crate::domain::two_phase::LoanPhase;
use crate::store::error::StoreError;
use crate::store::schema::{bibs, devices, items, loan_confirmations, loans};
use crate::store::tx::{ReadTx, WriteTx};

/// The question of one loan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    pub loan: LoanId,
    pub device: DeviceId,
    pub compartment: Option<CompartmentId>,
    pub turn: i64,
    pub session: Option<LockerSessionId>,
    pub phase: LoanPhase,
    pub reserved_at: DateTime<Utc>,
    /// When silence puts a reserved loan in question; of one in question, when its unit is alarmed again.
    pub deadline_at: DateTime<Utc>,
    pub decided_at: Option<DateTime<Utc>>,
    /// `report`, `journal` or `person`.
    pub decided_by: Option<String>,
    /// When its door was last ordered open for staff or a courier, while it was in question.
    pub opened_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Insertable, Queryable)]
#[diesel(table_name = loan_confirmations)]
struct ConfirmationRow {
    loan_id: i64,
    device_id: i64,
    compartment_id: Option<i64>,
    turn: i64,
    session_id: Option<i64>,
    state: String,
    reserved_at: i64,
    deadline_at: i64,
    decided_at: Option<i64>,
    decided_by: Option<String>,
    opened_at: Option<i64>,
}

impl ConfirmationRow {
    fn read(self) -> Result<Confirmation, StoreError> {
        let phase = LoanPhase::from_code(&self.state).ok_or_else(|| {
            StoreError::Corrupt(format!(
                "the confirmation of loan {} has an unknown state",
                self.loan_id
            ))
        })?;
        Ok(Confirmation {
            loan: LoanId::new(self.loan_id),
            device: DeviceId::new(self.device_id),
            compartment: self.compartment_id.map(CompartmentId::new),
            turn: self.turn,
            session: self.session_id.map(LockerSessionId::new),
            phase,
            reserved_at: from_millis(self.reserved_at),
            deadline_at: from_millis(self.deadline_at),
            decided_at: self.decided_at.map(from_millis),
            decided_by: self.decided_by,
            opened_at: self.opened_at.map(from_millis),
        })
    }
}

/// A loan in question, as people see it.
#[derive(Debug, Clone, Queryable)]
pub struct Unconfirmed {
    pub loan_id: i64,
    pub device_id: i64,
    pub device_code: String,
    pub compartment_id: Option<i64>,
    pub item_id: i64,
    pub barcode: String,
    pub title: String,
    pub reader_id: Option<i64>,
    pub reserved_at: i64,
}

impl ReadTx<'_> {
    /// The question of a loan, decided or not.
    pub fn confirmation(&mut self, loan: LoanId) -> Result<Option<Confirmation>, StoreError> {
        let row: Option<ConfirmationRow> = loan_confirmations::table.find(loan.get()).first(self.conn).optional()?;
        row.map(ConfirmationRow::read).transpose()
    }

    /// The loans that were made in a session, whatever became of them.
    pub fn loans_of_session(&mut self, session: LockerSessionId) -> Result<Vec<LoanId>, StoreError> {
        let ids: Vec<i64> = loan_confirmations::table
            .filter(loan_confirmations::session_id.eq(session.get()))
            .select(loan_confirmations::loan_id)
            .load(self.conn)?;
        Ok(ids.into_iter().map(LoanId::new).collect())
    }

    /// The loan for which a compartment was opened at a turn; the last one, where a machine that was alone lent several at one turn.
    pub fn confirmation_of_turn(
        &mut self,
        device: DeviceId,
        compartment: CompartmentId,
        turn: i64,
    ) -> Result<Option<Confirmation>, StoreError> {
        let row: Option<ConfirmationRow> = loan_confirmations::table
            .filter(loan_confirmations::device_id.eq(device.get()))
            .filter(loan_confirmations::compartment_id.eq(compartment.get()))
            .filter(loan_confirmations::turn.eq(turn))
            .order(loan_confirmations::loan_id.desc())
            .first(self.conn)
            .optional()?;
        row.map(ConfirmationRow::read).transpose()
    }

    /// The loan in question of a compartment, the last of several.
    pub fn confirmation_in_question(&mut self, compartment: CompartmentId) -> Result<Option<Confirmation>, StoreError> {
        let row: Option<ConfirmationRow> = loan_confirmations::table
            .filter(loan_confirmations::compartment_id.eq(compartment.get()))
            .filter(loan_confirmations::decided_at.is_null())
            .order(loan_confirmations::loan_id.desc())
            .first(self.conn)
            .optional()?;
        row.map(ConfirmationRow::read).transpose()
    }

    /// Loans in question of the machines of some units, before an id, the newest first.
    pub fn unconfirmed_loans(
        &mut self,
        units: &[i64],
        before: i64,
        limit: i64,
    ) -> Result<Vec<Unconfirmed>, StoreError> {
        Ok(loan_confirmations::table
            .inner_join(devices::table.on(devices::id.eq(loan_confirmations::device_id)))
            .inner_join(loans::table.on(loans::id.eq(loan_confirmations::loan_id)))
            .inner_join(items::table.on(items::id.eq(loans::item_id)))
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .filter(loan_confirmations::state.eq("unconfirmed"))
            .filter(devices::unit_id.eq_any(units))
            .filter(loan_confirmations::loan_id.lt(before))
            .order(loan_confirmations::loan_id.desc())
            .limit(limit)
            .select((
                loan_confirmations::loan_id,
                devices::id,
                devices::code,
                loan_confirmations::compartment_id,
                items::id,
                items::barcode,
                bibs::title,
                loans::reader_id,
                loan_confirmations::reserved_at,
            ))
            .load(self.conn)?)
    }

    /// Reserved loans of which nothing was said in their time, after an id.
    pub fn silent_loans(&mut self, now: DateTime<Utc>, after: i64, limit: i64) -> Result<Vec<LoanId>, StoreError> {
        let ids: Vec<i64> = loan_confirmations::table
            .filter(loan_confirmations::state.eq("reserved"))
            .filter(loan_confirmations::deadline_at.le(now.timestamp_millis()))
            .filter(loan_confirmations::loan_id.gt(after))
            .order(loan_confirmations::loan_id)
            .select(loan_confirmations::loan_id)
            .limit(limit)
            .load(self.conn)?;
        Ok(ids.into_iter().map(LoanId::new).collect())
    }

    /// Loans in question of which a person is to be told again, after an id.
    pub fn loans_still_asked_for(
        &mut self,
        now: DateTime<Utc>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<LoanId>, StoreError> {
        let ids: Vec<i64> = loan_confirmations::table
            .filter(loan_confirmations::state.eq("unconfirmed"))
            .filter(loan_confirmations::deadline_at.le(now.timestamp_millis()))
            .filter(loan_confirmations::loan_id.gt(after))
            .order(loan_confirmations::loan_id)
            .select(loan_confirmations::loan_id)
            .limit(limit)
            .load(self.conn)?;
        Ok(ids.into_iter().map(LoanId::new).collect())
    }
}

impl WriteTx<'_> {
    /// Keeps the question of a loan.
    pub fn insert_confirmation(&mut self, one: &Confirmation) -> Result<(), StoreError> {
        let row = ConfirmationRow {
            loan_id: one.loan.get(),
            device_id: one.device.get(),
            compartment_id: one.compartment.map(CompartmentId::get),
            turn: one.turn,
            session_id: one.session.map(LockerSessionId::get),
            state: one.phase.code().to_owned(),
            reserved_at: one.reserved_at.timestamp_millis(),
            deadline_at: one.deadline_at.timestamp_millis(),
            decided_at: one.decided_at.map(|at| at.timestamp_millis()),
            decided_by: one.decided_by.clone(),
            opened_at: one.opened_at.map(|at| at.timestamp_millis()),
        };
        diesel::insert_into(loan_confirmations::table)
            .values(row)
            .execute(self.conn)?;
        Ok(())
    }

    /// Says of a loan that is still in question when a person is told of it next; false when it was decided, or somebody was told.
    pub fn ask_of_loan_again(
        &mut self,
        loan: LoanId,
        now: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let due = loan_confirmations::table
            .find(loan.get())
            .filter(loan_confirmations::state.eq("unconfirmed"))
            .filter(loan_confirmations::deadline_at.le(now.timestamp_millis()));
        let n = diesel::update(due)
            .set(loan_confirmations::deadline_at.eq(at.timestamp_millis()))
            .execute(self.conn)?;
        Ok(n == 1)
    }

    /// Its door is ordered open for staff or a courier.
    pub fn opened_in_question(&mut self, loan: LoanId, now: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(loan_confirmations::table.find(loan.get()))
            .set(loan_confirmations::opened_at.eq(now.timestamp_millis()))
            .execute(self.conn)?;
        Ok(())
    }

    /// Says where the loan is now; decided by whom, where it is.
    pub fn set_loan_phase(
        &mut self,
        loan: LoanId,
        phase: LoanPhase,
        decided: Option<(&str, DateTime<Utc>)>,
    ) -> Result<(), StoreError> {
        diesel::update(loan_confirmations::table.find(loan.get()))
            .set((
                loan_confirmations::state.eq(phase.code()),
                loan_confirmations::decided_at.eq(decided.map(|(_, at)| at.timestamp_millis())),
                loan_confirmations::decided_by.eq(decided.map(|(by, _)| by)),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
