//! An amnesty is taken out: its days count again for what is not returned yet.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::json;

use super::once::once;
use super::unit_view::UnitDetail;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for: the amnesty with exactly these ends.
#[derive(Debug, Clone)]
pub struct RemoveAmnesty {
    pub code: String,
    pub first: NaiveDate,
    pub last: NaiveDate,
}

/// Removes an amnesty.
///
/// # Errors
/// `NotFound` for an unknown unit or an amnesty it does not have; `Forbidden` outside the caller's subtree; a failure of the store.
pub async fn remove_amnesty(
    store: &Arc<Store>,
    caller: &Caller,
    command: RemoveAmnesty,
    key: Option<IdempotencyKey>,
) -> Result<Once<UnitDetail>> {
    caller.require_somewhere(Right::ManageUnits)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &RemoveAmnesty, mut ids: IdRun) -> Result<UnitDetail> {
    let network = tx.lock_network()?;
    let unit = network
        .units()
        .by_code(&command.code)
        .ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.id, &network)?;
    if tx.delete_amnesty(unit.id, command.first, command.last)? == 0 {
        return Err(UseCaseError::NotFound("amnesty"));
    }
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit.id, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "amnesties", "removed": 1, "first": command.first, "last": command.last}));
    tx.append_event(ids.next(), &event)?;
    let after = tx.network()?;
    let changed = after.unit(unit.id).ok_or(UseCaseError::NotFound("unit"))?;
    Ok(UnitDetail::of(changed, &after))
}
