//! A round that couriers drive: made, or given other stops, days, courier or vehicle. Its code stays: crates name it.

use std::sync::Arc;

use chrono::{NaiveTime, Timelike};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::create_unit::{MAX_CODE, is_code};
use super::named::Wrong;
use super::once::once;
use super::view::unit_code;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::{Right, Role};
use crate::domain::event::EventKind;
use crate::domain::ids::{RouteId, StaffId};
use crate::domain::network::Network;
use crate::domain::timetable::{Route, Stop};
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// Most stops of a route.
pub const MAX_STOPS: usize = 60;
/// Routes of one network: they are read whole.
const MAX_ROUTES: usize = 500;

/// One stop of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopView {
    #[schema(max_length = 32, example = "M1")]
    pub unit_code: String,
    /// When it is served, in the network's zone.
    #[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]:00$", example = "08:30:00")]
    pub time: NaiveTime,
}

/// A round that couriers drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteView {
    #[schema(example = "R1")]
    pub code: String,
    pub name: String,
    /// Who runs it.
    pub unit_code: String,
    /// Days it is driven: 1 is Monday, 7 is Sunday. A stop whose unit is closed that day is skipped.
    #[schema(example = json!([1, 2, 3, 4, 5]))]
    pub weekdays: Vec<u8>,
    /// In the order of their times.
    pub stops: Vec<StopView>,
    /// Number of the member of staff who drives it.
    pub courier_staff_id: Option<i64>,
    /// What is driven: a plate, a name.
    #[schema(example = "鄂A·12345")]
    pub vehicle: Option<String>,
    /// It is driven; false for one that was given up.
    pub active: bool,
    /// Counts its changes: the `ETag` that replacing it must name in `If-Match`.
    #[serde(default)]
    #[schema(example = 1)]
    pub version: i64,
}

/// What is asked for: the whole of a route.
#[derive(Debug, Clone)]
pub struct SetRoute {
    /// `version` is not read.
    pub route: RouteView,
    /// The version that is replaced; `None` for a new route.
    pub seen: Option<i64>,
}

impl RouteView {
    fn of(route: &Route, network: &Network) -> Self {
        let days = (1..).zip(route.weekdays).filter(|(_, runs)| *runs);
        let stop = |stop: &Stop| StopView {
            unit_code: unit_code(network, stop.unit.get()),
            time: stop.at(chrono::NaiveDate::MIN).time(),
        };
        Self {
            code: route.code.clone(),
            name: route.name.clone(),
            unit_code: unit_code(network, route.unit.get()),
            weekdays: days.map(|(day, _)| day).collect(),
            stops: route.stops.iter().map(stop).collect(),
            courier_staff_id: route.courier.map(StaffId::get),
            vehicle: route.vehicle.clone(),
            active: route.active,
            version: route.version,
        }
    }
}

/// Creates or changes a route; what is asked for is the whole of it.
///
/// # Errors
/// `Unseen` when it would replace a route unseen, `Stale` when that is another version now, or gone; `Invalid` naming every wrong field; `Forbidden` for who does not run it, or would not after; a failure of the store.
pub async fn set_route(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetRoute,
    key: Option<IdempotencyKey>,
) -> Result<Once<RouteView>> {
    caller.require_somewhere(Right::ManageRoutes)?;
    once(store, caller, key, 2, command, apply).await
}

/// Lists the routes by code.
///
/// # Errors
/// A failure of the store.
pub async fn list_routes(store: &Arc<Store>, caller: &Caller) -> Result<Vec<RouteView>> {
    caller.require_somewhere(Right::ReadTransits)?;
    store
        .read(|tx| {
            let network = tx.network()?;
            let routes = tx.routes()?;
            Ok(routes.iter().map(|route| RouteView::of(route, &network)).collect())
        })
        .await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, asked: &SetRoute, mut ids: IdRun) -> Result<RouteView> {
    let (network, command) = (tx.network()?, &asked.route);
    let unit = super::record::unit_by_code(&network, "unit_code", &command.unit_code)?;
    caller.require(Right::ManageRoutes, unit, &network)?;
    let routes = tx.routes()?;
    let known = routes.iter().find(|route| route.code == command.code);
    if let Some(known) = known {
        caller.require(Right::ManageRoutes, known.unit, &network)?;
    }
    let version = known.map_or(0, |known| known.version);
    match asked.seen {
        None if known.is_some() => return Err(UseCaseError::Unseen),
        Some(seen) if seen != version => return Err(UseCaseError::Stale(version)),
        _ => {}
    }
    let mut wrong = Wrong::default();
    if !is_code(&command.code) {
        let reason = format!("must be 1 to {MAX_CODE} letters, digits, hyphens or underscores (ASCII)");
        wrong.say("code", reason);
    }
    if known.is_none() && routes.len() >= MAX_ROUTES {
        wrong.say(
            "code",
            format!("there are {MAX_ROUTES} routes already; use one that is not driven any more"),
        );
    }
    let stops = stops(&network, command, &mut wrong);
    let weekdays = weekdays(command, &mut wrong);
    judge_courier(tx, command, &mut wrong)?;
    wrong.check()?;
    let route = Route {
        id: known.map_or_else(|| RouteId::new(ids.next()), |known| known.id),
        code: command.code.clone(),
        name: command.name.clone(),
        unit,
        weekdays,
        courier: command.courier_staff_id.map(StaffId::new),
        vehicle: command.vehicle.clone(),
        active: command.active,
        version: version + 1,
        stops,
    };
    tx.put_route(&route, known.is_none())?;
    let event = Event::new(EventKind::RouteChanged, tx.now(), unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(
            json!({"route_id": route.id, "code": route.code, "created": known.is_none(), "stops": route.stops.len()}),
        )
        .personal(json!({"courier_staff_id": route.courier}));
    tx.append_event(ids.next(), &event)?;
    Ok(RouteView::of(&route, &network))
}

fn stops(network: &Network, command: &RouteView, wrong: &mut Wrong) -> Vec<Stop> {
    if !(2..=MAX_STOPS).contains(&command.stops.len()) {
        wrong.say("stops", format!("must be 2 to {MAX_STOPS}"));
        return Vec::new();
    }
    let mut stops: Vec<Stop> = Vec::new();
    for (position, asked) in (1..).zip(&command.stops) {
        let mut say = |reason: String| wrong.say("stops", format!("stop {position}: {reason}"));
        let minute = u16::try_from(asked.time.num_seconds_from_midnight() / 60).unwrap_or(0);
        if asked.time.second() != 0 || asked.time.nanosecond() != 0 {
            say("the time must be a whole minute".to_owned());
        }
        if stops.last().is_some_and(|before| before.minute >= minute) {
            say("must be later than the stop before it".to_owned());
        }
        match network.units().by_code(&asked.unit_code) {
            None => say(format!("no unit has the code {}", asked.unit_code)),
            Some(unit) if !unit.active => say(format!("{} is closed for good", unit.code)),
            Some(unit) => stops.push(Stop { unit: unit.id, minute }),
        }
    }
    stops
}

fn weekdays(command: &RouteView, wrong: &mut Wrong) -> [bool; 7] {
    let mut weekdays = [false; 7];
    for day in &command.weekdays {
        match usize::from(*day).checked_sub(1).and_then(|at| weekdays.get_mut(at)) {
            Some(runs) => *runs = true,
            None => wrong.say("weekdays", "are numbers from 1 (Monday) to 7 (Sunday)"),
        }
    }
    if command.weekdays.is_empty() {
        wrong.say("weekdays", "must name a day; a route that is not driven is not active");
    }
    weekdays
}

fn judge_courier(tx: &mut ReadTx<'_>, command: &RouteView, wrong: &mut Wrong) -> Result<()> {
    let Some(courier) = command.courier_staff_id else {
        return Ok(());
    };
    let roles = tx.active_roles_of(StaffId::new(courier)).map_err(UseCaseError::from)?;
    if roles.iter().all(|(role, _)| role != Role::Courier.as_str()) {
        wrong.say(
            "courier_staff_id",
            "no active member of staff with the role courier has this number",
        );
    }
    Ok(())
}

impl Outcome for RouteView {}
