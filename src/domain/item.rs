//! What an item can be, and the facts about one copy that decisions read.
//! Not for: how an item is stored or shown.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::ids::{BibId, CategoryId, CollectionId, HoldId, ItemId, ItemTypeId, LoanId, ReaderId, TransitId, UnitId};
use super::reader::CreditBand;
use super::transit::TransitStatus;
use super::volume::Volume;

/// Where an item is in its life; every item is counted in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    OnShelf,
    OnLoan,
    AwaitingDispatch,
    InTransit,
    OnHoldShelf,
    InProcessing,
    Damaged,
    NeedsAttention,
    Missing,
    Lost,
    /// The reader says it was returned; its loan is still open, so it counts as on loan.
    ClaimedReturned,
    Withdrawn,
}

impl ItemStatus {
    /// Every status, for tables and for `tongjie check`.
    pub const ALL: [Self; 12] = [
        Self::OnShelf,
        Self::OnLoan,
        Self::AwaitingDispatch,
        Self::InTransit,
        Self::OnHoldShelf,
        Self::InProcessing,
        Self::Damaged,
        Self::NeedsAttention,
        Self::Missing,
        Self::Lost,
        Self::ClaimedReturned,
        Self::Withdrawn,
    ];

    /// The word used in the database, the API and the docs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OnShelf => "on_shelf",
            Self::OnLoan => "on_loan",
            Self::AwaitingDispatch => "awaiting_dispatch",
            Self::InTransit => "in_transit",
            Self::OnHoldShelf => "on_hold_shelf",
            Self::InProcessing => "in_processing",
            Self::Damaged => "damaged",
            Self::NeedsAttention => "needs_attention",
            Self::Missing => "missing",
            Self::Lost => "lost",
            Self::ClaimedReturned => "claimed_returned",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads the word back; `None` for a word this version does not know.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

/// What happens to an item of a collection that comes back at a unit which is not its home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ReturnPolicy {
    /// It travels home.
    Home,
    /// It stays where it was returned.
    Float,
    /// It stays unless the unit already shelves `cap` floating items of this collection.
    FloatWithCap { cap: u32 },
    /// It may be returned at the units of its owner's subtree only; elsewhere a staffed desk refuses.
    Restricted,
}

impl ReturnPolicy {
    /// The word used in the database and the API, and the cap that goes with one of them.
    pub const fn code(self) -> (&'static str, Option<u32>) {
        match self {
            Self::Home => ("home", None),
            Self::Float => ("float", None),
            Self::FloatWithCap { cap } => ("float_with_cap", Some(cap)),
            Self::Restricted => ("restricted", None),
        }
    }

    /// Reads them back; a cap that does not go with the word is not looked at.
    pub fn from_code(code: &str, cap: Option<u32>) -> Option<Self> {
        match code {
            "home" => Some(Self::Home),
            "float" => Some(Self::Float),
            "float_with_cap" => cap.map(|cap| Self::FloatWithCap { cap }),
            "restricted" => Some(Self::Restricted),
            _ => None,
        }
    }
}

/// How far a copy may go, whatever its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lending {
    #[default]
    Normal,
    /// It is read in the unit.
    ReadingRoom,
    /// It is shown by staff and never handed out.
    Restricted,
}

impl Lending {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Normal, Self::ReadingRoom, Self::Restricted];

    /// The word used in the database and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::ReadingRoom => "reading_room",
            Self::Restricted => "restricted",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lending| lending.code() == code)
    }
}

/// The facts about one copy, read under its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFacts {
    pub id: ItemId,
    pub bib_id: BibId,
    pub barcode: String,
    /// 产权馆: who owns it. Decides whether it may leave.
    pub owner: UnitId,
    /// 典藏地: where it is shelved for the time being: its home of record, or the unit where it is deposited.
    pub home: UnitId,
    /// Where it is shelved when it is not deposited anywhere.
    pub home_of_record: UnitId,
    /// Where its open deposit wants it; its home of record once it is recalled.
    pub deposit: Option<UnitId>,
    /// 所在馆: where it is now, or was last seen.
    pub current: UnitId,
    pub collection: Option<CollectionId>,
    pub return_policy: ReturnPolicy,
    /// Items of this collection (without one: of this home and no collection) from elsewhere that stand on the shelf of the unit of the act.
    /// Only read for `FloatWithCap`.
    pub floating_here: u32,
    pub item_type: ItemTypeId,
    pub status: ItemStatus,
    pub lending: Lending,
    /// The item this one is bound into: only that one is lent.
    pub bound_into: Option<ItemId>,
    /// Set by staff: this copy is not lent whatever the rules say.
    pub not_for_loan: bool,
    /// Lowest age in whole years that may borrow it, if restricted.
    pub min_age_years: Option<u8>,
    /// For children: a child card may borrow it.
    pub for_children: bool,
    /// Staff must read this before handing it over or taking it back.
    pub alert_note: Option<String>,
    /// Loose parts to count (discs, maps); 1 means the item alone.
    pub parts: u16,
    pub clc_class: Option<String>,
    /// Which volume or issue it is.
    pub volume: Option<Volume>,
    /// What was decided about it without a scan: staff have yet to take it where it belongs.
    pub unscanned: Option<Unscanned>,
    /// When it came into the stock as recorded here.
    pub added_at: DateTime<Utc>,
    /// When the last event of this item happened: no later act may be dated before it.
    pub last_event_at: DateTime<Utc>,
    /// The open loan, if any, whatever the status says.
    pub open_loan: Option<OpenLoanOfItem>,
    /// The hold this copy is captured for, if any.
    pub captured_for: Option<CapturedHold>,
    /// The open transit of this copy, if any.
    pub transit: Option<OpenTransit>,
}

impl ItemFacts {
    /// Its deposit was called back: it goes home whatever the return policy says.
    pub fn is_recalled_from_deposit(&self) -> bool {
        self.deposit == Some(self.home_of_record)
    }

    /// It travels without an open journey, or has one while it stands on a shelf or is on loan; or it stands on the hold
    /// shelf for nobody. A data fault, never silently mended.
    pub const fn has_broken_journey(&self) -> bool {
        match self.status {
            ItemStatus::AwaitingDispatch | ItemStatus::InTransit => self.transit.is_none(),
            ItemStatus::OnHoldShelf => self.transit.is_some() || self.captured_for.is_none(),
            ItemStatus::OnShelf | ItemStatus::OnLoan => self.transit.is_some(),
            _ => false,
        }
    }

    /// The status says on loan and no loan is open, or the other way round. An item that needs attention may have one:
    /// staff will settle it.
    pub fn has_broken_loan(&self) -> bool {
        let lent = matches!(self.status, ItemStatus::OnLoan | ItemStatus::ClaimedReturned);
        self.status != ItemStatus::NeedsAttention && lent != self.open_loan.is_some()
    }
}

/// A copy that goes elsewhere than where it lies; the next scan confirms that somebody has seen to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unscanned {
    /// The number on the hold shelf at which it still stands.
    pub number: Option<u32>,
}

/// The open loan seen from its item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLoanOfItem {
    pub id: LoanId,
    pub reader: ReaderId,
    pub loaned_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub unit: UnitId,
    /// Since when somebody wants it back before its time.
    pub recalled_at: Option<DateTime<Utc>>,
    /// Nobody has said yet whether the book was taken.
    pub unconfirmed: bool,
}

/// The hold an item is captured for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedHold {
    pub id: HoldId,
    pub reader: ReaderId,
    pub pickup: UnitId,
    /// Category and credit band of the reader: they select the terms of the hold shelf.
    pub category: CategoryId,
    pub band: CreditBand,
    /// Numbered place on the hold shelf, once it is there.
    pub shelf_number: Option<u32>,
    /// Last day it waits there, once it is there.
    pub expires_on: Option<NaiveDate>,
}

/// An open journey of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTransit {
    pub id: TransitId,
    pub from: UnitId,
    pub to: UnitId,
    pub reason: TransitReason,
    pub status: TransitStatus,
}

/// Why an item travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitReason {
    /// Back to its home shelf unit.
    ReturnHome,
    /// To the pickup unit of the hold it is captured for.
    Hold,
    /// To its new home.
    Move,
    /// Lent to another unit's shelves for a time, or back from there.
    Rotation,
    /// Called back by its owner.
    Recall,
    /// Asked for by a reader who waits elsewhere for its delivery.
    Request,
    /// It turned up where it was not expected and goes on.
    Redirect,
    /// To be mended.
    Repair,
}

impl TransitReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::ReturnHome,
        Self::Hold,
        Self::Move,
        Self::Rotation,
        Self::Recall,
        Self::Request,
        Self::Redirect,
        Self::Repair,
    ];

    /// The word used in the database and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ReturnHome => "return_home",
            Self::Hold => "hold",
            Self::Move => "move",
            Self::Rotation => "rotation",
            Self::Recall => "recall",
            Self::Request => "request",
            Self::Redirect => "redirect",
            Self::Repair => "repair",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The destination was somebody's order, not what a return policy or a queue said: a scan on the way does not change it.
    pub const fn is_ordered(self) -> bool {
        match self {
            Self::Move | Self::Rotation | Self::Recall | Self::Request | Self::Repair => true,
            Self::ReturnHome | Self::Hold | Self::Redirect => false,
        }
    }
}
