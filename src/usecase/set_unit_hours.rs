//! A unit's weekly hours, replaced whole; open loans that were due on a weekday closed by now move to the next open day.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::create_unit::week_of;
use super::due_moves::{AffectedLoan, move_due_dates};
use super::named::Wrong;
use super::once::once;
use super::unit_view::UnitDetail;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::calendar::OpenSpan;
use crate::domain::event::EventKind;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetUnitHours {
    pub code: String,
    /// Seven lists, Monday first; `None`: those of the nearest unit above that has any.
    pub hours: Option<Vec<Vec<OpenSpan>>>,
}

/// A unit with its new hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HoursSet {
    /// The unit with its new hours.
    pub unit: UnitDetail,
    /// Open loans that were due on a day closed by now: they moved to the next open day.
    #[schema(example = 1)]
    pub moved_loans: u64,
    /// The first 100 of them.
    pub loans: Vec<AffectedLoan>,
}

/// Sets a unit's hours.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; `Invalid` for hours that are none; a failure of the store.
pub async fn set_unit_hours(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetUnitHours,
    key: Option<IdempotencyKey>,
) -> Result<Once<HoursSet>> {
    caller.require_somewhere(Right::ManageUnits)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &SetUnitHours, mut ids: IdRun) -> Result<HoursSet> {
    tx.hold_calendars()?;
    let network = tx.network()?;
    let unit = network
        .units()
        .by_code(&command.code)
        .ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.id, &network)?;
    let mut wrong = Wrong::default();
    let hours = week_of(command.hours.clone(), &mut wrong);
    if unit.parent.is_none() && hours.is_none() {
        wrong.say(
            "hours",
            "the root of the network must have hours: everything below inherits them",
        );
    }
    wrong.check()?;
    tx.replace_hours(unit.id, hours.as_ref())?;
    let after = tx.network()?;
    let affected = move_due_dates(tx, unit.id, &after)?;
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit.id, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "hours", "moved_loans": affected.count}));
    tx.append_event(ids.next(), &event)?;
    let changed = after.unit(unit.id).ok_or(UseCaseError::NotFound("unit"))?;
    Ok(HoursSet {
        unit: UnitDetail::of(changed, &after),
        moved_loans: affected.count,
        loans: affected.loans,
    })
}

impl Outcome for HoursSet {}
