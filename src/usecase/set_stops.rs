//! The stops of a vehicle, replaced whole. They are its opening days: loans that were due, by rule, on a day without a stop move to
//! the next one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::calendar_walk::walk_after;
use super::due_moves::{AffectedLoan, DueMoves, require_open_days};
use super::once::once;
use super::stop_view::VehicleStopView;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::stops::{self, MAX_STOPS, Stop};
use crate::domain::unit::Unit;
use crate::store::calendar_changes::ChangeKind;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetStops {
    pub code: String,
    /// The version the change was made from.
    pub seen: i64,
    pub stops: Vec<Stop>,
}

/// The stops of a vehicle as they are now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StopsSet {
    #[schema(example = "M1-CAR")]
    pub unit_code: String,
    pub stops: Vec<VehicleStopView>,
    /// Open loans that were due on a day without a stop: they moved to the next open day.
    #[schema(example = 1)]
    pub moved_loans: u64,
    /// The first 100 of them.
    pub loans: Vec<AffectedLoan>,
    /// How far the moving is, which goes on by itself; null when there is none.
    #[serde(default)]
    pub moves: Option<DueMoves>,
    /// Grows with every change; as the `ETag`.
    #[schema(example = 2)]
    pub version: i64,
}

impl Outcome for StopsSet {}

/// Sets the stops of a vehicle.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; `State` for what is no vehicle; `Stale`; `Invalid` for a timetable that
/// cannot be; a failure of the store.
pub async fn set_stops(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetStops,
    key: Option<IdempotencyKey>,
) -> Result<Once<StopsSet>> {
    caller.require_somewhere(Right::ManageUnits)?;
    let ids = i64::try_from(command.stops.len() + 2).unwrap_or(i64::MAX);
    let mut done = once(store, caller, key, ids, command, apply).await?;
    if let Some(moves) = &done.value.moves
        && let Some((moves, loans)) = walk_after(store, moves.change_id).await
    {
        done.value.moved_loans = u64::try_from(moves.moved_loans).unwrap_or(0);
        (done.value.moves, done.value.loans) = (Some(moves), loans);
    }
    Ok(done)
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &SetStops, mut ids: IdRun) -> Result<StopsSet> {
    tx.hold_calendars()?;
    let network = tx.lock_network()?;
    let unit = vehicle(&command.code, &network)?;
    caller.require(Right::ManageUnits, unit.id, &network)?;
    if !unit.mobile {
        return Err(UseCaseError::State(
            "the unit is no vehicle: set `mobile` first".to_owned(),
        ));
    }
    let version = tx.stops_version(unit.id)?;
    if version != command.seen {
        return Err(UseCaseError::Stale(version));
    }
    if command.stops.len() > MAX_STOPS {
        return Err(UseCaseError::field("stops", format!("are more than {MAX_STOPS}")));
    }
    stops::check(&command.stops, network.local_day(tx.now()))
        .map_err(|error| UseCaseError::field("stops", error.to_string()))?;
    let version = tx.replace_stops(unit.id, &command.stops, &mut ids)?;
    let after = tx.network()?;
    require_open_days(&network, &after, unit.id, tx.now(), "stops")?;
    let other_days = !network.calendar(unit.id).agrees_with(&after.calendar(unit.id));
    let change = other_days.then(|| ids.next());
    if let Some(change) = change {
        tx.insert_change(change, ChangeKind::Unit, unit.id)?;
    }
    tell(tx, caller, unit.id, command.stops.len(), change, &mut ids)?;
    let changed = after.unit(unit.id).ok_or(UseCaseError::NotFound("unit"))?;
    Ok(StopsSet {
        unit_code: changed.code.clone(),
        stops: changed.stops.iter().map(VehicleStopView::of).collect(),
        moved_loans: 0,
        loans: Vec::new(),
        moves: change.map(DueMoves::begun),
        version,
    })
}

fn tell(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    unit: UnitId,
    stops: usize,
    change: Option<i64>,
    ids: &mut IdRun,
) -> Result<()> {
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "stops", "stops": stops, "change_id": change}));
    Ok(tx.append_event(ids.next(), &event)?)
}

/// A unit by its code.
pub(super) fn vehicle<'n>(code: &str, network: &'n Network) -> Result<&'n Unit> {
    let unit = network.units().by_code(code);
    unit.ok_or(UseCaseError::NotFound("unit"))
}
