//! Another pickup unit for a hold. A copy that is set aside is redirected, unless it is on the road: there it goes on from
//! where it arrives.

use chrono::{DateTime, Utc};

use super::act::{Act, Findings, Passed};
use super::cancel_hold::{ItemMoves, stands_at};
use super::hold::{CopyFacts, HoldFacts, HoldStatus, Wish, may_fill};
use super::hold_terms::{Waived, judge_kept};
use super::ids::{ReaderId, UnitId};
use super::item::{ItemFacts, ItemStatus, TransitReason};
use super::network::Network;
use super::place_hold::judge_pickup;
use super::refusal::{Code, Refusals, Verb};
use super::route::{Capture, NextStep};
use super::suspend_hold::judge_open;

/// Everything the decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    pub hold: &'a HoldFacts,
    /// It is a line of a delivery request, which names one unit for all its lines.
    pub for_delivery: bool,
    /// The caller, when it is a reader: only their own holds.
    pub by_reader: Option<ReaderId>,
    /// What the reader wishes, with the new pickup unit.
    pub wish: &'a Wish,
    /// All copies of the bib.
    pub copies: &'a [CopyFacts],
    /// The item set aside for the hold.
    pub item: Option<&'a ItemFacts>,
}

/// What the store does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub pickup: UnitId,
    /// The way of the item set aside; `None` if there is none or it is on the road.
    pub item_moves: Option<ItemMoves>,
    /// What staff passed over, now or before.
    pub waived: Waived,
    pub passed: Passed,
}

/// Decides a change of the pickup unit.
///
/// # Errors
/// The hold has ended, is another reader's or a line of a delivery request; the unit is no pickup point for this reader; no copy (or not the one set aside)
/// may go there. Source: their rows in the table of [`refusal`](super::refusal).
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Plan, Refusals> {
    let (network, wish) = (facts.network, facts.wish);
    let mut found = Findings::new(Verb::ChangeHold, facts.act.channel);
    judge_open(&mut found, facts.hold, facts.by_reader);
    if facts.for_delivery {
        found.add(Code::HoldForDelivery);
    }
    judge_pickup(&mut found, network, wish.pickup, wish.child, false);
    let today = network.local_day(now);
    let set_aside = facts.item.filter(|_| facts.hold.status == HoldStatus::Captured);
    let copies: Vec<CopyFacts> = match set_aside {
        Some(item) => vec![CopyFacts::of(item)],
        None => facts.copies.iter().filter(|copy| copy.circulates()).copied().collect(),
    };
    let for_wish = |wish: &Wish| copies.iter().find(|copy| may_fill(network, copy, wish, today).is_ok());
    if for_wish(wish).is_none() {
        let waived = Wish {
            waived: Waived::ALL,
            ..wish.clone()
        };
        match for_wish(&waived) {
            Some(kept) => judge_kept(&mut found, network, kept, wish, today),
            None => {
                found.add(Code::NoCopyCanFill);
            }
        }
    }
    let passed = found.subtract(facts.act)?;
    let moves = set_aside.filter(|_| wish.pickup != facts.hold.pickup);
    Ok(Plan {
        pickup: wish.pickup,
        item_moves: moves.and_then(|item| redirect(facts, item)),
        waived: wish.waived.and(&passed.overridden),
        passed,
    })
}

fn redirect(facts: &Facts<'_>, item: &ItemFacts) -> Option<ItemMoves> {
    if !matches!(item.status, ItemStatus::OnHoldShelf | ItemStatus::AwaitingDispatch) {
        return None;
    }
    let (hold, pickup) = (facts.hold.id, facts.wish.pickup);
    let capture = Capture {
        hold,
        pickup,
        shelf_number: None,
        expires_on: None,
    };
    let here = pickup == item.current;
    let crate_there = NextStep::Crate {
        to: pickup,
        reason: TransitReason::Hold,
        hold: Some(hold),
    };
    Some(ItemMoves {
        item: item.id,
        cancels_transit: item.transit.as_ref().map(|transit| transit.id),
        capture: Some(capture),
        next_step: if here { NextStep::CheckIn { hold } } else { crate_there },
        item_status: if here {
            ItemStatus::OnHoldShelf
        } else {
            ItemStatus::AwaitingDispatch
        },
        current: item.current,
        leaves: stands_at(item),
    })
}
