//! An item is repaired or processed and circulates again, from where it lies: the next reader who waits is served first.

use std::sync::Arc;

use serde_json::json;

use super::once::once;
use super::record::{self, Consent, IDS_PER_VERB, Ledger};
use super::report_item::{ItemLifeOutcome, append, at, lock, obstacle};
use super::view::NextStepView;
use super::{Caller, IdempotencyKey, Result};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::{ItemId, TransitId};
use crate::domain::item_life::{self, Demand, ItemAct};
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ReadyItem {
    pub item: ItemId,
    /// `FinishRepair` or `FinishProcessing`.
    pub act: ItemAct,
    /// What was done, in words.
    pub note: Option<String>,
}

/// Lets an item circulate again.
///
/// # Errors
/// `State` where there was nothing to finish; `NotFound`; `Forbidden` away from where it is; a failure of the store.
pub async fn ready_item(
    store: &Arc<Store>,
    caller: &Caller,
    command: ReadyItem,
    key: Option<IdempotencyKey>,
) -> Result<Once<ItemLifeOutcome>> {
    caller.require_somewhere(Right::MindItems)?;
    once(store, caller, key, IDS_PER_VERB, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &ReadyItem, mut ids: IdRun) -> Result<ItemLifeOutcome> {
    let network = tx.network()?;
    let mut item = lock(tx, caller, command.item, Right::MindItems, &network)?;
    if tx.open_loan(command.item)?.is_some() {
        return Err(obstacle(item_life::Obstacle::OpenLoan));
    }
    let now = record::now_for(tx, &item.facts);
    let next_hold = record::next_hold(tx, &network, &item, now)?;
    let next_shelf_number = record::shelf_number(tx, &item, next_hold.as_ref(), item.facts.current)?;
    let lies_at = item.facts.current;
    tx.count_floating(&mut item.facts, lies_at)?;
    let demand = Demand {
        next_hold: next_hold.as_ref(),
        next_shelf_number,
    };
    let ready = item_life::decide_ready(&network, &item.facts, command.act, demand, now).map_err(obstacle)?;
    let act = record::act_of(caller, at(caller, &item), &network, &Consent::default(), None);
    let mut ledger = Ledger {
        tx,
        caller,
        act: &act,
        item: &item.facts,
        now,
        ids: &mut ids,
    };
    let kind = match command.act {
        ItemAct::FinishRepair => EventKind::ItemRepaired,
        _ => EventKind::ItemProcessed,
    };
    let detail = json!({"at_unit_id": item.facts.current});
    append(&mut ledger, kind, detail, command.note.as_deref())?;
    if let Some(capture) = &ready.capture {
        ledger.capture(capture)?;
    }
    ledger.place(ready.status, item.facts.current)?;
    let transit = ledger.send(item.facts.current, &ready.next_step)?;
    Ok(ItemLifeOutcome {
        next_step: Some(NextStepView::of(&ready.next_step, &network)),
        transit_id: transit.map(TransitId::get),
        ..ItemLifeOutcome::of(tx, command.item, &network)?
    })
}
