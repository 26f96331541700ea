//! Taking an item out of a crate again. A closed crate is open after that: its slip is not true any more.

use std::sync::Arc;

use serde_json::json;

use super::crate_view::{CrateView, shown, step};
use super::once::once;
use super::record::{self, Consent, Ledger};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::barcode::Barcode;
use crate::domain::event::EventKind;
use crate::domain::ids::{CrateId, UnitId};
use crate::domain::transit::{CrateAct, TransitAct};
use crate::store::crates::CrateChange;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct UnpackItem {
    pub crate_id: CrateId,
    pub item_barcode: Barcode,
    /// Says whose item, where a barcode means several.
    pub owner_unit_code: Option<String>,
}

/// Takes an item out of a crate that has not left.
///
/// # Errors
/// `State` when the crate has left, or the item does not lie in it; `Invalid` or `Ambiguous` naming the barcode; `NotFound`; `Forbidden` where the caller does not pack; a
/// failure of the store.
pub async fn unpack_item(
    store: &Arc<Store>,
    caller: &Caller,
    command: UnpackItem,
    key: Option<IdempotencyKey>,
) -> Result<Once<CrateView>> {
    caller.require_somewhere(Right::PackCrates)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &UnpackItem, mut ids: IdRun) -> Result<CrateView> {
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
    let row = tx.lock_crate(command.crate_id)?.ok_or_else(missing)?;
    let after = step(&row, CrateAct::Unpack)?;
    let elsewhere = || UseCaseError::State(format!("the item does not lie in crate {}", row.label));
    let open = item.facts.transit.as_ref().ok_or_else(elsewhere)?;
    let inside = tx.crate_of_transit(open.id)?;
    inside.filter(|(id, _)| *id == command.crate_id).ok_or_else(elsewhere)?;
    open.status
        .after(TransitAct::Unpack)
        .map_err(|error| UseCaseError::State(error.to_string()))?;
    let act = record::act_of(caller, unit, &network, &Consent::default(), None);
    let now = record::now_for(tx, &item.facts);
    let mut ledger = Ledger {
        tx,
        caller,
        act: &act,
        item: &item.facts,
        now,
        ids: &mut ids,
    };
    ledger.tx.pack_transit(open.id, None)?;
    let status = Some(after.code());
    ledger.tx.change_crate(
        command.crate_id,
        &CrateChange {
            status,
            ..CrateChange::default()
        },
    )?;
    ledger.append(
        EventKind::TransitUnpacked,
        json!({"transit_id": open.id, "crate_id": command.crate_id}),
    )?;
    ledger.place(item.facts.status, item.facts.current)?;
    shown(tx, command.crate_id, &network)
}
