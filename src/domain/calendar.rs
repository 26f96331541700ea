//! Opening days and due dates.
//!
//! Of a day, in this order: an emergency closing of the unit or of any above closes it; else the nearest unit that says anything of
//! the day decides, and of one unit's exceptional opening and closed day the opening; else a vehicle's stops, or weekly hours, the
//! unit's own or the nearest ancestor's. A 24-hour machine (`always_open`) uses its parent's calendar; only closings and amnesties
//! may be its own. No calendar counts as open, never as a failure.
//! Not for: which rule says how many days (see `policy`).

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::dated::{Amnesty, EmergencyClosing, Opening, SpanFault, fault_of};
use super::ids::UnitId;
use super::stops::Stop;
use super::unit::{Node, Unit, UnitTree};

/// How far a search for an open day goes; beyond it the calendar is taken to have none.
pub const OPEN_DAY_HORIZON_DAYS: u64 = 400;
/// A calendar must have an open day within so many days from today.
pub const YEAR_DAYS: u64 = 366;
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
        for (day, spans) in (1..).zip(&days) {
            match fault_of(spans) {
                Some(SpanFault::Backwards { opens, closes }) => {
                    return Err(HoursError::Backwards { day, opens, closes });
                }
                Some(SpanFault::Unordered { opens }) => return Err(HoursError::Unordered { day, opens }),
                None => {}
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
    unit: Option<usize>,
    /// The nearest unit that is not a 24-hour machine; `None` for an unknown unit: always open.
    from: Option<usize>,
    /// Whose hours these are, and the hours.
    hours: Option<(&'a Unit, &'a WeeklyHours)>,
    /// A vehicle's, in place of hours, and the vehicle.
    stops: Option<(&'a Unit, &'a [Stop])>,
    /// Emergency closings from this number on are left out.
    closings_before: i64,
}

/// What decides whether a unit is open on a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Because<'a> {
    /// No unit of the line has hours: open, at no known time.
    NoHours,
    /// The weekly hours of this unit; closed when there is no span.
    Weekly { of: &'a Unit, spans: &'a [OpenSpan] },
    /// The stops of this vehicle, in place of hours.
    Stops { of: &'a Unit, runs: bool },
    /// A closed day of this unit.
    Closed { of: &'a Unit, range: &'a ClosedRange },
    /// An exceptional opening of this unit.
    Opening { of: &'a Unit, opening: &'a Opening },
    /// An emergency closing of this unit.
    Closing {
        of: &'a Unit,
        closing: &'a EmergencyClosing,
    },
}

impl<'a> Because<'a> {
    /// Whether the unit opens at all.
    pub const fn is_open(self) -> bool {
        match self {
            Self::NoHours | Self::Opening { .. } => true,
            Self::Weekly { spans, .. } => !spans.is_empty(),
            Self::Stops { runs, .. } => runs,
            Self::Closed { .. } | Self::Closing { .. } => false,
        }
    }

    /// The hours of the day, where they are known.
    pub fn spans(self) -> &'a [OpenSpan] {
        match self {
            Self::Weekly { spans, .. } => spans,
            Self::Opening { opening, .. } => &opening.spans,
            Self::NoHours | Self::Stops { .. } | Self::Closed { .. } | Self::Closing { .. } => &[],
        }
    }
}

impl<'a> Calendar<'a> {
    /// Whether both were put together from the same hours and days: then they are open on the same days.
    pub fn agrees_with(&self, other: &Calendar<'_>) -> bool {
        let hours = |calendar: &Calendar<'_>| calendar.hours.map(|(_, hours)| hours.clone());
        let stops = |calendar: &Calendar<'_>| calendar.stops.map(|(_, stops)| stops.to_vec());
        self.from.is_some() == other.from.is_some()
            && hours(self) == hours(other)
            && stops(self) == stops(other)
            && self.said() == other.said()
    }

    /// Everything the units of the line say of single days, the nearest first.
    fn said(&self) -> Vec<(&[ClosedRange], &[Opening], &[EmergencyClosing])> {
        let own = |node: &'a Node| {
            let (unit, machine) = (&node.unit, node.unit.always_open);
            let (closed, openings) = if machine {
                (&[][..], &[][..])
            } else {
                (&unit.closed[..], &unit.dated.openings[..])
            };
            (closed, openings, &unit.dated.closings[..])
        };
        let said = self.tree.nodes_up(self.unit).map(own);
        said.filter(|(closed, openings, closings)| !(closed.is_empty() && openings.is_empty() && closings.is_empty()))
            .collect()
    }

    /// Resolves the inheritance; O(depth).
    pub fn of(tree: &'a UnitTree, unit: UnitId) -> Self {
        let owner = tree.nodes_up(tree.index(unit)).find(|node| !node.unit.always_open);
        let from = owner.and_then(|node| tree.index(node.unit.id));
        let hours = tree
            .nodes_up(from)
            .find_map(|node| node.unit.hours.as_ref().map(|hours| (&node.unit, hours)));
        let stops = owner.map(|node| (&node.unit, node.unit.stops_in_force()));
        Self {
            tree,
            unit: tree.index(unit),
            from,
            hours,
            stops: stops.filter(|(_, stops)| !stops.is_empty()),
            closings_before: i64::MAX,
        }
    }

    /// The calendar as it was before an emergency closing was declared, and without those declared later.
    pub const fn before_closing(mut self, id: i64) -> Self {
        self.closings_before = id;
        self
    }

    /// What decides about a day.
    pub fn because(&self, date: NaiveDate) -> Because<'a> {
        for node in self.tree.nodes_up(self.unit) {
            let mut closings = node.unit.dated.closings.iter();
            if let Some(closing) = closings.find(|one| one.covers(date) && one.id < self.closings_before) {
                return Because::Closing {
                    of: &node.unit,
                    closing,
                };
            }
        }
        for Node { unit: of, .. } in self.tree.nodes_up(self.from) {
            if let Some(opening) = of.dated.openings.iter().find(|opening| opening.covers(date)) {
                return Because::Opening { of, opening };
            }
            if let Some(range) = of.closed.iter().find(|one| one.first <= date && date <= one.last) {
                return Because::Closed { of, range };
            }
        }
        if let Some((of, stops)) = self.stops {
            let runs = stops.iter().any(|stop| stop.runs_on(date));
            return Because::Stops { of, runs };
        }
        self.hours.map_or(Because::NoHours, |(of, hours)| Because::Weekly {
            of,
            spans: hours.spans_on(date),
        })
    }

    /// Whether the unit opens at all that day.
    pub fn is_open(&self, date: NaiveDate) -> bool {
        self.because(date).is_open()
    }

    /// The amnesty of the unit or of one above that covers a day.
    pub fn amnesty_on(&self, date: NaiveDate) -> Option<(&'a Unit, &'a Amnesty)> {
        self.tree.nodes_up(self.unit).find_map(|node| {
            let amnesties = &node.unit.dated.amnesties;
            let amnesty = amnesties.iter().find(|amnesty| amnesty.covers(date))?;
            Some((&node.unit, amnesty))
        })
    }

    /// Whether it opens within a year from `today`. Readers could return nothing, and nothing would ever be due.
    pub fn opens_within_a_year(&self, today: NaiveDate) -> bool {
        (0..YEAR_DAYS)
            .map_while(|days| today.checked_add_days(Days::new(days)))
            .any(|day| self.is_open(day))
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

    /// Open days after `due` up to and including `returned`: what an overdue consequence counts. Closed days and days of an amnesty
    /// are excluded. At most [`MAX_OVERDUE_DAYS`] calendar days are looked at.
    pub fn overdue_days(&self, due: NaiveDate, returned: NaiveDate) -> u32 {
        u32::try_from(self.overdue_dates(due, returned).count()).unwrap_or(MAX_OVERDUE_DAYS)
    }

    /// These days themselves, the earliest first.
    pub fn overdue_dates(&self, due: NaiveDate, returned: NaiveDate) -> impl Iterator<Item = NaiveDate> {
        let days = (1..=u64::from(MAX_OVERDUE_DAYS))
            .map_while(move |days| due.checked_add_days(Days::new(days)))
            .take_while(move |day| *day <= returned);
        days.filter(move |day| self.is_open(*day) && self.amnesty_on(*day).is_none())
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
