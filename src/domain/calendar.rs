//! Opening days and due dates.
//!
//! Weekly hours are inherited: a unit without its own uses the nearest ancestor's. Closed days accumulate down the
//! tree. A 24-hour machine (`always_open`) uses its parent's calendar; a vehicle has its stops in place of hours. No calendar counts as open, never as a failure.
//! Not for: which rule says how many days (see `policy`).

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ids::UnitId;
use super::stops::Stop;
use super::unit::UnitTree;

/// How far a search for an open day goes; beyond it the calendar is taken to have none.
pub const OPEN_DAY_HORIZON_DAYS: u64 = 400;
/// Days after the due date that are counted as overdue at most: ten years.
pub const MAX_OVERDUE_DAYS: u32 = 3_660;

/// One stretch of opening within a day, local time; `closes` is after `opens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSpan {
    pub opens: NaiveTime,
    pub closes: NaiveTime,
}

/// Opening hours of a week, Monday first. A day without a span is closed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "[Vec<OpenSpan>; 7]", into = "[Vec<OpenSpan>; 7]")]
pub struct WeeklyHours {
    days: [Vec<OpenSpan>; 7],
}

/// Why weekly hours were not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HoursError {
    #[error("day {day} (Monday is 1): {opens} to {closes} does not end after it begins")]
    Backwards {
        day: usize,
        opens: NaiveTime,
        closes: NaiveTime,
    },
    #[error("day {day} (Monday is 1): the span from {opens} overlaps or precedes the one before it")]
    Unordered { day: usize, opens: NaiveTime },
}

impl WeeklyHours {
    /// Checks the spans of seven days, Monday first.
    ///
    /// # Errors
    /// A span that does not end after it begins; spans of one day that overlap or are out of order.
    pub fn new(days: [Vec<OpenSpan>; 7]) -> Result<Self, HoursError> {
        for (index, spans) in days.iter().enumerate() {
            let mut last: Option<NaiveTime> = None;
            for span in spans {
                let OpenSpan { opens, closes } = *span;
                if closes <= opens {
                    return Err(HoursError::Backwards {
                        day: index + 1,
                        opens,
                        closes,
                    });
                }
                if last.is_some_and(|last| opens < last) {
                    return Err(HoursError::Unordered { day: index + 1, opens });
                }
                last = Some(closes);
            }
        }
        Ok(Self { days })
    }

    /// The spans of seven days, Monday first.
    pub const fn days(&self) -> &[Vec<OpenSpan>; 7] {
        &self.days
    }

    /// The spans of the weekday of `date`.
    pub fn spans_on(&self, date: NaiveDate) -> &[OpenSpan] {
        let index = date.weekday().num_days_from_monday() as usize;
        self.days.get(index).map_or(&[], Vec::as_slice)
    }
}

impl TryFrom<[Vec<OpenSpan>; 7]> for WeeklyHours {
    type Error = HoursError;
    fn try_from(days: [Vec<OpenSpan>; 7]) -> Result<Self, HoursError> {
        Self::new(days)
    }
}

impl From<WeeklyHours> for [Vec<OpenSpan>; 7] {
    fn from(hours: WeeklyHours) -> Self {
        hours.days
    }
}

/// Days on which a unit and everything below it is closed, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedRange {
    pub first: NaiveDate,
    pub last: NaiveDate,
    pub reason: String,
}

/// The effective calendar of one unit.
#[derive(Debug, Clone, Copy)]
pub struct Calendar<'a> {
    tree: &'a UnitTree,
    /// The nearest unit that is not a 24-hour machine; `None` for an unknown unit: always open.
    from: Option<usize>,
    hours: Option<&'a WeeklyHours>,
    /// A vehicle's, in place of hours.
    stops: &'a [Stop],
}

impl<'a> Calendar<'a> {
    /// Whether both were put together from the same hours and closed days: then they are open on the same days.
    pub fn agrees_with(&self, other: &Calendar<'_>) -> bool {
        let closed = |calendar: &Calendar<'_>| -> BTreeSet<(NaiveDate, NaiveDate)> {
            let nodes = calendar.tree.nodes_up(calendar.from);
            nodes
                .flat_map(|node| node.unit.closed.iter().map(|range| (range.first, range.last)))
                .collect()
        };
        self.from.is_some() == other.from.is_some()
            && self.hours == other.hours
            && self.stops == other.stops
            && closed(self) == closed(other)
    }

    /// Resolves the inheritance; O(depth).
    pub fn of(tree: &'a UnitTree, unit: UnitId) -> Self {
        let owner = tree.nodes_up(tree.index(unit)).find(|node| !node.unit.always_open);
        let from = owner.and_then(|node| tree.index(node.unit.id));
        let hours = tree.nodes_up(from).find_map(|node| node.unit.hours.as_ref());
        let stops = owner.map_or(&[][..], |node| node.unit.stops_in_force());
        Self {
            tree,
            from,
            hours,
            stops,
        }
    }

    /// Whether the unit opens at all that day.
    pub fn is_open(&self, date: NaiveDate) -> bool {
        let opens = if self.stops.is_empty() {
            self.hours.is_none_or(|hours| !hours.spans_on(date).is_empty())
        } else {
            self.stops.iter().any(|stop| stop.runs_on(date))
        };
        if !opens {
            return false;
        }
        let mut ranges = self.tree.nodes_up(self.from).flat_map(|node| &node.unit.closed);
        !ranges.any(|range| range.first <= date && date <= range.last)
    }

    /// The first open day on or after `date`, within [`OPEN_DAY_HORIZON_DAYS`].
    pub fn open_on_or_after(&self, date: NaiveDate) -> Option<NaiveDate> {
        (0..=OPEN_DAY_HORIZON_DAYS)
            .map_while(|days| date.checked_add_days(Days::new(days)))
            .find(|day| self.is_open(*day))
    }

    /// The last open day on or before `date` and not before `earliest`, within [`OPEN_DAY_HORIZON_DAYS`].
    pub fn open_on_or_before(&self, date: NaiveDate, earliest: NaiveDate) -> Option<NaiveDate> {
        (0..=OPEN_DAY_HORIZON_DAYS)
            .map_while(|days| date.checked_sub_days(Days::new(days)))
            .take_while(|day| *day >= earliest)
            .find(|day| self.is_open(*day))
    }

    /// The `count`-th open day after `date`, for hold shelves. Where the calendar has no open days it counts plain
    /// days, so that the answer is always defined.
    pub fn nth_open_day_after(&self, date: NaiveDate, count: u16) -> NaiveDate {
        let mut day = date;
        for _ in 0..count {
            let Some(next) = day.checked_add_days(Days::new(1)) else {
                return day;
            };
            day = self.open_on_or_after(next).unwrap_or(next);
        }
        day
    }

    /// Open days after `due` up to and including `returned`: what an overdue consequence counts. Closed days are
    /// excluded. At most [`MAX_OVERDUE_DAYS`] calendar days are looked at.
    pub fn overdue_days(&self, due: NaiveDate, returned: NaiveDate) -> u32 {
        let days = (1..=u64::from(MAX_OVERDUE_DAYS))
            .map_while(|days| due.checked_add_days(Days::new(days)))
            .take_while(|day| *day <= returned);
        u32::try_from(days.filter(|day| self.is_open(*day)).count()).unwrap_or(MAX_OVERDUE_DAYS)
    }
}

/// A due date set by rule, and what moved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    pub at: DateTime<Utc>,
    /// The local day it falls on.
    pub day: NaiveDate,
    /// The card ends before the usual due date.
    pub capped_by_card: bool,
}

/// The due date `days` after the local day of `from`: 23:59:59 of the zone, moved to the next open day, capped by the
/// card's last day (then the last open day before it), never before `now`.
///
/// Units: `days` are calendar days. There is no error: a calendar without an open day within the horizon leaves the
/// date where it is. Source: the usual practice of city networks, in which a due date on a closed day moves on.
pub fn due(
    calendar: &Calendar<'_>,
    zone: Tz,
    from: DateTime<Utc>,
    days: u16,
    card_end: Option<NaiveDate>,
    now: DateTime<Utc>,
) -> Due {
    let today = local_day(zone, now);
    let start = local_day(zone, from);
    let usual = start
        .checked_add_days(Days::new(u64::from(days)))
        .unwrap_or(start)
        .max(today);
    let usual = if end_of_day(zone, usual) < now {
        usual.succ_opt().unwrap_or(usual)
    } else {
        usual
    };
    let open = calendar.open_on_or_after(usual).unwrap_or(usual);
    let capped = card_end.filter(|end| *end < open);
    let day = match capped {
        None => open,
        Some(end) => {
            let end = end.max(today);
            calendar.open_on_or_before(end, today).unwrap_or(end)
        }
    };
    Due {
        at: end_of_day(zone, day).max(now),
        day,
        capped_by_card: capped.is_some(),
    }
}

/// The day of a moment in the network's zone.
pub fn local_day(zone: Tz, at: DateTime<Utc>) -> NaiveDate {
    local_time(zone, at).date()
}

/// Wall-clock time of a moment in a zone. At the very ends of the time line, where the offset does not fit, UTC.
pub fn local_time(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    let utc = at.naive_utc();
    let offset = zone.offset_from_utc_datetime(&utc).fix();
    utc.checked_add_offset(offset).unwrap_or(utc)
}

/// 23:59:59 of a day in a zone, as UTC. Where the clock change leaves that second out, the offset before it counts.
pub fn end_of_day(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    let last_second = NaiveTime::from_hms_opt(23, 59, 59).unwrap_or(NaiveTime::MIN);
    let local = day.and_time(last_second);
    match zone.from_local_datetime(&local).latest() {
        Some(at) => at.with_timezone(&Utc),
        None => Utc.from_utc_datetime(&local),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{self, BRANCH, BRANCH_2, CENTRAL, LOCKER, ROOT};
    use crate::domain::network::Network;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn span(from: u32, to: u32) -> OpenSpan {
        let at = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
        OpenSpan {
            opens: at(from),
            closes: at(to),
        }
    }

    /// The example network with every unit's hours replaced.
    fn with_hours(hours: Option<WeeklyHours>) -> Network {
        let mut parts = example::parts();
        for unit in &mut parts.units {
            unit.hours.clone_from(&hours);
        }
        Network::build(parts).unwrap()
    }

    #[test]
    fn hours_are_inherited_and_closed_days_accumulate() {
        let network = example::world().network;
        for (unit, date, open) in [
            (BRANCH, "2026-03-09", false),  // its own hours: closed on Mondays
            (LOCKER, "2026-03-09", false),  // a 24-hour machine: its parent's calendar
            (BRANCH_2, "2026-03-09", true), // the root's hours
            (BRANCH, "2026-03-10", true),
            (BRANCH, "2026-05-05", false), // the root's holiday
            (LOCKER, "2026-05-05", false),
            (CENTRAL, "2026-05-06", true),
            (UnitId::new(999), "2026-05-05", true), // no calendar counts as open
        ] {
            assert_eq!(network.calendar(unit).is_open(day(date)), open, "{unit} on {date}");
        }
    }

    #[test]
    fn a_due_date_falls_on_an_open_day_within_the_card() {
        let world = example::world();
        let calendar = world.network.calendar(BRANCH);
        for (days, card_end, due_on, capped) in [
            (30, None, "2026-04-03", false),
            (0, None, "2026-03-04", false),
            (5, None, "2026-03-10", false),                // Monday moves to Tuesday
            (58, None, "2026-05-06", false),               // over the holiday
            (30, Some("2026-04-03"), "2026-04-03", false), // ends that very day
            (30, Some("2026-04-01"), "2026-04-01", true),
            (30, Some("2026-03-09"), "2026-03-08", true), // the last open day before the card's end
            (58, Some("2026-05-03"), "2026-04-30", true), // moving on would pass the card's end
            (30, Some("2026-03-04"), "2026-03-04", true),
            (30, Some("2026-01-01"), "2026-03-04", true), // never before now
        ] {
            let due = due(
                &calendar,
                world.network.zone(),
                world.now,
                days,
                card_end.map(day),
                world.now,
            );
            assert_eq!(
                (due.day, due.capped_by_card),
                (day(due_on), capped),
                "{days} days, card {card_end:?}"
            );
            assert_eq!(due.at, end_of_day(world.network.zone(), due.day));
        }
    }

    #[test]
    fn the_last_second_of_a_day_is_not_due_in_the_past() {
        let world = example::world();
        let zone = world.network.zone();
        let late = end_of_day(zone, day("2026-03-04")) + chrono::TimeDelta::milliseconds(400);
        let calendar = world.network.calendar(BRANCH);
        assert_eq!(due(&calendar, zone, late, 0, None, late).day, day("2026-03-05"));
        let capped = due(&calendar, zone, late, 0, Some(day("2026-03-04")), late);
        assert_eq!(capped.at, late);
    }

    #[test]
    fn a_calendar_that_never_opens_still_answers() {
        let world = example::world();
        for network in [with_hours(Some(WeeklyHours::default())), with_hours(None)] {
            let calendar = network.calendar(BRANCH);
            let open = calendar.hours.is_none();
            let due = due(&calendar, network.zone(), world.now, 30, None, world.now);
            assert_eq!(due.day, day("2026-04-03"));
            assert_eq!(calendar.nth_open_day_after(day("2026-03-04"), 7), day("2026-03-11"));
            assert_eq!(calendar.open_on_or_after(day("2026-03-04")).is_some(), open);
            let overdue = calendar.overdue_days(day("2026-03-04"), day("2026-03-06"));
            assert_eq!(overdue, if open { 2 } else { 0 });
        }
    }

    #[test]
    fn days_are_counted_without_closed_ones() {
        let network = example::world().network;
        let calendar = network.calendar(BRANCH);
        assert_eq!(calendar.nth_open_day_after(day("2026-03-04"), 7), day("2026-03-12"));
        assert_eq!(calendar.nth_open_day_after(day("2026-03-04"), 0), day("2026-03-04"));
        for (due, returned, days) in [
            ("2026-03-04", "2026-03-04", 0),
            ("2026-03-08", "2026-03-09", 0), // a drop on a closed Monday
            ("2026-03-08", "2026-03-10", 1),
            ("2026-04-30", "2026-05-06", 1), // the holiday is not counted
            ("2026-03-10", "2026-03-01", 0),
        ] {
            assert_eq!(
                calendar.overdue_days(day(due), day(returned)),
                days,
                "{due} to {returned}"
            );
        }
        assert!(calendar.overdue_days(NaiveDate::MIN, NaiveDate::MAX) <= MAX_OVERDUE_DAYS);
    }

    #[test]
    fn the_ends_of_the_time_line_do_not_panic() {
        let world = example::world();
        let calendar = world.network.calendar(ROOT);
        for now in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            for end in [None, Some(NaiveDate::MIN), Some(NaiveDate::MAX)] {
                let due = due(&calendar, world.network.zone(), now, u16::MAX, end, now);
                assert!(due.at >= now);
            }
        }
        assert_eq!(calendar.nth_open_day_after(NaiveDate::MAX, 3), NaiveDate::MAX);
    }

    #[test]
    fn hours_that_make_no_sense_are_refused() {
        let week = |spans: Vec<OpenSpan>| {
            let mut days: [Vec<OpenSpan>; 7] = Default::default();
            days[1] = spans;
            WeeklyHours::new(days)
        };
        assert!(week(vec![span(9, 12), span(14, 17)]).is_ok());
        assert!(matches!(
            week(vec![span(12, 9)]),
            Err(HoursError::Backwards { day: 2, .. })
        ));
        assert!(matches!(
            week(vec![span(9, 12), span(11, 17)]),
            Err(HoursError::Unordered { day: 2, .. })
        ));
    }
}
