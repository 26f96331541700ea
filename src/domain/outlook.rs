//! What rules would make of a loan that exists: for looking at rules before they are published.
//! Not for: deciding, and not for changing anything: a loan keeps its due date whatever the rules become.

use chrono::{DateTime, Days, Utc};

use super::calendar::due;
use super::ids::{RuleId, UnitId};
use super::lending_terms::is_outside_term;
use super::limit::{LimitKind, Usage};
use super::network::Network;
use super::policy::{RenewFrom, Situation, Terms};
use super::refusal::Code;

/// A loan, as far as rules look at it.
#[derive(Debug, Clone, Copy)]
pub struct Lent {
    pub situation: Situation,
    pub loaned_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub renewals: u16,
    /// For use in the reading room.
    pub reading_room: bool,
}

/// What one set of rules says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    pub rule: RuleId,
    pub terms: Terms,
    /// The due date it would have been given on its day, the card's end and waiting readers aside.
    pub first_due_at: DateTime<Utc>,
    /// What a renewal now would make of the due date it has.
    pub renewed_due_at: DateTime<Utc>,
    /// Why the rules would refuse to lend it to this reader now.
    pub lending: Vec<Code>,
    /// Why they would refuse to renew it now.
    pub renewal: Vec<Code>,
}

/// The lowest maximum of each kind that applies.
pub fn tightest(network: &Network, situation: &Situation, usage: &Usage<'_>) -> Vec<(LimitKind, i64)> {
    let lowest = LimitKind::ALL.into_iter().filter_map(|kind| {
        let states = network.limits(situation, &[kind], usage);
        states.iter().map(|state| state.row.max).min().map(|max| (kind, max))
    });
    lowest.collect()
}

/// What the rules of a network make of a loan. `usage` leaves the loan itself out.
pub fn outlook(network: &Network, lent: &Lent, usage: &Usage<'_>) -> Outlook {
    let row = network.winner(&lent.situation);
    let (terms, now) = (row.terms, usage.now);
    let unit: UnitId = lent.situation.unit;
    let reckon = |from, days, now| due(&network.calendar(unit), network.zone(), from, days, None, now).at;
    let from = match terms.renew_from {
        RenewFrom::DueDate => lent.due_at,
        RenewFrom::Today => now,
    };
    let counted = if lent.reading_room {
        LimitKind::ReadingRoom
    } else {
        LimitKind::Loans
    };
    let kinds = [counted, LimitKind::OverdueLoans, LimitKind::DebtFen];
    let mut lending = passed(network, lent, usage, &kinds);
    if !terms.lendable && !lent.reading_room {
        lending.insert(0, Code::NotLendableByRule);
    }
    let mut renewal = passed(network, lent, usage, &[LimitKind::OverdueLoans]);
    renewal.extend(refused_renewal(&terms, lent, now));
    let times = (lent.loaned_at, lent.due_at);
    if is_outside_term(network, &terms.lending, times, now) {
        renewal.push(Code::OutsideFixedTerm);
    }
    let began = network.local_day(lent.loaned_at);
    let loan_days = if lent.reading_room { 0 } else { terms.loan_days };
    let within = |days, from| terms.lending.days(days, network.local_day(from), began);
    Outlook {
        rule: row.id,
        terms,
        first_due_at: reckon(lent.loaned_at, within(loan_days, lent.loaned_at), lent.loaned_at),
        renewed_due_at: reckon(from, within(terms.renewal_days, from), now).max(lent.due_at),
        lending,
        renewal,
    }
}

fn refused_renewal(terms: &Terms, lent: &Lent, now: DateTime<Utc>) -> Option<Code> {
    if !terms.renewable {
        return Some(Code::NotRenewable);
    }
    if lent.renewals >= terms.renewals {
        return Some(Code::RenewalLimit);
    }
    let window = Days::new(u64::from(terms.renew_window_days));
    let opens = lent.due_at.checked_sub_days(window);
    let soon = terms.renew_window_days > 0 && opens.is_some_and(|opens| now < opens);
    soon.then_some(Code::RenewalTooSoon)
}

fn passed(network: &Network, lent: &Lent, usage: &Usage<'_>, kinds: &[LimitKind]) -> Vec<Code> {
    let states = network.limits(&lent.situation, kinds, usage);
    let passed = states.iter().filter(|state| state.is_passed());
    let mut codes: Vec<Code> = passed.map(|state| state.row.code()).collect();
    codes.dedup();
    codes
}
