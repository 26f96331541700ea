//! When what a driver sees of a door that was ordered open is a report of it: closed again, and this inside. A report that comes too
//! early voids the loan of a reader who is about to take the book.
//! Not for: what the report means (`compartment_report`), or how a board is asked.

use chrono::TimeDelta;

use super::compartment_life::DOOR_TIME;
use super::compartment_report::Inside;
use super::machine_outcome::{DoorSeen, Sensed};

/// What was found out of the inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Inside(Inside),
    /// Nobody has answered; the machine could know.
    Unknown,
}

/// What sensor and tag reader say together. `None` for what the machine does not have.
///
/// ```
/// use tongjie::domain::compartment_report::Inside;
/// use tongjie::domain::driven_door::{Found, found};
/// use tongjie::domain::machine_outcome::Sensed;
/// assert_eq!(found(Some(Sensed::Item), None), Found::Inside(Inside::Something));
/// assert_eq!(found(None, None), Found::Inside(Inside::NoSensor));
/// assert_eq!(found(Some(Sensed::Unknown), None), Found::Unknown);
/// ```
pub fn found(sensed: Option<Sensed>, tags: Option<Vec<String>>) -> Found {
    match (sensed, tags) {
        (Some(Sensed::Item), Some(tags)) if tags.is_empty() => Found::Inside(Inside::Unread),
        (Some(Sensed::Empty), Some(tags)) if tags.is_empty() => Found::Inside(Inside::Empty),
        // A sensor that does not answer is none that says "nothing".
        (Some(Sensed::Unknown), Some(tags)) if tags.is_empty() => Found::Unknown,
        (_, Some(tags)) => Found::Inside(Inside::Tags(tags)),
        (Some(Sensed::Item), None) => Found::Inside(Inside::Something),
        (Some(Sensed::Empty), None) => Found::Inside(Inside::Empty),
        (Some(Sensed::Unknown), None) => Found::Unknown,
        (None, None) => Found::Inside(Inside::NoSensor),
    }
}

/// What is known of a door that was ordered open.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// It was seen open at this turn.
    pub was_open: bool,
    /// It was shut at the look before, too: a contact bounces.
    pub was_shut: bool,
    /// Since the order.
    pub age: TimeDelta,
    pub door: DoorSeen,
    pub found: &'a Found,
}

/// What is done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    LookAgain,
    /// It is reported closed, with what was found.
    Report,
    /// Nothing will be known of it: its deadline decides.
    GiveUp,
}

/// Decides what a look comes to.
///
/// A door that was seen open and is shut is reported. Of one that nobody saw open (no feedback, a line that was lost, a node that fell) the
/// pulse may still be on its way: what is sensed inside counts once a door's time is over; without a sensor nothing is known of it, ever.
pub fn next(facts: &Facts<'_>) -> Next {
    let over = facts.age >= DOOR_TIME;
    let blind = *facts.found == Found::Inside(Inside::NoSensor);
    match (facts.door, facts.found) {
        (DoorSeen::Open, _) | (_, Found::Unknown) => Next::LookAgain,
        (DoorSeen::Shut, Found::Inside(_)) if facts.was_open && facts.was_shut => Next::Report,
        (DoorSeen::Shut, Found::Inside(_)) if facts.was_open => Next::LookAgain,
        (DoorSeen::Shut | DoorSeen::Unknown, Found::Inside(_)) => match (over, blind) {
            (false, _) => Next::LookAgain,
            (true, false) => Next::Report,
            (true, true) => Next::GiveUp,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: TimeDelta = TimeDelta::seconds(3);

    fn tags(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn sensor_and_tag_reader_together() {
        let book = || Some(tags(&["BOOK"]));
        for (sensed, read, expected) in [
            (Some(Sensed::Item), None, Found::Inside(Inside::Something)),
            (Some(Sensed::Item), Some(vec![]), Found::Inside(Inside::Unread)),
            (Some(Sensed::Item), book(), Found::Inside(Inside::Tags(tags(&["BOOK"])))),
            (Some(Sensed::Empty), None, Found::Inside(Inside::Empty)),
            (Some(Sensed::Empty), Some(vec![]), Found::Inside(Inside::Empty)),
            (
                Some(Sensed::Empty),
                book(),
                Found::Inside(Inside::Tags(tags(&["BOOK"]))),
            ),
            (Some(Sensed::Unknown), None, Found::Unknown),
            (Some(Sensed::Unknown), Some(vec![]), Found::Unknown),
            (
                Some(Sensed::Unknown),
                book(),
                Found::Inside(Inside::Tags(tags(&["BOOK"]))),
            ),
            (None, Some(vec![]), Found::Inside(Inside::Tags(vec![]))),
            (None, None, Found::Inside(Inside::NoSensor)),
        ] {
            assert_eq!(found(sensed, read.clone()), expected, "{sensed:?} {read:?}");
        }
    }

    #[test]
    fn a_door_is_reported_when_it_was_open_and_is_shut() {
        let empty = Found::Inside(Inside::Empty);
        let blind = Found::Inside(Inside::NoSensor);
        let unknown = Found::Unknown;
        use DoorSeen::{Open, Shut, Unknown};
        for (was_open, was_shut, age, door, found, expected) in [
            (true, false, SOON, Open, &empty, Next::LookAgain),
            (true, false, SOON, Shut, &empty, Next::LookAgain),
            (true, true, SOON, Shut, &empty, Next::Report),
            (true, true, SOON, Shut, &blind, Next::Report),
            (true, true, SOON, Shut, &unknown, Next::LookAgain),
            // Nobody saw it open: the pulse may be on its way.
            (false, true, SOON, Shut, &empty, Next::LookAgain),
            (false, true, DOOR_TIME, Shut, &empty, Next::Report),
            (false, true, DOOR_TIME, Shut, &blind, Next::GiveUp),
            (false, true, DOOR_TIME, Shut, &unknown, Next::LookAgain),
            // A board that does not see its doors.
            (false, false, SOON, Unknown, &empty, Next::LookAgain),
            (false, false, DOOR_TIME, Unknown, &empty, Next::Report),
            (false, false, DOOR_TIME, Unknown, &blind, Next::GiveUp),
            (true, false, DOOR_TIME, Open, &empty, Next::LookAgain),
        ] {
            let facts = Facts {
                was_open,
                was_shut,
                age,
                door,
                found,
            };
            assert_eq!(next(&facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn what_is_sensed_counts_before_silence_does() {
        let now = chrono::DateTime::<chrono::Utc>::UNIX_EPOCH;
        assert!(DOOR_TIME < crate::domain::two_phase::deadline(now) - now);
    }
}
