//! The life of a card as one declared table: what may be done to it in which state, and what it is then.
//! Not for: who may do it, or whether its number is free.

use std::fmt;

use super::reader::CardStatus;

macro_rules! acts {
    ($($(#[$each:meta])* $variant:ident = $code:literal),* $(,)?) => {
        /// What is done to a card.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum CardAct {$($(#[$each])* $variant),*}

        impl CardAct {
            /// All of them, in the order of the printed table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word of the docs.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }
        }
    };
}

acts! {
    /// What was applied for is handed out.
    Approve = "approveCard",
    ReportLost = "reportCardLost",
    ReportFound = "reportCardFound",
    /// Its end is set anew, before it is reached or after.
    Renew = "renewCard",
    /// Another card takes its place.
    Replace = "replaceCard",
    /// By the job: its last day is over.
    Expire = "expire",
    /// The reader gives it up.
    Cancel = "cancelCard",
}

/// The table: what a card is after an act; `None` where the act is not possible.
pub const fn leads_to(from: CardStatus, act: CardAct) -> Option<CardStatus> {
    use CardStatus::{Active, Applied, Cancelled, Expired, Lost, Replaced};
    match (from, act) {
        (Applied, CardAct::Approve) | (Lost, CardAct::ReportFound) | (Active | Expired, CardAct::Renew) => Some(Active),
        (Active, CardAct::ReportLost) => Some(Lost),
        (Active | Lost | Expired, CardAct::Replace) => Some(Replaced),
        (Active, CardAct::Expire) => Some(Expired),
        (Applied | Active | Lost | Expired, CardAct::Cancel) => Some(Cancelled),
        (Active | Lost | Expired | Replaced | Cancelled, CardAct::Approve)
        | (Applied | Lost | Expired | Replaced | Cancelled, CardAct::ReportLost | CardAct::Expire)
        | (Applied | Active | Expired | Replaced | Cancelled, CardAct::ReportFound)
        | (Applied | Lost | Replaced | Cancelled, CardAct::Renew)
        | (Applied | Replaced | Cancelled, CardAct::Replace)
        | (Replaced | Cancelled, CardAct::Cancel) => None,
    }
}

/// What the decision looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub status: CardStatus,
    /// Other cards of the reader that are good to use.
    pub others: usize,
    pub open_loans: usize,
    pub open_holds: u32,
    pub debt_fen: i64,
}

/// Why the act is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Not in this state.
    State { act: CardAct, status: CardStatus },
    /// The reader still has something to settle.
    Unsettled {
        open_loans: usize,
        open_holds: u32,
        debt_fen: i64,
    },
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::State { act, status } => {
                let possible = CardStatus::ALL.iter().filter(|from| leads_to(**from, act).is_some());
                let possible: Vec<&str> = possible.map(|status| status.code()).collect();
                let (act, status, possible) = (act.code(), status.code(), possible.join(", "));
                write!(f, "the card is {status}; {act} is possible while it is {possible}")
            }
            Self::Unsettled {
                open_loans,
                open_holds,
                debt_fen,
            } => write!(
                f,
                "the reader has {open_loans} open loans, {open_holds} open holds and a debt of {debt_fen} fen: a card is cancelled \
                 only without loans and debt, and the last one without holds"
            ),
        }
    }
}

/// What the card is after an act.
///
/// ```
/// use tongjie::domain::card_life::{CardAct, Facts, decide};
/// use tongjie::domain::reader::CardStatus;
/// let facts = Facts { status: CardStatus::Active, others: 0, open_loans: 1, open_holds: 0, debt_fen: 0 };
/// assert_eq!(decide(&facts, CardAct::ReportLost), Ok(CardStatus::Lost));
/// assert!(decide(&facts, CardAct::Cancel).is_err());
/// let waits = Facts { open_loans: 0, open_holds: 1, ..facts };
/// assert!(decide(&waits, CardAct::Cancel).is_err());
/// assert_eq!(decide(&Facts { others: 1, ..waits }, CardAct::Cancel), Ok(CardStatus::Cancelled));
/// ```
///
/// # Errors
/// Why not. Source: [`leads_to`]; that a card is cancelled only without loans and debt, whatever other cards there are; and that nobody who
/// waits for something is left without a card.
pub fn decide(facts: &Facts, act: CardAct) -> Result<CardStatus, Obstacle> {
    let status = facts.status;
    let next = leads_to(status, act).ok_or(Obstacle::State { act, status })?;
    let Facts {
        others,
        open_loans,
        open_holds,
        debt_fen,
        ..
    } = *facts;
    let settled = open_loans == 0 && debt_fen == 0 && (open_holds == 0 || others > 0);
    if act == CardAct::Cancel && !settled {
        return Err(Obstacle::Unsettled {
            open_loans,
            open_holds,
            debt_fen,
        });
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of docs/READERS.md.
    fn printed() -> String {
        let mut table = String::new();
        for from in CardStatus::ALL {
            for act in CardAct::ALL {
                if let Some(to) = leads_to(from, *act) {
                    table += &format!("| {} | {} | {} |\n", from.code(), act.code(), to.code());
                }
            }
        }
        table
    }

    #[test]
    fn the_table_is_the_published_one() {
        let docs = include_str!("../../docs/READERS.md");
        assert!(docs.contains(&printed()), "docs/READERS.md must have\n{}", printed());
    }

    #[test]
    fn a_card_that_ended_stays_ended_and_every_other_can_be_cancelled() {
        for status in CardStatus::ALL {
            let ended = matches!(status, CardStatus::Replaced | CardStatus::Cancelled);
            let ways = CardAct::ALL
                .iter()
                .filter(|act| leads_to(status, **act).is_some())
                .count();
            assert_eq!(ways == 0, ended, "{}", status.code());
            assert_eq!(leads_to(status, CardAct::Cancel).is_none(), ended, "{}", status.code());
        }
    }

    #[test]
    fn a_card_is_cancelled_only_when_nothing_is_left_to_settle() {
        let free = Facts {
            status: CardStatus::Active,
            others: 0,
            open_loans: 0,
            open_holds: 0,
            debt_fen: 0,
        };
        assert_eq!(decide(&free, CardAct::Cancel), Ok(CardStatus::Cancelled));
        for facts in [
            Facts { open_loans: 1, ..free },
            Facts { open_holds: 1, ..free },
            Facts { debt_fen: 1, ..free },
        ] {
            assert!(matches!(
                decide(&facts, CardAct::Cancel),
                Err(Obstacle::Unsettled { .. })
            ));
            assert_eq!(decide(&facts, CardAct::ReportLost), Ok(CardStatus::Lost));
            let another = decide(&Facts { others: 1, ..facts }, CardAct::Cancel);
            assert_eq!(another.is_ok(), facts.open_holds == 1, "{facts:?}");
        }
    }
}
