//! A unit gets another place in the tree, with everything below it. From then on it inherits from there: rules, hours, closed days,
//! what is joined; and whoever has a role for a unit above has it for these, too. Codes, items, readers and loans stay.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::calendar_walk::walk_after;
use super::due_moves::{AffectedLoan, DueMoves, require_open_days};
use super::named::Wrong;
use super::once::once;
use super::set_item_type::settled;
use super::unit_view::UnitDetail;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::network::Network;
use crate::domain::unit::Unit;
use crate::store::calendar_changes::ChangeKind;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct MoveUnit {
    pub code: String,
    pub parent_code: String,
}

/// A unit at its new place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UnitMoved {
    /// The unit with what it inherits now.
    pub unit: UnitDetail,
    /// Units that moved: this one and all below it; 0 when it stood there already.
    #[schema(example = 12)]
    pub moved_units: u64,
    /// Open loans due, by rule, on a day that is closed by the calendar they have now, that have moved to the next open day.
    #[schema(example = 1)]
    pub moved_loans: u64,
    /// The first 100 of them.
    pub loans: Vec<AffectedLoan>,
    /// How far the moving is, which goes on by itself; null when all calendars stay as they were.
    #[serde(default)]
    pub moves: Option<DueMoves>,
}

/// Moves a unit under another parent.
///
/// # Errors
/// `NotFound`; `Forbidden` without the right at the unit, at its old parent and at the new one; `Invalid` where it cannot stand;
/// a failure of the store.
pub async fn move_unit(
    store: &Arc<Store>,
    caller: &Caller,
    command: MoveUnit,
    key: Option<IdempotencyKey>,
) -> Result<Once<UnitMoved>> {
    caller.require_somewhere(Right::ManageUnits)?;
    let mut done = once(store, caller, key, 2, command, apply).await?;
    if let Some(moves) = &done.value.moves
        && let Some((moves, loans)) = walk_after(store, moves.change_id).await
    {
        done.value.moved_loans = u64::try_from(moves.moved_loans).unwrap_or(0);
        (done.value.moves, done.value.loans) = (Some(moves), loans);
    }
    Ok(done)
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &MoveUnit, mut ids: IdRun) -> Result<UnitMoved> {
    tx.hold_calendars()?;
    let network = tx.lock_network()?;
    let units = network.units();
    let unit = units.by_code(&command.code).ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.parent.unwrap_or(unit.id), &network)?;
    let parent = place(command, caller, unit, &network)?;
    if unit.parent == Some(parent.id) {
        return Ok(UnitMoved {
            unit: UnitDetail::of(unit, &network),
            moved_units: 0,
            moved_loans: 0,
            loans: Vec::new(),
            moves: None,
        });
    }
    let moved_units = tx.move_unit(unit, parent)?;
    let after = settled(tx, "parent_code")?;
    require_open_days(&network, &after, unit.id, tx.now(), "parent_code")?;
    let mut below = units.subtree(unit.id).map(|unit| unit.id);
    let other_days = below.any(|id| !network.calendar(id).agrees_with(&after.calendar(id)));
    let change = other_days.then(|| ids.next());
    if let Some(change) = change {
        tx.insert_change(change, ChangeKind::Unit, unit.id)?;
    }
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit.id, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(
            json!({"changed": "parent", "from_unit_id": unit.parent, "to_unit_id": parent.id,
            "moved_units": moved_units, "change_id": change}),
        );
    tx.append_event(ids.next(), &event)?;
    let moved = after.unit(unit.id).ok_or(UseCaseError::NotFound("unit"))?;
    Ok(UnitMoved {
        unit: UnitDetail::of(moved, &after),
        moved_units,
        moved_loans: 0,
        loans: Vec::new(),
        moves: change.map(DueMoves::begun),
    })
}

/// The new parent, if the unit can stand there and the caller has a say there.
fn place<'n>(command: &MoveUnit, caller: &Caller, unit: &Unit, network: &'n Network) -> Result<&'n Unit> {
    let mut wrong = Wrong::default();
    let parent = wrong.unit(network, "parent_code", &command.parent_code);
    let Some(parent) = parent else {
        wrong.check()?;
        return Err(UseCaseError::NotFound("unit"));
    };
    caller.require(Right::ManageUnits, parent.id, network)?;
    let allowed = unit.kind.allowed_parents();
    if unit.parent.is_none() {
        wrong.say("parent_code", "the root of the network stands under nothing");
    } else if network.units().is_within(parent.id, unit.id) {
        wrong.say("parent_code", "is this unit itself or stands below it");
    } else if !allowed.contains(&parent.kind) {
        let allowed: Vec<&str> = allowed.iter().map(|kind| kind.code()).collect();
        let reason = format!("a {} stands under: {}", unit.kind.code(), allowed.join(", "));
        wrong.say("parent_code", reason);
    }
    wrong.check()?;
    Ok(parent)
}

impl Outcome for UnitMoved {}
