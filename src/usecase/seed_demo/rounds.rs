//! The rounds of the demo's couriers: one for each district, from the central library to the main one and its branches and
//! back, so that what travels is expected somewhere.

use serde_json::json;

use super::super::Result;
use crate::domain::event::EventKind;
use crate::domain::ids::{RouteId, StaffId, UnitId};
use crate::domain::network::Network;
use crate::domain::timetable::{Route, Stop};
use crate::domain::unit::UnitKind;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// Ids that the rounds use up at most: a route and an event each.
pub(super) const IDS: i64 = 2 * MOST;
const MOST: i64 = 40;
/// Half past eight; then a stop every quarter of an hour.
const LEAVES_MINUTE: u16 = 510;
const BETWEEN_STOPS_MINUTES: u16 = 15;
/// Branches of one round: it is back before the evening.
const BRANCHES: usize = 30;

/// Writes the rounds; the first one is the courier's.
pub(super) fn write(tx: &mut WriteTx<'_>, courier: Option<StaffId>, ids: &mut IdRun) -> Result<()> {
    let network = tx.network()?;
    let mut courier = courier;
    let mains = network
        .units()
        .iter()
        .filter(|unit| unit.kind == UnitKind::Main && unit.active);
    for (number, main) in (1..=MOST).zip(mains) {
        let Some(central) = main.parent.and_then(|parent| network.unit(parent)) else {
            continue;
        };
        let route = Route {
            id: RouteId::new(ids.next()),
            code: format!("R{number:02}"),
            name: format!("{}线", main.name),
            unit: central.id,
            weekdays: [true; 7],
            courier: courier.take(),
            vehicle: Some(format!("物流车{number}号")),
            active: true,
            stops: stops(&network, central.id, main.id),
        };
        tx.put_route(&route, true)?;
        let event = Event::new(EventKind::RouteChanged, tx.now(), central.id, SYSTEM_CHANNEL)
            .detail(json!({"route_id": route.id, "code": route.code, "created": true, "stops": route.stops.len()}));
        tx.append_event(ids.next(), &event)?;
    }
    Ok(())
}

fn stops(network: &Network, central: UnitId, main: UnitId) -> Vec<Stop> {
    let below = network
        .units()
        .subtree(main)
        .filter(|unit| unit.kind == UnitKind::Branch);
    let branches = below.map(|unit| unit.id).take(BRANCHES);
    let round = [central, main].into_iter().chain(branches).chain([central]);
    let minutes = (LEAVES_MINUTE..).step_by(usize::from(BETWEEN_STOPS_MINUTES));
    round.zip(minutes).map(|(unit, minute)| Stop { unit, minute }).collect()
}
