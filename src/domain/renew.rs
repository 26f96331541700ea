//! Renewal: may this loan be extended, and until when.
//! Not for: the nightly automatic renewal, which calls the same decision.

use chrono::{DateTime, Utc};

use super::act::{Act, Passed};
use super::ids::{LoanId, RuleId};
use super::item::ItemFacts;
use super::loan::OpenLoan;
use super::network::Network;
use super::reader::ReaderFacts;
use super::refusal::Refusals;

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
    /// Given by hand: invariant 6 does not bind it.
    pub due_by_hand: bool,
    /// The new number of renewals.
    pub renewals: u16,
    pub rule: RuleId,
    pub rules_version: i64,
    pub passed: Passed,
}

/// Decides a renewal.
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Plan, Refusals> {
    let _ = (facts, now);
    todo!()
}
