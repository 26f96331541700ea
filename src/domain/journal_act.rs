//! An act of the offline journal, judged as of its time. It has happened: it is recorded, recorded despite what would have refused
//! it, or contradicts what is known and goes to a person. The table is in docs/OFFLINE.md; a test holds it against this.
//! Not for: numbers, keys and clocks (`journal`), or what the rules would have said, which is handed in.

use chrono::{DateTime, Utc};

use super::ids::{LoanId, ReaderId};
use super::journal_conflict::ConflictReason;
use super::refusal::Code;
use super::words::words;

words! {
    /// What was done.
    ActKind:
    CheckOut = "check_out",
    CheckIn = "check_in",
    Renewal = "renewal";
}

/// The loan of the item that is open now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoanNow {
    pub id: LoanId,
    pub reader: ReaderId,
    pub loaned_at: DateTime<Utc>,
    /// The same machine has made it, and nobody has said yet whether the book was taken.
    pub in_question_here: bool,
}

/// The item as it is known now, read under its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemNow {
    pub withdrawn: bool,
    pub open_loan: Option<LoanNow>,
    /// The first return after the act that is known, of a loan or by a machine's journal.
    pub returned_after: Option<DateTime<Utc>>,
    pub last_event_at: DateTime<Utc>,
}

/// Everything the classification reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub kind: ActKind,
    pub happened_at: DateTime<Utc>,
    /// `None`: no item, or no single one, has that tag or barcode.
    pub item: Option<&'a ItemNow>,
    /// `None`: nobody has that card. Not looked at for a return.
    pub reader: Option<ReaderId>,
    /// What the rules of then would have refused.
    pub refused: &'a [Code],
}

/// What is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it is known, or over.
    Nothing,
    /// A loan as of then.
    Lend,
    /// A loan that ended since.
    LendAndClose {
        returned_at: DateTime<Utc>,
    },
    /// The reader's loan that is open ends as of then, and another begins: the return between the two was not told.
    ReturnAndLend {
        loan: LoanId,
    },
    /// A return as of then, whether or not it was on loan.
    Return,
    Renew {
        loan: LoanId,
    },
}

/// What becomes of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// It happened though the rules would have refused it: staff are told the codes.
    AcceptedDespite,
    Conflict(ConflictReason),
}

/// The answer to an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classified {
    pub verdict: Verdict,
    pub effect: Effect,
    /// Nobody knows where the item is: it must not count as on the shelf.
    pub needs_attention: bool,
}

impl Classified {
    const fn conflict(reason: ConflictReason, needs_attention: bool) -> Self {
        Self {
            verdict: Verdict::Conflict(reason),
            effect: Effect::Nothing,
            needs_attention,
        }
    }

    const fn accepted(effect: Effect) -> Self {
        Self {
            verdict: Verdict::Accepted,
            effect,
            needs_attention: false,
        }
    }
}

/// Classifies an act. Total; of two acts that exclude each other it never records both.
///
/// ```
/// use chrono::{DateTime, TimeDelta, Utc};
/// use tongjie::domain::ids::ReaderId;
/// use tongjie::domain::journal_act::{ActKind, Effect, Facts, ItemNow, Verdict, classify};
/// use tongjie::domain::refusal::Code;
/// let happened_at = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(1);
/// let item = ItemNow { withdrawn: false, open_loan: None, returned_after: None, last_event_at: DateTime::UNIX_EPOCH };
/// let facts = Facts {
///     kind: ActKind::CheckOut, happened_at, item: Some(&item), reader: Some(ReaderId::new(7)), refused: &[Code::LimitLoans],
/// };
/// let classified = classify(&facts);
/// assert_eq!((classified.verdict, classified.effect), (Verdict::AcceptedDespite, Effect::Lend));
/// ```
pub fn classify(facts: &Facts<'_>) -> Classified {
    let Some(item) = facts.item else {
        return Classified::conflict(ConflictReason::ItemUnknown, false);
    };
    let found = match facts.kind {
        ActKind::CheckOut => check_out(facts, item),
        ActKind::CheckIn => check_in(facts, item),
        ActKind::Renewal => renewal(facts, item),
    };
    let recorded = !matches!(found.effect, Effect::Nothing | Effect::Return);
    if found.verdict == Verdict::Accepted && recorded && !facts.refused.is_empty() {
        return Classified {
            verdict: Verdict::AcceptedDespite,
            ..found
        };
    }
    found
}

fn check_out(facts: &Facts<'_>, item: &ItemNow) -> Classified {
    let then = facts.happened_at;
    let unseen_since = item.last_event_at <= then;
    let Some(reader) = facts.reader else {
        return Classified::conflict(ConflictReason::ReaderUnknown, unseen_since);
    };
    if item.withdrawn {
        return Classified::conflict(ConflictReason::Withdrawn, unseen_since);
    }
    match (item.open_loan, item.returned_after) {
        // The loan there is now began after that return.
        (Some(loan), Some(returned_at)) if loan.loaned_at >= returned_at => {
            Classified::accepted(Effect::LendAndClose { returned_at })
        }
        // The machine lost our answer and went on alone: it is the same act.
        (Some(loan), _) if loan.reader == reader && loan.in_question_here => Classified::accepted(Effect::Nothing),
        (Some(loan), _) if loan.reader == reader && loan.loaned_at < then => {
            Classified::accepted(Effect::ReturnAndLend { loan: loan.id })
        }
        (Some(loan), _) if loan.reader == reader => Classified::accepted(Effect::Nothing),
        (Some(_), _) => Classified::conflict(ConflictReason::OnLoanToOther, unseen_since),
        (None, Some(returned_at)) => Classified::accepted(Effect::LendAndClose { returned_at }),
        (None, None) if unseen_since => Classified::accepted(Effect::Lend),
        (None, None) => Classified::conflict(ConflictReason::MovedOn, false),
    }
}

fn check_in(facts: &Facts<'_>, item: &ItemNow) -> Classified {
    let then = facts.happened_at;
    Classified::accepted(match item.open_loan {
        Some(loan) if loan.loaned_at <= then => Effect::Return,
        Some(_) => Effect::Nothing,
        None if item.last_event_at > then => Effect::Nothing,
        None => Effect::Return,
    })
}

fn renewal(facts: &Facts<'_>, item: &ItemNow) -> Classified {
    let Some(reader) = facts.reader else {
        return Classified::conflict(ConflictReason::ReaderUnknown, false);
    };
    match item.open_loan {
        Some(loan) if loan.reader == reader && loan.loaned_at <= facts.happened_at => {
            Classified::accepted(Effect::Renew { loan: loan.id })
        }
        _ => Classified::conflict(ConflictReason::NotTheirLoan, false),
    }
}

#[cfg(test)]
mod tests;
