//! A unit gets another place in the tree, with everything below it. From then on it inherits from there: rules, hours, closed days,
//! what is joined; and whoever has a role for a unit above has it for these, too. Codes, items, readers and loans stay.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::due_moves::{AffectedLoan, move_due_dates_of};
use super::named::Wrong;
use super::once::once;
use super::set_item_type::settled;
use super::unit_view::UnitDetail;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::unit::Unit;
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
    /// Open loans that were due, by rule, on a day that is closed by the calendar they have now: they moved to the next open day.
    #[schema(example = 1)]
    pub moved_loans: u64,
    /// The first 100 of them.
    pub loans: Vec<AffectedLoan>,
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
    once(store, caller, key, 1, command, apply).await
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
        });
    }
    let moved_units = tx.move_unit(unit, parent)?;
    let after = settled(tx, "parent_code")?;
    let other_days: Vec<UnitId> = units
        .subtree(unit.id)
        .map(|unit| unit.id)
        .filter(|id| !network.calendar(*id).agrees_with(&after.calendar(*id)))
        .collect();
    let affected = move_due_dates_of(tx, &other_days, &after)?;
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit.id, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(
            json!({"changed": "parent", "from_unit_id": unit.parent, "to_unit_id": parent.id,
            "moved_units": moved_units, "moved_loans": affected.count}),
        );
    tx.append_event(ids.next(), &event)?;
    let moved = after.unit(unit.id).ok_or(UseCaseError::NotFound("unit"))?;
    Ok(UnitMoved {
        unit: UnitDetail::of(moved, &after),
        moved_units,
        moved_loans: affected.count,
        loans: affected.loans,
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
