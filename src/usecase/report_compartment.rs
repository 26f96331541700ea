//! What a machine says of a door: by itself, by its journal, or by a driver. It decides what is known of the inside, whether a loan
//! was taken, and what became of a return.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acting_device::{ActingDevice, acting_device};
use super::check_in::{Arrival, Told, take_back};
use super::compartment_after::{after, append, end_return};
use super::compartment_record::{IDS, tell};
use super::configure_device::settings_of;
use super::confirm_loan::heard_of_loan;
use super::once::once;
use super::opened_in_question::in_question;
use super::record::{self, Consent, IDS_PER_VERB};
use super::view::CheckInOutcome;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::domain::compartment_life::{CompartmentState, CompartmentStep, is_of_this_turn, next};
use crate::domain::compartment_report::{Door, Facts, Inside, Judged, judge};
use crate::domain::device::Capability;
use crate::domain::device_settings::Settings;
use crate::domain::ids::{BibId, ItemId, LoanId};
use crate::domain::network::Network;
use crate::domain::two_phase::{Outcome as LoanOutcome, Said};
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::lockers::compartments::Compartment;
use crate::store::lockers::confirmations::Confirmation;
use crate::store::lockers::returns::ReturnRow;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Most tags that are kept of one report.
pub(super) const TAGS_KEPT: usize = 20;

/// Whose word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportedBy {
    Report,
    Journal,
    Person,
}

impl ReportedBy {
    /// The word of the database.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Journal => "journal",
            Self::Person => "person",
        }
    }
}

/// What is said of one door.
#[derive(Debug, Clone)]
pub(super) struct DoorReport {
    pub number: u16,
    pub turn: i64,
    pub door: Door,
    pub inside: Inside,
    /// When, by our clock.
    pub at: DateTime<Utc>,
    pub by: ReportedBy,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(super) struct ReportOutcome {
    pub compartment: Compartment,
    /// The loan for which the door was opened, and what the report did to it.
    pub loan: Option<(LoanId, LoanOutcome)>,
    /// The return for which it was opened.
    pub returned: Option<ReturnRow>,
    /// What was checked in.
    pub checked_in: Option<Box<CheckInOutcome>>,
}

/// The report as the machine sends it.
#[derive(Debug, Clone)]
pub struct ReportCompartment {
    pub number: u16,
    pub turn: i64,
    pub door: Door,
    pub inside: Inside,
    /// When it was seen, by the machine's clock; now if absent.
    pub at: Option<DateTime<Utc>>,
}

/// What a machine is told after its report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CompartmentReported {
    /// The number on the door.
    #[schema(example = 7)]
    pub number: u16,
    /// What is known of the inside now.
    #[schema(example = "empty")]
    pub state: String,
    /// The present turn.
    #[schema(example = 18)]
    pub turn: i64,
    /// The loan for which it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 5501)]
    pub loan_id: Option<i64>,
    /// What the report did to that loan: `confirmed`, `voided`, `conflict`, or empty: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "confirmed")]
    pub loan_outcome: Option<String>,
    /// The return for which it was opened: the number on the receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 5502)]
    pub return_id: Option<i64>,
    /// `checked_in`, `held` (staff see to it), `nothing` (closed empty), `waiting` or `unsure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "checked_in")]
    pub return_state: Option<String>,
    /// The time on the receipt (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub returned_at: Option<DateTime<Utc>>,
    /// What was taken in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "活着")]
    pub title: Option<String>,
}

impl Outcome for CompartmentReported {}

/// Takes a machine's report.
///
/// # Errors
/// `Forbidden` for whoever is no machine with doors; `NotFound`; `CompartmentTurn` for one of another turn; a failure of the store.
pub async fn report_compartment(
    store: &Arc<Store>,
    caller: &Caller,
    command: ReportCompartment,
    key: Option<IdempotencyKey>,
) -> Result<Once<CompartmentReported>> {
    once(store, caller, key, IDS, command, take).await
}

fn take(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    asked: &ReportCompartment,
    mut ids: IdRun,
) -> Result<CompartmentReported> {
    let device = acting_device(tx, caller, Some(Capability::DoorBank))?;
    let (network, now) = (tx.network()?, tx.now());
    let report = DoorReport {
        number: asked.number,
        turn: asked.turn,
        door: asked.door,
        inside: asked.inside.clone(),
        // A clock that is ahead reports nothing of the future.
        at: asked.at.map_or(now, |at| at.min(now)),
        by: ReportedBy::Report,
    };
    Ok(apply_report(tx, &device, &report, &network, &mut ids)?.shown())
}

impl ReportOutcome {
    fn shown(self) -> CompartmentReported {
        CompartmentReported {
            number: self.compartment.number,
            state: self.compartment.state.code().to_owned(),
            turn: self.compartment.turn,
            loan_id: self.loan.map(|(loan, _)| loan.get()),
            loan_outcome: self.loan.map(|(_, outcome)| outcome.code().to_owned()),
            return_id: self.returned.as_ref().map(|row| row.id),
            return_state: self.returned.as_ref().map(|row| row.state.clone()),
            returned_at: self.returned.as_ref().and_then(ReturnRow::returned_at),
            title: self.checked_in.map(|taken| taken.title),
        }
    }
}

/// What is known before a report is judged.
pub(super) struct Known {
    pub seen: Compartment,
    pub loan: Option<Confirmation>,
    /// A loan in question of the book that lies there, of a turn before: its door was opened for a person since.
    pub before: Option<Confirmation>,
    /// A return whose end nobody has said.
    pub back: Option<ReturnRow>,
    /// The book that lies there, lay there, or was announced.
    pub expected: Option<(ItemId, BibId)>,
    /// The item that the one tag means.
    pub found: Option<(ItemId, BibId)>,
    pub judged: Judged,
}

/// Applies what is said of a door. Locks bib, item and reader, then the compartment.
///
/// # Errors
/// `NotFound`; `CompartmentTurn`; a failure of the store.
pub(super) fn apply_report(
    tx: &mut WriteTx<'_>,
    device: &ActingDevice,
    report: &DoorReport,
    network: &Network,
    ids: &mut IdRun,
) -> Result<ReportOutcome> {
    let known = look(tx, device, report)?;
    let loan = say_of_loan(tx, &known, report, ids)?;
    let step = known.judged.step.filter(|_| !is_stale(&known.seen, report));
    let state = step.and_then(|step| next(known.seen.state, step));
    let (Some(step), Some(state)) = (step, state) else {
        return Ok(ReportOutcome {
            compartment: known.seen,
            loan,
            returned: known.back,
            checked_in: None,
        });
    };
    let taken = match step {
        CompartmentStep::ClosedKnown => take_in(tx, device, &known, report, network, ids)?,
        _ => None,
    };
    tx.lock_compartment_as(&known.seen)?;
    let after = after(&known, step, state, taken.is_some(), tx.now());
    tx.put_compartment(&after)?;
    let returned = end_return(tx, &known, step, &after, report)?;
    tell(tx, &after, step, ids)?;
    append(tx, device, &known, (step, &after), ids)?;
    Ok(ReportOutcome {
        compartment: after,
        loan,
        returned,
        checked_in: taken.map(Box::new),
    })
}

/// What a journal brings is older than what somebody has seen of the inside since.
fn is_stale(seen: &Compartment, report: &DoorReport) -> bool {
    let open = seen.state.is_waiting() || seen.state == CompartmentState::Unsure;
    report.by == ReportedBy::Journal && seen.changed_at > report.at && !open
}

/// A book that a journal says was put in, and that was seen somewhere since, does not lie there any more: nobody knows what does.
fn as_known_since(
    tx: &mut WriteTx<'_>,
    seen: &Compartment,
    found: Option<(ItemId, BibId)>,
    (judged, report): (Judged, &DoorReport),
) -> Result<Judged> {
    let put_in = judged.step == Some(CompartmentStep::ClosedKnown) && seen.item.is_none();
    let book = seen.awaited.or(found.map(|(item, _)| item));
    let Some(book) = book.filter(|_| put_in && report.by == ReportedBy::Journal) else {
        return Ok(judged);
    };
    let last = tx.item_view(book)?.map(|view| view.last_event_at);
    if last.is_none_or(|last| last <= report.at.timestamp_millis()) {
        return Ok(judged);
    }
    Ok(Judged {
        step: Some(CompartmentStep::Silent),
        gone: None,
    })
}

fn look(tx: &mut WriteTx<'_>, device: &ActingDevice, report: &DoorReport) -> Result<Known> {
    let seen = tx
        .compartment_at(device.id, report.number)?
        .ok_or(UseCaseError::NotFound("compartment"))?;
    if !is_of_this_turn(report.turn, seen.turn) {
        return Err(UseCaseError::CompartmentTurn { present: seen.turn });
    }
    let loan = tx.confirmation_of_turn(device.id, seen.id, seen.turn)?;
    let back = tx.return_of(seen.id, seen.turn)?;
    let of_loan = match &loan {
        Some(loan) => tx.item_of_loan(loan.loan)?.map(|(item, _, _)| item),
        None => None,
    };
    // Of a machine that was alone another book may have been put in since, at the same turn.
    let loan = loan.filter(|_| seen.item.is_none_or(|lies| of_loan == Some(lies)));
    let before = match loan {
        Some(_) => None,
        None => in_question(tx, &seen)?,
    };
    let expected = match seen.item.or(seen.awaited).or(of_loan) {
        Some(item) => tx.tag_and_size(item)?.map(|(bib, tag, _)| ((item, bib), tag)),
        None => None,
    };
    let mut ours = Vec::new();
    let mut found = None;
    if let Inside::Tags(tags) = &report.inside {
        for tag in tags.iter().take(TAGS_KEPT) {
            if let Some(item) = tx.item_of_tag(tag)? {
                ours.push(tag.clone());
                found = Some(item);
            }
        }
    }
    let door_means_taken = report.inside == Inside::NoSensor && settings(tx, device)?.door_means_taken;
    let judged = judge(&Facts {
        state: seen.state,
        expected: expected
            .as_ref()
            .and_then(|(_, tag)| tag.as_deref())
            .or(expected.as_ref().map(|_| "")),
        is_return: back.as_ref().is_some_and(ReturnRow::is_open),
        ours: &ours,
        door: report.door,
        inside: &report.inside,
        door_means_taken,
    });
    let judged = as_known_since(tx, &seen, found, (judged, report))?;
    Ok(Known {
        seen,
        loan,
        before,
        back,
        expected: expected.map(|(item, _)| item),
        found,
        judged,
    })
}

/// The settings that the device is to run.
pub(super) fn settings(tx: &mut WriteTx<'_>, device: &ActingDevice) -> Result<Settings> {
    let version = tx.device(device.id)?.map_or(0, |device| device.configuration_version);
    settings_of(tx, device.id, version)
}

/// What the report says of the loan for which the door was opened. A door that did not open says nothing of one that is decided.
fn say_of_loan(
    tx: &mut WriteTx<'_>,
    known: &Known,
    report: &DoorReport,
    ids: &mut IdRun,
) -> Result<Option<(LoanId, LoanOutcome)>> {
    if let (Some(before), Some(false), Door::Closed) = (&known.before, known.judged.gone, report.door) {
        // Whoever it was opened for has left it there: nobody took it.
        let outcome = heard_of_loan(tx, before.loan, Said::NotTaken, report.by, report.at, ids)?;
        return Ok(Some((before.loan, outcome)));
    }
    let (Some(asked), Some(gone)) = (&known.loan, known.judged.gone) else {
        return Ok(known.loan.as_ref().map(|asked| (asked.loan, LoanOutcome::Nothing)));
    };
    if report.door != Door::Closed && !asked.phase.is_open() {
        return Ok(Some((asked.loan, LoanOutcome::Nothing)));
    }
    let said = if gone { Said::Taken } else { Said::NotTaken };
    let outcome = heard_of_loan(tx, asked.loan, said, report.by, report.at, ids)?;
    Ok(Some((asked.loan, outcome)))
}

/// A book was put in: it is checked in here. Nothing for one that lay there before.
fn take_in(
    tx: &mut WriteTx<'_>,
    device: &ActingDevice,
    known: &Known,
    report: &DoorReport,
    network: &Network,
    ids: &mut IdRun,
) -> Result<Option<CheckInOutcome>> {
    let returns = known.back.as_ref().is_some_and(ReturnRow::is_open);
    let (item, returned_at) = match (known.seen.awaited, known.found) {
        _ if known.seen.item.is_some() => return Ok(None),
        (Some(_), _) => (known.expected, None),
        (None, Some(found)) if returns => (Some(found), Some(report.at)),
        _ => return Ok(None),
    };
    let Some((item, bib)) = item else { return Ok(None) };
    check_in_at(tx, device, &known.seen, (item, bib), returned_at, network, ids).map(Some)
}

/// Checks a book in that lies in a compartment.
pub(super) fn check_in_at(
    tx: &mut WriteTx<'_>,
    device: &ActingDevice,
    compartment: &Compartment,
    (item, bib): (ItemId, BibId),
    returned_at: Option<DateTime<Utc>>,
    network: &Network,
    ids: &mut IdRun,
) -> Result<CheckInOutcome> {
    let caller = device.caller();
    let consent = Consent::default();
    let act = record::act_of(&caller, device.unit, network, &consent, None);
    // Lent after it was put in, if the clocks are to be believed: then it came back now.
    let lent_at = tx.open_loan(item)?.map(|loaded| loaded.loan.loaned_at);
    let arrival = Arrival {
        caller: &caller,
        act: &act,
        network,
        consent: &consent,
        returned_at: returned_at.filter(|at| lent_at.is_none_or(|lent| *at >= lent)),
        parcel: None,
        told: Told::Now,
        into: Some(compartment.id),
    };
    take_back(tx, &arrival, Candidate::known(item, bib), ids.part(IDS_PER_VERB))
}
