//! A unit's weekly hours, replaced whole; open loans that were due on a weekday closed by now move to the next open day. A dry run
//! says which, and is only a read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::calendar_walk::walk_after;
use super::create_unit::week_of;
use super::due_moves::{AffectedLoan, DueMoves, preview, require_open_days};
use super::named::Wrong;
use super::once::once;
use super::unit_view::UnitDetail;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::calendar::{OpenSpan, WeeklyHours};
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::store::calendar_changes::ChangeKind;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetUnitHours {
    pub code: String,
    /// Seven lists, Monday first; `None`: those of the nearest unit above that has any.
    pub hours: Option<Vec<Vec<OpenSpan>>>,
    pub dry_run: bool,
}

/// A unit with its new hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HoursSet {
    /// True: nothing was changed.
    #[serde(default)]
    pub dry_run: bool,
    /// The unit with its new hours; of a dry run, as it is.
    pub unit: UnitDetail,
    /// Open loans due, by rule, on a day closed by now that have moved to the next open day; of a dry run, that would move.
    #[schema(example = 1)]
    pub moved_loans: u64,
    /// The first 100 of them.
    pub loans: Vec<AffectedLoan>,
    /// How far the moving is, which goes on by itself; null for a dry run.
    #[serde(default)]
    pub moves: Option<DueMoves>,
}

/// Sets a unit's hours.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; `Invalid` for hours that are none, or that leave a unit without an open day
/// in a year; a failure of the store.
pub async fn set_unit_hours(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetUnitHours,
    key: Option<IdempotencyKey>,
) -> Result<Once<HoursSet>> {
    caller.require_somewhere(Right::ManageUnits)?;
    if command.dry_run {
        let value = rehearse(store, caller, command).await?;
        return Ok(Once { value, replayed: false });
    }
    let mut done = once(store, caller, key, 2, command, apply).await?;
    if let Some(moves) = &done.value.moves
        && let Some((moves, loans)) = walk_after(store, moves.change_id).await
    {
        done.value.moved_loans = u64::try_from(moves.moved_loans).unwrap_or(0);
        (done.value.moves, done.value.loans) = (Some(moves), loans);
    }
    Ok(done)
}

/// What it would do, by a read.
async fn rehearse(store: &Arc<Store>, caller: &Caller, command: SetUnitHours) -> Result<HoursSet> {
    let caller = caller.clone();
    let (id, unit, after) = store
        .read(move |tx| -> Result<_> {
            let network = tx.network()?;
            let (id, hours) = check(tx, &caller, &command, &network)?;
            let after = network.with_unit(id, |unit| unit.hours = hours);
            let unit = network.unit(id).ok_or(UseCaseError::NotFound("unit"))?;
            Ok((id, UnitDetail::of(unit, &network), after))
        })
        .await?;
    let affected = preview(store, after, id, None).await?;
    Ok(HoursSet {
        dry_run: true,
        unit,
        moved_loans: affected.loans,
        loans: affected.listed,
        moves: None,
    })
}

/// Which unit gets which hours, if it can have them.
fn check(
    tx: &mut ReadTx<'_>,
    caller: &Caller,
    command: &SetUnitHours,
    network: &Network,
) -> Result<(UnitId, Option<WeeklyHours>)> {
    let unit = network
        .units()
        .by_code(&command.code)
        .ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.id, network)?;
    let mut wrong = Wrong::default();
    let hours = week_of(command.hours.clone(), &mut wrong);
    if unit.parent.is_none() && hours.is_none() {
        wrong.say(
            "hours",
            "the root of the network must have hours: everything below inherits them",
        );
    }
    wrong.check()?;
    let after = network.with_unit(unit.id, |unit| unit.hours.clone_from(&hours));
    require_open_days(network, &after, unit.id, tx.now(), "hours")?;
    Ok((unit.id, hours))
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &SetUnitHours, mut ids: IdRun) -> Result<HoursSet> {
    tx.hold_calendars()?;
    let network = tx.lock_network()?;
    let (unit, hours) = check(tx, caller, command, &network)?;
    tx.replace_hours(unit, hours.as_ref())?;
    let change = ids.next();
    tx.insert_change(change, ChangeKind::Hours, unit)?;
    let after = tx.network()?;
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "hours", "change_id": change}));
    tx.append_event(ids.next(), &event)?;
    let changed = after.unit(unit).ok_or(UseCaseError::NotFound("unit"))?;
    Ok(HoursSet {
        dry_run: false,
        unit: UnitDetail::of(changed, &after),
        moved_loans: 0,
        loans: Vec::new(),
        moves: Some(DueMoves::begun(change)),
    })
}

impl Outcome for HoursSet {}
