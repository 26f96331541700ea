//! Whether a reader may be erased: nothing may be open that somebody still has to settle with them.
//! Not for: what is erased (the list of what is held says it).

use std::fmt;

/// What stands against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    OpenLoans(usize),
    /// A copy is set aside, on its way, or in a parcel.
    CopiesSetAside(usize),
    /// A parcel of the reader is under way.
    OpenParcels(i64),
    Debt {
        fen: i64,
    },
    /// Money of the reader that a library holds.
    Deposits(i64),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenLoans(n) => write!(f, "{n} open loans: give the items back first (尚有{n}册未归还)"),
            Self::CopiesSetAside(n) => write!(
                f,
                "{n} holds with a copy set aside: pick them up or cancel them (尚有{n}册预约已为您留书)"
            ),
            Self::OpenParcels(n) => write!(
                f,
                "{n} parcels under way: wait until they have ended (尚有{n}件寄送未完结)"
            ),
            Self::Debt { fen } => write!(f, "a debt of {fen} fen: pay it first (尚有欠款{fen}分)"),
            Self::Deposits(n) => write!(f, "{n} deposits of money: have them refunded first (尚有{n}笔押金未退)"),
        }
    }
}

/// Everything the decision reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    pub open_loans: usize,
    pub copies_set_aside: usize,
    pub open_parcels: i64,
    pub debt_fen: i64,
    pub deposits: i64,
}

/// Everything that stands against erasing a reader; nothing: it may be done.
///
/// ```
/// use tongjie::domain::erase_reader::{Facts, Obstacle, obstacles};
/// assert!(obstacles(&Facts::default()).is_empty());
/// let facts = Facts { open_loans: 2, debt_fen: 150, ..Facts::default() };
/// assert_eq!(obstacles(&facts), [Obstacle::OpenLoans(2), Obstacle::Debt { fen: 150 }]);
/// ```
pub fn obstacles(facts: &Facts) -> Vec<Obstacle> {
    let found = [
        (facts.open_loans > 0).then_some(Obstacle::OpenLoans(facts.open_loans)),
        (facts.copies_set_aside > 0).then_some(Obstacle::CopiesSetAside(facts.copies_set_aside)),
        (facts.open_parcels > 0).then_some(Obstacle::OpenParcels(facts.open_parcels)),
        (facts.debt_fen > 0).then_some(Obstacle::Debt { fen: facts.debt_fen }),
        (facts.deposits > 0).then_some(Obstacle::Deposits(facts.deposits)),
    ];
    found.into_iter().flatten().collect()
}
