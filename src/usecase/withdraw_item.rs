//! A copy leaves the stock. And what the changes to one copy share: locking it, and saying what happened.

use std::sync::Arc;

use serde_json::{Value, json};

use super::deposit_copies::leave;
use super::get_item::ItemView;
use super::{Caller, IdempotencyKey, Result, UseCaseError, record};
use crate::auth::Right;
use crate::domain::deposit::CopyState;
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, ItemId};
use crate::domain::item::ItemStatus;
use crate::domain::network::Network;
use crate::domain::withdraw_item::decide;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::item_changes::ItemChange;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Withdraws an item.
///
/// # Errors
/// `State` while it is lent, set aside, on its way, waited for or the cover of others; `NotFound`; `Forbidden` outside the caller's subtree; a
/// failure of the store.
pub async fn withdraw_item(
    store: &Arc<Store>,
    caller: &Caller,
    item: ItemId,
    reason: String,
    key: Option<IdempotencyKey>,
) -> Result<Once<ItemView>> {
    caller.require_somewhere(Right::ManageItems)?;
    let ids = store.take_ids::<UseCaseError>(1).await?;
    let who = caller.clone();
    let claim = key.map(|key| key.claim(caller));
    store
        .write_once(claim, move |tx| apply(tx, &who, item, &reason, ids.clone()))
        .await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, id: ItemId, reason: &str, mut ids: IdRun) -> Result<ItemView> {
    let network = tx.network()?;
    let item = lock(tx, caller, id, &network)?;
    let lent = tx.open_loan(id)?.is_some();
    let awaited = tx.holds_on_copy(id)?;
    let is_host = tx.is_host(id)?;
    decide(&item.facts, lent, awaited, is_host).map_err(|obstacle| UseCaseError::State(obstacle.to_string()))?;
    if item.facts.deposit.is_some() {
        leave(tx, &item.facts, CopyState::Withdrawn, record::now_for(tx, &item.facts))?;
    }
    let change = ItemChange {
        status: Some(ItemStatus::Withdrawn.code().to_owned()),
        ..ItemChange::default()
    };
    carry_out(tx, caller, &item, change, json!({"withdrawn": reason}), ids.next())?;
    show(tx, id)
}

/// Locks an item, after its bib, for a change by somebody who may manage its owner's items.
pub(super) fn lock(tx: &mut WriteTx<'_>, caller: &Caller, id: ItemId, network: &Network) -> Result<LoadedItem> {
    let missing = || UseCaseError::NotFound("item");
    let known = tx.item_view(id)?.ok_or_else(missing)?;
    let at = crate::domain::ids::UnitId::new(known.owner_unit_id);
    caller.require(Right::ManageItems, at, network)?;
    let candidate = Candidate::known(id, BibId::new(known.bib_id));
    tx.lock_item(candidate, network)?.ok_or_else(missing)
}

/// Writes a change to a locked item and the event that tells of it.
pub(super) fn carry_out(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    item: &LoadedItem,
    mut change: ItemChange,
    detail: Value,
    event_id: i64,
) -> Result<()> {
    let now = record::now_for(tx, &item.facts);
    change.last_event_at = Some(now.timestamp_millis());
    tx.change_item(item.facts.id, &change)?;
    let at = caller.unit.unwrap_or(item.facts.owner);
    let event = Event::new(EventKind::ItemChanged, now, at, caller.channel().code())
        .of_item(&item.facts)
        .by(caller.staff(), caller.device())
        .detail(detail);
    Ok(tx.append_event(event_id, &event)?)
}

/// The item as it is after the change.
pub(super) fn show(tx: &mut WriteTx<'_>, id: ItemId) -> Result<ItemView> {
    let network = tx.network()?;
    let stored = tx.item_view(id)?.ok_or(UseCaseError::NotFound("item"))?;
    Ok(ItemView::of(stored, &network))
}
