//! Invariant 1: at most one open loan per item, and status, loan, journey and hold agree about where the item is.

use super::super::Result;
use super::{Finding, sql_rules};
use crate::domain::item::ItemStatus;
use crate::store::audit::ItemCombination;
use crate::store::tx::ReadTx;

pub(super) fn check(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(1, "item status, loan, journey and hold shelf agree");
    for row in tx.item_combinations()? {
        finding.checked += row.items;
        if !agree(&row) {
            let ItemCombination {
                status,
                loan,
                journey,
                captured,
                items,
                example,
            } = &row;
            let text = format!(
                "{items} items with status {status}, loan {loan}, journey {journey}, captured {captured}; first: item {example}"
            );
            finding.add(*items, [text]);
        }
    }
    finding.judge(tx, sql_rules::ITEM_STATES)?;
    Ok(finding)
}

/// The table of what may stand together. Loan: open or none. Journey: the open transit's status. Captured: the open
/// hold the copy is set aside for, on its way or on the shelf.
fn agree(row: &ItemCombination) -> bool {
    let Some(status) = ItemStatus::from_code(&row.status) else {
        return false;
    };
    let found = (row.loan.as_str(), row.journey.as_str(), row.captured.as_str());
    match status {
        ItemStatus::OnShelf => found == ("none", "none", "none"),
        ItemStatus::OnLoan | ItemStatus::ClaimedReturned => found == ("open", "none", "none"),
        ItemStatus::AwaitingDispatch => {
            matches!(found, ("none", "awaiting_dispatch" | "packed", "none" | "on_the_way"))
        }
        // A hold that was cancelled on the road leaves its journey open: the arrival decides.
        ItemStatus::InTransit => matches!(found, ("none", "sent", "none" | "on_the_way")),
        // Left behind by one hold, it waits to be checked in for the next.
        ItemStatus::OnHoldShelf => matches!(found, ("none", "none", "on_shelf" | "on_the_way")),
        // Missing on the shelf, or on a journey that never arrived.
        ItemStatus::Missing => matches!(found, ("none", "none" | "missing", "none")),
        // Staff settle it, and the loan with it.
        ItemStatus::NeedsAttention => matches!(found, ("none" | "open", "none", "none")),
        ItemStatus::InProcessing | ItemStatus::Damaged | ItemStatus::Lost | ItemStatus::Withdrawn => {
            found == ("none", "none", "none")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(status: &str, loan: &str, journey: &str, captured: &str) -> ItemCombination {
        let text = |text: &str| text.to_owned();
        ItemCombination {
            status: text(status),
            loan: text(loan),
            journey: text(journey),
            captured: text(captured),
            items: 1,
            example: 1,
        }
    }

    #[test]
    fn every_status_has_at_least_one_way_to_agree_and_an_unknown_one_has_none() {
        let loans = ["none", "open"];
        let journeys = ["none", "awaiting_dispatch", "packed", "sent", "missing"];
        let captured = ["none", "on_the_way", "on_shelf"];
        let ways = |status: &str| {
            let mut ways = 0;
            for loan in loans {
                for journey in journeys {
                    for hold in captured {
                        ways += usize::from(agree(&row(status, loan, journey, hold)));
                    }
                }
            }
            ways
        };
        for status in ItemStatus::ALL {
            assert!((1..=4).contains(&ways(status.code())), "{}", status.code());
        }
        assert_eq!(ways("eaten"), 0);
    }

    #[test]
    fn a_lent_item_is_nowhere_else() {
        assert!(agree(&row("on_loan", "open", "none", "none")));
        assert!(!agree(&row("on_loan", "none", "none", "none")));
        assert!(!agree(&row("on_shelf", "open", "none", "none")));
        assert!(!agree(&row("on_loan", "open", "sent", "none")));
        assert!(!agree(&row("on_hold_shelf", "none", "none", "none")));
    }
}
