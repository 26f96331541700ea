//! Suspending and resuming a hold: it sleeps in the queue and keeps its place.
//! Not for: holds a copy is set aside for; nobody may sleep on a captured copy.

use chrono::{DateTime, NaiveDate, Utc};

use super::act::{Act, Findings, Passed};
use super::hold::{HoldFacts, HoldStatus};
use super::ids::ReaderId;
use super::network::Network;
use super::refusal::{Code, Refusals, Verb};

/// Everything the decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    pub hold: &'a HoldFacts,
    /// The caller, when it is a reader: only their own holds.
    pub by_reader: Option<ReaderId>,
    /// The last local day it is wanted.
    pub wanted_until: Option<NaiveDate>,
    pub sleep: Sleep,
}

/// How long it sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sleep {
    /// Until this local day, which it is awake on again.
    Until(NaiveDate),
    UntilResumed,
    /// It is resumed.
    NotAtAll,
}

/// Decides whether a hold may sleep, or wake.
///
/// # Errors
/// The hold has ended, is another reader's, has a copy already, or would sleep until a day that has passed or longer than it is
/// wanted. Source: their rows in the table of [`refusal`](super::refusal).
///
/// ```
/// # use tongjie::domain::example;
/// use tongjie::domain::hold::{HoldFacts, HoldStatus};
/// use tongjie::domain::refusal::Code;
/// use tongjie::domain::suspend_hold::{Facts, Sleep, decide};
/// let world = example::world();
/// let (act, hold) = (world.at_desk(), world.hold());
/// let sleep = Sleep::UntilResumed;
/// let facts = Facts { act: &act, network: &world.network, hold: &hold, by_reader: None, wanted_until: None, sleep };
/// assert!(decide(&facts, world.now).is_ok());
/// let captured = HoldFacts { status: HoldStatus::Captured, ..hold.clone() };
/// let refused = decide(&Facts { hold: &captured, ..facts }, world.now).unwrap_err();
/// assert_eq!(refused.codes(), [Code::HoldAlreadyCaptured]);
/// ```
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Passed, Refusals> {
    let mut found = Findings::new(Verb::ChangeHold, facts.act.channel);
    judge_waiting(&mut found, facts.hold, facts.by_reader);
    if let Sleep::Until(day) = facts.sleep
        && (day <= facts.network.local_day(now) || facts.wanted_until.is_some_and(|last| day > last))
    {
        found.add(Code::HoldDatesInvalid);
    }
    found.subtract(facts.act)
}

/// What only a waiting hold of this reader may do.
pub(super) fn judge_waiting(found: &mut Findings, hold: &HoldFacts, by_reader: Option<ReaderId>) {
    judge_open(found, hold, by_reader);
    if hold.status == HoldStatus::Captured {
        found.add(Code::HoldAlreadyCaptured);
    }
}

/// What only an open hold of this reader may do.
pub(super) fn judge_open(found: &mut Findings, hold: &HoldFacts, by_reader: Option<ReaderId>) {
    if !hold.status.is_open() {
        found.add(Code::HoldNotOpen);
    }
    if by_reader.is_some_and(|reader| reader != hold.reader) {
        found.add(Code::HoldOfAnother);
    }
}
