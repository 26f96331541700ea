//! Voiding: undoing a loan that never really happened (the door jammed, the tag was not switched).
//! Not a return: it fills no hold, moves no credit and counts in no statistics.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::act::{Act, Findings, Passed};
use super::ids::{HoldId, LoanId, UnitId};
use super::item::{CapturedHold, ItemFacts, ItemStatus};
use super::loan::OpenLoan;
use super::network::Network;
use super::refusal::{Code, Refusals, Verb};
use super::route::days_on_shelf;

/// How long after the loan it may be voided without a special right.
pub const VOID_WINDOW_MINUTES: u16 = 30;

/// Everything the decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    pub item: &'a ItemFacts,
    pub loan: Option<&'a OpenLoan>,
    /// The hold this loan filled, as it was before.
    pub filled_hold: Option<&'a FilledHold>,
}

/// The hold a loan filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilledHold {
    /// It was waiting in the queue.
    Waiting(HoldId),
    /// This item was set aside for it.
    Captured(CapturedHold),
}

/// What the store does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub loan: LoanId,
    /// On shelf, or on the hold shelf if its own captured hold comes back there.
    pub item_status: ItemStatus,
    pub current: UnitId,
    pub restores_hold: Option<RestoresHold>,
    pub passed: Passed,
}

/// The hold that the loan had filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoresHold {
    /// Back to its old place in the queue.
    Waiting(HoldId),
    /// Captured again with this item, on the hold shelf where it was collected.
    Captured {
        hold: HoldId,
        /// The last local day it waits there.
        until: NaiveDate,
        /// It had not been there before, or its days are over: they begin now.
        is_new: bool,
    },
}

/// Decides whether a loan may be voided.
///
/// # Errors
/// Nothing is on loan; the loan is older than [`VOID_WINDOW_MINUTES`] or was renewed (staff with the right may override,
/// with a reason). Source: their rows in the table of [`refusal`](super::refusal); the window is
/// this module's.
///
/// ```
/// # use tongjie::domain::example;
/// use chrono::Duration;
/// use tongjie::domain::refusal::Code;
/// use tongjie::domain::void_loan::{decide, Facts};
/// let world = example::world();
/// let (act, loan) = (world.at_desk(), world.loan());
/// let item = world.item_on_loan(&loan);
/// let facts = Facts { act: &act, network: &world.network, item: &item, loan: Some(&loan), filled_hold: None };
/// assert_eq!(decide(&facts, loan.loaned_at + Duration::minutes(30))?.current, loan.unit);
/// let late = loan.loaned_at + Duration::minutes(30) + Duration::seconds(1);
/// assert_eq!(decide(&facts, late).unwrap_err().codes(), [Code::VoidTooLate]);
/// # Ok::<(), tongjie::domain::refusal::Refusals>(())
/// ```
pub fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<Plan, Refusals> {
    let mut found = Findings::new(Verb::VoidLoan, facts.act.channel);
    let Some(loan) = facts.loan else {
        found.add(Code::NotOnLoan);
        return Err(found.refuse(facts.act));
    };
    let window = TimeDelta::minutes(i64::from(VOID_WINDOW_MINUTES));
    // Of a loan that nobody has confirmed nothing had happened.
    let late = now.signed_duration_since(loan.loaned_at) > window || loan.renewals > 0;
    if late && !loan.unconfirmed {
        found.add(Code::VoidTooLate).with("minutes", VOID_WINDOW_MINUTES);
    }
    let passed = found.subtract(facts.act)?;
    let (item_status, restores_hold) = match facts.filled_hold {
        None => (ItemStatus::OnShelf, None),
        Some(FilledHold::Waiting(hold)) => (ItemStatus::OnShelf, Some(RestoresHold::Waiting(*hold))),
        // The place on the hold shelf is only there if the loan was made there.
        Some(FilledHold::Captured(hold)) if hold.pickup == loan.unit => {
            let today = facts.network.local_day(now);
            let known = hold.expires_on.filter(|until| *until >= today);
            let restored = RestoresHold::Captured {
                hold: hold.id,
                until: known.unwrap_or_else(|| days_on_shelf(facts.network, facts.item, hold, now)),
                is_new: known.is_none(),
            };
            (ItemStatus::OnHoldShelf, Some(restored))
        }
        Some(FilledHold::Captured(hold)) => (ItemStatus::OnShelf, Some(RestoresHold::Waiting(hold.id))),
    };
    Ok(Plan {
        loan: loan.id,
        item_status,
        current: loan.unit,
        restores_hold,
        passed,
    })
}
