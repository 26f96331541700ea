//! Scanning an item into a crate.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::compartment_record;
use super::crate_view::{CrateItemView, CrateView, shown, step};
use super::once::once;
use super::record::{self, About, Consent, Ledger, settle};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::barcode::Barcode;
use crate::domain::event::EventKind;
use crate::domain::ids::{CrateId, TransitId, UnitId};
use crate::domain::network::Network;
use crate::domain::pack_item::{CrateFacts, Facts, decide};
use crate::domain::refusal::Verb;
use crate::domain::transit::{CrateAct, TransitAct};
use crate::store::crates::CrateRow;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::item_lock::LoadedItem;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct PackItem {
    pub crate_id: CrateId,
    pub item_barcode: Barcode,
    /// Says whose item, where a barcode means several.
    pub owner_unit_code: Option<String>,
}

/// The crate after a scan, and the item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PackOutcome {
    /// The crate after the scan.
    #[serde(rename = "crate")]
    pub into: CrateView,
    /// The item, with its journey.
    pub item: CrateItemView,
    /// It was in this crate already: nothing changed.
    pub repeated: bool,
}

/// Puts an item into a crate. It must wait here for a crate to where this one goes.
///
/// # Errors
/// `Refused` with what would be right; `State` when the crate is not open; `Invalid` or `Ambiguous` naming the barcode;
/// `NotFound`; `Forbidden` where the caller does not pack; a failure of the store.
pub async fn pack_item(
    store: &Arc<Store>,
    caller: &Caller,
    command: PackItem,
    key: Option<IdempotencyKey>,
) -> Result<Once<PackOutcome>> {
    caller.require_somewhere(Right::PackCrates)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &PackItem, mut ids: IdRun) -> Result<PackOutcome> {
    let network = tx.network()?;
    let missing = || UseCaseError::NotFound("crate");
    let seen = tx.crate_row(command.crate_id)?.ok_or_else(missing)?;
    let unit = UnitId::new(seen.at_unit_id);
    caller.require(Right::PackCrates, unit, &network)?;
    let owner = command.owner_unit_code.as_deref();
    let candidate = record::find_item(tx, &network, &command.item_barcode, owner)?;
    let item = tx
        .lock_item(candidate, &network)?
        .ok_or(UseCaseError::NotFound("item"))?;
    // The crate after the item, as everywhere.
    let row = tx.lock_crate(command.crate_id)?.ok_or_else(missing)?;
    step(&row, CrateAct::Pack)?;
    let act = record::act_of(caller, unit, &network, &Consent::default(), None);
    let into = facts_of(tx, &row)?;
    let lies_in = match &item.facts.transit {
        Some(open) => tx.crate_of_transit(open.id)?,
        None => None,
    };
    let facts = Facts {
        act: &act,
        network: &network,
        item: &item.facts,
        into: &into,
        lies_in: lies_in.as_ref(),
    };
    let about = About::item(caller, Verb::PackItem, None, &item.facts);
    let plan = settle(&Consent::default(), &about, &act, tx.now(), |act| {
        decide(&Facts { act, ..facts })
    })?;
    if !plan.repeated {
        let now = record::now_for(tx, &item.facts);
        let mut ledger = Ledger {
            tx,
            caller,
            act: &act,
            item: &item.facts,
            now,
            ids: &mut ids,
        };
        put_in(&mut ledger, into.id)?;
        compartment_record::left(tx, item.compartment)?;
    }
    outcome(tx, &item, into.id, &network, plan.repeated)
}

fn facts_of(tx: &mut WriteTx<'_>, row: &CrateRow) -> Result<CrateFacts> {
    let id = CrateId::new(row.id);
    Ok(CrateFacts {
        id,
        from: UnitId::new(row.from_unit_id),
        to: UnitId::new(row.to_unit_id),
        items: tx.crate_count(id)?,
    })
}

fn put_in(ledger: &mut Ledger<'_, '_>, into: CrateId) -> Result<()> {
    let Some(open) = &ledger.item.transit else {
        return Err(UseCaseError::Internal(
            "an item without a journey was packed".to_owned(),
        ));
    };
    open.status
        .after(TransitAct::Pack)
        .map_err(|error| UseCaseError::State(error.to_string()))?;
    ledger.tx.pack_transit(open.id, Some(into))?;
    ledger.append(
        EventKind::TransitPacked,
        json!({"transit_id": open.id, "crate_id": into, "to_unit_id": open.to}),
    )?;
    // The next act on the item is not dated before this one.
    ledger.place(ledger.item.status, ledger.item.current)
}

fn outcome(
    tx: &mut WriteTx<'_>,
    item: &LoadedItem,
    id: CrateId,
    network: &Network,
    repeated: bool,
) -> Result<PackOutcome> {
    let transit = item.facts.transit.as_ref().map(|open| open.id.get());
    let packed = tx.transit_view(TransitId::new(transit.unwrap_or(0)))?;
    let packed = packed.ok_or(UseCaseError::NotFound("transit"))?;
    Ok(PackOutcome {
        into: shown(tx, id, network)?,
        item: CrateItemView {
            transit_id: packed.id,
            item_id: packed.item_id,
            item_barcode: packed.barcode,
            title: packed.title,
            reason: packed.reason,
            status: packed.status,
        },
        repeated,
    })
}

impl Outcome for PackOutcome {}
