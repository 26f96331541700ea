//! Item types: what kind of thing an item is for the rules. Types have parents, so that a rule for `book` also
//! covers `book_foreign` unless a nearer row says otherwise.
//! Not for: statuses, or what the catalogue says the work is.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ids::ItemTypeId;

/// One item type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemType {
    pub id: ItemTypeId,
    /// The word used in rules and imports, such as `book_foreign`.
    pub code: String,
    pub parent: Option<ItemTypeId>,
    pub name_zh: String,
    pub name_en: String,
}

/// Why a list of item types is not a forest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ItemTypeError {
    #[error("item type {id} or its code {code} is listed twice")]
    Duplicate { id: ItemTypeId, code: String },
    #[error("item type {id} names the unknown parent {parent}")]
    UnknownParent { id: ItemTypeId, parent: ItemTypeId },
    #[error("item type {id} is its own ancestor")]
    Cycle { id: ItemTypeId },
}

/// All item types, with the line of ancestors of each one ready.
#[derive(Debug, Clone, Default)]
pub struct ItemTypes {
    by_id: HashMap<ItemTypeId, Entry>,
    by_code: HashMap<String, ItemTypeId>,
    order: Vec<ItemTypeId>,
}

#[derive(Debug, Clone)]
struct Entry {
    item_type: ItemType,
    /// Itself first, then its parent, up to the top.
    line: Box<[ItemTypeId]>,
}

impl ItemTypes {
    /// Builds the forest.
    ///
    /// # Errors
    /// A duplicate id or code, an unknown parent, or a cycle.
    pub fn build(types: Vec<ItemType>) -> Result<Self, ItemTypeError> {
        let parents: HashMap<ItemTypeId, Option<ItemTypeId>> =
            types.iter().map(|item_type| (item_type.id, item_type.parent)).collect();
        let mut built = Self::default();
        for item_type in types {
            let line = line_of(item_type.id, &parents)?;
            let (id, code) = (item_type.id, item_type.code.clone());
            let twice = built.by_code.insert(code.clone(), id).is_some();
            if twice || built.by_id.insert(id, Entry { item_type, line }).is_some() {
                return Err(ItemTypeError::Duplicate { id, code });
            }
            built.order.push(id);
        }
        Ok(built)
    }

    /// One item type.
    pub fn get(&self, id: ItemTypeId) -> Option<&ItemType> {
        self.by_id.get(&id).map(|entry| &entry.item_type)
    }

    /// One item type by its code.
    pub fn by_code(&self, code: &str) -> Option<&ItemType> {
        self.by_code.get(code).and_then(|id| self.get(*id))
    }

    /// Itself, its parent, and so on to the top; empty for an unknown type.
    pub fn ancestors(&self, id: ItemTypeId) -> &[ItemTypeId] {
        self.by_id.get(&id).map_or(&[], |entry| &entry.line)
    }

    /// Whether `id` is `ancestor` or one of its descendants.
    pub fn is_within(&self, id: ItemTypeId, ancestor: ItemTypeId) -> bool {
        id == ancestor || self.ancestors(id).contains(&ancestor)
    }

    /// All of them, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &ItemType> {
        self.order.iter().filter_map(|id| self.get(*id))
    }
}

fn line_of(
    id: ItemTypeId,
    parents: &HashMap<ItemTypeId, Option<ItemTypeId>>,
) -> Result<Box<[ItemTypeId]>, ItemTypeError> {
    let mut line = vec![id];
    let mut at = id;
    while let Some(parent) = parents.get(&at).copied().flatten() {
        if !parents.contains_key(&parent) {
            return Err(ItemTypeError::UnknownParent { id: at, parent });
        }
        if line.contains(&parent) {
            return Err(ItemTypeError::Cycle { id });
        }
        line.push(parent);
        at = parent;
    }
    Ok(line.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item_type(id: i64, parent: Option<i64>) -> ItemType {
        ItemType {
            id: ItemTypeId::new(id),
            code: format!("type_{id}"),
            parent: parent.map(ItemTypeId::new),
            name_zh: String::new(),
            name_en: String::new(),
        }
    }

    #[test]
    fn types_know_their_ancestors() {
        let types = ItemTypes::build(vec![item_type(1, None), item_type(3, Some(2)), item_type(2, Some(1))]).unwrap();
        assert_eq!(types.ancestors(ItemTypeId::new(3)), [3, 2, 1].map(ItemTypeId::new));
        assert!(types.is_within(ItemTypeId::new(3), ItemTypeId::new(1)));
        assert!(!types.is_within(ItemTypeId::new(1), ItemTypeId::new(3)));
        assert_eq!(types.by_code("type_2").map(|one| one.id), Some(ItemTypeId::new(2)));
    }

    #[test]
    fn lists_that_are_no_forest_are_refused() {
        let build = |types| ItemTypes::build(types).map(|_| ()).unwrap_err();
        assert!(matches!(
            build(vec![item_type(1, None), item_type(1, None)]),
            ItemTypeError::Duplicate { .. }
        ));
        assert!(matches!(
            build(vec![item_type(1, Some(9))]),
            ItemTypeError::UnknownParent { .. }
        ));
        let cycle = vec![item_type(1, Some(2)), item_type(2, Some(1))];
        assert!(matches!(build(cycle), ItemTypeError::Cycle { .. }));
        assert!(matches!(
            build(vec![item_type(1, Some(1))]),
            ItemTypeError::Cycle { .. }
        ));
    }
}
