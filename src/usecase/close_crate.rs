//! A crate is full enough: it is closed, its slip is printed, and it waits to be fetched. Or it is given up, empty.

use std::sync::Arc;

use serde_json::json;

use super::crate_view::{CrateView, change, locked, shown, step};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::{CrateId, UnitId};
use crate::domain::transit::CrateAct;
use crate::store::crates::CrateChange;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Closes a crate with something in it.
///
/// # Errors
/// `State` when it is empty or not open; `NotFound`; `Forbidden` where the caller does not pack; a failure of the store.
pub async fn close_crate(
    store: &Arc<Store>,
    caller: &Caller,
    id: CrateId,
    key: Option<IdempotencyKey>,
) -> Result<Once<CrateView>> {
    caller.require_somewhere(Right::PackCrates)?;
    once(store, caller, key, 1, id, apply).await
}

/// Gives up a crate with nothing in it.
///
/// # Errors
/// As [`close_crate`]; `State` when something lies in it.
pub async fn cancel_crate(
    store: &Arc<Store>,
    caller: &Caller,
    id: CrateId,
    key: Option<IdempotencyKey>,
) -> Result<Once<CrateView>> {
    caller.require_somewhere(Right::PackCrates)?;
    once(store, caller, key, 1, id, give_up).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, id: &CrateId, mut ids: IdRun) -> Result<CrateView> {
    let network = tx.network()?;
    let row = locked(tx, caller, Right::PackCrates, *id, &network)?;
    let after = step(&row, CrateAct::Close)?;
    let items = tx.crate_count(*id)?;
    if items == 0 {
        return Err(UseCaseError::State(format!("crate {} is empty", row.label)));
    }
    let closed = CrateChange {
        status: Some(after.code()),
        ..CrateChange::default()
    };
    let told = json!({"crate_id": id, "items": items, "to_unit_id": row.to_unit_id});
    let told = (EventKind::CrateClosed, tx.now(), UnitId::new(row.at_unit_id), told);
    change(tx, caller, *id, &closed, told, &mut ids)?;
    shown(tx, *id, &network)
}

fn give_up(tx: &mut WriteTx<'_>, caller: &Caller, id: &CrateId, mut ids: IdRun) -> Result<CrateView> {
    let network = tx.network()?;
    let row = locked(tx, caller, Right::PackCrates, *id, &network)?;
    let after = step(&row, CrateAct::Cancel)?;
    let items = tx.crate_count(*id)?;
    if items > 0 {
        let reason = format!("{items} items lie in crate {}: take them out first", row.label);
        return Err(UseCaseError::State(reason));
    }
    let now = tx.now();
    let ended = CrateChange {
        status: Some(after.code()),
        ended_at: Some(now.timestamp_millis()),
        ..CrateChange::default()
    };
    let told = (
        EventKind::CrateCancelled,
        now,
        UnitId::new(row.at_unit_id),
        json!({"crate_id": id}),
    );
    change(tx, caller, *id, &ended, told, &mut ids)?;
    shown(tx, *id, &network)
}
