//! What a change of calendars does to open loans and hold shelves: what was promised for a day that is closed by now moves. Only
//! due dates that rules set, and only those that do not lie behind; a date that moved still counts as set by rule.
//! Here: what would move, and what has moved. The walk that does it: `calendar_walk`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::unit_code;
use super::{Result, UseCaseError};
use crate::clock::from_millis;
use crate::domain::calendar::end_of_day;
use crate::domain::dated::EmergencyClosing;
use crate::domain::ids::UnitId;
use crate::domain::move_due::{Lost, moved_due, moved_shelf};
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::calendar_changes::{ChangeRow, MOVING};
use crate::store::due_moves::{Move, ShelvedHold};
use crate::store::tx::ReadTx;

/// Loans listed; all are counted.
const LISTED: usize = 100;

/// Open loans read at once.
const LOANS_PER_LOOK: i64 = 5_000;

/// Units whose hold shelves are read at once.
pub(super) const UNITS_PER_LOOK: usize = 64;

/// An open loan whose due date falls on a day that is closed now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AffectedLoan {
    pub loan_id: i64,
    /// Where it was lent.
    #[schema(example = "B01")]
    pub unit_code: String,
    /// The local day it was due before.
    pub due_day: NaiveDate,
}

/// How far the moving that follows a change of calendars is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DueMoves {
    /// The number of the change.
    #[schema(example = 10_001)]
    pub change_id: i64,
    /// `moving`, `settling` (all was looked at; transactions older than the change are waited for), `done`, `undoing` or `undone`.
    #[schema(example = "done")]
    pub status: String,
    /// Open loans when it began; null before that.
    #[schema(example = 920_000)]
    pub expected: Option<i64>,
    /// Loans looked at so far.
    #[schema(example = 920_000)]
    pub looked_at: i64,
    /// Loans that have another due date now.
    #[schema(example = 1_320)]
    pub moved_loans: i64,
    /// Copies on hold shelves that stay longer now.
    #[schema(example = 17)]
    pub moved_holds: i64,
}

impl DueMoves {
    /// Of a change that was made just now.
    pub(super) fn begun(change: i64) -> Self {
        Self {
            change_id: change,
            status: MOVING.to_owned(),
            expected: None,
            looked_at: 0,
            moved_loans: 0,
            moved_holds: 0,
        }
    }

    pub(super) fn of(row: &ChangeRow) -> Self {
        Self {
            change_id: row.id,
            status: row.status.clone(),
            expected: row.expected,
            looked_at: row.looked_at,
            moved_loans: row.moved_loans,
            moved_holds: row.moved_holds,
        }
    }
}

/// The loans and holds a change of calendars concerns, and the first of the loans.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Affected {
    pub loans: u64,
    pub holds: u64,
    pub listed: Vec<AffectedLoan>,
}

/// What a change does at which units.
pub(super) struct Scope<'n> {
    network: &'n Network,
    units: HashSet<i64>,
    /// An emergency closing, and when it was declared.
    closing: Option<(EmergencyClosing, DateTime<Utc>)>,
    today: NaiveDate,
}

/// Loans of one look.
pub(super) struct LoanPage {
    /// The item of each loan that moves, and the move.
    pub moves: Vec<(i64, Move<i64>)>,
    /// Their units and days.
    listed: Vec<AffectedLoan>,
    pub looked_at: i64,
    /// `None` at the end.
    pub last_item: Option<i64>,
}

impl<'n> Scope<'n> {
    /// Of a change at a unit and everything below it, by the calendars of `network`.
    pub(super) fn new(network: &'n Network, unit: UnitId, now: DateTime<Utc>) -> Self {
        let units = network.units().subtree(unit).map(|unit| unit.id.get()).collect();
        let today = network.local_day(now);
        Self {
            network,
            units,
            closing: None,
            today,
        }
    }

    /// Of an emergency closing of the unit.
    pub(super) fn of_closing(mut self, unit: UnitId, id: i64, declared: DateTime<Utc>) -> Self {
        let own = self.network.unit(unit).into_iter();
        let closing = own
            .flat_map(|unit| &unit.dated.closings)
            .find(|closing| closing.id == id);
        self.closing = closing.cloned().map(|closing| (closing, declared));
        self
    }

    /// The next open loans, and which of them move.
    pub(super) fn loans(&self, tx: &mut ReadTx<'_>, after: i64) -> Result<LoanPage> {
        let rows = tx.walk_due(after, LOANS_PER_LOOK)?;
        let looked_at = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let last_item = rows.last().map(|loan| loan.item_id);
        let mut closed = HashMap::new();
        let mut falls_on_closed = |unit: i64, day: NaiveDate| {
            let calendar = || !self.network.calendar(UnitId::new(unit)).is_open(day);
            *closed.entry((unit, day)).or_insert_with(calendar)
        };
        let mut found = Vec::new();
        for loan in rows.into_iter().filter(|loan| !loan.due_by_hand) {
            let day = self.network.local_day(from_millis(loan.due_at));
            if day >= self.today && self.units.contains(&loan.unit_id) && falls_on_closed(loan.unit_id, day) {
                found.push((loan, day));
            }
        }
        let cards: Vec<i64> = found.iter().filter_map(|(loan, _)| loan.card_id).collect();
        let ends = if cards.is_empty() {
            HashMap::new()
        } else {
            tx.card_ends(&cards)?
        };
        let (mut moves, mut listed) = (Vec::new(), Vec::new());
        for (loan, day) in found {
            let end = loan.card_id.and_then(|card| ends.get(&card));
            let end = end.and_then(|end| end.parse().ok());
            let calendar = self.network.calendar(UnitId::new(loan.unit_id));
            let Some(to) = moved_due(&calendar, day, end, self.today) else {
                continue;
            };
            let new = end_of_day(self.network.zone(), to).timestamp_millis();
            let (id, old) = (loan.id, loan.due_at);
            moves.push((loan.item_id, Move { id, old, new }));
            listed.push(AffectedLoan {
                loan_id: id,
                unit_code: unit_code(self.network, loan.unit_id),
                due_day: day,
            });
        }
        Ok(LoanPage {
            moves,
            listed,
            looked_at,
            last_item,
        })
    }

    /// The units whose hold shelves are looked at next, in the order of their ids.
    pub(super) fn next_units(&self, after: i64) -> Vec<UnitId> {
        let mut units: Vec<i64> = self.units.iter().copied().filter(|unit| *unit > after).collect();
        units.sort_unstable();
        units.into_iter().take(UNITS_PER_LOOK).map(UnitId::new).collect()
    }

    /// What moves on the hold shelves of these units.
    pub(super) fn holds(&self, tx: &mut ReadTx<'_>, units: &[UnitId]) -> Result<Vec<Move<String>>> {
        let rows = tx.shelved_holds(units)?;
        let moved = match &self.closing {
            Some((closing, _)) if !rows.is_empty() => {
                let ids: Vec<i64> = rows.iter().map(|hold| hold.id).collect();
                tx.holds_moved_by(closing.id, &ids)?
            }
            _ => HashSet::new(),
        };
        let of = |hold: &ShelvedHold| self.hold(hold, moved.contains(&hold.id));
        Ok(rows.iter().filter_map(of).collect())
    }

    fn hold(&self, hold: &ShelvedHold, moved: bool) -> Option<Move<String>> {
        let old = hold.shelf_until.clone()?;
        let calendar = self.network.calendar(UnitId::new(hold.unit_id));
        // A copy shelved later got its last day by the calendar that knows of the closing.
        let stood = |declared: DateTime<Utc>| hold.captured_at.is_some_and(|at| at <= declared.timestamp_millis());
        let closing = self.closing.as_ref().filter(|(_, declared)| !moved && stood(*declared));
        let lost = closing.map(|(closing, _)| Lost {
            before: calendar.before_closing(closing.id),
            first: closing.first,
            last: closing.last,
        });
        let to = moved_shelf(&calendar, lost.as_ref(), old.parse().ok()?, self.today)?;
        Some(Move {
            id: hold.id,
            old,
            new: to.to_string(),
        })
    }
}

/// A page of what would move: how many holds of shelves up to a unit, or loans.
enum Page {
    Shelves { holds: u64, last_unit: i64 },
    Loans(LoanPage),
}

/// What would move, by the calendars of `network`: nothing is written, and no write waits.
pub(super) async fn preview(
    store: &Arc<Store>,
    network: Network,
    unit: UnitId,
    closing: Option<i64>,
) -> Result<Affected> {
    let network = Arc::new(network);
    let now = store.clock().now();
    let mut affected = Affected::default();
    let mut after = (true, 0);
    loop {
        let network = Arc::clone(&network);
        let page = store
            .read(move |tx| -> Result<Page> {
                let scope = Scope::new(&network, unit, now);
                let scope = match closing {
                    Some(id) => scope.of_closing(unit, id, now),
                    None => scope,
                };
                let (on_shelves, after) = after;
                let units = scope.next_units(after);
                match units.last().filter(|_| on_shelves) {
                    Some(last) => {
                        let holds = scope.holds(tx, &units)?.len() as u64;
                        let last_unit = last.get();
                        Ok(Page::Shelves { holds, last_unit })
                    }
                    None => Ok(Page::Loans(scope.loans(tx, if on_shelves { 0 } else { after })?)),
                }
            })
            .await?;
        match page {
            Page::Shelves { holds, last_unit } => {
                affected.holds += holds;
                after = (true, last_unit);
            }
            Page::Loans(page) => {
                affected.loans += page.moves.len() as u64;
                let room = LISTED.saturating_sub(affected.listed.len());
                affected.listed.extend(page.listed.into_iter().take(room));
                let Some(last) = page.last_item else {
                    return Ok(affected);
                };
                after = (false, last);
            }
        }
    }
}

/// What a change has moved so far, and the first of the loans.
pub(super) async fn moved_so_far(store: &Arc<Store>, change: i64) -> Result<(DueMoves, Vec<AffectedLoan>)> {
    store
        .read(move |tx| {
            let network = tx.network()?;
            let row = tx.calendar_change(change)?.ok_or(UseCaseError::NotFound("change"))?;
            let loans = tx.loans_moved_by(change, LISTED as i64)?;
            let loans = loans.into_iter().map(|(loan_id, unit, due_at)| AffectedLoan {
                loan_id,
                unit_code: unit_code(&network, unit),
                due_day: network.local_day(from_millis(due_at)),
            });
            Ok((DueMoves::of(&row), loans.collect()))
        })
        .await
}

/// Refuses a calendar by which a unit would not open for a year.
///
/// # Errors
/// `Invalid` naming `field` and the unit.
pub(super) fn require_open_days(
    before: &Network,
    after: &Network,
    unit: UnitId,
    now: DateTime<Utc>,
    field: &'static str,
) -> Result<()> {
    let today = after.local_day(now);
    match after.never_open(before, unit, today) {
        None => Ok(()),
        Some(unit) => {
            let reason = format!(
                "unit {} would have no open day in the year from {today}: leave it at least one",
                unit.code
            );
            Err(UseCaseError::field(field, reason))
        }
    }
}
