//! Says whether a unit packs parcels.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetPacking {
    pub unit_code: String,
    pub packs: bool,
}

/// Whether a unit packs parcels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PackingUnitView {
    /// The unit's code.
    #[schema(example = "C1")]
    pub unit_code: String,
    /// It packs parcels for readers and takes theirs.
    #[schema(example = true)]
    pub packs: bool,
}

impl Outcome for PackingUnitView {}

/// Makes a unit pack parcels, or not any more. Parcels that are open stay there.
///
/// # Errors
/// `NotFound`; `Forbidden`; a failure of the store.
pub async fn set_packing(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetPacking,
    key: Option<IdempotencyKey>,
) -> Result<Once<PackingUnitView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &SetPacking, mut ids: IdRun) -> Result<PackingUnitView> {
    let network = tx.lock_network()?;
    let unit = network.units().by_code(&command.unit_code);
    let unit = unit.map(|unit| unit.id).ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit, &network)?;
    if tx.packs(unit)? != command.packs {
        tx.set_packing(unit, command.packs)?;
        let event = Event::new(EventKind::UnitChanged, tx.now(), unit, caller.channel().code())
            .by(caller.staff(), caller.device())
            .detail(json!({"packs": command.packs}));
        tx.append_event(ids.next(), &event)?;
    }
    Ok(PackingUnitView {
        unit_code: command.unit_code.clone(),
        packs: command.packs,
    })
}
