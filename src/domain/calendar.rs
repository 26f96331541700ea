//! Opening days and due dates.
//!
//! Weekly hours are inherited: a unit without its own uses the nearest ancestor's. Closed days accumulate down the
//! tree. A 24-hour machine (`always_open`) uses its parent's calendar. No calendar counts as open, never as a failure.
//! Not for: which rule says how many days (see `policy`).

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ids::UnitId;
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
                    return Err(HoursError::Unordered {
                        day: index + 1,
                        opens,
                    });
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
}

impl<'a> Calendar<'a> {
    /// Resolves the inheritance; O(depth).
    pub fn of(tree: &'a UnitTree, unit: UnitId) -> Self {
        let owner = tree
            .nodes_up(tree.index(unit))
            .find(|node| !node.unit.always_open);
        let from = owner.and_then(|node| tree.index(node.unit.id));
        let hours = tree.nodes_up(from).find_map(|node| node.unit.hours.as_ref());
        Self { tree, from, hours }
    }

    /// Whether the unit opens at all that day.
    pub fn is_open(&self, date: NaiveDate) -> bool {
        if self.hours.is_some_and(|hours| hours.spans_on(date).is_empty()) {
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
/// date where it is. Source: CIRCULATION, check-out, system; DOMAIN section 2.
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
