//! The four programmes that ship, each lived through a worked example of docs/CREDIT.md.

use chrono::NaiveDate;
use tongjie::domain::credit::{Cap, CreditEvent, CreditRules, RegimeKind};
use tongjie::domain::credit_rules::{PRESETS, shipped};
use tongjie::domain::overdue_credit::{SoFar, charge};
use tongjie::domain::post_credit::{Account, Posting, Used, by_hand, by_rule, thaw};
use tongjie::domain::reader::CreditBand;

/// What happened, when, with which item, and the points it moved.
type Line = (CreditEvent, NaiveDate, Option<u32>, i64);

/// A ledger in memory, as the store keeps one.
struct Ledger {
    rules: CreditRules,
    account: Account,
    lines: Vec<Line>,
}

impl Ledger {
    fn of(name: &str) -> Self {
        let (_, text) = PRESETS.iter().find(|(one, _)| *one == name).expect("a programme");
        let rules = shipped(text).expect("it is valid");
        let account = Account {
            balance: rules.start,
            ..Account::default()
        };
        Self {
            rules,
            account,
            lines: Vec::new(),
        }
    }

    fn with(name: &str, balance: i64) -> Self {
        let mut ledger = Self::of(name);
        ledger.account.balance = balance;
        ledger
    }

    fn happens(&mut self, event: CreditEvent, day: NaiveDate, item: Option<u32>, quantity: u32) -> Posting {
        let rule = self.rules.rule(event).expect("a rule").clone();
        let of_rule = |line: &&Line| rule.events.contains(&line.0);
        let sum = |fits: &dyn Fn(&Line) -> bool| -> i64 {
            self.lines
                .iter()
                .filter(of_rule)
                .filter(|line| fits(line))
                .map(|line| line.3)
                .sum()
        };
        let month = day.format("%Y-%m").to_string();
        let used = Used {
            day: sum(&|line| line.1 == day),
            month: sum(&|line| line.1.format("%Y-%m").to_string() == month),
            item: sum(&|line| item.is_some() && line.2 == item),
        };
        let posting = by_rule(&self.rules, &rule, quantity, self.account, used);
        self.lines.push((event, day, item, posting.points));
        self.take(&posting);
        posting
    }

    fn take(&mut self, posting: &Posting) {
        self.account.balance = posting.balance;
        self.account.frozen |= posting.freezes.is_some();
        self.account.at_floor |= posting.freezes.is_some();
    }

    /// An item is late on these days.
    fn late(&mut self, regime: RegimeKind, days: &[NaiveDate]) -> (i64, u32) {
        let before = self.account.balance;
        let charged = charge(
            &self.rules,
            regime,
            days,
            SoFar::default(),
            self.account,
            &[],
            usize::MAX,
        );
        for line in &charged.lines {
            self.take(&line.posting);
        }
        assert_eq!(before - self.account.balance, charged.so_far.points);
        (charged.so_far.points, charged.so_far.money_days)
    }

    fn thawed(&mut self) -> CreditBand {
        let restart = self.rules.freeze.map(|freeze| freeze.restart);
        let posting = thaw(&self.rules, restart, self.account.balance);
        self.account.frozen = false;
        self.account.at_floor = false;
        self.take(&posting);
        posting.band
    }
}

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, number).expect("a day of March")
}

fn days(count: usize) -> Vec<NaiveDate> {
    day(1).iter_days().take(count).collect()
}

#[test]
fn cn_points_100_from_seven_loans_to_a_freeze_and_back() {
    let mut ledger = Ledger::of("cn-points-100");
    for item in 0..7 {
        ledger.happens(CreditEvent::Loan, day(4), Some(item), 1);
    }
    assert_eq!(ledger.account.balance, 105, "five a day");
    for item in 0..3 {
        ledger.happens(CreditEvent::Overdue, day(10), Some(item), 1);
    }
    assert_eq!(ledger.account.balance, 102);
    for item in 0..6 {
        ledger.happens(CreditEvent::Overdue, day(11), Some(item), 1);
    }
    assert_eq!(ledger.account.balance, 97, "five a day, however many items");
    assert_eq!(ledger.happens(CreditEvent::VolunteerHour, day(12), None, 2).points, 4);
    assert_eq!(ledger.account.balance, 101);
    let mut poor = Ledger::with("cn-points-100", 3);
    let loss = poor.happens(CreditEvent::Loss, day(12), Some(1), 1);
    assert_eq!((loss.points, loss.balance, loss.band), (-3, 0, CreditBand::Frozen));
    assert_eq!(loss.limited_by, [Cap::Floor]);
    assert_eq!(loss.freezes.map(|freeze| freeze.days), Some(30));
    assert_eq!((poor.thawed(), poor.account.balance), (CreditBand::C, 30));
}

#[test]
fn cn_points_100_caps_a_month_an_item_and_the_ceiling() {
    let mut ledger = Ledger::of("cn-points-100");
    for number in 1..=8 {
        for item in 0..5 {
            ledger.happens(CreditEvent::Loan, day(number), Some(item), 1);
        }
    }
    assert_eq!(ledger.account.balance, 130, "thirty a month");
    assert_eq!(ledger.rules.band(ledger.account.balance), CreditBand::A);
    let (points, money) = ledger.late(RegimeKind::Points, &days(45));
    assert_eq!(
        (points, money, ledger.account.balance),
        (30, 0, 100),
        "thirty an item, and no money"
    );
    let rich = by_hand(&ledger.rules, 500, ledger.account);
    assert_eq!((rich.balance, rich.limited_by), (200, vec![Cap::Ceiling]));
}

#[test]
fn gz_900_pays_overdue_days_with_points_before_money() {
    let mut ledger = Ledger::of("gz-900");
    assert_eq!(ledger.late(RegimeKind::Hybrid, &days(120)), (100, 20));
    assert_eq!(ledger.account.balance, 800);
    let mut poor = Ledger::with("gz-900", 3);
    assert_eq!(poor.late(RegimeKind::Hybrid, &days(5)), (3, 2));
    assert!(!poor.account.frozen, "nobody is frozen for points");
    let mut keen = Ledger::of("gz-900");
    for item in 0..60 {
        keen.happens(CreditEvent::Loan, day(4), Some(item), 1);
        keen.happens(CreditEvent::Renewal, day(4), Some(item), 1);
    }
    assert_eq!(keen.account.balance, 980, "loans and renewals share eighty a day");
    let activity = keen.happens(CreditEvent::Attendance, day(4), None, 50);
    assert_eq!((activity.points, activity.limited_by), (30, vec![Cap::PerDay]));
}

#[test]
fn qz_300_freezes_for_twenty_days() {
    let mut ledger = Ledger::of("qz-300");
    for item in 0..12 {
        ledger.happens(CreditEvent::Overdue, day(4), Some(item), 1);
    }
    assert_eq!(ledger.account.balance, 290, "ten a day");
    ledger.happens(CreditEvent::SeriousDamage, day(5), Some(1), 1);
    assert_eq!(ledger.account.balance, 260);
    let mut poor = Ledger::with("qz-300", 5);
    let hold = poor.happens(CreditEvent::HoldNotCollected, day(6), None, 1);
    assert_eq!((hold.balance, hold.band), (0, CreditBand::Frozen));
    assert_eq!(hold.freezes.map(|freeze| freeze.days), Some(20));
    assert_eq!((poor.thawed(), poor.account.balance), (CreditBand::B, 10));
}

#[test]
fn zp_200_ends_a_freeze_by_two_hours_or_a_quiz() {
    let mut ledger = Ledger::of("zp-200");
    for item in 0..4 {
        ledger.happens(CreditEvent::Loan, day(4), Some(item), 1);
    }
    assert_eq!(ledger.account.balance, 203, "three a day");
    assert_eq!(ledger.happens(CreditEvent::Loss, day(4), Some(9), 1).points, -35);
    let mut poor = Ledger::with("zp-200", 35);
    let fall = poor.happens(CreditEvent::SeriousDamage, day(5), Some(1), 1);
    let freeze = fall.freezes.expect("frozen at 0");
    assert_eq!(
        (freeze.days, freeze.hours, freeze.quiz, freeze.restart),
        (60, Some(2), true, 50)
    );
    let hours = poor.happens(CreditEvent::VolunteerHour, day(6), None, 5);
    assert_eq!(
        (hours.points, hours.band),
        (20, CreditBand::Frozen),
        "twenty a day, and frozen until it is lifted"
    );
    assert_eq!((poor.thawed(), poor.account.balance), (CreditBand::B, 50));
}
