//! The facts about a reader and a card that decisions read.
//! Not for: names, contact data, identity numbers: no rule looks at them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::entry_gate::Entry;
use super::ids::{BibId, CardId, CategoryId, ItemTypeId, LoanId, LockerSessionId, ReaderId, UnitId};

/// The band a reader's credit falls into; it selects rules. The ledger itself comes with a later part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreditBand {
    A,
    B,
    C,
    /// At the floor: no borrowing until thawed.
    Frozen,
}

impl CreditBand {
    /// Every band.
    pub const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::Frozen];

    /// The word used in the database, the rules and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
            Self::Frozen => "frozen",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// The state of a reader's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReaderStatus {
    Active,
    Suspended,
    Inactive,
}

impl ReaderStatus {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Inactive];

    /// The word used in the database, the rules and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Inactive => "inactive",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// The state of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardStatus {
    /// Asked for by the reader; not handed out yet.
    Applied,
    Active,
    Lost,
    Replaced,
    Expired,
    Cancelled,
}

impl CardStatus {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Applied,
        Self::Active,
        Self::Lost,
        Self::Replaced,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The word used in the database, the rules and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Active => "active",
            Self::Lost => "lost",
            Self::Replaced => "replaced",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// What a card is: who issued it, and what is looked at when it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardKind {
    /// A printed card of this network.
    Physical,
    /// Shown by a telephone.
    ECard,
    /// The reader's own ID card.
    IdCard,
    /// The reader's own social-security card, which bears the same number.
    SocialSecurity,
    /// A card of another city's network.
    OtherCity,
}

impl CardKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Physical,
        Self::ECard,
        Self::IdCard,
        Self::SocialSecurity,
        Self::OtherCity,
    ];

    /// The word used in the database and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Physical => "physical",
            Self::ECard => "e_card",
            Self::IdCard => "id_card",
            Self::SocialSecurity => "social_security",
            Self::OtherCity => "other_city",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }

    /// Found by the number of the person, not by one of its own.
    pub const fn is_of_person(self) -> bool {
        matches!(self, Self::IdCard | Self::SocialSecurity)
    }

    /// Carries a number that staff read off it; an electronic one may be given a number of ours.
    pub const fn needs_number(self) -> bool {
        matches!(self, Self::Physical | Self::OtherCity)
    }
}

/// A block that staff put on a reader, with an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualBlock {
    pub reason: String,
    pub until: Option<DateTime<Utc>>,
}

/// The facts about a reader, read under the reader's lock, and the card used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderFacts {
    pub id: ReaderId,
    pub category: CategoryId,
    /// Category of the kind `reading_only`: local use is counted, no loan is made.
    pub reading_only: bool,
    /// Category for children: only items and units for children.
    pub child: bool,
    pub home: UnitId,
    pub status: ReaderStatus,
    pub barred: bool,
    pub block: Option<ManualBlock>,
    pub birth_date: Option<NaiveDate>,
    pub band: CreditBand,
    /// What the gate asks.
    pub entry: Entry,
    pub debt_fen: i64,
    /// Staff's note to show.
    pub note: Option<String>,
    pub card: CardFacts,
    pub loans: Vec<LoanOfReader>,
    /// Open holds of this reader, whatever the target.
    pub open_holds: u32,
    /// A guardian's consent is on record, in a link that is open.
    pub consented: bool,
}

/// The card the act is done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFacts {
    pub id: CardId,
    pub status: CardStatus,
    /// Last day the card is good for, in the network's zone.
    pub expires_on: Option<NaiveDate>,
    /// Who uses a card of an institution.
    pub holder_name: Option<String>,
}

/// One open loan of the reader: what limits and blocks count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoanOfReader {
    pub id: LoanId,
    pub bib_id: BibId,
    pub item_type: ItemTypeId,
    pub owner: UnitId,
    pub unit: UnitId,
    pub channel: Channel,
    pub due_at: DateTime<Utc>,
    /// For use in the reading room.
    pub reading_room: bool,
    /// It was given back before it was due, and a parcel brings it: it is not overdue.
    pub given_back: bool,
    /// The session at a machine in which it was made. Only read where the act is in one, and for previews.
    pub session: Option<LockerSessionId>,
}

/// The way an act reached us; a column of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A staffed desk.
    Desk,
    /// A self-check kiosk.
    Kiosk,
    /// A self-service locker or 24-hour machine.
    Locker,
    /// A book drop or a sorter.
    Drop,
    /// The reader's own portal.
    Portal,
    /// A desk or stop that works without the network for a while.
    Mobile,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 6] = [
        Self::Desk,
        Self::Kiosk,
        Self::Locker,
        Self::Drop,
        Self::Portal,
        Self::Mobile,
    ];

    /// The word used in the database, the rules and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Desk => "desk",
            Self::Kiosk => "kiosk",
            Self::Locker => "locker",
            Self::Drop => "drop",
            Self::Portal => "portal",
            Self::Mobile => "mobile",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.code() == code)
    }

    /// There are machines with doors there, at which readers have a session.
    pub const fn has_sessions(self) -> bool {
        matches!(self, Self::Locker | Self::Kiosk)
    }

    /// A member of staff stands there and can confirm, override and refuse a return.
    pub const fn is_staffed(self) -> bool {
        matches!(self, Self::Desk | Self::Mobile)
    }
}
