//! What a courier does at a stop: loads crates, and hands crates over against a signature. One transaction per crate, under a
//! key of its own: a list sent again after hours without a network does nothing twice, and one wrong crate stops no other.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::json;

use super::crate_view::{CrateView, change, shown, step};
use super::error::FieldError;
use super::record::{self, About, Consent, settle, unit_by_code};
use super::send_crate::{Departure, IDS, depart};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::calendar::local_day;
use crate::domain::crate_label::CrateLabel;
use crate::domain::event::EventKind;
use crate::domain::hand_over::{self, Facts};
use crate::domain::ids::{CrateId, StaffId, UnitId};
use crate::domain::network::Network;
use crate::domain::refusal::Verb;
use crate::domain::timetable::{Connection, Route, connections};
use crate::domain::transit::{CrateAct, CrateStatus};
use crate::store::crates::CrateChange;
use crate::store::idempotency::Claim;
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
/// `Forbidden` for who drives no route, here; `Invalid` naming a unit, route or signer that is none: of the whole list, unless
/// some of it was taken before under this key. What one crate met stands in its answer, but for a key that was used with another
/// request.
pub async fn at_stop(
    store: &Arc<Store>,
    caller: &Caller,
    command: AtStop,
    key: Option<IdempotencyKey>,
) -> Result<Vec<Result<Once<CrateView>>>> {
    caller.require_somewhere(Right::DriveRoutes)?;
    let claims: Vec<Option<Claim>> = (0..command.crates.len())
        .map(|row| key.as_ref().map(|key| row_key(key, row).claim(caller)))
        .collect();
    let command = Arc::new(command);
    let here = match judged(store, caller, &command).await {
        Ok(here) => Some(Arc::new(here)),
        // What was taken then stays taken, whoever drives or signs by now.
        Err(_) if any_taken(store, &claims).await? => None,
        Err(error) => return Err(error),
    };
    let mut answers = Vec::new();
    for (row, claim) in claims.into_iter().enumerate() {
        let ids = store.take_ids::<UseCaseError>(IDS + 1).await?;
        let (who, asked, here) = (caller.clone(), Arc::clone(&command), here.clone());
        let answer = store
            .write_once(claim, move |tx| match &here {
                Some(here) => apply(tx, &who, &asked, (here, row), ids.clone()),
                None => {
                    let here = stop_of(tx, &who, &asked)?;
                    apply(tx, &who, &asked, (&here, row), ids.clone())
                }
            })
            .await;
        if matches!(answer, Err(UseCaseError::Store(StoreError::KeyReused))) {
            return Err(StoreError::KeyReused.into());
        }
        answers.push(answer);
    }
    Ok(answers)
}

/// A client's keys hold no blank, so a crate's key meets no other.
fn row_key(key: &IdempotencyKey, row: usize) -> IdempotencyKey {
    IdempotencyKey {
        key: format!("{} crate {row}", key.key),
        request_hash: key.request_hash,
    }
}

/// The right and the stop before any crate, and how things go on from there: looked up once, while no write waits for it.
async fn judged(store: &Arc<Store>, caller: &Caller, asked: &Arc<AtStop>) -> Result<AtUnit> {
    let (who, asked) = (caller.clone(), Arc::clone(asked));
    store.read(move |tx| stop_of(tx, &who, &asked)).await
}

/// Whether some crate was dealt with before, under its key.
async fn any_taken(store: &Arc<Store>, claims: &[Option<Claim>]) -> Result<bool> {
    let claims: Vec<Claim> = claims.iter().flatten().cloned().collect();
    store
        .write(move |tx| {
            for claim in &claims {
                if tx.outcome_of(claim)?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await
}

/// Where the courier is, and with what.
struct AtUnit {
    unit: UnitId,
    /// The route that is driven.
    route: Option<Route>,
    /// When each crate was scanned.
    scanned_at: Vec<DateTime<Utc>>,
    /// How crates go on from here, for each day on which one was loaded.
    ways: HashMap<NaiveDate, Ways>,
    /// Whoever signs is of the unit; `false`: was, as the scans say, or is said to have been.
    signer_is_known: bool,
}

/// Connections to other units from the beginning of a day: by the route that is driven, and by any.
struct Ways {
    direct: HashMap<UnitId, Connection>,
    all: HashMap<UnitId, Connection>,
}

fn stop_of(tx: &mut ReadTx<'_>, caller: &Caller, asked: &AtStop) -> Result<AtUnit> {
    let network = tx.network()?;
    let unit = unit_by_code(&network, "unit_code", &asked.unit_code)?;
    let routes = tx.routes()?;
    let serves = |route: &Route| route.active && route.stops.iter().any(|stop| stop.unit == unit);
    let own = routes
        .iter()
        .find(|route| route.courier.is_some() && route.courier == caller.staff() && serves(route));
    // A round crosses districts: whoever drives it may work at its stops.
    if own.is_none() {
        caller.require(Right::DriveRoutes, unit, &network)?;
    }
    // A device's clock may be wrong; what it reports has happened before now all the same.
    let now = tx.now();
    let scanned_at = asked.crates.iter().map(|one| one.at.unwrap_or(now).min(now));
    let mut here = AtUnit {
        unit,
        route: own.cloned(),
        scanned_at: scanned_at.collect(),
        ways: HashMap::new(),
        signer_is_known: true,
    };
    match &asked.act {
        StopAct::Load { route_code } => {
            if let Some(code) = route_code {
                let named = routes.iter().find(|route| route.code == *code && serves(route));
                let missing = || UseCaseError::field("route_code", "no route in use with this code stops at the unit");
                here.route = Some(named.ok_or_else(missing)?.clone());
            }
            here.ways = ways(&network, &routes, &here);
        }
        StopAct::HandOver { signed_by, .. } => {
            here.signer_is_known = judge_signer(tx, caller, (*signed_by, unit), asked, &network)?;
        }
    }
    Ok(here)
}

fn ways(network: &Network, routes: &[Route], here: &AtUnit) -> HashMap<NaiveDate, Ways> {
    let mut ways = HashMap::new();
    for at in &here.scanned_at {
        ways.entry(local_day(network.zone(), *at)).or_insert_with_key(|day| {
            // The stop is served when the vehicle is there, not when the timetable says.
            let since = day.and_time(NaiveTime::MIN);
            let driven = here.route.as_slice();
            Ways {
                direct: connections(network, driven, here.unit, since),
                all: connections(network, routes, here.unit, since),
            }
        });
    }
    ways
}

/// Somebody of the unit signs, not the courier. What was scanned without a network was signed then: who has left since has
/// signed all the same, and `false` says that nobody can tell any more.
fn judge_signer(
    tx: &mut ReadTx<'_>,
    caller: &Caller,
    (signer, unit): (StaffId, UnitId),
    asked: &AtStop,
    network: &Network,
) -> Result<bool> {
    let wrong = |reason: &str| Err(UseCaseError::field("signed_by_staff_id", reason));
    if caller.staff() == Some(signer) {
        return wrong("is the courier: somebody of the unit signs");
    }
    let roles = tx.active_roles_of(signer)?;
    if roles.iter().any(|(_, at)| network.units().is_within(unit, *at)) {
        return Ok(true);
    }
    let scanned_then = asked.crates.iter().all(|one| one.at.is_some());
    if scanned_then && tx.staff_member(signer)?.is_some() {
        return Ok(false);
    }
    wrong("no active member of staff of this unit has this number")
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    asked: &AtStop,
    (here, row): (&AtUnit, usize),
    mut ids: IdRun,
) -> Result<CrateView> {
    let network = tx.network()?;
    let missing = || UseCaseError::Invalid(vec![FieldError::new("label", "no crate has this label")]);
    let (scanned, at) = asked
        .crates
        .get(row)
        .zip(here.scanned_at.get(row))
        .ok_or_else(missing)?;
    let label = CrateLabel::parse(&scanned.label).map_err(|error| UseCaseError::field("label", error.to_string()))?;
    let id = tx.crate_by_label(label.as_str())?.ok_or_else(missing)?;
    match &asked.act {
        StopAct::Load { .. } => load(tx, caller, here, (id, *at), &network, &mut ids)?,
        StopAct::HandOver { signed_by, consent } => {
            let consent = Consent {
                token: scanned.consent_token.clone(),
                ..consent.clone()
            };
            hand_over(tx, caller, here, (id, *at), (*signed_by, &consent), &mut ids)?;
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
    // By the route that is driven or, if that leads nowhere, by any.
    let to = UnitId::new(row.to_unit_id);
    let ways = here.ways.get(&local_day(network.zone(), at));
    let leg = ways.and_then(|ways| ways.direct.get(&to).or_else(|| ways.all.get(&to)));
    let departure = Departure {
        at: at.max(from_millis(row.opened_at)),
        by: Some((here.route.as_ref().map(|route| route.id), leg.map(|leg| leg.leg_to))),
    };
    depart(tx, caller, id, &departure, ids)?;
    Ok(())
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
    let mut detail = json!({"crate_id": id, "to_unit_id": row.to_unit_id, "items": row.items_sent});
    if !here.signer_is_known {
        detail["signer_is_known"] = false.into();
    }
    let told = (EventKind::CrateDelivered, at, here.unit, detail);
    change(tx, caller, id, &delivered, told, ids)
}
