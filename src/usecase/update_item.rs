//! What is written about a copy is corrected: barcode, type, price, notes and the like.

use std::sync::Arc;

use serde_json::json;

use super::get_item::ItemView;
use super::named::Wrong;
use super::withdraw_item::{carry_out, lock, show};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::barcode::Barcode;
use crate::domain::ids::{ItemId, ItemTypeId};
use crate::domain::item::{ItemFacts, ItemStatus, Lending};
use crate::domain::network::Network;
use crate::domain::volume::Volume;
use crate::store::ids::IdRun;
use crate::store::item_changes::ItemChange;
use crate::store::item_lock::LoadedItem;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is to be different: `None` leaves a thing as it is, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct ItemPatch {
    pub barcode: Option<Barcode>,
    pub rfid_tag: Option<Option<String>>,
    pub shelf_location: Option<Option<String>>,
    pub call_number: Option<Option<String>>,
    pub item_type: Option<String>,
    pub price_fen: Option<Option<i64>>,
    pub not_for_loan: Option<bool>,
    pub for_children: Option<bool>,
    pub min_age_years: Option<Option<u8>>,
    pub alert_note: Option<Option<String>>,
    pub parts: Option<u16>,
    pub volume: Option<Option<Volume>>,
    pub lending: Option<Lending>,
    pub bound_into_item: Option<Option<ItemId>>,
}

/// Corrects an item, in whatever state it is: open loans keep the terms they were made under.
///
/// # Errors
/// `Invalid` naming every wrong field; `NotFound`; `Forbidden` outside the caller's subtree; a failure of the store.
pub async fn update_item(
    store: &Arc<Store>,
    caller: &Caller,
    item: ItemId,
    patch: ItemPatch,
    key: Option<IdempotencyKey>,
) -> Result<Once<ItemView>> {
    caller.require_somewhere(Right::ManageItems)?;
    let ids = store.take_ids::<UseCaseError>(1).await?;
    let who = caller.clone();
    let claim = key.map(|key| key.claim(caller));
    store
        .write_once(claim, move |tx| apply(tx, &who, item, &patch, ids.clone()))
        .await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, id: ItemId, patch: &ItemPatch, mut ids: IdRun) -> Result<ItemView> {
    let network = tx.network()?;
    let item = lock(tx, caller, id, &network)?;
    let change = change(tx, patch, &item, &network)?;
    carry_out(
        tx,
        caller,
        &item,
        change,
        json!({"corrected": names(patch)}),
        ids.next(),
    )?;
    show(tx, id)
}

fn change(tx: &mut WriteTx<'_>, patch: &ItemPatch, item: &LoadedItem, network: &Network) -> Result<ItemChange> {
    let mut wrong = Wrong::default();
    let barcode = patch.barcode.as_ref().map(|barcode| barcode.as_str().to_owned());
    if let Some(barcode) = barcode.as_deref().filter(|barcode| *barcode != item.facts.barcode)
        && !tx.items_with_barcode(barcode, Some(item.facts.owner))?.is_empty()
    {
        wrong.say("barcode", "the owner has another item with this barcode");
    }
    let item_type: Option<ItemTypeId> = patch
        .item_type
        .as_deref()
        .and_then(|code| wrong.item_type(network, "item_type", code))
        .map(|found| found.id);
    if patch.price_fen.flatten().is_some_and(|fen| fen < 0) {
        wrong.say("price_fen", "must not be negative");
    }
    if patch.parts == Some(0) {
        wrong.say("parts", "must be at least 1: the item itself");
    }
    if patch.volume.is_some() && item.facts.captured_for.is_some() {
        wrong.say("volume", "cannot change while the copy is set aside for a hold");
    }
    if let Some(Some(host)) = patch.bound_into_item
        && let Some(reason) = unfit_host(tx, host, item)?
    {
        wrong.say("bound_into_item_id", reason);
    }
    wrong.check()?;
    Ok(ItemChange {
        barcode,
        rfid_tag: patch.rfid_tag.clone(),
        shelf_location: patch.shelf_location.clone(),
        call_number: patch.call_number.clone(),
        item_type_id: item_type.map(ItemTypeId::get),
        price_fen: patch.price_fen,
        not_for_loan: patch.not_for_loan,
        for_children: patch.for_children,
        min_age_years: patch.min_age_years.map(|years| years.map(i32::from)),
        alert_note: patch.alert_note.clone(),
        parts: patch.parts.map(i32::from),
        volume: patch.volume.map(|volume| volume.map(|volume| volume.to_string())),
        lending: patch.lending.map(|lending| lending.code().to_owned()),
        bound_into_item_id: patch.bound_into_item.map(|host| host.map(ItemId::get)),
        ..ItemChange::default()
    })
}

/// Why nothing can be bound into an item; one volume is not bound into a second.
fn unfit_host(tx: &mut WriteTx<'_>, host: ItemId, item: &LoadedItem) -> Result<Option<&'static str>> {
    let found = tx.item_view(host)?;
    Ok(match found {
        None => Some("there is no such item"),
        Some(_) if host == item.facts.id => Some("is the item itself"),
        Some(host) if host.owner_unit_id != item.facts.owner.get() => Some("belongs to another owner"),
        Some(host) if host.bound_into_item_id.is_some() => Some("is bound into an item itself"),
        Some(_) if !is_free(&item.facts) => Some("only a copy that stands on a shelf can be bound into another"),
        Some(_) if tx.is_host(item.facts.id)? => Some("other items are bound into this one"),
        Some(_) => None,
    })
}

/// Nobody has it, waits for it at the desk or carries it: what is bound can neither be lent nor taken back.
fn is_free(item: &ItemFacts) -> bool {
    item.status == ItemStatus::OnShelf && item.transit.is_none() && item.captured_for.is_none()
}

/// Which members were given: the event names them, not what they say.
fn names(patch: &ItemPatch) -> Vec<&'static str> {
    let given = [
        ("barcode", patch.barcode.is_some()),
        ("rfid_tag", patch.rfid_tag.is_some()),
        ("shelf_location", patch.shelf_location.is_some()),
        ("call_number", patch.call_number.is_some()),
        ("item_type", patch.item_type.is_some()),
        ("price_fen", patch.price_fen.is_some()),
        ("not_for_loan", patch.not_for_loan.is_some()),
        ("for_children", patch.for_children.is_some()),
        ("min_age_years", patch.min_age_years.is_some()),
        ("alert_note", patch.alert_note.is_some()),
        ("parts", patch.parts.is_some()),
        ("volume", patch.volume.is_some()),
        ("lending", patch.lending.is_some()),
        ("bound_into_item_id", patch.bound_into_item.is_some()),
    ];
    given.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect()
}
