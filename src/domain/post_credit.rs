//! What a posting to a reader's ledger comes to: caps, floor and ceiling, the band afterwards, and whether the reader is frozen for it.
//! Not for: overdue days (see `overdue_credit`), or who may post what.

use super::credit::{Cap, CreditRule, CreditRules, Programme};
use super::reader::CreditBand;

/// A reader's ledger as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    pub balance: i64,
    /// A freeze is open.
    pub frozen: bool,
    /// One of them is the programme's, for having come to the floor.
    pub at_floor: bool,
}

/// What the events of a rule have moved already: sums of points, whatever their sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    pub day: i64,
    pub month: i64,
    /// Of the same loan.
    pub item: i64,
}

/// One line of the ledger, or none where `points` is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// What the rule or staff said.
    pub asked: i64,
    /// What comes of it.
    pub points: i64,
    pub limited_by: Vec<Cap>,
    /// Afterwards.
    pub balance: i64,
    pub band: CreditBand,
    /// It led to the floor: the reader is frozen by this programme from now on.
    pub freezes: Option<Programme>,
}

/// A posting by a rule, `quantity` times (hours, items, an organiser's points).
///
/// Units: points. There is no error: what caps, floor or ceiling take away is told. Source: the programme's rule.
///
/// ```
/// use tongjie::domain::credit::CreditEvent;
/// use tongjie::domain::credit_rules::{PRESETS, shipped};
/// use tongjie::domain::post_credit::{Account, Used, by_rule};
/// let rules = shipped(PRESETS[0].1).expect("cn-points-100");
/// let rule = rules.rule(CreditEvent::Loan).expect("loans give points");
/// let account = Account { balance: 104, ..Account::default() };
/// assert_eq!(by_rule(&rules, rule, 1, account, Used { day: 4, month: 4, item: 0 }).points, 1);
/// assert_eq!(by_rule(&rules, rule, 1, account, Used { day: 5, month: 5, item: 0 }).points, 0);
/// ```
pub fn by_rule(rules: &CreditRules, rule: &CreditRule, quantity: u32, account: Account, used: Used) -> Posting {
    let asked = rule.points.saturating_mul(quantity.into());
    let caps = [
        (Cap::PerDay, rule.per_day, used.day),
        (Cap::PerMonth, rule.per_month, used.month),
        (Cap::PerItem, rule.per_item, used.item),
    ];
    let mut room = asked.saturating_abs();
    let mut limited_by = Vec::new();
    for (cap, most, used) in caps {
        let left = most.map_or(i64::MAX, |most| most.saturating_sub(used.saturating_abs()).max(0));
        if left < room {
            room = left;
            limited_by.push(cap);
        }
    }
    settle(rules, asked, room * asked.signum(), limited_by, account)
}

/// A posting of so many points by people, or one that undoes another: only floor and ceiling count.
pub fn by_hand(rules: &CreditRules, points: i64, account: Account) -> Posting {
    settle(rules, points, points, Vec::new(), account)
}

/// The line that makes one ledger of two, whose lines stand behind each other already: the second start does not count, and the
/// balance is within its bounds.
///
/// ```
/// # use tongjie::domain::{credit_rules::{PRESETS, shipped}, post_credit::{Account, merge}};
/// # let (_, text) = PRESETS.iter().find(|(name, _)| *name == "cn-points-100").unwrap();
/// let rules = shipped(text).unwrap();
/// // 95 and 110 points: five lost, ten won.
/// let posting = merge(&rules, 100, Account { balance: 205, ..Account::default() });
/// assert_eq!((posting.points, posting.balance), (-100, 105));
/// ```
pub fn merge(rules: &CreditRules, second_start: i64, account: Account) -> Posting {
    let wished = account.balance.saturating_sub(second_start);
    let within = wished.min(rules.ceiling.unwrap_or(i64::MAX)).max(rules.floor);
    by_hand(rules, within.saturating_sub(account.balance), account)
}

/// The first line of a ledger: the programme's start. Who had another band before there was a ledger keeps it, with the lowest balance it
/// begins at.
pub fn opening(rules: &CreditRules, band: CreditBand) -> i64 {
    let own = rules.bands.iter().find(|row| row.band == band);
    match own {
        Some(row) if rules.band(rules.start) != band => row.from.max(rules.floor.saturating_add(1)),
        _ => rules.start,
    }
}

/// The end of a freeze by a programme, when no other freeze is open: the balance it begins with again.
pub fn thaw(rules: &CreditRules, restart: Option<i64>, balance: i64) -> Posting {
    let points = restart.map_or(0, |restart| (restart - balance).max(0));
    let account = Account {
        balance,
        ..Account::default()
    };
    by_hand(rules, points, account)
}

fn settle(rules: &CreditRules, asked: i64, points: i64, mut limited_by: Vec<Cap>, account: Account) -> Posting {
    let before = account.balance;
    let wished = before.saturating_add(points);
    // Rules may have changed: a balance outside its bounds is left where it is, never moved the other way.
    let balance = if points < 0 {
        wished.max(rules.floor.min(before))
    } else {
        wished.min(rules.ceiling.unwrap_or(i64::MAX).max(before))
    };
    if balance != wished {
        limited_by.push(if points < 0 { Cap::Floor } else { Cap::Ceiling });
    }
    let moved = balance - before;
    // Also beside another freeze: that one may end first.
    let freezes = rules
        .freeze
        .filter(|_| !account.at_floor && moved < 0 && balance <= rules.floor);
    let frozen = account.frozen || freezes.is_some();
    Posting {
        asked,
        points: moved,
        limited_by,
        balance,
        band: if frozen {
            CreditBand::Frozen
        } else {
            rules.band(balance)
        },
        freezes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credit::CreditEvent;
    use crate::domain::credit_rules::preset;

    fn account(balance: i64) -> Account {
        Account {
            balance,
            ..Account::default()
        }
    }

    #[test]
    fn the_tightest_cap_decides_and_every_one_that_took_something_is_told() {
        let rules = preset("cn-points-100");
        let rule = rules.rule(CreditEvent::Overdue).expect("a rule");
        let used = Used {
            day: -3,
            month: -40,
            item: -29,
        };
        let posting = by_rule(&rules, rule, 4, account(100), used);
        assert_eq!((posting.asked, posting.points), (-4, -1));
        assert_eq!(posting.limited_by, [Cap::PerDay, Cap::PerItem]);
        let none = by_rule(&rules, rule, 1, account(100), Used { day: -9, ..used });
        assert_eq!(
            (none.points, none.balance),
            (0, 100),
            "more than the cap was used under older rules"
        );
    }

    #[test]
    fn a_balance_outside_its_bounds_never_moves_the_wrong_way() {
        let rules = preset("cn-points-100");
        assert_eq!(by_hand(&rules, 5, account(250)).balance, 250);
        assert_eq!(by_hand(&rules, -5, account(250)).balance, 245);
        assert_eq!(by_hand(&rules, -5, account(-20)).balance, -20);
        assert_eq!(by_hand(&rules, 5, account(-20)).balance, -15);
    }

    #[test]
    fn the_floor_freezes_once_and_the_thaw_begins_again() {
        let rules = preset("cn-points-100");
        let fall = by_hand(&rules, -10, account(3));
        assert_eq!((fall.points, fall.balance, fall.band), (-3, 0, CreditBand::Frozen));
        assert_eq!(fall.limited_by, [Cap::Floor]);
        assert_eq!(fall.freezes.map(|one| one.days), Some(30));
        let again = by_hand(
            &rules,
            -1,
            Account {
                balance: 1,
                frozen: true,
                at_floor: true,
            },
        );
        assert_eq!((again.points, again.freezes), (-1, None));
        let beside = Account {
            balance: 3,
            frozen: true,
            at_floor: false,
        };
        let fall = by_hand(&rules, -10, beside);
        assert_eq!(
            fall.freezes.map(|one| one.days),
            Some(30),
            "staff's freeze may end before"
        );
        let lifted = thaw(&rules, Some(30), 0);
        assert_eq!((lifted.points, lifted.balance, lifted.band), (30, 30, CreditBand::C));
        assert_eq!(thaw(&rules, Some(30), 45).points, 0, "worked meanwhile");
    }

    #[test]
    fn a_ledger_opens_in_the_band_its_reader_had() {
        let rules = preset("cn-points-100");
        for (band, points) in [
            (CreditBand::A, 120),
            (CreditBand::B, 100),
            (CreditBand::C, 1),
            (CreditBand::Frozen, 100),
        ] {
            assert_eq!(opening(&rules, band), points, "{}", band.code());
        }
        assert_eq!(
            opening(&preset("gz-900"), CreditBand::A),
            900,
            "a band it does not have"
        );
    }

    #[test]
    fn nothing_overflows() {
        let rules = preset("gz-900");
        for points in [i64::MIN, i64::MAX] {
            for balance in [-1_000_000, 0, 1_000_000] {
                let posting = by_hand(&rules, points, account(balance));
                assert_eq!(posting.balance - balance, posting.points);
            }
        }
    }
}
