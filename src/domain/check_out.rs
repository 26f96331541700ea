//! Check-out: may this reader take this item here, until when, and what happens besides.
//! Not for: finding the reader or the item, taking money, opening doors.

use chrono::{DateTime, Utc};

use super::act::{Act, Findings, Passed};
use super::calendar::due;
use super::check_in::is_returnable;
use super::entry_gate::judge_entry;
use super::ids::{HoldId, ItemId, LoanId, RuleId, TransitId, UnitId};
use super::item::{ItemFacts, ItemStatus};
use super::judge_item::{judge_age, judge_lendable, judge_reading_room};
use super::judge_reader::{
    judge_account, judge_consent, judge_due_by_hand, judge_limits, judge_unit, moment, tell_reader, unit_name,
};
use super::lending_terms::judge_copies_to_holds;
use super::limit::{LimitKind, Usage};
use super::network::Network;
use super::policy::{Situation, Terms, TermsRow};
use super::reader::ReaderFacts;
use super::refusal::{Code, Refusals, Verb};

/// Everything the decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    pub reader: &'a ReaderFacts,
    pub item: &'a ItemFacts,
    pub demand: Demand,
}

/// Who else waits for the bib.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Other readers' open waiting holds that this item could fill.
    pub waiting_for_bib: u32,
    /// Copies in circulation that could do as well as this one, itself included; only read where the terms ask for it.
    pub copies: u32,
    /// This reader's own open hold that this item could fill.
    pub own_hold: Option<OwnHold>,
}

/// The reader's own open hold on this bib or item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnHold {
    pub id: HoldId,
    /// The item set aside for it, if any: this one or another copy.
    pub captured_item: Option<ItemId>,
}

/// What the store does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub effect: Effect,
    /// The row of terms that won, and the version of the rules.
    pub rule: RuleId,
    pub rules_version: i64,
    /// Return this loan first (it was on loan; staff confirmed), then lend. How late it is says
    /// [`overdue_days`](super::check_in::overdue_days).
    pub returns_first: Option<LoanId>,
    /// The reader's hold that is filled.
    pub fills_hold: Option<HoldId>,
    /// Another reader's captured hold that loses this item and waits again.
    pub releases_hold: Option<HoldId>,
    /// The journey that ends here.
    pub completes_transit: Option<TransitId>,
    pub passed: Passed,
}

/// A loan, or only a line in the statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Loan {
        due_at: DateTime<Utc>,
        /// Given by hand: it need not be an open day, nor within the card.
        due_by_hand: bool,
        /// For use in the reading room.
        reading_room: bool,
    },
    /// The reader's category is for reading only: local use is counted, no loan is made, the item does not move.
    LocalUse { at: UnitId },
}

/// Decides a check-out.
///
/// # Errors
/// Every refusal that the caller may not pass, all at once. Source: each refusal's row in the table of
/// [`refusal`](super::refusal); the terms and limits are the rules the plan or the refusal names.
///
/// ```
/// # use tongjie::domain::example;
/// use tongjie::domain::check_out::{decide, Demand, Effect, Facts};
/// use tongjie::domain::refusal::Code;
/// let world = example::world();
/// let (act, item) = (world.at_desk(), world.item());
/// // Nine on loan: the tenth is the last one an adult in band B may take.
/// let reader = world.reader_with_loans(9);
/// let facts = Facts { act: &act, network: &world.network, reader: &reader, item: &item, demand: Demand::default() };
/// let plan = decide(&facts, world.now)?;
/// assert!(matches!(plan.effect, Effect::Loan { due_at, .. } if due_at > world.now));
/// let full = world.reader_with_loans(10);
/// let refused = decide(&Facts { reader: &full, ..facts }, world.now).unwrap_err();
/// assert_eq!(refused.codes(), [Code::LimitCreditBand]);
/// # Ok::<(), tongjie::domain::refusal::Refusals>(())
/// ```
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Plan, Refusals> {
    let (found, judged) = judge(facts, now);
    Ok(plan(facts, judged, found.subtract(facts.act)?))
}

/// The effect and the terms that decide it.
pub(super) type Judged = (Effect, TermsRow);

/// Everything that is found, and what would come of it.
pub(super) fn judge(facts: &Facts<'_>, now: DateTime<Utc>) -> (Findings, Judged) {
    let Facts {
        act, network, reader, ..
    } = *facts;
    let mut found = Findings::new(Verb::CheckOut, act.channel);
    let situation = situation(facts);
    let row = network.winner(&situation);
    judge_place(&mut found, facts);
    judge_account(&mut found, network, reader, now);
    judge_entry(&mut found, network, reader);
    judge_consent(&mut found, network, reader, now);
    tell_reader(&mut found, network, reader, now);
    judge_state(&mut found, facts, now);
    judge_lendable(&mut found, facts.item);
    judge_keepers(&mut found, facts);
    let effect = if reader.reading_only {
        Effect::LocalUse { at: act.unit }
    } else {
        judge_lending(&mut found, facts, &row, now);
        let usage = usage(facts, now);
        let reading_room = row.terms.lending.is_reading_room_use(facts.item);
        let counted = if reading_room {
            LimitKind::ReadingRoom
        } else {
            LimitKind::Loans
        };
        let kinds = [counted, LimitKind::OverdueLoans, LimitKind::DebtFen];
        judge_limits(&mut found, network, &situation, &kinds, &usage);
        let (due_at, due_by_hand) = judge_due(&mut found, facts, &row.terms, now);
        Effect::Loan {
            due_at,
            due_by_hand,
            reading_room,
        }
    };
    (found, (effect, row))
}

/// What the store does about it.
pub(super) fn plan(facts: &Facts<'_>, (effect, row): Judged, passed: Passed) -> Plan {
    let (item, reader) = (facts.item, facts.reader);
    let lent = matches!(effect, Effect::Loan { .. });
    let other = item.captured_for.as_ref().filter(|hold| hold.reader != reader.id);
    Plan {
        effect,
        rule: row.id,
        rules_version: facts.network.rules().version,
        returns_first: item.open_loan.as_ref().filter(|_| lent).map(|loan| loan.id),
        fills_hold: fills_hold(facts).filter(|_| lent),
        releases_hold: other.filter(|_| lent).map(|hold| hold.id),
        completes_transit: item.transit.as_ref().filter(|_| lent).map(|transit| transit.id),
        passed,
    }
}

/// What the terms of the loan are looked up for.
pub fn situation(facts: &Facts<'_>) -> Situation {
    Situation {
        unit: facts.act.unit,
        category: facts.reader.category,
        item_type: facts.item.item_type,
        owner: facts.item.owner,
        channel: facts.act.channel,
        band: facts.reader.band,
    }
}

fn usage<'a>(facts: &Facts<'a>, now: DateTime<Utc>) -> Usage<'a> {
    Usage {
        loans: &facts.reader.loans,
        except_loan: facts.item.open_loan.as_ref().map(|loan| loan.id),
        session: facts.act.session,
        now,
        debt_fen: facts.reader.debt_fen,
        holds: facts.reader.open_holds,
        hold_types: &[],
        holds_of_bib: 0,
        holds_today: 0,
    }
}

fn judge_place(found: &mut Findings, facts: &Facts<'_>) {
    let Some(unit) = judge_unit(found, facts.network, facts.act.unit) else {
        return;
    };
    if !unit.lends {
        found.add(Code::UnitDoesNotLend).with("unit", unit.name.as_str());
    }
    if facts.reader.child && unit.adult_only {
        found.add(Code::AdultOnlyUnit).with("unit", unit.name.as_str());
    }
}

/// What the item's status and records say.
fn judge_state(found: &mut Findings, facts: &Facts<'_>, now: DateTime<Utc>) {
    let (network, item) = (facts.network, facts.item);
    if now < item.last_event_at {
        let shown = moment(network, item.last_event_at);
        found.add(Code::OlderThanLastEvent).with("last_event_at", shown);
    }
    if item.has_broken_loan() || item.has_broken_journey() {
        found.add(Code::ItemDataFault).with("status", item.status.code());
    }
    let code = match item.status {
        ItemStatus::InProcessing => Some(Code::ItemInProcessing),
        ItemStatus::Damaged => Some(Code::ItemDamaged),
        ItemStatus::NeedsAttention => Some(Code::ItemNeedsAttention),
        ItemStatus::Missing => Some(Code::ItemMissing),
        ItemStatus::Lost => Some(Code::ItemLost),
        ItemStatus::ClaimedReturned => Some(Code::ItemClaimedReturned),
        ItemStatus::Withdrawn => Some(Code::ItemWithdrawn),
        ItemStatus::OnShelf
        | ItemStatus::OnLoan
        | ItemStatus::AwaitingDispatch
        | ItemStatus::InTransit
        | ItemStatus::OnHoldShelf => None,
    };
    if let Some(code) = code {
        found.add(code);
    }
    if let Some(note) = &item.alert_note {
        found.add(Code::ItemAlert).with("note", note.as_str());
    }
    let shelved = matches!(item.status, ItemStatus::OnShelf | ItemStatus::OnHoldShelf);
    if shelved && item.current != facts.act.unit {
        found
            .add(Code::ItemFoundElsewhere)
            .with("unit", unit_name(network, item.current));
    }
}

/// Who has the item, or is to get it.
fn judge_keepers(found: &mut Findings, facts: &Facts<'_>) {
    let Facts {
        act,
        network,
        reader,
        item,
        demand,
    } = *facts;
    if let Some(transit) = item.transit.as_ref().filter(|transit| transit.to != act.unit) {
        found
            .add(Code::ItemInTransit)
            .with("to", unit_name(network, transit.to));
    }
    if let Some(loan) = &item.open_loan {
        if !is_returnable(network, item, act.unit) {
            found
                .add(Code::OnLoanNotReturnableHere)
                .with("owner", unit_name(network, item.owner));
        } else if loan.reader == reader.id {
            found
                .add(Code::OnLoanToSameReader)
                .with("due_at", moment(network, loan.due_at));
        } else {
            found.add(Code::OnLoanToOther);
        }
        if let Some(since) = loan.recalled_at.filter(|_| loan.reader != reader.id) {
            found.add(Code::Recalled).with("since", moment(network, since));
        }
        if demand.waiting_for_bib > 0 {
            found.add(Code::WantedByOthers).with("count", demand.waiting_for_bib);
        }
    } else if demand.waiting_for_bib > 0 {
        found.add(Code::OthersWaiting).with("count", demand.waiting_for_bib);
    }
    match &item.captured_for {
        Some(hold) if hold.reader == reader.id => {}
        Some(hold) if item.status == ItemStatus::OnHoldShelf => {
            let refusal = found.add(Code::HeldOnShelfForOther);
            let left = item.unscanned.and_then(|left| left.number);
            if let Some(number) = hold.shelf_number.or(left) {
                refusal.with("number", number);
            }
        }
        Some(_) => {
            found.add(Code::CapturedForOther);
        }
        None => {}
    }
    if fills_hold(facts).is_none() && demand.own_hold.is_some() {
        found.add(Code::OwnHoldElsewhere);
    }
}

/// Whether this reader may borrow this item here at all.
fn judge_lending(found: &mut Findings, facts: &Facts<'_>, row: &TermsRow, now: DateTime<Utc>) {
    let Facts {
        act,
        network,
        reader,
        item,
        ..
    } = *facts;
    let reading_room = row.terms.lending.is_reading_room_use(item);
    if !row.terms.lendable && !reading_room {
        found.add(Code::NotLendableByRule).by(row.id);
    }
    if item.not_for_loan {
        found.add(Code::ItemNotForLoan);
    }
    if !reading_room {
        judge_reading_room(found, item, false);
    }
    judge_copies_to_holds(found, row, &facts.demand, fills_hold(facts).is_some());
    if network.item_types().get(item.item_type).is_none() {
        found.add(Code::ItemTypeUnknown).with("item_type", item.item_type.get());
    }
    if !network.may_lend_at(item.owner, item.home, item.item_type, act.unit) {
        found
            .add(Code::StaysLocal)
            .with("owner", unit_name(network, item.owner));
    }
    if !network.may_borrow_from(reader.home, item.owner, item.item_type) {
        found
            .add(Code::OwnerNotForReader)
            .with("owner", unit_name(network, item.owner));
    }
    if reader.child && !item.for_children {
        found.add(Code::NotForChildren);
    }
    judge_age(found, network, item, reader.birth_date, now);
    let this_loan = item.open_loan.as_ref().map(|loan| loan.id);
    let mut others = reader.loans.iter().filter(|loan| Some(loan.id) != this_loan);
    if others.any(|loan| loan.bib_id == item.bib_id) {
        found.add(Code::BibAlreadyOnLoan);
    }
    if item.parts > 1 {
        found.add(Code::CountParts).with("parts", item.parts);
    }
}

/// The due date, and whether it was given by hand.
fn judge_due(found: &mut Findings, facts: &Facts<'_>, terms: &Terms, now: DateTime<Utc>) -> (DateTime<Utc>, bool) {
    let Facts {
        act,
        network,
        reader,
        demand,
        ..
    } = *facts;
    if let Some(by_hand) = judge_due_by_hand(found, act, network, now) {
        return (by_hand, true);
    }
    let wanted = terms.high_demand_holds > 0 && demand.waiting_for_bib >= u32::from(terms.high_demand_holds);
    let days = if wanted {
        terms.loan_days.min(terms.high_demand_days)
    } else {
        terms.loan_days
    };
    if days < terms.loan_days {
        found.add(Code::LoanShortened).with("days", days);
    }
    let today = network.local_day(now);
    let in_room = terms.lending.is_reading_room_use(facts.item);
    let days = if in_room {
        0
    } else {
        terms.lending.days(days, today, today)
    };
    let calendar = network.calendar(act.unit);
    let due = due(&calendar, network.zone(), now, days, reader.card.expires_on, now);
    if let Some(end) = reader.card.expires_on.filter(|_| due.capped_by_card) {
        found.add(Code::CardExpiresBeforeDue).with("expires_on", end);
    }
    (due.at, false)
}

/// The reader's own hold that this loan fills: the one this item is set aside for, else the one that has no copy yet.
fn fills_hold(facts: &Facts<'_>) -> Option<HoldId> {
    let captured = facts
        .item
        .captured_for
        .as_ref()
        .filter(|hold| hold.reader == facts.reader.id);
    let own = facts
        .demand
        .own_hold
        .filter(|own| own.captured_item.is_none_or(|item| item == facts.item.id));
    captured.map(|hold| hold.id).or(own.map(|own| own.id))
}
