//! What a machine did with its doors while it was alone, and what it says of its loans. Nothing of it is refused: what the records leave
//! no room for is unsure, held, or asked of a person.

use serde_json::json;

use super::alarm;
use super::compartment_record::{at_rest, keep, left, must_be_loaded};
use super::confirm_loan::said_of_loan;
use super::journal_text::{DoorTold, LoanTold};
use super::judge_past::{Judged, Scene};
use super::past_loan::{Past, take_back_then};
use super::raise_conflict::{NewConflict, ask_of_loan, raise_conflict};
use super::report_compartment::{DoorReport, ReportedBy, apply_report};
use super::{Result, UseCaseError};
use crate::domain::compartment_life::{CompartmentState, CompartmentStep, is_of_this_turn, next};
use crate::domain::device_heartbeat::AlarmKind;
use crate::domain::event::EventKind;
use crate::domain::ids::{ItemId, LoanId};
use crate::domain::journal_act::{ActKind, Verdict};
use crate::domain::journal_conflict::ConflictReason;
use crate::domain::two_phase::{LoanPhase, Outcome, Said, deadline};
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::lockers::compartments::Compartment;
use crate::store::lockers::confirmations::Confirmation;
use crate::store::lockers::returns::ReturnRow;
use crate::store::tx::WriteTx;

/// The next step of a copy that waits for its reader.
const HOLD_SHELF: &str = "hold_shelf";

/// What is said of a loan at a machine: by its id, or by the number of the check-out it became.
pub(super) fn said_of(
    tx: &mut WriteTx<'_>,
    scene: &Scene<'_>,
    taken: bool,
    of: LoanTold,
    ids: &mut IdRun,
) -> Result<Judged> {
    let (loan, by_number) = match of {
        LoanTold::Id(loan) => (Some(loan), false),
        LoanTold::Under(number) => (loan_under(tx, scene, number)?, true),
    };
    let asked = match loan {
        Some(loan) => tx.confirmation(loan)?,
        None => None,
    };
    match (loan, asked) {
        (Some(loan), Some(asked)) if asked.device == scene.device.id => {
            let said = if taken { Said::Taken } else { Said::NotTaken };
            match said_of_loan(tx, loan, said, ReportedBy::Journal, scene.then, ids)? {
                Outcome::Contradicts => contradicts(tx, scene, loan, ids),
                _ => Ok(of_loan(loan)),
            }
        }
        // Nobody asked whether it was taken: the record says so.
        (Some(loan), None) if by_number && taken => Ok(of_loan(loan)),
        (Some(loan), None) if by_number => contradicts(tx, scene, loan, ids),
        _ => unknown(tx, scene, ids),
    }
}

/// The loan that a check-out of the same journal became.
fn loan_under(tx: &mut WriteTx<'_>, scene: &Scene<'_>, number: i64) -> Result<Option<LoanId>> {
    let Some(entry) = scene.entry else { return Ok(None) };
    let entry = tx.journal_entry(entry)?.ok_or(UseCaseError::NotFound("entry"))?;
    let meant = tx.entry_under_number(&entry, number)?;
    let lent = meant.filter(|meant| meant.kind.as_deref() == Some(ActKind::CheckOut.code()));
    Ok(lent.and_then(|lent| lent.loan_id).map(LoanId::new))
}

/// What was seen of a door, as reportCompartment takes it. A turn that is over says nothing new.
pub(super) fn door_told(tx: &mut WriteTx<'_>, scene: &Scene<'_>, told: &DoorTold, ids: &mut IdRun) -> Result<Judged> {
    let seen = tx.compartment_at(scene.device.id, told.number)?;
    let Some(seen) = seen.filter(|seen| told.turn <= seen.turn) else {
        return unknown(tx, scene, ids);
    };
    if !is_of_this_turn(told.turn, seen.turn) && !never_heard_of_turn(tx, scene, &seen)? {
        return Ok(Judged::accepted());
    }
    let report = DoorReport {
        number: told.number,
        turn: seen.turn,
        door: told.door,
        inside: told.inside.clone(),
        at: scene.then,
        by: ReportedBy::Journal,
    };
    let network = tx.network()?;
    match apply_report(tx, scene.device, &report, &network, ids)?.loan {
        Some((loan, Outcome::Contradicts)) => contradicts(tx, scene, loan, ids),
        Some((loan, _)) => Ok(of_loan(loan)),
        None => Ok(Judged::accepted()),
    }
}

/// The answer with the turn was lost, and the machine has told that it handed the book out alone: what it saw of the door after that is
/// of the turn it does not know.
fn never_heard_of_turn(tx: &mut WriteTx<'_>, scene: &Scene<'_>, seen: &Compartment) -> Result<bool> {
    let asked = tx.confirmation_of_turn(scene.device.id, seen.id, seen.turn)?;
    let Some(asked) = asked.filter(|asked| asked.phase.is_open()) else {
        return Ok(false);
    };
    match tx.item_of_loan(asked.loan)? {
        Some((item, ..)) => Ok(tx.journal_told_of_loan(scene.device.id, item, asked.loan)?),
        None => Ok(false),
    }
}

fn of_loan(loan: LoanId) -> Judged {
    Judged {
        loan: Some(loan.get()),
        ..Judged::accepted()
    }
}

fn otherwise() -> Judged {
    Judged {
        verdict: Verdict::Conflict(ConflictReason::SaidOtherwise),
        ..Judged::accepted()
    }
}

/// It says otherwise of a loan: a person decides, once.
fn contradicts(tx: &mut WriteTx<'_>, scene: &Scene<'_>, loan: LoanId, ids: &mut IdRun) -> Result<Judged> {
    let (item, _, reader) = tx.item_of_loan(loan)?.ok_or(UseCaseError::NotFound("loan"))?;
    let conflict = NewConflict {
        item: Some(item),
        reader,
        loan: Some(loan),
        ..NewConflict::of(scene, ConflictReason::SaidOtherwise)
    };
    let asks = ask_of_loan(tx, &conflict, ids)?;
    Ok(if asks { otherwise() } else { of_loan(loan) })
}

/// It speaks of a door, a turn or a loan that it does not have.
fn unknown(tx: &mut WriteTx<'_>, scene: &Scene<'_>, ids: &mut IdRun) -> Result<Judged> {
    raise_conflict(tx, &NewConflict::of(scene, ConflictReason::SaidOtherwise), ids)?;
    Ok(otherwise())
}

/// The door that an act names, as far as the machine has it.
fn door_of(tx: &mut WriteTx<'_>, scene: &Scene<'_>) -> Result<Option<Compartment>> {
    match scene.door {
        Some(number) => Ok(tx.compartment_at(scene.device.id, number)?),
        None => Ok(None),
    }
}

/// A copy was lent: it lies in no compartment any more, and in two phases whether it was taken is yet to be told.
pub(super) fn handed_out(tx: &mut WriteTx<'_>, past: &Past<'_>, loan: LoanId, ids: &mut IdRun) -> Result<()> {
    let (scene, lay) = (past.scene, past.item.compartment);
    let (here, other) = match door_of(tx, scene)? {
        Some(door) if lay == Some(door.id) => (Some(door), None),
        other => (None, other),
    };
    if here.is_none() {
        left(tx, lay)?;
    }
    if scene.two_phase {
        tx.insert_confirmation(&Confirmation {
            loan,
            device: scene.device.id,
            compartment: here.as_ref().map(|door| door.id),
            turn: here.as_ref().map_or(0, |door| door.turn),
            session: None,
            phase: LoanPhase::Reserved,
            reserved_at: scene.then,
            deadline_at: deadline(tx.now()),
            decided_at: None,
            decided_by: None,
            opened_at: None,
        })?;
    }
    match (here, other) {
        (Some(door), _) => out_of(tx, &door, scene.two_phase, ids),
        // It was handed out from where another book was known to lie.
        (None, Some(door)) if door.item.is_some() && door.changed_at <= scene.then => follow(
            tx,
            &door,
            CompartmentStep::Forced,
            (door.item, AlarmKind::CompartmentUnsure),
            ids,
        ),
        _ => Ok(()),
    }
}

/// The compartment after its book was handed out.
fn out_of(tx: &mut WriteTx<'_>, seen: &Compartment, asked: bool, ids: &mut IdRun) -> Result<()> {
    let now = tx.now();
    let (state, item, deadline_at) = match (seen.state, asked) {
        (CompartmentState::Occupied, true) => (CompartmentState::HandingOut, seen.item, Some(deadline(now))),
        // Nobody knows what is behind it, or another order is under way: what is asked of the loan settles it.
        (_, true) => return Ok(()),
        (CompartmentState::Occupied | CompartmentState::HandingOut | CompartmentState::Unsure, false) => {
            (CompartmentState::Empty, None, None)
        }
        (state, false) => (state, None, seen.deadline_at),
    };
    let after = Compartment {
        deadline_at,
        ..at_rest(seen, state, item, now)
    };
    keep(tx, seen, &after, CompartmentStep::ClosedEmpty, ids)
}

/// The compartment after a step that the record did not expect, where that can follow; else the alarm alone.
fn follow(
    tx: &mut WriteTx<'_>,
    seen: &Compartment,
    step: CompartmentStep,
    (item, alarm): (Option<ItemId>, AlarmKind),
    ids: &mut IdRun,
) -> Result<()> {
    let Some(state) = next(seen.state, step) else {
        return alarm::raise(tx, seen.device, alarm, &seen.number.to_string(), ids);
    };
    let after = at_rest(seen, state, item, tx.now());
    // Not forced: the machine opened it.
    keep(tx, seen, &after, CompartmentStep::Silent, ids)
}

/// A copy is taken back as of then, and lies in the compartment that is named.
pub(super) fn put_in(tx: &mut WriteTx<'_>, past: &Past<'_>, candidate: Candidate, ids: &mut IdRun) -> Result<()> {
    let (scene, item) = (past.scene, past.item.facts.id);
    let door = door_of(tx, scene)?;
    let outcome = take_back_then(tx, past, candidate, door.as_ref().map(|door| door.id), ids)?;
    match door {
        Some(door) => lies_in(tx, scene, &door, item, ids),
        // It waits for a reader who fetches it here, and nobody knows behind which door.
        None if outcome.next_step.kind == HOLD_SHELF && must_be_loaded(tx, past.network, scene.device.unit)? => {
            let subject = format!("item {item}");
            alarm::raise(tx, scene.device.id, AlarmKind::CompartmentUnsure, &subject, ids)
        }
        None => Ok(()),
    }
}

/// What is known of a compartment after a copy was put into it.
fn lies_in(tx: &mut WriteTx<'_>, scene: &Scene<'_>, seen: &Compartment, item: ItemId, ids: &mut IdRun) -> Result<()> {
    let expected = seen.item.or(seen.awaited).is_none_or(|known| known == item);
    let state = match (seen.state, expected) {
        (state, true) if state.names_an_item() => state,
        (CompartmentState::Empty | CompartmentState::Receiving | CompartmentState::Unsure, true) => {
            CompartmentState::Occupied
        }
        // A person looks there, or an order is under way that will tell.
        (state, true) => state,
        (CompartmentState::Unloading, false) => return Ok(()),
        (_, false) => {
            end_return(tx, scene, seen, ("held", None))?;
            let held = (seen.item, AlarmKind::CompartmentHeld);
            return follow(tx, seen, CompartmentStep::ClosedForeign, held, ids);
        }
    };
    end_return(tx, scene, seen, ("checked_in", Some(item)))?;
    let after = Compartment {
        deadline_at: seen.deadline_at.filter(|_| state.is_waiting()),
        ..at_rest(seen, state, Some(item), tx.now())
    };
    keep(tx, seen, &after, CompartmentStep::ClosedKnown, ids)?;
    if seen.item.is_none() {
        let event = Event::new(
            EventKind::CompartmentLoaded,
            tx.now(),
            scene.device.unit,
            scene.device.kind.journal_channel().code(),
        )
        .by(None, Some(scene.device.id))
        .detail(json!({"device_id": scene.device.id, "number": seen.number, "turn": seen.turn, "item_id": item}));
        tx.append_event(ids.next(), &event)?;
    }
    Ok(())
}

/// What became of the return for which the door was opened before the network was gone.
fn end_return(
    tx: &mut WriteTx<'_>,
    scene: &Scene<'_>,
    seen: &Compartment,
    (state, item): (&str, Option<ItemId>),
) -> Result<()> {
    let Some(back) = tx.return_of(seen.id, seen.turn)?.filter(ReturnRow::is_open) else {
        return Ok(());
    };
    tx.put_return(&ReturnRow {
        reported_at: Some(scene.then.timestamp_millis()),
        ..back.became(state, item)
    })?;
    Ok(())
}
