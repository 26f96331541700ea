//! The offline journal before an act is looked at: numbers without gaps, keys, clocks. What cannot be believed is quarantined
//! with the reason; nothing is thrown away, and nothing stops what comes after.
//! Not for: what the act says (`journal_act`), or verifying signatures (`auth`): the answer is handed in.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::words::words;

words! {
    /// Why an entry is stored and not believed.
    Quarantine:
    /// Numbers that did not come in time; the rest went on.
    Gap = "gap",
    Forged = "forged",
    UnknownKey = "unknown_key",
    /// Signed with the key before, though a newer one signs this number.
    OldKey = "old_key",
    /// Staff revoked the key before it came.
    RevokedKey = "revoked_key",
    /// Another content under a number that is known.
    SequenceReused = "sequence_reused",
    ClockWrong = "clock_wrong",
    FromFuture = "from_future",
    ClockBackwards = "clock_backwards",
    TooOld = "too_old",
    DeviceRetired = "device_retired",
    Unreadable = "unreadable",
    /// A fault of our own records kept it from being judged, for longer than [`FAULT_WAIT`].
    RecordFault = "record_fault";

    /// What a person does with it.
    Settlement:
    /// It is judged as if it had just come.
    Released = "released",
    Discarded = "discarded",
    /// Of a gap: seen.
    Noted = "noted",
    /// Of a gap, or of what no key of the device had signed: it came after all.
    Came = "came";
}

impl Quarantine {
    /// A person must know at once.
    pub const fn alarms(self) -> bool {
        !matches!(self, Self::ClockBackwards)
    }

    /// The number has come, whatever is wrong with the entry. A forged one does not take the number of the genuine one.
    pub const fn takes_the_number(self) -> bool {
        match self {
            Self::Gap | Self::Forged | Self::UnknownKey | Self::SequenceReused => false,
            Self::OldKey
            | Self::RevokedKey
            | Self::ClockWrong
            | Self::FromFuture
            | Self::ClockBackwards
            | Self::TooOld
            | Self::DeviceRetired
            | Self::Unreadable
            | Self::RecordFault => true,
        }
    }

    /// What may become of it.
    pub const fn may(self, settlement: Settlement) -> bool {
        match settlement {
            Settlement::Released => !matches!(self, Self::Gap | Self::Forged | Self::Unreadable),
            Settlement::Discarded => !matches!(self, Self::Gap),
            Settlement::Noted | Settlement::Came => matches!(self, Self::Gap),
        }
    }
}

/// How far a clock may be off and be believed.
pub const BELIEVED: TimeDelta = TimeDelta::seconds(5);

/// How far it may be off and be put right by us.
pub const SHIFTED: TimeDelta = TimeDelta::minutes(10);

/// How long an act may wait to be told.
pub const OLDEST: TimeDelta = TimeDelta::days(45);

/// How long what follows a gap waits for it.
pub const GAP_WAIT: TimeDelta = TimeDelta::minutes(2);

/// One key of a journal: it signs from a number on, until the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: String,
    pub first_sequence: u64,
    pub revoked: bool,
}

/// The key that an entry is to be held against.
///
/// # Errors
/// The entry names none of ours, one that another key has followed by then, or one that staff revoked.
///
/// ```
/// use tongjie::domain::journal::{Key, Quarantine, key_of};
/// let key = |id: &str, first_sequence| Key { id: id.to_owned(), first_sequence, revoked: false };
/// let keys = [key("k1", 1), key("k2", 100)];
/// assert_eq!(key_of(&keys, 99, "k1").map(|key| key.id.as_str()), Ok("k1"));
/// assert_eq!(key_of(&keys, 100, "k1"), Err(Quarantine::OldKey));
/// assert_eq!(key_of(&keys, 7, "k9"), Err(Quarantine::UnknownKey));
/// ```
pub fn key_of<'k>(keys: &'k [Key], sequence: u64, named: &str) -> Result<&'k Key, Quarantine> {
    let key = keys.iter().find(|key| key.id == named).ok_or(Quarantine::UnknownKey)?;
    if key.revoked {
        return Err(Quarantine::RevokedKey);
    }
    let due = keys
        .iter()
        .filter(|key| key.first_sequence <= sequence)
        .max_by_key(|key| key.first_sequence);
    match due {
        Some(due) if due.id == key.id => Ok(key),
        Some(due) if due.first_sequence > key.first_sequence => Err(Quarantine::OldKey),
        // Its own numbers begin later.
        _ => Err(Quarantine::UnknownKey),
    }
}

/// What is known under a number already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Nothing,
    SameContent,
    OtherContent,
}

/// How far the device's clock is off, by the time it gave for its upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadClock {
    Believed,
    /// Our time is the device's less this.
    Shifted(TimeDelta),
    /// Too far off to be put right without a person.
    Wrong(TimeDelta),
}

impl UploadClock {
    /// Judges the time a device gave for its upload.
    pub fn of(sent_at: DateTime<Utc>, received_at: DateTime<Utc>) -> Self {
        let offset = sent_at.signed_duration_since(received_at);
        if offset.abs() <= BELIEVED {
            Self::Believed
        } else if offset.abs() <= SHIFTED {
            Self::Shifted(offset)
        } else {
            Self::Wrong(offset)
        }
    }

    /// The time of an act by our clock; the moment itself where that would be no time at all.
    pub fn ours(self, at: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Believed => at,
            Self::Shifted(offset) | Self::Wrong(offset) => at.checked_sub_signed(offset).unwrap_or(at),
        }
    }
}

/// Everything the judgement of one entry reads.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub sequence: u64,
    pub known: Known,
    pub keys: &'a [Key],
    pub named_key: &'a str,
    /// The signature is of this content, by the key it names.
    pub genuine: bool,
    /// When, by the device's clock; `None`: the body is no entry.
    pub at: Option<DateTime<Utc>>,
    pub clock: UploadClock,
    /// The time of the entry before it, by our clock.
    pub last_at: Option<DateTime<Utc>>,
    pub approved_at: DateTime<Utc>,
    pub retired: bool,
}

/// What becomes of an entry before it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It happened then, by our clock.
    Believed { happened_at: DateTime<Utc> },
    /// Known: answered as before.
    Duplicate,
    /// With the time it would have by our clock, where it says one.
    Quarantined {
        reason: Quarantine,
        shifted_at: Option<DateTime<Utc>>,
    },
}

/// Judges one entry that arrives now. What is known comes first: a batch that is sent again gets its answers, whatever became of
/// the device and its keys since.
pub fn take(facts: &Facts<'_>, now: DateTime<Utc>) -> Taken {
    if facts.known == Known::SameContent {
        return Taken::Duplicate;
    }
    let shifted_at = facts.at.map(|at| facts.clock.ours(at));
    match doubt(facts, now) {
        Err(reason) => Taken::Quarantined { reason, shifted_at },
        Ok(happened_at) => Taken::Believed { happened_at },
    }
}

fn doubt(facts: &Facts<'_>, now: DateTime<Utc>) -> Result<DateTime<Utc>, Quarantine> {
    let key = key_of(facts.keys, facts.sequence, facts.named_key);
    // A signature that does not fit says more than a key that is out of date.
    if key != Err(Quarantine::UnknownKey) && !facts.genuine {
        return Err(Quarantine::Forged);
    }
    key?;
    if facts.known == Known::OtherContent {
        return Err(Quarantine::SequenceReused);
    }
    if facts.retired {
        return Err(Quarantine::DeviceRetired);
    }
    let at = facts.at.ok_or(Quarantine::Unreadable)?;
    if matches!(facts.clock, UploadClock::Wrong(_)) {
        return Err(Quarantine::ClockWrong);
    }
    let ours = facts.clock.ours(at);
    if ours > now + BELIEVED {
        Err(Quarantine::FromFuture)
    } else if ours < facts.approved_at || now.signed_duration_since(ours) > OLDEST {
        Err(Quarantine::TooOld)
    } else if facts.last_at.is_some_and(|last| ours < last - BELIEVED) {
        Err(Quarantine::ClockBackwards)
    } else {
        // Nothing is dated in the future, not even by the seconds a clock may be off.
        Ok(ours.min(now))
    }
}

/// Where a journal stands after an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Everything below it has come or is given up.
    pub next: u64,
    /// Numbers before the last that has come, from and to.
    pub missing: Vec<(u64, u64)>,
}

/// Finds what is missing. `next`: where the journal stood; `came`: the numbers from there on that have come, quarantined or said to
/// be lost.
///
/// ```
/// use tongjie::domain::journal::standing;
/// let standing = standing(4, &[4, 5, 8, 9].into());
/// assert_eq!((standing.next, standing.missing), (6, vec![(6, 7)]));
/// ```
pub fn standing(next: u64, came: &BTreeSet<u64>) -> Standing {
    let came: Vec<(u64, u64)> = came.iter().map(|one| (*one, *one)).collect();
    standing_between(next, &came)
}

/// The same of stretches of numbers, from and to, in any order.
///
/// ```
/// use tongjie::domain::journal::standing_between;
/// let standing = standing_between(4, &[(8, 9), (1, 5)]);
/// assert_eq!((standing.next, standing.missing), (6, vec![(6, 7)]));
/// ```
pub fn standing_between(next: u64, came: &[(u64, u64)]) -> Standing {
    let mut came = came.to_vec();
    came.sort_unstable();
    let mut due = next;
    let mut missing = Vec::new();
    for (from, to) in came.into_iter().filter(|(_, to)| *to >= next) {
        if from > due {
            missing.push((due, from - 1));
        }
        due = due.max(to.saturating_add(1));
    }
    let next = missing.first().map_or(due, |(from, _)| *from);
    Standing { next, missing }
}

/// What becomes of what follows a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterGap {
    /// It waits for the missing numbers.
    Waits { until: DateTime<Utc> },
    /// They are given up: a line in the quarantine, and the rest goes on.
    GoesOn,
}

/// Whether what follows a gap goes on. A gap dated in the future was dated by a clock that is not ours: it waits no longer.
pub fn after_gap(gap_since: DateTime<Utc>, now: DateTime<Utc>) -> AfterGap {
    let until = gap_since + GAP_WAIT;
    if now >= until || gap_since > now + BELIEVED {
        AfterGap::GoesOn
    } else {
        AfterGap::Waits { until }
    }
}

/// How long an entry is tried again that a fault of our own records keeps from being judged. The job tries twice a minute: what a restart,
/// a missing key or a repair in the working day mends is judged as if nothing had been; what is not mended by then needs a person.
pub const FAULT_WAIT: TimeDelta = TimeDelta::hours(1);

/// What becomes of an entry that could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFault {
    /// It is tried again.
    Waits { until: DateTime<Utc> },
    /// It goes to the quarantine.
    SetAside,
}

/// Whether an entry that fails again goes to the quarantine. One that failed in the future was dated by a clock that is not ours: it is
/// tried no longer.
///
/// ```
/// use chrono::{DateTime, TimeDelta, Utc};
/// use tongjie::domain::journal::{AfterFault, FAULT_WAIT, after_fault};
/// let since = DateTime::<Utc>::UNIX_EPOCH;
/// let until = since + FAULT_WAIT;
/// assert_eq!(after_fault(since, until - TimeDelta::seconds(1)), AfterFault::Waits { until });
/// assert_eq!(after_fault(since, until), AfterFault::SetAside);
/// assert_eq!(after_fault(since, since - TimeDelta::seconds(6)), AfterFault::SetAside);
/// ```
pub fn after_fault(failing_since: DateTime<Utc>, now: DateTime<Utc>) -> AfterFault {
    let until = failing_since + FAULT_WAIT;
    if now >= until || failing_since > now + BELIEVED {
        AfterFault::SetAside
    } else {
        AfterFault::Waits { until }
    }
}

#[cfg(test)]
mod tests;
