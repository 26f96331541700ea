//! What a device is, what it can do, and its life.
//! Not for: its secrets (`auth`), the key of its journal (`journal`), or what it says of itself (`device_heartbeat`).

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::reader::Channel;
use super::words::words;

words! {
    /// What stands there.
    DeviceKind:
    Gate = "gate",
    /// Readers fetch there what they asked for.
    Locker = "locker",
    /// A self-check, or a machine with books for the passer-by.
    Kiosk = "kiosk",
    /// A reader of tags and cards at a desk or a mobile stop.
    DeskReader = "desk_reader",
    /// A sorter, or a book drop.
    Sorter = "sorter";

    /// What a device can do: an operation asks for it before anything else.
    Capability:
    /// Doors that it opens one by one.
    DoorBank = "door_bank",
    /// It knows whether something lies behind a door.
    ItemSensor = "item_sensor",
    TagReader = "tag_reader",
    TagWriter = "tag_writer",
    CardReader = "card_reader",
    Gate = "gate",
    Sorter = "sorter",
    Printer = "printer",
    /// Its loans are reserved before the door opens, and confirmed by what is sensed after.
    TwoPhaseLoans = "two_phase_loans";

    /// Where a device is in its life.
    DeviceState:
    /// Registered by whoever installed it.
    Pending = "pending",
    Active = "active",
    /// For a while.
    Suspended = "suspended",
    /// For good; its code is not given again.
    Retired = "retired";

    /// What is done to a device.
    DeviceStep:
    Approve = "approveDevice",
    Suspend = "suspendDevice",
    Resume = "resumeDevice",
    Retire = "retireDevice";
}

/// How long the secret before the present one still opens sessions, unless the new one was used first.
pub const SECRET_OVERLAP: TimeDelta = TimeDelta::days(3);

/// Whether the secret before the present one still counts.
pub fn old_secret_counts(until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    until.is_some_and(|until| now < until)
}

impl DeviceKind {
    /// The channel of what it does online.
    pub const fn channel(self) -> Channel {
        match self {
            Self::Locker => Channel::Locker,
            Self::Sorter => Channel::Drop,
            Self::Gate | Self::Kiosk | Self::DeskReader => Channel::Kiosk,
        }
    }

    /// The channel of what it tells afterwards: behind a desk's journal stood staff.
    pub const fn journal_channel(self) -> Channel {
        match self {
            Self::DeskReader => Channel::Mobile,
            Self::Gate | Self::Locker | Self::Kiosk | Self::Sorter => self.channel(),
        }
    }

    /// What a device of this kind may be able to do.
    pub const fn may_have(self, capability: Capability) -> bool {
        use Capability::{
            CardReader, DoorBank, Gate, ItemSensor, Printer, Sorter, TagReader, TagWriter, TwoPhaseLoans,
        };
        match self {
            Self::Gate => matches!(capability, Gate | TagReader),
            Self::Locker => matches!(
                capability,
                DoorBank | ItemSensor | TagReader | CardReader | Printer | TwoPhaseLoans
            ),
            Self::Kiosk => matches!(
                capability,
                DoorBank | ItemSensor | TagReader | TagWriter | CardReader | Printer | TwoPhaseLoans
            ),
            Self::DeskReader => matches!(capability, TagReader | TagWriter | CardReader | Printer),
            Self::Sorter => matches!(capability, Sorter | TagReader | Printer),
        }
    }
}

/// What one device can do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities(BTreeSet<Capability>);

/// Why a list of capabilities makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CapabilityFault {
    Unknown(String),
    NotOfKind(DeviceKind, Capability),
    /// The first makes no sense without the second.
    Needs(Capability, Capability),
}

impl fmt::Display for CapabilityFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(word) => {
                let known: Vec<&str> = Capability::ALL.iter().map(|one| one.code()).collect();
                write!(f, "{word:?} is none of {}", known.join(", "))
            }
            Self::NotOfKind(kind, capability) => write!(f, "a {kind} has no {capability}"),
            Self::Needs(one, other) => write!(f, "{one} needs {other}"),
        }
    }
}

impl Capabilities {
    /// Reads a list of words for a device of a kind.
    ///
    /// # Errors
    /// An unknown word, one that such a device cannot have, one that needs another.
    ///
    /// ```
    /// use tongjie::domain::device::{Capabilities, Capability, DeviceKind};
    /// let locker = Capabilities::parse(DeviceKind::Locker, ["door_bank", "two_phase_loans"])?;
    /// assert!(locker.has(Capability::DoorBank));
    /// let wrong = Capabilities::parse(DeviceKind::Gate, ["door_bank"]).unwrap_err();
    /// assert_eq!(wrong.to_string(), "a gate has no door_bank");
    /// # Ok::<(), tongjie::domain::device::CapabilityFault>(())
    /// ```
    pub fn parse<'w>(kind: DeviceKind, words: impl IntoIterator<Item = &'w str>) -> Result<Self, CapabilityFault> {
        let mut found = BTreeSet::new();
        for word in words {
            let capability =
                Capability::from_code(word).ok_or_else(|| CapabilityFault::Unknown(word.chars().take(40).collect()))?;
            if !kind.may_have(capability) {
                return Err(CapabilityFault::NotOfKind(kind, capability));
            }
            found.insert(capability);
        }
        for (one, other) in [
            (Capability::ItemSensor, Capability::DoorBank),
            (Capability::TwoPhaseLoans, Capability::DoorBank),
        ] {
            if found.contains(&one) && !found.contains(&other) {
                return Err(CapabilityFault::Needs(one, other));
            }
        }
        Ok(Self(found))
    }

    /// Reads what [`text`](Self::text) wrote; words that this version does not know are passed over.
    pub fn from_text(text: &str) -> Self {
        Self(text.split(',').filter_map(Capability::from_code).collect())
    }

    /// As it is stored.
    pub fn text(&self) -> String {
        let words: Vec<&str> = self.0.iter().map(|one| one.code()).collect();
        words.join(",")
    }

    /// Whether the device can do it.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// All of them, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = Capability> + '_ {
        self.0.iter().copied()
    }
}

/// The state that the marks of a row come to.
pub const fn state(approved: bool, active: bool, retired: bool) -> DeviceState {
    match (retired, approved, active) {
        (true, _, _) => DeviceState::Retired,
        (false, false, _) => DeviceState::Pending,
        (false, true, false) => DeviceState::Suspended,
        (false, true, true) => DeviceState::Active,
    }
}

/// The state after a step; `None` where it cannot follow.
pub const fn next(state: DeviceState, step: DeviceStep) -> Option<DeviceState> {
    match (state, step) {
        (DeviceState::Pending, DeviceStep::Approve) | (DeviceState::Suspended, DeviceStep::Resume) => {
            Some(DeviceState::Active)
        }
        (DeviceState::Active, DeviceStep::Suspend) => Some(DeviceState::Suspended),
        (DeviceState::Pending | DeviceState::Active | DeviceState::Suspended, DeviceStep::Retire) => {
            Some(DeviceState::Retired)
        }
        (DeviceState::Pending, DeviceStep::Suspend | DeviceStep::Resume)
        | (DeviceState::Active, DeviceStep::Approve | DeviceStep::Resume)
        | (DeviceState::Suspended, DeviceStep::Approve | DeviceStep::Suspend)
        | (DeviceState::Retired, _) => None,
    }
}

/// What a device still has to do with when it is to be retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Left {
    /// Compartments that are not empty or out of order.
    pub compartments: u32,
    /// Loans that nobody has confirmed.
    pub unconfirmed: u32,
}

impl Left {
    /// Nothing: it may go.
    pub const fn is_nothing(self) -> bool {
        self.compartments == 0 && self.unconfirmed == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_but_the_last_can_be_left_and_retiring_is_for_good() {
        for state in DeviceState::ALL {
            let ways = DeviceStep::ALL
                .iter()
                .filter(|step| next(*state, **step).is_some())
                .count();
            assert_eq!(ways == 0, *state == DeviceState::Retired, "{state}");
        }
        for step in DeviceStep::ALL {
            assert!(
                DeviceState::ALL.iter().any(|state| next(*state, *step).is_some()),
                "{step}"
            );
        }
    }

    #[test]
    fn only_what_is_approved_and_neither_suspended_nor_retired_is_active() {
        for bits in 0..8_u8 {
            let [approved, active, retired] = std::array::from_fn(|bit| bits & (1 << bit) != 0);
            let is_active = state(approved, active, retired) == DeviceState::Active;
            assert_eq!(is_active, approved && active && !retired);
        }
        assert_eq!(state(false, true, false), DeviceState::Pending);
        assert_eq!(state(true, false, false), DeviceState::Suspended);
        assert_eq!(state(true, true, true), DeviceState::Retired);
    }

    #[test]
    fn capabilities_are_read_back_and_faults_are_named() {
        let words = ["printer", "door_bank", "item_sensor", "printer"];
        let read = Capabilities::parse(DeviceKind::Kiosk, words).unwrap();
        assert_eq!(read.text(), "door_bank,item_sensor,printer");
        assert_eq!(Capabilities::from_text(&read.text()), read);
        assert_eq!(Capabilities::from_text(""), Capabilities::default());
        let fault = |kind, words: &[&str]| {
            Capabilities::parse(kind, words.iter().copied())
                .unwrap_err()
                .to_string()
        };
        assert!(fault(DeviceKind::Gate, &["laser"]).starts_with("\"laser\" is none of door_bank"));
        assert_eq!(fault(DeviceKind::Sorter, &["gate"]), "a sorter has no gate");
        assert_eq!(
            fault(DeviceKind::Locker, &["two_phase_loans"]),
            "two_phase_loans needs door_bank"
        );
    }

    #[test]
    fn the_documentation_has_the_kinds_of_the_code() {
        let page = include_str!("../../docs/DEVICES.md");
        for kind in DeviceKind::ALL {
            let line = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{kind}`")))
                .expect("a line");
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let capabilities = Capability::ALL.iter().filter(|one| kind.may_have(**one));
            let capabilities: Vec<String> = capabilities.map(|one| format!("`{one}`")).collect();
            assert_eq!(
                (cells[2], cells[3]),
                (kind.channel().code(), capabilities.join(", ").as_str()),
                "{kind}"
            );
        }
    }

    #[test]
    fn every_capability_belongs_to_some_kind() {
        for capability in Capability::ALL {
            assert!(
                DeviceKind::ALL.iter().any(|kind| kind.may_have(*capability)),
                "{capability}"
            );
        }
    }

    #[test]
    fn no_device_online_is_a_staffed_desk() {
        for kind in DeviceKind::ALL {
            assert!(!kind.channel().is_staffed(), "{kind}");
        }
        assert_eq!(DeviceKind::DeskReader.journal_channel(), Channel::Mobile);
    }

    #[test]
    fn an_old_secret_ends() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        assert!(!old_secret_counts(None, now));
        assert!(old_secret_counts(Some(now + SECRET_OVERLAP), now));
        assert!(!old_secret_counts(Some(now), now));
    }
}
