//! The life of a loan as one declared table: what may be done to it in which state, and what it may be then.
//! Not for: the due date, or who may do it.

use std::fmt;

use super::item::ItemStatus;
use super::loan::OpenLoan;

macro_rules! coded {
    ($(#[$doc:meta])* $name:ident: $($(#[$each:meta])* $variant:ident = $code:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {$($(#[$each])* $variant),*}

        impl $name {
            /// All of them, in the order of the printed table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word of the docs.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }
        }
    };
}

coded! {
    /// Where a loan is in its life. The first three are open: they count to the limits and keep the item.
    LoanState:
    Open = "open",
    /// Wanted back before its time.
    Recalled = "recalled",
    /// The reader says that the item was given back.
    ClaimedReturned = "claimed_returned",
    Returned = "returned",
    /// Undone: it counts nowhere.
    Voided = "voided",
    Lost = "lost",
}

coded! {
    /// What is done to a loan.
    LoanAct:
    Renew = "renewLoan",
    Recall = "recallItem",
    ClaimReturned = "reportClaimedReturned",
    RejectClaim = "rejectClaim",
    Return = "checkIn",
    Void = "voidLoan",
    DeclareLost = "declareLost",
}

/// The table: what a loan may be after an act; nothing where the act is not possible.
pub const fn leads_to(from: LoanState, act: LoanAct) -> &'static [LoanState] {
    use LoanState::{ClaimedReturned, Lost, Open, Recalled, Returned, Voided};
    match (from, act) {
        // Where staff passed over a recall, it ends.
        (Open | Recalled, LoanAct::Renew) => &[Open],
        (Open, LoanAct::Recall) => &[Recalled],
        (Open | Recalled, LoanAct::ClaimReturned) => &[ClaimedReturned],
        // As it was before the claim.
        (ClaimedReturned, LoanAct::RejectClaim) => &[Open, Recalled],
        (Open | Recalled | ClaimedReturned, LoanAct::Return) => &[Returned],
        (Open | Recalled | ClaimedReturned, LoanAct::Void) => &[Voided],
        (Open | Recalled | ClaimedReturned, LoanAct::DeclareLost) => &[Lost],
        (Open | Recalled, LoanAct::RejectClaim)
        | (Recalled | ClaimedReturned, LoanAct::Recall)
        | (ClaimedReturned, LoanAct::Renew | LoanAct::ClaimReturned)
        | (Returned | Voided | Lost, _) => &[],
    }
}

/// The state of an open loan.
pub fn state(loan: &OpenLoan, item: ItemStatus) -> LoanState {
    if item == ItemStatus::ClaimedReturned {
        LoanState::ClaimedReturned
    } else if loan.recalled_at.is_some() {
        LoanState::Recalled
    } else {
        LoanState::Open
    }
}

/// The act is not possible in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obstacle {
    pub act: LoanAct,
    pub state: LoanState,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let possible = LoanState::ALL
            .iter()
            .filter(|from| !leads_to(**from, self.act).is_empty());
        let possible: Vec<&str> = possible.map(|state| state.code()).collect();
        write!(
            f,
            "the loan is {}; {} is possible while it is {}",
            self.state.code(),
            self.act.code(),
            possible.join(", ")
        )
    }
}

/// Whether an act is possible with an open loan.
///
/// # Errors
/// It is not, now. Source: [`leads_to`].
pub fn decide(loan: &OpenLoan, item: ItemStatus, act: LoanAct) -> Result<(), Obstacle> {
    let state = state(loan, item);
    if leads_to(state, act).is_empty() {
        return Err(Obstacle { act, state });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_loan_stays_ended_and_every_open_one_can_end() {
        for state in LoanState::ALL {
            let ended = matches!(state, LoanState::Returned | LoanState::Voided | LoanState::Lost);
            let ways = LoanAct::ALL
                .iter()
                .filter(|act| !leads_to(*state, **act).is_empty())
                .count();
            assert_eq!(ways == 0, ended, "{}", state.code());
            if !ended {
                assert_eq!(leads_to(*state, LoanAct::Return), [LoanState::Returned]);
                assert_eq!(leads_to(*state, LoanAct::DeclareLost), [LoanState::Lost]);
            }
        }
    }

    #[test]
    fn every_act_is_possible_in_some_state() {
        for act in LoanAct::ALL {
            assert!(
                LoanState::ALL.iter().any(|from| !leads_to(*from, *act).is_empty()),
                "{}",
                act.code()
            );
        }
    }
}
