//! A reader at a machine: one at a time per screen, ending by itself, but never while a door is open.
//! Not for: who the reader is, or how much they may borrow: limits are those of every check-out.

use chrono::{DateTime, TimeDelta, Utc};

use super::ids::ReaderId;
use super::words::words;

/// Without an act for so long it ends.
pub const IDLE: TimeDelta = TimeDelta::seconds(60);

/// And after so long in any case.
pub const AT_MOST: TimeDelta = TimeDelta::minutes(15);

words! {
    /// Why a session is over.
    SessionEnd:
    Ended = "ended",
    Idle = "idle",
    TooLong = "too_long",
    /// Its device was suspended or started anew.
    Device = "device";
}

/// An open session, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    pub reader: ReaderId,
    pub opened_at: DateTime<Utc>,
    pub last_act_at: DateTime<Utc>,
    /// Doors that were ordered open in it and are not known to be closed.
    pub doors_open: u32,
}

impl Session {
    /// Why it is over by now, if it is. A clock that went back ends nothing.
    pub fn ended(&self, now: DateTime<Utc>) -> Option<SessionEnd> {
        if self.doors_open > 0 {
            None
        } else if now.signed_duration_since(self.opened_at) >= AT_MOST {
            Some(SessionEnd::TooLong)
        } else if now.signed_duration_since(self.last_act_at) >= IDLE {
            Some(SessionEnd::Idle)
        } else {
            None
        }
    }

    /// When somebody else may try again.
    pub fn free_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        if self.doors_open > 0 {
            now + IDLE
        } else {
            (self.last_act_at + IDLE).min(self.opened_at + AT_MOST)
        }
    }
}

/// What becomes of a reader who identifies at a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// A session begins; the one that was forgotten there ends, for this reason.
    Opens { ends: Option<SessionEnd> },
    /// It is this reader's already.
    Continues,
    /// Another reader is there.
    InUse { free_at: DateTime<Utc> },
}

/// Decides who a screen belongs to.
///
/// ```
/// use chrono::{DateTime, TimeDelta, Utc};
/// use tongjie::domain::ids::ReaderId;
/// use tongjie::domain::locker_session::{Session, SessionEnd, Start, start};
/// let opened_at = DateTime::<Utc>::UNIX_EPOCH;
/// let open = Session { reader: ReaderId::new(7), opened_at, last_act_at: opened_at, doors_open: 0 };
/// let soon = opened_at + TimeDelta::seconds(59);
/// assert_eq!(start(Some(&open), ReaderId::new(7), soon), Start::Continues);
/// assert_eq!(start(Some(&open), ReaderId::new(8), soon), Start::InUse { free_at: soon + TimeDelta::seconds(1) });
/// let later = opened_at + TimeDelta::seconds(60);
/// assert_eq!(start(Some(&open), ReaderId::new(8), later), Start::Opens { ends: Some(SessionEnd::Idle) });
/// ```
pub fn start(open: Option<&Session>, reader: ReaderId, now: DateTime<Utc>) -> Start {
    let Some(session) = open else {
        return Start::Opens { ends: None };
    };
    match session.ended(now) {
        Some(ends) => Start::Opens { ends: Some(ends) },
        None if session.reader == reader => Start::Continues,
        None => Start::InUse {
            free_at: session.free_at(now),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: DateTime<Utc> = DateTime::<Utc>::UNIX_EPOCH;

    fn session(doors_open: u32) -> Session {
        Session {
            reader: ReaderId::new(1),
            opened_at: NOW,
            last_act_at: NOW,
            doors_open,
        }
    }

    #[test]
    fn a_session_ends_by_itself_but_not_before_its_doors() {
        for (seconds, doors_open, ended) in [
            (59, 0, None),
            (60, 0, Some(SessionEnd::Idle)),
            (900, 0, Some(SessionEnd::TooLong)),
            (900, 1, None),
            (-30, 0, None),
        ] {
            let now = NOW + TimeDelta::seconds(seconds);
            assert_eq!(session(doors_open).ended(now), ended, "{seconds} {doors_open}");
        }
    }

    #[test]
    fn who_goes_on_acting_is_ended_after_a_quarter_of_an_hour() {
        let busy = Session {
            last_act_at: NOW + TimeDelta::seconds(899),
            ..session(0)
        };
        assert_eq!(busy.free_at(NOW + TimeDelta::seconds(899)), NOW + AT_MOST);
        assert_eq!(
            busy.ended(NOW + AT_MOST),
            Some(SessionEnd::TooLong),
            "although it acted a second ago"
        );
    }

    #[test]
    fn an_open_door_keeps_the_next_reader_waiting() {
        let now = NOW + TimeDelta::hours(1);
        let waits = start(Some(&session(1)), ReaderId::new(2), now);
        assert_eq!(waits, Start::InUse { free_at: now + IDLE });
        assert_eq!(
            start(Some(&session(0)), ReaderId::new(1), now),
            Start::Opens {
                ends: Some(SessionEnd::TooLong)
            },
            "even the same reader begins anew"
        );
    }

    proptest! {
        #[test]
        fn nobody_goes_on_with_anothers_session(seconds in -100_i64..2_000, acted in 0_i64..900, doors in 0_u32..2, reader in 1_i64..3) {
            let open = Session { last_act_at: NOW + TimeDelta::seconds(acted), ..session(doors) };
            let now = NOW + TimeDelta::seconds(seconds);
            match start(Some(&open), ReaderId::new(reader), now) {
                Start::Continues => prop_assert_eq!(ReaderId::new(reader), open.reader),
                Start::Opens { ends } => prop_assert!(ends.is_some() && doors == 0),
                Start::InUse { free_at } => prop_assert!(free_at > now && ReaderId::new(reader) != open.reader),
            }
        }
    }
}
