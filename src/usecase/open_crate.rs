//! Opening a crate: an empty box gets a label and a destination.

use std::sync::Arc;

use serde_json::json;

use super::crate_view::{CrateView, shown};
use super::error::FieldError;
use super::named::Wrong;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::crate_label::CrateLabel;
use crate::domain::event::EventKind;
use crate::domain::ids::{CrateId, UnitId};
use crate::domain::network::Network;
use crate::domain::timetable::Route;
use crate::domain::transit::CrateStatus;
use crate::store::crates::CrateRow;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct OpenCrate {
    /// The caller's own unit by default.
    pub from_unit_code: Option<String>,
    /// Where it goes: a unit, or a stop of a route.
    pub to_unit_code: Option<String>,
    pub route_code: Option<String>,
    /// Of the route, from 1.
    pub stop: Option<u16>,
}

/// Opens a crate.
///
/// # Errors
/// `Invalid` naming every wrong field; `Forbidden` where the caller does not pack; a failure of the store.
pub async fn open_crate(
    store: &Arc<Store>,
    caller: &Caller,
    command: OpenCrate,
    key: Option<IdempotencyKey>,
) -> Result<Once<CrateView>> {
    caller.require_somewhere(Right::PackCrates)?;
    once(store, caller, key, 2, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &OpenCrate, mut ids: IdRun) -> Result<CrateView> {
    let network = tx.network()?;
    let from = match &command.from_unit_code {
        Some(code) => super::record::unit_by_code(&network, "from_unit_code", code)?,
        None => caller.working_unit()?,
    };
    caller.require(Right::PackCrates, from, &network)?;
    let routes = tx.routes()?;
    let (to, route) = destination(&network, &routes, command)?;
    if to == from {
        return Err(UseCaseError::field("to_unit_code", "is the unit the crate stands at"));
    }
    let id = CrateId::new(ids.next());
    let now = tx.now();
    let label = CrateLabel::of(id).to_string();
    tx.insert_crate(&CrateRow {
        id: id.get(),
        label: label.clone(),
        from_unit_id: from.get(),
        to_unit_id: to.get(),
        at_unit_id: from.get(),
        status: CrateStatus::Open.code().to_owned(),
        leg_to_unit_id: None,
        route_id: route.map(|route| route.id.get()),
        courier_staff_id: None,
        signed_by_staff_id: None,
        items_sent: 0,
        opened_at: now.timestamp_millis(),
        sent_at: None,
        delivered_at: None,
        ended_at: None,
    })?;
    let event = Event::new(EventKind::CrateOpened, now, from, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"crate_id": id, "label": label, "to_unit_id": to}));
    tx.append_event(ids.next(), &event)?;
    shown(tx, id, &network)
}

/// The unit a crate goes to; by a stop of a route, with that route.
fn destination<'r>(network: &Network, routes: &'r [Route], asked: &OpenCrate) -> Result<(UnitId, Option<&'r Route>)> {
    let mut wrong = Wrong::default();
    let route = asked.route_code.as_deref().and_then(|code| {
        let found = routes.iter().find(|route| route.code == code && route.active);
        if found.is_none() {
            wrong.say("route_code", "no route in use has this code");
        }
        found
    });
    let unit = match (&asked.to_unit_code, asked.stop) {
        (Some(code), None) => wrong.unit(network, "to_unit_code", code).map(|unit| unit.id),
        (None, Some(stop)) => {
            let stops = route.map_or(&[][..], |route| route.stops.as_slice());
            let found = usize::from(stop).checked_sub(1).and_then(|at| stops.get(at));
            if found.is_none() && asked.route_code.is_none() {
                wrong.say("route_code", "is needed with a stop");
            } else if found.is_none() && route.is_some() {
                wrong.say("stop", format!("the route has {} stops", stops.len()));
            }
            found.map(|stop| stop.unit)
        }
        _ => {
            wrong.say("to_unit_code", "give either a unit, or a route with a stop");
            None
        }
    };
    if let Some(unit) = unit.and_then(|unit| network.unit(unit)).filter(|unit| !unit.active) {
        wrong.say("to_unit_code", format!("{} is closed for good", unit.name));
    }
    wrong.check()?;
    let missing = || UseCaseError::Invalid(vec![FieldError::new("to_unit_code", "is missing")]);
    Ok((unit.ok_or_else(missing)?, route))
}
