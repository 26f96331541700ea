//! A kind of reader for the rules: made or changed. Its code stays: the rules name it. A change that the rules in force
//! cannot stand with is refused.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::create_unit::{MAX_CODE, is_code};
use super::named::Wrong;
use super::once::once;
use super::set_item_type::settled;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::CategoryId;
use crate::domain::network::Category;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// A kind of reader for the rules: what is asked for, and what there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CategoryView {
    #[schema(example = "adult")]
    pub code: String,
    #[schema(example = "成人")]
    pub name_zh: String,
    #[schema(example = "Adult")]
    pub name_en: String,
    /// Local use only: an act counts in statistics and makes no loan.
    pub reading_only: bool,
    /// Only items and units for children.
    pub child: bool,
    /// An institution, not a person.
    pub institutional: bool,
    /// Whole years at registration, included.
    pub min_age_years: Option<u8>,
    /// Whole years at registration, included.
    pub max_age_years: Option<u8>,
}

impl CategoryView {
    fn of(category: &Category) -> Self {
        Self {
            code: category.code.clone(),
            name_zh: category.name_zh.clone(),
            name_en: category.name_en.clone(),
            reading_only: category.reading_only,
            child: category.child,
            institutional: category.institutional,
            min_age_years: category.min_age_years,
            max_age_years: category.max_age_years,
        }
    }
}

/// Creates or changes a reader category.
///
/// # Errors
/// `Forbidden` for a caller without rights at the root; `Invalid` naming every wrong field; a failure of the store.
pub async fn set_reader_category(
    store: &Arc<Store>,
    caller: &Caller,
    command: CategoryView,
    key: Option<IdempotencyKey>,
) -> Result<Once<CategoryView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    once(store, caller, key, 2, command, apply).await
}

/// Lists the reader categories in the order of their ids.
///
/// # Errors
/// A failure of the store.
pub async fn list_reader_categories(store: &Arc<Store>, caller: &Caller) -> Result<Vec<CategoryView>> {
    caller.require_somewhere(Right::ReadUnits)?;
    let network = store.read(|tx| tx.network().map_err(UseCaseError::from)).await?;
    Ok(network.categories().into_iter().map(CategoryView::of).collect())
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &CategoryView, mut ids: IdRun) -> Result<CategoryView> {
    let network = tx.network()?;
    let root = network.units().root().ok_or(UseCaseError::NotFound("unit"))?.id;
    caller.require(Right::ManageUnits, root, &network)?;
    let mut wrong = Wrong::default();
    if !is_code(&command.code) {
        let reason = format!("must be 1 to {MAX_CODE} letters, digits, hyphens or underscores (ASCII)");
        wrong.say("code", reason);
    }
    if command
        .min_age_years
        .zip(command.max_age_years)
        .is_some_and(|(min, max)| min > max)
    {
        wrong.say("min_age_years", "is above max_age_years");
    }
    wrong.check()?;
    let known = network.category_by_code(&command.code);
    let row = Category {
        id: known.map_or_else(|| CategoryId::new(ids.next()), |known| known.id),
        code: command.code.clone(),
        name_zh: command.name_zh.clone(),
        name_en: command.name_en.clone(),
        reading_only: command.reading_only,
        child: command.child,
        institutional: command.institutional,
        min_age_years: command.min_age_years,
        max_age_years: command.max_age_years,
    };
    if known.is_some() {
        tx.update_category(&row)?;
    } else {
        tx.insert_category(&row)?;
    }
    settled(tx, "code")?;
    let event = Event::new(EventKind::RulesChanged, tx.now(), root, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "reader_category", "code": row.code, "created": known.is_none()}));
    tx.append_event(ids.next(), &event)?;
    Ok(CategoryView::of(&row))
}

impl Outcome for CategoryView {}
