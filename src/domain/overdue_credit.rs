//! What overdue days cost under an owner's regime, day by day: each is charged once, by the nightly pass or by the return.
//! Not for: money (days that points leave over are told, and no more).

use chrono::{Datelike, NaiveDate};

use super::credit::{Cap, CreditEvent, CreditRules, RegimeKind};
use super::post_credit::{Account, Posting, Used, by_rule};

/// What the ledger knows of a loan's overdue days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SoFar {
    /// Days looked at.
    pub days: u32,
    /// Points they cost, above zero.
    pub points: i64,
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
    /// Of `hybrid`: days of these that points did not pay.
    pub left_for_money: u32,
}

/// Charges the overdue days of one loan that were not looked at yet, in their order. `days` are all its overdue days.
///
/// Units: open days of the lending unit outside amnesties. There is no error. Source: the owner's regime and the rule `overdue`.
pub fn charge(
    rules: &CreditRules,
    regime: RegimeKind,
    days: &[NaiveDate],
    so_far: SoFar,
    mut account: Account,
    spent: &[(NaiveDate, i64)],
) -> Charge {
    let known = usize::try_from(so_far.days).unwrap_or(usize::MAX);
    let mut charge = Charge {
        so_far,
        ..Charge::default()
    };
    charge.so_far.days = so_far.days.max(u32::try_from(days.len()).unwrap_or(u32::MAX));
    let rule = rules.rule(CreditEvent::Overdue).filter(|_| regime != RegimeKind::Lock);
    let mut spent = spent.to_vec();
    for day in days.iter().skip(known) {
        let Some(rule) = rule else {
            charge.left_for_money += u32::from(regime == RegimeKind::Hybrid);
            continue;
        };
        let used = Used {
            day: spent.on_day(*day),
            month: spent.in_month(day.year(), day.month()),
            item: charge.so_far.points,
        };
        let posting = by_rule(rules, rule, 1, account, used);
        // A cap of all items of a day is the reader's relief; the floor and the cap of one item are where money begins.
        let paid = posting.points != 0
            || posting
                .limited_by
                .iter()
                .all(|cap| !matches!(cap, Cap::Floor | Cap::PerItem));
        charge.left_for_money += u32::from(regime == RegimeKind::Hybrid && !paid);
        if posting.points == 0 {
            continue;
        }
        charge.so_far.points -= posting.points;
        spent.push((*day, posting.points));
        account = Account {
            balance: posting.balance,
            frozen: account.frozen || posting.freezes.is_some(),
        };
        charge.lines.push(Charged { day: *day, posting });
    }
    charge
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
        Account { balance, frozen: false }
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
        );
        assert_eq!((pass.lines.len(), pass.so_far), (3, SoFar { days: 3, points: 3 }));
        let spent: Vec<_> = pass.lines.iter().map(|line| (line.day, line.posting.points)).collect();
        let back = charge(&rules, RegimeKind::Points, &days(5), pass.so_far, balance(97), &spent);
        assert_eq!((back.lines.len(), back.so_far), (2, SoFar { days: 5, points: 5 }));
        let again = charge(&rules, RegimeKind::Points, &days(5), back.so_far, balance(95), &spent);
        assert!(again.lines.is_empty());
    }

    #[test]
    fn an_earlier_return_is_no_new_day() {
        let rules = preset("cn-points-100");
        let so_far = SoFar { days: 5, points: 5 };
        let back = charge(&rules, RegimeKind::Points, &days(2), so_far, balance(95), &[]);
        assert_eq!((back.lines.len(), back.so_far), (0, so_far));
    }

    #[test]
    fn a_lock_costs_no_points() {
        let rules = preset("cn-points-100");
        let locked = charge(&rules, RegimeKind::Lock, &days(9), SoFar::default(), balance(100), &[]);
        assert_eq!(
            (locked.lines.len(), locked.so_far.days, locked.left_for_money),
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
        );
        assert_eq!((long.so_far.points, long.left_for_money), (100, 20));
        let poor = charge(&rules, RegimeKind::Hybrid, &days(5), SoFar::default(), balance(3), &[]);
        assert_eq!((poor.so_far.points, poor.left_for_money), (3, 2));
    }
}
