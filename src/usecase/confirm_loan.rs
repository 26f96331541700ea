//! What becomes of a loan at a machine: confirmed, voided, or in question. Said by the machine's report, its journal, the clock, or a
//! person; the first that knows decides.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::acting_device::{ActingDevice, acting_device, device_of, no_such};
use super::compartment_record::IDS;
use super::once::once;
use super::raise_conflict::{NewConflict, ask_of_loan};
use super::record::{self, Consent, Ledger};
use super::report_compartment::ReportedBy;
use super::void_loan::{Undoing, undo};
use super::{Caller, IdempotencyKey, Result, UseCaseError, alarm, settle_compartment};
use crate::auth::Right;
use crate::domain::device_heartbeat::AlarmKind;
use crate::domain::event::EventKind;
use crate::domain::ids::{LoanId, ReaderId};
use crate::domain::item::ItemStatus;
use crate::domain::journal_conflict::ConflictReason;
use crate::domain::network::Network;
use crate::domain::two_phase::{ASKED_FOR, Facts, LoanPhase, Outcome, Said, after, decide};
use crate::store::idempotency::Outcome as Stored;
use crate::store::ids::IdRun;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::loans::LoadedLoan;
use crate::store::lockers::confirmations::Confirmation;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is said.
#[derive(Debug, Clone)]
pub struct ConfirmLoan {
    pub loan: LoanId,
    pub taken: bool,
    /// Of staff: how they know.
    pub reason: Option<String>,
}

/// What became of the loan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoanSaid {
    #[schema(example = 5501)]
    pub loan_id: i64,
    /// Where the loan is now: `reserved`, `unconfirmed`, `confirmed` or `voided`.
    #[schema(example = "confirmed")]
    pub phase: String,
    /// Another one said otherwise before: that stands, and a person decides.
    #[schema(example = false)]
    pub conflict: bool,
}

impl Stored for LoanSaid {}

/// Says whether the book of a loan at a machine was taken.
///
/// # Errors
/// `NotFound` for a loan that is none of a machine in reach; `State` for a courier for whom its door was not opened; `Invalid` for staff
/// without a reason; a failure of the store.
pub async fn confirm_loan(
    store: &Arc<Store>,
    caller: &Caller,
    command: ConfirmLoan,
    key: Option<IdempotencyKey>,
) -> Result<Once<LoanSaid>> {
    caller.require_somewhere(Right::ConfirmLoan)?;
    once(store, caller, key, IDS, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, asked: &ConfirmLoan, mut ids: IdRun) -> Result<LoanSaid> {
    let unknown = || UseCaseError::NotFound("loan");
    let own = match caller.device() {
        Some(_) => Some(acting_device(tx, caller, None)?),
        None => None,
    };
    let asked_of = tx.confirmation(asked.loan)?.ok_or_else(unknown)?;
    match own {
        Some(own) if own.id == asked_of.device => {}
        Some(_) => return Err(unknown()),
        None => {
            let network = tx.network()?;
            let device = device_of(tx, caller, asked_of.device, Right::ConfirmLoan);
            let device = device.map_err(|error| no_such(error, "loan"))?;
            let looked = asked_of.opened_at.is_some();
            if !looked && !caller.may(Right::VoidLoan, device.unit, &network) {
                return Err(UseCaseError::State(
                    "its door was not opened for staff or a courier since: only they know who have looked".to_owned(),
                ));
            }
        }
    }
    let by = match caller.device() {
        Some(_) => ReportedBy::Report,
        None => ReportedBy::Person,
    };
    let reason = asked
        .reason
        .as_deref()
        .map(str::trim)
        .filter(|reason| !reason.is_empty());
    if by == ReportedBy::Person && reason.is_none() {
        return Err(UseCaseError::field("reason", "must say how it is known"));
    }
    let said = if asked.taken { Said::Taken } else { Said::NotTaken };
    let teller = Teller {
        caller,
        by,
        reason: reason.unwrap_or(said.code()),
        at: tx.now(),
    };
    let outcome = say(tx, &teller, asked.loan, said, &mut ids)?;
    if matches!(outcome, Outcome::Confirm | Outcome::Void) {
        settle_compartment::follow_loan(tx, &asked_of, (asked.taken, by), &mut ids)?;
    }
    let now = tx.confirmation(asked.loan)?.ok_or_else(unknown)?;
    Ok(LoanSaid {
        loan_id: asked.loan.get(),
        phase: now.phase.code().to_owned(),
        conflict: outcome == Outcome::Contradicts,
    })
}

/// Who says it, and when it was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Teller<'a> {
    pub caller: &'a Caller,
    pub by: ReportedBy,
    pub reason: &'a str,
    pub at: DateTime<Utc>,
}

/// What a machine's journal or the clock says of a loan; its compartment follows, where nobody knows what is in it. A contradiction of a
/// journal is left to whoever judges its entry.
///
/// # Errors
/// `NotFound` for a loan that is of no machine; a failure of the store.
pub(super) fn said_of_loan(
    tx: &mut WriteTx<'_>,
    loan: LoanId,
    said: Said,
    by: ReportedBy,
    at: DateTime<Utc>,
    ids: &mut IdRun,
) -> Result<Outcome> {
    let outcome = heard_of_loan(tx, loan, said, by, at, ids)?;
    if matches!(outcome, Outcome::Confirm | Outcome::Void) {
        let asked = tx.confirmation(loan)?.ok_or(UseCaseError::NotFound("loan"))?;
        settle_compartment::follow_loan(tx, &asked, (outcome == Outcome::Confirm, by), ids)?;
    }
    Ok(outcome)
}

/// The same for what is heard of a door: whoever says it sees to the compartment, whose lock comes after.
///
/// # Errors
/// As [`said_of_loan`].
pub(super) fn heard_of_loan(
    tx: &mut WriteTx<'_>,
    loan: LoanId,
    said: Said,
    by: ReportedBy,
    at: DateTime<Utc>,
    ids: &mut IdRun,
) -> Result<Outcome> {
    let unknown = || UseCaseError::NotFound("loan");
    let device = tx.confirmation(loan)?.ok_or_else(unknown)?.device;
    let caller = ActingDevice::of(tx.device(device)?.ok_or_else(unknown)?).caller();
    let teller = Teller {
        caller: &caller,
        by,
        reason: said.code(),
        at,
    };
    say(tx, &teller, loan, said, ids)
}

/// The same with the caller who says it.
pub(super) fn say(
    tx: &mut WriteTx<'_>,
    teller: &Teller<'_>,
    loan: LoanId,
    said: Said,
    ids: &mut IdRun,
) -> Result<Outcome> {
    let unknown = || UseCaseError::NotFound("loan");
    let network = tx.network()?;
    let (item, bib, reader) = tx.item_of_loan(loan)?.ok_or_else(unknown)?;
    let item = tx
        .lock_item(Candidate::known(item, bib), &network)?
        .ok_or_else(unknown)?;
    // Under the lock of the item: whoever was first has decided.
    let asked = tx.confirmation(loan)?.ok_or_else(unknown)?;
    let loaded = item.loan.clone().filter(|open| open.loan.id == loan);
    let scanned_since = asked
        .decided_at
        .is_some_and(|decided| item.facts.last_event_at > decided);
    let outcome = decide(&Facts {
        phase: asked.phase,
        said,
        settled_since: loaded.is_none() && (asked.phase == LoanPhase::Confirmed || scanned_since),
    });
    let outcome = match (outcome, &loaded) {
        // Something else has become of the book: it is not where it was.
        (Outcome::Void, Some(_)) if item.facts.status != ItemStatus::OnLoan => Outcome::Contradicts,
        (Outcome::Void, None) => Outcome::Contradicts,
        (outcome, _) => outcome,
    };
    let case = Case {
        network: &network,
        item: &item,
        loaded: loaded.as_ref(),
        reader,
        asked: &asked,
    };
    carry_out(tx, teller, &case, outcome, ids)?;
    Ok(outcome)
}

/// A loan in question under its locks.
#[derive(Clone, Copy)]
struct Case<'a> {
    network: &'a Network,
    item: &'a LoadedItem,
    loaded: Option<&'a LoadedLoan>,
    reader: Option<ReaderId>,
    asked: &'a Confirmation,
}

fn carry_out(
    tx: &mut WriteTx<'_>,
    teller: &Teller<'_>,
    case: &Case<'_>,
    outcome: Outcome,
    ids: &mut IdRun,
) -> Result<()> {
    let (asked, now) = (case.asked, tx.now());
    let phase = after(asked.phase, outcome);
    match outcome {
        Outcome::Nothing => return Ok(()),
        Outcome::Contradicts => return contradict(tx, teller, case, ids),
        Outcome::Void => void(tx, teller, case, ids)?,
        Outcome::Confirm => {
            tx.set_loan_phase(asked.loan, phase, Some((teller.by.code(), now)))?;
            append(tx, teller, case, EventKind::LoanConfirmed, ids)?;
        }
        Outcome::Ask => {
            tx.set_loan_phase(asked.loan, phase, None)?;
            // Its door may fall silent before its own deadline.
            tx.ask_of_loan_again(asked.loan, now.max(asked.deadline_at), now + ASKED_FOR)?;
            append(tx, teller, case, EventKind::LoanUnconfirmed, ids)?;
        }
    }
    let subject = asked.loan.to_string();
    if phase == LoanPhase::Unconfirmed {
        alarm::raise(tx, asked.device, AlarmKind::LoanUnconfirmed, &subject, ids)
    } else {
        alarm::clear(tx, asked.device, AlarmKind::LoanUnconfirmed, &subject)
    }
}

fn void(tx: &mut WriteTx<'_>, teller: &Teller<'_>, case: &Case<'_>, ids: &mut IdRun) -> Result<()> {
    let unknown = || UseCaseError::NotFound("loan");
    let loaded = case.loaded.ok_or_else(unknown)?;
    let undoing = Undoing {
        caller: teller.caller,
        unit: loaded.loan.unit,
        network: case.network,
        consent: &Consent::default(),
        reason: teller.reason,
        by: teller.by.code(),
    };
    undo(tx, &undoing, case.item, Some(loaded), loaded.loan.reader, ids)?;
    Ok(())
}

fn append(tx: &mut WriteTx<'_>, teller: &Teller<'_>, case: &Case<'_>, kind: EventKind, ids: &mut IdRun) -> Result<()> {
    let unit = case.loaded.map_or(case.item.facts.current, |loaded| loaded.loan.unit);
    let act = record::act_of(teller.caller, unit, case.network, &Consent::default(), None);
    let now = record::now_for(tx, &case.item.facts);
    let mut ledger = Ledger {
        tx,
        caller: teller.caller,
        act: &act,
        item: &case.item.facts,
        now,
        ids,
    };
    ledger.append(kind, json!({"loan_id": case.asked.loan, "by": teller.by.code()}))
}

/// A book cannot be both gone and there. What a journal says is asked about with its entry, by whoever judges that.
fn contradict(tx: &mut WriteTx<'_>, teller: &Teller<'_>, case: &Case<'_>, ids: &mut IdRun) -> Result<()> {
    if teller.by == ReportedBy::Journal {
        return Ok(());
    }
    let device = tx.device(case.asked.device)?;
    let conflict = NewConflict {
        device: case.asked.device,
        unit: device.map_or(case.item.facts.current, |device| device.unit),
        entry: None,
        reason: ConflictReason::SaidOtherwise,
        happened_at: teller.at,
        item: Some(case.item.facts.id),
        reader: case.reader,
        loan: Some(case.asked.loan),
        body: None,
    };
    ask_of_loan(tx, &conflict, ids)?;
    Ok(())
}

/// Raises the alarm of a loan again that has been in question for long: staff have not looked, or have settled the alarm and not the loan.
/// False when it was decided meanwhile.
pub(super) fn ask_again(tx: &mut WriteTx<'_>, loan: LoanId, ids: &mut IdRun) -> Result<bool> {
    let now = tx.now();
    let asked = tx.confirmation(loan)?.ok_or(UseCaseError::NotFound("loan"))?;
    let is_due = tx.ask_of_loan_again(loan, now, now + ASKED_FOR)?;
    if is_due {
        alarm::raise(tx, asked.device, AlarmKind::LoanUnconfirmed, &loan.to_string(), ids)?;
    }
    Ok(is_due)
}

/// The book of a loan in question was seen elsewhere: it had been taken.
pub(super) fn seen_elsewhere(ledger: &mut Ledger<'_, '_>, loaded: &LoadedLoan) -> Result<()> {
    let loan = &loaded.loan;
    if !loan.unconfirmed {
        return Ok(());
    }
    let by = match ledger.caller.device() {
        Some(_) => ReportedBy::Report,
        None => ReportedBy::Person,
    };
    let Some(asked) = ledger.tx.confirmation(loan.id)? else {
        return Ok(());
    };
    ledger
        .tx
        .set_loan_phase(loan.id, LoanPhase::Confirmed, Some((by.code(), ledger.now)))?;
    alarm::clear(
        ledger.tx,
        asked.device,
        AlarmKind::LoanUnconfirmed,
        &loan.id.to_string(),
    )
}
