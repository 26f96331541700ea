//! A new copy of a bib, on the shelf of its home unit.

use std::sync::Arc;

use serde_json::json;

use super::get_item::ItemView;
use super::merge_bibs;
use super::named::Wrong;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::barcode::Barcode;
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, CollectionId, ItemId, ItemTypeId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::network::Network;
use crate::store::bibs::BibView;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::items::NewItem;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct AddItem {
    pub bib: BibId,
    pub barcode: Barcode,
    pub owner_unit_code: String,
    /// By default the owner.
    pub home_unit_code: Option<String>,
    pub item_type: String,
    /// A collection of the home unit.
    pub collection_code: Option<String>,
    pub shelf_location: Option<String>,
    pub call_number: Option<String>,
    pub rfid_tag: Option<String>,
    pub price_fen: Option<i64>,
    pub not_for_loan: bool,
    pub for_children: bool,
    pub min_age_years: Option<u8>,
    pub alert_note: Option<String>,
    /// Loose parts to count; 1 means the item alone.
    pub parts: u16,
}

/// Where the codes of a request lead.
struct Placed {
    owner: UnitId,
    home: UnitId,
    item_type: ItemTypeId,
    collection: Option<CollectionId>,
}

/// Adds an item.
///
/// # Errors
/// `Forbidden` when owner or home lies outside the caller's subtree; `Invalid` naming every wrong field; a failure of the store.
pub async fn add_item(
    store: &Arc<Store>,
    caller: &Caller,
    command: AddItem,
    key: Option<IdempotencyKey>,
) -> Result<Once<ItemView>> {
    caller.require_somewhere(Right::ManageItems)?;
    once(store, caller, key, 2, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &AddItem, mut ids: IdRun) -> Result<ItemView> {
    let network = tx.network()?;
    let placed = place(tx, caller, command, &network)?;
    let bib = check_row(tx, command, &placed)?;
    let (id, now) = (ItemId::new(ids.next()), tx.now());
    tx.insert_item(&row(command, &placed, id, now.timestamp_millis()))?;
    let at = caller.unit.unwrap_or(placed.owner);
    let mut event = Event::new(EventKind::ItemAdded, now, at, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"barcode": command.barcode}));
    event.item = Some(id);
    event.bib = Some(command.bib);
    event.owner = Some(placed.owner);
    event.home = Some(placed.home);
    event.item_type = Some(placed.item_type);
    event.clc_class = bib.clc_class.as_deref();
    tx.append_event(ids.next(), &event)?;
    let stored = tx.item_view(id)?.ok_or(UseCaseError::NotFound("item"))?;
    Ok(ItemView::of(stored, &network))
}

/// Whoever may not manage the items of the owner, or of the shelf the copy is to stand on, is told nothing else.
fn place(tx: &mut WriteTx<'_>, caller: &Caller, command: &AddItem, network: &Network) -> Result<Placed> {
    let mut wrong = Wrong::default();
    let owner = wrong
        .unit(network, "owner_unit_code", &command.owner_unit_code)
        .map(|unit| unit.id);
    let home = match &command.home_unit_code {
        None => owner,
        Some(code) => wrong.unit(network, "home_unit_code", code).map(|unit| unit.id),
    };
    for unit in [owner, home].into_iter().flatten() {
        caller.require(Right::ManageItems, unit, network)?;
    }
    let item_type = wrong
        .item_type(network, "item_type", &command.item_type)
        .map(|found| found.id);
    let mut collection = None;
    if let (Some(home), Some(code)) = (home, &command.collection_code) {
        collection = tx.collection_by_code(home, code)?;
        if collection.is_none() {
            wrong.say("collection_code", "the home unit has no collection with this code");
        }
    }
    wrong.check()?;
    match (owner, home, item_type) {
        (Some(owner), Some(home), Some(item_type)) => Ok(Placed {
            owner,
            home,
            item_type,
            collection,
        }),
        _ => Err(UseCaseError::NotFound("unit")),
    }
}

fn check_row(tx: &mut WriteTx<'_>, command: &AddItem, placed: &Placed) -> Result<BibView> {
    let mut wrong = Wrong::default();
    let bib = match merge_bibs::lock_standing(tx, command.bib)? {
        Some(_) => tx.bib_view(command.bib)?,
        None => None,
    };
    if bib.is_none() {
        wrong.say("bib_id", "there is no such bib");
    }
    if !tx
        .items_with_barcode(command.barcode.as_str(), Some(placed.owner))?
        .is_empty()
    {
        wrong.say("barcode", "the owner has another item with this barcode");
    }
    if command.price_fen.is_some_and(|fen| fen < 0) {
        wrong.say("price_fen", "must not be negative");
    }
    if command.parts == 0 {
        wrong.say("parts", "must be at least 1: the item itself");
    }
    wrong.check()?;
    bib.ok_or(UseCaseError::NotFound("bib"))
}

fn row(command: &AddItem, placed: &Placed, id: ItemId, now_millis: i64) -> NewItem {
    NewItem {
        id: id.get(),
        bib_id: command.bib.get(),
        barcode: command.barcode.as_str().to_owned(),
        rfid_tag: command.rfid_tag.clone(),
        owner_unit_id: placed.owner.get(),
        home_unit_id: placed.home.get(),
        current_unit_id: placed.home.get(),
        collection_id: placed.collection.map(CollectionId::get),
        shelf_location: command.shelf_location.clone(),
        call_number: command.call_number.clone(),
        item_type_id: placed.item_type.get(),
        price_fen: command.price_fen,
        status: ItemStatus::OnShelf.code().to_owned(),
        not_for_loan: command.not_for_loan,
        min_age_years: command.min_age_years.map(i32::from),
        for_children: command.for_children,
        alert_note: command.alert_note.clone(),
        parts: i32::from(command.parts),
        last_event_at: now_millis,
        created_at: now_millis,
    }
}

impl Outcome for ItemView {}
