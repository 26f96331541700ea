//! Which compartment a book is put into: the smallest that fits, of those meant for it.
//! Not for: the life of a compartment, or which book it is.

use super::compartment_life::CompartmentState;
use super::words::words;

words! {
    /// How large a compartment is, and what a copy needs at least.
    Size:
    Small = "small",
    Medium = "medium",
    Large = "large";

    /// What a compartment is for.
    Purpose:
    /// What readers asked for.
    Pickup = "pickup",
    /// What anybody may borrow.
    Browsing = "browsing",
    /// What readers bring back.
    Return = "return",
    Any = "any";
}

impl Size {
    /// Of a copy of which nobody has said how large it is.
    pub const UNRECORDED: Self = Self::Medium;
}

impl Purpose {
    /// Whether a compartment for `self` may be used for `wanted`.
    pub const fn serves(self, wanted: Self) -> bool {
        matches!(
            (self, wanted),
            (Self::Any, _)
                | (Self::Pickup, Self::Pickup)
                | (Self::Browsing, Self::Browsing)
                | (Self::Return, Self::Return)
        )
    }
}

/// One compartment, as the choice looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compartment {
    pub number: u16,
    pub size: Size,
    pub purpose: Purpose,
    pub state: CompartmentState,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoneFits {
    /// Whatever is taken out, the book never fits into this machine: its hold goes elsewhere.
    Ever,
    /// One would fit, and is not empty.
    Now,
}

/// Chooses a compartment: of those that fit and are empty the smallest, kept free for others as long as possible: one for this
/// purpose alone before one for any; then the lowest number, so that a courier walks along the doors.
///
/// # Errors
/// None is empty, or none is large enough at all.
///
/// ```
/// use tongjie::domain::compartment_choice::{Compartment, NoneFits, Purpose, Size, choose};
/// use tongjie::domain::compartment_life::CompartmentState::{Empty, Occupied};
/// let door = |number, size, state| Compartment { number, size, purpose: Purpose::Any, state };
/// let doors = [door(1, Size::Large, Empty), door(2, Size::Small, Empty), door(3, Size::Medium, Occupied)];
/// assert_eq!(choose(&doors, Size::Small, Purpose::Pickup), Ok(2));
/// assert_eq!(choose(&doors, Size::Medium, Purpose::Pickup), Ok(1));
/// assert_eq!(choose(&doors[1..], Size::Medium, Purpose::Pickup), Err(NoneFits::Now));
/// assert_eq!(choose(&doors[1..], Size::Large, Purpose::Pickup), Err(NoneFits::Ever));
/// ```
pub fn choose(doors: &[Compartment], least: Size, wanted: Purpose) -> Result<u16, NoneFits> {
    let fitting = || {
        doors
            .iter()
            .filter(move |door| door.size >= least && door.purpose.serves(wanted))
    };
    let empty = fitting().filter(|door| door.state == CompartmentState::Empty);
    let best = empty.min_by_key(|door| (door.size, door.purpose == Purpose::Any, door.number));
    match best {
        Some(door) => Ok(door.number),
        None if fitting().next().is_some() => Err(NoneFits::Now),
        None => Err(NoneFits::Ever),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    const fn door(number: u16, size: Size, purpose: Purpose) -> Compartment {
        Compartment {
            number,
            size,
            purpose,
            state: CompartmentState::Empty,
        }
    }

    #[test]
    fn what_serves_others_too_is_used_last() {
        let doors = [
            door(1, Size::Small, Purpose::Any),
            door(2, Size::Small, Purpose::Pickup),
            door(3, Size::Small, Purpose::Return),
        ];
        assert_eq!(choose(&doors, Size::Small, Purpose::Pickup), Ok(2));
        assert_eq!(choose(&doors, Size::Small, Purpose::Browsing), Ok(1));
        assert_eq!(choose(&doors, Size::Small, Purpose::Return), Ok(3));
        assert_eq!(choose(&doors[1..], Size::Small, Purpose::Browsing), Err(NoneFits::Ever));
    }

    #[test]
    fn a_small_one_for_all_goes_before_a_large_one_for_this() {
        let doors = [
            door(1, Size::Large, Purpose::Pickup),
            door(2, Size::Small, Purpose::Any),
        ];
        assert_eq!(choose(&doors, Size::Small, Purpose::Pickup), Ok(2));
        assert_eq!(choose(&doors, Size::UNRECORDED, Purpose::Pickup), Ok(1));
    }

    fn any_door() -> impl Strategy<Value = Compartment> {
        let (sizes, purposes, states) = (select(Size::ALL), select(Purpose::ALL), select(CompartmentState::ALL));
        (1_u16..500, sizes, purposes, states).prop_map(|(number, size, purpose, state)| Compartment {
            number,
            size,
            purpose,
            state,
        })
    }

    proptest! {
        #[test]
        fn what_is_chosen_is_empty_and_fits_and_nothing_smaller_would(
            doors in proptest::collection::vec(any_door(), 0..30), least in select(Size::ALL), wanted in select(Purpose::ALL),
        ) {
            let fits = |door: &Compartment| {
                door.state == CompartmentState::Empty && door.size >= least && door.purpose.serves(wanted)
            };
            match choose(&doors, least, wanted) {
                Ok(number) => {
                    let chosen = doors.iter().filter(|door| door.number == number && fits(door)).map(|door| door.size).min();
                    let smallest = doors.iter().filter(|door| fits(door)).map(|door| door.size).min();
                    prop_assert!(chosen.is_some());
                    prop_assert_eq!(chosen, smallest);
                }
                Err(_) => prop_assert!(!doors.iter().any(fits)),
            }
        }
    }
}
