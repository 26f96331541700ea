//! What is on the way to a unit, counted by the round that brings it and when that is due.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::view::unit_code;
use super::{Caller, Result, record};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::calendar::local_time;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::timetable::{Connection, Route, connections, moment};
use crate::domain::transit::TransitStatus;
use crate::store::Store;
use crate::store::transits::IncomingRow;

/// What one round brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Arrival {
    /// Absent when no round leads here from where it is.
    #[schema(example = "R1")]
    pub route_code: Option<String>,
    /// By the timetable (UTC); in the past for what is late. Absent as `route_code`.
    pub expected_at: Option<DateTime<Utc>>,
    /// Items that left.
    #[schema(example = 12)]
    pub sent: i64,
    /// Items that wait elsewhere, in a crate or not, and would come with it.
    #[schema(example = 3)]
    pub waiting: i64,
    /// Where they come from.
    #[schema(example = json!(["M1"]))]
    pub from_unit_codes: BTreeSet<String>,
}

/// What is on the way to a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Incoming {
    pub unit_code: String,
    /// Items that left and have not been received.
    #[schema(example = 12)]
    pub sent: i64,
    /// Items that wait elsewhere to be sent here.
    #[schema(example = 3)]
    pub waiting: i64,
    /// Items that left for here and are missing.
    #[schema(example = 0)]
    pub missing: i64,
    /// The soonest first; what no round brings last.
    pub arrivals: Vec<Arrival>,
}

/// What is on the way to a unit; the caller's own by default.
///
/// # Errors
/// `Forbidden` outside the caller's subtree; `Invalid` naming a unit that does not exist; a failure of the store.
pub async fn list_incoming(store: &Arc<Store>, caller: &Caller, unit: Option<String>) -> Result<Incoming> {
    caller.require_somewhere(Right::ReadTransits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = match &unit {
                Some(code) => record::unit_by_code(&network, "unit_code", code)?,
                None => caller.working_unit()?,
            };
            caller.require(Right::ReadTransits, unit, &network)?;
            let rows = tx.incoming(unit)?;
            let routes = tx.routes()?;
            Ok(counted(&network, &routes, unit, &rows, tx.now()))
        })
        .await
}

fn counted(network: &Network, routes: &[Route], unit: UnitId, rows: &[IncomingRow], now: DateTime<Utc>) -> Incoming {
    let mut ways: HashMap<(UnitId, NaiveDateTime), Option<Connection>> = HashMap::new();
    let mut arrivals: BTreeMap<(Option<NaiveDateTime>, Option<String>), Arrival> = BTreeMap::new();
    let (mut sent, mut waiting, mut missing) = (0, 0, 0);
    for row in rows {
        let is = |status: TransitStatus| row.status == status.code();
        if is(TransitStatus::Missing) {
            missing += row.items;
            continue;
        }
        let left = is(TransitStatus::Sent);
        let (from, since) = start(row, left, now);
        let since = local_time(network.zone(), since);
        let way = *ways
            .entry((from, since))
            .or_insert_with(|| connections(network, routes, from, since).remove(&unit));
        let code = way.and_then(|way| routes.iter().find(|route| route.id == way.last_route));
        let code = code.map(|route| route.code.clone());
        let arrives = way.map(|way| way.arrives);
        let arrival = arrivals.entry((arrives, code.clone())).or_insert_with(|| Arrival {
            route_code: code,
            expected_at: arrives.map(|at| moment(network, at)),
            sent: 0,
            waiting: 0,
            from_unit_codes: BTreeSet::new(),
        });
        arrival.from_unit_codes.insert(unit_code(network, row.from_unit_id));
        if left {
            sent += row.items;
            arrival.sent += row.items;
        } else {
            waiting += row.items;
            arrival.waiting += row.items;
        }
    }
    let (unscheduled, mut soonest): (Vec<Arrival>, Vec<Arrival>) = arrivals
        .into_values()
        .partition(|arrival| arrival.expected_at.is_none());
    soonest.extend(unscheduled);
    Incoming {
        unit_code: unit_code(network, unit.get()),
        sent,
        waiting,
        missing,
        arrivals: soonest,
    }
}

/// Where something is, and since when it can be carried from there.
fn start(row: &IncomingRow, left: bool, now: DateTime<Utc>) -> (UnitId, DateTime<Utc>) {
    let loaded = row.crate_at_unit_id.zip(row.crate_sent_at).filter(|_| left);
    match loaded {
        Some((at, sent_at)) => (UnitId::new(at), from_millis(sent_at)),
        None => (UnitId::new(row.from_unit_id), now),
    }
}
