//! A recall: a loan is due earlier because somebody else needs the item, but never before its reader had it for a
//! guaranteed time, and never without notice. Not for: who needs it, or telling the reader.

use chrono::{DateTime, Utc};

use super::calendar::due;
use super::item::ItemStatus;
use super::loan::OpenLoan;
use super::loan_life::{self, LoanAct, Obstacle};
use super::network::Network;

/// What every reader is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarantee {
    /// Calendar days from the loan on that nobody takes away.
    pub loan_days: u16,
    /// Calendar days from the recall on.
    pub notice_days: u16,
}

/// What the store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub due_at: DateTime<Utc>,
    /// False: it was due by then anyway; only renewing is over.
    pub earlier: bool,
}

/// Decides a recall.
///
/// # Errors
/// The loan is recalled or claimed returned already.
///
/// ```
/// # use tongjie::domain::example;
/// use chrono::Days;
/// use tongjie::domain::item::ItemStatus;
/// use tongjie::domain::recall::{Guarantee, decide};
/// let (world, guarantee) = (example::world(), Guarantee { loan_days: 14, notice_days: 7 });
/// let loan = world.loan();
/// let day = |at| world.network.local_day(at);
/// // On the first day the guaranteed time counts, on the tenth the notice; on the last days nothing moves.
/// for (after, due_after, earlier) in [(0, 14, true), (10, 17, true), (28, 30, false)] {
///     let now = loan.loaned_at + Days::new(after);
///     let plan = decide(&world.network, &loan, ItemStatus::OnLoan, guarantee, now).expect("it is open");
///     assert_eq!((day(plan.due_at), plan.earlier), (day(loan.loaned_at + Days::new(due_after)), earlier));
/// }
/// ```
pub fn decide(
    network: &Network,
    loan: &OpenLoan,
    item: ItemStatus,
    guarantee: Guarantee,
    now: DateTime<Utc>,
) -> Result<Plan, Obstacle> {
    loan_life::decide(loan, item, LoanAct::Recall)?;
    let calendar = network.calendar(loan.unit);
    let after = |from, days| due(&calendar, network.zone(), from, days, None, now).at;
    let due_at = after(now, guarantee.notice_days).max(after(loan.loaned_at, guarantee.loan_days));
    Ok(Plan {
        due_at: due_at.min(loan.due_at),
        earlier: due_at < loan.due_at,
    })
}
