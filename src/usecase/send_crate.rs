//! A crate leaves: every journey in it is under way from now on. One event per item, which districts settle by.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::compartment_record;
use super::crate_view::{CrateView, change, shown, step};
use super::once::once;
use super::record::step_of_life;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::{CrateId, ItemId, RouteId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::network::Network;
use crate::domain::pack_item::CRATE_MAX;
use crate::domain::transit::{CrateAct, CrateStatus};
use crate::store::crates::{CrateChange, CrateRow, PackedRow};
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Ids that sending uses up: one event per item, and one of the crate.
pub(super) const IDS: i64 = CRATE_MAX as i64 + 1;

/// Sends a closed crate with whoever drives, or one that was handed over elsewhere on its way on.
///
/// # Errors
/// `State` when it is not closed, or stands where it goes; `NotFound`; `Forbidden` where the caller does not pack; a failure
/// of the store.
pub async fn send_crate(
    store: &Arc<Store>,
    caller: &Caller,
    id: CrateId,
    key: Option<IdempotencyKey>,
) -> Result<Once<CrateView>> {
    caller.require_somewhere(Right::PackCrates)?;
    once(store, caller, key, IDS, id, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, id: &CrateId, mut ids: IdRun) -> Result<CrateView> {
    let network = tx.network()?;
    let seen = tx.crate_row(*id)?.ok_or(UseCaseError::NotFound("crate"))?;
    caller.require(Right::PackCrates, UnitId::new(seen.at_unit_id), &network)?;
    let now = tx.now();
    depart(tx, caller, *id, &Departure::at(now), &mut ids)?;
    shown(tx, *id, &network)
}

/// How a crate leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Departure {
    pub at: DateTime<Utc>,
    /// With a courier: by which route, to be handed over where.
    pub by: Option<(Option<RouteId>, Option<UnitId>)>,
}

impl Departure {
    /// Without a courier.
    pub(super) const fn at(at: DateTime<Utc>) -> Self {
        Self { at, by: None }
    }
}

/// Sends a crate, under the locks of everything in it. Answers it as it was.
pub(super) fn depart(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    id: CrateId,
    departure: &Departure,
    ids: &mut IdRun,
) -> Result<CrateRow> {
    let (row, packed) = tx.lock_packed_crate(id)?.ok_or(UseCaseError::NotFound("crate"))?;
    let after = step(&row, CrateAct::Send)?;
    if row.state()? == CrateStatus::Delivered && row.at_unit_id == row.to_unit_id {
        let reason = format!("crate {} stands where it goes: unpack it", row.label);
        return Err(UseCaseError::State(reason));
    }
    let fresh = row.state()? == CrateStatus::Closed;
    if fresh && packed.is_empty() {
        return Err(UseCaseError::State(format!("crate {} is empty", row.label)));
    }
    let last = packed.iter().map(|item| item.last_event_at).max().unwrap_or(0);
    let at = departure.at.max(crate::clock::from_millis(last));
    for item in &packed {
        // A word this version does not know is no state from which anything leaves.
        let was = ItemStatus::from_code(&item.status).unwrap_or(ItemStatus::NeedsAttention);
        step_of_life(was, ItemStatus::InTransit)?;
    }
    tx.send_packed(id, &packed, at)?;
    let (from, network) = (UnitId::new(row.at_unit_id), tx.network()?);
    if compartment_record::must_be_loaded(tx, &network, from)? {
        // What was said to lie behind a door, too, is on its way now.
        for item in &packed {
            let lay = tx.compartment_with(ItemId::new(item.item_id))?;
            compartment_record::left(tx, lay.map(|lay| lay.id))?;
        }
    }
    for item in &packed {
        tell_item(tx, caller, (id, from, at), item, ids)?;
    }
    let told = told(&row, departure, packed.len(), &network);
    let left = CrateChange {
        status: Some(after.code()),
        leg_to_unit_id: Some(departure.by.and_then(|(_, leg_to)| leg_to).map(UnitId::get)),
        route_id: departure.by.map(|(route, _)| route.map(RouteId::get)),
        courier_staff_id: Some(departure.by.and_then(|_| caller.staff()).map(|staff| staff.get())),
        signed_by_staff_id: Some(None),
        items_sent: fresh.then(|| i32::try_from(packed.len()).unwrap_or(i32::MAX)),
        sent_at: Some(at.timestamp_millis()),
        ..CrateChange::default()
    };
    change(tx, caller, id, &left, (EventKind::CrateSent, at, from, told), ids)?;
    Ok(row)
}

fn told(row: &CrateRow, departure: &Departure, items: usize, network: &Network) -> serde_json::Value {
    let leg_to = departure.by.and_then(|(_, leg_to)| leg_to);
    let leg_to = leg_to.filter(|unit| network.unit(*unit).is_some());
    json!({
        "crate_id": row.id,
        "to_unit_id": row.to_unit_id,
        "items": items,
        "route_id": departure.by.and_then(|(route, _)| route),
        "leg_to_unit_id": leg_to,
    })
}

fn tell_item(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (crate_id, from, at): (CrateId, UnitId, DateTime<Utc>),
    item: &PackedRow,
    ids: &mut IdRun,
) -> Result<()> {
    let (item_id, bib, owner, home, item_type) = item.ids();
    let event = Event {
        item: Some(item_id),
        bib: Some(bib),
        owner: Some(owner),
        home: Some(home),
        item_type: Some(item_type),
        clc_class: item.clc_class.as_deref(),
        ..Event::new(EventKind::TransitSent, at, from, caller.channel().code())
    };
    let detail = json!({
        "transit_id": item.transit_id,
        "crate_id": crate_id,
        "to_unit_id": item.to_unit_id,
        "reason": item.reason,
    });
    let event = event.by(caller.staff(), caller.device()).detail(detail);
    Ok(tx.append_event(ids.next(), &event)?)
}
