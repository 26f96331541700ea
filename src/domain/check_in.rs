//! Check-in: a returned book is never left nowhere.
//! Not for: overdue consequences in points or money, printing the slip.

use chrono::{DateTime, Utc};

use super::act::{Act, Findings, Passed};
use super::hold::HoldCandidate;
use super::ids::{HoldId, LoanId, TransitId, UnitId};
use super::item::{ItemFacts, ItemStatus, ReturnPolicy, TransitReason};
use super::judge_item::judge_bound;
use super::judge_reader::{moment, unit_name};
use super::loan::OpenLoan;
use super::network::Network;
use super::reader::ReaderStatus;
use super::refusal::{Code, Refusal, Refusals, Verb};
use super::route::{Capture, NextStep, Routed, Waiting, route, send_home};

/// Everything the decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    pub item: &'a ItemFacts,
    /// The open loan of this item.
    pub loan: Option<&'a OpenLoan>,
    /// The first waiting hold this copy may fill; see [`may_fill`](super::hold::may_fill).
    pub next_hold: Option<&'a HoldCandidate>,
    /// The number the hold shelf of this unit would give next.
    pub next_shelf_number: u32,
    /// When it was really returned: earlier than now for a book drop.
    pub returned_at: DateTime<Utc>,
}

/// What the store does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub closes_loan: Option<ClosesLoan>,
    pub transit: TransitEffect,
    /// The hold that gets this item now, or its place on the hold shelf now that it has arrived.
    pub capture: Option<Capture>,
    /// A captured hold that loses this item (it went to an exception) and waits again.
    pub releases_hold: Option<HoldId>,
    /// Exactly one thing to do with the item. `Crate` opens a transit unless `transit` is `Keeps`.
    pub next_step: NextStep,
    pub item_status: ItemStatus,
    /// The item's current unit from now on.
    pub current: UnitId,
    /// Counted as used in the unit: it was not on loan.
    pub local_use: bool,
    /// The same scan again within [`REPEAT_WINDOW_SECONDS`]: the same answer, and there is nothing to store. Where the
    /// answer has changed meanwhile (somebody began to wait), it is false and the plan is carried out.
    pub repeated: bool,
    /// Alerts are `passed.notices`.
    pub passed: Passed,
}

/// The loan that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosesLoan {
    pub loan: LoanId,
    pub returned_at: DateTime<Utc>,
    /// Open days of the lending unit after the due date; closed days are excluded.
    pub overdue_days: u32,
}

/// What becomes of the open journey of the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransitEffect {
    /// There is none.
    None,
    /// It arrived where it was going.
    Received(TransitId),
    /// It turned up elsewhere, or is not needed any more: the old journey is cancelled.
    Repaired(TransitId),
    /// It is still waiting here for the same crate.
    Keeps(TransitId),
}

/// A second scan of an item within so many seconds of its last event is taken for the same act.
pub const REPEAT_WINDOW_SECONDS: i64 = 60;

/// Decides a check-in.
///
/// # Errors
/// Only at a staffed channel: everything that staff have not confirmed or overridden. Unattended channels never
/// refuse: what would have refused becomes a notice, and the item goes to an exception, or home if it is only that
/// it may not be returned here. Source: each refusal's row in the table of [`refusal`](super::refusal); where the item goes,
/// the hold it is captured for or the return policy of its collection.
///
/// ```
/// # use tongjie::domain::example;
/// use tongjie::domain::check_in::{decide, Facts};
/// use tongjie::domain::route::NextStep;
/// let world = example::world();
/// // The item is on loan and comes back at its home unit, on the last minute of its due date.
/// let loan = world.loan();
/// let item = world.item_on_loan(&loan);
/// let act = world.at_desk();
/// let facts = Facts {
///     act: &act, network: &world.network, item: &item, loan: Some(&loan), next_hold: None,
///     next_shelf_number: 1, returned_at: loan.due_at,
/// };
/// let plan = decide(&facts, loan.due_at)?;
/// assert_eq!(plan.closes_loan.map(|closes| closes.overdue_days), Some(0));
/// assert_eq!(plan.next_step, NextStep::ShelfHere { collection: None });
/// # Ok::<(), tongjie::domain::refusal::Refusals>(())
/// ```
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Plan, Refusals> {
    let mut found = Findings::new(Verb::CheckIn, facts.act.channel);
    let soon = is_scanned_again(facts, now);
    let closes_loan = closes_loan(&mut found, facts, now);
    judge_item(&mut found, facts);
    tell(&mut found, facts, soon);
    let (mut passed, refused) = if facts.act.channel.is_staffed() {
        (found.subtract(facts.act)?, Vec::new())
    } else {
        found.tell(facts.act)
    };
    let routed = going_on(facts, next(facts, &refused, now));
    let transit = transit_effect(facts, &routed);
    passed.notices.extend(told_after(facts, &routed, transit));
    let excepted = matches!(routed.next_step, NextStep::Exception { .. });
    Ok(Plan {
        closes_loan,
        transit,
        capture: routed.capture,
        releases_hold: facts
            .item
            .captured_for
            .as_ref()
            .filter(|_| excepted)
            .map(|hold| hold.id),
        next_step: routed.next_step,
        item_status: routed.status,
        current: facts.act.unit,
        local_use: is_local_use(facts) && !soon,
        repeated: soon && changes_nothing(facts, &routed, transit),
        passed,
    })
}

/// The loan ends when the item was really returned: not before it was lent, not after now.
fn closes_loan(found: &mut Findings, facts: &Facts<'_>, now: DateTime<Utc>) -> Option<ClosesLoan> {
    let loan = facts.loan?;
    let returned_at = facts.returned_at.min(now).max(loan.loaned_at);
    if returned_at != facts.returned_at {
        let shown = moment(facts.network, returned_at);
        found.add(Code::ReturnTimeAdjusted).with("returned_at", shown);
    }
    let overdue_days = overdue_days(facts.network, loan, returned_at);
    if overdue_days > 0 {
        found.add(Code::ReturnedOverdue).with("days", overdue_days);
    }
    if loan.reader_status == ReaderStatus::Suspended {
        found.add(Code::ReaderSuspended);
    }
    if loan.recalled_at.is_some() {
        found.add(Code::RecallMatched);
    }
    Some(ClosesLoan {
        loan: loan.id,
        returned_at,
        overdue_days,
    })
}

/// Open days of the lending unit from the due date (not counted) to the day of the return (counted).
pub fn overdue_days(network: &Network, loan: &OpenLoan, returned_at: DateTime<Utc>) -> u32 {
    let (due, returned) = (network.local_day(loan.due_at), network.local_day(returned_at));
    network.calendar(loan.unit).overdue_days(due, returned)
}

/// What a staffed desk may refuse.
fn judge_item(found: &mut Findings, facts: &Facts<'_>) {
    let (network, item, unit) = (facts.network, facts.item, facts.act.unit);
    if network.unit(unit).is_none() {
        found.add(Code::UnitUnknown).with("unit", unit.get());
    }
    if facts.loan.is_some() && !is_returnable(network, item, unit) {
        found
            .add(Code::NotReturnableHere)
            .with("home", unit_name(network, item.home));
    }
    judge_bound(found, item);
    if item.status == ItemStatus::ClaimedReturned {
        let refusal = found.add(Code::ClaimUnresolved);
        if let Some(at) = facts.loan.and_then(|loan| loan.claimed_returned_at) {
            refusal.with("claimed_at", moment(network, at));
        }
    }
    let looked_at = match item.status {
        ItemStatus::Lost => Some(Code::LostFound),
        // Lost on the road and back again is told, and no more: nobody on the spot can know what became of it.
        ItemStatus::Missing if item.transit.is_some() => None,
        ItemStatus::Missing => Some(Code::MissingFound),
        ItemStatus::Damaged => Some(Code::ItemDamaged),
        ItemStatus::InProcessing => Some(Code::ItemInProcessing),
        ItemStatus::NeedsAttention => Some(Code::ItemNeedsAttention),
        ItemStatus::OnShelf
        | ItemStatus::OnLoan
        | ItemStatus::AwaitingDispatch
        | ItemStatus::InTransit
        | ItemStatus::OnHoldShelf
        | ItemStatus::ClaimedReturned
        | ItemStatus::Withdrawn => None,
    };
    if let Some(code) = looked_at {
        found.add(code);
    }
    if item.parts > 1 && facts.loan.is_some() {
        found.add(Code::CountParts).with("parts", item.parts);
    }
    if let Some(note) = &item.alert_note {
        found.add(Code::ItemAlert).with("note", note.as_str());
    }
}

/// What is told and never refused.
fn tell(found: &mut Findings, facts: &Facts<'_>, soon: bool) {
    let (item, unit) = (facts.item, facts.act.unit);
    if soon {
        found.add(Code::ScannedTwice);
    }
    if item.has_broken_loan() || item.has_broken_journey() {
        found.add(Code::ItemDataFault).with("status", item.status.code());
    }
    match item.status {
        ItemStatus::Withdrawn => {
            found.add(Code::ItemWithdrawn);
        }
        ItemStatus::Missing if item.transit.is_some() => {
            found.add(Code::TransitFound);
        }
        ItemStatus::OnShelf if facts.loan.is_none() => {
            found.add(Code::NotOnLoan);
            if item.current != unit {
                found
                    .add(Code::ItemFoundElsewhere)
                    .with("unit", unit_name(facts.network, item.current));
            } else if unit == item.home {
                found.add(Code::AlreadyOnShelf);
            }
        }
        _ => {}
    }
}

/// Whether a reader may return an item at a unit. The return policy `restricted` keeps it on its own ground.
pub fn is_returnable(network: &Network, item: &ItemFacts, unit: UnitId) -> bool {
    let local = network.is_local(item.owner, item.home, unit);
    let restricted = item.return_policy == ReturnPolicy::Restricted;
    local || (!restricted && network.may_return_at(item.owner, item.home, item.item_type, unit))
}

/// The item has settled here a moment ago.
fn is_scanned_again(facts: &Facts<'_>, now: DateTime<Utc>) -> bool {
    let item = facts.item;
    let seconds = now.signed_duration_since(item.last_event_at).num_seconds();
    let settled = matches!(
        item.status,
        ItemStatus::OnShelf | ItemStatus::OnHoldShelf | ItemStatus::AwaitingDispatch
    );
    let confirmed = item.unscanned.is_none();
    facts.loan.is_none()
        && confirmed
        && settled
        && item.current == facts.act.unit
        && (0..=REPEAT_WINDOW_SECONDS).contains(&seconds)
}

/// The item is already where the routing puts it.
fn changes_nothing(facts: &Facts<'_>, routed: &Routed, transit: TransitEffect) -> bool {
    let rests = matches!(transit, TransitEffect::None | TransitEffect::Keeps(_));
    // A crate without an open journey opens one.
    let boxed = matches!(routed.next_step, NextStep::Crate { .. });
    let packed = !boxed || matches!(transit, TransitEffect::Keeps(_));
    rests && packed && routed.capture.is_none() && routed.status == facts.item.status
}

fn is_local_use(facts: &Facts<'_>) -> bool {
    let item = facts.item;
    let free = item.transit.is_none() && item.captured_for.is_none() && facts.loan.is_none();
    // Fetched or put back by staff, not read by anybody.
    let handled = item.unscanned.is_some() || facts.next_hold.is_some_and(|next| next.pulled);
    free && !handled && item.status == ItemStatus::OnShelf && item.current == facts.act.unit
}

/// The one next step. `refused`: what an unattended channel would have refused.
fn next(facts: &Facts<'_>, refused: &[Code], now: DateTime<Utc>) -> Routed {
    let item = facts.item;
    if item.status == ItemStatus::Withdrawn {
        return except(Code::ItemWithdrawn, ItemStatus::Withdrawn);
    }
    if let Some(reason) = refused.iter().find(|code| **code != Code::NotReturnableHere) {
        return except(*reason, ItemStatus::NeedsAttention);
    }
    if refused.contains(&Code::NotReturnableHere) {
        return send_home(item);
    }
    let waiting = Waiting {
        next_hold: facts.next_hold,
        next_shelf_number: facts.next_shelf_number,
        scanned: true,
        now,
    };
    route(
        facts.network,
        item,
        item.captured_for.as_ref(),
        facts.act.unit,
        &waiting,
    )
}

/// A scan between its two ends does not change where an item was ordered to go, unless a hold wants it; any other
/// journey that came apart goes on as a redirect.
fn going_on(facts: &Facts<'_>, routed: Routed) -> Routed {
    let here = facts.act.unit;
    let Some(open) = facts.item.transit.as_ref().filter(|open| open.to != here) else {
        return routed;
    };
    // The deposit it was on its way into has been called back meanwhile.
    let called_back = facts.item.is_recalled_from_deposit() && open.to != facts.item.home;
    if called_back && open.reason == TransitReason::Rotation {
        return routed;
    }
    let strayed = open.from != here || open.status.is_under_way();
    let step = match routed.next_step {
        NextStep::ShelfHere { .. } | NextStep::Crate { hold: None, .. } if open.reason.is_ordered() => {
            NextStep::Crate {
                to: open.to,
                reason: open.reason,
                hold: None,
            }
        }
        NextStep::Crate { to, hold, .. } if strayed || (open.reason == TransitReason::Redirect && to == open.to) => {
            NextStep::Crate {
                to,
                reason: TransitReason::Redirect,
                hold,
            }
        }
        _ => return routed,
    };
    Routed {
        next_step: step,
        status: ItemStatus::AwaitingDispatch,
        capture: routed.capture,
    }
}

const fn except(reason: Code, status: ItemStatus) -> Routed {
    Routed {
        next_step: NextStep::Exception { reason },
        status,
        capture: None,
    }
}

fn transit_effect(facts: &Facts<'_>, routed: &Routed) -> TransitEffect {
    let Some(open) = &facts.item.transit else {
        return TransitEffect::None;
    };
    if open.to == facts.act.unit {
        return TransitEffect::Received(open.id);
    }
    let waits_here = open.from == facts.act.unit && facts.item.status == ItemStatus::AwaitingDispatch;
    match routed.next_step {
        NextStep::Crate { to, reason, .. } if waits_here && to == open.to && reason == open.reason => {
            TransitEffect::Keeps(open.id)
        }
        _ => TransitEffect::Repaired(open.id),
    }
}

/// What is known only once the item has been routed.
fn told_after(facts: &Facts<'_>, routed: &Routed, transit: TransitEffect) -> Vec<Refusal> {
    let mut found = Findings::new(Verb::CheckIn, facts.act.channel);
    let matched = facts
        .next_hold
        .filter(|next| routed.capture.is_some_and(|capture| capture.hold == next.id));
    if let Some(next) = matched {
        found
            .add(Code::HoldMatched)
            .with("pickup", unit_name(facts.network, next.wish.pickup));
    }
    if let (TransitEffect::Repaired(_), Some(open)) = (transit, &facts.item.transit) {
        found
            .add(Code::TransitRepaired)
            .with("to", unit_name(facts.network, open.to));
    }
    found.told()
}
