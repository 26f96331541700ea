//! Holds: what one waits for, and whether a copy may fill it.
//! Not for: the order of the queue, which the store keeps.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::event::age_years;
use super::hold_terms::{Waived, is_for_others, new_until};
use super::ids::{BibId, CategoryId, HoldId, ItemId, ItemTypeId, ReaderId, UnitId};
use super::item::{ItemFacts, ItemStatus, Lending};
use super::network::Network;
use super::policy::Situation;
use super::reader::{Channel, CreditBand};
use super::volume::Volume;

/// Waiting holds of a bib that are counted before a decision. More of them say nothing more, and counting them all would keep
/// every other write waiting.
pub const QUEUE_COUNTED: u16 = 100;

/// What a hold waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Target {
    /// Any copy of the bib.
    Bib(BibId),
    /// Any copy of this volume of the bib.
    Volume(BibId, Volume),
    /// This copy.
    Item(ItemId),
}

impl Target {
    /// The word used in the database and the API.
    pub const fn kind_code(self) -> &'static str {
        match self {
            Self::Bib(_) => "bib",
            Self::Volume(..) => "volume",
            Self::Item(_) => "item",
        }
    }

    /// The only copy that will do.
    pub const fn item(self) -> Option<ItemId> {
        match self {
            Self::Item(item) => Some(item),
            Self::Bib(_) | Self::Volume(..) => None,
        }
    }

    /// The only volume that will do.
    pub const fn volume(self) -> Option<Volume> {
        match self {
            Self::Volume(_, volume) => Some(volume),
            Self::Bib(_) | Self::Item(_) => None,
        }
    }
}

/// The life of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldStatus {
    /// In the queue.
    Waiting,
    /// A copy is set aside for it: on its way or on the hold shelf.
    Captured,
    Filled,
    Cancelled,
    Expired,
}

impl HoldStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Captured,
        Self::Filled,
        Self::Cancelled,
        Self::Expired,
    ];

    /// The word used in the database and the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Captured => "captured",
            Self::Filled => "filled",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    /// Still waiting for or keeping a copy.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Captured)
    }
}

/// What a reader wishes: everything that decides which copy may fill a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub target: Target,
    pub pickup: UnitId,
    pub category: CategoryId,
    pub band: CreditBand,
    /// The reader has a child's card.
    pub child: bool,
    pub reader_home: UnitId,
    pub birth_date: Option<NaiveDate>,
    /// What staff passed over when it was placed.
    pub waived: Waived,
}

/// The first waiting hold that a copy may fill, chosen by the store in the order of the queue with [`may_fill`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldCandidate {
    pub id: HoldId,
    pub reader: ReaderId,
    pub wish: Wish,
    /// This very copy was to be fetched from the shelf for it.
    pub pulled: bool,
}

/// One hold, read under the lock of its bib.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldFacts {
    pub id: HoldId,
    pub reader: ReaderId,
    pub target: Target,
    pub pickup: UnitId,
    pub status: HoldStatus,
}

/// What decides whether a copy may fill a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyFacts {
    pub item: ItemId,
    pub bib: BibId,
    pub volume: Option<Volume>,
    pub owner: UnitId,
    pub home: UnitId,
    pub current: UnitId,
    pub item_type: ItemTypeId,
    pub status: ItemStatus,
    pub not_for_loan: bool,
    pub for_children: bool,
    pub min_age_years: Option<u8>,
    pub added_at: DateTime<Utc>,
    /// Set aside for a hold already.
    pub captured: bool,
}

impl CopyFacts {
    /// The copy of an item at hand.
    pub const fn of(item: &ItemFacts) -> Self {
        Self {
            item: item.id,
            bib: item.bib_id,
            volume: item.volume,
            owner: item.owner,
            home: item.home,
            current: item.current,
            item_type: item.item_type,
            status: item.status,
            not_for_loan: item.not_for_loan || !matches!(item.lending, Lending::Normal) || item.bound_into.is_some(),
            for_children: item.for_children,
            min_age_years: item.min_age_years,
            added_at: item.added_at,
            captured: item.captured_for.is_some(),
        }
    }

    /// It stands on an open shelf, free for anybody.
    pub const fn is_on_shelf(&self) -> bool {
        matches!(self.status, ItemStatus::OnShelf) && !self.captured
    }

    /// It circulates now or will again without anybody repairing or finding it.
    pub const fn circulates(&self) -> bool {
        match self.status {
            ItemStatus::OnShelf
            | ItemStatus::OnLoan
            | ItemStatus::AwaitingDispatch
            | ItemStatus::InTransit
            | ItemStatus::OnHoldShelf
            | ItemStatus::InProcessing => true,
            ItemStatus::Damaged
            | ItemStatus::NeedsAttention
            | ItemStatus::Missing
            | ItemStatus::Lost
            | ItemStatus::ClaimedReturned
            | ItemStatus::Withdrawn => false,
        }
    }
}

/// Why a copy may not fill a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unfit {
    /// The hold waits for another bib or copy.
    OtherTarget,
    NotForLoan,
    /// The rule at the pickup unit says not lendable or not holdable.
    ByRule,
    /// The rules take no holds of this kind on it.
    KindNotTaken,
    /// The copy may not be lent at the pickup unit.
    StaysLocal,
    /// The reader's home unit may not borrow from its owner.
    OwnerNotForReader,
    NotForChildren,
    TooYoung,
    /// It has an age restriction and the reader's age is not known.
    AgeUnknown,
    /// It is for readers of its home unit.
    HomeOnly,
    /// It is new and does not leave its home unit yet.
    New,
}

/// The channel under which terms of a hold are looked up: the machine or the desk where it will be picked up.
pub(super) fn pickup_channel(network: &Network, pickup: UnitId) -> Channel {
    let machine = network.unit(pickup).is_some_and(|unit| unit.always_open);
    if machine { Channel::Locker } else { Channel::Desk }
}

/// Whether a copy that is at hand (or comes back) may fill a hold, whatever its status is now.
///
/// The store asks this for each waiting hold in the order of the queue, skipping suspended and expired ones; the first
/// `Ok` is the [`HoldCandidate`]. `day` is the local day, for ages.
///
/// # Errors
/// The first reason why not.
pub fn may_fill(network: &Network, copy: &CopyFacts, wish: &Wish, day: NaiveDate) -> Result<(), Unfit> {
    let aimed = match wish.target {
        Target::Bib(bib) => bib == copy.bib,
        Target::Volume(bib, volume) => bib == copy.bib && copy.volume == Some(volume),
        Target::Item(item) => item == copy.item,
    };
    if !aimed {
        return Err(Unfit::OtherTarget);
    }
    if copy.not_for_loan {
        return Err(Unfit::NotForLoan);
    }
    let terms = &network.winner(&wish_situation(network, copy, wish)).terms;
    if !terms.lendable || !terms.holdable {
        return Err(Unfit::ByRule);
    }
    if !terms.holds.take(wish.target) {
        return Err(Unfit::KindNotTaken);
    }
    if !network.may_lend_at(copy.owner, copy.home, copy.item_type, wish.pickup) {
        return Err(Unfit::StaysLocal);
    }
    if !network.may_borrow_from(wish.reader_home, copy.owner, copy.item_type) {
        return Err(Unfit::OwnerNotForReader);
    }
    if wish.child && !copy.for_children {
        return Err(Unfit::NotForChildren);
    }
    match (copy.min_age_years.filter(|min| *min > 0), wish.birth_date) {
        (None, _) => {}
        (Some(_), None) => return Err(Unfit::AgeUnknown),
        (Some(min), Some(born)) => match age_years(born, day) {
            Some(age) if age >= u32::from(min) => {}
            _ => return Err(Unfit::TooYoung),
        },
    }
    if is_for_others(network, &terms.holds, copy, wish) {
        return Err(Unfit::HomeOnly);
    }
    new_until(network, &terms.holds, copy, wish, day).map_or(Ok(()), |_| Err(Unfit::New))
}

/// The situation under which a hold's terms are looked up.
pub(super) fn wish_situation(network: &Network, copy: &CopyFacts, wish: &Wish) -> Situation {
    Situation {
        unit: wish.pickup,
        category: wish.category,
        item_type: copy.item_type,
        owner: copy.owner,
        channel: pickup_channel(network, wish.pickup),
        band: wish.band,
    }
}
