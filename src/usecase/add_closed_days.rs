//! Days on which a unit and everything below it is closed. A dry run says which open loans are due on them; done in
//! earnest, those due dates move to the next open day.

use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::due_moves::{AffectedLoan, due_on, move_due_dates};
use super::named::Wrong;
use super::once::once;
use super::unit_view::ClosedDaysView;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::calendar::ClosedRange;
use crate::domain::event::EventKind;
use crate::domain::unit::Unit;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Most ranges a unit may have at once.
const MOST: usize = 2_000;

/// First day, last day, reason.
pub type Closed = (NaiveDate, NaiveDate, String);

/// The days to close: read already, or why a file could not be read, which only somebody with the right is told.
pub type Closures = std::result::Result<Vec<Closed>, String>;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct AddClosedDays {
    pub code: String,
    pub days: Closures,
    /// Leave out what lies behind, instead of refusing it: files cover whole years.
    pub skip_past: bool,
    pub dry_run: bool,
}

/// What adding closed days did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClosedDaysAdded {
    /// True: nothing was changed.
    #[schema(example = true)]
    pub dry_run: bool,
    /// Ranges that were added.
    pub added: Vec<ClosedDaysView>,
    /// Ranges the unit has already.
    #[schema(example = 0)]
    pub already_there: u64,
    /// Ranges that lie behind, left out.
    #[schema(example = 0)]
    pub past: u64,
    /// Open loans that are due on the new days. Done in earnest, those due by rule move to the next open day.
    #[schema(example = 1)]
    pub affected_loans: u64,
    /// The first 100 of them.
    pub loans: Vec<AffectedLoan>,
}

/// Adds closed days.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; `Invalid` for ranges that are none; a failure of the store.
pub async fn add_closed_days(
    store: &Arc<Store>,
    caller: &Caller,
    command: AddClosedDays,
    key: Option<IdempotencyKey>,
) -> Result<Once<ClosedDaysAdded>> {
    caller.require_somewhere(Right::ManageUnits)?;
    let days = command.days.as_ref().map_or(0, Vec::len);
    let count = 1 + i64::try_from(days).unwrap_or(i64::MAX - 1);
    once(store, caller, key, count, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &AddClosedDays, mut ids: IdRun) -> Result<ClosedDaysAdded> {
    if !command.dry_run {
        tx.hold_calendars()?;
    }
    let network = tx.network()?;
    let unit = network
        .units()
        .by_code(&command.code)
        .ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.id, &network)?;
    let days = command.days.as_ref();
    let days = days.map_err(|reason| UseCaseError::field("text", reason.clone()))?;
    let today = network.local_day(tx.now());
    let (new, mut outcome) = sort_out(command, days, unit, today)?;
    let within = |day: NaiveDate| new.iter().any(|range| (range.first..=range.last).contains(&day));
    let affected = if command.dry_run || new.is_empty() {
        due_on(tx, unit.id, &network, &within)?
    } else {
        let rows: Vec<(i64, ClosedRange)> = new.iter().map(|range| (ids.next(), range.clone())).collect();
        tx.insert_closed_days(unit.id, &rows)?;
        let after = tx.network()?;
        let affected = move_due_dates(tx, unit.id, &after)?;
        let event = Event::new(EventKind::UnitChanged, tx.now(), unit.id, caller.channel().code())
            .by(caller.staff(), caller.device())
            .detail(json!({"changed": "closed_days", "added": new.len(), "moved_loans": affected.count}));
        tx.append_event(ids.next(), &event)?;
        affected
    };
    outcome.affected_loans = affected.count;
    outcome.loans = affected.loans;
    Ok(outcome)
}

/// What is new, what is there, and what lies behind.
fn sort_out(
    command: &AddClosedDays,
    days: &[Closed],
    unit: &Unit,
    today: NaiveDate,
) -> Result<(Vec<ClosedRange>, ClosedDaysAdded)> {
    let mut wrong = Wrong::default();
    let mut new: Vec<ClosedRange> = Vec::new();
    let (mut already_there, mut past) = (0, 0);
    for (first, last, reason) in days {
        let same = |range: &ClosedRange| range.first == *first && range.last == *last;
        if last < first {
            wrong.say("closed_days", format!("{first} to {last} ends before it begins"));
        } else if unit.closed.iter().any(same) || new.iter().any(same) {
            already_there += 1;
        } else if *last < today && command.skip_past {
            past += 1;
        } else if *first < today && !command.skip_past {
            wrong.say("closed_days", format!("{first} lies behind: what was due then was due"));
        } else {
            new.push(ClosedRange {
                first: *first,
                last: *last,
                reason: reason.clone(),
            });
        }
    }
    if unit.closed.len() + new.len() > MOST {
        wrong.say("closed_days", format!("a unit has at most {MOST} of them"));
    }
    wrong.check()?;
    let view = |range: &ClosedRange| ClosedDaysView {
        first: range.first,
        last: range.last,
        reason: range.reason.clone(),
    };
    let outcome = ClosedDaysAdded {
        dry_run: command.dry_run,
        added: new.iter().map(view).collect(),
        already_there,
        past,
        affected_loans: 0,
        loans: Vec::new(),
    };
    Ok((new, outcome))
}

impl Outcome for ClosedDaysAdded {}
