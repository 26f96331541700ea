//! What the network leaves open to its libraries, and the rows with which they use it: fields that stand in the place of
//! the network's. Not for: reading or checking documents (see `rules_layer`, `rules_own_check`).

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::delivery::LoanClock;
use super::hold::QUEUE_COUNTED;
use super::hold_terms::MAX_NEW_ITEM_DAYS;
use super::ids::{RuleId, UnitId};
use super::lending_terms::{MAX_COPIES_TO_HOLDS_PERCENT, day_of_number, number_of_day};
use super::limit::LimitKind;
use super::policy::{RenewFrom, RuleKey, RuleSet, Terms};
use super::rules_check::{MAX_LOAN_DAYS, MAX_RENEWALS, MAX_SHELF_DAYS};
use super::unit::{Unit, UnitKind};

/// A field of the terms, by itself. Flags are 0 and 1; `renew_from` is 0 for the due date and 1 for the day itself; a
/// day is counted from the end of 1999, 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TermField {
    Lendable,
    LoanDays,
    Renewable,
    Renewals,
    RenewalDays,
    RenewFrom,
    RenewWindowDays,
    AutoRenew,
    Holdable,
    HoldShelfDays,
    HoldLockerDays,
    HighDemandHolds,
    HighDemandDays,
    DeliveryDesk,
    DeliveryParcel,
    DeliveryClock,
    DeliveryParcelDays,
    TermEnd,
    ReadingRoomUse,
    CopiesToHoldsPercent,
    HoldBib,
    HoldVolume,
    HoldItem,
    HoldHomeOnly,
    NewItemDays,
    AutoRenewals,
    RecallHolds,
}

/// How a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Flag,
    /// A whole number up to this.
    Number(u16),
    RenewFrom,
    DeliveryClock,
    /// A day, or none.
    Day,
}

impl TermField {
    /// Every field, in the order of a row.
    pub const ALL: [Self; 27] = [
        Self::Lendable,
        Self::LoanDays,
        Self::Renewable,
        Self::Renewals,
        Self::RenewalDays,
        Self::RenewFrom,
        Self::RenewWindowDays,
        Self::AutoRenew,
        Self::Holdable,
        Self::HoldShelfDays,
        Self::HoldLockerDays,
        Self::HighDemandHolds,
        Self::HighDemandDays,
        Self::DeliveryDesk,
        Self::DeliveryParcel,
        Self::DeliveryClock,
        Self::DeliveryParcelDays,
        Self::TermEnd,
        Self::ReadingRoomUse,
        Self::CopiesToHoldsPercent,
        Self::HoldBib,
        Self::HoldVolume,
        Self::HoldItem,
        Self::HoldHomeOnly,
        Self::NewItemDays,
        Self::AutoRenewals,
        Self::RecallHolds,
    ];

    /// The word used in rules and in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Lendable => "lendable",
            Self::LoanDays => "loan_days",
            Self::Renewable => "renewable",
            Self::Renewals => "renewals",
            Self::RenewalDays => "renewal_days",
            Self::RenewFrom => "renew_from",
            Self::RenewWindowDays => "renew_window_days",
            Self::AutoRenew => "auto_renew",
            Self::Holdable => "holdable",
            Self::HoldShelfDays => "hold_shelf_days",
            Self::HoldLockerDays => "hold_locker_days",
            Self::HighDemandHolds => "high_demand_holds",
            Self::HighDemandDays => "high_demand_days",
            Self::DeliveryDesk => "delivery_desk",
            Self::DeliveryParcel => "delivery_parcel",
            Self::DeliveryClock => "delivery_clock",
            Self::DeliveryParcelDays => "delivery_parcel_days",
            Self::TermEnd => "term_end",
            Self::ReadingRoomUse => "reading_room_use",
            Self::CopiesToHoldsPercent => "copies_to_holds_percent",
            Self::HoldBib => "hold_bib",
            Self::HoldVolume => "hold_volume",
            Self::HoldItem => "hold_item",
            Self::HoldHomeOnly => "hold_home_only",
            Self::NewItemDays => "new_item_days",
            Self::AutoRenewals => "auto_renewals",
            Self::RecallHolds => "recall_holds",
        }
    }

    /// Reads the word back.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }

    /// How it is written.
    pub const fn kind(self) -> FieldKind {
        match self {
            Self::Lendable
            | Self::Renewable
            | Self::AutoRenew
            | Self::Holdable
            | Self::DeliveryDesk
            | Self::DeliveryParcel
            | Self::ReadingRoomUse
            | Self::HoldBib
            | Self::HoldVolume
            | Self::HoldItem
            | Self::HoldHomeOnly => FieldKind::Flag,
            Self::TermEnd => FieldKind::Day,
            Self::CopiesToHoldsPercent => FieldKind::Number(MAX_COPIES_TO_HOLDS_PERCENT),
            Self::NewItemDays => FieldKind::Number(MAX_NEW_ITEM_DAYS),
            Self::RenewFrom => FieldKind::RenewFrom,
            Self::DeliveryClock => FieldKind::DeliveryClock,
            Self::LoanDays | Self::RenewalDays | Self::RenewWindowDays | Self::HighDemandDays => {
                FieldKind::Number(MAX_LOAN_DAYS)
            }
            Self::Renewals | Self::AutoRenewals => FieldKind::Number(MAX_RENEWALS),
            Self::HoldShelfDays | Self::HoldLockerDays | Self::DeliveryParcelDays => FieldKind::Number(MAX_SHELF_DAYS),
            Self::HighDemandHolds | Self::RecallHolds => FieldKind::Number(QUEUE_COUNTED),
        }
    }

    /// Whether every row of the network's terms must name it.
    pub const fn is_obligatory(self) -> bool {
        !matches!(
            self,
            Self::RenewFrom
                | Self::RenewWindowDays
                | Self::AutoRenew
                | Self::HighDemandHolds
                | Self::HighDemandDays
                | Self::DeliveryDesk
                | Self::DeliveryParcel
                | Self::DeliveryClock
                | Self::DeliveryParcelDays
                | Self::TermEnd
                | Self::ReadingRoomUse
                | Self::CopiesToHoldsPercent
                | Self::HoldBib
                | Self::HoldVolume
                | Self::HoldItem
                | Self::HoldHomeOnly
                | Self::NewItemDays
                | Self::AutoRenewals
                | Self::RecallHolds
        )
    }

    /// What some terms say.
    pub fn of(self, terms: &Terms) -> u16 {
        match self {
            Self::Lendable => u16::from(terms.lendable),
            Self::LoanDays => terms.loan_days,
            Self::Renewable => u16::from(terms.renewable),
            Self::Renewals => terms.renewals,
            Self::RenewalDays => terms.renewal_days,
            Self::RenewFrom => u16::from(terms.renew_from == RenewFrom::Today),
            Self::RenewWindowDays => terms.renew_window_days,
            Self::AutoRenew => u16::from(terms.auto_renew),
            Self::Holdable => u16::from(terms.holdable),
            Self::HoldShelfDays => terms.hold_shelf_days,
            Self::HoldLockerDays => terms.hold_locker_days,
            Self::HighDemandHolds => terms.high_demand_holds,
            Self::HighDemandDays => terms.high_demand_days,
            Self::DeliveryDesk => u16::from(terms.delivery.desk),
            Self::DeliveryParcel => u16::from(terms.delivery.parcel),
            Self::DeliveryClock => match terms.delivery.clock {
                LoanClock::Acceptance => 0,
                LoanClock::Dispatch => 1,
                LoanClock::Pickup => 2,
            },
            Self::DeliveryParcelDays => terms.delivery.parcel_days,
            Self::TermEnd => number_of_day(terms.lending.term_end),
            Self::ReadingRoomUse => u16::from(terms.lending.reading_room_use),
            Self::CopiesToHoldsPercent => terms.lending.copies_to_holds_percent,
            Self::HoldBib => u16::from(terms.holds.bib),
            Self::HoldVolume => u16::from(terms.holds.volume),
            Self::HoldItem => u16::from(terms.holds.item),
            Self::HoldHomeOnly => u16::from(terms.holds.home_only),
            Self::NewItemDays => terms.holds.new_item_days,
            Self::AutoRenewals => terms.auto_renewals,
            Self::RecallHolds => terms.recall_holds,
        }
    }

    /// The day that a value of this field means.
    pub fn day(self, value: u16) -> Option<NaiveDate> {
        day_of_number(value).filter(|_| self.kind() == FieldKind::Day)
    }

    /// Makes some terms say it.
    pub fn put(self, terms: &mut Terms, value: u16) {
        match self {
            Self::Lendable => terms.lendable = value != 0,
            Self::LoanDays => terms.loan_days = value,
            Self::Renewable => terms.renewable = value != 0,
            Self::Renewals => terms.renewals = value,
            Self::RenewalDays => terms.renewal_days = value,
            Self::RenewFrom if value == 0 => terms.renew_from = RenewFrom::DueDate,
            Self::RenewFrom => terms.renew_from = RenewFrom::Today,
            Self::RenewWindowDays => terms.renew_window_days = value,
            Self::AutoRenew => terms.auto_renew = value != 0,
            Self::Holdable => terms.holdable = value != 0,
            Self::HoldShelfDays => terms.hold_shelf_days = value,
            Self::HoldLockerDays => terms.hold_locker_days = value,
            Self::HighDemandHolds => terms.high_demand_holds = value,
            Self::HighDemandDays => terms.high_demand_days = value,
            Self::DeliveryDesk => terms.delivery.desk = value != 0,
            Self::DeliveryParcel => terms.delivery.parcel = value != 0,
            Self::DeliveryClock if value == 0 => terms.delivery.clock = LoanClock::Acceptance,
            Self::DeliveryClock if value == 1 => terms.delivery.clock = LoanClock::Dispatch,
            Self::DeliveryClock => terms.delivery.clock = LoanClock::Pickup,
            Self::DeliveryParcelDays => terms.delivery.parcel_days = value,
            Self::TermEnd => terms.lending.term_end = day_of_number(value),
            Self::ReadingRoomUse => terms.lending.reading_room_use = value != 0,
            Self::CopiesToHoldsPercent => terms.lending.copies_to_holds_percent = value,
            Self::HoldBib => terms.holds.bib = value != 0,
            Self::HoldVolume => terms.holds.volume = value != 0,
            Self::HoldItem => terms.holds.item = value != 0,
            Self::HoldHomeOnly => terms.holds.home_only = value != 0,
            Self::NewItemDays => terms.holds.new_item_days = value,
            Self::AutoRenewals => terms.auto_renewals = value,
            Self::RecallHolds => terms.recall_holds = value,
        }
    }
}

/// The words of when a loan by parcel begins, in the order of their numbers.
pub const DELIVERY_CLOCKS: [&str; 3] = ["acceptance", "dispatch", "pickup"];

/// How far something that is left open may go; both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bound {
    pub min: Option<i64>,
    pub max: Option<i64>,
}

impl Bound {
    /// Whether a value lies within.
    pub fn holds(self, value: i64) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.min, self.max) {
            (None, None) => f.write_str("any value"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
        }
    }
}

/// Whom something is left open to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OpenTo {
    Kind(UnitKind),
    /// This unit; its own section takes the place of its kind's.
    Unit(UnitId),
}

/// What is left open to a unit, for itself and what is below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    pub to: OpenTo,
    pub terms: Vec<(TermField, Bound)>,
    pub limits: Vec<(LimitKind, Bound)>,
}

impl Delegation {
    /// How far a field may go; `None` if it is not open.
    pub fn term(&self, field: TermField) -> Option<Bound> {
        self.terms
            .iter()
            .find(|(open, _)| *open == field)
            .map(|(_, bound)| *bound)
    }

    /// How far a kind of limit may go; `None` if it is not open.
    pub fn limit(&self, kind: LimitKind) -> Option<Bound> {
        self.limits
            .iter()
            .find(|(open, _)| *open == kind)
            .map(|(_, bound)| *bound)
    }
}

/// A unit's own row: where it matches, its values stand in the place of the network's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnTerms {
    pub id: RuleId,
    /// Whose layer it is in.
    pub by: UnitId,
    pub key: RuleKey,
    pub values: Vec<(TermField, u16)>,
}

impl OwnTerms {
    /// The network's terms with this row's values in their place.
    pub fn over(&self, mut terms: Terms) -> Terms {
        for (field, value) in &self.values {
            field.put(&mut terms, *value);
        }
        terms
    }
}

impl RuleSet {
    /// Whether any terms say more of a field than nothing: a job that asks for it need not look at loans otherwise.
    pub fn mentions(&self, field: TermField) -> bool {
        let own = self.own.iter().flat_map(|row| &row.values);
        self.terms.iter().any(|row| field.of(&row.terms) > 0)
            || own.into_iter().any(|(one, value)| *one == field && *value > 0)
    }

    /// What is left open to a unit: the section that names it, else that of its kind.
    pub fn open_to(&self, unit: &Unit) -> Option<&Delegation> {
        let section = |to: OpenTo| self.delegations.iter().find(|one| one.to == to);
        section(OpenTo::Unit(unit.id)).or_else(|| section(OpenTo::Kind(unit.kind)))
    }
}
