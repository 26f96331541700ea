//! A named part of a unit's stock: made, or given another name or policy. Its code stays: items and files name it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::create_unit::{MAX_CODE, is_code};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::CollectionId;
use crate::domain::item::ReturnPolicy;
use crate::domain::network::Collection;
use crate::store::administration::CollectionRow;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetCollection {
    pub unit_code: String,
    pub code: String,
    pub name: String,
    /// `None`: as its unit.
    pub return_policy: Option<ReturnPolicy>,
}

/// A named part of a unit's stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CollectionView {
    pub id: i64,
    #[schema(example = "general")]
    pub code: String,
    pub name: String,
    /// `home`, `float`, `float_with_cap`, `restricted`, or `as_unit`: what its unit says.
    #[schema(example = "home")]
    pub return_policy: String,
    /// With `float_with_cap`: how many items may float at one unit.
    pub float_cap: Option<i32>,
}

impl CollectionView {
    /// Of a row of the store.
    pub fn of((id, code, name, return_policy, float_cap, as_unit): CollectionRow) -> Self {
        let return_policy = if as_unit { "as_unit".to_owned() } else { return_policy };
        Self {
            id,
            code,
            name,
            return_policy,
            float_cap,
        }
    }
}

/// Creates or changes a collection.
///
/// # Errors
/// `NotFound` for an unknown unit; `Forbidden` outside the caller's subtree; `Invalid` for a code that is none; a failure
/// of the store.
pub async fn set_collection(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetCollection,
    key: Option<IdempotencyKey>,
) -> Result<Once<CollectionView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    once(store, caller, key, 2, command, apply).await
}

/// Lists the collections of a unit by code.
///
/// # Errors
/// `NotFound` for an unknown unit; a failure of the store.
pub async fn list_collections(store: &Arc<Store>, caller: &Caller, unit_code: String) -> Result<Vec<CollectionView>> {
    caller.require_somewhere(Right::ReadUnits)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = network
                .units()
                .by_code(&unit_code)
                .ok_or(UseCaseError::NotFound("unit"))?;
            Ok(tx
                .collections_of(unit.id)?
                .into_iter()
                .map(CollectionView::of)
                .collect())
        })
        .await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &SetCollection, mut ids: IdRun) -> Result<CollectionView> {
    let network = tx.network()?;
    let unit = network
        .units()
        .by_code(&command.unit_code)
        .ok_or(UseCaseError::NotFound("unit"))?;
    caller.require(Right::ManageUnits, unit.id, &network)?;
    if !is_code(&command.code) {
        let reason = format!("must be 1 to {MAX_CODE} letters, digits, hyphens or underscores (ASCII)");
        return Err(UseCaseError::field("code", reason));
    }
    let known = tx.collection_by_code(unit.id, &command.code)?;
    let row = Collection {
        id: known.unwrap_or_else(|| CollectionId::new(ids.next())),
        unit: unit.id,
        code: command.code.clone(),
        name: command.name.clone(),
        return_policy: command.return_policy,
    };
    if known.is_some() {
        tx.update_collection(&row)?;
    } else {
        tx.insert_collection(&row)?;
    }
    let event = Event::new(EventKind::UnitChanged, tx.now(), unit.id, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "collection", "code": row.code, "created": known.is_none()}));
    tx.append_event(ids.next(), &event)?;
    let stored = tx
        .collections_of(unit.id)?
        .into_iter()
        .find(|one| one.0 == row.id.get());
    stored
        .map(CollectionView::of)
        .ok_or(UseCaseError::NotFound("collection"))
}

impl Outcome for CollectionView {}
