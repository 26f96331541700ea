//! Check-in: an item comes back, anywhere. Every one ends in exactly one next step.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::acting_device::require_at_work;
use super::compartment_record;
use super::confirm_loan::seen_elsewhere;
use super::deposit_copies::came_home;
use super::item_shown::ItemShown;
use super::opened_in_question::{SeenBy, came_by_hand};
use super::record::{self, About, Consent, IDS_PER_VERB, Ledger, settle};
use super::sorter_bin::bin_for;
use super::view::{CheckInOutcome, ClosedLoan, NextStepView, refusal_views};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::act::{Act, Overrides};
use crate::domain::check_in::{self, Facts, Plan, TransitEffect};
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::hold::HoldCandidate;
use crate::domain::ids::{CompartmentId, TransitId, UnitId};
use crate::domain::item::{ItemFacts, ItemStatus};
use crate::domain::network::Network;
use crate::domain::reader::Channel;
use crate::domain::refusal::{Code, Verb};
use crate::domain::route::NextStep;
use crate::store::ids::IdRun;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::loans::{LoadedLoan, LoanEnd};
use crate::store::transits::TransitEnd;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CheckIn {
    pub item: ItemShown,
    /// Says whose item, where a barcode or a tag means several.
    pub owner_unit_code: Option<String>,
    /// When it was really returned; now if absent. A book drop is emptied later.
    pub returned_at: Option<DateTime<Utc>>,
    pub consent: Consent,
}

/// Takes an item back.
///
/// # Errors
/// `Refused` at a staffed desk with every reason; `Invalid` or `Ambiguous` naming the field; a failure of the store.
pub async fn check_in(
    store: &Arc<Store>,
    caller: &Caller,
    command: CheckIn,
    key: Option<IdempotencyKey>,
) -> Result<Once<CheckInOutcome>> {
    caller.require_somewhere(Right::CheckIn)?;
    let unit = caller.working_unit()?;
    let ids = store.take_ids::<UseCaseError>(IDS_PER_VERB).await?;
    let who = caller.clone();
    let claim = key.map(|key| key.claim(caller));
    store
        .write_once(claim, move |tx| {
            let network = tx.network()?;
            who.require(Right::CheckIn, unit, &network)?;
            require_at_work(tx, &who)?;
            let owner = command.owner_unit_code.as_deref();
            let candidate = command.item.find(tx, &network, owner)?;
            let act = record::act_of(&who, unit, &network, &command.consent, None);
            let arrival = Arrival {
                caller: &who,
                act: &act,
                network: &network,
                consent: &command.consent,
                returned_at: command.returned_at,
                parcel: None,
                into: None,
                told: Told::Now,
            };
            take_back(tx, &arrival, candidate, ids.clone())
        })
        .await
}

/// An item that arrives at a unit.
pub(super) struct Arrival<'a> {
    pub caller: &'a Caller,
    pub act: &'a Act,
    pub network: &'a Network,
    pub consent: &'a Consent,
    pub returned_at: Option<DateTime<Utc>>,
    /// How it came back, when a parcel brought it: `refused`, `returned` or `posted`.
    pub parcel: Option<&'static str>,
    /// The compartment of a machine in which it lies now.
    pub into: Option<CompartmentId>,
    pub told: Told,
}

impl Arrival<'_> {
    /// A reader brought it: to a machine, by a parcel, or in a drop that was emptied later. What a sorter takes in, crates brought as well.
    fn is_of_a_reader(&self) -> bool {
        match self.act.channel {
            Channel::Kiosk | Channel::Locker | Channel::Portal => true,
            Channel::Drop => false,
            Channel::Desk | Channel::Mobile => {
                let emptied = self.returned_at.is_some() && !matches!(self.told, Told::Then(_));
                self.parcel.is_some() || emptied
            }
        }
    }
}

/// How an arrival is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It happens now, and may be refused.
    Now,
    /// A journal tells of it: it cannot be refused any more, and is routed from where it lies.
    Then(DateTime<Utc>),
    /// A person has it in hand and knows all that stands in its way.
    Settled,
}

/// Whoever fetches it at a machine needs it behind a door. What a journal tells has happened.
fn may_wait_here(
    tx: &mut WriteTx<'_>,
    arrival: &Arrival<'_>,
    item: &ItemFacts,
    next_hold: Option<&HoldCandidate>,
) -> Result<()> {
    let here = arrival.act.unit;
    let fetched_at = item.captured_for.as_ref().map(|hold| hold.pickup);
    let asked = fetched_at.or(next_hold.map(|hold| hold.wish.pickup)) == Some(here)
        && arrival.into.is_none()
        && !matches!(arrival.told, Told::Then(_));
    if asked && compartment_record::must_be_loaded(tx, arrival.network, here)? {
        return Err(UseCaseError::LoadIt);
    }
    Ok(())
}

/// The whole of a check-in once the item is known; receiving a transit ends here too.
pub(super) fn take_back(
    tx: &mut WriteTx<'_>,
    arrival: &Arrival<'_>,
    candidate: Candidate,
    mut ids: IdRun,
) -> Result<CheckInOutcome> {
    let (act, network) = (arrival.act, arrival.network);
    let mut item = arrived(tx, arrival, candidate, &mut ids)?;
    let now = record::now_for(tx, &item.facts);
    let returned_at = returned_at(arrival, item.loan.as_ref(), now)?;
    let next_hold = record::next_hold(tx, network, &item, now)?;
    may_wait_here(tx, arrival, &item.facts, next_hold.as_ref())?;
    let next_shelf_number = record::shelf_number(tx, &item, next_hold.as_ref(), act.unit)?;
    tx.count_floating(&mut item.facts, act.unit)?;
    let loan = item.loan.as_ref();
    let facts = Facts {
        act,
        network,
        item: &item.facts,
        loan: loan.map(|loaded| &loaded.loan),
        next_hold: next_hold.as_ref(),
        next_shelf_number,
        returned_at,
    };
    let reader = loan.map(|loaded| loaded.loan.reader);
    let said = arrival
        .returned_at
        .map_or_else(String::new, |at| at.timestamp_millis().to_string());
    let about = About::item(arrival.caller, Verb::CheckIn, reader, &item.facts).with(&said);
    let plan = match arrival.told {
        Told::Now => settle(arrival.consent, &about, act, now, |act| {
            check_in::decide(&Facts { act, ..facts }, now)
        })?,
        Told::Then(_) => {
            let act = &Act::at(act.unit, Channel::Drop);
            check_in::decide(&Facts { act, ..facts }, now)?
        }
        Told::Settled => {
            let act = &all_seen(act);
            check_in::decide(&Facts { act, ..facts }, now)?
        }
    };
    let transit = if plan.repeated {
        // The same scan again: nothing changes.
        item.facts.transit.as_ref().map(|transit| transit.id)
    } else {
        let mut ledger = Ledger {
            tx,
            caller: arrival.caller,
            act,
            item: &item.facts,
            now,
            ids: &mut ids,
        };
        ledger.append_passed(&plan.passed, arrival.consent)?;
        let transit = carry_out(&mut ledger, &plan, loan, arrival)?;
        if plan.capture.is_some() && next_hold.as_ref().is_some_and(|hold| hold.pulled) {
            tx.close_found_pull(item.facts.id, now)?;
        }
        transit
    };
    compartment_record::left(tx, item.compartment.filter(|lay| arrival.into != Some(*lay)))?;
    let bin = bin_for(tx, arrival.caller, (act.unit, &plan.next_step), network)?;
    Ok(CheckInOutcome {
        bin,
        ..outcome(&plan, &item, transit, network)
    })
}

/// The copy under its locks. One in question that came out of a compartment by the hands of staff is on loan to nobody.
fn arrived(tx: &mut WriteTx<'_>, arrival: &Arrival<'_>, candidate: Candidate, ids: &mut IdRun) -> Result<LoadedItem> {
    let missing = || UseCaseError::NotFound("item");
    let item = tx.lock_item(candidate, arrival.network)?.ok_or_else(missing)?;
    let seen = SeenBy {
        caller: arrival.caller,
        at: match arrival.told {
            Told::Then(then) => then,
            Told::Now | Told::Settled => tx.now(),
        },
        reader: arrival.is_of_a_reader(),
    };
    if !came_by_hand(tx, &item, seen, ids)? {
        return Ok(item);
    }
    let again = Candidate::known(item.facts.id, item.facts.bib_id);
    tx.lock_item(again, arrival.network)?.ok_or_else(missing)
}

/// The act of somebody who knows everything that could be found.
fn all_seen(act: &Act) -> Act {
    let all: BTreeSet<Code> = Code::ALL.iter().copied().collect();
    Act {
        may_override: true,
        overrides: Overrides {
            codes: all.clone(),
            reason: "settled".to_owned(),
        },
        confirmed: all,
        ..act.clone()
    }
}

/// The true return time: given, but neither in the future nor before the loan.
/// An item found in the house that its reader says was given back was given back then; what a machine takes in comes now.
fn returned_at(arrival: &Arrival<'_>, loan: Option<&LoadedLoan>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let Some(given) = arrival.returned_at else {
        let claimed = loan.and_then(|loaded| loaded.loan.claimed_returned_at);
        return Ok(claimed.filter(|_| arrival.act.channel.is_staffed()).unwrap_or(now));
    };
    if given > now {
        return Err(UseCaseError::field("returned_at", "lies in the future"));
    }
    if loan.is_some_and(|loaded| given < loaded.loan.loaned_at) {
        return Err(UseCaseError::field("returned_at", "lies before the loan began"));
    }
    Ok(given)
}

/// Applies the plan and answers the transit the item is on now.
fn carry_out(
    ledger: &mut Ledger<'_, '_>,
    plan: &Plan,
    loan: Option<&LoadedLoan>,
    arrival: &Arrival<'_>,
) -> Result<Option<TransitId>> {
    let now = ledger.now;
    // What follows from it now carries the time of now.
    let then = match arrival.told {
        Told::Then(then) => then,
        Told::Now | Told::Settled => now,
    };
    ledger.now = then;
    if let (Some(closes), Some(loaded)) = (&plan.closes_loan, loan) {
        ledger
            .tx
            .close_loan(closes.loan, LoanEnd::Returned, closes.returned_at, ledger.act.unit)?;
        append_return(ledger, loaded, closes.overdue_days, arrival.parcel)?;
        seen_elsewhere(ledger, loaded)?;
    }
    if plan.local_use {
        ledger.append(EventKind::LocalUse, serde_json::Value::Null)?;
    }
    ledger.now = now;
    let kept = match plan.transit {
        TransitEffect::None => None,
        TransitEffect::Received(id) => {
            ledger.end_transit(id, TransitEnd::Received)?;
            None
        }
        TransitEffect::Repaired(id) => {
            ledger.end_transit(id, TransitEnd::Cancelled)?;
            None
        }
        TransitEffect::Keeps(id) => Some(id),
    };
    if matches!(ledger.item.status, ItemStatus::Missing | ItemStatus::Lost) {
        ledger.append(EventKind::ItemFound, json!({"was": ledger.item.status.code()}))?;
    }
    if let Some(capture) = &plan.capture {
        ledger.capture(capture)?;
    }
    if let Some(hold) = plan.releases_hold {
        ledger.tx.release_hold(hold)?;
        ledger.append(EventKind::HoldReleased, json!({"hold_id": hold}))?;
    }
    if let NextStep::Exception { reason } = plan.next_step {
        ledger.append(EventKind::ItemNeedsAttention, json!({"reason": reason}))?;
    }
    ledger.now = then.max(ledger.item.last_event_at);
    ledger.place(plan.item_status, plan.current)?;
    ledger.now = now;
    came_home(ledger, plan)?;
    match kept {
        Some(id) => Ok(Some(id)),
        None => ledger.send(plan.current, &plan.next_step),
    }
}

/// The event of a returned loan, with what the loan remembers of its reader.
pub(super) fn append_return(
    ledger: &mut Ledger<'_, '_>,
    loaded: &LoadedLoan,
    overdue_days: u32,
    parcel: Option<&'static str>,
) -> Result<()> {
    let loan = &loaded.loan;
    let band = AgeBand::from_code(&loaded.age_band).unwrap_or(AgeBand::Unknown);
    let mut detail = json!({"loan_id": loan.id, "overdue_days": overdue_days, "lent_at_unit_id": loan.unit});
    if let Some(parcel) = parcel {
        // What credit will look at: a parcel that was refused is no ordinary return.
        detail["parcel"] = parcel.into();
    }
    let event = ledger
        .event(EventKind::LoanReturned)
        .of_reader(loan.reader, loan.category, band)
        .detail(detail);
    ledger.append_event(&event)
}

fn outcome(plan: &Plan, item: &LoadedItem, transit: Option<TransitId>, network: &Network) -> CheckInOutcome {
    CheckInOutcome {
        item_id: item.facts.id.get(),
        item_barcode: item.facts.barcode.clone(),
        bib_id: item.facts.bib_id.get(),
        title: item.title.clone(),
        next_step: NextStepView::of(&plan.next_step, network),
        bin: None,
        closed_loan: plan.closes_loan.map(|closes| ClosedLoan {
            id: closes.loan.get(),
            returned_at: closes.returned_at,
            overdue_days: closes.overdue_days,
        }),
        local_use: plan.local_use,
        transit_id: transit.map(TransitId::get),
        repeated: plan.repeated,
        notices: refusal_views(&plan.passed.notices),
        slip: slip(plan, item, network),
    }
}

/// What a printer puts on the slip: where the item goes, and nothing about any reader.
fn slip(plan: &Plan, item: &LoadedItem, network: &Network) -> Vec<String> {
    let name = |unit: UnitId| {
        network
            .unit(unit)
            .map_or_else(|| unit.to_string(), |unit| unit.name.clone())
    };
    let goes = match &plan.next_step {
        NextStep::ShelfHere { .. } => format!("上架 / Shelve: {}", name(plan.current)),
        NextStep::HoldShelf { number, expires_on, .. } => {
            format!("预约架 / Hold shelf: {number} ({expires_on})")
        }
        NextStep::CheckIn { .. } => format!("请扫描归还 / Check in: {}", name(plan.current)),
        NextStep::Crate { to, reason, .. } => format!("送往 / Send to: {} ({})", name(*to), reason.code()),
        NextStep::Exception { reason } => format!("待处理 / Needs attention: {}", reason.code()),
    };
    vec![
        goes,
        item.title.clone(),
        item.facts.barcode.clone(),
        format!("产权馆 / Owner: {}", name(item.facts.owner)),
    ]
}
