//! Cancelling a hold: the reader leaves the queue; a copy set aside goes on to the next one or home.

use std::sync::Arc;

use serde_json::json;

use super::once::once;
use super::record::{self, Consent, IDS_PER_VERB, Ledger};
use super::view::{HoldOutcome, HoldView, NextStepView, refusal_views};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::cancel_hold::{self, Facts, ItemMoves, Plan};
use crate::domain::event::EventKind;
use crate::domain::hold::HoldStatus;
use crate::domain::ids::{HoldId, ReaderId, UnitId};
use crate::domain::network::Network;
use crate::store::events::Event;
use crate::store::holds::{HoldEnd, LoadedHold};
use crate::store::ids::IdRun;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::transits::TransitEnd;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CancelHold {
    pub hold: HoldId,
    pub consent: Consent,
}

/// Cancels a hold; a reader only its own.
///
/// # Errors
/// `NotFound` for an unknown hold or another reader's; `Refused` with every reason; a failure of the store.
pub async fn cancel_hold(
    store: &Arc<Store>,
    caller: &Caller,
    command: CancelHold,
    key: Option<IdempotencyKey>,
) -> Result<Once<HoldOutcome>> {
    caller.require_somewhere(Right::CancelHold)?;
    once(store, caller, key, IDS_PER_VERB, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &CancelHold, mut ids: IdRun) -> Result<HoldOutcome> {
    let network = tx.network()?;
    let hold = find(tx, caller, command.hold)?;
    let unit = caller.unit.unwrap_or(hold.facts.pickup);
    caller.require(Right::CancelHold, unit, &network)?;
    let plan = end(tx, caller, &network, unit, &hold, &command.consent, &mut ids)?;
    outcome(tx, &plan, &hold, &network)
}

/// Ends a hold that was found under the lock of its bib, and moves the copy on that was set aside for it.
pub(super) fn end(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    network: &Network,
    unit: UnitId,
    hold: &LoadedHold,
    consent: &Consent,
    ids: &mut IdRun,
) -> Result<Plan> {
    let item = set_aside(tx, hold, unit, network)?;
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
    let next_shelf_number = match &item {
        Some(item) => record::shelf_number(tx, item, next_hold.as_ref(), item.facts.current)?,
        None => 1,
    };
    let act = record::act_of(caller, unit, network, consent, None);
    let facts = Facts {
        act: &act,
        network,
        hold: Some(&hold.facts),
        by_reader: caller.reader(),
        item: item.as_ref().map(|item| &item.facts),
        next_hold: next_hold.as_ref(),
        next_shelf_number,
    };
    let plan = cancel_hold::decide(&facts, now)?;
    tx.close_hold(hold.facts.id, hold.bib, hold.facts.reader, HoldEnd::Cancelled, now)?;
    let mut event = Event::new(EventKind::HoldCancelled, now, unit, act.channel.code())
        .of_reader(reader.id, reader.category, record::age_band(&reader, network, now))
        .by(caller.staff(), caller.device())
        .detail(json!({"hold_id": hold.facts.id, "consent": record::consent_detail(&plan.passed)}));
    event.bib = Some(hold.bib);
    tx.append_event(ids.next(), &event)?;
    if let (Some(moves), Some(item)) = (&plan.item_moves, &item) {
        let mut ledger = Ledger {
            tx,
            caller,
            act: &act,
            item: &item.facts,
            now,
            ids,
        };
        move_on(&mut ledger, moves)?;
    }
    Ok(plan)
}

/// Locks the bib and reads the hold. Another reader's hold is not there for a reader.
fn find(tx: &mut WriteTx<'_>, caller: &Caller, id: HoldId) -> Result<LoadedHold> {
    let unknown = || UseCaseError::NotFound("hold");
    let (_, reader): (_, Option<ReaderId>) = tx.bib_of_hold(id)?.ok_or_else(unknown)?;
    if caller.reader().is_some_and(|own| Some(own) != reader) {
        return Err(unknown());
    }
    tx.lock_hold(id)?.ok_or_else(unknown)
}

/// Locks the copy set aside, if there is one.
fn set_aside(tx: &mut WriteTx<'_>, hold: &LoadedHold, at: UnitId, network: &Network) -> Result<Option<LoadedItem>> {
    let captured = hold.captured_item.filter(|_| hold.facts.status == HoldStatus::Captured);
    let Some(id) = captured else { return Ok(None) };
    Ok(tx.lock_item(Candidate::known(id, hold.bib), at, network)?)
}

fn move_on(ledger: &mut Ledger<'_, '_>, moves: &ItemMoves) -> Result<()> {
    if let Some(transit) = moves.cancels_transit {
        ledger.end_transit(transit, TransitEnd::Cancelled)?;
    }
    if let Some(capture) = &moves.capture {
        ledger.capture(capture)?;
    }
    ledger.place(moves.item_status, moves.current)?;
    ledger.send(moves.current, &moves.next_step)?;
    Ok(())
}

fn outcome(tx: &mut WriteTx<'_>, plan: &Plan, hold: &LoadedHold, network: &Network) -> Result<HoldOutcome> {
    let row = tx.hold_view(hold.facts.id)?.ok_or(UseCaseError::NotFound("hold"))?;
    Ok(HoldOutcome {
        hold: HoldView::of(row, None, network),
        notices: refusal_views(&plan.passed.notices),
        overridden: record::overridden_codes(&plan.passed),
        next_step: plan
            .item_moves
            .as_ref()
            .map(|moves| NextStepView::of(&moves.next_step, network)),
    })
}
