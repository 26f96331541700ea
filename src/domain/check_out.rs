//! Check-out: may this reader take this item here, until when, and what happens besides.
//! Not for: finding the reader or the item, taking money, opening doors.

use chrono::{DateTime, Utc};

use super::act::{Act, Findings, Passed};
use super::ids::{HoldId, ItemId, LoanId, RuleId, TransitId, UnitId};
use super::item::ItemFacts;
use super::network::Network;
use super::reader::ReaderFacts;
use super::refusal::{Refusals, Verb};

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
    /// Return this loan first (it was on loan; staff confirmed), then lend.
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
        /// Given by hand: invariant 6 does not bind it.
        due_by_hand: bool,
    },
    /// The reader's category is for reading only: local use is counted, no loan is made, the item does not move.
    LocalUse { at: UnitId },
}

/// Decides a check-out.
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Plan, Refusals> {
    let _ = (facts, now, Findings::new(Verb::CheckOut, facts.act.channel));
    todo!()
}
