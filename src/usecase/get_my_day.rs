//! A courier's day: the stops in order, what to load at each and what to hand over. It is a look at what is there now and by
//! the timetable; nothing in it is reserved.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::view::unit_code;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::{CrateId, UnitId};
use crate::domain::network::Network;
use crate::domain::timetable::{Route, Stop, connections, moment};
use crate::domain::transit::CrateStatus;
use crate::store::Store;
use crate::store::crates::{CrateFilter, CrateRow};
use crate::store::tx::ReadTx;

/// Crates looked at per unit.
const MAX_CRATES: i64 = 500;

/// A crate to load or to hand over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayCrate {
    pub id: i64,
    /// What the barcode of the crate says.
    #[schema(example = "X000000104276")]
    pub label: String,
    pub to_unit_code: String,
    /// Where it is handed over: its destination, or where routes meet.
    #[schema(example = "M2")]
    pub leg_to_unit_code: String,
    /// How many items lie in it.
    #[schema(example = 12)]
    pub items: u32,
    /// It is on the vehicle.
    #[schema(example = false)]
    pub loaded: bool,
}

/// One stop of the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayStop {
    /// The round it belongs to.
    #[schema(example = "R1")]
    pub route_code: String,
    /// Of the route, from 1.
    #[schema(example = 1)]
    pub position: usize,
    #[schema(example = "M2")]
    pub unit_code: String,
    /// In Chinese, as the unit is named.
    #[schema(example = "青山区图书馆")]
    pub unit_name: String,
    /// By the timetable (UTC).
    pub due_at: DateTime<Utc>,
    /// The unit is closed that day: drive on.
    #[schema(example = false)]
    pub skipped: bool,
    /// Closed crates that get on soonest with this round.
    pub load: Vec<DayCrate>,
    /// Crates that get off here: on the vehicle already, or loaded at an earlier stop.
    pub hand_over: Vec<DayCrate>,
}

/// The stops of a courier's day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CourierDay {
    /// In the network's zone.
    #[schema(example = "2026-03-04")]
    pub day: NaiveDate,
    /// What is driven.
    #[schema(example = json!(["鄂A·12345"]))]
    pub vehicles: Vec<String>,
    /// In the order of their times.
    pub stops: Vec<DayStop>,
    /// On the vehicle, for no stop of this day.
    pub left_over: Vec<DayCrate>,
}

/// The day of the caller.
///
/// # Errors
/// `Forbidden` for who drives nothing; a failure of the store.
pub async fn get_my_day(store: &Arc<Store>, caller: &Caller, day: Option<NaiveDate>) -> Result<CourierDay> {
    caller.require_somewhere(Right::DriveRoutes)?;
    let staff = caller.staff().ok_or(UseCaseError::Forbidden)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let day = day.unwrap_or_else(|| network.local_day(tx.now()));
            let routes = tx.routes()?;
            let own = routes
                .iter()
                .filter(|route| route.courier == Some(staff) && route.runs_on(day));
            let own: Vec<&Route> = own.collect();
            let mut planner = Planner {
                network: &network,
                routes: &routes,
                day,
                planned: HashSet::new(),
            };
            let mut stops = Vec::new();
            for route in &own {
                stops.extend(planner.stops(tx, route)?);
            }
            stops.sort_by_key(|stop| stop.due_at);
            let mut left_over = Vec::new();
            for row in tx.crates_carried(staff)? {
                let shown = planner.shown(tx, &row, row.leg_to_unit_id.unwrap_or(row.to_unit_id), true)?;
                let goes = |stop: &&mut DayStop| !stop.skipped && stop.unit_code == shown.leg_to_unit_code;
                match stops.iter_mut().find(goes) {
                    Some(stop) => stop.hand_over.push(shown),
                    None => left_over.push(shown),
                }
            }
            let vehicles = own.iter().filter_map(|route| route.vehicle.clone()).collect();
            Ok(CourierDay {
                day,
                vehicles,
                stops,
                left_over,
            })
        })
        .await
}

struct Planner<'n> {
    network: &'n Network,
    routes: &'n [Route],
    day: NaiveDate,
    /// Crates that are loaded at an earlier stop.
    planned: HashSet<i64>,
}

impl Planner<'_> {
    /// The stops of one route with what is loaded, and handed over further on.
    fn stops(&mut self, tx: &mut ReadTx<'_>, route: &Route) -> Result<Vec<DayStop>> {
        let served: HashSet<usize> = route.stops_on(self.network, self.day).map(|(at, _)| at).collect();
        let mut stops: Vec<DayStop> = Vec::new();
        let mut aboard: Vec<DayCrate> = Vec::new();
        for (at, stop) in route.stops.iter().enumerate() {
            let skipped = !served.contains(&at);
            let code = unit_code(self.network, stop.unit.get());
            let mut shown = self.stop(route, at, stop, skipped);
            if !skipped {
                let (here, on) = std::mem::take(&mut aboard)
                    .into_iter()
                    .partition(|one| one.leg_to_unit_code == code);
                (shown.hand_over, aboard) = (here, on);
                shown.load = self.load(tx, route, stop)?;
                aboard.extend(shown.load.iter().cloned());
            }
            stops.push(shown);
        }
        Ok(stops)
    }

    fn stop(&self, route: &Route, at: usize, stop: &Stop, skipped: bool) -> DayStop {
        let unit = self.network.unit(stop.unit);
        DayStop {
            route_code: route.code.clone(),
            position: at + 1,
            unit_code: unit_code(self.network, stop.unit.get()),
            unit_name: unit.map(|unit| unit.name.clone()).unwrap_or_default(),
            due_at: moment(self.network, stop.at(self.day)),
            skipped,
            load: Vec::new(),
            hand_over: Vec::new(),
        }
    }

    /// The crates that stand at a stop and get on soonest with this route.
    fn load(&mut self, tx: &mut ReadTx<'_>, route: &Route, stop: &Stop) -> Result<Vec<DayCrate>> {
        let ways = connections(self.network, self.routes, stop.unit, stop.at(self.day));
        let mut found = Vec::new();
        for status in [CrateStatus::Closed, CrateStatus::Delivered] {
            let filter = CrateFilter {
                at: Some(stop.unit),
                status: Some(status),
                ..CrateFilter::default()
            };
            for row in tx.crates(&filter, 0, MAX_CRATES)? {
                let way = ways.get(&UnitId::new(row.to_unit_id));
                let Some(way) = way.filter(|way| way.first_route == route.id) else {
                    continue;
                };
                if self.planned.insert(row.id) {
                    found.push(self.shown(tx, &row, way.leg_to.get(), false)?);
                }
            }
        }
        Ok(found)
    }

    fn shown(&self, tx: &mut ReadTx<'_>, row: &CrateRow, leg_to: i64, loaded: bool) -> Result<DayCrate> {
        Ok(DayCrate {
            id: row.id,
            label: row.label.clone(),
            to_unit_code: unit_code(self.network, row.to_unit_id),
            leg_to_unit_code: unit_code(self.network, leg_to),
            items: tx.crate_count(CrateId::new(row.id))?,
            loaded,
        })
    }
}
