//! Days that were promised and have become closed: where a due date and the last day of a hold shelf go, and where they go back to
//! when the closing is undone. A due date given by hand is not asked about.
//! Not for: finding loans and holds, or remembering what moved.

use chrono::{Days, NaiveDate};

use super::calendar::Calendar;

/// When a change of calendars was made, and the day on which its walk comes by: the same, or a later one where the walk passed
/// midnight or was cut short. What was promised for the days between was promised before the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    pub made: NaiveDate,
    pub today: NaiveDate,
}

impl Walk {
    /// One that goes by on the day of the change.
    pub const fn on(day: NaiveDate) -> Self {
        Self { made: day, today: day }
    }
}

/// The day a loan is due instead, if its day is closed and not behind: the next open day; where that would pass the card's end, the
/// last open day before it, as at a check-out, which may be an earlier one. Never a day that lies behind. `None`: it stays.
///
/// ```
/// # use tongjie::domain::example;
/// use tongjie::domain::move_due::{Walk, moved_due};
/// let world = example::world();
/// let calendar = world.network.calendar(example::BRANCH);
/// let day = |text: &str| text.parse().unwrap();
/// // A holiday from 1 to 5 May.
/// let walk = Walk::on(day("2026-04-01"));
/// let moved = |card_end| moved_due(&calendar, day("2026-05-02"), card_end, walk);
/// assert_eq!(moved(None), Some(day("2026-05-06")));
/// assert_eq!(moved(Some(day("2026-05-03"))), Some(day("2026-04-30")));
/// assert_eq!(moved_due(&calendar, day("2026-05-06"), None, walk), None);
/// ```
pub fn moved_due(
    calendar: &Calendar<'_>,
    due: NaiveDate,
    card_end: Option<NaiveDate>,
    walk: Walk,
) -> Option<NaiveDate> {
    if due < walk.made || calendar.is_open(due) {
        return None;
    }
    let today = walk.today;
    let open = calendar.open_on_or_after(due.max(today))?;
    let day = match card_end.filter(|end| *end < open) {
        None => open,
        Some(end) => {
            let end = end.max(today);
            calendar.open_on_or_before(end, today).unwrap_or(end)
        }
    };
    (day != due).then_some(day)
}

/// What a closing takes from the hold shelves of a unit.
#[derive(Debug, Clone, Copy)]
pub struct Lost<'a> {
    /// The calendar without this closing and those declared after it.
    pub before: Calendar<'a>,
    pub first: NaiveDate,
    pub last: NaiveDate,
}

/// The last day on the hold shelf instead. With `lost`, for a copy that stood there when the closing was declared: as many open days
/// later as the closing took from it. Without, only off a closed day. `None`: it stays.
pub fn moved_shelf(
    calendar: &Calendar<'_>,
    lost: Option<&Lost<'_>>,
    until: NaiveDate,
    walk: Walk,
) -> Option<NaiveDate> {
    if until < walk.made {
        return None;
    }
    let taken = lost.map_or(0, |lost| {
        let (from, to) = (lost.first.max(walk.made), lost.last.min(until));
        let days = from.iter_days().take_while(|day| *day <= to);
        u16::try_from(days.filter(|day| lost.before.is_open(*day)).count()).unwrap_or(u16::MAX)
    });
    let day = if taken > 0 {
        calendar.nth_open_day_after(until, taken)
    } else {
        calendar.open_on_or_after(until)?
    };
    if day == until {
        return None;
    }
    calendar.open_on_or_after(day.max(walk.today))
}

/// Where a day that a closing moved from `old` to `new` goes back to: `old`, or the next open day if that is still closed; tomorrow
/// or later if `old` lies behind, for nobody becomes late by an undoing. `None`: it stays at `new`.
pub fn put_back(calendar: &Calendar<'_>, old: NaiveDate, new: NaiveDate, today: NaiveDate) -> Option<NaiveDate> {
    if new < old {
        return calendar.is_open(old).then_some(old);
    }
    let earliest = if old <= today {
        today.checked_add_days(Days::new(1))?
    } else {
        old
    };
    let day = calendar.open_on_or_after(earliest)?;
    (day < new).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dated::EmergencyClosing;
    use crate::domain::example::{self, BRANCH_2, ROOT};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// The example, open every day at `BRANCH_2` but for these closings of the root.
    fn closed(ranges: &[(&str, &str)]) -> crate::domain::network::Network {
        example::world().network.with_unit(ROOT, |unit| {
            for (id, (first, last)) in (1..).zip(ranges) {
                unit.dated.closings.push(EmergencyClosing {
                    id,
                    first: day(first),
                    last: day(last),
                    reason: "台风".to_owned(),
                });
            }
        })
    }

    #[test]
    fn a_shelf_gets_back_the_open_days_it_lost_once_for_each_closing() {
        let network = closed(&[("2026-03-06", "2026-03-08"), ("2026-03-08", "2026-03-10")]);
        let calendar = network.calendar(BRANCH_2);
        let today = Walk::on(day("2026-03-04"));
        let lost = |id, first, last| Lost {
            before: calendar.before_closing(id),
            first: day(first),
            last: day(last),
        };
        let first = lost(1, "2026-03-06", "2026-03-08");
        let second = lost(2, "2026-03-08", "2026-03-10");
        // Open: 4, 5, then 11 onwards. Four days were promised after today: 5, 6, 7, 8.
        let moved = moved_shelf(&calendar, Some(&first), day("2026-03-08"), today);
        assert_eq!(moved, Some(day("2026-03-13")), "three days lost");
        // The second takes only what the first had left: 9 and 10.
        let moved = moved_shelf(&calendar, Some(&second), day("2026-03-10"), today);
        assert_eq!(moved, Some(day("2026-03-12")));
        assert_eq!(moved_shelf(&calendar, Some(&first), day("2026-03-05"), today), None);
        assert_eq!(
            moved_shelf(&calendar, None, day("2026-03-07"), today),
            Some(day("2026-03-11")),
            "not of this closing, but never on a closed day"
        );
        assert_eq!(moved_shelf(&calendar, Some(&first), day("2026-03-03"), today), None);
    }

    #[test]
    fn a_walk_that_passes_midnight_remembers_the_day_of_the_change_and_promises_nothing_behind() {
        let network = closed(&[("2026-03-04", "2026-03-06")]);
        let calendar = network.calendar(BRANCH_2);
        let lost = Lost {
            before: calendar.before_closing(1),
            first: day("2026-03-04"),
            last: day("2026-03-06"),
        };
        let made = day("2026-03-04");
        // Promised for the day of the closing; open again from the 7th.
        for (today, to) in [
            ("2026-03-04", "2026-03-07"),
            ("2026-03-05", "2026-03-07"),
            ("2026-03-10", "2026-03-10"),
        ] {
            let walk = Walk {
                made,
                today: day(today),
            };
            assert_eq!(moved_due(&calendar, made, None, walk), Some(day(to)), "{today}");
            assert_eq!(
                moved_shelf(&calendar, Some(&lost), made, walk),
                Some(day(to)),
                "{today}"
            );
            assert_eq!(moved_shelf(&calendar, None, made, walk), Some(day(to)), "{today}");
        }
        let late = Walk {
            made,
            today: day("2026-03-10"),
        };
        let before = day("2026-03-03");
        assert_eq!(
            moved_due(&calendar, before, None, late),
            None,
            "behind when it was made"
        );
        assert_eq!(moved_shelf(&calendar, Some(&lost), before, late), None);
        assert_eq!(
            moved_shelf(&calendar, None, day("2026-03-08"), late),
            None,
            "an open day stays"
        );
    }

    #[test]
    fn what_goes_back_is_neither_closed_nor_late() {
        let network = closed(&[("2026-03-20", "2026-03-22")]);
        let calendar = network.calendar(BRANCH_2);
        for (old, new, today, back) in [
            ("2026-03-10", "2026-03-15", "2026-03-04", Some("2026-03-10")),
            ("2026-03-10", "2026-03-15", "2026-03-10", Some("2026-03-11")), // its day ends now
            ("2026-03-10", "2026-03-15", "2026-03-20", None),               // later than it is due
            ("2026-03-21", "2026-03-25", "2026-03-04", Some("2026-03-23")), // another closing holds it
            ("2026-03-21", "2026-03-23", "2026-03-04", None),
            ("2026-03-25", "2026-03-19", "2026-03-04", Some("2026-03-25")), // a card's end had drawn it nearer
            ("2026-03-21", "2026-03-19", "2026-03-04", None),
        ] {
            let found = put_back(&calendar, day(old), day(new), day(today));
            assert_eq!(found, back.map(day), "{old} from {new} on {today}");
        }
    }
}
