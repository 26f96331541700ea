//! The life of an item as one declared table: what may be done to it in which state, and what it may be then.
//! Every verb's change of a state is held against it. Not for: who may do it, or where the item goes (see `route`).

use std::fmt;

use chrono::{DateTime, Utc};

use super::hold::HoldCandidate;
use super::ids::{HoldId, TransitId};
use super::item::{ItemFacts, ItemStatus};
use super::network::Network;
use super::route::{Capture, NextStep, Waiting, route};

macro_rules! acts {
    ($($(#[$doc:meta])* $act:ident = $code:literal),* $(,)?) => {
        /// What is done to an item.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ItemAct {$($(#[$doc])* $act),*}

        impl ItemAct {
            /// Every act, in the order of the printed table.
            pub const ALL: &'static [Self] = &[$(Self::$act),*];

            /// The operation, or what else does it, as the docs name it.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$act => $code),* }
            }
        }
    };
}

acts! {
    CheckOut = "checkOut",
    /// Every scan of a return, of an arrival and of something found.
    CheckIn = "checkIn, receiveTransit",
    Void = "voidLoan",
    /// A hold ends or moves on: its copy goes to the next one or home.
    MoveOn = "cancelHold",
    /// The crate has left.
    Dispatch = "sendShipment, loadShipments",
    /// Too long under way: nobody knows where it is.
    GiveUp = "giveUpTransits",
    /// It was to be fetched for a hold.
    RefusePull = "refusePull",
    /// Another home, or another place.
    Move = "moveItem, moveUnit",
    /// Stock that is elsewhere until a day, and comes back.
    Deposit = "createDeposit, recallDeposit",
    ReportMissing = "reportMissing",
    ClaimReturned = "reportClaimedReturned",
    RejectClaim = "rejectClaim",
    DeclareLost = "declareLost",
    ReportDamaged = "reportDamaged",
    FinishRepair = "finishRepair",
    StartProcessing = "startProcessing",
    FinishProcessing = "finishProcessing",
    Withdraw = "withdrawItem",
    Reinstate = "reinstateItem",
}

/// The table: what an item may be after an act; nothing where the act is not possible.
pub const fn leads_to(from: ItemStatus, act: ItemAct) -> &'static [ItemStatus] {
    use ItemStatus::{
        AwaitingDispatch, ClaimedReturned, Damaged, InProcessing, InTransit, Lost, Missing, NeedsAttention,
        OnHoldShelf, OnLoan, OnShelf, Withdrawn,
    };
    const ROUTED: &[ItemStatus] = &[OnShelf, OnHoldShelf, AwaitingDispatch];
    match (act, from) {
        (ItemAct::CheckIn, Withdrawn) => &[Withdrawn],
        (ItemAct::CheckIn, _) => &[OnShelf, OnHoldShelf, AwaitingDispatch, NeedsAttention],
        (ItemAct::CheckOut, Withdrawn) => &[],
        (ItemAct::CheckOut, _) => &[OnLoan],
        (ItemAct::Void, OnLoan | ClaimedReturned) => &[OnShelf, OnHoldShelf],
        (ItemAct::MoveOn, OnHoldShelf | AwaitingDispatch)
        | (ItemAct::FinishRepair, Damaged)
        | (ItemAct::FinishProcessing, InProcessing) => ROUTED,
        (ItemAct::Dispatch, AwaitingDispatch) => &[InTransit],
        (ItemAct::GiveUp, AwaitingDispatch | InTransit) => &[Missing],
        (ItemAct::RefusePull, OnShelf) => &[Missing, Damaged],
        (ItemAct::Move, AwaitingDispatch | InTransit) => &[OnShelf],
        (ItemAct::Move, OnShelf) | (ItemAct::Deposit, OnShelf | AwaitingDispatch) => &[OnShelf, AwaitingDispatch],
        (
            ItemAct::ReportMissing,
            OnShelf | OnHoldShelf | AwaitingDispatch | InTransit | InProcessing | Damaged | NeedsAttention,
        ) => &[Missing],
        (ItemAct::ClaimReturned, OnLoan | NeedsAttention) => &[ClaimedReturned],
        (ItemAct::RejectClaim, ClaimedReturned) => &[OnLoan],
        (ItemAct::DeclareLost, OnLoan | ClaimedReturned | Missing) => &[Lost],
        (ItemAct::ReportDamaged, OnShelf | OnHoldShelf | AwaitingDispatch | InProcessing | NeedsAttention) => {
            &[Damaged]
        }
        (ItemAct::StartProcessing, OnShelf | Damaged | NeedsAttention) | (ItemAct::Reinstate, Withdrawn) => {
            &[InProcessing]
        }
        (ItemAct::Withdraw, OnShelf | InProcessing | Damaged | NeedsAttention | Missing | Lost) => &[Withdrawn],
        (
            ItemAct::Void
            | ItemAct::MoveOn
            | ItemAct::Dispatch
            | ItemAct::GiveUp
            | ItemAct::RefusePull
            | ItemAct::Move
            | ItemAct::Deposit
            | ItemAct::ReportMissing
            | ItemAct::ClaimReturned
            | ItemAct::RejectClaim
            | ItemAct::DeclareLost
            | ItemAct::ReportDamaged
            | ItemAct::FinishRepair
            | ItemAct::StartProcessing
            | ItemAct::FinishProcessing
            | ItemAct::Withdraw
            | ItemAct::Reinstate,
            _,
        ) => &[],
    }
}

/// Whether any act leads from one state to another: the last check before a state is stored.
pub fn may_become(from: ItemStatus, to: ItemStatus) -> bool {
    from == to || ItemAct::ALL.iter().any(|act| leads_to(from, *act).contains(&to))
}

/// The act is not possible in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    State {
        act: ItemAct,
        status: ItemStatus,
    },
    /// Whatever its status says, its loan is open.
    OpenLoan,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (act, status) = match self {
            Self::OpenLoan => return f.write_str("a loan of the item is still open: check it in first"),
            Self::State { act, status } => (act, status),
        };
        let possible = ItemStatus::ALL
            .into_iter()
            .filter(|from| !leads_to(*from, *act).is_empty());
        let possible: Vec<&str> = possible.map(ItemStatus::code).collect();
        write!(
            f,
            "the item is {}; {} is possible while it is {}",
            status.code(),
            act.code(),
            possible.join(", ")
        )
    }
}

/// What the store does when an item leaves the way it was on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub status: ItemStatus,
    /// The hold it was set aside for: it waits again at its old place, and its shelf number is free.
    pub releases_hold: Option<HoldId>,
    /// The journey that ends here.
    pub cancels_transit: Option<TransitId>,
}

/// Decides an act that leads to exactly one state: missing, damaged, lost, in processing.
///
/// # Errors
/// The act is not possible now. Source: [`leads_to`].
///
/// ```
/// # use tongjie::domain::example;
/// use tongjie::domain::item::ItemStatus;
/// use tongjie::domain::item_life::{ItemAct, decide};
/// let world = example::world();
/// let plan = decide(&world.item(), ItemAct::ReportMissing, false).expect("it stands on the shelf");
/// assert_eq!(plan.status, ItemStatus::Missing);
/// let lent = world.item_on_loan(&world.loan());
/// let refused = decide(&lent, ItemAct::ReportMissing, true).unwrap_err();
/// assert!(refused.to_string().starts_with("the item is on_loan; reportMissing is possible while it is on_shelf"));
/// ```
pub fn decide(item: &ItemFacts, act: ItemAct, has_open_loan: bool) -> Result<Plan, Obstacle> {
    let status = item.status;
    let [then] = leads_to(status, act) else {
        return Err(Obstacle::State { act, status });
    };
    let lent = matches!(status, ItemStatus::OnLoan | ItemStatus::ClaimedReturned);
    if has_open_loan && !lent {
        return Err(Obstacle::OpenLoan);
    }
    Ok(Plan {
        status: *then,
        releases_hold: item.captured_for.as_ref().map(|hold| hold.id),
        cancels_transit: item.transit.as_ref().map(|transit| transit.id),
    })
}

/// Who waits for an item that is ready again.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The first waiting hold this copy may fill.
    pub next_hold: Option<&'a HoldCandidate>,
    /// The number the hold shelf of the item's unit would give next.
    pub next_shelf_number: u32,
}

/// Where an item goes that was repaired or processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    pub next_step: NextStep,
    pub status: ItemStatus,
    pub capture: Option<Capture>,
}

/// Decides an act after which the item circulates again, from where it lies now: to the next hold, its shelf or home.
///
/// # Errors
/// The act is not possible now. Source: [`leads_to`].
pub fn decide_ready(
    network: &Network,
    item: &ItemFacts,
    act: ItemAct,
    demand: Demand<'_>,
    now: DateTime<Utc>,
) -> Result<Ready, Obstacle> {
    let status = item.status;
    if leads_to(status, act).is_empty() {
        return Err(Obstacle::State { act, status });
    }
    let waiting = Waiting {
        next_hold: demand.next_hold,
        next_shelf_number: demand.next_shelf_number,
        scanned: true,
        now,
    };
    let routed = route(network, item, None, item.current, &waiting);
    Ok(Ready {
        next_step: routed.next_step,
        status: routed.status,
        capture: routed.capture,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_can_be_reached_and_left() {
        for state in ItemStatus::ALL {
            let others = || ItemStatus::ALL.into_iter().filter(|other| *other != state);
            assert!(
                others().any(|from| may_become(from, state)),
                "{} is never reached",
                state.code()
            );
            assert!(
                others().any(|to| may_become(state, to)),
                "{} is never left",
                state.code()
            );
        }
    }

    #[test]
    fn every_act_is_possible_somewhere_and_only_a_scan_everywhere() {
        for act in ItemAct::ALL {
            let possible = ItemStatus::ALL
                .into_iter()
                .filter(|from| !leads_to(*from, *act).is_empty())
                .count();
            assert!(possible > 0, "{} is never possible", act.code());
            assert_eq!(
                possible == ItemStatus::ALL.len(),
                *act == ItemAct::CheckIn,
                "{}",
                act.code()
            );
        }
    }

    #[test]
    fn withdrawing_asks_the_same_table() {
        let item = crate::domain::example::world().item();
        for status in ItemStatus::ALL {
            let item = ItemFacts { status, ..item.clone() };
            let possible = !leads_to(status, ItemAct::Withdraw).is_empty();
            let decided = crate::domain::withdraw_item::decide(&item, false, 0, false).is_ok();
            assert_eq!(decided, possible, "{}", status.code());
        }
    }
}
