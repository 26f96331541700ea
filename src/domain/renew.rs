//! Renewal: may this loan be extended, and until when.
//! Not for: the nightly automatic renewal, which calls the same decision.

use chrono::{DateTime, Days, Utc};

use super::act::{Act, Findings, Passed};
use super::calendar::due;
use super::ids::{LoanId, RuleId};
use super::item::{ItemFacts, ItemStatus};
use super::judge_item::judge_reading_room;
use super::judge_reader::{judge_account, judge_due_by_hand, judge_limits, moment};
use super::lending_terms::judge_fixed_term;
use super::limit::{LimitKind, Usage};
use super::loan::OpenLoan;
use super::network::Network;
use super::policy::{RenewFrom, Situation, TermsRow};
use super::reader::ReaderFacts;
use super::refusal::{Code, Refusals, Verb};

/// Everything the decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    /// The reader the renewal is for (whose card was used, or who is logged in).
    pub reader: &'a ReaderFacts,
    pub item: &'a ItemFacts,
    pub loan: Option<&'a OpenLoan>,
    pub demand: Demand,
}

/// Who waits for the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Other readers' waiting holds that this copy may fill.
    pub waiting: u32,
    /// Other copies, on a shelf now, that may fill them.
    pub other_copies: u32,
}

/// What the store does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub loan: LoanId,
    pub due_at: DateTime<Utc>,
    /// Given by hand: it need not be an open day, nor within the card.
    pub due_by_hand: bool,
    /// The new number of renewals.
    pub renewals: u16,
    pub rule: RuleId,
    pub rules_version: i64,
    pub passed: Passed,
}

/// Decides a renewal.
///
/// # Errors
/// Every refusal that the caller may not pass, all at once. Source: each refusal's row in the table of
/// [`refusal`](super::refusal); the terms are those of the rule the plan or the refusal names.
///
/// ```
/// # use tongjie::domain::example;
/// use tongjie::domain::loan::OpenLoan;
/// use tongjie::domain::refusal::Code;
/// use tongjie::domain::renew::{decide, Demand, Facts};
/// let world = example::world();
/// let (act, reader, loan) = (world.at_desk(), world.reader(), world.loan());
/// let item = world.item_on_loan(&loan);
/// let demand = Demand::default();
/// let facts = Facts { act: &act, network: &world.network, reader: &reader, item: &item, loan: Some(&loan), demand };
/// // The preset grants one renewal.
/// let plan = decide(&facts, loan.due_at)?;
/// assert!(plan.due_at > loan.due_at);
/// let renewed = OpenLoan { renewals: plan.renewals, ..loan.clone() };
/// let refused = decide(&Facts { loan: Some(&renewed), ..facts }, loan.due_at).unwrap_err();
/// assert_eq!(refused.codes(), [Code::RenewalLimit]);
/// # Ok::<(), tongjie::domain::refusal::Refusals>(())
/// ```
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Plan, Refusals> {
    let Some(loan) = facts.loan else {
        let mut found = Findings::new(Verb::Renew, facts.act.channel);
        judge_account(&mut found, facts.network, facts.reader, now);
        found.add(Code::NotOnLoan);
        return Err(found.refuse(facts.act));
    };
    let (found, plan) = judge(facts, loan, now);
    let passed = found.subtract(facts.act)?;
    Ok(Plan { passed, ..plan })
}

/// Everything that is found, and what would come of it.
pub(super) fn judge(facts: &Facts<'_>, loan: &OpenLoan, now: DateTime<Utc>) -> (Findings, Plan) {
    let Facts {
        act, network, reader, ..
    } = *facts;
    let mut found = Findings::new(Verb::Renew, act.channel);
    judge_account(&mut found, network, reader, now);
    let situation = situation(facts, loan);
    let row = network.winner(&situation);
    judge_loan(&mut found, facts, loan, &row, now);
    let usage = Usage {
        loans: &reader.loans,
        except_loan: Some(loan.id),
        session: None,
        now,
        debt_fen: reader.debt_fen,
        holds: reader.open_holds,
        hold_types: &[],
        holds_of_bib: 0,
        holds_today: 0,
    };
    judge_limits(&mut found, network, &situation, &[LimitKind::OverdueLoans], &usage);
    let (due_at, due_by_hand) = judge_due(&mut found, facts, loan, &row, now);
    let plan = Plan {
        loan: loan.id,
        due_at,
        due_by_hand,
        renewals: loan.renewals.saturating_add(1),
        rule: row.id,
        rules_version: network.rules().version,
        passed: Passed::default(),
    };
    (found, plan)
}

/// The place and channel of the loan decide, not those of the renewal.
pub(super) fn situation(facts: &Facts<'_>, loan: &OpenLoan) -> Situation {
    Situation {
        unit: loan.unit,
        category: loan.category,
        item_type: facts.item.item_type,
        owner: facts.item.owner,
        channel: loan.channel,
        band: facts.reader.band,
    }
}

fn judge_loan(found: &mut Findings, facts: &Facts<'_>, loan: &OpenLoan, row: &TermsRow, now: DateTime<Utc>) {
    let (network, terms, demand) = (facts.network, &row.terms, facts.demand);
    if loan.reader != facts.reader.id {
        found.add(Code::LoanOfAnother);
    }
    match facts.item.status {
        ItemStatus::ClaimedReturned => {
            found.add(Code::ItemClaimedReturned);
        }
        ItemStatus::Lost => {
            found.add(Code::ItemLost);
        }
        _ => {}
    }
    judge_reading_room(found, facts.item, loan.reading_room);
    if loan.unconfirmed {
        found.add(Code::LoanUnconfirmed);
    }
    if let Some(since) = loan.recalled_at {
        found.add(Code::Recalled).with("since", moment(network, since));
    }
    if !terms.renewable {
        found.add(Code::NotRenewable).by(row.id);
    } else if loan.renewals >= terms.renewals {
        found
            .add(Code::RenewalLimit)
            .by(row.id)
            .with("count", loan.renewals)
            .with("max", terms.renewals);
    }
    let opens = loan
        .due_at
        .checked_sub_days(Days::new(u64::from(terms.renew_window_days)));
    if let Some(from) = opens.filter(|from| terms.renew_window_days > 0 && now < *from) {
        found
            .add(Code::RenewalTooSoon)
            .by(row.id)
            .with("from", moment(network, from));
    }
    if loan.due_at < now {
        found
            .add(Code::LoanOverdue)
            .with("due_at", moment(network, loan.due_at));
    }
    if demand.waiting > demand.other_copies {
        found.add(Code::WantedByOthers).with("count", demand.waiting);
    }
}

/// The new due date, never earlier than the old one, and whether it was given by hand.
fn judge_due(
    found: &mut Findings,
    facts: &Facts<'_>,
    loan: &OpenLoan,
    row: &TermsRow,
    now: DateTime<Utc>,
) -> (DateTime<Utc>, bool) {
    let Facts {
        act, network, reader, ..
    } = *facts;
    if let Some(by_hand) = judge_due_by_hand(found, act, network, now) {
        return (by_hand, true);
    }
    let terms = &row.terms;
    let from = match terms.renew_from {
        RenewFrom::DueDate => loan.due_at,
        RenewFrom::Today => now,
    };
    let days = terms.lending.days(
        terms.renewal_days,
        network.local_day(from),
        network.local_day(loan.loaned_at),
    );
    let calendar = network.calendar(loan.unit);
    let due = due(&calendar, network.zone(), from, days, reader.card.expires_on, now);
    if let Some(end) = reader.card.expires_on.filter(|_| due.capped_by_card) {
        found.add(Code::CardExpiresBeforeDue).with("expires_on", end);
    }
    let outside = judge_fixed_term(found, network, row, (loan.loaned_at, loan.due_at), now);
    if due.at <= loan.due_at && !outside {
        found.add(Code::NotLater).with("due_at", moment(network, due.at));
    }
    (due.at.max(loan.due_at), false)
}
