//! Days on which a unit and everything below it is closed. A dry run, which is only a read, says which open loans are due on them;
//! done in earnest, those due dates move to the next open day.

use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::calendar_walk::walk_after;
use super::due_moves::{AffectedLoan, DueMoves, preview, require_open_days};
use super::named::Wrong;
use super::once::once;
use super::unit_view::ClosedDaysView;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::calendar::ClosedRange;
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::unit::Unit;
use crate::store::calendar_changes::ChangeKind;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// Most ranges a unit may have at once.
const MOST: usize = 2_000;

/// First day, last day, reason.
pub type Closed = (NaiveDate, NaiveDate, String);

/// The days to close: read already, or why a file could not be read, which only somebody with the right is told.
pub type Closures = std::result::Result<Vec<Closed>, String>;

/// Why a machine has no days of its own.
pub(super) const MACHINE: &str =
    "a 24-hour machine has its parent's calendar; when it breaks down, close it with closeUnits";

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
    /// Open loans due on the new days by rule that have moved to the next open day; of a dry run, that would move.
    #[schema(example = 1)]
    pub affected_loans: u64,
    /// The first 100 of them.
    pub loans: Vec<AffectedLoan>,
    /// How far the moving is, which goes on by itself; null when there is none.
    #[serde(default)]
    pub moves: Option<DueMoves>,
}

/// Adds closed days.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; `Invalid` for ranges that are none, or that leave a unit without an
/// open day in a year; a failure of the store.
pub async fn add_closed_days(
    store: &Arc<Store>,
    caller: &Caller,
    command: AddClosedDays,
    key: Option<IdempotencyKey>,
) -> Result<Once<ClosedDaysAdded>> {
    caller.require_somewhere(Right::ManageUnits)?;
    if command.dry_run {
        let value = rehearse(store, caller, command).await?;
        return Ok(Once { value, replayed: false });
    }
    let days = command.days.as_ref().map_or(0, Vec::len);
    let count = 2 + i64::try_from(days).unwrap_or(i64::MAX - 2);
    let mut done = once(store, caller, key, count, command, apply).await?;
    if let Some(moves) = &done.value.moves
        && let Some((moves, loans)) = walk_after(store, moves.change_id).await
    {
        done.value.affected_loans = u64::try_from(moves.moved_loans).unwrap_or(0);
        (done.value.moves, done.value.loans) = (Some(moves), loans);
    }
    Ok(done)
}

/// What it would do, by a read.
async fn rehearse(store: &Arc<Store>, caller: &Caller, command: AddClosedDays) -> Result<ClosedDaysAdded> {
    let caller = caller.clone();
    let (mut outcome, unit, after) = store
        .read(move |tx| -> Result<_> {
            let network = tx.network()?;
            let (unit, new, outcome) = check(tx, &caller, &command, &network)?;
            let after = network.with_unit(unit, |unit| unit.closed.extend(new));
            Ok((outcome, unit, after))
        })
        .await?;
    if !outcome.added.is_empty() {
        let affected = preview(store, after, unit, None).await?;
        (outcome.affected_loans, outcome.loans) = (affected.loans, affected.listed);
    }
    Ok(outcome)
}

/// Which unit is closed on which new days, if it can be.
fn check(
    tx: &mut ReadTx<'_>,
    caller: &Caller,
    command: &AddClosedDays,
    network: &Network,
) -> Result<(UnitId, Vec<ClosedRange>, ClosedDaysAdded)> {
    let unit = network
        .units()
        .by_code(&command.code)
        .ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.id, network)?;
    let now = tx.now();
    let days = command.days.as_ref();
    let days = days.map_err(|reason| UseCaseError::field("text", reason.clone()))?;
    let (new, outcome) = sort_out(command, days, unit, network.local_day(now))?;
    let after = network.with_unit(unit.id, |unit| unit.closed.extend(new.iter().cloned()));
    require_open_days(network, &after, unit.id, now, "closed_days")?;
    Ok((unit.id, new, outcome))
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &AddClosedDays, mut ids: IdRun) -> Result<ClosedDaysAdded> {
    tx.hold_calendars()?;
    let network = tx.lock_network()?;
    let (unit, new, mut outcome) = check(tx, caller, command, &network)?;
    if new.is_empty() {
        return Ok(outcome);
    }
    let rows: Vec<(i64, ClosedRange)> = new.into_iter().map(|range| (ids.next(), range)).collect();
    tx.insert_closed_days(unit, &rows)?;
    let change = ids.next();
    tx.insert_change(change, ChangeKind::ClosedDays, unit)?;
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "closed_days", "added": rows.len(), "change_id": change}));
    tx.append_event(ids.next(), &event)?;
    outcome.moves = Some(DueMoves::begun(change));
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
    if unit.always_open && !new.is_empty() {
        wrong.say("closed_days", MACHINE);
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
        moves: None,
    };
    Ok((new, outcome))
}

impl Outcome for ClosedDaysAdded {}
