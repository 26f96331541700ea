//! Cancelling a hold: it leaves the queue, and a copy set aside for it goes on.
//! Not for: holds that expire by themselves; the job calls the same decision and records another status.

use chrono::{DateTime, Utc};

use super::act::{Act, Passed};
use super::hold::{HoldCandidate, HoldFacts};
use super::ids::{HoldId, ItemId, ReaderId, TransitId, UnitId};
use super::item::{ItemFacts, ItemStatus};
use super::network::Network;
use super::refusal::Refusals;
use super::route::{Capture, NextStep};

/// Everything the decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    pub hold: Option<&'a HoldFacts>,
    /// The caller, when it is a reader: only their own holds. `None` for staff and jobs.
    pub by_reader: Option<ReaderId>,
    /// The item set aside for the hold.
    pub item: Option<&'a ItemFacts>,
    /// The next waiting hold that item may fill.
    pub next_hold: Option<&'a HoldCandidate>,
    /// The number the hold shelf of the item's current unit would give next.
    pub next_shelf_number: u32,
}

/// What the store does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub hold: HoldId,
    /// What happens to the item set aside; `None` if there is none or it is on the road (its arrival decides).
    pub item_moves: Option<ItemMoves>,
    pub passed: Passed,
}

/// The item goes on, without anybody scanning it now: the step is work for staff of `current`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemMoves {
    pub item: ItemId,
    /// A crate that was not sent yet is called off.
    pub cancels_transit: Option<TransitId>,
    pub capture: Option<Capture>,
    /// `Crate` opens a transit.
    pub next_step: NextStep,
    pub item_status: ItemStatus,
    pub current: UnitId,
}

/// Decides a cancellation.
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Plan, Refusals> {
    let _ = (facts, now);
    todo!()
}
