//! What a copy itself says against going out, wherever it is asked for.
//! Not for: where it is now, or who waits for it.

use chrono::{DateTime, NaiveDate, Utc};

use super::act::Findings;
use super::event::age_years;
use super::item::{ItemFacts, Lending};
use super::network::Network;
use super::refusal::Code;

/// What its binding says, and the machine that has reserved it for somebody.
pub(super) fn judge_lendable(found: &mut Findings, item: &ItemFacts) {
    judge_binding(found, item);
    if item.open_loan.as_ref().is_some_and(|loan| loan.unconfirmed) {
        found.add(Code::LoanUnconfirmed);
    }
}

/// It is never handed out, or only together with what it is bound into.
fn judge_binding(found: &mut Findings, item: &ItemFacts) {
    if item.lending == Lending::Restricted {
        found.add(Code::ItemRestricted);
    }
    judge_bound(found, item);
}

/// It is bound into another item.
pub(super) fn judge_bound(found: &mut Findings, item: &ItemFacts) {
    if let Some(host) = item.bound_into {
        found.add(Code::PartOfBoundSet).with("host", host.get());
    }
}

/// It does not leave the reading room, or was lent for use there.
pub(super) fn judge_reading_room(found: &mut Findings, item: &ItemFacts, in_use_there: bool) {
    if in_use_there || item.lending == Lending::ReadingRoom {
        found.add(Code::ReadingRoomOnly);
    }
}

/// It has a lowest age, and the reader is younger or of no known age.
pub(super) fn judge_age(
    found: &mut Findings,
    network: &Network,
    item: &ItemFacts,
    birth_date: Option<NaiveDate>,
    now: DateTime<Utc>,
) {
    let Some(min) = item.min_age_years.filter(|min| *min > 0) else {
        return;
    };
    let today = network.local_day(now);
    let code = match birth_date.map(|born| age_years(born, today)) {
        None => Code::AgeUnknown,
        Some(Some(age)) if age >= u32::from(min) => return,
        Some(_) => Code::BelowAge,
    };
    found.add(code).with("min_age", u16::from(min));
}
