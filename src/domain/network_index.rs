//! The rows of a network checked and indexed, before it is built of them.

use std::collections::{HashMap, HashSet};

use super::calendar::ClosedRange;
use super::ids::{CategoryId, CollectionId, UnitId};
use super::item_type::ItemTypes;
use super::membership::{Membership, Memberships};
use super::network::{Category, Collection, NetworkError};
use super::unit::UnitTree;

pub(super) type CategoryIndex = (HashMap<CategoryId, Category>, HashMap<String, CategoryId>);

pub(super) fn index_categories(rows: Vec<Category>) -> Result<CategoryIndex, NetworkError> {
    let (mut by_id, mut by_code) = (HashMap::new(), HashMap::new());
    for category in rows {
        let (id, code) = (category.id, category.code.clone());
        if let (Some(min), Some(max)) = (category.min_age_years, category.max_age_years)
            && min > max
        {
            return Err(NetworkError::CategoryAges { id });
        }
        let twice = by_code.insert(code.clone(), id).is_some();
        if twice || by_id.insert(id, category).is_some() {
            return Err(NetworkError::DuplicateCategory { id, code });
        }
    }
    Ok((by_id, by_code))
}

pub(super) fn check_closed(units: &UnitTree) -> Result<(), NetworkError> {
    let closed = units
        .iter()
        .flat_map(|unit| unit.closed.iter().map(move |range| (unit.id, range)));
    for (unit, ClosedRange { first, last, .. }) in closed {
        if last < first {
            return Err(NetworkError::ClosedBackwards {
                unit,
                first: *first,
                last: *last,
            });
        }
    }
    Ok(())
}

pub(super) fn index_collections(
    rows: Vec<Collection>,
    units: &UnitTree,
) -> Result<HashMap<CollectionId, Collection>, NetworkError> {
    let mut by_id = HashMap::with_capacity(rows.len());
    for collection in rows {
        let (id, unit) = (collection.id, collection.unit);
        if units.get(unit).is_none() {
            return Err(NetworkError::CollectionUnit { id, unit });
        }
        if by_id.insert(id, collection).is_some() {
            return Err(NetworkError::DuplicateCollection { id });
        }
    }
    Ok(by_id)
}

pub(super) fn index_memberships(
    rows: Vec<Membership>,
    units: &UnitTree,
    item_types: &ItemTypes,
) -> Result<Memberships, NetworkError> {
    let unknown_units: HashSet<UnitId> = rows
        .iter()
        .map(|row| row.unit)
        .filter(|unit| units.get(*unit).is_none())
        .collect();
    if let Some(unit) = unknown_units.into_iter().min() {
        return Err(NetworkError::MembershipUnit(unit));
    }
    let named = rows.iter().filter_map(|row| row.item_type);
    if let Some(item_type) = named.into_iter().find(|item_type| item_types.get(*item_type).is_none()) {
        return Err(NetworkError::MembershipItemType(item_type));
    }
    Memberships::build(rows).map_err(|row| NetworkError::DuplicateMembership {
        unit: row.unit,
        item_type: row.item_type,
    })
}
