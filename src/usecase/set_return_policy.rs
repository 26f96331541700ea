//! What happens to a unit's copies that come back elsewhere, where no collection says it: said for a unit, inherited down the tree.

use std::sync::Arc;

use serde_json::json;

use super::content_version::must_be_seen;
use super::once::once;
use super::unit_view::UnitDetail;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::item::ReturnPolicy;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetReturnPolicy {
    pub code: String,
    /// `None`: as the unit above.
    pub return_policy: Option<ReturnPolicy>,
    /// The version of the unit the change was made from, if the caller says it.
    pub seen: Option<i64>,
}

/// Sets a unit's return policy. What is on a shelf stays there; the next return follows it.
///
/// # Errors
/// `NotFound`; `Stale`; `Forbidden` outside the caller's subtree; a failure of the store.
pub async fn set_return_policy(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetReturnPolicy,
    key: Option<IdempotencyKey>,
) -> Result<Once<UnitDetail>> {
    caller.require_somewhere(Right::ManageUnits)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &SetReturnPolicy, mut ids: IdRun) -> Result<UnitDetail> {
    let missing = || UseCaseError::NotFound("unit");
    // The configuration before the unit, as everybody locks them.
    let network = tx.lock_network()?;
    let before = network.units().by_code(&command.code).ok_or_else(missing)?;
    let unit = before.id;
    caller.require(Right::ManageUnits, unit, &network)?;
    must_be_seen(&UnitDetail::of(before, &network), command.seen)?;
    tx.set_unit_policy(unit, command.return_policy)?;
    let (policy, cap) = command.return_policy.map(ReturnPolicy::code).unzip();
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "return_policy", "return_policy": policy, "float_cap": cap.flatten()}));
    tx.append_event(ids.next(), &event)?;
    let after = tx.network()?;
    Ok(UnitDetail::of(after.unit(unit).ok_or_else(missing)?, &after))
}
