//! Where a vehicle stands when: weekly stops and single ones. They are its opening days (see `calendar`).
//! Not for: which units are vehicles, or what is closed above them.

use chrono::{Days, NaiveDate, NaiveTime, Weekday};
use serde::{Deserialize, Serialize};

use super::calendar::{Calendar, OPEN_DAY_HORIZON_DAYS};

/// Most stops of one vehicle.
pub const MAX_STOPS: usize = 100;

/// One place and when the vehicle is there, local time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    pub place: String,
    /// Degrees, WGS 84.
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    /// Every week on this day; `None`: on its first day only.
    pub weekday: Option<Weekday>,
    pub first: NaiveDate,
    /// `None`: until further notice.
    pub last: Option<NaiveDate>,
    pub opens: NaiveTime,
    pub closes: NaiveTime,
    /// Days on which it is left out.
    pub cancelled: Vec<NaiveDate>,
}

impl Stop {
    /// Whether the vehicle comes there that day.
    pub fn runs_on(&self, date: NaiveDate) -> bool {
        self.is_planned_on(date) && !self.cancelled.contains(&date)
    }

    fn is_planned_on(&self, date: NaiveDate) -> bool {
        let in_force = self.first <= date && self.last.is_none_or(|last| date <= last);
        match self.weekday {
            Some(weekday) => {
                use chrono::Datelike;
                in_force && date.weekday() == weekday
            }
            None => date == self.first,
        }
    }

    /// Metres over the ground to a point; `None` for a stop without coordinates.
    pub fn distance_m(&self, latitude: f64, longitude: f64) -> Option<f64> {
        const EARTH_M: f64 = 6_371_000.0;
        let (from, to) = (self.latitude?.to_radians(), latitude.to_radians());
        let across = (longitude - self.longitude?).to_radians();
        let half = ((to - from) / 2.0).sin().powi(2) + from.cos() * to.cos() * (across / 2.0).sin().powi(2);
        Some(2.0 * EARTH_M * half.sqrt().min(1.0).asin())
    }
}

/// Why stops are no timetable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StopsError {
    #[error("stop {0} ends before it begins")]
    Backwards(usize),
    #[error("stop {0} is a single one: its first day is its only day")]
    SingleWithLast(usize),
    #[error("stop {0}: latitude and longitude go together, within 90 and 180 degrees")]
    Place(usize),
    #[error("stop {0} is cancelled on {1}, when it does not take place anyway")]
    CancelledForNothing(usize, NaiveDate),
    #[error("stops {0} and {1} want the vehicle at two places at once on {2}")]
    TwoPlaces(usize, usize, NaiveDate),
    #[error("from {0} on, no stop takes place within {OPEN_DAY_HORIZON_DAYS} days")]
    Never(NaiveDate),
}

/// Checks the stops of a vehicle; they are counted from 0. No stops at all are a vehicle that keeps the hours it inherits.
///
/// # Errors
/// The first fault: times or days that end before they begin, half a place, a cancellation of nothing, two places at once on a
/// day of the next [`OPEN_DAY_HORIZON_DAYS`], or a timetable that is over.
pub fn check(stops: &[Stop], today: NaiveDate) -> Result<(), StopsError> {
    for (index, stop) in stops.iter().enumerate() {
        check_one(index, stop)?;
    }
    let days = || (0..=OPEN_DAY_HORIZON_DAYS).map_while(|days| today.checked_add_days(Days::new(days)));
    for day in days() {
        let mut running: Vec<(usize, &Stop)> = stops.iter().enumerate().filter(|(_, stop)| stop.runs_on(day)).collect();
        running.sort_by_key(|(_, stop)| stop.opens);
        for pair in running.windows(2) {
            if let [(first, one), (second, other)] = pair
                && other.opens < one.closes
            {
                return Err(StopsError::TwoPlaces(*first, *second, day));
            }
        }
    }
    if !stops.is_empty() && !days().any(|day| stops.iter().any(|stop| stop.runs_on(day))) {
        return Err(StopsError::Never(today));
    }
    Ok(())
}

fn check_one(index: usize, stop: &Stop) -> Result<(), StopsError> {
    if stop.closes <= stop.opens || stop.last.is_some_and(|last| last < stop.first) {
        return Err(StopsError::Backwards(index));
    }
    if stop.weekday.is_none() && stop.last.is_some_and(|last| last != stop.first) {
        return Err(StopsError::SingleWithLast(index));
    }
    let fits = match (stop.latitude, stop.longitude) {
        (None, None) => true,
        (Some(latitude), Some(longitude)) => latitude.abs() <= 90.0 && longitude.abs() <= 180.0,
        _ => false,
    };
    if !fits {
        return Err(StopsError::Place(index));
    }
    let idle = stop.cancelled.iter().find(|day| !stop.is_planned_on(**day));
    idle.map_or(Ok(()), |day| Err(StopsError::CancelledForNothing(index, *day)))
}

/// A hold waits so many days for a vehicle to have been everywhere: every place it comes to at least once in four weeks.
pub const ROUND_DAYS: u64 = 28;

/// The day after `today` by which the vehicle has been at each of its places once; `today` without stops. What does not take
/// place within [`ROUND_DAYS`] is not waited for.
pub fn all_visited_by(stops: &[Stop], calendar: &Calendar<'_>, today: NaiveDate) -> NaiveDate {
    let next = |stop: &Stop| {
        (1..=ROUND_DAYS)
            .map_while(|days| today.checked_add_days(Days::new(days)))
            .find(|day| stop.runs_on(*day) && calendar.is_open(*day))
    };
    stops.iter().filter_map(next).max().unwrap_or(today)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{self, BRANCH_2};
    use crate::domain::network::Network;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn stop(weekday: Option<Weekday>, first: &str, opens: u32, closes: u32) -> Stop {
        let at = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
        Stop {
            place: "广场".to_owned(),
            latitude: None,
            longitude: None,
            weekday,
            first: day(first),
            last: None,
            opens: at(opens),
            closes: at(closes),
            cancelled: Vec::new(),
        }
    }

    #[test]
    fn a_weekly_stop_runs_on_its_days_and_a_single_one_once() {
        let weekly = Stop {
            last: Some(day("2026-04-01")),
            cancelled: vec![day("2026-03-18")],
            ..stop(Some(Weekday::Wed), "2026-03-05", 9, 11)
        };
        for (date, runs) in [
            ("2026-03-04", false),
            ("2026-03-11", true),
            ("2026-03-12", false),
            ("2026-03-18", false),
            ("2026-04-01", true),
            ("2026-04-08", false),
        ] {
            assert_eq!(weekly.runs_on(day(date)), runs, "{date}");
        }
        let single = stop(None, "2026-03-07", 9, 11);
        assert!(single.runs_on(day("2026-03-07")) && !single.runs_on(day("2026-03-14")));
    }

    #[test]
    fn a_timetable_that_cannot_be_is_refused() {
        let today = day("2026-03-04");
        let wednesdays = stop(Some(Weekday::Wed), "2026-03-04", 9, 11);
        let with = |change: fn(&mut Stop)| {
            let mut stop = wednesdays.clone();
            change(&mut stop);
            check(&[stop], today)
        };
        assert_eq!(check(&[], today), Ok(()));
        assert_eq!(with(|_| {}), Ok(()));
        assert_eq!(with(|stop| stop.closes = stop.opens), Err(StopsError::Backwards(0)));
        assert_eq!(with(|stop| stop.latitude = Some(1.0)), Err(StopsError::Place(0)));
        assert_eq!(
            with(|stop| (stop.latitude, stop.longitude) = (Some(f64::NAN), Some(1.0))),
            Err(StopsError::Place(0))
        );
        let idle = day("2026-03-05");
        assert_eq!(
            with(|stop| stop.cancelled.push(day("2026-03-05"))),
            Err(StopsError::CancelledForNothing(0, idle))
        );
        assert_eq!(
            with(|stop| stop.last = Some(stop.first - Days::new(1))),
            Err(StopsError::Backwards(0))
        );
        let over = Stop {
            last: Some(day("2026-02-25")),
            ..stop(Some(Weekday::Wed), "2026-01-07", 9, 11)
        };
        assert_eq!(check(&[over], today), Err(StopsError::Never(today)));
        let festival = stop(None, "2026-03-11", 10, 12);
        let both = [wednesdays.clone(), festival.clone()];
        assert_eq!(check(&both, today), Err(StopsError::TwoPlaces(0, 1, day("2026-03-11"))));
        let mut free = wednesdays;
        free.cancelled.push(day("2026-03-11"));
        assert_eq!(check(&[free, festival], today), Ok(()));
    }

    #[test]
    fn a_vehicle_is_open_where_it_stops_but_not_on_the_networks_holidays() {
        let mut parts = example::parts();
        let vehicle = parts.units.iter_mut().find(|unit| unit.id == BRANCH_2).unwrap();
        vehicle.mobile = true;
        vehicle.stops = vec![
            stop(Some(Weekday::Tue), "2026-03-01", 9, 11),
            stop(None, "2026-03-21", 9, 11),
        ];
        let network = Network::build(parts).unwrap();
        let calendar = network.calendar(BRANCH_2);
        for (date, open) in [
            ("2026-03-04", false),
            ("2026-03-10", true),
            ("2026-03-21", true),
            ("2026-05-05", false), // a Tuesday, and Labour Day
            ("2026-05-12", true),
        ] {
            assert_eq!(calendar.is_open(day(date)), open, "{date}");
        }
        let stops = network.unit(BRANCH_2).unwrap().stops_in_force();
        assert_eq!(all_visited_by(stops, &calendar, day("2026-03-04")), day("2026-03-21"));
        assert_eq!(all_visited_by(stops, &calendar, day("2026-04-28")), day("2026-05-12"));
        assert_eq!(all_visited_by(&[], &calendar, day("2026-04-28")), day("2026-04-28"));
    }

    #[test]
    fn distance_is_that_of_the_ground() {
        let place = Stop {
            latitude: Some(30.0),
            longitude: Some(114.0),
            ..stop(None, "2026-03-07", 9, 11)
        };
        let north = place.distance_m(31.0, 114.0).unwrap();
        assert!((111_000.0..111_400.0).contains(&north), "{north}");
        let east = place.distance_m(30.0, 115.0).unwrap();
        assert!((96_000.0..96_600.0).contains(&east), "{east}");
        assert_eq!(stop(None, "2026-03-07", 9, 11).distance_m(0.0, 0.0), None);
    }
}
