//! Placing a hold: may this reader queue for this bib or item, to be picked up there.
//! Not for: capturing (see `check_in`) or ordering the queue.

use chrono::{DateTime, NaiveDate, Utc};

use super::act::{Act, Passed};
use super::hold::{CopyFacts, Target};
use super::ids::{BibId, HoldId, ItemId, RuleId, UnitId};
use super::network::Network;
use super::reader::ReaderFacts;
use super::refusal::Refusals;

/// Everything the decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    pub reader: &'a ReaderFacts,
    pub bib: BibId,
    /// The chosen copy, or `None` for any copy of the bib.
    pub item: Option<ItemId>,
    /// All copies of the bib.
    pub copies: &'a [CopyFacts],
    pub pickup: UnitId,
    pub existing: Existing,
    /// Holds this reader placed today, local day, whatever became of them.
    pub holds_today: u32,
    /// Waiting holds on the same target.
    pub queue_length: u32,
    /// The hold sleeps until this local day.
    pub not_before: Option<NaiveDate>,
    /// The last local day the reader still wants it.
    pub wanted_until: Option<NaiveDate>,
}

/// Open holds of the same reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Existing {
    /// On exactly the same target (the database refuses a second one).
    pub same_target: Option<HoldId>,
    /// Open holds on this bib or any copy of it, the same target included.
    pub of_bib: u32,
}

/// What the store does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub target: Target,
    pub pickup: UnitId,
    /// Place in the queue, from 1.
    pub position: u32,
    pub not_before: Option<NaiveDate>,
    pub wanted_until: Option<NaiveDate>,
    /// The row of terms under which the best copy would be held.
    pub rule: RuleId,
    pub rules_version: i64,
    pub passed: Passed,
}

/// Decides whether a hold may be placed.
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Plan, Refusals> {
    let _ = (facts, now);
    todo!()
}
