//! A hold ends without a loan: cancelled, or its time is over. The copy set aside for it goes to the next reader at once, or
//! where it belongs.

use serde_json::{Value, json};

use super::record::{self, About, Consent, Ledger, settle};
use super::{Caller, Result, UseCaseError};
use crate::domain::act::Act;
use crate::domain::cancel_hold::{self, Facts, Plan};
use crate::domain::event::EventKind;
use crate::domain::hold::HoldStatus;
use crate::domain::ids::{HoldId, ReaderId};
use crate::domain::network::Network;
use crate::domain::refusal::Verb;
use crate::store::events::Event;
use crate::store::holds::{HoldEnd, LoadedHold};
use crate::store::ids::IdRun;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::tx::WriteTx;

/// Who ends which hold, and how.
pub(super) struct Ending<'a> {
    pub caller: &'a Caller,
    pub act: &'a Act,
    pub consent: &'a Consent,
    pub network: &'a Network,
    pub hold: &'a LoadedHold,
    pub how: HoldEnd,
}

/// Locks the bib and reads the hold. Another reader's hold is not there for a reader.
pub(super) fn find_hold(tx: &mut WriteTx<'_>, caller: &Caller, id: HoldId) -> Result<LoadedHold> {
    let unknown = || UseCaseError::NotFound("hold");
    let (_, reader): (_, Option<ReaderId>) = tx.bib_of_hold(id)?.ok_or_else(unknown)?;
    if caller.reader().is_some_and(|own| Some(own) != reader) {
        return Err(unknown());
    }
    tx.lock_hold(id)?.ok_or_else(unknown)
}

/// Locks the copy set aside, if there is one.
pub(super) fn set_aside(tx: &mut WriteTx<'_>, hold: &LoadedHold, network: &Network) -> Result<Option<LoadedItem>> {
    let captured = hold.captured_item.filter(|_| hold.facts.status == HoldStatus::Captured);
    let Some(id) = captured else { return Ok(None) };
    Ok(tx.lock_item(Candidate::known(id, hold.bib), network)?)
}

/// Ends the hold, which `find_hold` locked.
pub(super) fn end_hold(tx: &mut WriteTx<'_>, ending: &Ending<'_>, ids: &mut IdRun) -> Result<Plan> {
    let Ending {
        caller,
        act,
        consent,
        network,
        hold,
        how,
    } = *ending;
    let mut item = set_aside(tx, hold, network)?;
    let reader = tx
        .lock_reader(hold.facts.reader, network)?
        .ok_or(UseCaseError::NotFound("reader"))?;
    let now = item
        .as_ref()
        .map_or_else(|| tx.now(), |item| record::now_for(tx, &item.facts));
    let next_hold = match &item {
        Some(item) => record::next_hold(tx, network, item, now)?,
        None => None,
    };
    if let Some(item) = &mut item {
        let lies_at = item.facts.current;
        tx.count_floating(&mut item.facts, lies_at)?;
    }
    let facts = Facts {
        act,
        network,
        hold: Some(&hold.facts),
        by_reader: caller.reader(),
        item: item.as_ref().map(|item| &item.facts),
        next_hold: next_hold.as_ref(),
    };
    let about = About::hold(caller, Verb::CancelHold, hold);
    let plan = settle(consent, &about, act, now, |act| {
        cancel_hold::decide(&Facts { act, ..facts }, now)
    })?;
    tx.close_hold(hold.facts.id, hold.bib, hold.facts.reader, how, now)?;
    let (kind, detail) = told(how, hold, &plan);
    let mut event = Event::new(kind, now, act.unit, caller.event_channel(act))
        .of_reader(reader.id, reader.category, record::age_band(&reader, network, now))
        .by(caller.staff(), caller.device())
        .detail(detail)
        .personal(caller.says(Value::Null));
    event.bib = Some(hold.bib);
    tx.append_event(ids.next(), &event)?;
    if let (Some(moves), Some(item)) = (&plan.item_moves, &item) {
        let mut ledger = Ledger {
            tx,
            caller,
            act,
            item: &item.facts,
            now,
            ids,
        };
        ledger.move_on(moves)?;
    }
    Ok(plan)
}

fn told(how: HoldEnd, hold: &LoadedHold, plan: &Plan) -> (EventKind, Value) {
    let id = hold.facts.id;
    match how {
        // Not collected, or never come: that may have consequences for the reader.
        HoldEnd::Expired => (
            EventKind::HoldExpired,
            json!({"hold_id": id, "not_collected": hold.shelf_until.is_some()}),
        ),
        HoldEnd::Cancelled | HoldEnd::Filled => (
            EventKind::HoldCancelled,
            json!({"hold_id": id, "consent": record::consent_detail(&plan.passed)}),
        ),
    }
}
