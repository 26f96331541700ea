//! A copy gets another home: unit, collection, place on the shelf. Its owner stays.

use std::sync::Arc;

use serde_json::json;

use super::get_item::ItemView;
use super::named::Wrong;
use super::once::once;
use super::withdraw_item::{carry_out, lock};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::{CollectionId, ItemId};
use crate::domain::item::ItemStatus;
use crate::store::ids::IdRun;
use crate::store::item_changes::ItemChange;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct MoveItem {
    pub item: ItemId,
    pub home_unit_code: String,
    /// A collection of the new home; none by default.
    pub collection_code: Option<String>,
    pub shelf_location: Option<String>,
}

/// Gives an item another home. A copy on the shelf of its old home is taken along; one that is lent, on its way or
/// elsewhere goes to the new home with its next return.
///
/// # Errors
/// `Invalid` naming every wrong field; `State` for a withdrawn item; `NotFound`; `Forbidden` outside the caller's subtree;
/// a failure of the store.
pub async fn move_item(
    store: &Arc<Store>,
    caller: &Caller,
    command: MoveItem,
    key: Option<IdempotencyKey>,
) -> Result<Once<ItemView>> {
    caller.require_somewhere(Right::ManageItems)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &MoveItem, ids: IdRun) -> Result<ItemView> {
    let network = tx.network()?;
    let item = lock(tx, caller, command.item, &network)?;
    if item.facts.status == ItemStatus::Withdrawn {
        return Err(UseCaseError::State("the item is withdrawn".to_owned()));
    }
    if item.facts.deposit.is_some() {
        return Err(UseCaseError::State(
            "the item is in a deposit: call that back, and move the item when it has come home".to_owned(),
        ));
    }
    let mut wrong = Wrong::default();
    let home = wrong
        .unit(&network, "home_unit_code", &command.home_unit_code)
        .map(|unit| unit.id);
    let mut collection = None;
    if let (Some(home), Some(code)) = (home, &command.collection_code) {
        collection = tx.collection_by_code(home, code)?;
        if collection.is_none() {
            wrong.say("collection_code", "the home unit has no collection with this code");
        }
    }
    wrong.check()?;
    let home = home.ok_or(UseCaseError::NotFound("unit"))?;
    let carried = item.facts.status == ItemStatus::OnShelf && item.facts.current == item.facts.home;
    let change = ItemChange {
        home_unit_id: Some(home.get()),
        current_unit_id: carried.then(|| home.get()),
        collection_id: Some(collection.map(CollectionId::get)),
        shelf_location: Some(command.shelf_location.clone()),
        ..ItemChange::default()
    };
    let detail = json!({"moved_from": item.facts.home, "moved_to": home});
    carry_out(tx, caller, &item, change, detail, ids)
}
