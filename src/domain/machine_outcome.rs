//! What came of asking a machine for something: it was done, it was not, nobody knows. Never what a bus said.

use super::words::words;

words! {
    /// Why something was not done. Each is certain: the machine did not do it, and will not do it later.
    WhyNot:
    /// Too much is waiting for this machine.
    Busy = "busy",
    /// The order is older than one that was carried out.
    OldTurn = "old_turn",
    /// Its time was over before it could begin.
    TooLate = "too_late",
    /// That door had its pulses of this minute.
    TooOften = "too_often",
    /// Nothing could be asked of the machine.
    Unreachable = "unreachable",
    /// The machine said no.
    Refused = "refused",
    /// It was told, and the door is seen shut.
    StayedShut = "stayed_shut",
    /// This machine cannot do such a thing.
    CannotDo = "cannot_do";

    /// What is seen of a door.
    DoorSeen:
    Open = "open",
    Shut = "shut",
    /// The machine cannot see its doors, or did not answer.
    Unknown = "unknown";

    /// What is sensed behind a door.
    Sensed:
    Item = "item",
    Empty = "empty",
    Unknown = "unknown";
}

/// What came of an order to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It is seen open.
    Opened,
    /// It is shut, and stays shut.
    NotOpened(WhyNot),
    /// It may have opened.
    Unknown,
}

/// What came of anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Done,
    NotDone(WhyNot),
    Unknown,
}
