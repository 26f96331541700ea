//! An exceptional opening is taken out: weekly hours and closed days count again. What rules made due on a day that is closed by
//! then moves to the next open day.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::json;

use super::calendar_walk::walk_after;
use super::due_moves::{DueMoves, require_open_days};
use super::once::once;
use super::unit_view::{OpeningRemoved, UnitDetail};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::store::calendar_changes::ChangeKind;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for: the opening with exactly these ends.
#[derive(Debug, Clone)]
pub struct RemoveOpenings {
    pub code: String,
    pub first: NaiveDate,
    pub last: NaiveDate,
}

/// Removes an exceptional opening.
///
/// # Errors
/// `NotFound` for an unknown unit or an opening it does not have; `Forbidden` outside the caller's subtree; `Invalid` for one that has begun, or when a
/// unit would have no open day in a year; a failure of the store.
pub async fn remove_openings(
    store: &Arc<Store>,
    caller: &Caller,
    command: RemoveOpenings,
    key: Option<IdempotencyKey>,
) -> Result<Once<OpeningRemoved>> {
    caller.require_somewhere(Right::ManageUnits)?;
    let mut done = once(store, caller, key, 2, command, apply).await?;
    if let Some((moves, _)) = walk_after(store, done.value.moves.change_id).await {
        done.value.moves = moves;
    }
    Ok(done)
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &RemoveOpenings, mut ids: IdRun) -> Result<OpeningRemoved> {
    tx.hold_calendars()?;
    let network = tx.lock_network()?;
    let unit = network
        .units()
        .by_code(&command.code)
        .ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.id, &network)?;
    let today = network.local_day(tx.now());
    if command.first < today {
        let reason = format!("{} lies behind: what was open was open", command.first);
        return Err(UseCaseError::field("first", reason));
    }
    if tx.delete_openings(unit.id, command.first, command.last)? == 0 {
        return Err(UseCaseError::NotFound("exceptional opening"));
    }
    let after = tx.network()?;
    require_open_days(&network, &after, unit.id, tx.now(), "first")?;
    let change = ids.next();
    tx.insert_change(change, ChangeKind::Openings, unit.id)?;
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit.id, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "openings", "removed": 1, "change_id": change}));
    tx.append_event(ids.next(), &event)?;
    let changed = after.unit(unit.id).ok_or(UseCaseError::NotFound("unit"))?;
    Ok(OpeningRemoved {
        unit: UnitDetail::of(changed, &after),
        moves: DueMoves::begun(change),
    })
}

impl Outcome for OpeningRemoved {}
