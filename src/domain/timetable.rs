//! Routes with their timetables, and when a crate that waits at one unit reaches another.
//! Not for: what lies in a crate. Times are local: the network's zone.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};

use super::ids::{RouteId, StaffId, UnitId};
use super::network::Network;

/// Days a connection is looked for: a long holiday and a weekly route.
const HORIZON_DAYS: u64 = 21;
/// Most routes one crate changes between.
const MAX_LEGS: usize = 4;

/// A round that a courier drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub id: RouteId,
    pub code: String,
    pub name: String,
    /// Who runs it.
    pub unit: UnitId,
    /// Monday first.
    pub weekdays: [bool; 7],
    pub courier: Option<StaffId>,
    pub vehicle: Option<String>,
    pub active: bool,
    /// Counts its changes, from 1.
    pub version: i64,
    /// In the order of their times.
    pub stops: Vec<Stop>,
}

/// One stop of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    pub unit: UnitId,
    /// Minutes after midnight.
    pub minute: u16,
}

impl Stop {
    /// When it is served on a day.
    pub fn at(&self, day: NaiveDate) -> NaiveDateTime {
        day.and_time(chrono::NaiveTime::MIN) + TimeDelta::minutes(i64::from(self.minute))
    }
}

impl Route {
    /// Whether it is driven on a day.
    pub fn runs_on(&self, day: NaiveDate) -> bool {
        let weekday = usize::try_from(day.weekday().num_days_from_monday()).unwrap_or(0);
        self.active && self.weekdays[weekday]
    }

    /// The stops of a day with their positions, from 0: units that are closed are skipped. Empty when it is not driven.
    pub fn stops_on<'r>(&'r self, network: &'r Network, day: NaiveDate) -> impl Iterator<Item = (usize, &'r Stop)> {
        let runs = self.runs_on(day);
        let open = move |stop: &Stop| runs && network.calendar(stop.unit).is_open(day);
        self.stops.iter().enumerate().filter(move |(_, stop)| open(stop))
    }
}

/// How a crate gets somewhere first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    pub arrives: NaiveDateTime,
    /// The route that takes it from where it stands, and where that one leaves it.
    pub first_route: RouteId,
    pub leg_to: UnitId,
    /// The route that brings it there.
    pub last_route: RouteId,
}

/// A local time as a moment. One that a change of clocks leaves out is taken for the same time in UTC.
pub fn moment(network: &Network, local: NaiveDateTime) -> DateTime<Utc> {
    let found = network.zone().from_local_datetime(&local).earliest();
    found.map_or_else(|| local.and_utc(), |at| at.with_timezone(&Utc))
}

/// The first arrivals at every unit that can be reached from one.
pub fn connections(
    network: &Network,
    routes: &[Route],
    from: UnitId,
    after: NaiveDateTime,
) -> HashMap<UnitId, Connection> {
    let mut reached: HashMap<UnitId, Connection> = HashMap::new();
    for _ in 0..MAX_LEGS {
        let before = reached.clone();
        for route in routes {
            for (position, stop) in route.stops.iter().enumerate() {
                let known = before.get(&stop.unit);
                let ready = if stop.unit == from {
                    Some(after)
                } else {
                    known.map(|known| known.arrives)
                };
                let Some(ready) = ready else { continue };
                let first = known.filter(|_| stop.unit != from);
                ride(network, route, position, ready, first, &mut reached);
            }
        }
        if reached == before {
            break;
        }
    }
    reached.remove(&from);
    reached
}

/// Takes a route from a stop on its first day after `ready`, and keeps every arrival that is earlier than what is known.
fn ride(
    network: &Network,
    route: &Route,
    position: usize,
    ready: NaiveDateTime,
    first: Option<&Connection>,
    reached: &mut HashMap<UnitId, Connection>,
) {
    let days = (0..HORIZON_DAYS).filter_map(|days| ready.date().checked_add_days(Days::new(days)));
    for day in days {
        let stops: Vec<(usize, &Stop)> = route.stops_on(network, day).collect();
        let boards = stops.iter().find(|(at, _)| *at == position);
        if boards.is_none_or(|(_, stop)| stop.at(day) < ready) {
            continue;
        }
        for (_, stop) in stops.iter().filter(|(at, _)| *at > position) {
            let arrival = Connection {
                arrives: stop.at(day),
                first_route: first.map_or(route.id, |first| first.first_route),
                leg_to: first.map_or(stop.unit, |first| first.leg_to),
                last_route: route.id,
            };
            let known = reached.entry(stop.unit).or_insert(arrival);
            if arrival.arrives < known.arrives {
                *known = arrival;
            }
        }
        return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{self, BRANCH, BRANCH_2, MAIN, OTHER_MAIN};

    fn route(id: i64, weekdays: &str, stops: &[(UnitId, u16)]) -> Route {
        Route {
            id: RouteId::new(id),
            code: id.to_string(),
            name: "线".to_owned(),
            unit: MAIN,
            weekdays: std::array::from_fn(|at| weekdays.contains(&(at + 1).to_string())),
            courier: None,
            vehicle: None,
            active: true,
            version: 1,
            stops: stops
                .iter()
                .map(|(unit, minute)| Stop {
                    unit: *unit,
                    minute: *minute,
                })
                .collect(),
        }
    }

    fn at(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn a_crate_takes_the_next_run_and_changes_where_routes_meet() {
        let world = example::world();
        let routes = [
            route(1, "1234567", &[(MAIN, 540), (BRANCH, 600), (MAIN, 720)]),
            route(2, "1234567", &[(MAIN, 780), (OTHER_MAIN, 840)]),
        ];
        // A Wednesday.
        let found = connections(&world.network, &routes, BRANCH, at("2026-03-04T09:30:00"));
        let there = found[&OTHER_MAIN];
        assert_eq!(there.arrives, at("2026-03-04T14:00:00"));
        assert_eq!((there.first_route, there.leg_to), (RouteId::new(1), MAIN));
        let late = connections(&world.network, &routes, BRANCH, at("2026-03-04T10:01:00"));
        assert_eq!(late[&MAIN].arrives.date(), at("2026-03-05T12:00:00").date());
        assert!(!found.contains_key(&BRANCH_2) && !found.contains_key(&BRANCH));
    }

    #[test]
    fn only_on_its_days_and_never_against_its_direction() {
        let world = example::world();
        let routes = [route(1, "1", &[(MAIN, 540), (BRANCH, 600)])];
        let found = connections(&world.network, &routes, MAIN, at("2026-03-04T08:00:00"));
        assert!(
            found
                .get(&BRANCH)
                .is_none_or(|there| there.arrives.date().weekday() == chrono::Weekday::Mon)
        );
        assert!(connections(&world.network, &routes, BRANCH, at("2026-03-04T08:00:00")).is_empty());
        let mut off = routes[0].clone();
        off.active = false;
        assert!(connections(&world.network, &[off], MAIN, at("2026-03-04T08:00:00")).is_empty());
    }
}
