//! Whether a copy may leave the stock for good. Its history stays; it only is in nobody's hands and on nobody's way.
//! Not for: weeding lists, or what becomes of the paper.

use super::item::{ItemFacts, ItemStatus};

/// What stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    #[error("the item is out on loan: take it back, or declare it lost, first")]
    OnLoan,
    #[error("the item is set aside for a hold: let the hold be picked up, or cancel it, first")]
    SetAside,
    #[error("the item is on its way between two units: receive it first")]
    OnItsWay,
    #[error("a reader waits for this very copy: cancel the hold first")]
    AwaitedByName,
    #[error("other items are bound into this one: take them out of the set first")]
    HoldsOthers,
    #[error("the item is withdrawn already")]
    WithdrawnAlready,
}

/// The first obstacle, in the order a librarian would meet them.
///
/// # Errors
/// The obstacle.
pub fn decide(item: &ItemFacts, has_open_loan: bool, holds_on_copy: i64, is_host: bool) -> Result<(), Obstacle> {
    if has_open_loan || item.open_loan.is_some() {
        return Err(Obstacle::OnLoan);
    }
    if item.captured_for.is_some() {
        return Err(Obstacle::SetAside);
    }
    if item.transit.is_some() {
        return Err(Obstacle::OnItsWay);
    }
    if holds_on_copy > 0 {
        return Err(Obstacle::AwaitedByName);
    }
    if is_host {
        return Err(Obstacle::HoldsOthers);
    }
    match item.status {
        ItemStatus::OnLoan | ItemStatus::ClaimedReturned => Err(Obstacle::OnLoan),
        ItemStatus::OnHoldShelf => Err(Obstacle::SetAside),
        ItemStatus::AwaitingDispatch | ItemStatus::InTransit => Err(Obstacle::OnItsWay),
        ItemStatus::Withdrawn => Err(Obstacle::WithdrawnAlready),
        ItemStatus::OnShelf
        | ItemStatus::InProcessing
        | ItemStatus::Damaged
        | ItemStatus::NeedsAttention
        | ItemStatus::Missing
        | ItemStatus::Lost => Ok(()),
    }
}
