//! Opening again: a range of closed days is taken out. Due dates that it moved stay where they are; readers were told.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::json;

use super::once::once;
use super::unit_view::UnitDetail;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for: the range with exactly these ends.
#[derive(Debug, Clone)]
pub struct RemoveClosedDays {
    pub code: String,
    pub first: NaiveDate,
    pub last: NaiveDate,
}

/// Removes a range of closed days.
///
/// # Errors
/// `NotFound` for an unknown unit or a range it does not have; `Forbidden` outside the caller's subtree; `Invalid` for one that has
/// begun; a failure of the store.
pub async fn remove_closed_days(
    store: &Arc<Store>,
    caller: &Caller,
    command: RemoveClosedDays,
    key: Option<IdempotencyKey>,
) -> Result<Once<UnitDetail>> {
    caller.require_somewhere(Right::ManageUnits)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &RemoveClosedDays, mut ids: IdRun) -> Result<UnitDetail> {
    let network = tx.network()?;
    let unit = network
        .units()
        .by_code(&command.code)
        .ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.id, &network)?;
    let today = network.local_day(tx.now());
    if command.first < today {
        let reason = format!("{} lies behind: what was closed was closed", command.first);
        return Err(UseCaseError::field("first", reason));
    }
    if tx.delete_closed_days(unit.id, command.first, command.last)? == 0 {
        return Err(UseCaseError::NotFound("range of closed days"));
    }
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit.id, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "closed_days", "removed": 1}));
    tx.append_event(ids.next(), &event)?;
    let after = tx.network()?;
    let changed = after.unit(unit.id).ok_or(UseCaseError::NotFound("unit"))?;
    Ok(UnitDetail::of(changed, &after))
}

impl Outcome for UnitDetail {}
