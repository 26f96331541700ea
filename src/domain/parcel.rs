//! The life of a parcel: one declared table of transitions, printed in docs/PARCELS.md.
//! Not for: what happens to the items in it.

use std::fmt::Write;

/// Which way a parcel travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a packing unit to a reader.
    Out,
    /// From a reader to a unit.
    Back,
}

impl Direction {
    /// The word used in the database and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Back => "back",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Out, Self::Back].into_iter().find(|one| one.code() == code)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $($(#[$vdoc:meta])* $variant:ident = $code:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {$($(#[$vdoc])* $variant),*}

        impl $name {
            /// Every one, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word used in the database and the API.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// Reads the word back.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.code() == code)
            }
        }
    };
}

words! {
    /// Where a parcel is in its life.
    ParcelState:
    /// Out: packed, not yet given to the carrier.
    Packed = "packed",
    /// Back: the reader has said that it will come.
    Announced = "announced",
    /// Out: given to the carrier.
    Dispatched = "dispatched",
    /// The carrier has it.
    InTransit = "in_transit",
    /// Out: with the reader. Back: at the unit, not yet opened.
    Delivered = "delivered",
    /// Out: the reader did not take it; it comes back.
    Refused = "refused",
    /// The carrier does not know where it is.
    Lost = "lost",
    /// Out: the carrier has brought it back to the unit, which has not opened it yet.
    Returned = "returned",
    /// Opened at the unit, everything in it checked in.
    Received = "received",
    /// Nothing was left in it, or it never came.
    Cancelled = "cancelled",
}

words! {
    /// What happens to a parcel.
    Step:
    /// Staff give it to the carrier.
    Dispatch = "dispatch",
    /// Nothing is left in it, or the reader calls it off.
    Cancel = "cancel",
    PickedUp = "picked_up",
    OnTheWay = "in_transit",
    Deliver = "delivered",
    Refuse = "refused",
    Lose = "lost",
    Return = "returned",
    /// Staff have checked in everything that was in it.
    Receive = "received",
    /// It did not come, and staff do not wait for it any longer.
    GiveUp = "give_up",
}

impl Step {
    /// A carrier may report it.
    pub const fn is_reported(self) -> bool {
        match self {
            Self::PickedUp | Self::OnTheWay | Self::Deliver | Self::Refuse | Self::Lose | Self::Return => true,
            Self::Dispatch | Self::Cancel | Self::Receive | Self::GiveUp => false,
        }
    }
}

impl ParcelState {
    /// Nothing more is expected.
    pub const fn is_closed(self, direction: Direction) -> bool {
        match self {
            Self::Received | Self::Cancelled => true,
            Self::Delivered => matches!(direction, Direction::Out),
            _ => false,
        }
    }
}

/// The state after a step; `None` where the step cannot follow. Reports come late, twice and in any order: a report that
/// cannot follow changes nothing.
///
/// ```
/// use tongjie::domain::parcel::{Direction, ParcelState, Step, next};
/// assert_eq!(next(Direction::Out, ParcelState::Dispatched, Step::Deliver), Some(ParcelState::Delivered));
/// assert_eq!(next(Direction::Out, ParcelState::Delivered, Step::OnTheWay), None);
/// ```
pub const fn next(direction: Direction, state: ParcelState, step: Step) -> Option<ParcelState> {
    use ParcelState as P;
    match (direction, state, step) {
        (Direction::Out, P::Packed, Step::Dispatch) => Some(P::Dispatched),
        (Direction::Out, P::Packed, Step::Cancel) | (Direction::Back, P::Announced, Step::Cancel) => Some(P::Cancelled),
        (Direction::Out, P::Dispatched | P::InTransit | P::Refused | P::Lost | P::Returned, Step::GiveUp)
        | (Direction::Back, P::Announced | P::InTransit | P::Lost | P::Delivered, Step::GiveUp) => Some(P::Cancelled),
        (Direction::Out, P::Dispatched | P::InTransit | P::Lost, Step::PickedUp | Step::OnTheWay)
        | (Direction::Back, P::Announced | P::InTransit | P::Lost, Step::PickedUp | Step::OnTheWay) => {
            Some(P::InTransit)
        }
        (Direction::Out, P::Dispatched | P::InTransit | P::Lost | P::Refused, Step::Deliver)
        | (Direction::Back, P::Announced | P::InTransit | P::Lost, Step::Deliver) => Some(P::Delivered),
        (Direction::Out, P::Dispatched | P::InTransit | P::Lost, Step::Refuse) => Some(P::Refused),
        (Direction::Out, P::Dispatched | P::InTransit | P::Refused, Step::Lose)
        | (Direction::Back, P::InTransit, Step::Lose) => Some(P::Lost),
        (Direction::Out, P::Dispatched | P::InTransit | P::Refused | P::Lost, Step::Return) => Some(P::Returned),
        (Direction::Out, P::Dispatched | P::InTransit | P::Refused | P::Lost | P::Returned, Step::Receive)
        | (Direction::Back, P::Announced | P::InTransit | P::Lost | P::Delivered, Step::Receive) => Some(P::Received),
        _ => None,
    }
}

/// The table as docs/PARCELS.md has it.
pub fn table(direction: Direction) -> String {
    let mut text = format!("| {} |", direction.code());
    for step in Step::ALL {
        let _ = write!(text, " {} |", step.code());
    }
    text += "\n|---|";
    text += &"---|".repeat(Step::ALL.len());
    text.push('\n');
    for state in ParcelState::ALL {
        let row: Vec<_> = Step::ALL.iter().map(|step| next(direction, *state, *step)).collect();
        let reached = ParcelState::ALL.iter().any(|from| {
            Step::ALL
                .iter()
                .any(|step| next(direction, *from, *step) == Some(*state))
        });
        if !reached && row.iter().all(Option::is_none) {
            continue;
        }
        let _ = write!(text, "| `{}` |", state.code());
        for after in row {
            let _ = write!(text, " {} |", after.map_or("", ParcelState::code));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_tables_of_the_code() {
        let page = include_str!("../../docs/PARCELS.md");
        for direction in [Direction::Out, Direction::Back] {
            let table = table(direction);
            assert!(page.contains(&table), "docs/PARCELS.md should have\n\n{table}");
        }
    }

    #[test]
    fn what_is_closed_is_not_opened_again() {
        for direction in [Direction::Out, Direction::Back] {
            for state in ParcelState::ALL.iter().filter(|state| state.is_closed(direction)) {
                for step in Step::ALL {
                    assert_eq!(next(direction, *state, *step), None, "{state:?} {step:?}");
                }
            }
        }
    }

    #[test]
    fn a_report_said_twice_changes_nothing_the_second_time() {
        for direction in [Direction::Out, Direction::Back] {
            for (state, step) in ParcelState::ALL
                .iter()
                .flat_map(|s| Step::ALL.iter().map(move |t| (s, t)))
            {
                if let Some(after) = next(direction, *state, *step) {
                    assert!(
                        [None, Some(after)].contains(&next(direction, after, *step)),
                        "{state:?} {step:?}"
                    );
                }
            }
        }
    }
}
