//! Membership in network circulation (通借通还): a unit, and an item type in it, joins step by step.
//! Not for: who may borrow at all (see `check_out`), or where a returned item goes (see `route`).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::ids::{ItemTypeId, UnitId};

/// What a unit has joined for one item type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    /// Its items may be lent at other units, and others' items here.
    pub lend_away: bool,
    /// Its items may be returned at other units, and others' items here.
    pub return_away: bool,
    /// Readers whose home is here may borrow items of other owners.
    pub readers_away: bool,
}

impl Joined {
    /// A unit that no row speaks of: nothing leaves, nothing comes.
    pub const NOTHING: Self = Self {
        lend_away: false,
        return_away: false,
        readers_away: false,
    };
    /// Full network circulation.
    pub const EVERYTHING: Self = Self {
        lend_away: true,
        return_away: true,
        readers_away: true,
    };
}

/// One setting, made at a unit for itself and everything below it, for one item type with its children or for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub unit: UnitId,
    pub item_type: Option<ItemTypeId>,
    pub joined: Joined,
}

/// All settings, by unit.
#[derive(Debug, Clone, Default)]
pub(super) struct Memberships {
    by_unit: HashMap<UnitId, HashMap<Option<ItemTypeId>, Joined>>,
}

impl Memberships {
    /// Indexes the rows; gives back the first that repeats a (unit, item type).
    pub(super) fn build(rows: Vec<Membership>) -> Result<Self, Membership> {
        let mut built = Self::default();
        for row in rows {
            let of_unit = built.by_unit.entry(row.unit).or_default();
            if of_unit.insert(row.item_type, row.joined).is_some() {
                return Err(row);
            }
        }
        Ok(built)
    }

    /// The nearest unit that says anything about the type wins; within it the nearest type, then "all types".
    pub(super) fn resolve(&self, units: &[UnitId], item_types: &[ItemTypeId]) -> Joined {
        units
            .iter()
            .find_map(|unit| self.of_unit(*unit, item_types))
            .unwrap_or(Joined::NOTHING)
    }

    fn of_unit(&self, unit: UnitId, item_types: &[ItemTypeId]) -> Option<Joined> {
        let rows = self.by_unit.get(&unit)?;
        let by_type = item_types.iter().find_map(|item_type| rows.get(&Some(*item_type)));
        by_type.or_else(|| rows.get(&None)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{self, BRANCH, BRANCH_2, LOCKER, MAIN, OTHER_BRANCH, OTHER_MAIN, ROOT};
    use crate::domain::network::{Network, NetworkError};

    #[test]
    fn ordinary_books_circulate_and_the_rest_stays_local() {
        let world = example::world();
        for (code, unit, may) in [
            ("book", OTHER_BRANCH, true),
            ("book_braille", OTHER_BRANCH, true),
            ("book_foreign", OTHER_BRANCH, false),
            ("book_foreign", BRANCH_2, true), // in the owner's subtree
            ("av_disc", OTHER_BRANCH, false),
            ("av_disc", LOCKER, true),
        ] {
            let item_type = world.item_type(code);
            assert_eq!(
                world.network.may_lend_at(MAIN, BRANCH, item_type, unit),
                may,
                "{code} lent at {unit}"
            );
            assert_eq!(
                world.network.may_return_at(MAIN, BRANCH, item_type, unit),
                may,
                "{code} back at {unit}"
            );
        }
    }

    #[test]
    fn a_unit_s_own_setting_stands_above_the_inherited_one_and_binds_both_sides() {
        let mut parts = example::parts();
        let world = example::world();
        let left = Membership {
            unit: OTHER_MAIN,
            item_type: None,
            joined: Joined::NOTHING,
        };
        parts.memberships.push(left);
        let network = Network::build(parts).unwrap();
        let book = world.item_type("book");
        assert!(
            !network.may_lend_at(MAIN, BRANCH, book, OTHER_BRANCH),
            "the place has left"
        );
        assert!(
            !network.may_lend_at(OTHER_MAIN, OTHER_MAIN, book, BRANCH),
            "the owner has left"
        );
        assert!(network.may_lend_at(OTHER_MAIN, OTHER_MAIN, book, OTHER_BRANCH));
        assert!(!network.may_borrow_from(OTHER_BRANCH, MAIN, book));
        assert!(network.may_borrow_from(OTHER_BRANCH, OTHER_MAIN, book));
        assert_eq!(network.joined(ROOT, book), Joined::EVERYTHING);
    }

    #[test]
    fn a_setting_made_twice_is_refused() {
        let mut parts = example::parts();
        parts.memberships.push(Membership {
            unit: ROOT,
            item_type: None,
            joined: Joined::EVERYTHING,
        });
        let error = Network::build(parts).map(|_| ()).unwrap_err();
        assert_eq!(
            error,
            NetworkError::DuplicateMembership {
                unit: ROOT,
                item_type: None
            }
        );
    }
}
