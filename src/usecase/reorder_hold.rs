//! Staff give a waiting hold another place in the queue, and write why.

use std::sync::Arc;

use serde_json::json;

use super::end_hold::find_hold;
use super::once::once;
use super::record::{self, About, Consent, settle};
use super::view::HoldOutcome;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::HoldId;
use crate::domain::refusal::Verb;
use crate::domain::reorder_hold;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ReorderHold {
    pub hold: HoldId,
    /// From 1.
    pub place: u32,
    /// Kept with the event.
    pub reason: String,
}

/// Gives a hold another place among the waiting holds of its bib.
///
/// # Errors
/// `NotFound`; `Forbidden`; `Invalid` for a place the queue does not have; `Refused` for a hold that does not wait; a failure of
/// the store.
pub async fn reorder_hold(
    store: &Arc<Store>,
    caller: &Caller,
    command: ReorderHold,
    key: Option<IdempotencyKey>,
) -> Result<Once<HoldOutcome>> {
    caller.require_somewhere(Right::ManageHolds)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &ReorderHold, mut ids: IdRun) -> Result<HoldOutcome> {
    let network = tx.network()?;
    let hold = find_hold(tx, caller, command.hold)?;
    let unit = caller.unit.unwrap_or(hold.facts.pickup);
    caller.require(Right::ManageHolds, unit, &network)?;
    caller.require(Right::ManageHolds, hold.facts.pickup, &network)?;
    let queue = tx.queue_keys(hold.bib)?;
    let place = usize::try_from(command.place).unwrap_or(usize::MAX);
    let act = record::act_of(caller, unit, &network, &Consent::default(), None);
    let (consent, about) = (Consent::default(), About::hold(caller, Verb::ChangeHold, &hold));
    let plan = settle(&consent, &about, &act, tx.now(), |act| {
        reorder_hold::decide(act, &hold.facts, &queue, place)
    })?;
    if !(1..=queue.len()).contains(&place) {
        let reason = format!("the queue has the places 1 to {}", queue.len());
        return Err(UseCaseError::field("place", reason));
    }
    let from = queue.iter().position(|key| key.hold == hold.facts.id).map(|at| at + 1);
    if let Some(behind) = plan.steps_back {
        tx.step_back(hold.bib, behind)?;
    }
    tx.set_place(hold.facts.id, plan.priority, plan.rank)?;
    let reader = tx
        .lock_reader(hold.facts.reader, &network)?
        .ok_or(UseCaseError::NotFound("reader"))?;
    let now = tx.now();
    let mut event = Event::new(EventKind::HoldReordered, now, unit, act.channel.code())
        .of_reader(reader.id, reader.category, record::age_band(&reader, &network, now))
        .by(caller.staff(), caller.device())
        .detail(json!({"hold_id": hold.facts.id, "from_place": from, "to_place": place}))
        .personal(json!({"reason": command.reason}));
    event.bib = Some(hold.bib);
    tx.append_event(ids.next(), &event)?;
    HoldOutcome::of(tx, hold.facts.id, &plan.passed, None, &network)
}
