//! What a unit sends to readers elsewhere, how soon it answers, and what transport from it costs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::content_version::must_be_seen;
use super::named::Wrong;
use super::once::once;
use super::page::{Page, PageRequest};
use super::view::unit_code;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::sending::UnitSending;
use crate::domain::unit::Unit;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

const MAX_COST: u32 = 1_000_000;
const MAX_CAP: u32 = 100_000;
const MAX_ANSWER_DAYS: u16 = 60;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetUnitSending {
    pub code: String,
    /// `None`: what is said above the unit.
    pub said: Option<UnitSending>,
    /// The version of what held for the unit, if the caller says it.
    pub seen: Option<i64>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetTransportCost {
    pub from_code: String,
    pub to_code: String,
    /// `None`: what is said above the two units, or follows from the tree.
    pub cost: Option<u32>,
}

/// What a unit sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SendingView {
    #[schema(example = "B01")]
    pub unit_code: String,
    /// It fetches copies from its shelves for readers elsewhere.
    pub sends: bool,
    /// Copies it may be asked for on one day of the network's zone; absent: any number.
    pub daily_cap: Option<u32>,
    /// Open days after the day of asking in which it answers.
    #[schema(example = 1)]
    pub answer_days: u16,
    /// The unit that says so; absent: nobody does, it is the program's default.
    #[schema(example = "M01")]
    pub said_by_unit_code: Option<String>,
}

/// What it costs to bring a copy from one unit, or anything below it, to another, or anything below that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransportCostView {
    #[schema(example = "M01")]
    pub from_unit_code: String,
    #[schema(example = "M02")]
    pub to_unit_code: String,
    /// Without unit; ten for each step of the unit tree where no row says otherwise. Absent: this row is gone.
    #[schema(example = 15)]
    pub cost: Option<u32>,
    /// What it costs between just these two units now.
    #[schema(example = 15)]
    pub effective_cost: u32,
}

/// What holds for a unit.
///
/// # Errors
/// `NotFound`; a failure of the store.
pub async fn get_unit_sending(store: &Arc<Store>, caller: &Caller, code: String) -> Result<SendingView> {
    caller.require_somewhere(Right::ReadUnits)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = network.units().by_code(&code).ok_or(UseCaseError::NotFound("unit"))?;
            Ok(sending_view(unit, &network))
        })
        .await
}

/// Says what a unit, and everything below that says nothing itself, sends.
///
/// # Errors
/// `NotFound`; `Stale`; `Forbidden` outside the caller's subtree; `Invalid` naming every wrong field; a failure of the store.
pub async fn set_unit_sending(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetUnitSending,
    key: Option<IdempotencyKey>,
) -> Result<Once<SendingView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    once(store, caller, key, 1, command, apply_sending).await
}

fn apply_sending(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &SetUnitSending,
    mut ids: IdRun,
) -> Result<SendingView> {
    let network = tx.lock_network()?;
    let unit = network
        .units()
        .by_code(&command.code)
        .ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.id, &network)?;
    must_be_seen(&sending_view(unit, &network), command.seen)?;
    let mut wrong = Wrong::default();
    if let Some(said) = command.said {
        if said.daily_cap.is_some_and(|cap| cap > MAX_CAP) {
            wrong.say("daily_cap", format!("must be at most {MAX_CAP}"));
        }
        if !(1..=MAX_ANSWER_DAYS).contains(&said.answer_days) {
            wrong.say("answer_days", format!("must be 1 to {MAX_ANSWER_DAYS}"));
        }
    }
    wrong.check()?;
    tx.set_unit_sending(unit.id, command.said)?;
    let after = tx.network()?;
    let view = sending_view(unit, &after);
    let detail = json!({"changed": "sending", "sends": view.sends, "daily_cap": view.daily_cap,
        "answer_days": view.answer_days});
    append(tx, caller, unit.id, detail, ids.next())?;
    Ok(view)
}

/// The rows of transport costs from a unit, by the other unit's number.
///
/// # Errors
/// `NotFound`; a failure of the store.
pub async fn list_transport_costs(
    store: &Arc<Store>,
    caller: &Caller,
    code: String,
    page: PageRequest,
) -> Result<Page<TransportCostView>> {
    caller.require_somewhere(Right::ReadUnits)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = network.units().by_code(&code).ok_or(UseCaseError::NotFound("unit"))?;
            let all = &network.sending().costs;
            let mut to: Vec<UnitId> = all
                .keys()
                .filter(|(from, to)| *from == unit.id && to.get() > page.after_id())
                .map(|(_, to)| *to)
                .collect();
            to.sort_unstable();
            let page = page.cut(to, |unit| unit.get());
            Ok(page.map(|to| cost_view(unit.id, to, &network)))
        })
        .await
}

/// Says what transport from one unit to another costs, for both and everything below them; or takes it back.
///
/// # Errors
/// `NotFound` for the sender; `Forbidden` where the sender is outside the caller's subtree; `Invalid` naming every wrong field; a
/// failure of the store.
pub async fn set_transport_cost(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetTransportCost,
    key: Option<IdempotencyKey>,
) -> Result<Once<TransportCostView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    once(store, caller, key, 1, command, apply_cost).await
}

fn apply_cost(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &SetTransportCost,
    mut ids: IdRun,
) -> Result<TransportCostView> {
    let network = tx.network()?;
    let from = network
        .units()
        .by_code(&command.from_code)
        .ok_or(UseCaseError::NotFound("unit"))?
        .id;
    caller.require(Right::ManageUnits, from, &network)?;
    let mut wrong = Wrong::default();
    let to = wrong
        .unit(&network, "to_unit_code", &command.to_code)
        .map(|unit| unit.id);
    if command.cost.is_some_and(|cost| cost > MAX_COST) {
        wrong.say("cost", format!("must be at most {MAX_COST}"));
    }
    if to == Some(from) {
        wrong.say("to_unit_code", "is the same unit: nothing travels");
    }
    wrong.check()?;
    let to = to.ok_or(UseCaseError::NotFound("unit"))?;
    tx.set_transport_cost(from, to, command.cost.and_then(|cost| i32::try_from(cost).ok()))?;
    let after = tx.network()?;
    let detail = json!({"changed": "transport_cost", "to_unit_id": to, "cost": command.cost});
    append(tx, caller, from, detail, ids.next())?;
    Ok(cost_view(from, to, &after))
}

fn append(tx: &mut WriteTx<'_>, caller: &Caller, unit: UnitId, detail: serde_json::Value, id: i64) -> Result<()> {
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(detail);
    Ok(tx.append_event(id, &event)?)
}

fn sending_view(unit: &Unit, network: &Network) -> SendingView {
    let (units, sending) = (network.units(), network.sending());
    let holds = sending.of(units, unit.id);
    let mut line = units.ancestors(unit.id).iter();
    let said_by = line.find(|one| sending.units.contains_key(one));
    SendingView {
        unit_code: unit.code.clone(),
        sends: holds.sends,
        daily_cap: holds.daily_cap,
        answer_days: holds.answer_days,
        said_by_unit_code: said_by.map(|one| unit_code(network, one.get())),
    }
}

fn cost_view(from: UnitId, to: UnitId, network: &Network) -> TransportCostView {
    let sending = network.sending();
    TransportCostView {
        from_unit_code: unit_code(network, from.get()),
        to_unit_code: unit_code(network, to.get()),
        cost: sending.costs.get(&(from, to)).copied(),
        effective_cost: sending.cost(network.units(), from, to).unwrap_or_default(),
    }
}

impl Outcome for SendingView {}
impl Outcome for TransportCostView {}
