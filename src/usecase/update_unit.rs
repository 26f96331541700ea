//! What may change of a unit: its name, what it does, where it stands. Not for: its place in the tree (see `move_unit`), or its
//! code, which rules and devices name.

use std::sync::Arc;

use serde_json::json;

use super::create_unit::{check_mobile, check_place};
use super::due_moves::require_open_days;
use super::named::Wrong;
use super::once::once;
use super::unit_view::UnitView;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::timetable::Route;
use crate::domain::unit::UnitKind;
use crate::store::calendar_changes::ChangeKind;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::unit_counts::MOST_COUNTED;
use crate::store::{Once, Store};

/// What is asked for; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateUnit {
    pub code: String,
    pub name: Option<String>,
    pub active: Option<bool>,
    pub lends: Option<bool>,
    pub pickup_point: Option<bool>,
    pub adult_only: Option<bool>,
    pub always_open: Option<bool>,
    pub mobile: Option<bool>,
    /// Degrees, WGS 84; both or none.
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
}

/// Changes a unit.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; `Invalid` naming every wrong field; `State` when it is to close for good
/// and copies, holds, crates or routes hang on it; a failure of the store.
pub async fn update_unit(
    store: &Arc<Store>,
    caller: &Caller,
    command: UpdateUnit,
    key: Option<IdempotencyKey>,
) -> Result<Once<UnitView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    if command.active == Some(false) {
        let (who, code) = (caller.clone(), command.code.clone());
        // Counting reads much: before the write, which others wait for.
        store.read(move |tx| may_close(tx, &who, &code)).await?;
    }
    once(store, caller, key, 2, command, apply).await
}

/// A unit closes for good when nothing waits there, goes there or belongs there any more: nobody would be there to take it.
fn may_close(tx: &mut ReadTx<'_>, caller: &Caller, code: &str) -> Result<()> {
    let network = tx.network()?;
    let unit = network.units().by_code(code).ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.id, &network)?;
    if !unit.active || unit.parent.is_none() {
        return Ok(());
    }
    let ties = tx.unit_ties(unit.id)?;
    let served = |route: &Route| route.active && route.stops.iter().any(|stop| stop.unit == unit.id);
    let routes = tx.routes()?.iter().filter(|route| served(route)).count();
    let counted = [
        ("copies at home there", ties.at_home),
        ("copies floating there", ties.floating),
        ("deposits from or to it", ties.deposits),
        ("holds to be picked up there", ties.holds),
        ("journeys there", ties.journeys),
        ("crates that stand there or go there", ties.crates),
        ("routes that stop there", routes),
    ];
    let most = usize::try_from(MOST_COUNTED).unwrap_or(usize::MAX);
    let told = counted.iter().filter(|(_, count)| *count > 0).map(|(what, count)| {
        let more = if *count >= most { " or more" } else { "" };
        format!("{what}: {count}{more}")
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        return Ok(());
    }
    let reason = format!("unit {code} cannot close for good while it has {}", told.join("; "));
    Err(UseCaseError::State(reason))
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &UpdateUnit, mut ids: IdRun) -> Result<UnitView> {
    if command.always_open.is_some() || command.mobile.is_some() {
        tx.hold_calendars()?;
    }
    let network = tx.lock_network()?;
    let before = network
        .units()
        .by_code(&command.code)
        .ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, before.id, &network)?;
    let mut wrong = Wrong::default();
    check_place(command.latitude, command.longitude, &mut wrong);
    if before.parent.is_none() && command.active == Some(false) {
        wrong.say("active", "the root of the network stays active");
    }
    let mobile = command.mobile.unwrap_or(before.mobile);
    if mobile && before.kind != UnitKind::Point {
        wrong.say("mobile", "goes with the kind point only");
    }
    check_mobile(mobile, command.always_open.unwrap_or(before.always_open), &mut wrong);
    wrong.check()?;
    let mut unit = before.clone();
    unit.name = command.name.clone().unwrap_or(unit.name);
    unit.active = command.active.unwrap_or(unit.active);
    unit.lends = command.lends.unwrap_or(unit.lends);
    unit.pickup_point = command.pickup_point.unwrap_or(unit.pickup_point);
    unit.adult_only = command.adult_only.unwrap_or(unit.adult_only);
    unit.always_open = command.always_open.unwrap_or(unit.always_open);
    unit.mobile = command.mobile.unwrap_or(unit.mobile);
    unit.latitude = command.latitude.or(unit.latitude);
    unit.longitude = command.longitude.or(unit.longitude);
    if (unit.always_open, unit.mobile) != (before.always_open, before.mobile) {
        // A machine has its parent's days, a vehicle those of its stops: what is due by the other calendar moves, by the job.
        let after = network.with_unit(unit.id, |other| {
            (other.always_open, other.mobile) = (unit.always_open, unit.mobile);
        });
        require_open_days(&network, &after, unit.id, tx.now(), "always_open")?;
        tx.insert_change(ids.next(), ChangeKind::Unit, unit.id)?;
    }
    tx.update_unit(&unit)?;
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit.id, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(
            json!({"changed": "unit", "active": unit.active, "lends": unit.lends, "pickup_point": unit.pickup_point,
            "adult_only": unit.adult_only, "always_open": unit.always_open,
            "mobile": unit.mobile}),
        );
    tx.append_event(ids.next(), &event)?;
    Ok(UnitView::of(&unit, &network))
}
