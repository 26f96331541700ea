//! A kind of item for the rules: made, or given other names or another parent. Its code stays: the rules name it. A change
//! that the rules in force cannot stand with is refused.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::create_unit::{MAX_CODE, is_code};
use super::named::Wrong;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, StoreError, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::ItemTypeId;
use crate::domain::item_type::ItemType;
use crate::domain::network::Network;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetItemType {
    pub code: String,
    pub name_zh: String,
    pub name_en: String,
    /// The item type whose rules count where this one has none.
    pub parent: Option<String>,
}

/// What kind of thing an item is for the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemTypeView {
    #[schema(example = "book")]
    pub code: String,
    #[schema(example = "图书")]
    pub name_zh: String,
    #[schema(example = "Book")]
    pub name_en: String,
    /// Its rules count where this one has none.
    pub parent: Option<String>,
}

impl ItemTypeView {
    fn of(item_type: &ItemType, network: &Network) -> Self {
        let parent = item_type.parent.and_then(|parent| network.item_types().get(parent));
        Self {
            code: item_type.code.clone(),
            name_zh: item_type.name_zh.clone(),
            name_en: item_type.name_en.clone(),
            parent: parent.map(|parent| parent.code.clone()),
        }
    }
}

/// Creates or changes an item type.
///
/// # Errors
/// `Forbidden` for a caller without rights at the root; `Invalid` naming every wrong field; a failure of the store.
pub async fn set_item_type(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetItemType,
    key: Option<IdempotencyKey>,
) -> Result<Once<ItemTypeView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    once(store, caller, key, 2, command, apply).await
}

/// Lists the item types in the order of their ids.
///
/// # Errors
/// A failure of the store.
pub async fn list_item_types(store: &Arc<Store>, caller: &Caller) -> Result<Vec<ItemTypeView>> {
    caller.require_somewhere(Right::ReadUnits)?;
    let network = store.read(|tx| tx.network().map_err(UseCaseError::from)).await?;
    let types = network.item_types().iter();
    Ok(types.map(|item_type| ItemTypeView::of(item_type, &network)).collect())
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &SetItemType, mut ids: IdRun) -> Result<ItemTypeView> {
    let network = tx.lock_network()?;
    let root = network.units().root().ok_or(UseCaseError::NotFound("unit"))?.id;
    caller.require(Right::ManageUnits, root, &network)?;
    let known = network.item_types().by_code(&command.code);
    let mut wrong = Wrong::default();
    if !is_code(&command.code) {
        let reason = format!("must be 1 to {MAX_CODE} letters, digits, hyphens or underscores (ASCII)");
        wrong.say("code", reason);
    }
    let parent = command
        .parent
        .as_deref()
        .and_then(|code| wrong.item_type(&network, "parent", code));
    if let (Some(known), Some(parent)) = (known, parent)
        && network.item_types().is_within(parent.id, known.id)
    {
        wrong.say("parent", "is this item type itself or stands below it");
    }
    wrong.check()?;
    let row = ItemType {
        id: known.map_or_else(|| ItemTypeId::new(ids.next()), |known| known.id),
        code: command.code.clone(),
        parent: parent.map(|parent| parent.id),
        name_zh: command.name_zh.clone(),
        name_en: command.name_en.clone(),
    };
    if known.is_some() {
        tx.update_item_type(&row)?;
    } else {
        tx.insert_item_type(&row)?;
    }
    let after = settled(tx, "parent")?;
    let event = Event::new(EventKind::RulesChanged, tx.now(), root, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "item_type", "code": row.code, "created": known.is_none()}));
    tx.append_event(ids.next(), &event)?;
    Ok(ItemTypeView::of(&row, &after))
}

/// The configuration after the change; a change after which it would contradict itself is a wrong field.
pub(super) fn settled(tx: &mut WriteTx<'_>, field: &'static str) -> Result<Arc<Network>> {
    tx.network().map_err(|error| match error {
        StoreError::Corrupt(reason) => {
            UseCaseError::field(field, format!("the rules in force say otherwise: {reason}"))
        }
        other => other.into(),
    })
}

impl Outcome for ItemTypeView {}
