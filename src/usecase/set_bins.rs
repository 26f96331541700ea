//! Which bin of a unit's sorters takes what: the whole table at once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::content_version::must_be_seen;
use super::named::Wrong;
use super::once::once;
use super::view::unit_code;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::sort_bin::{self, Line, Takes, Towards};
use crate::domain::timetable::Route;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// Most lines of a table.
pub const MAX_LINES: usize = 200;
/// The highest number of a bin.
const MAX_BIN: u16 = 999;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetBins {
    pub unit_code: String,
    /// The version that is replaced, if the caller says which.
    pub seen: Option<i64>,
    pub lines: Vec<BinLine>,
}

/// One line: a bin, and what it takes. Several lines may name one bin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BinLine {
    /// The bin's number on the sorter, from 1.
    #[schema(minimum = 1, maximum = 999, example = 3)]
    pub bin: u16,
    /// `shelf` (for a shelf of this unit), `hold` (for its hold shelf), `transit` (for another unit) or `exception` (what staff
    /// must look at, and what no other line takes).
    #[schema(pattern = "^(shelf|hold|transit|exception)$", example = "transit")]
    pub takes: String,
    /// `shelf`: of this collection of the unit only.
    #[serde(default)]
    #[schema(max_length = 32, example = "novels")]
    pub collection_code: Option<String>,
    /// `transit`: to this unit only.
    #[serde(default)]
    #[schema(max_length = 32, example = "M1")]
    pub to_unit_code: Option<String>,
    /// With `to_unit_code`: and to every unit below it.
    #[serde(default)]
    #[schema(example = true)]
    pub and_below: bool,
    /// `transit`: to the stops of this route only.
    #[serde(default)]
    #[schema(max_length = 32, example = "R1")]
    pub route_code: Option<String>,
}

/// The table of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BinsView {
    /// The unit.
    #[schema(example = "C1")]
    pub unit_code: String,
    /// As they were given; none: its sorters use an exception bin of their own.
    pub lines: Vec<BinLine>,
}

impl Outcome for BinsView {}

/// Shows the table of a unit.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; a failure of the store.
pub async fn get_bins(store: &Arc<Store>, caller: &Caller, unit_code: String) -> Result<BinsView> {
    caller.require_somewhere(Right::ReadDevices)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = unit_of(&network, &unit_code)?;
            caller.require(Right::ReadDevices, unit, &network)?;
            let (table, routes) = (tx.bins_of(unit)?, tx.routes()?);
            Ok::<_, UseCaseError>(shown(unit, &table, &network, &routes))
        })
        .await
}

/// Gives a unit another table; one without lines takes it away.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; `Stale`; `Invalid` naming each wrong line; a failure of the store.
pub async fn set_bins(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetBins,
    key: Option<IdempotencyKey>,
) -> Result<Once<BinsView>> {
    caller.require_somewhere(Right::ManageDevices)?;
    let ids = i64::try_from(command.lines.len() + 1).unwrap_or(i64::MAX);
    once(store, caller, key, ids, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &SetBins, mut ids: IdRun) -> Result<BinsView> {
    let network = tx.lock_network()?;
    let unit = unit_of(&network, &command.unit_code)?;
    caller.require(Right::ManageDevices, unit, &network)?;
    let routes = tx.routes()?;
    let before = tx.bins_of(unit)?;
    must_be_seen(&shown(unit, &before, &network, &routes), command.seen)?;
    let table = parsed(tx, unit, command, &network, &routes)?;
    tx.replace_bins(unit, &table, &mut ids)?;
    let event = Event::new(EventKind::DeviceConfigured, tx.now(), unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "bins", "lines": table.len()}));
    tx.append_event(ids.next(), &event)?;
    Ok(shown(unit, &table, &network, &routes))
}

fn unit_of(network: &Network, code: &str) -> Result<UnitId> {
    let unit = network.units().by_code(code);
    unit.map(|unit| unit.id).ok_or(UseCaseError::NotFound("unit"))
}

/// The table that is asked for, when it can be used.
fn parsed(
    tx: &mut ReadTx<'_>,
    unit: UnitId,
    command: &SetBins,
    network: &Network,
    routes: &[Route],
) -> Result<Vec<Line>> {
    let (mut wrong, mut table) = (Wrong::default(), Vec::new());
    for (place, line) in command.lines.iter().enumerate() {
        if let Some(takes) = takes_of(tx, unit, place, line, network, routes, &mut wrong)? {
            table.push(Line { bin: line.bin, takes });
        }
    }
    wrong.check()?;
    if table.is_empty() {
        return Ok(table);
    }
    sort_bin::check(&table).map_err(|fault| UseCaseError::field("lines", fault.to_string()))?;
    Ok(table)
}

fn takes_of(
    tx: &mut ReadTx<'_>,
    unit: UnitId,
    place: usize,
    line: &BinLine,
    network: &Network,
    routes: &[Route],
    wrong: &mut Wrong,
) -> Result<Option<Takes>> {
    let mut say = |member: &str, reason: &str| {
        wrong.say(format!("lines[{place}].{member}"), reason);
    };
    if !(1..=MAX_BIN).contains(&line.bin) {
        say("bin", &format!("must be 1 to {MAX_BIN}"));
    }
    let (shelf, transit) = (line.takes == "shelf", line.takes == "transit");
    if line.collection_code.is_some() && !shelf {
        say("collection_code", "belongs to `shelf`");
    }
    if (line.to_unit_code.is_some() || line.route_code.is_some()) && !transit {
        say("takes", "must be `transit` for a line with a unit or a route");
    }
    if line.to_unit_code.is_some() && line.route_code.is_some() {
        say("route_code", "is given beside to_unit_code: one is enough");
    }
    if line.and_below && line.to_unit_code.is_none() {
        say("and_below", "needs to_unit_code");
    }
    Ok(match line.takes.as_str() {
        "shelf" => match &line.collection_code {
            None => Some(Takes::Shelf(None)),
            Some(code) => {
                let found = tx.collection_by_code(unit, code)?;
                if found.is_none() {
                    say("collection_code", "no collection of the unit has this code");
                }
                found.map(|collection| Takes::Shelf(Some(collection)))
            }
        },
        "hold" => Some(Takes::Hold),
        "exception" => Some(Takes::Exception),
        "transit" => towards(line, network, routes, &mut say).map(Takes::Transit),
        _ => {
            say("takes", "must be shelf, hold, transit or exception");
            None
        }
    })
}

fn towards(line: &BinLine, network: &Network, routes: &[Route], say: &mut impl FnMut(&str, &str)) -> Option<Towards> {
    match (&line.to_unit_code, &line.route_code) {
        (Some(code), _) => {
            let to = network.units().by_code(code).map(|unit| unit.id);
            if to.is_none() {
                say("to_unit_code", "no unit has this code");
            }
            let towards = if line.and_below { Towards::Below } else { Towards::Unit };
            to.map(towards)
        }
        (None, Some(code)) => {
            let route = routes.iter().find(|route| route.code == *code);
            if route.is_none() {
                say("route_code", "no route has this code");
            }
            route.map(|route| Towards::Route(route.id))
        }
        (None, None) => Some(Towards::Anywhere),
    }
}

fn shown(unit: UnitId, table: &[Line], network: &Network, routes: &[Route]) -> BinsView {
    BinsView {
        unit_code: unit_code(network, unit.get()),
        lines: table.iter().map(|line| BinLine::of(line, network, routes)).collect(),
    }
}

impl BinLine {
    fn of(line: &Line, network: &Network, routes: &[Route]) -> Self {
        let plain = |takes: &str| Self {
            bin: line.bin,
            takes: takes.to_owned(),
            collection_code: None,
            to_unit_code: None,
            and_below: false,
            route_code: None,
        };
        let towards = match line.takes {
            Takes::Shelf(collection) => {
                let collection = collection.and_then(|id| network.collection(id));
                return Self {
                    collection_code: collection.map(|collection| collection.code.clone()),
                    ..plain("shelf")
                };
            }
            Takes::Hold => return plain("hold"),
            Takes::Exception => return plain("exception"),
            Takes::Transit(towards) => towards,
        };
        let (to, and_below, route) = match towards {
            Towards::Unit(to) => (Some(to), false, None),
            Towards::Below(to) => (Some(to), true, None),
            Towards::Route(route) => (None, false, Some(route)),
            Towards::Anywhere => (None, false, None),
        };
        let route = route.and_then(|id| routes.iter().find(|route| route.id == id));
        Self {
            to_unit_code: to.map(|to| unit_code(network, to.get())),
            and_below,
            route_code: route.map(|route| route.code.clone()),
            ..plain("transit")
        }
    }
}
