//! Deposits: a batch of copies stands at another unit until a day (轮换, 下移). What becomes of one copy when it is placed, and
//! when it is called back. Ownership and the home of record stay.
//! Not for: where a deposited copy goes after a return (see `route`).

use super::ids::{TransitId, UnitId};
use super::item::{ItemFacts, ItemStatus, TransitReason};
use super::transit::TransitStatus;
use super::words::words;

/// Copies of one deposit.
pub const MAX_ITEMS: usize = 1_000;
/// A deposit lasts so many days at most.
pub const MAX_DAYS: u64 = 1_100;

words! {
    /// Where a deposit is.
    DepositStatus:
    Open = "open",
    /// Its copies are on their way home, or go home with their next return.
    Recalled = "recalled",
    /// The last copy is back, or will not come back. The end.
    Ended = "ended";

    /// What became of a copy that was asked for.
    CopyState:
    /// Not dealt with yet.
    Pending = "pending",
    /// Not taken; `why` says the reason.
    Refused = "refused",
    /// It belongs to the unit of the deposit.
    Out = "out",
    /// It is to go home.
    Recalled = "recalled",
    Returned = "returned",
    Lost = "lost",
    Withdrawn = "withdrawn";

    /// Why a copy was not taken into a deposit.
    Why:
    /// No item has this barcode.
    Unknown = "unknown_item",
    /// Its home is another unit.
    NotFromHere = "home_elsewhere",
    /// It is another library's, which has to make the deposit itself.
    OwnedElsewhere = "owner_elsewhere",
    /// Several owners have this barcode; name it by its id.
    Ambiguous = "ambiguous_barcode",
    /// It is in a deposit already.
    Deposited = "in_a_deposit",
    /// The deposit was called back before it came to this copy.
    TooLate = "deposit_recalled",
    Withdrawn = "item_withdrawn",
    Lost = "item_lost",
    Missing = "item_missing",
    Damaged = "item_damaged",
    InProcessing = "item_in_processing",
    NeedsAttention = "item_needs_attention";
}

/// What happens to a copy that is taken into a deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placing {
    /// It stands at the unit of the deposit already.
    IsThere,
    /// From the shelf where it stands into a crate.
    Sends { from: UnitId },
    /// Lent, set aside or on its way: it goes there when it is free.
    GoesLater,
}

/// Decides about one copy.
///
/// # Errors
/// Why it is not taken.
pub fn place(item: &ItemFacts, from: UnitId, to: UnitId) -> Result<Placing, Why> {
    if item.deposit.is_some() {
        return Err(Why::Deposited);
    }
    if item.home_of_record != from {
        return Err(Why::NotFromHere);
    }
    match item.status {
        // A data fault.
        ItemStatus::OnShelf if item.transit.is_some() => Err(Why::NeedsAttention),
        ItemStatus::OnShelf if item.current == to => Ok(Placing::IsThere),
        ItemStatus::OnShelf => Ok(Placing::Sends { from: item.current }),
        ItemStatus::OnLoan
        | ItemStatus::ClaimedReturned
        | ItemStatus::OnHoldShelf
        | ItemStatus::AwaitingDispatch
        | ItemStatus::InTransit => Ok(Placing::GoesLater),
        ItemStatus::InProcessing => Err(Why::InProcessing),
        ItemStatus::Damaged => Err(Why::Damaged),
        ItemStatus::NeedsAttention => Err(Why::NeedsAttention),
        ItemStatus::Missing => Err(Why::Missing),
        ItemStatus::Lost => Err(Why::Lost),
        ItemStatus::Withdrawn => Err(Why::Withdrawn),
    }
}

/// What happens to a copy whose deposit is called back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullingBack {
    /// It is at home, or will not come back.
    Ends(CopyState),
    /// From the shelf where it stands into a crate; a journey that had not begun is called off.
    Sends { from: UnitId, calls_off: Option<TransitId> },
    /// It had not left its home shelf: the journey is called off.
    StaysHome { calls_off: TransitId },
    /// Lent, set aside or on its way: it goes home when it is free.
    GoesLater,
}

/// Decides about one copy. Asked again later, it says what is left to do.
pub fn pull_back(item: &ItemFacts) -> PullingBack {
    match item.status {
        ItemStatus::Withdrawn => PullingBack::Ends(CopyState::Withdrawn),
        ItemStatus::Lost => PullingBack::Ends(CopyState::Lost),
        // A data fault: whoever scans it next settles it.
        ItemStatus::OnShelf if item.transit.is_some() => PullingBack::GoesLater,
        ItemStatus::OnShelf if item.current == item.home_of_record => PullingBack::Ends(CopyState::Returned),
        ItemStatus::OnShelf => PullingBack::Sends {
            from: item.current,
            calls_off: None,
        },
        ItemStatus::AwaitingDispatch => match not_begun(item) {
            Some(calls_off) if item.current == item.home_of_record => PullingBack::StaysHome { calls_off },
            Some(calls_off) => PullingBack::Sends {
                from: item.current,
                calls_off: Some(calls_off),
            },
            None => PullingBack::GoesLater,
        },
        ItemStatus::OnLoan
        | ItemStatus::ClaimedReturned
        | ItemStatus::OnHoldShelf
        | ItemStatus::InTransit
        | ItemStatus::InProcessing
        | ItemStatus::Damaged
        | ItemStatus::NeedsAttention
        | ItemStatus::Missing => PullingBack::GoesLater,
    }
}

/// The journey into the deposit that waits for its crate. One into a crate already, or for a hold, goes on.
fn not_begun(item: &ItemFacts) -> Option<TransitId> {
    let open = item.transit.as_ref()?;
    let waits = open.reason == TransitReason::Rotation && open.status == TransitStatus::AwaitingDispatch;
    (waits && item.captured_for.is_none() && open.to != item.home_of_record).then_some(open.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{self, BRANCH, BRANCH_2, MAIN};
    use crate::domain::item::OpenTransit;

    fn on_the_way(item: &mut ItemFacts, status: TransitStatus, reason: TransitReason) {
        item.status = ItemStatus::AwaitingDispatch;
        item.transit = Some(OpenTransit {
            id: TransitId::new(7),
            from: item.current,
            to: BRANCH_2,
            reason,
            status,
        });
    }

    #[test]
    fn every_status_has_its_answer_when_a_copy_is_placed() {
        let world = example::world();
        for status in ItemStatus::ALL {
            let item = ItemFacts { status, ..world.item() };
            let answer = place(&item, BRANCH, BRANCH_2);
            match status {
                ItemStatus::OnShelf => assert_eq!(answer, Ok(Placing::Sends { from: BRANCH })),
                ItemStatus::OnLoan
                | ItemStatus::ClaimedReturned
                | ItemStatus::OnHoldShelf
                | ItemStatus::AwaitingDispatch
                | ItemStatus::InTransit => assert_eq!(answer, Ok(Placing::GoesLater)),
                other => assert_eq!(
                    answer.map_err(Why::code),
                    Err(format!("item_{}", other.code()).as_str())
                ),
            }
        }
        let there = ItemFacts {
            current: BRANCH_2,
            ..world.item()
        };
        assert_eq!(place(&there, BRANCH, BRANCH_2), Ok(Placing::IsThere));
        assert_eq!(place(&there, MAIN, BRANCH_2), Err(Why::NotFromHere));
        let taken = ItemFacts {
            deposit: Some(BRANCH),
            ..world.item()
        };
        assert_eq!(place(&taken, BRANCH, BRANCH_2), Err(Why::Deposited));
    }

    #[test]
    fn what_is_pulled_back_is_sent_left_or_awaited() {
        let world = example::world();
        let mut item = ItemFacts {
            home: BRANCH_2,
            deposit: Some(BRANCH_2),
            ..world.item()
        };
        assert_eq!(pull_back(&item), PullingBack::Ends(CopyState::Returned));
        let here = TransitId::new(7);
        on_the_way(&mut item, TransitStatus::AwaitingDispatch, TransitReason::Rotation);
        assert_eq!(pull_back(&item), PullingBack::StaysHome { calls_off: here });
        item.current = MAIN;
        let sends = PullingBack::Sends {
            from: MAIN,
            calls_off: Some(here),
        };
        assert_eq!(pull_back(&item), sends);
        on_the_way(&mut item, TransitStatus::Packed, TransitReason::Rotation);
        assert_eq!(pull_back(&item), PullingBack::GoesLater);
        on_the_way(&mut item, TransitStatus::AwaitingDispatch, TransitReason::Hold);
        assert_eq!(pull_back(&item), PullingBack::GoesLater);
        item.transit = None;
        for status in ItemStatus::ALL {
            item.status = status;
            let expected = match status {
                ItemStatus::OnShelf => PullingBack::Sends {
                    from: MAIN,
                    calls_off: None,
                },
                ItemStatus::Lost => PullingBack::Ends(CopyState::Lost),
                ItemStatus::Withdrawn => PullingBack::Ends(CopyState::Withdrawn),
                _ => PullingBack::GoesLater,
            };
            assert_eq!(pull_back(&item), expected, "{}", status.code());
        }
    }

    #[test]
    fn words_are_read_back() {
        for state in CopyState::ALL {
            assert_eq!(CopyState::from_code(state.code()), Some(*state));
        }
        for why in Why::ALL {
            assert_eq!(Why::from_code(why.code()), Some(*why));
        }
    }
}
