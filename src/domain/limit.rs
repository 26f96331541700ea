//! Limits: every matching row applies, each counted in its own scope; the tightest is told first.
//! Not for: terms, of which one row wins (see `policy`).

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::{CategoryId, ItemTypeId, LoanId, RuleId, UnitId};
use super::item_type::ItemTypes;
use super::policy::{Column, Resolved, Situation};
use super::reader::{Channel, CreditBand, LoanOfReader};
use super::refusal::Code;
use super::unit::UnitTree;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Open loans, this one included.
    Loans,
    /// Open loans overdue now: how many may stand before borrowing stops.
    OverdueLoans,
    /// Debt in fen: how much may stand before borrowing stops.
    DebtFen,
    /// Open holds, this one included.
    Holds,
    /// Open holds on one bib, this one included.
    HoldsPerBib,
    /// Holds placed today, this one included.
    HoldsPerDay,
}

impl LimitKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Loans,
        Self::OverdueLoans,
        Self::DebtFen,
        Self::Holds,
        Self::HoldsPerBib,
        Self::HoldsPerDay,
    ];

    /// The word used in rules and in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Loans => "loans",
            Self::OverdueLoans => "overdue_loans",
            Self::DebtFen => "debt_fen",
            Self::Holds => "holds",
            Self::HoldsPerBib => "holds_per_bib",
            Self::HoldsPerDay => "holds_per_day",
        }
    }
}

/// Which loans a limit on loans counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountIn {
    /// All of the reader's.
    #[default]
    Network,
    /// Those whose owner stands in the named owner's subtree; with no owner named, in the item's owner's.
    Owner,
    /// Those made in the named unit's subtree; with no unit named, at the unit of the act.
    Unit,
    /// Those made through the named channel; with none named, through the channel of the act.
    Channel,
}

impl CountIn {
    /// The word used in rules and in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Owner => "owner",
            Self::Unit => "unit",
            Self::Channel => "channel",
        }
    }
}

/// When a limit applies; `None` and an empty list are "any". Units match with what is below them, types with children.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct LimitWhen {
    pub unit: Option<UnitId>,
    pub category: Option<CategoryId>,
    /// Only items of these types, together; only they are counted.
    pub item_types: Vec<ItemTypeId>,
    /// Never items of these types, and they are not counted.
    pub except_item_types: Vec<ItemTypeId>,
    pub owner: Option<UnitId>,
    pub channel: Option<Channel>,
    pub band: Option<CreditBand>,
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRow {
    pub id: RuleId,
    pub when: LimitWhen,
    pub kind: LimitKind,
    pub count_in: CountIn,
    /// The highest count (or fen) that is still allowed.
    pub max: i64,
    /// Passing it asks staff to confirm instead of to override. Only for `debt_fen`.
    pub confirm: bool,
}

impl LimitRow {
    /// The refusal of a passed limit.
    pub fn code(&self) -> Code {
        match self.kind {
            LimitKind::Loans => self.loans_code(),
            LimitKind::OverdueLoans if self.max == 0 => Code::OverdueItems,
            LimitKind::OverdueLoans => Code::TooManyOverdue,
            LimitKind::DebtFen if self.confirm => Code::HasDebt,
            LimitKind::DebtFen => Code::DebtOverLimit,
            LimitKind::Holds => Code::LimitHolds,
            LimitKind::HoldsPerBib => Code::LimitHoldsPerBib,
            LimitKind::HoldsPerDay => Code::LimitHoldsPerDay,
        }
    }

    fn loans_code(&self) -> Code {
        let typed = !self.when.item_types.is_empty();
        match self.count_in {
            _ if typed && self.max == 0 && self.when.category.is_some() => Code::LimitIsZero,
            _ if self.when.band.is_some() => Code::LimitCreditBand,
            CountIn::Owner => Code::LimitOwner,
            CountIn::Unit => Code::LimitUnit,
            CountIn::Channel => Code::LimitChannel,
            CountIn::Network if typed => Code::LimitItemType,
            CountIn::Network => Code::LimitLoans,
        }
    }
}

/// What the limits count against.
#[derive(Debug, Clone, Copy)]
pub struct Usage<'a> {
    pub loans: &'a [LoanOfReader],
    /// A loan not to count: the one being renewed, or returned first.
    pub except_loan: Option<LoanId>,
    /// Now: which loans are overdue.
    pub now: DateTime<Utc>,
    pub debt_fen: i64,
    pub holds: u32,
    pub holds_of_bib: u32,
    pub holds_today: u32,
}

/// One limit that applies to a situation, with its count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitState<'a> {
    pub row: &'a LimitRow,
    /// What stands now, the act not included.
    pub count: i64,
    /// What would be left after the act; negative: refused.
    pub left: i64,
}

impl LimitState<'_> {
    /// The act would pass it.
    pub const fn is_passed(&self) -> bool {
        self.left < 0
    }

    /// The tightest first; between equals the smaller rule id.
    pub fn tightness(&self, other: &Self) -> Ordering {
        self.left.cmp(&other.left).then(self.row.id.cmp(&other.row.id))
    }
}

/// Resolves and counts limits against one network's trees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counter<'a> {
    pub(super) units: &'a UnitTree,
    pub(super) item_types: &'a ItemTypes,
    pub(super) at: Resolved<'a>,
}

impl Counter<'_> {
    /// Whether a limit applies; `Err` names the first column that does not match.
    pub(super) fn applies(&self, row: &LimitRow) -> Result<(), Column> {
        let (when, situation) = (&row.when, &self.at.situation);
        let unit = when.unit.is_none_or(|unit| self.at.units.contains(&unit));
        let category = when
            .category
            .is_none_or(|category| category == situation.category);
        let typed = when.item_types.is_empty() || any_of(&when.item_types, self.at.item_types);
        let owner = when.owner.is_none_or(|owner| self.at.owners.contains(&owner));
        let channel = when.channel.is_none_or(|channel| channel == situation.channel);
        let band = when.band.is_none_or(|band| band == situation.band);
        let checks = [
            (unit, Column::Unit),
            (category, Column::Category),
            (
                typed && !any_of(&when.except_item_types, self.at.item_types),
                Column::ItemType,
            ),
            (owner, Column::Owner),
            (channel, Column::Channel),
            (band, Column::Band),
        ];
        checks
            .into_iter()
            .find(|(matches, _)| !matches)
            .map_or(Ok(()), |(_, column)| Err(column))
    }

    /// Counts one limit that applies.
    pub(super) fn state<'r>(&self, row: &'r LimitRow, usage: &Usage<'_>) -> LimitState<'r> {
        let others = || {
            usage
                .loans
                .iter()
                .filter(|loan| usage.except_loan != Some(loan.id))
        };
        let counted = || others().filter(|loan| self.is_counted(row, loan));
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let (count, adds) = match row.kind {
            LimitKind::Loans => (whole(counted().count()), 1),
            LimitKind::OverdueLoans => (whole(counted().filter(|loan| loan.due_at < usage.now).count()), 0),
            LimitKind::DebtFen => (usage.debt_fen, 0),
            LimitKind::Holds => (i64::from(usage.holds), 1),
            LimitKind::HoldsPerBib => (i64::from(usage.holds_of_bib), 1),
            LimitKind::HoldsPerDay => (i64::from(usage.holds_today), 1),
        };
        LimitState {
            row,
            count,
            left: row.max.saturating_sub(count).saturating_sub(adds),
        }
    }

    fn is_counted(&self, row: &LimitRow, loan: &LoanOfReader) -> bool {
        self.is_counted_type(row, loan.item_type) && self.is_in_scope(row, loan)
    }

    fn is_counted_type(&self, row: &LimitRow, item_type: ItemTypeId) -> bool {
        let when = &row.when;
        if when.item_types.is_empty() && when.except_item_types.is_empty() {
            return true;
        }
        let line = self.item_types.ancestors(item_type);
        let named = when.item_types.is_empty() || any_of(&when.item_types, line);
        named && !any_of(&when.except_item_types, line)
    }

    fn is_in_scope(&self, row: &LimitRow, loan: &LoanOfReader) -> bool {
        let (when, situation): (&LimitWhen, &Situation) = (&row.when, &self.at.situation);
        match row.count_in {
            CountIn::Network => true,
            CountIn::Owner => self
                .units
                .is_within(loan.owner, when.owner.unwrap_or(situation.owner)),
            CountIn::Unit => self
                .units
                .is_within(loan.unit, when.unit.unwrap_or(situation.unit)),
            CountIn::Channel => loan.channel == when.channel.unwrap_or(situation.channel),
        }
    }
}

fn any_of(named: &[ItemTypeId], line: &[ItemTypeId]) -> bool {
    named.iter().any(|one| line.contains(one))
}
