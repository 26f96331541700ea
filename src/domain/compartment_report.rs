//! What a machine's report of a door means: the step of the compartment's life, and whether the book that was there is gone.
//! Not for: who put what in, or the loan (`two_phase`).

use super::compartment_life::{CompartmentState, CompartmentStep};
use super::words::words;

words! {
    /// What the door does.
    Door:
    Open = "open",
    Closed = "closed",
    /// It did not open.
    Jammed = "jammed",
    /// It opened, and nobody had ordered it.
    Forced = "forced";
}

/// What the machine found behind a closed door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inside {
    Empty,
    /// The tags that were read, each once.
    Tags(Vec<String>),
    /// Something is there, and its tag cannot be read.
    Unread,
    /// Something is there; the machine reads no tags.
    Something,
    /// It cannot look.
    NoSensor,
}

impl Inside {
    /// By its word, with the tags that were read; `None` for a word this version does not know.
    pub fn of(word: &str, tags: Vec<String>) -> Option<Self> {
        match word {
            "empty" => Some(Self::Empty),
            "tags" => Some(Self::Tags(tags)),
            "unread" => Some(Self::Unread),
            "something" => Some(Self::Something),
            "no_sensor" => Some(Self::NoSensor),
            _ => None,
        }
    }
}

/// Everything the judgement reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub state: CompartmentState,
    /// The tag of the book that lies there, lay there, or was announced.
    pub expected: Option<&'a str>,
    /// A reader puts something in, and nobody knows what.
    pub is_return: bool,
    /// The tags that each mean one item of ours.
    pub ours: &'a [String],
    pub door: Door,
    pub inside: &'a Inside,
    /// Of a machine that cannot look: a door that was open and is closed counts as taken. From its configuration.
    pub door_means_taken: bool,
}

/// What a report comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Nothing changes while a door is open.
    pub step: Option<CompartmentStep>,
    /// Whether the expected book is gone; `None`: the report does not say.
    pub gone: Option<bool>,
}

const fn judged(step: CompartmentStep, gone: Option<bool>) -> Judged {
    Judged { step: Some(step), gone }
}

/// Judges a report.
pub fn judge(facts: &Facts<'_>) -> Judged {
    let found = match facts.door {
        Door::Open => Judged { step: None, gone: None },
        Door::Jammed => judged(CompartmentStep::NotOpened, Some(false)),
        Door::Forced => judged(CompartmentStep::Forced, None),
        Door::Closed => closed(facts),
    };
    Judged {
        gone: found.gone.filter(|_| facts.expected.is_some()),
        ..found
    }
}

fn closed(facts: &Facts<'_>) -> Judged {
    match facts.inside {
        Inside::Empty => judged(CompartmentStep::ClosedEmpty, Some(true)),
        Inside::Tags(tags) => tagged(facts, tags),
        // The right book with a bad tag, or another one: only a person can tell.
        Inside::Unread => judged(CompartmentStep::ClosedForeign, None),
        Inside::Something if facts.is_return || facts.expected.is_none() => {
            judged(CompartmentStep::ClosedForeign, None)
        }
        Inside::Something => judged(CompartmentStep::ClosedKnown, Some(false)),
        Inside::NoSensor => unseen(facts),
    }
}

fn tagged(facts: &Facts<'_>, tags: &[String]) -> Judged {
    let expected_there = facts.expected.is_some_and(|tag| tags.iter().any(|read| read == tag));
    match tags {
        [] => judged(CompartmentStep::ClosedEmpty, Some(true)),
        [_] if expected_there => judged(CompartmentStep::ClosedKnown, Some(false)),
        [one] if facts.is_return && facts.ours.contains(one) => judged(CompartmentStep::ClosedKnown, None),
        _ => judged(CompartmentStep::ClosedForeign, Some(!expected_there)),
    }
}

/// A machine with doors and nothing else: what was ordered is taken for what happened, where that harms nobody.
fn unseen(facts: &Facts<'_>) -> Judged {
    match facts.state {
        CompartmentState::Receiving if !facts.is_return => judged(CompartmentStep::ClosedKnown, Some(false)),
        CompartmentState::Receiving => judged(CompartmentStep::ClosedForeign, None),
        // Whoever opened it has the book in hand and scans it.
        CompartmentState::Unloading => judged(CompartmentStep::ClosedEmpty, Some(true)),
        CompartmentState::HandingOut if facts.door_means_taken => judged(CompartmentStep::ClosedEmpty, Some(true)),
        CompartmentState::HandingOut => judged(CompartmentStep::Silent, None),
        CompartmentState::Empty
        | CompartmentState::Occupied
        | CompartmentState::Unsure
        | CompartmentState::Held
        | CompartmentState::OutOfOrder => Judged { step: None, gone: None },
    }
}

#[cfg(test)]
mod tests {
    use CompartmentState::{HandingOut, Receiving, Unloading};
    use CompartmentStep::{ClosedEmpty, ClosedForeign, ClosedKnown, Forced, NotOpened, Silent};

    use super::*;
    use crate::domain::compartment_life::next;

    fn tags(tags: &[&str]) -> Inside {
        Inside::Tags(tags.iter().map(|tag| (*tag).to_owned()).collect())
    }

    fn said(state: CompartmentState, expected: Option<&str>, door: Door, inside: &Inside) -> Judged {
        let ours = ["BOOK", "OTHER"].map(str::to_owned);
        judge(&Facts {
            state,
            expected,
            is_return: expected.is_none(),
            ours: &ours,
            door,
            inside,
            door_means_taken: false,
        })
    }

    #[test]
    fn what_a_reader_who_takes_leaves_behind() {
        for (inside, step, gone) in [
            (Inside::Empty, ClosedEmpty, Some(true)),
            (tags(&[]), ClosedEmpty, Some(true)),
            (tags(&["BOOK"]), ClosedKnown, Some(false)),
            (tags(&["OTHER"]), ClosedForeign, Some(true)),
            (tags(&["BOOK", "OTHER"]), ClosedForeign, Some(false)),
            (tags(&["X", "Y"]), ClosedForeign, Some(true)),
            (Inside::Unread, ClosedForeign, None),
            (Inside::Something, ClosedKnown, Some(false)),
            (Inside::NoSensor, Silent, None),
        ] {
            let judged = said(HandingOut, Some("BOOK"), Door::Closed, &inside);
            assert_eq!((judged.step, judged.gone), (Some(step), gone), "{inside:?}");
        }
    }

    #[test]
    fn what_a_reader_who_returns_puts_in() {
        for (inside, step) in [
            (Inside::Empty, ClosedEmpty),
            (tags(&["BOOK"]), ClosedKnown),
            (tags(&["ANOTHER NETWORK"]), ClosedForeign),
            (tags(&["BOOK", "OTHER"]), ClosedForeign),
            (Inside::Unread, ClosedForeign),
            (Inside::Something, ClosedForeign),
            (Inside::NoSensor, ClosedForeign),
        ] {
            let judged = said(Receiving, None, Door::Closed, &inside);
            assert_eq!((judged.step, judged.gone), (Some(step), None), "{inside:?}");
        }
    }

    #[test]
    fn what_a_courier_loads_must_be_what_was_announced() {
        for (inside, step) in [
            (tags(&["BOOK"]), ClosedKnown),
            (tags(&["OTHER"]), ClosedForeign),
            (tags(&["BOOK", "OTHER"]), ClosedForeign),
            (Inside::Empty, ClosedEmpty),
            (Inside::Something, ClosedKnown),
            (Inside::NoSensor, ClosedKnown),
        ] {
            let judged = said(Receiving, Some("BOOK"), Door::Closed, &inside);
            assert_eq!(judged.step, Some(step), "{inside:?}");
        }
    }

    #[test]
    fn doors_that_jam_are_forced_or_stand_open() {
        for state in [Receiving, HandingOut, Unloading] {
            let expected = Some("BOOK");
            let jammed = said(state, expected, Door::Jammed, &Inside::NoSensor);
            assert_eq!((jammed.step, jammed.gone), (Some(NotOpened), Some(false)));
            let forced = said(state, expected, Door::Forced, &Inside::NoSensor);
            assert_eq!((forced.step, forced.gone), (Some(Forced), None));
            let open = said(state, expected, Door::Open, &tags(&["BOOK"]));
            assert_eq!((open.step, open.gone), (None, None));
        }
    }

    #[test]
    fn a_door_counts_as_taken_only_where_the_configuration_says_so() {
        let judged = judge(&Facts {
            state: HandingOut,
            expected: Some("BOOK"),
            is_return: false,
            ours: &[],
            door: Door::Closed,
            inside: &Inside::NoSensor,
            door_means_taken: true,
        });
        assert_eq!((judged.step, judged.gone), (Some(ClosedEmpty), Some(true)));
    }

    #[test]
    fn every_report_of_a_closed_door_that_was_ordered_open_ends_the_order() {
        let insides = [
            Inside::Empty,
            tags(&["BOOK"]),
            tags(&["X", "Y"]),
            Inside::Unread,
            Inside::Something,
            Inside::NoSensor,
        ];
        for state in [Receiving, HandingOut, Unloading] {
            for inside in &insides {
                for expected in [None, Some("BOOK")] {
                    let step = said(state, expected, Door::Closed, inside).step.expect("a step");
                    let after = next(state, step).expect("it follows");
                    assert!(!after.is_waiting(), "{state} {inside:?}");
                }
            }
        }
    }
}
