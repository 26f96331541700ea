//! What contradicts the records, and what a person may answer: one declared table, printed in docs/OFFLINE.md.
//! Not for: finding contradictions (`journal_act`, `two_phase`).

use std::fmt;
use std::fmt::Write;

use super::words::words;

words! {
    /// Why an act cannot be recorded.
    ConflictReason:
    /// No item, or no single one, has that tag or barcode.
    ItemUnknown = "item_unknown",
    /// Nobody has that card.
    ReaderUnknown = "reader_unknown",
    OnLoanToOther = "on_loan_to_other",
    /// Something happened to the item since that leaves no room for the act.
    MovedOn = "moved_on",
    Withdrawn = "withdrawn",
    NotTheirLoan = "not_their_loan",
    /// A machine and a person, or two machines, say otherwise of one loan.
    SaidOtherwise = "said_otherwise";

    /// What a person answers.
    Resolution:
    /// The act happened: what stands in its way ends as of then, and it is recorded.
    ActStands = "act_stands",
    /// It did not: nothing is recorded.
    RecordStands = "record_stands",
    /// Somebody has the item in hand: what is open ends, and it is checked in.
    ItemHere = "item_here",
    /// Who it was: then it is judged again.
    ReaderIs = "reader_is",
    /// What it was: then it is judged again.
    ItemIs = "item_is";
}

/// Whether an answer settles a contradiction.
///
/// ```
/// use tongjie::domain::journal_conflict::{ConflictReason, Resolution, settles};
/// assert!(settles(ConflictReason::OnLoanToOther, Resolution::ActStands));
/// assert!(!settles(ConflictReason::ItemUnknown, Resolution::ActStands));
/// ```
pub const fn settles(reason: ConflictReason, resolution: Resolution) -> bool {
    match resolution {
        Resolution::RecordStands => true,
        Resolution::ActStands => matches!(
            reason,
            ConflictReason::OnLoanToOther | ConflictReason::MovedOn | ConflictReason::Withdrawn
        ),
        Resolution::ItemHere => matches!(
            reason,
            ConflictReason::ReaderUnknown
                | ConflictReason::OnLoanToOther
                | ConflictReason::MovedOn
                | ConflictReason::Withdrawn
                | ConflictReason::SaidOtherwise
        ),
        Resolution::ReaderIs => matches!(reason, ConflictReason::ReaderUnknown),
        Resolution::ItemIs => matches!(reason, ConflictReason::ItemUnknown),
    }
}

/// Why an answer is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Somebody was first, and this was the answer.
    Resolved(Resolution),
    /// It does not settle such a contradiction.
    DoesNotFit(ConflictReason, Resolution),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolved(first) => write!(f, "it was resolved already: {first}"),
            Self::DoesNotFit(reason, resolution) => {
                let fitting = Resolution::ALL.iter().filter(|one| settles(*reason, **one));
                let fitting: Vec<&str> = fitting.map(|one| one.code()).collect();
                write!(
                    f,
                    "{resolution} does not settle {reason}; {} does",
                    fitting.join(" or ")
                )?;
                if *reason == ConflictReason::SaidOtherwise {
                    f.write_str(
                        ", once its loan was confirmed or voided where that was wrong (confirmLoan, voidLoan)",
                    )?;
                }
                Ok(())
            }
        }
    }
}

/// Takes an answer.
///
/// # Errors
/// It was resolved before, or does not fit. Source: [`settles`].
pub const fn resolve(
    reason: ConflictReason,
    resolved: Option<Resolution>,
    resolution: Resolution,
) -> Result<(), Obstacle> {
    match resolved {
        Some(first) => Err(Obstacle::Resolved(first)),
        None if settles(reason, resolution) => Ok(()),
        None => Err(Obstacle::DoesNotFit(reason, resolution)),
    }
}

/// The table as docs/OFFLINE.md has it.
pub fn table() -> String {
    let mut text = String::from("| reason |");
    for resolution in Resolution::ALL {
        let _ = write!(text, " `{resolution}` |");
    }
    text += "\n|---|";
    text += &"---|".repeat(Resolution::ALL.len());
    text.push('\n');
    for reason in ConflictReason::ALL {
        let _ = write!(text, "| `{reason}` |");
        for resolution in Resolution::ALL {
            text += if settles(*reason, *resolution) { " x |" } else { "  |" };
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_table_of_the_code() {
        let (page, table) = (include_str!("../../docs/OFFLINE.md"), table());
        assert!(page.contains(&table), "docs/OFFLINE.md should have\n\n{table}");
    }

    #[test]
    fn every_contradiction_can_be_settled_and_every_answer_settles_one() {
        for reason in ConflictReason::ALL {
            assert!(settles(*reason, Resolution::RecordStands), "{reason}");
        }
        for resolution in Resolution::ALL {
            assert!(
                ConflictReason::ALL.iter().any(|reason| settles(*reason, *resolution)),
                "{resolution}"
            );
        }
    }

    #[test]
    fn a_second_answer_is_told_the_first() {
        let reason = ConflictReason::ItemUnknown;
        let second = resolve(reason, Some(Resolution::RecordStands), Resolution::ItemIs).unwrap_err();
        assert_eq!(second.to_string(), "it was resolved already: record_stands");
        let odd = resolve(reason, None, Resolution::ActStands).unwrap_err();
        assert_eq!(
            odd.to_string(),
            "act_stands does not settle item_unknown; record_stands or item_is does"
        );
        assert_eq!(resolve(reason, None, Resolution::ItemIs), Ok(()));
    }
}
