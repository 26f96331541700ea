//! Ownership (产权) changes by a document, in two steps: the owner proposes, the other side accepts. And looking at transfers.
//! Not for: where an item stands. Floating and moving never change its owner.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::named::Wrong;
use super::once::once;
use super::page::{Page, PageRequest};
use super::record::unit_by_code;
use super::view::unit_code;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::event::EventKind;
use crate::domain::ids::{OwnershipTransferId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::network::Network;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::ownership::{OwnedItem, TransferRow};
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// Items of one document.
pub const MAX_ITEMS: usize = 1_000;
/// Wrong items that are told; more are counted.
const TOLD: usize = 20;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ProposeTransfer {
    pub document_number: String,
    pub document_day: NaiveDate,
    pub reason: String,
    pub from_owner_unit_code: String,
    pub to_owner_unit_code: String,
    pub item_ids: Vec<i64>,
}

/// A change of owners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferView {
    pub id: i64,
    /// Of the paper that says so; unique for the giving owner.
    #[schema(example = "武图产〔2026〕12号")]
    pub document_number: String,
    /// The day of the paper.
    #[schema(example = "2026-03-04")]
    pub document_day: NaiveDate,
    #[schema(example = "调拨至新馆")]
    pub reason: String,
    /// Who owns the items before.
    #[schema(example = "M1")]
    pub from_owner_unit_code: String,
    /// Who owns them after.
    #[schema(example = "M2")]
    pub to_owner_unit_code: String,
    /// `proposed`, `accepted`, `declined` or `withdrawn`.
    pub status: String,
    /// Why it was declined or withdrawn.
    #[schema(example = "三册缺页")]
    pub answer: Option<String>,
    /// When it was proposed (UTC).
    pub proposed_at: DateTime<Utc>,
    /// When it was accepted, declined or withdrawn (UTC).
    pub settled_at: Option<DateTime<Utc>>,
    /// How many items are still to move: all while it is proposed, none soon after it was accepted.
    #[schema(example = 0)]
    pub pending: i64,
    /// How many have the new owner.
    #[schema(example = 998)]
    pub moved: i64,
    /// How many stay where they were.
    #[schema(example = 2)]
    pub not_moved: i64,
}

/// One item of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferItemView {
    pub item_id: i64,
    pub item_barcode: String,
    pub title: String,
    /// `pending`, `moved`, `kept` (declined, or withdrawn from stock meanwhile), `barcode_taken` (the new owner has another item
    /// with this barcode) or `left_owner` (it was not the giving owner's any more).
    #[schema(example = "moved")]
    pub outcome: String,
}

/// A change of owners with its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferDetail {
    #[serde(flatten)]
    pub view: TransferView,
    /// By number.
    pub items: Vec<TransferItemView>,
}

/// Proposes to give items to another owner.
///
/// # Errors
/// `Invalid` naming every wrong field and item; `Forbidden` for who does not speak for the giving owner; a failure of the store.
pub async fn propose_transfer(
    store: &Arc<Store>,
    caller: &Caller,
    command: ProposeTransfer,
    key: Option<IdempotencyKey>,
) -> Result<Once<TransferView>> {
    caller.require_somewhere(Right::TransferItems)?;
    once(store, caller, key, 2, command, apply).await
}

/// Lists transfers in the order of their ids: those from or to the caller's units.
///
/// # Errors
/// `Invalid` for a status that is none; a failure of the store.
pub async fn list_transfers(
    store: &Arc<Store>,
    caller: &Caller,
    status: Option<String>,
    page: PageRequest,
) -> Result<Page<TransferView>> {
    caller.require_somewhere(Right::ReadTransits)?;
    let known = ["proposed", "accepted", "declined", "withdrawn"];
    if status.as_deref().is_some_and(|status| !known.contains(&status)) {
        return Err(UseCaseError::field(
            "status",
            format!("must be one of {}", known.join(", ")),
        ));
    }
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let sees = |unit: UnitId| caller.may(Right::ReadTransits, unit, &network);
            let everything = network.units().root().is_some_and(|root| sees(root.id));
            let units: Vec<UnitId> = network
                .units()
                .iter()
                .map(|unit| unit.id)
                .filter(|unit| sees(*unit))
                .collect();
            let units = (!everything).then_some(units.as_slice());
            let rows = tx.transfers(units, status.as_deref(), page.after_id(), page.fetch())?;
            let cut = page.cut(rows, |row| row.id);
            let mut items = Vec::new();
            for row in cut.items {
                items.push(shown(tx, row, &network)?);
            }
            Ok(Page { items, next: cut.next })
        })
        .await
}

/// A transfer with its items.
///
/// # Errors
/// `NotFound`; `Forbidden` when neither owner lies in the caller's subtree; a failure of the store.
pub async fn get_transfer(store: &Arc<Store>, caller: &Caller, id: OwnershipTransferId) -> Result<TransferDetail> {
    caller.require_somewhere(Right::ReadTransits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let row = tx.transfer(id)?.ok_or(UseCaseError::NotFound("ownership transfer"))?;
            let ends = [row.from_unit_id, row.to_unit_id].map(UnitId::new);
            if !ends.iter().any(|unit| caller.may(Right::ReadTransits, *unit, &network)) {
                return Err(UseCaseError::Forbidden);
            }
            let items = tx.transfer_items(id)?.into_iter().map(|item| TransferItemView {
                item_id: item.item_id,
                item_barcode: item.barcode,
                title: item.title,
                outcome: item.outcome,
            });
            let items = items.collect();
            let view = shown(tx, row, &network)?;
            Ok(TransferDetail { view, items })
        })
        .await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &ProposeTransfer, mut ids: IdRun) -> Result<TransferView> {
    let network = tx.network()?;
    let from = unit_by_code(&network, "from_owner_unit_code", &command.from_owner_unit_code)?;
    caller.require(Right::TransferItems, from, &network)?;
    let mut wrong = Wrong::default();
    let to = wrong.unit(&network, "to_owner_unit_code", &command.to_owner_unit_code);
    if to.is_some_and(|to| to.id == from) {
        wrong.say("to_owner_unit_code", "is the owner already");
    }
    if let Some(closed) = to.filter(|to| !to.active) {
        wrong.say("to_owner_unit_code", format!("{} is closed for good", closed.name));
    }
    if command.document_day > network.local_day(tx.now()) {
        wrong.say("document_day", "lies in the future");
    }
    if tx.document_exists(from, &command.document_number)? {
        wrong.say(
            "document_number",
            "the owner has proposed a transfer under this number already",
        );
    }
    if !(1..=MAX_ITEMS).contains(&command.item_ids.len()) {
        wrong.say("item_ids", format!("must be 1 to {MAX_ITEMS}"));
    } else if let Some(to) = to.filter(|to| to.id != from) {
        judge_items(tx, command, (from, to.id), &mut wrong)?;
    }
    wrong.check()?;
    let to = to.ok_or(UseCaseError::NotFound("unit"))?.id;
    let now = tx.now();
    let row = TransferRow {
        id: ids.next(),
        document_number: command.document_number.clone(),
        document_day: TransferRow::day(command.document_day),
        reason: command.reason.clone(),
        from_unit_id: from.get(),
        to_unit_id: to.get(),
        status: "proposed".to_owned(),
        answer: None,
        proposed_at: now.timestamp_millis(),
        settled_at: None,
    };
    tx.insert_transfer(&row, &command.item_ids)?;
    let detail = json!({"transfer_id": row.id, "document_number": row.document_number, "to_unit_id": to,
        "items": command.item_ids.len()});
    let event = Event::new(EventKind::OwnershipProposed, now, from, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(detail);
    tx.append_event(ids.next(), &event)?;
    shown(tx, row, &network)
}

/// Every item is there once, is the giving owner's, is in nobody else's proposal, and fits among the new owner's barcodes.
fn judge_items(
    tx: &mut ReadTx<'_>,
    command: &ProposeTransfer,
    (from, to): (UnitId, UnitId),
    wrong: &mut Wrong,
) -> Result<()> {
    let found = tx.owned_items(&command.item_ids)?;
    let barcodes: Vec<String> = found.iter().map(|item| item.barcode.clone()).collect();
    let taken: HashSet<String> = tx.barcodes_of_owner(to, &barcodes)?.into_iter().collect();
    let proposed: HashSet<i64> = tx.proposed_items(&command.item_ids)?.into_iter().collect();
    let found: HashMap<i64, OwnedItem> = found.into_iter().map(|item| (item.id, item)).collect();
    let halves = half_sets(tx, command, &found)?;
    let mut seen = HashSet::new();
    let mut faults = Vec::new();
    for id in &command.item_ids {
        let fault = match found.get(id) {
            _ if !seen.insert(*id) => "is named twice",
            None => "there is no such item",
            Some(item) if item.owner_unit_id != from.get() => "is not the giving owner's",
            Some(item) if item.status == ItemStatus::Withdrawn.code() => "is withdrawn",
            Some(_) if proposed.contains(id) => "is part of another open proposal",
            Some(item) if taken.contains(&item.barcode) => "the new owner has an item with its barcode",
            Some(_) if halves.contains(id) => "is bound with items that are not named: a set changes owners whole",
            Some(_) => continue,
        };
        faults.push(format!("item {id}: {fault}"));
    }
    let more = faults.len().saturating_sub(TOLD);
    faults.truncate(TOLD);
    faults.into_iter().for_each(|fault| wrong.say("item_ids", fault));
    if more > 0 {
        wrong.say("item_ids", format!("and {more} more"));
    }
    Ok(())
}

/// The items whose set is not named whole.
fn half_sets(tx: &mut ReadTx<'_>, command: &ProposeTransfer, found: &HashMap<i64, OwnedItem>) -> Result<HashSet<i64>> {
    let named: HashSet<i64> = command.item_ids.iter().copied().collect();
    let hosts = found.values().filter_map(|item| item.bound_into_item_id);
    let mut halves: HashSet<i64> = hosts.filter(|host| !named.contains(host)).collect();
    let bound = tx.bound_into(&command.item_ids)?;
    halves.extend(
        bound
            .iter()
            .filter(|(part, _)| !named.contains(part))
            .map(|(_, host)| *host),
    );
    let torn = |item: &&OwnedItem| {
        halves.contains(&item.id) || item.bound_into_item_id.is_some_and(|host| halves.contains(&host))
    };
    Ok(found.values().filter(torn).map(|item| item.id).collect())
}

/// A transfer as people see it.
pub(super) fn shown(tx: &mut ReadTx<'_>, row: TransferRow, network: &Network) -> Result<TransferView> {
    let counts = tx.transfer_counts(OwnershipTransferId::new(row.id))?;
    let count = |wanted: fn(&str) -> bool| {
        let chosen = counts.iter().filter(|(outcome, _)| wanted(outcome));
        chosen.map(|(_, n)| n).sum()
    };
    Ok(TransferView {
        id: row.id,
        document_number: row.document_number,
        document_day: row.document_day.parse().unwrap_or_default(),
        reason: row.reason,
        from_owner_unit_code: unit_code(network, row.from_unit_id),
        to_owner_unit_code: unit_code(network, row.to_unit_id),
        status: row.status,
        answer: row.answer,
        proposed_at: from_millis(row.proposed_at),
        settled_at: row.settled_at.map(from_millis),
        pending: count(|outcome| outcome == "pending"),
        moved: count(|outcome| outcome == "moved"),
        not_moved: count(|outcome| !["pending", "moved"].contains(&outcome)),
    })
}

impl Outcome for TransferView {}
