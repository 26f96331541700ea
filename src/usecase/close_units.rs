//! An emergency closing: a unit and everything below it is closed on some days, from now on and whatever its calendar says. What was
//! due then moves, hold shelves wait longer, and all of it is remembered for the undoing. A dry run is only a read.

use std::sync::Arc;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::calendar_walk::walk_after;
use super::due_moves::{AffectedLoan, preview, require_open_days};
use super::list_closings::ClosingView;
use super::named::Wrong;
use super::once::once;
use super::undo_closing::look;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::dated::EmergencyClosing;
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// Most days ahead that a closing may reach: what is further away is no emergency.
const MOST_DAYS: u64 = 400;

/// Most closings of one unit that have not passed.
const MOST: usize = 100;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CloseUnits {
    pub unit_code: String,
    pub first: NaiveDate,
    pub last: NaiveDate,
    pub reason: String,
    pub dry_run: bool,
}

/// What a closing did so far, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnitsClosed {
    /// True: nothing was changed.
    #[schema(example = false)]
    pub dry_run: bool,
    /// The closing; null for a dry run.
    pub closing: Option<ClosingView>,
    /// Open loans, due by rule on a closed day, that have moved; of a dry run, that would move.
    #[schema(example = 1_320)]
    pub affected_loans: u64,
    /// Copies on hold shelves that stay longer.
    #[schema(example = 17)]
    pub affected_holds: u64,
    /// The first 100 of the loans.
    pub loans: Vec<AffectedLoan>,
}

/// Closes a unit and everything below it.
///
/// # Errors
/// `Forbidden` outside the caller's subtree; `Invalid` naming an unknown unit or days that cannot be; a failure of the store.
pub async fn close_units(
    store: &Arc<Store>,
    caller: &Caller,
    command: CloseUnits,
    key: Option<IdempotencyKey>,
) -> Result<Once<UnitsClosed>> {
    caller.require_somewhere(Right::ManageUnits)?;
    if command.dry_run {
        let value = rehearse(store, caller, command).await?;
        return Ok(Once { value, replayed: false });
    }
    let mut done = once(store, caller, key, 2, command, apply).await?;
    let id = done.value.closing.as_ref().map(|closing| closing.id);
    if let Some(id) = id
        && let Some((moves, loans)) = walk_after(store, id).await
    {
        done.value.affected_loans = u64::try_from(moves.moved_loans).unwrap_or(0);
        done.value.affected_holds = u64::try_from(moves.moved_holds).unwrap_or(0);
        done.value.loans = loans;
        done.value.closing = Some(store.read(move |tx| look(tx, id)).await?);
    }
    Ok(done)
}

/// Later than any that was declared.
const NOT_YET: i64 = i64::MAX - 1;

async fn rehearse(store: &Arc<Store>, caller: &Caller, command: CloseUnits) -> Result<UnitsClosed> {
    let caller = caller.clone();
    let (unit, after) = store
        .read(move |tx| {
            let network = tx.network()?;
            check(tx, &caller, &command, &network)
        })
        .await?;
    let affected = preview(store, after, unit, Some(NOT_YET)).await?;
    Ok(UnitsClosed {
        dry_run: true,
        closing: None,
        affected_loans: affected.loans,
        affected_holds: affected.holds,
        loans: affected.listed,
    })
}

/// The unit, and the network as it would be.
fn check(tx: &mut ReadTx<'_>, caller: &Caller, command: &CloseUnits, network: &Network) -> Result<(UnitId, Network)> {
    let mut wrong = Wrong::default();
    let unit = wrong.unit(network, "unit_code", &command.unit_code);
    if let Some(unit) = unit {
        caller.require(Right::ManageUnits, unit.id, network)?;
    }
    let (now, first, last) = (tx.now(), command.first, command.last);
    let today = network.local_day(now);
    if first < today {
        wrong.say(
            "first",
            format!("{first} lies behind: what was due then was due; today is {today}"),
        );
    }
    if last < first {
        wrong.say("last", format!("{last} lies before the first day, {first}"));
    }
    if today
        .checked_add_days(Days::new(MOST_DAYS))
        .is_none_or(|most| last > most)
    {
        wrong.say("last", format!("must lie within {MOST_DAYS} days from today"));
    }
    let ahead = unit.map_or(0, |unit| {
        let closings = &unit.dated.closings;
        closings.iter().filter(|closing| closing.last >= today).count()
    });
    if ahead >= MOST {
        wrong.say(
            "unit_code",
            format!("has {MOST} closings that have not passed: undo some"),
        );
    }
    wrong.check()?;
    let unit = unit.ok_or(UseCaseError::NotFound("unit"))?;
    let after = network.with_unit(unit.id, |unit| {
        unit.dated.closings.push(EmergencyClosing {
            id: NOT_YET,
            first,
            last,
            reason: command.reason.clone(),
        });
    });
    require_open_days(network, &after, unit.id, now, "last")?;
    Ok((unit.id, after))
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &CloseUnits, mut ids: IdRun) -> Result<UnitsClosed> {
    tx.hold_calendars()?;
    let network = tx.lock_network()?;
    let (unit, _) = check(tx, caller, command, &network)?;
    let id = ids.next();
    tx.insert_closing(id, unit, (command.first, command.last), &command.reason)?;
    let detail = json!({"changed": "closings", "change_id": id, "first": command.first, "last": command.last,
        "reason": command.reason});
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(detail);
    tx.append_event(ids.next(), &event)?;
    let row = tx.calendar_change(id)?.ok_or(UseCaseError::NotFound("closing"))?;
    Ok(UnitsClosed {
        dry_run: false,
        closing: Some(ClosingView::of(&row, &network)?),
        affected_loans: 0,
        affected_holds: 0,
        loans: Vec::new(),
    })
}

impl Outcome for UnitsClosed {}
