//! What overdue days cost under an owner's regime, day by day: each is charged once, by the nightly pass or by the return.
//! Not for: money (days that points leave over are counted, and no more).

use chrono::{Datelike, NaiveDate};

use super::credit::{Cap, CreditEvent, CreditRules, RegimeKind};
use super::post_credit::{Account, Posting, Used, by_rule};

/// What the ledger knows of a loan's overdue days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SoFar {
    /// Overdue days looked at.
    pub days: u32,
    /// The last of them: no day until then is looked at again, whatever the due date is by now.
    pub until: Option<NaiveDate>,
    /// Points they cost, above zero.
    pub points: i64,
    /// Of `hybrid`: days that points did not pay.
    pub money_days: u32,
}

/// Points that overdue items of a reader have cost on a day, this loan's included; below zero, as in the ledger.
trait Spent {
    fn on_day(&self, day: NaiveDate) -> i64;
    fn in_month(&self, year: i32, month: u32) -> i64;
}

impl Spent for [(NaiveDate, i64)] {
    fn on_day(&self, day: NaiveDate) -> i64 {
        self.iter()
            .filter(|(one, _)| *one == day)
            .map(|(_, points)| points)
            .sum()
    }

    fn in_month(&self, year: i32, month: u32) -> i64 {
        let within = |day: &NaiveDate| (day.year(), day.month()) == (year, month);
        self.iter()
            .filter(|(one, _)| within(one))
            .map(|(_, points)| points)
            .sum()
    }
}

/// A day and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charged {
    pub day: NaiveDate,
    pub posting: Posting,
}

/// What new overdue days come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Charge {
    /// One line for each day that costs something.
    pub lines: Vec<Charged>,
    /// Afterwards.
    pub so_far: SoFar,
    /// Some of the days were left for the next time.
    pub unfinished: bool,
}

/// Charges the overdue days of one loan that were not looked at yet, in their order, and stops after so many lines.
///
/// Units: open days of the lending unit outside amnesties. There is no error. Source: the owner's regime and the rule `overdue`.
pub fn charge(
    rules: &CreditRules,
    regime: RegimeKind,
    days: &[NaiveDate],
    so_far: SoFar,
    mut account: Account,
    spent: &[(NaiveDate, i64)],
    most_lines: usize,
) -> Charge {
    let mut charge = Charge {
        so_far,
        ..Charge::default()
    };
    let rule = rules.rule(CreditEvent::Overdue).filter(|_| regime != RegimeKind::Lock);
    let mut spent = spent.to_vec();
    for day in days
        .iter()
        .copied()
        .filter(|day| so_far.until.is_none_or(|until| *day > until))
    {
        if charge.lines.len() >= most_lines {
            charge.unfinished = true;
            break;
        }
        charge.so_far.days += 1;
        charge.so_far.until = Some(day);
        let posting = rule.map(|rule| {
            let used = Used {
                day: spent.on_day(day),
                month: spent.in_month(day.year(), day.month()),
                item: charge.so_far.points,
            };
            by_rule(rules, rule, 1, account, used)
        });
        charge.so_far.money_days += u32::from(regime == RegimeKind::Hybrid && !posting.as_ref().is_some_and(pays));
        let Some(posting) = posting.filter(|posting| posting.points != 0) else {
            continue;
        };
        charge.so_far.points -= posting.points;
        spent.push((day, posting.points));
        account = Account {
            balance: posting.balance,
            frozen: account.frozen || posting.freezes.is_some(),
            at_floor: account.at_floor || posting.freezes.is_some(),
        };
        charge.lines.push(Charged { day, posting });
    }
    charge
}

/// A cap of all items of a day is the reader's relief; the floor and the cap of one item are where money begins.
fn pays(posting: &Posting) -> bool {
    let ends = |cap: &Cap| matches!(cap, Cap::Floor | Cap::PerItem);
    posting.points != 0 || !posting.limited_by.iter().any(ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credit_rules::preset;

    fn days(count: u64) -> Vec<NaiveDate> {
        let first = NaiveDate::from_ymd_opt(2026, 3, 5).expect("a day");
        first.iter_days().take(usize::try_from(count).expect("few")).collect()
    }

    fn balance(balance: i64) -> Account {
        Account {
            balance,
            ..Account::default()
        }
    }

    fn so_far(days: u32, points: i64) -> SoFar {
        SoFar {
            days,
            points,
            until: self::days(days.into()).last().copied(),
            money_days: 0,
        }
    }

    #[test]
    fn a_day_is_charged_once_whoever_comes_first() {
        let rules = preset("cn-points-100");
        let pass = charge(
            &rules,
            RegimeKind::Points,
            &days(3),
            SoFar::default(),
            balance(100),
            &[],
            40,
        );
        assert_eq!((pass.lines.len(), pass.so_far), (3, so_far(3, 3)));
        let spent: Vec<_> = pass.lines.iter().map(|line| (line.day, line.posting.points)).collect();
        let back = charge(
            &rules,
            RegimeKind::Points,
            &days(5),
            pass.so_far,
            balance(97),
            &spent,
            40,
        );
        assert_eq!((back.lines.len(), back.so_far), (2, so_far(5, 5)));
        let again = charge(
            &rules,
            RegimeKind::Points,
            &days(5),
            back.so_far,
            balance(95),
            &spent,
            40,
        );
        assert!(again.lines.is_empty());
    }

    #[test]
    fn an_earlier_return_is_no_new_day() {
        let rules = preset("cn-points-100");
        let so_far = so_far(5, 5);
        let back = charge(&rules, RegimeKind::Points, &days(2), so_far, balance(95), &[], 40);
        assert_eq!((back.lines.len(), back.so_far), (0, so_far));
    }

    #[test]
    fn a_lock_costs_no_points() {
        let rules = preset("cn-points-100");
        let locked = charge(
            &rules,
            RegimeKind::Lock,
            &days(9),
            SoFar::default(),
            balance(100),
            &[],
            40,
        );
        assert_eq!(
            (locked.lines.len(), locked.so_far.days, locked.so_far.money_days),
            (0, 9, 0)
        );
    }

    #[test]
    fn points_pay_first_and_money_begins_where_they_end() {
        let rules = preset("gz-900");
        let long = charge(
            &rules,
            RegimeKind::Hybrid,
            &days(120),
            SoFar::default(),
            balance(900),
            &[],
            usize::MAX,
        );
        assert_eq!((long.so_far.points, long.so_far.money_days), (100, 20));
        let poor = charge(
            &rules,
            RegimeKind::Hybrid,
            &days(5),
            SoFar::default(),
            balance(3),
            &[],
            40,
        );
        assert_eq!((poor.so_far.points, poor.so_far.money_days), (3, 2));
    }

    #[test]
    fn a_new_due_date_makes_no_day_count_twice_and_none_free() {
        let rules = preset("cn-points-100");
        // Three days were charged; then it was renewed, and is late again from the tenth day on.
        let again = &days(12)[9..];
        let charged = charge(&rules, RegimeKind::Points, again, so_far(3, 3), balance(97), &[], 40);
        assert_eq!((charged.lines.len(), charged.so_far.points), (3, 6));
        // The due date went back to where it was.
        let charged = charge(
            &rules,
            RegimeKind::Points,
            &days(12),
            charged.so_far,
            balance(94),
            &[],
            40,
        );
        assert!(charged.lines.is_empty());
    }

    #[test]
    fn what_is_too_much_for_once_is_left_for_the_next_time() {
        let mut rules = preset("gz-900");
        let all = days(70);
        let first = charge(
            &rules,
            RegimeKind::Points,
            &all,
            SoFar::default(),
            balance(900),
            &[],
            40,
        );
        assert_eq!(
            (first.lines.len(), first.so_far.until, first.unfinished),
            (40, Some(all[39]), true)
        );
        let rest = charge(&rules, RegimeKind::Points, &all, first.so_far, balance(860), &[], 40);
        assert_eq!((rest.lines.len(), rest.so_far.points, rest.unfinished), (30, 70, false));
        // Days that cost nothing are no lines: they are looked at in one go.
        rules.rules.clear();
        let free = charge(
            &rules,
            RegimeKind::Points,
            &all,
            SoFar::default(),
            balance(900),
            &[],
            40,
        );
        assert_eq!((free.so_far.days, free.unfinished), (70, false));
    }
}
