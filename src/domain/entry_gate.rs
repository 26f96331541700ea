//! The gate (门槛): what lets a reader borrow. A real name is enough, or a provider has said that the reader's score elsewhere reaches a
//! threshold, or a deposit was paid. Which gate counts is chosen by the reader's home and category. Who was let in stays in.
//! Not for: asking a provider (see `usecase::ask_provider`), or the credit that is earned here (see `credit`).

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::act::Findings;
use super::ids::{CategoryId, UnitId};
use super::money::Fen;
use super::network::Network;
use super::reader::ReaderFacts;
use super::refusal::Code;
use super::unit::UnitTree;

/// What lets a reader borrow.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Gate {
    /// A real name is enough.
    #[default]
    None,
    /// A provider says whether the reader's score elsewhere reaches a threshold. The score itself is never asked for.
    ExternalScore {
        provider: String,
        threshold: u16,
        /// The provider is told when credit here falls to the floor, and when that is over.
        reports: bool,
    },
    /// A deposit, in fen.
    Deposit { fen: i64 },
}

impl Gate {
    /// The word used in rules and in the API.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ExternalScore { .. } => "external_score",
            Self::Deposit { .. } => "deposit",
        }
    }
}

/// A gate and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateRow {
    /// Of readers at home there, or below. `None`: everywhere.
    pub unit: Option<UnitId>,
    /// `None`: of every category.
    pub category: Option<CategoryId>,
    /// Whoever was registered before this day is let in without.
    pub since: Option<NaiveDate>,
    pub gate: Gate,
}

/// What the gate asks of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Somebody let the reader in: that stays.
    pub admitted: bool,
    pub registered_at: DateTime<Utc>,
}

impl Entry {
    /// Whether somebody let the reader in, and since when the reader is registered.
    pub const fn of(admitted: bool, registered_at: DateTime<Utc>) -> Self {
        Self {
            admitted,
            registered_at,
        }
    }
}

/// The row that counts for a reader: that of the nearest unit, and of these the one that names the category. `None`: a real name is
/// enough.
///
/// ```
/// # use tongjie::domain::example::{self, BRANCH, MAIN};
/// use tongjie::domain::entry_gate::{Gate, GateRow, row_of};
/// let world = example::world();
/// let (adult, units) = (world.category("adult"), world.network.units());
/// let row = |unit, category, fen| GateRow { unit, category, since: None, gate: Gate::Deposit { fen } };
/// let rows = [row(None, Some(adult), 1), row(Some(MAIN), None, 2), row(Some(MAIN), Some(adult), 3)];
/// assert_eq!(row_of(&rows, units, BRANCH, adult), Some(&rows[2]));
/// assert_eq!(row_of(&rows, units, BRANCH, world.category("child")), Some(&rows[1]));
/// ```
pub fn row_of<'r>(rows: &'r [GateRow], units: &UnitTree, home: UnitId, category: CategoryId) -> Option<&'r GateRow> {
    let here = |row: &&GateRow| {
        let at = row.unit.is_none_or(|unit| units.is_within(home, unit));
        at && row.category.is_none_or(|one| one == category)
    };
    let weight = |row: &&GateRow| {
        let depth = row.unit.map_or(0, |unit| units.ancestors(unit).len() + 1);
        (depth, row.category.is_some())
    };
    rows.iter().filter(here).max_by_key(weight)
}

/// The gate that a reader has still to pass; `None`: they may go on.
pub fn still_closed(network: &Network, (home, category): (UnitId, CategoryId), entry: Entry) -> Option<&Gate> {
    let rows = network.rules().credit.as_ref()?.gates.as_slice();
    if entry.admitted || rows.is_empty() {
        return None;
    }
    let row = row_of(rows, network.units(), home, category)?;
    let registered = network.local_day(entry.registered_at);
    let asked = row.since.is_none_or(|since| registered >= since);
    Some(&row.gate).filter(|gate| asked && **gate != Gate::None)
}

/// Adds a refusal for a reader who was not let in yet. Reading in the unit needs no gate.
pub(super) fn judge_entry(found: &mut Findings, network: &Network, reader: &ReaderFacts) {
    if reader.reading_only {
        return;
    }
    match still_closed(network, (reader.home, reader.category), reader.entry) {
        None | Some(Gate::None) => {}
        Some(Gate::ExternalScore { provider, .. }) => {
            found.add(Code::EntryGate).with("provider", provider.as_str());
        }
        Some(Gate::Deposit { fen }) => {
            found.add(Code::EntryDeposit).with("deposit", Fen::new(*fen));
        }
    }
}
