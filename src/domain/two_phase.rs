//! A loan at a machine: reserved before the door opens, and then confirmed, voided, or in question. One declared table, printed in
//! docs/LOCKERS.md.
//! Not for: whether the reader may borrow (`check_out`), or what a void does (`void_loan`).

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};

use super::compartment_life::DOOR_TIME;
use super::device_command::CommandKind;
use super::words::words;

words! {
    /// Where such a loan is. In the first two it is an open loan like any other, and is not renewed.
    LoanPhase:
    Reserved = "reserved",
    /// The machine has said nothing in its time.
    Unconfirmed = "unconfirmed",
    Confirmed = "confirmed",
    Voided = "voided";

    /// What is said of it: by the machine's report, its journal, or a person.
    Said:
    /// The book is gone from the compartment.
    Taken = "taken",
    /// The door did not open, or the book is still there.
    NotTaken = "not_taken",
    /// The deadline passed.
    Silence = "silence";
}

/// What that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Confirm,
    /// As if it had never been: no time window, no statistics.
    Void,
    /// It is in question from now on; staff are told.
    Ask,
    /// Known, or of no importance any more.
    Nothing,
    /// A book cannot be both gone and there: a person decides.
    Contradicts,
}

impl Outcome {
    /// The word of the docs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Confirm => "confirmed",
            Self::Void => "voided",
            Self::Ask => "unconfirmed",
            Self::Nothing => "",
            Self::Contradicts => "conflict",
        }
    }
}

impl LoanPhase {
    /// Neither confirmed nor voided.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Reserved | Self::Unconfirmed)
    }
}

/// When silence puts a loan in question: the order's own time, and the time a door may stand open.
pub fn deadline(reserved_at: DateTime<Utc>) -> DateTime<Utc> {
    reserved_at + CommandKind::OpenCompartment.life() + DOOR_TIME
}

/// When the order was given of which silence counts from `deadline` on.
pub fn ordered_at(deadline: DateTime<Utc>) -> DateTime<Utc> {
    deadline - CommandKind::OpenCompartment.life() - DOOR_TIME
}

/// How long a loan may be in question before its unit is alarmed again.
pub const ASKED_FOR: TimeDelta = TimeDelta::hours(24);

/// What is said of a loan, and what has happened to it and its book since it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub phase: LoanPhase,
    pub said: Said,
    /// A confirmed loan has been returned, or the book of a voided one was scanned since: what was in question then is answered.
    pub settled_since: bool,
}

/// Decides what becomes of a loan at a machine. Total: whatever is said, however late, has an outcome.
///
/// ```
/// use tongjie::domain::two_phase::{Facts, LoanPhase, Outcome, Said, decide};
/// let facts = Facts { phase: LoanPhase::Unconfirmed, said: Said::Taken, settled_since: false };
/// assert_eq!(decide(&facts), Outcome::Confirm);
/// // Staff have voided it, and now the machine's journal says that the book was taken.
/// assert_eq!(decide(&Facts { phase: LoanPhase::Voided, ..facts }), Outcome::Contradicts);
/// ```
pub const fn decide(facts: &Facts) -> Outcome {
    match (facts.phase, facts.said) {
        (LoanPhase::Reserved | LoanPhase::Unconfirmed, Said::Taken) => Outcome::Confirm,
        (LoanPhase::Reserved | LoanPhase::Unconfirmed, Said::NotTaken) => Outcome::Void,
        (LoanPhase::Reserved, Said::Silence) => Outcome::Ask,
        (LoanPhase::Confirmed, Said::NotTaken) | (LoanPhase::Voided, Said::Taken) => {
            if facts.settled_since {
                Outcome::Nothing
            } else {
                Outcome::Contradicts
            }
        }
        (LoanPhase::Unconfirmed | LoanPhase::Confirmed | LoanPhase::Voided, Said::Silence)
        | (LoanPhase::Confirmed, Said::Taken)
        | (LoanPhase::Voided, Said::NotTaken) => Outcome::Nothing,
    }
}

/// How long after a door was opened for staff or a courier a book may come out of their hands: what a crate brings is received within
/// days, and what nobody scanned for a week was not in it.
pub const IN_HAND: TimeDelta = TimeDelta::days(7);

/// A book of a loan in question is seen outside its compartment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenOutside {
    /// When its door was last ordered open for staff or a courier since it is in question.
    pub opened_at: Option<DateTime<Utc>>,
    pub seen_at: DateTime<Utc>,
    /// A reader brings it: to a machine, by a parcel, or in a drop.
    pub by_reader: bool,
}

/// What it says of the loan that a book in question is seen outside. A door that only the reader's order could open gave it to the
/// reader. One that was opened for staff or a courier since may have given it to them: nobody is charged a loan that perhaps never was.
///
/// ```
/// use chrono::{DateTime, TimeDelta, Utc};
/// use tongjie::domain::two_phase::{Said, SeenOutside, seen_outside};
/// let opened = DateTime::<Utc>::UNIX_EPOCH;
/// let seen = SeenOutside { opened_at: Some(opened), seen_at: opened + TimeDelta::hours(2), by_reader: false };
/// assert_eq!(seen_outside(&seen), Said::NotTaken);
/// assert_eq!(seen_outside(&SeenOutside { opened_at: None, ..seen }), Said::Taken);
/// ```
pub fn seen_outside(seen: &SeenOutside) -> Said {
    match seen.opened_at {
        Some(opened) if !seen.by_reader && (opened..=opened + IN_HAND).contains(&seen.seen_at) => Said::NotTaken,
        _ => Said::Taken,
    }
}

/// The phase after an outcome.
pub const fn after(phase: LoanPhase, outcome: Outcome) -> LoanPhase {
    match outcome {
        Outcome::Confirm => LoanPhase::Confirmed,
        Outcome::Void => LoanPhase::Voided,
        Outcome::Ask => LoanPhase::Unconfirmed,
        Outcome::Nothing | Outcome::Contradicts => phase,
    }
}

/// The table as docs/LOCKERS.md has it.
pub fn table() -> String {
    let mut text = String::from("| |");
    for said in Said::ALL {
        let _ = write!(text, " `{said}` |");
    }
    text += "\n|---|";
    text += &"---|".repeat(Said::ALL.len());
    text.push('\n');
    for phase in LoanPhase::ALL {
        let _ = write!(text, "| `{phase}` |");
        for said in Said::ALL {
            let facts = Facts {
                phase: *phase,
                said: *said,
                settled_since: false,
            };
            let _ = write!(text, " {} |", decide(&facts).code());
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn the_documentation_has_the_table_of_the_code() {
        let (page, table) = (include_str!("../../docs/LOCKERS.md"), table());
        assert!(page.contains(&table), "docs/LOCKERS.md should have\n\n{table}");
    }

    #[test]
    fn the_deadline_leaves_time_to_open_and_to_close() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        assert_eq!(deadline(now) - now, TimeDelta::seconds(140));
        assert_eq!(ordered_at(deadline(now)), now);
    }

    #[test]
    fn what_was_answered_since_is_no_contradiction() {
        for (phase, said) in [(LoanPhase::Confirmed, Said::NotTaken), (LoanPhase::Voided, Said::Taken)] {
            let facts = |settled_since| Facts {
                phase,
                said,
                settled_since,
            };
            assert_eq!(decide(&facts(false)), Outcome::Contradicts);
            assert_eq!(decide(&facts(true)), Outcome::Nothing);
        }
    }

    #[test]
    fn what_may_have_come_out_by_the_hand_of_a_courier_was_not_taken() {
        let at = |hours: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::hours(hours);
        let week = IN_HAND.num_hours();
        for (opened, seen, by_reader, said) in [
            (None, 100, false, Said::Taken),
            (None, 100, true, Said::Taken),
            (Some(100), 99, false, Said::Taken),
            (Some(100), 100, false, Said::NotTaken),
            (Some(100), 101, false, Said::NotTaken),
            (Some(100), 101, true, Said::Taken),
            (Some(100), 100 + week, false, Said::NotTaken),
            (Some(100), 101 + week, false, Said::Taken),
        ] {
            let facts = SeenOutside {
                opened_at: opened.map(at),
                seen_at: at(seen),
                by_reader,
            };
            assert_eq!(seen_outside(&facts), said, "{opened:?} {seen} {by_reader}");
        }
    }

    proptest! {
        #[test]
        fn it_is_decided_once_and_only_by_what_was_seen(course in proptest::collection::vec(select(Said::ALL), 0..20)) {
            let mut phase = LoanPhase::Reserved;
            let mut first = None;
            for said in course {
                let outcome = decide(&Facts { phase, said, settled_since: false });
                let decides = matches!(outcome, Outcome::Confirm | Outcome::Void);
                prop_assert!(!decides || first.is_none(), "decided twice");
                prop_assert!(!decides || said != Said::Silence, "decided by silence");
                if first.is_none() && said != Said::Silence {
                    prop_assert!(decides, "the first that knows decides");
                    first = Some(said);
                }
                if let Some(first) = first.filter(|_| said != Said::Silence) {
                    prop_assert_eq!(outcome == Outcome::Contradicts, said != first);
                }
                phase = after(phase, outcome);
            }
            prop_assert_eq!(phase.is_open(), first.is_none());
        }
    }
}
