//! What is wrong with a place, a reader or a card: the same questions at check-out, renewal and hold.
//! Not for: the item, or which kinds of limits count for a verb.

use chrono::{DateTime, Utc};

use super::act::{Act, Findings};
use super::event::age_years;
use super::guardian::needs_consent;
use super::ids::UnitId;
use super::limit::{LimitKind, LimitState, Usage};
use super::money::Fen;
use super::network::Network;
use super::policy::Situation;
use super::reader::{CardFacts, CardStatus, CreditBand, ReaderFacts, ReaderStatus};
use super::refusal::{Code, Value};
use super::unit::Unit;

/// The name people know a unit by, or its id.
pub(super) fn unit_name(network: &Network, unit: UnitId) -> Value {
    network
        .unit(unit)
        .map_or(Value::Number(unit.get()), |unit| Value::from(unit.name.as_str()))
}

/// A moment in the network's zone.
pub(super) fn moment(network: &Network, at: DateTime<Utc>) -> Value {
    Value::moment(network.zone(), at)
}

/// A due date given by hand needs the right, and a confirmation if it lies in the past.
pub(super) fn judge_due_by_hand(
    found: &mut Findings,
    act: &Act,
    network: &Network,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let due_at = act.due_by_hand?;
    if !act.may_set_due {
        found.add(Code::DueWithoutRight);
    }
    if due_at < now {
        found.add(Code::DueInPast).with("due_at", moment(network, due_at));
    }
    Some(due_at)
}

/// The unit of an act: known and in service.
pub(super) fn judge_unit<'n>(found: &mut Findings, network: &'n Network, unit: UnitId) -> Option<&'n Unit> {
    let known = network.unit(unit);
    match known {
        None => {
            found.add(Code::UnitUnknown).with("unit", unit.get());
        }
        Some(place) if !place.active => {
            found.add(Code::UnitInactive).with("unit", place.name.as_str());
        }
        Some(_) => {}
    }
    known
}

/// The reader's account, card and blocks.
pub(super) fn judge_account(found: &mut Findings, network: &Network, reader: &ReaderFacts, now: DateTime<Utc>) {
    match reader.status {
        ReaderStatus::Active => {}
        ReaderStatus::Suspended => {
            found.add(Code::ReaderSuspended);
        }
        ReaderStatus::Inactive => {
            found.add(Code::ReaderInactive);
        }
    }
    judge_card(found, network, &reader.card, now);
    if reader.barred {
        found.add(Code::Barred);
    }
    if let Some(block) = reader
        .block
        .as_ref()
        .filter(|block| block.until.is_none_or(|until| until > now))
    {
        let refusal = found.add(Code::ManualBlock).with("reason", block.reason.as_str());
        if let Some(until) = block.until {
            refusal.with("until", moment(network, until));
        }
    }
    if reader.band == CreditBand::Frozen {
        found.add(Code::CreditFrozen);
    }
    if network.category(reader.category).is_none() {
        found.add(Code::CategoryUnknown).with("category", reader.category.get());
    }
}

/// The card, but for the reader who holds it.
pub(super) fn judge_card(found: &mut Findings, network: &Network, card: &CardFacts, now: DateTime<Utc>) {
    let past_end = card.expires_on.is_some_and(|end| end < network.local_day(now));
    match card.status {
        CardStatus::Applied => {
            found.add(Code::CardNotIssued);
        }
        CardStatus::Lost => {
            found.add(Code::CardLost);
        }
        CardStatus::Replaced => {
            found.add(Code::CardReplaced);
        }
        CardStatus::Cancelled => {
            found.add(Code::CardCancelled);
        }
        CardStatus::Active | CardStatus::Expired => {}
    }
    if card.status == CardStatus::Expired || past_end {
        let refusal = found.add(Code::CardExpired);
        if let Some(end) = card.expires_on {
            refusal.with("expires_on", end);
        }
    }
}

/// A child borrows with a guardian's consent. Reading in the unit needs none.
pub(super) fn judge_consent(found: &mut Findings, network: &Network, reader: &ReaderFacts, now: DateTime<Utc>) {
    let today = network.local_day(now);
    if !reader.reading_only && !reader.consented && needs_consent(reader.birth_date, reader.child, today) {
        found.add(Code::GuardianConsentMissing);
    }
}

/// What staff are told about a reader.
pub(super) fn tell_reader(found: &mut Findings, network: &Network, reader: &ReaderFacts, now: DateTime<Utc>) {
    if let Some(note) = &reader.note {
        found.add(Code::ReaderNote).with("note", note.as_str());
    }
    let age = reader
        .birth_date
        .and_then(|born| age_years(born, network.local_day(now)));
    if let (Some(age), Some(category)) = (age, network.category(reader.category)) {
        let too_young = category.min_age_years.is_some_and(|min| age < u32::from(min));
        let too_old = category.max_age_years.is_some_and(|max| age > u32::from(max));
        if too_young || too_old {
            found
                .add(Code::CategoryOutgrown)
                .with("category", category.name_zh.as_str());
        }
    }
}

/// Adds a refusal for every limit of these kinds that the act would pass, the tightest first.
pub(super) fn judge_limits(
    found: &mut Findings,
    network: &Network,
    situation: &Situation,
    kinds: &[LimitKind],
    usage: &Usage<'_>,
) {
    for state in network
        .limits(situation, kinds, usage)
        .iter()
        .filter(|state| state.is_passed())
    {
        add_limit(found, state);
    }
}

fn add_limit(found: &mut Findings, state: &LimitState<'_>) {
    let refusal = found.add(state.row.code()).by(state.row.id);
    match state.row.kind {
        LimitKind::DebtFen => {
            refusal
                .with("debt", Fen::new(state.count))
                .with("max", Fen::new(state.row.max));
        }
        LimitKind::Loans
        | LimitKind::ReadingRoom
        | LimitKind::OverdueLoans
        | LimitKind::Holds
        | LimitKind::HoldsPerBib
        | LimitKind::HoldsPerDay => {
            refusal.with("count", state.count).with("max", state.row.max);
        }
    }
}
