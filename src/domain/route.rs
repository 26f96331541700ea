//! Where an item goes next: hold shelf, crate, shelf. Shared by check-in and by cancelling a captured hold.
//! Not for: closing loans, or refusing anything.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::hold::{HoldCandidate, pickup_channel};
use super::ids::{CategoryId, CollectionId, HoldId, UnitId};
use super::item::{CapturedHold, ItemFacts, ItemStatus, ReturnPolicy, TransitReason};
use super::network::Network;
use super::policy::Situation;
use super::reader::CreditBand;
use super::refusal::Code;
use super::stops::all_visited_by;
use super::unit::Unit;

/// What the person (or the sorter) does with the item now: always exactly one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum NextStep {
    /// Put it on the open shelf of this unit.
    ShelfHere { collection: Option<CollectionId> },
    /// Put it on the hold shelf of this unit, at this number, until the end of this day.
    HoldShelf {
        hold: HoldId,
        number: u32,
        expires_on: NaiveDate,
    },
    /// Put it into the crate for another unit.
    Crate {
        to: UnitId,
        reason: TransitReason,
        hold: Option<HoldId>,
    },
    /// Take it from where it lies and check it in: the hold's pickup is here, and the scan gives it a number.
    CheckIn { hold: HoldId },
    /// Put it aside; staff must look at it.
    Exception { reason: Code },
}

/// A hold that gets this item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    pub hold: HoldId,
    pub pickup: UnitId,
    /// The place and the last day, if the item is at the pickup unit already.
    pub shelf_number: Option<u32>,
    pub expires_on: Option<NaiveDate>,
}

/// What becomes of the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Routed {
    pub(super) next_step: NextStep,
    pub(super) status: ItemStatus,
    pub(super) capture: Option<Capture>,
}

/// What the next hold shelf place would be, and who waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting<'a> {
    pub(super) next_hold: Option<&'a HoldCandidate>,
    pub(super) next_shelf_number: u32,
    /// It is in somebody's hands now. Otherwise nothing is ready before it is.
    pub(super) scanned: bool,
    pub(super) now: DateTime<Utc>,
}

/// Routes an item that lies at `unit`, free of loan: its own captured hold first, then the next hold, then the return
/// policy of its collection.
pub(super) fn route(
    network: &Network,
    item: &ItemFacts,
    captured: Option<&CapturedHold>,
    unit: UnitId,
    waiting: &Waiting<'_>,
) -> Routed {
    if let Some(hold) = captured {
        return to_hold(network, item, &Wanted::captured(hold), unit, waiting);
    }
    if let Some(next) = waiting.next_hold {
        return to_hold(network, item, &Wanted::next(next), unit, waiting);
    }
    if stays(network, item, unit) {
        let next_step = NextStep::ShelfHere {
            collection: item.collection,
        };
        return Routed {
            next_step,
            status: ItemStatus::OnShelf,
            capture: None,
        };
    }
    send_home(item)
}

/// Sends an item to its home shelf unit.
pub(super) const fn send_home(item: &ItemFacts) -> Routed {
    let next_step = NextStep::Crate {
        to: item.home,
        reason: if item.deposit.is_some() {
            TransitReason::Rotation
        } else {
            TransitReason::ReturnHome
        },
        hold: None,
    };
    Routed {
        next_step,
        status: ItemStatus::AwaitingDispatch,
        capture: None,
    }
}

/// Whether it matters how many copies float at a unit that an item comes back to.
pub fn asks_what_floats(item: &ItemFacts, unit: UnitId) -> bool {
    let capped = matches!(item.return_policy, ReturnPolicy::FloatWithCap { .. });
    capped && unit != item.home && !floats_at(item, unit) && !item.is_recalled_from_deposit()
}

/// It stands there already.
fn floats_at(item: &ItemFacts, unit: UnitId) -> bool {
    item.status == ItemStatus::OnShelf && item.current == unit
}

/// Whether the return policy leaves an item where it came back.
fn stays(network: &Network, item: &ItemFacts, unit: UnitId) -> bool {
    if unit == item.home {
        return true;
    }
    let may_circulate = network.may_lend_at(item.owner, item.home, item.item_type, unit);
    if item.is_recalled_from_deposit() {
        return false;
    }
    match item.return_policy {
        ReturnPolicy::Home | ReturnPolicy::Restricted => false,
        ReturnPolicy::Float => may_circulate,
        ReturnPolicy::FloatWithCap { cap } => may_circulate && (floats_at(item, unit) || item.floating_here < cap),
    }
}

/// The hold an item goes to.
struct Wanted {
    hold: HoldId,
    pickup: UnitId,
    category: CategoryId,
    band: CreditBand,
    /// It has a place on the shelf already: scanning again changes nothing.
    place: Option<(u32, NaiveDate)>,
    new: bool,
}

impl Wanted {
    fn captured(hold: &CapturedHold) -> Self {
        let (category, band) = (hold.category, hold.band);
        let place = hold.shelf_number.zip(hold.expires_on);
        Self {
            hold: hold.id,
            pickup: hold.pickup,
            category,
            band,
            place,
            new: false,
        }
    }

    const fn next(next: &HoldCandidate) -> Self {
        let (category, band) = (next.wish.category, next.wish.band);
        Self {
            hold: next.id,
            pickup: next.wish.pickup,
            category,
            band,
            place: None,
            new: true,
        }
    }
}

fn to_hold(network: &Network, item: &ItemFacts, wanted: &Wanted, unit: UnitId, waiting: &Waiting<'_>) -> Routed {
    let (hold, pickup) = (wanted.hold, wanted.pickup);
    if pickup != unit {
        let next_step = NextStep::Crate {
            to: pickup,
            reason: TransitReason::Hold,
            hold: Some(hold),
        };
        let capture = Capture {
            hold,
            pickup,
            shelf_number: None,
            expires_on: None,
        };
        // A copy that leaves the shelf gives its place back.
        let capture = (wanted.new || wanted.place.is_some()).then_some(capture);
        return Routed {
            next_step,
            status: ItemStatus::AwaitingDispatch,
            capture,
        };
    }
    if !waiting.scanned {
        let capture = Capture {
            hold,
            pickup,
            shelf_number: None,
            expires_on: None,
        };
        return Routed {
            next_step: NextStep::CheckIn { hold },
            status: ItemStatus::OnHoldShelf,
            capture: Some(capture),
        };
    }
    let fresh = || {
        (
            waiting.next_shelf_number,
            shelf_until(network, item, wanted, waiting.now),
        )
    };
    let (number, expires_on) = wanted.place.unwrap_or_else(fresh);
    let capture = wanted.place.is_none().then_some(Capture {
        hold,
        pickup,
        shelf_number: Some(number),
        expires_on: Some(expires_on),
    });
    let next_step = NextStep::HoldShelf {
        hold,
        number,
        expires_on,
    };
    Routed {
        next_step,
        status: ItemStatus::OnHoldShelf,
        capture,
    }
}

/// The last day on the hold shelf for a hold that comes back to it.
pub(super) fn days_on_shelf(network: &Network, item: &ItemFacts, hold: &CapturedHold, now: DateTime<Utc>) -> NaiveDate {
    shelf_until(network, item, &Wanted::captured(hold), now)
}

/// The last day on the hold shelf: so many open days of the pickup unit after today.
fn shelf_until(network: &Network, item: &ItemFacts, wanted: &Wanted, now: DateTime<Utc>) -> NaiveDate {
    let situation = Situation {
        unit: wanted.pickup,
        category: wanted.category,
        item_type: item.item_type,
        owner: item.owner,
        channel: pickup_channel(network, wanted.pickup),
        band: wanted.band,
    };
    let terms = &network.winner(&situation).terms;
    let machine = network.unit(wanted.pickup).is_some_and(|unit| unit.always_open);
    let days = if machine {
        terms.hold_locker_days
    } else {
        terms.hold_shelf_days
    };
    let (calendar, today) = (network.calendar(wanted.pickup), network.local_day(now));
    let until = calendar.nth_open_day_after(today, days);
    // A vehicle has to come to each of its places first: nobody knows at which one the reader waits.
    let stops = network.unit(wanted.pickup).map_or(&[][..], Unit::stops_in_force);
    until.max(all_visited_by(stops, &calendar, today))
}
