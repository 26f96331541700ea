//! A copy gets another home: unit, collection, place on the shelf. Its owner stays.

use std::sync::Arc;

use serde_json::json;

use super::compartment_record::left;
use super::get_item::ItemView;
use super::named::Wrong;
use super::once::once;
use super::record::{self, Consent, Ledger};
use super::withdraw_item::{carry_out, lock, show};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::{CollectionId, ItemId, UnitId};
use crate::domain::item::{ItemFacts, ItemStatus, TransitReason};
use crate::domain::move_item::{Travel, decide, status_there};
use crate::domain::network::Network;
use crate::domain::route::NextStep;
use crate::store::ids::IdRun;
use crate::store::item_changes::ItemChange;
use crate::store::transits::TransitEnd;
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
    /// Somebody has seen the copy there: it does not travel.
    pub already_there: bool,
}

/// Ids used up: a transit, and three events at most.
const IDS: i64 = 4;

/// Gives an item another home. A copy on the shelf sets out for it; one that is lent or on its way goes there with its
/// next return.
///
/// # Errors
/// `Forbidden` when owner or new home lies outside the caller's subtree; `Invalid` naming every wrong field; `State` for a
/// withdrawn item, or one that cannot stand there already; `NotFound`; a failure of the store.
pub async fn move_item(
    store: &Arc<Store>,
    caller: &Caller,
    command: MoveItem,
    key: Option<IdempotencyKey>,
) -> Result<Once<ItemView>> {
    caller.require_somewhere(Right::ManageItems)?;
    once(store, caller, key, IDS, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &MoveItem, mut ids: IdRun) -> Result<ItemView> {
    let network = tx.network()?;
    let item = lock(tx, caller, command.item, &network)?;
    if item.facts.deposit.is_some() {
        return Err(UseCaseError::State(
            "the item is in a deposit: call that back, and move the item when it has come home".to_owned(),
        ));
    }
    let (home, collection) = destination(tx, caller, command, &network)?;
    let travel = decide(&item.facts, home, command.already_there)
        .map_err(|obstacle| UseCaseError::State(obstacle.to_string()))?;
    let change = ItemChange {
        home_unit_id: Some(home.get()),
        collection_id: Some(collection.map(CollectionId::get)),
        shelf_location: Some(command.shelf_location.clone()),
        ..ItemChange::default()
    };
    let detail = json!({"moved_from": item.facts.home, "moved_to": home, "already_there": command.already_there});
    carry_out(tx, caller, &item, change, detail, ids.next())?;
    // Seen elsewhere: not behind the door where it was known to lie.
    let lay = item
        .compartment
        .filter(|_| command.already_there && item.facts.current != home);
    let moved = ItemFacts { home, ..item.facts };
    let unit = caller.unit.unwrap_or(moved.owner);
    let mut ledger = Ledger {
        now: record::now_for(tx, &moved),
        tx,
        caller,
        act: &record::act_of(caller, unit, &network, &Consent::default(), None),
        item: &moved,
        ids: &mut ids,
    };
    set_out(&mut ledger, travel)?;
    left(tx, lay)?;
    show(tx, command.item)
}

/// Where it is to stand. Whoever may not manage the items there is told nothing else: nobody puts stock on somebody else's
/// shelf.
fn destination(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &MoveItem,
    network: &Network,
) -> Result<(UnitId, Option<CollectionId>)> {
    let mut wrong = Wrong::default();
    let home = wrong.unit(network, "home_unit_code", &command.home_unit_code);
    let Some(home) = home.map(|unit| unit.id) else {
        wrong.check()?;
        return Err(UseCaseError::NotFound("unit"));
    };
    caller.require(Right::ManageItems, home, network)?;
    let mut collection = None;
    if let Some(code) = &command.collection_code {
        collection = tx.collection_by_code(home, code)?;
        if collection.is_none() {
            wrong.say("collection_code", "the home unit has no collection with this code");
        }
    }
    wrong.check()?;
    Ok((home, collection))
}

/// The copy's own way; its home has changed already.
fn set_out(ledger: &mut Ledger<'_, '_>, travel: Travel) -> Result<()> {
    let home = ledger.item.home;
    match travel {
        Travel::Stays => Ok(()),
        Travel::Leaves { from } => {
            let crate_home = NextStep::Crate {
                to: home,
                reason: TransitReason::ReturnHome,
                hold: None,
            };
            ledger.send(from, &crate_home)?;
            ledger.place(ItemStatus::AwaitingDispatch, from)
        }
        Travel::Stands(journey) => {
            if let Some(journey) = journey {
                let arrived = journey.to == home;
                let how = if arrived {
                    TransitEnd::Received
                } else {
                    TransitEnd::Cancelled
                };
                ledger.end_transit(journey.id, how)?;
            }
            ledger.place(status_there(ledger.item.status), home)
        }
    }
}
