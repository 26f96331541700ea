//! An item leaves the way it was on: missing, damaged, to be processed; or comes back into the stock. And what the verbs
//! about one item where it lies share.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::get_item::ItemView;
use super::once::once;
use super::record::{self, Consent, IDS_PER_VERB, Ledger};
use super::view::NextStepView;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, HoldId, ItemId, TransitId, UnitId};
use crate::domain::item_life::{self, ItemAct, Plan};
use crate::domain::network::Network;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::transits::TransitEnd;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ReportItem {
    pub item: ItemId,
    pub act: ItemAct,
    /// What was seen, in words.
    pub note: Option<String>,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemLifeOutcome {
    pub item: ItemView,
    /// Where it goes, when it circulates again.
    pub next_step: Option<NextStepView>,
    /// The transit opened for the crate.
    pub transit_id: Option<i64>,
    /// The loan that ended as lost.
    pub lost_loan_id: Option<i64>,
    /// The hold it was set aside for, which waits again at its old place.
    pub released_hold_id: Option<i64>,
    /// The journey that ended.
    pub cancelled_transit_id: Option<i64>,
}

impl Outcome for ItemLifeOutcome {}

impl ItemLifeOutcome {
    pub(super) fn of(tx: &mut WriteTx<'_>, item: ItemId, network: &Network) -> Result<Self> {
        let stored = tx.item_view(item)?.ok_or(UseCaseError::NotFound("item"))?;
        Ok(Self {
            item: ItemView::now(tx, stored, network)?,
            next_step: None,
            transit_id: None,
            lost_loan_id: None,
            released_hold_id: None,
            cancelled_transit_id: None,
        })
    }
}

/// Records what became of an item.
///
/// # Errors
/// `State` where its life does not lead there; `NotFound`; `Forbidden` away from where it is; a failure of the store.
pub async fn report_item(
    store: &Arc<Store>,
    caller: &Caller,
    command: ReportItem,
    key: Option<IdempotencyKey>,
) -> Result<Once<ItemLifeOutcome>> {
    caller.require_somewhere(right(command.act))?;
    once(store, caller, key, IDS_PER_VERB, command, apply).await
}

/// Stock is the cataloguers'; where an item lies is seen by whoever works there.
const fn right(act: ItemAct) -> Right {
    match act {
        ItemAct::Reinstate => Right::ManageItems,
        _ => Right::MindItems,
    }
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &ReportItem, mut ids: IdRun) -> Result<ItemLifeOutcome> {
    let network = tx.network()?;
    let item = lock(tx, caller, command.item, right(command.act), &network)?;
    let lent = item.loan.is_some() || tx.open_loan(command.item)?.is_some();
    let plan = item_life::decide(&item.facts, command.act, lent).map_err(obstacle)?;
    let act = record::act_of(caller, at(caller, &item), &network, &Consent::default(), None);
    let now = record::now_for(tx, &item.facts);
    let mut ledger = Ledger {
        tx,
        caller,
        act: &act,
        item: &item.facts,
        now,
        ids: &mut ids,
    };
    leave(&mut ledger, &plan)?;
    let detail = json!({"was": item.facts.status.code(), "at_unit_id": item.facts.current});
    append(&mut ledger, kind(command.act), detail, command.note.as_deref())?;
    Ok(ItemLifeOutcome {
        released_hold_id: plan.releases_hold.map(HoldId::get),
        cancelled_transit_id: plan.cancels_transit.map(TransitId::get),
        ..ItemLifeOutcome::of(tx, command.item, &network)?
    })
}

const fn kind(act: ItemAct) -> EventKind {
    match act {
        ItemAct::ReportMissing => EventKind::ItemMissing,
        ItemAct::ReportDamaged => EventKind::ItemDamaged,
        ItemAct::StartProcessing => EventKind::ItemInProcessing,
        ItemAct::Reinstate => EventKind::ItemReinstated,
        _ => EventKind::ItemChanged,
    }
}

/// The act is not possible in the state the item or its loan is in.
pub(super) fn obstacle(obstacle: impl std::fmt::Display) -> UseCaseError {
    UseCaseError::State(obstacle.to_string())
}

/// Where an act on an item takes place: at the caller's desk, else where the item is.
pub(super) fn at(caller: &Caller, item: &LoadedItem) -> UnitId {
    caller.unit.unwrap_or(item.facts.current)
}

/// Locks an item for somebody who has a right where it is, or where its crate goes; to the stock's keepers the owner counts.
pub(super) fn lock(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    id: ItemId,
    right: Right,
    network: &Network,
) -> Result<LoadedItem> {
    let missing = || UseCaseError::NotFound("item");
    let known = tx.item_view(id)?.ok_or_else(missing)?;
    let candidate = Candidate::known(id, BibId::new(known.bib_id));
    let item = tx.lock_item(candidate, network)?.ok_or_else(missing)?;
    let facts = &item.facts;
    let covered = match right {
        Right::ManageItems => caller.may(right, facts.owner, network),
        _ => {
            let goes = facts.transit.as_ref().map(|transit| transit.to);
            caller.may(right, facts.current, network) || goes.is_some_and(|to| caller.may(right, to, network))
        }
    };
    if covered {
        Ok(item)
    } else {
        Err(UseCaseError::Forbidden)
    }
}

/// Carries a plan out: the hold waits again, the journey ends, the item is what it is now.
pub(super) fn leave(ledger: &mut Ledger<'_, '_>, plan: &Plan) -> Result<()> {
    if let Some(hold) = plan.releases_hold {
        ledger.tx.release_hold(hold)?;
        ledger.append(EventKind::HoldReleased, json!({"hold_id": hold}))?;
    }
    if let Some(transit) = plan.cancels_transit {
        ledger.end_transit(transit, TransitEnd::Cancelled)?;
    }
    ledger.place(plan.status, ledger.item.current)
}

/// Appends the event of an act on an item; what people wrote stands where it can be erased.
pub(super) fn append(ledger: &mut Ledger<'_, '_>, kind: EventKind, detail: Value, note: Option<&str>) -> Result<()> {
    let mut event = ledger.event(kind).detail(detail);
    if let Some(note) = note {
        event = event.personal(json!({"note": note}));
    }
    ledger.append_event(&event)
}
