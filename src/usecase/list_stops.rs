//! Where vehicles are: the stops of one, and what comes next of one, of all, or near a place.

use std::sync::Arc;

use chrono::{Days, NaiveDate, NaiveDateTime};

use super::set_stops::vehicle;
use super::stop_view::{StopTimeView, VehicleStopView};
use super::{Caller, Result, UseCaseError, record};
use crate::auth::Right;
use crate::domain::calendar::local_time;
use crate::domain::network::Network;
use crate::domain::stops::Stop;
use crate::domain::unit::Unit;
use crate::store::Store;

/// Days asked for at most.
pub const MAX_DAYS: u64 = 92;
/// Days shown where no last one is given.
const USUAL_DAYS: u64 = 14;

/// The stops of a vehicle and their version; none for what is no vehicle.
///
/// # Errors
/// `NotFound`; a failure of the store.
pub async fn list_stops(store: &Arc<Store>, caller: &Caller, code: String) -> Result<(Vec<VehicleStopView>, i64)> {
    caller.require_somewhere(Right::ReadUnits)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = vehicle(&code, &network)?;
            let version = tx.stops_version(unit.id)?;
            Ok((unit.stops.iter().map(VehicleStopView::of).collect(), version))
        })
        .await
}

/// Which stops, and when.
#[derive(Debug, Clone, Default)]
pub struct NextStops {
    /// Vehicles at or below this unit; all by default.
    pub unit_code: Option<String>,
    /// Today by default; what is over today is left out.
    pub from: Option<NaiveDate>,
    /// Two weeks later by default.
    pub to: Option<NaiveDate>,
    /// Degrees, WGS 84: the nearest come first.
    pub near: Option<(f64, f64)>,
    pub limit: u16,
}

/// When vehicles stand where, the earliest first; near a place the nearest first. A stop on a closed day does not take place.
///
/// # Errors
/// `Invalid` naming the field; a failure of the store.
pub async fn next_stops(store: &Arc<Store>, caller: &Caller, query: NextStops) -> Result<Vec<StopTimeView>> {
    caller.require_somewhere(Right::ReadUnits)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let now = local_time(network.zone(), tx.now());
            let days = days(&query, now.date())?;
            let root = network.units().root().map(|root| root.id);
            let top = match &query.unit_code {
                Some(code) => Some(record::unit_by_code(&network, "unit_code", code)?),
                None => root,
            };
            let vehicles = network.units().subtree(top.ok_or(UseCaseError::NotFound("unit"))?);
            let mut found = Vec::new();
            for unit in vehicles.filter(|unit| unit.active) {
                stretches(unit, &network, &days, now, &query, &mut found);
            }
            sort(&mut found, query.near.is_some());
            found.truncate(usize::from(query.limit));
            Ok(found)
        })
        .await
}

fn days(query: &NextStops, today: NaiveDate) -> Result<Vec<NaiveDate>> {
    let first = query.from.unwrap_or(today);
    let later = |days| first.checked_add_days(Days::new(days)).unwrap_or(first);
    let last = query.to.unwrap_or_else(|| later(USUAL_DAYS));
    if last < first {
        return Err(UseCaseError::field("to", "lies before `from`"));
    }
    if last > later(MAX_DAYS) {
        let reason = format!("must lie within {MAX_DAYS} days of `from`");
        return Err(UseCaseError::field("to", reason));
    }
    Ok(first.iter_days().take_while(|day| *day <= last).collect())
}

fn stretches(
    unit: &Unit,
    network: &Network,
    days: &[NaiveDate],
    now: NaiveDateTime,
    query: &NextStops,
    found: &mut Vec<StopTimeView>,
) {
    let stops = unit.stops_in_force();
    if stops.is_empty() {
        return;
    }
    let calendar = network.calendar(unit.id);
    for day in days.iter().filter(|day| calendar.is_open(**day)) {
        let here = stops.iter().filter(|stop| stop.runs_on(*day));
        let ahead = here.filter(|stop| now < day.and_time(stop.closes));
        found.extend(ahead.map(|stop| stretch(unit, stop, *day, now, query)));
    }
}

fn stretch(unit: &Unit, stop: &Stop, day: NaiveDate, now: NaiveDateTime, query: &NextStops) -> StopTimeView {
    let metres = query
        .near
        .and_then(|(latitude, longitude)| stop.distance_m(latitude, longitude));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "no two places are 2^32 metres apart"
    )]
    let distance_m = metres.map(|metres| metres.round() as u32);
    StopTimeView {
        unit_code: unit.code.clone(),
        unit_name: unit.name.clone(),
        place: stop.place.clone(),
        latitude: stop.latitude,
        longitude: stop.longitude,
        day,
        opens: stop.opens,
        closes: stop.closes,
        now: day.and_time(stop.opens) <= now && now < day.and_time(stop.closes),
        distance_m,
    }
}

/// What has no coordinates comes after what has.
fn sort(found: &mut [StopTimeView], near: bool) {
    found.sort_by_key(|one| {
        let distance = if near { one.distance_m.unwrap_or(u32::MAX) } else { 0 };
        (distance, one.day, one.opens, one.unit_code.clone())
    });
}
