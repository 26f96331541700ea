//! Which rule wins, and why.
//!
//! **Terms have one winner.** A row matches when each column it names matches the situation; the most specific row
//! wins. Specificity is lexicographic, in this order, a nearer match before a farther one before "any":
//!
//! 1. `unit`: the place of the act; the unit itself, then its parent, up to the root;
//! 2. `category`: the reader's;
//! 3. `item_type`: the type itself, then its parents;
//! 4. `owner`: the owner of the item, then its parents;
//! 5. `channel`;
//! 6. `band`: the reader's credit band.
//!
//! So a branch's own row for "any reader, any item" beats every row of the network, and a category's row for "any
//! item" beats a row for an item type that names no category. Ties are impossible: two rows that match one situation
//! at the same distances have the same key, and [`RuleSet::validate`](super::rules_check) refuses that.
//!
//!
//! **Units' own rows** are looked at apart, in the same order; the values of the one that wins stand in the place of those of
//! the network's winner (see `own_rules`).
//!
//! Not for: limits, of which every matching row applies (see `limit`).

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::credit::CreditRules;
use super::delivery::DeliveryTerms;
use super::hold_terms::HoldTerms;
use super::ids::{CategoryId, ItemTypeId, RuleId, UnitId};
use super::item_type::ItemTypes;
use super::lending_terms::LendingTerms;
use super::limit::LimitRow;
use super::own_rules::{Delegation, OwnTerms};
use super::reader::{Channel, CreditBand};
use super::rules_fault::SetAside;
use super::unit::UnitTree;

/// One dated version of all rules. A change never alters an existing loan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSet {
    pub version: i64,
    pub effective_from: DateTime<Utc>,
    pub terms: Vec<TermsRow>,
    /// The network's, and those that units added.
    pub limits: Vec<LimitRow>,
    /// Units' own rows of terms, those of units farther down first.
    pub own: Vec<OwnTerms>,
    /// Whose the rows are that are not the network's.
    pub whose: BTreeMap<RuleId, UnitId>,
    pub delegations: Vec<Delegation>,
    /// Rows of units that do not fit any more what the network leaves open: they apply to nothing.
    pub set_aside: Vec<SetAside>,
    /// Without it nothing moves credit.
    #[serde(default)]
    pub credit: Option<CreditRules>,
}

/// The columns a row of terms may name; `None` is "any".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct RuleKey {
    pub unit: Option<UnitId>,
    pub category: Option<CategoryId>,
    pub item_type: Option<ItemTypeId>,
    pub owner: Option<UnitId>,
    pub channel: Option<Channel>,
    pub band: Option<CreditBand>,
}

impl RuleKey {
    /// The key of the obligatory fallback: every column "any".
    pub const ANY: Self = Self {
        unit: None,
        category: None,
        item_type: None,
        owner: None,
        channel: None,
        band: None,
    };
}

/// One row of terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsRow {
    pub id: RuleId,
    pub key: RuleKey,
    pub terms: Terms,
}

/// What a renewal counts its days from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenewFrom {
    /// The old due date: renewing early loses no days.
    #[default]
    DueDate,
    /// The day of the renewal.
    Today,
}

/// The terms a row grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// May be lent at all.
    pub lendable: bool,
    /// Calendar days of a loan; 0 is due the same day.
    pub loan_days: u16,
    /// May be renewed at all.
    pub renewable: bool,
    /// Renewals of one loan at most.
    pub renewals: u16,
    /// Calendar days a renewal adds.
    pub renewal_days: u16,
    pub renew_from: RenewFrom,
    /// A renewal is possible in the last so many days before the due date; 0 is any time.
    pub renew_window_days: u16,
    /// The nightly job renews by itself before the due date.
    pub auto_renew: bool,
    /// Holds may be placed.
    pub holdable: bool,
    /// Open days a captured item waits at a desk.
    pub hold_shelf_days: u16,
    /// Open days it waits in a locker (a pickup unit that is `always_open`).
    pub hold_locker_days: u16,
    /// From so many waiting holds of others on, the loan is shortened; 0 is never.
    pub high_demand_holds: u16,
    /// Calendar days of a loan then, if fewer than `loan_days`.
    pub high_demand_days: u16,
    /// Online requests and parcels.
    #[serde(default)]
    pub delivery: DeliveryTerms,
    /// Which holds are taken, and copies kept from some.
    #[serde(default)]
    pub holds: HoldTerms,
    /// A fixed term, the reading room, copies left for those who wait.
    #[serde(default)]
    pub lending: LendingTerms,
    /// Renewals of one loan by the nightly job at most, which count as renewals, too; 0 is no limit of their own.
    #[serde(default)]
    pub auto_renewals: u16,
    /// From so many waiting holds that no copy serves on, loans are called back; 0 is never.
    #[serde(default)]
    pub recall_holds: u16,
}

/// What a rule is looked up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// The place of the act: the lending unit, or the pickup unit of a hold.
    pub unit: UnitId,
    pub category: CategoryId,
    pub item_type: ItemTypeId,
    pub owner: UnitId,
    pub channel: Channel,
    pub band: CreditBand,
}

/// A column of the rules, in the order of specificity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    Unit,
    Category,
    ItemType,
    Owner,
    Channel,
    Band,
}

impl Column {
    /// All columns, the weightiest first.
    pub const ALL: [Self; 6] = [
        Self::Unit,
        Self::Category,
        Self::ItemType,
        Self::Owner,
        Self::Channel,
        Self::Band,
    ];

    /// The word used in rules and in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Category => "category",
            Self::ItemType => "item_type",
            Self::Owner => "owner",
            Self::Channel => "channel",
            Self::Band => "band",
        }
    }
}

/// A situation with its lines of ancestors looked up once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolved<'a> {
    pub(super) situation: Situation,
    pub(super) units: &'a [UnitId],
    pub(super) item_types: &'a [ItemTypeId],
    pub(super) owners: &'a [UnitId],
}

impl<'a> Resolved<'a> {
    pub(super) fn new(situation: Situation, units: &'a UnitTree, item_types: &'a ItemTypes) -> Self {
        Self {
            situation,
            units: units.ancestors(situation.unit),
            item_types: item_types.ancestors(situation.item_type),
            owners: units.ancestors(situation.owner),
        }
    }
}

/// How far a row's columns are from the situation: smaller is more specific, compared in the order of [`Column`].
pub(super) type Rank = [u16; 6];

/// The distance of a column that says "any".
const ANY: u16 = u16::MAX;

/// How well a key fits; `Err` names the first column that does not match. No allocation.
pub(super) fn rank(key: &RuleKey, at: &Resolved<'_>) -> Result<Rank, Column> {
    let situation = &at.situation;
    Ok([
        distance(key.unit, at.units).ok_or(Column::Unit)?,
        exact(key.category, situation.category).ok_or(Column::Category)?,
        distance(key.item_type, at.item_types).ok_or(Column::ItemType)?,
        distance(key.owner, at.owners).ok_or(Column::Owner)?,
        exact(key.channel, situation.channel).ok_or(Column::Channel)?,
        exact(key.band, situation.band).ok_or(Column::Band)?,
    ])
}

fn exact<T: PartialEq>(named: Option<T>, actual: T) -> Option<u16> {
    match named {
        None => Some(ANY),
        Some(named) => (named == actual).then_some(0),
    }
}

/// `line` is the thing itself and its ancestors.
fn distance<T: PartialEq>(named: Option<T>, line: &[T]) -> Option<u16> {
    let Some(named) = named else { return Some(ANY) };
    line.iter()
        .position(|one| *one == named)
        .map(|at| u16::try_from(at).unwrap_or(ANY - 1))
}

/// A checked rule set, with the rows of terms indexed by the weightiest column.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) set: RuleSet,
    fallback: TermsRow,
    by_unit: HashMap<UnitId, Vec<u32>>,
    any_unit: Vec<u32>,
    /// Own rows always name a unit.
    own_by_unit: HashMap<UnitId, Vec<u32>>,
}

impl Rules {
    /// Indexes the rows; `None` without a fallback row.
    pub(super) fn build(set: RuleSet) -> Option<Self> {
        let fallback = *set.terms.iter().find(|row| row.key == RuleKey::ANY)?;
        let (mut by_unit, mut any_unit) = (HashMap::<UnitId, Vec<u32>>::new(), Vec::new());
        for (row, index) in set.terms.iter().zip(0_u32..) {
            match row.key.unit {
                Some(unit) => by_unit.entry(unit).or_default().push(index),
                None => any_unit.push(index),
            }
        }
        let mut own_by_unit = HashMap::<UnitId, Vec<u32>>::new();
        for (row, index) in set.own.iter().zip(0_u32..) {
            if let Some(unit) = row.key.unit {
                own_by_unit.entry(unit).or_default().push(index);
            }
        }
        Some(Self {
            set,
            fallback,
            by_unit,
            any_unit,
            own_by_unit,
        })
    }

    /// The row that decides, with the terms it grants: a unit's own where one matches, on the network's.
    pub(super) fn decides(&self, at: &Resolved<'_>) -> TermsRow {
        let network = self.winner(at);
        self.own_winner(at).map_or(*network, |own| TermsRow {
            id: own.id,
            key: own.key,
            terms: own.over(network.terms),
        })
    }

    /// The winning one of the units' own rows; of two with one key that of the unit farther down, which comes first.
    pub(super) fn own_winner(&self, at: &Resolved<'_>) -> Option<&OwnTerms> {
        if self.own_by_unit.is_empty() {
            return None;
        }
        let near = at.units.iter().filter_map(|unit| self.own_by_unit.get(unit));
        near.into_iter().find_map(|rows| {
            let rows = rows.iter().filter_map(|index| self.set.own.get(*index as usize));
            let matching = rows.filter_map(|row| rank(&row.key, at).ok().map(|rank| (rank, row)));
            matching.min_by_key(|(rank, _)| *rank).map(|(_, row)| row)
        })
    }

    /// The network's winning row of terms. No allocation; the nearest unit with a matching row ends the search.
    pub(super) fn winner(&self, at: &Resolved<'_>) -> &TermsRow {
        let near = at.units.iter().filter_map(|unit| self.by_unit.get(unit));
        near.chain(std::iter::once(&self.any_unit))
            .find_map(|rows| self.best(rows, at))
            .unwrap_or(&self.fallback)
    }

    fn best(&self, rows: &[u32], at: &Resolved<'_>) -> Option<&TermsRow> {
        let rows = rows.iter().filter_map(|index| self.set.terms.get(*index as usize));
        let matching = rows.filter_map(|row| rank(&row.key, at).ok().map(|rank| (rank, row)));
        matching.min_by_key(|(rank, _)| *rank).map(|(_, row)| row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::{self, BRANCH, CENTRAL, MAIN, OTHER_MAIN, ROOT, World};
    use crate::domain::network::Network;

    fn situation(world: &World) -> Situation {
        Situation {
            unit: BRANCH,
            category: world.category("adult"),
            item_type: world.item_type("book_braille"),
            owner: MAIN,
            channel: Channel::Desk,
            band: CreditBand::B,
        }
    }

    /// A network whose terms are the fallback (rule 1) and these keys (rules 2, 3, …).
    fn network(keys: &[RuleKey]) -> Network {
        let mut parts = example::parts();
        let terms = parts.rules.terms[0].terms;
        let keys = std::iter::once(RuleKey::ANY).chain(keys.iter().copied());
        parts.rules.terms = keys
            .zip(1..)
            .map(|(key, id)| TermsRow {
                id: RuleId::new(id),
                key,
                terms,
            })
            .collect();
        Network::build(parts).unwrap()
    }

    /// The first of each pair wins.
    fn pairs(world: &World) -> Vec<(RuleKey, RuleKey)> {
        let any = RuleKey::ANY;
        let unit = |unit| RuleKey {
            unit: Some(unit),
            ..any
        };
        let category = RuleKey {
            category: Some(world.category("adult")),
            ..any
        };
        let item_type = |code| RuleKey {
            item_type: Some(world.item_type(code)),
            ..any
        };
        let owner = |owner| RuleKey {
            owner: Some(owner),
            ..any
        };
        let channel = RuleKey {
            channel: Some(Channel::Desk),
            ..any
        };
        let band = RuleKey {
            band: Some(CreditBand::B),
            ..any
        };
        vec![
            (channel, band),
            (
                owner(ROOT),
                RuleKey {
                    band: band.band,
                    ..channel
                },
            ),
            (owner(MAIN), owner(CENTRAL)),
            (
                item_type("book"),
                RuleKey {
                    channel: channel.channel,
                    ..owner(MAIN)
                },
            ),
            (item_type("book_braille"), item_type("book")),
            (
                category,
                RuleKey {
                    owner: Some(MAIN),
                    ..item_type("book_braille")
                },
            ),
            (
                unit(ROOT),
                RuleKey {
                    item_type: Some(world.item_type("book_braille")),
                    ..category
                },
            ),
            (
                unit(BRANCH),
                RuleKey {
                    category: category.category,
                    ..unit(MAIN)
                },
            ),
            (
                RuleKey {
                    band: band.band,
                    ..unit(MAIN)
                },
                unit(MAIN),
            ),
        ]
    }

    #[test]
    fn the_weightier_column_wins_and_the_nearer_match_within_it() {
        let world = example::world();
        let winner = |keys: &[RuleKey]| network(keys).winner(&situation(&world)).id.get();
        for (wins, loses) in pairs(&world) {
            assert_eq!(winner(&[wins, loses]), 2, "{wins:?} against {loses:?}");
            assert_eq!(winner(&[loses, wins]), 3, "{wins:?} against {loses:?}");
            assert_eq!(winner(&[loses]), 2, "{loses:?} against the fallback");
        }
    }

    #[test]
    fn rows_that_do_not_match_leave_the_fallback() {
        let world = example::world();
        let any = RuleKey::ANY;
        let keys = [
            RuleKey {
                unit: Some(OTHER_MAIN),
                ..any
            },
            RuleKey {
                category: Some(world.category("child")),
                ..any
            },
            RuleKey {
                item_type: Some(world.item_type("av")),
                ..any
            },
            RuleKey {
                owner: Some(OTHER_MAIN),
                ..any
            },
            RuleKey {
                channel: Some(Channel::Locker),
                ..any
            },
            RuleKey {
                band: Some(CreditBand::A),
                ..any
            },
            // Half of it matches.
            RuleKey {
                unit: Some(BRANCH),
                band: Some(CreditBand::A),
                ..any
            },
        ];
        let network = network(&keys);
        assert_eq!(network.winner(&situation(&world)).id, RuleId::new(1));
        let nowhere = Situation {
            unit: UnitId::new(999),
            item_type: ItemTypeId::new(999),
            owner: UnitId::new(999),
            ..situation(&world)
        };
        assert_eq!(network.winner(&nowhere).id, RuleId::new(1));
    }
}
