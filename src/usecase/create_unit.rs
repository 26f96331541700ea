//! A new unit under an existing one, with its own hours, closed days, collections and membership.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::json;

use super::named::Wrong;
use super::once::once;
use super::unit_view::UnitView;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::calendar::{ClosedRange, OpenSpan, WeeklyHours};
use crate::domain::event::EventKind;
use crate::domain::ids::{CollectionId, ItemTypeId, UnitId};
use crate::domain::item::ReturnPolicy;
use crate::domain::membership::{Joined, Membership};
use crate::domain::network::{Collection, Network};
use crate::domain::unit::{Unit, UnitKind};
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// The longest code, in characters.
pub const MAX_CODE: usize = 32;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CreateUnit {
    pub code: String,
    pub name: String,
    pub kind: String,
    pub parent_code: String,
    pub lends: bool,
    pub pickup_point: bool,
    pub adult_only: bool,
    pub always_open: bool,
    /// A vehicle: a point that lends at its stops.
    pub mobile: bool,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    /// Seven lists, Monday first.
    pub hours: Option<Vec<Vec<OpenSpan>>>,
    pub closed_days: Vec<(NaiveDate, NaiveDate, String)>,
    /// Item type (`None` is every type) and what is joined for it.
    pub membership: Vec<(Option<String>, Joined)>,
    /// Code, name and return policy (`None`: as the unit).
    pub collections: Vec<(String, String, Option<ReturnPolicy>)>,
}

/// Creates a unit.
///
/// # Errors
/// `Invalid` naming every wrong field; `Forbidden` outside the caller's subtree; a failure of the store.
pub async fn create_unit(
    store: &Arc<Store>,
    caller: &Caller,
    command: CreateUnit,
    key: Option<IdempotencyKey>,
) -> Result<Once<UnitView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    let count = 2 + command.closed_days.len() + command.membership.len() + command.collections.len();
    let ids = i64::try_from(count).unwrap_or(i64::MAX);
    once(store, caller, key, ids, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &CreateUnit, mut ids: IdRun) -> Result<UnitView> {
    let network = tx.lock_network()?;
    let id = UnitId::new(ids.next());
    if let Some(parent) = network.units().by_code(&command.parent_code) {
        caller.require(Right::ManageUnits, parent.id, &network)?;
    }
    let Checked { unit, parent } = check(command, &network, id)?;
    let memberships = memberships(command, &network, id)?;
    tx.insert_unit(&unit, &mut || ids.next())?;
    for membership in &memberships {
        tx.insert_membership(ids.next(), membership)?;
    }
    for (code, name, return_policy) in &command.collections {
        let (code, name) = (code.clone(), name.clone());
        let row = Collection {
            id: CollectionId::new(ids.next()),
            unit: id,
            code,
            name,
            return_policy: *return_policy,
        };
        tx.insert_collection(&row)?;
    }
    let event = Event::new(EventKind::UnitCreated, tx.now(), id, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"code": unit.code, "kind": unit.kind.code(), "parent_unit_id": parent}));
    tx.append_event(ids.next(), &event)?;
    Ok(UnitView::of(&unit, &network))
}

struct Checked {
    unit: Unit,
    parent: UnitId,
}

fn check(command: &CreateUnit, network: &Network, id: UnitId) -> Result<Checked> {
    let mut wrong = Wrong::default();
    check_code(command, network, &mut wrong);
    check_place(command.latitude, command.longitude, &mut wrong);
    check_collections(command, &mut wrong);
    if command.kind != UnitKind::Point.code() && command.mobile {
        wrong.say("mobile", "goes with the kind point only");
    }
    check_mobile(command.mobile, command.always_open, &mut wrong);
    let stands = stands_under(command, network, &mut wrong);
    let hours = week_of(command.hours.clone(), &mut wrong);
    let closed = closed(command, &mut wrong);
    if hours
        .as_ref()
        .is_some_and(|hours| hours.days().iter().all(Vec::is_empty))
    {
        wrong.say(
            "hours",
            "must be open on one day of the week, or absent: those of the unit above",
        );
    }
    wrong.check()?;
    let (kind, parent) = stands.ok_or(UseCaseError::NotFound("unit"))?;
    let unit = Unit {
        id,
        code: command.code.clone(),
        name: command.name.clone(),
        kind,
        parent: Some(parent.id),
        path: Unit::path_under(Some(parent), id),
        active: true,
        lends: command.lends,
        pickup_point: command.pickup_point,
        adult_only: command.adult_only,
        latitude: command.latitude,
        longitude: command.longitude,
        always_open: command.always_open,
        hours,
        closed,
        return_policy: None,
        mobile: command.mobile,
        stops: Vec::new(),
        dated: crate::domain::dated::Dated::default(),
    };
    Ok(Checked {
        unit,
        parent: parent.id,
    })
}

fn check_code(command: &CreateUnit, network: &Network, wrong: &mut Wrong) {
    if !is_code(&command.code) {
        let reason = format!("must be 1 to {MAX_CODE} letters, digits, hyphens or underscores (ASCII)");
        wrong.say("code", reason);
    } else if network.units().by_code(&command.code).is_some() {
        wrong.say("code", "another unit has this code");
    }
}

fn stands_under<'n>(command: &CreateUnit, network: &'n Network, wrong: &mut Wrong) -> Option<(UnitKind, &'n Unit)> {
    let kind = kind_of(command, wrong);
    let parent = wrong.unit(network, "parent_code", &command.parent_code);
    let (kind, parent) = kind.zip(parent)?;
    if !kind.allowed_parents().contains(&parent.kind) {
        let allowed: Vec<&str> = kind.allowed_parents().iter().map(|kind| kind.code()).collect();
        let reason = format!("a {} stands under: {}", kind.code(), allowed.join(", "));
        wrong.say("parent_code", reason);
    }
    Some((kind, parent))
}

/// A code that fits into URLs and rules as it stands.
pub(super) fn is_code(code: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=MAX_CODE).contains(&code.len()) && code.chars().all(fits)
}

fn kind_of(command: &CreateUnit, wrong: &mut Wrong) -> Option<UnitKind> {
    let kind = UnitKind::from_code(&command.kind).filter(|kind| *kind != UnitKind::Network);
    if kind.is_none() {
        wrong.say("kind", "must be central, main, branch or point");
    }
    kind
}

/// Degrees on this planet; both or none.
pub(super) fn check_place(latitude: Option<f64>, longitude: Option<f64>, wrong: &mut Wrong) {
    if latitude.is_some_and(|degrees| !(-90.0..=90.0).contains(&degrees)) {
        wrong.say("latitude", "must be between -90 and 90 degrees");
    }
    if longitude.is_some_and(|degrees| !(-180.0..=180.0).contains(&degrees)) {
        wrong.say("longitude", "must be between -180 and 180 degrees");
    }
    match (latitude, longitude) {
        (Some(_), None) => wrong.say("longitude", "is needed with latitude"),
        (None, Some(_)) => wrong.say("latitude", "is needed with longitude"),
        _ => {}
    }
}

/// A machine is always open where it is; a vehicle where it stands.
pub(super) fn check_mobile(mobile: bool, always_open: bool, wrong: &mut Wrong) {
    if mobile && always_open {
        wrong.say("mobile", "does not go with always_open: a vehicle is open at its stops");
    }
}

fn check_collections(command: &CreateUnit, wrong: &mut Wrong) {
    let mut seen = std::collections::HashSet::new();
    for (code, _, _) in &command.collections {
        if !is_code(code) {
            wrong.say(
                "collections",
                format!("'{code}' is not a code of 1 to {MAX_CODE} ASCII letters and digits"),
            );
        }
        if !seen.insert(code) {
            wrong.say("collections", format!("'{code}' is listed twice"));
        }
    }
}

/// The hours of a week, Monday first.
pub(super) fn week_of(days: Option<Vec<Vec<OpenSpan>>>, wrong: &mut Wrong) -> Option<WeeklyHours> {
    let Ok(days) = <[Vec<OpenSpan>; 7]>::try_from(days?) else {
        wrong.say("hours", "must be seven lists, Monday first");
        return None;
    };
    if !days.iter().flatten().all(is_whole) {
        wrong.say("hours", "must be whole minutes (or 23:59:59, the end of the day)");
    }
    match WeeklyHours::new(days) {
        Ok(hours) => Some(hours),
        Err(error) => {
            wrong.say("hours", error.to_string());
            None
        }
    }
}

/// The database keeps whole minutes; 23:59:59 stands for the end of the day.
pub(super) fn is_whole(span: &OpenSpan) -> bool {
    use chrono::Timelike;
    let whole = |time: chrono::NaiveTime| {
        time.nanosecond() == 0 && (time.second() == 0 || time.num_seconds_from_midnight() == 86_399)
    };
    whole(span.opens) && whole(span.closes)
}

fn closed(command: &CreateUnit, wrong: &mut Wrong) -> Vec<ClosedRange> {
    let range = |(first, last, reason): &(NaiveDate, NaiveDate, String)| {
        if last < first {
            wrong.say("closed_days", format!("{first} to {last} ends before it begins"));
        }
        ClosedRange {
            first: *first,
            last: *last,
            reason: reason.clone(),
        }
    };
    command.closed_days.iter().map(range).collect()
}

fn memberships(command: &CreateUnit, network: &Network, unit: UnitId) -> Result<Vec<Membership>> {
    let mut wrong = Wrong::default();
    let mut seen: std::collections::HashSet<Option<ItemTypeId>> = std::collections::HashSet::new();
    let mut rows = Vec::with_capacity(command.membership.len());
    for (code, joined) in &command.membership {
        let item_type = match code {
            None => None,
            Some(code) => wrong.item_type(network, "membership", code).map(|found| found.id),
        };
        if !seen.insert(item_type) && (code.is_none() || item_type.is_some()) {
            wrong.say("membership", "an item type is listed twice");
        }
        rows.push(Membership {
            unit,
            item_type,
            joined: *joined,
        });
    }
    wrong.check()?;
    Ok(rows)
}

impl Outcome for UnitView {}
