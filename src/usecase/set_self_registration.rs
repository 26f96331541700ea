//! How a unit takes in readers who register by themselves.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::content_version::must_be_seen;
use super::once::once;
use super::view::unit_code;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::network::Network;
use crate::domain::self_registration::SelfRegistration;
use crate::domain::unit::Unit;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetSelfRegistration {
    pub code: String,
    /// `None`: what is said above the unit.
    pub how: Option<SelfRegistration>,
    /// The version of what held for the unit, if the caller says it.
    pub seen: Option<i64>,
}

/// How a unit takes readers in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SelfRegistrationView {
    #[schema(example = "B01")]
    pub unit_code: String,
    /// `at_once`: whoever proves an address is a reader; `desk`: a desk looks at each; `closed`: at the desk only.
    #[schema(example = "at_once")]
    pub how: String,
    /// The unit that says so; absent: nobody does, it is the program's default.
    #[schema(example = "M01")]
    pub said_by_unit_code: Option<String>,
}

impl Outcome for SelfRegistrationView {}

/// What holds for a unit.
///
/// # Errors
/// `Forbidden`; `NotFound`; a failure of the store.
pub async fn get_self_registration(store: &Arc<Store>, caller: &Caller, code: String) -> Result<SelfRegistrationView> {
    caller.require_somewhere(Right::ReadUnits)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = network.units().by_code(&code).ok_or(UseCaseError::NotFound("unit"))?;
            Ok(view(unit, &network))
        })
        .await
}

/// Says how a unit, and everything below that says nothing itself, takes readers in.
///
/// # Errors
/// `NotFound`; `Stale`; `Forbidden` outside the caller's subtree; a failure of the store.
pub async fn set_self_registration(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetSelfRegistration,
    key: Option<IdempotencyKey>,
) -> Result<Once<SelfRegistrationView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &SetSelfRegistration,
    mut ids: IdRun,
) -> Result<SelfRegistrationView> {
    let network = tx.lock_network()?;
    let unit = network.units().by_code(&command.code);
    let unit = unit.ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.id, &network)?;
    must_be_seen(&view(unit, &network), command.seen)?;
    tx.set_self_registration(unit.id, command.how)?;
    let after = tx.network()?;
    let view = view(unit, &after);
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit.id, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "self_registration", "how": view.how}));
    tx.append_event(ids.next(), &event)?;
    Ok(view)
}

fn view(unit: &Unit, network: &Network) -> SelfRegistrationView {
    let (how, said_by) = network.self_registrations().of(network.units(), unit.id);
    SelfRegistrationView {
        unit_code: unit.code.clone(),
        how: how.code().to_owned(),
        said_by_unit_code: said_by.map(|one| unit_code(network, one.get())),
    }
}
