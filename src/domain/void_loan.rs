//! Voiding: undoing a loan that never really happened (the door jammed, the tag was not switched).
//! Not a return: it fills no hold, moves no credit and counts in no statistics.

use chrono::{DateTime, Utc};

use super::act::{Act, Passed};
use super::ids::{HoldId, LoanId, UnitId};
use super::item::{CapturedHold, ItemFacts, ItemStatus};
use super::loan::OpenLoan;
use super::network::Network;
use super::refusal::Refusals;

/// How long after the loan it may be voided without a special right.
pub const VOID_WINDOW_MINUTES: u16 = 30;

/// Everything the decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    pub item: &'a ItemFacts,
    pub loan: Option<&'a OpenLoan>,
    /// The hold this loan filled, as it was before.
    pub filled_hold: Option<&'a FilledHold>,
}

/// The hold a loan filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilledHold {
    /// It was waiting in the queue.
    Waiting(HoldId),
    /// This item was set aside for it.
    Captured(CapturedHold),
}

/// What the store does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub loan: LoanId,
    /// On shelf, or on the hold shelf if its own captured hold comes back there.
    pub item_status: ItemStatus,
    pub current: UnitId,
    pub restores_hold: Option<RestoresHold>,
    pub passed: Passed,
}

/// The hold that the loan had filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoresHold {
    /// Back to its old place in the queue.
    Waiting(HoldId),
    /// Captured again with this item, at its old place on the hold shelf.
    Captured(HoldId),
}

/// Decides whether a loan may be voided.
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Plan, Refusals> {
    let _ = (facts, now);
    todo!()
}
