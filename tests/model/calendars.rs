//! Properties of calendar arithmetic over generated calendars: total, monotone, and always an open day where there is one.

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use proptest::prelude::*;
use tongjie::domain::calendar::{ClosedRange, MAX_OVERDUE_DAYS, OpenSpan, WeeklyHours};
use tongjie::domain::dated::{Amnesty, EmergencyClosing, Opening};
use tongjie::domain::example::{self, BRANCH, LOCKER, MAIN, ROOT};
use tongjie::domain::ids::UnitId;
use tongjie::domain::move_due::{Walk, moved_due, moved_shelf, put_back};
use tongjie::domain::network::Network;

/// A day of two years around the example's.
fn day(offset: i64) -> NaiveDate {
    let first: NaiveDate = "2026-01-01".parse().expect("a day");
    first + TimeDelta::days(offset)
}

fn span() -> OpenSpan {
    OpenSpan {
        opens: NaiveTime::from_hms_opt(9, 0, 0).expect("a time"),
        closes: NaiveTime::from_hms_opt(17, 0, 0).expect("a time"),
    }
}

/// What one unit says of some days.
#[derive(Debug, Clone)]
struct Said {
    unit: UnitId,
    /// Closed days, opening, closing or amnesty.
    kind: u8,
    first: i64,
    days: i64,
}

fn said() -> impl Strategy<Value = Said> {
    let unit = prop::sample::select(vec![ROOT, MAIN, BRANCH, LOCKER]);
    (unit, 0_u8..4, 0_i64..700, 0_i64..30).prop_map(|(unit, kind, first, days)| Said {
        unit,
        kind,
        first,
        days,
    })
}

/// Open on one weekday at least.
fn week() -> impl Strategy<Value = Option<WeeklyHours>> {
    let open = prop::collection::vec(any::<bool>(), 7);
    prop::option::of(open).prop_map(|open| {
        let open = open?;
        let day = |n: usize| if open[n] || n == 2 { vec![span()] } else { Vec::new() };
        Some(WeeklyHours::new(std::array::from_fn(day)).expect("a week"))
    })
}

prop_compose! {
    fn calendars()(hours in week(), said in prop::collection::vec(said(), 0..12)) -> Network {
        let mut network = example::world().network.with_unit(BRANCH, |unit| unit.hours = hours.clone());
        for (id, one) in (1..).zip(said) {
            let (first, last) = (day(one.first), day(one.first + one.days));
            let reason = String::new();
            network = network.with_unit(one.unit, |unit| match one.kind {
                0 => unit.closed.push(ClosedRange { first, last, reason }),
                1 => unit.dated.openings.push(Opening { first, last, spans: vec![span()], reason }),
                2 => unit.dated.closings.push(EmergencyClosing { id, first, last, reason }),
                _ => unit.dated.amnesties.push(Amnesty { first, last, reason }),
            });
        }
        network
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_next_open_day_is_open_and_none_lies_between(network in calendars(), unit in prop::sample::select(vec![BRANCH, LOCKER]),
        from in 0_i64..700) {
        let calendar = network.calendar(unit);
        let open = calendar.open_on_or_after(day(from)).expect("it opens every week but for some days");
        prop_assert!(calendar.is_open(open));
        prop_assert!((from..).map(day).take_while(|one| *one < open).all(|one| !calendar.is_open(one)));
        prop_assert!(calendar.open_on_or_after(day(from + 1)).expect("it opens") >= open);
        let before = calendar.open_on_or_before(open, day(from));
        prop_assert_eq!(before, Some(open));
    }

    #[test]
    fn open_days_are_counted_one_by_one(network in calendars(), from in 0_i64..500, count in 0_u16..40) {
        let calendar = network.calendar(BRANCH);
        let nth = calendar.nth_open_day_after(day(from), count);
        let counted = (from + 1..).map(day).take_while(|one| *one <= nth).filter(|one| calendar.is_open(*one)).count();
        prop_assert_eq!(counted, usize::from(count));
        prop_assert!(calendar.nth_open_day_after(day(from), count + 1) > nth);
        prop_assert!(calendar.nth_open_day_after(day(from + 1), count) >= nth);
    }

    #[test]
    fn overdue_days_grow_with_time_and_shrink_by_amnesties(network in calendars(), due in 0_i64..700, late in -5_i64..400) {
        let calendar = network.calendar(BRANCH);
        let overdue = calendar.overdue_days(day(due), day(due + late));
        prop_assert!(i64::from(overdue) <= late.max(0));
        prop_assert!(calendar.overdue_days(day(due), day(due + late + 1)) >= overdue);
        prop_assert!(calendar.overdue_days(day(due + 1), day(due + late)) <= overdue);
        let forgiven = network.with_unit(ROOT, |unit| unit.dated.amnesties.push(Amnesty {
            first: day(due + 3), last: day(due + 20), reason: String::new(),
        }));
        let fewer = forgiven.calendar(BRANCH).overdue_days(day(due), day(due + late));
        prop_assert!(fewer <= overdue && overdue - fewer <= 18);
        prop_assert!(calendar.overdue_days(NaiveDate::MIN, NaiveDate::MAX) <= MAX_OVERDUE_DAYS);
    }

    #[test]
    fn what_moves_lands_on_an_open_day_within_the_card(network in calendars(), due in 0_i64..700, today in 0_i64..700,
        end in prop::option::of(0_i64..40)) {
        let calendar = network.calendar(LOCKER);
        let (due, today) = (day(due), day(today));
        let end = end.map(|days| due + TimeDelta::days(days));
        match moved_due(&calendar, due, end, Walk::on(today)) {
            None => prop_assert!(due < today || calendar.is_open(due) || end == Some(due)),
            Some(to) => {
                prop_assert!(!calendar.is_open(due) && to >= today && to != due);
                prop_assert!(end.is_none_or(|end| to <= end));
                prop_assert!(calendar.is_open(to) || end == Some(to));
                // Moved is moved: looking again changes nothing, but at the very end of a card.
                prop_assert_eq!(moved_due(&calendar, to, end, Walk::on(today)), None);
            }
        }
        if let Some(to) = moved_shelf(&calendar, None, due, Walk::on(today)) {
            prop_assert!(to > due && calendar.is_open(to));
        }
        let later = due + TimeDelta::days(9);
        if let Some(back) = put_back(&calendar, due, later, today) {
            prop_assert!(calendar.is_open(back) && back >= due && back < later && back > today);
        }
    }
}
