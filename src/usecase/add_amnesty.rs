//! Amnesties (免逾期): days that count for nobody as overdue, at a unit and everything below it. They may lie behind: what is not
//! returned yet is judged when it is.

use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::dated::Amnesty;
use crate::domain::event::EventKind;
use crate::domain::unit::Unit;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Most amnesties of one unit.
const MOST: usize = 200;

/// Most days of one amnesty.
const MOST_DAYS: i64 = 366;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct AddAmnesty {
    pub code: String,
    pub first: NaiveDate,
    pub last: NaiveDate,
    pub reason: String,
}

/// Days that count for nobody as overdue, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AmnestyView {
    pub id: i64,
    /// The unit that has it; it counts for everything below, too.
    #[schema(example = "M01")]
    pub unit_code: String,
    /// The first day.
    pub first: NaiveDate,
    /// The last day.
    pub last: NaiveDate,
    #[schema(example = "世界读书日免逾期")]
    pub reason: String,
}

/// Adds an amnesty.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; `Invalid` for days that are none; a failure of the store.
pub async fn add_amnesty(
    store: &Arc<Store>,
    caller: &Caller,
    command: AddAmnesty,
    key: Option<IdempotencyKey>,
) -> Result<Once<AmnestyView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    once(store, caller, key, 2, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &AddAmnesty, mut ids: IdRun) -> Result<AmnestyView> {
    let network = tx.lock_network()?;
    let unit = network
        .units()
        .by_code(&command.code)
        .ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.id, &network)?;
    check(command, unit)?;
    let id = ids.next();
    let (first, last, reason) = (command.first, command.last, command.reason.clone());
    tx.insert_amnesty(id, unit.id, &Amnesty { first, last, reason })?;
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit.id, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "amnesties", "added": 1, "first": first, "last": last}));
    tx.append_event(ids.next(), &event)?;
    Ok(AmnestyView {
        id,
        unit_code: unit.code.clone(),
        first,
        last,
        reason: command.reason.clone(),
    })
}

fn check(command: &AddAmnesty, unit: &Unit) -> Result<()> {
    let AddAmnesty { first, last, .. } = command;
    let own = &unit.dated.amnesties;
    if last < first {
        return Err(UseCaseError::field(
            "last",
            format!("{last} lies before the first day, {first}"),
        ));
    }
    if (*last - *first).num_days() >= MOST_DAYS {
        let reason =
            format!("{first} to {last} is more than {MOST_DAYS} days: let the rules say that nothing is overdue");
        return Err(UseCaseError::field("last", reason));
    }
    if own.iter().any(|other| other.first == *first && other.last == *last) {
        return Err(UseCaseError::field(
            "first",
            "the unit has an amnesty of exactly these days",
        ));
    }
    if own.len() >= MOST {
        return Err(UseCaseError::field(
            "first",
            format!("a unit has at most {MOST} amnesties"),
        ));
    }
    Ok(())
}

impl Outcome for AmnestyView {}
