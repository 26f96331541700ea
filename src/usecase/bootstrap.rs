//! The first start on an empty database: the network root, and the types, categories, membership and rules of the preset.

use std::sync::Arc;

use super::{Result, UseCaseError};
use crate::domain::event::EventKind;
use crate::domain::ids::{CategoryId, ItemTypeId, UnitId};
use crate::domain::item_type::ItemType;
use crate::domain::network::Category;
use crate::domain::rules_toml::{CN_CITY_DEFAULT, CodeBook, Preset};
use crate::domain::unit::{Unit, UnitKind};
use crate::store::Store;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::rule_sets::NewRuleSet;
use crate::store::tx::WriteTx;

/// The root's code until it is given another name.
pub const ROOT_CODE: &str = "network";

/// Creates the root and the preset if the database has no unit yet. Safe with two nodes starting at once.
///
/// # Errors
/// A preset that does not parse, or a failure of the store.
pub async fn bootstrap(store: &Arc<Store>) -> Result<()> {
    if store.read(|tx| tx.has_network().map_err(UseCaseError::from)).await? {
        return Ok(());
    }
    let preset = Preset::parse(CN_CITY_DEFAULT).map_err(|error| UseCaseError::Internal(error.to_string()))?;
    let count = preset.categories.len() + preset.item_types.len() + preset.memberships.len() + 8;
    let ids: IdRun = store
        .take_ids::<UseCaseError>(i64::try_from(count).unwrap_or(i64::MAX))
        .await?;
    store
        .write(move |tx| {
            // Changes the one row that all nodes share: the second of two waits here, and then sees what the first made.
            tx.bump_config_version()?;
            if tx.has_network()? {
                Ok(())
            } else {
                apply(tx, &preset, ids.clone())
            }
        })
        .await
}

fn apply(tx: &mut WriteTx<'_>, preset: &Preset, mut ids: IdRun) -> Result<()> {
    let now = tx.now();
    let root = UnitId::new(ids.next());
    tx.insert_unit(&root_unit(root), &mut || ids.next())?;
    let mut item_types: Vec<ItemType> = Vec::new();
    for row in &preset.item_types {
        let parent = row
            .parent
            .as_deref()
            .and_then(|code| item_types.iter().find(|one| one.code == code));
        let item_type = ItemType {
            id: ItemTypeId::new(ids.next()),
            code: row.code.clone(),
            parent: parent.map(|parent| parent.id),
            name_zh: row.name_zh.clone(),
            name_en: row.name_en.clone(),
        };
        tx.insert_item_type(&item_type)?;
        item_types.push(item_type);
    }
    let mut categories: Vec<Category> = Vec::new();
    for row in &preset.categories {
        let category = Category {
            id: CategoryId::new(ids.next()),
            code: row.code.clone(),
            name_zh: row.name_zh.clone(),
            name_en: row.name_en.clone(),
            reading_only: row.reading_only,
            child: row.child,
            institutional: row.institutional,
            min_age_years: row.min_age_years,
            max_age_years: row.max_age_years,
        };
        tx.insert_category(&category)?;
        categories.push(category);
    }
    let book = CodeBook {
        unit: &|code| (code == ROOT_CODE).then_some(root),
        category: &|code| categories.iter().find(|one| one.code == code).map(|one| one.id),
        item_type: &|code| item_types.iter().find(|one| one.code == code).map(|one| one.id),
        root,
    };
    let memberships = preset
        .memberships(&book)
        .map_err(|error| UseCaseError::Internal(error.to_string()))?;
    for membership in &memberships {
        tx.insert_membership(ids.next(), membership)?;
    }
    tx.insert_rule_set(&NewRuleSet {
        version: 1,
        effective_from: now,
        source: CN_CITY_DEFAULT.to_owned(),
        published_at: now,
        unit: None,
        note: String::new(),
    })?;
    let event = Event::new(EventKind::UnitCreated, now, root, SYSTEM_CHANNEL);
    tx.append_event(ids.next(), &event)?;
    Ok(())
}

fn root_unit(id: UnitId) -> Unit {
    Unit {
        id,
        code: ROOT_CODE.to_owned(),
        name: "全市图书馆网络".to_owned(),
        kind: UnitKind::Network,
        parent: None,
        path: Unit::path_under(None, id),
        active: true,
        lends: false,
        pickup_point: false,
        adult_only: false,
        latitude: None,
        longitude: None,
        always_open: false,
        hours: None,
        closed: Vec::new(),
        return_policy: None,
        mobile: false,
        stops: Vec::new(),
        dated: crate::domain::dated::Dated::default(),
    }
}
