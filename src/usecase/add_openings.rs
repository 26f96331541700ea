//! Exceptional openings: days on which a unit and everything below it opens at hours of its own, whatever its weekly hours and the
//! closed days above say. Due dates stay: nobody is asked for a book earlier.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::json;

use super::add_closed_days::MACHINE;
use super::create_unit::is_whole;
use super::named::Wrong;
use super::once::once;
use super::unit_view::UnitDetail;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::calendar::OpenSpan;
use crate::domain::dated::{Opening, fault_of};
use crate::domain::event::EventKind;
use crate::domain::unit::Unit;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Most openings a unit may have at once.
const MOST: usize = 400;

/// Most days of one opening.
const MOST_DAYS: i64 = 366;

/// One opening that is asked for.
#[derive(Debug, Clone)]
pub struct NewOpening {
    pub first: NaiveDate,
    pub last: NaiveDate,
    pub spans: Vec<OpenSpan>,
    pub reason: String,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct AddOpenings {
    pub code: String,
    pub openings: Vec<NewOpening>,
}

/// Adds exceptional openings.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; `Invalid` for openings that are none; a failure of the store.
pub async fn add_openings(
    store: &Arc<Store>,
    caller: &Caller,
    command: AddOpenings,
    key: Option<IdempotencyKey>,
) -> Result<Once<UnitDetail>> {
    caller.require_somewhere(Right::ManageUnits)?;
    let count = 1 + i64::try_from(command.openings.len()).unwrap_or(i64::MAX - 1);
    once(store, caller, key, count, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &AddOpenings, mut ids: IdRun) -> Result<UnitDetail> {
    let network = tx.lock_network()?;
    let unit = network
        .units()
        .by_code(&command.code)
        .ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.id, &network)?;
    let new = checked(command, unit, network.local_day(tx.now()))?;
    let rows: Vec<(i64, Opening)> = new.into_iter().map(|opening| (ids.next(), opening)).collect();
    tx.insert_openings(unit.id, &rows)?;
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit.id, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "openings", "added": rows.len()}));
    tx.append_event(ids.next(), &event)?;
    let after = tx.network()?;
    let changed = after.unit(unit.id).ok_or(UseCaseError::NotFound("unit"))?;
    Ok(UnitDetail::of(changed, &after))
}

fn checked(command: &AddOpenings, unit: &Unit, today: NaiveDate) -> Result<Vec<Opening>> {
    let mut wrong = Wrong::default();
    let mut new: Vec<Opening> = Vec::new();
    for asked in &command.openings {
        let (first, last) = (asked.first, asked.last);
        let meets = |other: &Opening| first <= other.last && other.first <= last;
        let fault = if last < first {
            Some(format!("{first} to {last} ends before it begins"))
        } else if first < today {
            Some(format!("{first} lies behind: what was closed was closed"))
        } else if (last - first).num_days() >= MOST_DAYS {
            Some(format!(
                "{first} to {last} is more than {MOST_DAYS} days: change the weekly hours"
            ))
        } else if asked.spans.is_empty() {
            Some(format!("{first}: has no hours; to close, add closed days"))
        } else if !asked.spans.iter().all(is_whole) {
            Some(format!(
                "{first}: hours must be whole minutes (or 23:59:59, the end of the day)"
            ))
        } else if unit.dated.openings.iter().chain(&new).any(meets) {
            Some(format!(
                "{first} to {last} meets another opening of this unit: remove that first"
            ))
        } else {
            fault_of(&asked.spans).map(|fault| format!("{first}: {fault}"))
        };
        if let Some(fault) = fault {
            wrong.say("openings", fault);
            continue;
        }
        new.push(Opening {
            first,
            last,
            spans: asked.spans.clone(),
            reason: asked.reason.clone(),
        });
    }
    if unit.always_open {
        wrong.say("openings", MACHINE);
    }
    if unit.dated.openings.len() + new.len() > MOST {
        wrong.say("openings", format!("a unit has at most {MOST} of them"));
    }
    wrong.check()?;
    Ok(new)
}
