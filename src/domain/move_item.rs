//! What it means for a copy that it gets another home: whether it has to travel there, and whether it may be said to stand
//! there already. Not for: who may say so, or where its collection is.

use super::ids::UnitId;
use super::item::{ItemFacts, ItemStatus, OpenTransit};

/// What becomes of the copy itself; its home changes in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Travel {
    /// Nothing now: it stands there, or goes there with its next return.
    Stays,
    /// It leaves the shelf of the unit where it is, for its new home.
    Leaves { from: UnitId },
    /// It stands at its new home already; whatever journey it was on is over.
    Stands(Option<OpenTransit>),
}

/// What stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    #[error("the item is withdrawn")]
    Withdrawn,
    #[error("the item is out on loan, so it does not stand there already: take it back there")]
    OnLoan,
    #[error("the item is set aside for a hold, so it does not stand there already: take it in there")]
    SetAside,
    #[error("the item counts as missing or lost: take it in where it was found, then move it")]
    Missing,
}

/// Decides about a move to `home`. `already_there`: somebody has seen the copy at `home`.
///
/// # Errors
/// The obstacle.
pub fn decide(item: &ItemFacts, home: UnitId, already_there: bool) -> Result<Travel, Obstacle> {
    if item.status == ItemStatus::Withdrawn {
        return Err(Obstacle::Withdrawn);
    }
    if already_there {
        return stands(item);
    }
    let bound = item.open_loan.is_some() || item.captured_for.is_some() || item.transit.is_some();
    if item.status == ItemStatus::OnShelf && !bound && item.current != home {
        return Ok(Travel::Leaves { from: item.current });
    }
    Ok(Travel::Stays)
}

fn stands(item: &ItemFacts) -> Result<Travel, Obstacle> {
    if item.open_loan.is_some() {
        return Err(Obstacle::OnLoan);
    }
    if item.captured_for.is_some() {
        return Err(Obstacle::SetAside);
    }
    match item.status {
        ItemStatus::Withdrawn => Err(Obstacle::Withdrawn),
        ItemStatus::OnLoan | ItemStatus::ClaimedReturned => Err(Obstacle::OnLoan),
        ItemStatus::OnHoldShelf => Err(Obstacle::SetAside),
        ItemStatus::Missing | ItemStatus::Lost => Err(Obstacle::Missing),
        ItemStatus::OnShelf
        | ItemStatus::AwaitingDispatch
        | ItemStatus::InTransit
        | ItemStatus::InProcessing
        | ItemStatus::Damaged
        | ItemStatus::NeedsAttention => Ok(Travel::Stands(item.transit.clone())),
    }
}

/// The status of a copy that stands at its new home.
pub const fn status_there(before: ItemStatus) -> ItemStatus {
    match before {
        ItemStatus::AwaitingDispatch | ItemStatus::InTransit => ItemStatus::OnShelf,
        other => other,
    }
}
