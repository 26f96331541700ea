//! Cancelling a hold: it leaves the queue, and a copy set aside for it goes on.
//! Not for: holds that expire by themselves; the job calls the same decision and records another status.

use chrono::{DateTime, Utc};

use super::act::{Act, Findings, Passed};
use super::hold::{HoldCandidate, HoldFacts, HoldStatus};
use super::ids::{HoldId, ItemId, ReaderId, TransitId, UnitId};
use super::item::{ItemFacts, ItemStatus};
use super::network::Network;
use super::refusal::{Code, Refusals, Verb};
use super::route::{Capture, NextStep, Waiting, route};
use super::transit::TransitStatus;

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
///
/// # Errors
/// The hold has ended, or is another reader's. Source: their rows in the table of [`refusal`](super::refusal).
///
/// ```
/// # use tongjie::domain::example;
/// use tongjie::domain::cancel_hold::{decide, Facts};
/// use tongjie::domain::hold::{HoldFacts, HoldStatus};
/// use tongjie::domain::refusal::Code;
/// let world = example::world();
/// let (act, hold) = (world.at_desk(), world.hold());
/// let facts = Facts {
///     act: &act, network: &world.network, hold: Some(&hold), by_reader: Some(hold.reader), item: None,
///     next_hold: None, next_shelf_number: 1,
/// };
/// assert_eq!(decide(&facts, world.now)?.hold, hold.id);
/// let filled = HoldFacts { status: HoldStatus::Filled, ..hold.clone() };
/// let refused = decide(&Facts { hold: Some(&filled), ..facts }, world.now).unwrap_err();
/// assert_eq!(refused.codes(), [Code::HoldNotOpen]);
/// # Ok::<(), tongjie::domain::refusal::Refusals>(())
/// ```
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Plan, Refusals> {
    let mut found = Findings::new(Verb::CancelHold, facts.act.channel);
    let Some(hold) = facts.hold.filter(|hold| hold.status.is_open()) else {
        found.add(Code::HoldNotOpen);
        return Err(found.refuse(facts.act));
    };
    if facts.by_reader.is_some_and(|reader| reader != hold.reader) {
        found.add(Code::HoldOfAnother);
    }
    let passed = found.subtract(facts.act)?;
    let item_moves = facts.item.filter(|_| hold.status == HoldStatus::Captured);
    let item_moves = item_moves.and_then(|item| item_moves_on(facts, item, now));
    Ok(Plan {
        hold: hold.id,
        item_moves,
        passed,
    })
}

/// From the hold shelf, or from a crate not yet sent, the item goes to the next hold or where it belongs. On the road
/// it goes on: its arrival decides. In any other status it stays where it is.
fn item_moves_on(facts: &Facts<'_>, item: &ItemFacts, now: DateTime<Utc>) -> Option<ItemMoves> {
    // What lies in a crate already travels with it, as on the road.
    let packed = item
        .transit
        .as_ref()
        .is_some_and(|open| open.status == TransitStatus::Packed);
    if packed || !matches!(item.status, ItemStatus::OnHoldShelf | ItemStatus::AwaitingDispatch) {
        return None;
    }
    let waiting = Waiting {
        next_hold: facts.next_hold,
        next_shelf_number: facts.next_shelf_number,
        now,
    };
    let routed = route(facts.network, item, None, item.current, &waiting);
    Some(ItemMoves {
        item: item.id,
        cancels_transit: item.transit.as_ref().map(|transit| transit.id),
        capture: routed.capture,
        next_step: routed.next_step,
        item_status: routed.status,
        current: item.current,
    })
}
