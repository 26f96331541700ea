//! What a courier does at a stop: loads crates, and hands crates over against a signature. One transaction per crate, under a
//! key of its own: a list sent again after hours without a network does nothing twice, and one wrong crate stops no other.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::crate_view::{CrateView, change, shown, step};
use super::error::FieldError;
use super::record::{self, About, Consent, settle, unit_by_code};
use super::send_crate::{Departure, IDS, depart};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::calendar::local_time;
use crate::domain::crate_label::CrateLabel;
use crate::domain::event::EventKind;
use crate::domain::hand_over::{self, Facts};
use crate::domain::ids::{CrateId, StaffId, UnitId};
use crate::domain::network::Network;
use crate::domain::refusal::Verb;
use crate::domain::timetable::{Connection, Route, connections};
use crate::domain::transit::{CrateAct, CrateStatus};
use crate::store::crates::{CrateChange, CrateRow};
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store, StoreError};

/// Crates of one call.
pub const MAX_CRATES: usize = 100;

/// One crate that was scanned.
#[derive(Debug, Clone)]
pub struct Scanned {
    pub label: String,
    /// When, if the device had no network then.
    pub at: Option<DateTime<Utc>>,
    /// From the answer that told what is wrong with it.
    pub consent_token: Option<String>,
}

/// What is asked for at a stop.
#[derive(Debug, Clone)]
pub struct AtStop {
    pub unit_code: String,
    pub crates: Vec<Scanned>,
    pub act: StopAct,
}

/// What happens to the crates.
#[derive(Debug, Clone)]
pub enum StopAct {
    /// Onto the vehicle; by this route, or the caller's own that stops here.
    Load { route_code: Option<String> },
    /// To somebody of the unit, who signs.
    HandOver { signed_by: StaffId, consent: Consent },
}

/// Loads crates, or hands them over. The answers stand in the order of the crates.
///
/// # Errors
/// `Forbidden` for who drives no route, here; `Invalid` naming a unit, route or signer that is none. What one crate met
/// stands in its answer, but for a key that was used with another request.
pub async fn at_stop(
    store: &Arc<Store>,
    caller: &Caller,
    command: AtStop,
    key: Option<IdempotencyKey>,
) -> Result<Vec<Result<Once<CrateView>>>> {
    caller.require_somewhere(Right::DriveRoutes)?;
    let (who, asked) = (caller.clone(), command.clone());
    // The right and the stop before any crate.
    store.read(move |tx| stop_of(tx, &who, &asked).map(drop)).await?;
    let mut answers = Vec::new();
    for (row, scanned) in command.crates.iter().enumerate() {
        let ids = store.take_ids::<UseCaseError>(IDS + 1).await?;
        let (who, asked, scanned) = (caller.clone(), command.clone(), scanned.clone());
        // A client's keys hold no blank, so a crate's key meets no other.
        let key = key.as_ref().map(|key| IdempotencyKey {
            key: format!("{} crate {row}", key.key),
            request_hash: key.request_hash,
        });
        let claim = key.map(|key| key.claim(caller));
        let answer = store
            .write_once(claim, move |tx| apply(tx, &who, &asked, &scanned, ids.clone()))
            .await;
        if matches!(answer, Err(UseCaseError::Store(StoreError::KeyReused))) {
            return Err(StoreError::KeyReused.into());
        }
        answers.push(answer);
    }
    Ok(answers)
}

/// Where the courier is, and with what.
struct AtUnit {
    unit: UnitId,
    routes: Vec<Route>,
    /// The one that is driven.
    route: Option<usize>,
}

fn stop_of(tx: &mut ReadTx<'_>, caller: &Caller, asked: &AtStop) -> Result<AtUnit> {
    let network = tx.network()?;
    let unit = unit_by_code(&network, "unit_code", &asked.unit_code)?;
    let routes = tx.routes()?;
    let serves = |route: &Route| route.active && route.stops.iter().any(|stop| stop.unit == unit);
    let own = |route: &Route| route.courier.is_some() && route.courier == caller.staff() && serves(route);
    // A round crosses districts: whoever drives it may work at its stops.
    if !routes.iter().any(own) {
        caller.require(Right::DriveRoutes, unit, &network)?;
    }
    let mut route = routes.iter().position(own);
    match &asked.act {
        StopAct::Load {
            route_code: Some(code), ..
        } => {
            let named = routes.iter().position(|route| route.code == *code && serves(route));
            let missing = || UseCaseError::field("route_code", "no route in use with this code stops at the unit");
            route = Some(named.ok_or_else(missing)?);
        }
        StopAct::Load { route_code: None } => {}
        StopAct::HandOver { signed_by, .. } => judge_signer(tx, caller, *signed_by, unit, &network)?,
    }
    Ok(AtUnit { unit, routes, route })
}

/// Somebody of the unit signs, not the courier.
fn judge_signer(tx: &mut ReadTx<'_>, caller: &Caller, signer: StaffId, unit: UnitId, network: &Network) -> Result<()> {
    let wrong = |reason: &str| Err(UseCaseError::field("signed_by_staff_id", reason));
    if caller.staff() == Some(signer) {
        return wrong("is the courier: somebody of the unit signs");
    }
    let roles = tx.active_roles_of(signer)?;
    if roles.iter().any(|(_, at)| network.units().is_within(unit, *at)) {
        Ok(())
    } else {
        wrong("no active member of staff of this unit has this number")
    }
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    asked: &AtStop,
    scanned: &Scanned,
    mut ids: IdRun,
) -> Result<CrateView> {
    let network = tx.network()?;
    let here = stop_of(tx, caller, asked)?;
    let label = CrateLabel::parse(&scanned.label).map_err(|error| UseCaseError::field("label", error.to_string()))?;
    let found = tx.crate_by_label(label.as_str())?;
    let missing = || UseCaseError::Invalid(vec![FieldError::new("label", "no crate has this label")]);
    let id = found.ok_or_else(missing)?;
    // A device's clock may be wrong; what it reports has happened before now all the same.
    let at = scanned.at.unwrap_or_else(|| tx.now()).min(tx.now());
    match &asked.act {
        StopAct::Load { .. } => load(tx, caller, &here, (id, at), &network, &mut ids)?,
        StopAct::HandOver { signed_by, consent } => {
            let consent = Consent {
                token: scanned.consent_token.clone(),
                ..consent.clone()
            };
            hand_over(tx, caller, &here, (id, at), (*signed_by, &consent), &mut ids)?;
        }
    }
    shown(tx, id, &network)
}

fn load(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    here: &AtUnit,
    (id, at): (CrateId, DateTime<Utc>),
    network: &Network,
    ids: &mut IdRun,
) -> Result<()> {
    let row = tx.crate_row(id)?.ok_or(UseCaseError::NotFound("crate"))?;
    if row.at_unit_id != here.unit.get() {
        let stands = super::view::unit_code(network, row.at_unit_id);
        return Err(UseCaseError::State(format!("crate {} stands at {stands}", row.label)));
    }
    let route = here.route.and_then(|at| here.routes.get(at));
    let leg = leg(network, here, route, &row, at);
    let departure = Departure {
        at: at.max(from_millis(row.opened_at)),
        by: Some((route.map(|route| route.id), leg.map(|leg| leg.leg_to))),
    };
    depart(tx, caller, id, &departure, ids)?;
    Ok(())
}

/// How a crate goes on from here, by the route that is driven or, if that leads nowhere, by any.
fn leg(
    network: &Network,
    here: &AtUnit,
    route: Option<&Route>,
    row: &CrateRow,
    at: DateTime<Utc>,
) -> Option<Connection> {
    let to = UnitId::new(row.to_unit_id);
    // The stop is served when the vehicle is there, not when the timetable says.
    let since = local_time(network.zone(), at).date().and_time(chrono::NaiveTime::MIN);
    let all = connections(network, &here.routes, here.unit, since).get(&to).copied();
    let direct = route.filter(|route| route.stops.iter().any(|stop| stop.unit == to));
    direct.map_or(all, |route| {
        let mut direct = connections(network, std::slice::from_ref(route), here.unit, since);
        direct.remove(&to).or(all)
    })
}

fn hand_over(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    here: &AtUnit,
    (id, at): (CrateId, DateTime<Utc>),
    (signed_by, consent): (StaffId, &Consent),
    ids: &mut IdRun,
) -> Result<()> {
    let network = tx.network()?;
    let row = tx.crate_row(id)?.ok_or(UseCaseError::NotFound("crate"))?;
    step(&row, CrateAct::HandOver)?;
    let act = record::act_of(caller, here.unit, &network, consent, None);
    let facts = Facts {
        act: &act,
        network: &network,
        to: UnitId::new(row.to_unit_id),
        leg_to: row.leg_to_unit_id.map(UnitId::new),
    };
    let about = About::crate_of(caller, Verb::HandOver, &row.label);
    settle(consent, &about, &act, tx.now(), |act| {
        hand_over::decide(&Facts { act, ..facts })
    })?;
    let row = if row.state()? == CrateStatus::Closed {
        // It was loaded without a scan: it is here.
        let departure = Departure {
            at,
            by: Some((None, None)),
        };
        depart(tx, caller, id, &departure, ids)?;
        tx.crate_row(id)?
    } else {
        tx.lock_crate(id)?
    };
    let row = row.ok_or(UseCaseError::NotFound("crate"))?;
    let after = step(&row, CrateAct::HandOver)?;
    let at = at.max(from_millis(row.sent_at.unwrap_or(0)));
    let delivered = CrateChange {
        status: Some(after.code()),
        at_unit_id: Some(here.unit.get()),
        signed_by_staff_id: Some(Some(signed_by.get())),
        courier_staff_id: Some(caller.staff().map(StaffId::get)),
        delivered_at: Some(at.timestamp_millis()),
        ..CrateChange::default()
    };
    let detail = json!({"crate_id": id, "to_unit_id": row.to_unit_id, "items": row.items_sent});
    let told = (EventKind::CrateDelivered, at, here.unit, detail);
    change(tx, caller, id, &delivered, told, ids)
}
