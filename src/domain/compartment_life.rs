//! The life of a compartment: one declared table of what is known of its inside, printed in docs/LOCKERS.md.
//! Not for: the door's wiring (`device::drivers`), what a report means (`compartment_report`), or the state of the item.

use std::fmt;
use std::fmt::Write;

use chrono::TimeDelta;

use super::words::words;

words! {
    /// What is known of the inside.
    CompartmentState:
    /// Nothing is in it.
    Empty = "empty",
    /// Ordered open so that something is put in.
    Receiving = "receiving",
    /// One book that we know.
    Occupied = "occupied",
    /// Ordered open for the reader who takes it.
    HandingOut = "handing_out",
    /// Ordered open for staff or a courier.
    Unloading = "unloading",
    /// Nobody knows: power or network was gone, or the door stood open too long.
    Unsure = "unsure",
    /// Something is in it that a person must look at.
    Held = "held",
    /// The door does not open, or staff took it out of use. What lay in it lies there.
    OutOfOrder = "out_of_order";

    /// What happens to a compartment.
    CompartmentStep:
    Receive = "receive",
    HandOut = "hand_out",
    Unload = "unload",
    NotOpened = "not_opened",
    ClosedEmpty = "closed_empty",
    /// Closed with the one book that may be there.
    ClosedKnown = "closed_known",
    /// Closed with anything else.
    ClosedForeign = "closed_foreign",
    /// No report until the deadline.
    Silent = "silent",
    /// The door opened though nobody ordered it.
    Forced = "forced",
    TakeOut = "take_out",
    SettleEmpty = "settle_empty",
    SettleItem = "settle_item";
}

/// How long after an order to open a door may stand open before nobody knows what is behind it.
pub const DOOR_TIME: TimeDelta = TimeDelta::minutes(2);

impl CompartmentStep {
    /// An order to open the door: it begins another turn.
    pub const fn opens(self) -> bool {
        matches!(self, Self::Receive | Self::HandOut | Self::Unload)
    }

    /// Staff or a courier can do it at any time, whatever the machine does.
    pub const fn is_of_a_person(self) -> bool {
        matches!(
            self,
            Self::Unload | Self::TakeOut | Self::SettleEmpty | Self::SettleItem
        )
    }
}

impl CompartmentState {
    /// The order to open is under way: a deadline runs.
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::Receiving | Self::HandingOut | Self::Unloading)
    }

    /// It must name the book in it.
    pub const fn names_an_item(self) -> bool {
        matches!(self, Self::Occupied | Self::HandingOut)
    }

    /// It must not.
    pub const fn names_none(self) -> bool {
        matches!(self, Self::Empty | Self::Receiving)
    }

    /// A person must do something about it.
    pub const fn needs_a_person(self) -> bool {
        matches!(self, Self::Unsure | Self::Held | Self::OutOfOrder)
    }
}

/// The state after a step; `None` where the step cannot follow: a report of it changes nothing.
///
/// ```
/// use tongjie::domain::compartment_life::{CompartmentState as S, CompartmentStep as T, next};
/// assert_eq!(next(S::HandingOut, T::ClosedEmpty), Some(S::Empty));
/// assert_eq!(next(S::HandingOut, T::Silent), Some(S::Unsure));
/// // Never for two at once.
/// assert_eq!(next(S::HandingOut, T::HandOut), None);
/// ```
pub const fn next(state: CompartmentState, step: CompartmentStep) -> Option<CompartmentState> {
    use CompartmentState::{Empty, HandingOut, Held, Occupied, OutOfOrder, Receiving, Unloading, Unsure};
    use CompartmentStep as T;
    match (state, step) {
        (Empty, T::Receive) => Some(Receiving),
        (Occupied, T::HandOut) => Some(HandingOut),
        (Empty | Occupied | Unsure | Held | OutOfOrder, T::Unload) => Some(Unloading),
        // Reported late, too: by then it is unsure.
        (Receiving | HandingOut | Unloading | Unsure, T::NotOpened) => Some(OutOfOrder),
        (Receiving | HandingOut | Unloading | Unsure, T::ClosedEmpty) => Some(Empty),
        (Receiving | HandingOut | Unloading | Unsure, T::ClosedKnown) => Some(Occupied),
        (Receiving | HandingOut | Unloading | Unsure | Occupied | Empty, T::ClosedForeign) => Some(Held),
        // An inventory that finds otherwise than we know; and deadlines, and doors that nobody ordered open.
        (Occupied, T::ClosedEmpty)
        | (Empty, T::ClosedKnown)
        | (Receiving | HandingOut | Unloading, T::Silent)
        | (Empty | Occupied | Held, T::Forced) => Some(Unsure),
        (Empty | Occupied | Unsure | Held, T::TakeOut) => Some(OutOfOrder),
        (Unsure | Held | OutOfOrder, T::SettleEmpty) => Some(Empty),
        (Unsure | Held | OutOfOrder, T::SettleItem) => Some(Occupied),
        _ => None,
    }
}

/// The step cannot follow now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obstacle {
    pub state: CompartmentState,
    pub step: CompartmentStep,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let possible = CompartmentState::ALL
            .iter()
            .filter(|state| next(**state, self.step).is_some());
        let possible: Vec<&str> = possible.map(|state| state.code()).collect();
        write!(
            f,
            "the compartment is {}; {} is possible while it is {}",
            self.state,
            self.step,
            possible.join(", ")
        )
    }
}

/// Takes a step.
///
/// # Errors
/// It cannot follow now. Source: [`next`].
pub fn step(state: CompartmentState, step: CompartmentStep) -> Result<CompartmentState, Obstacle> {
    next(state, step).ok_or(Obstacle { state, step })
}

/// Whether a report of a turn is of the present one: one of an earlier turn was long on its way, and somebody else has had the
/// compartment since.
pub const fn is_of_this_turn(reported: i64, present: i64) -> bool {
    reported == present
}

/// The table as docs/LOCKERS.md has it.
pub fn table() -> String {
    let mut text = String::from("| |");
    for step in CompartmentStep::ALL {
        let _ = write!(text, " `{step}` |");
    }
    text += "\n|---|";
    text += &"---|".repeat(CompartmentStep::ALL.len());
    text.push('\n');
    for state in CompartmentState::ALL {
        let _ = write!(text, "| `{state}` |");
        for step in CompartmentStep::ALL {
            let _ = write!(text, " {} |", next(*state, *step).map_or("", CompartmentState::code));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn reached(from: CompartmentState, may: impl Fn(CompartmentStep) -> bool) -> BTreeSet<CompartmentState> {
        let mut found = BTreeSet::from([from]);
        loop {
            let more: Vec<CompartmentState> = found
                .iter()
                .flat_map(|state| CompartmentStep::ALL.iter().map(move |step| (*state, *step)))
                .filter(|(_, step)| may(*step))
                .filter_map(|(state, step)| next(state, step))
                .filter(|state| !found.contains(state))
                .collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }

    #[test]
    fn the_documentation_has_the_table_of_the_code() {
        let (page, table) = (include_str!("../../docs/LOCKERS.md"), table());
        assert!(page.contains(&table), "docs/LOCKERS.md should have\n\n{table}");
    }

    #[test]
    fn every_state_can_be_reached_from_empty() {
        let all = reached(CompartmentState::Empty, |_| true);
        assert_eq!(all.len(), CompartmentState::ALL.len());
    }

    #[test]
    fn a_person_alone_can_empty_it_whatever_happened() {
        // The clock helps: what waits for a machine that says nothing is unsure after a while.
        let person = |step: CompartmentStep| step.is_of_a_person() || step == CompartmentStep::Silent;
        for state in CompartmentState::ALL {
            assert!(reached(*state, person).contains(&CompartmentState::Empty), "{state}");
        }
    }

    #[test]
    fn silence_at_every_step_ends_where_a_person_can_finish() {
        for state in CompartmentState::ALL {
            match next(*state, CompartmentStep::Silent) {
                Some(after) => assert!(state.is_waiting() && after.needs_a_person(), "{state}"),
                None => assert!(!state.is_waiting(), "{state}"),
            }
        }
    }

    #[test]
    fn no_door_is_ordered_open_while_an_order_is_under_way() {
        for (state, step) in CompartmentState::ALL
            .iter()
            .flat_map(|state| CompartmentStep::ALL.iter().map(move |step| (*state, *step)))
            .filter(|(state, step)| state.is_waiting() && step.opens())
        {
            assert_eq!(next(state, step), None, "{state} {step}");
        }
    }

    #[test]
    fn only_what_is_known_to_be_there_is_handed_out() {
        for state in CompartmentState::ALL {
            let may = next(*state, CompartmentStep::HandOut).is_some();
            assert_eq!(may, *state == CompartmentState::Occupied, "{state}");
        }
    }

    #[test]
    fn an_obstacle_says_when_it_is_possible() {
        let refused = step(CompartmentState::Held, CompartmentStep::HandOut).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the compartment is held; hand_out is possible while it is occupied"
        );
    }

    proptest! {
        /// A report that is sent twice changes nothing the second time, or nothing that a person must not see anyway.
        #[test]
        fn any_course_of_things_keeps_the_books_named(steps in proptest::collection::vec(select(CompartmentStep::ALL), 0..40)) {
            let mut state = CompartmentState::Empty;
            for step in steps {
                let Some(after) = next(state, step) else { continue };
                prop_assert!(!(after.names_an_item() && after.names_none()));
                // A book appears only by being put in, being seen, or a person's word.
                let appears = !state.names_an_item() && after == CompartmentState::Occupied;
                prop_assert!(!appears || matches!(step, CompartmentStep::ClosedKnown | CompartmentStep::SettleItem));
                // It is gone only when it was seen to be, or a person says so.
                let gone = after == CompartmentState::Empty;
                prop_assert!(!gone || matches!(step, CompartmentStep::ClosedEmpty | CompartmentStep::SettleEmpty));
                state = after;
            }
        }
    }
}
