//! The cached snapshot of configuration that every decision reads: units, item types, categories, collections,
//! membership, rules. The store builds it once per version and shares it.
//! Not for: anything that changes with circulation.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::calendar::{self, Calendar};
use super::ids::{CategoryId, CollectionId, ItemTypeId, UnitId};
use super::item::ReturnPolicy;
use super::item_type::{ItemType, ItemTypeError, ItemTypes};
use super::limit::{Counter, LimitKind, LimitState, Usage};
use super::membership::{Joined, Membership, Memberships};
use super::network_index::{check_closed, index_categories, index_collections, index_memberships};
use super::own_rules::OwnTerms;
use super::policy::{Resolved, RuleSet, Rules, Situation, TermsRow};
use super::rules_check::{self, RuleError};
use super::self_registration::SelfRegistrations;
use super::sending::Sending;
use super::unit::{Unit, UnitTree, UnitTreeError};

/// One reader category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    pub id: CategoryId,
    pub code: String,
    pub name_zh: String,
    pub name_en: String,
    /// Local use only: an act counts in statistics and makes no loan.
    pub reading_only: bool,
    /// Only items and units for children.
    pub child: bool,
    /// An institution, not a person.
    pub institutional: bool,
    /// Whole years, both included.
    pub min_age_years: Option<u8>,
    pub max_age_years: Option<u8>,
}

/// A named part of a unit's stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    pub id: CollectionId,
    pub unit: UnitId,
    pub code: String,
    pub name: String,
    /// `None`: as its unit.
    pub return_policy: Option<ReturnPolicy>,
}

/// Plain rows, as the store loads them.
#[derive(Debug, Clone)]
pub struct NetworkParts {
    /// Raised by every change of configuration; read in every transaction.
    pub version: i64,
    /// Where due dates are reckoned.
    pub zone: Tz,
    pub units: Vec<Unit>,
    pub item_types: Vec<ItemType>,
    pub categories: Vec<Category>,
    pub collections: Vec<Collection>,
    pub memberships: Vec<Membership>,
    pub rules: RuleSet,
    /// No rules were in force before these: they decide what was before them, too.
    pub rules_first: bool,
    /// When other rules take their place, as far as is known.
    pub rules_until: Option<DateTime<Utc>>,
    /// What units send, and the costs of transport.
    pub sending: Sending,
    /// What units say of registration by the reader.
    pub self_registrations: SelfRegistrations,
}

/// Why rows are not a network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NetworkError {
    #[error("units: {0}")]
    Units(#[from] UnitTreeError),
    #[error("item types: {0}")]
    ItemTypes(#[from] ItemTypeError),
    #[error("category {id} or its code {code} is listed twice")]
    DuplicateCategory { id: CategoryId, code: String },
    #[error("category {id}: its lowest age is above its highest")]
    CategoryAges { id: CategoryId },
    #[error("collection {id} is listed twice")]
    DuplicateCollection { id: CollectionId },
    #[error("collection {id} belongs to the unknown unit {unit}")]
    CollectionUnit { id: CollectionId, unit: UnitId },
    #[error("unit {unit}: closed from {first} to {last} ends before it begins")]
    ClosedBackwards {
        unit: UnitId,
        first: NaiveDate,
        last: NaiveDate,
    },
    #[error("membership names the unknown unit {0}")]
    MembershipUnit(UnitId),
    #[error("membership names the unknown item type {0}")]
    MembershipItemType(ItemTypeId),
    #[error("membership of unit {unit} is set twice for the same item type")]
    DuplicateMembership {
        unit: UnitId,
        item_type: Option<ItemTypeId>,
    },
    #[error("rules: {}", rules_check::list(.0))]
    Rules(Vec<RuleError>),
}

/// The snapshot.
#[derive(Debug, Clone)]
pub struct Network {
    version: i64,
    zone: Tz,
    units: UnitTree,
    item_types: ItemTypes,
    categories: HashMap<CategoryId, Category>,
    category_codes: HashMap<String, CategoryId>,
    collections: HashMap<CollectionId, Collection>,
    memberships: Memberships,
    rules: Rules,
    rules_first: bool,
    rules_until: Option<DateTime<Utc>>,
    sending: Sending,
    self_registrations: SelfRegistrations,
}

impl Network {
    /// Checks and indexes the rows.
    ///
    /// # Errors
    /// The first fault of the units, item types, categories, collections or membership; all faults of the rules.
    pub fn build(parts: NetworkParts) -> Result<Self, NetworkError> {
        let units = UnitTree::build(parts.units)?;
        let item_types = ItemTypes::build(parts.item_types)?;
        let (categories, category_codes) = index_categories(parts.categories)?;
        check_closed(&units)?;
        let collections = index_collections(parts.collections, &units)?;
        let memberships = index_memberships(parts.memberships, &units, &item_types)?;
        let known = rules_check::Known {
            units: &units,
            item_types: &item_types,
            categories: &|id| categories.contains_key(&id),
        };
        parts.rules.validate(&known).map_err(NetworkError::Rules)?;
        let rules = Rules::build(parts.rules).ok_or_else(|| NetworkError::Rules(vec![RuleError::NoFallback]))?;
        Ok(Self {
            version: parts.version,
            zone: parts.zone,
            units,
            item_types,
            categories,
            category_codes,
            collections,
            memberships,
            rules,
            rules_first: parts.rules_first,
            rules_until: parts.rules_until,
            sending: parts.sending,
            self_registrations: parts.self_registrations,
        })
    }

    /// The version of the configuration this was built from.
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// Where due dates are reckoned.
    pub const fn zone(&self) -> Tz {
        self.zone
    }

    /// The unit tree.
    pub const fn units(&self) -> &UnitTree {
        &self.units
    }

    /// One unit.
    pub fn unit(&self, id: UnitId) -> Option<&Unit> {
        self.units.get(id)
    }

    /// All item types.
    pub const fn item_types(&self) -> &ItemTypes {
        &self.item_types
    }

    /// What units send, and the costs of transport.
    pub const fn sending(&self) -> &Sending {
        &self.sending
    }

    /// What units say of registration by the reader.
    pub const fn self_registrations(&self) -> &SelfRegistrations {
        &self.self_registrations
    }

    /// One category.
    pub fn category(&self, id: CategoryId) -> Option<&Category> {
        self.categories.get(&id)
    }

    /// One category by its code.
    pub fn category_by_code(&self, code: &str) -> Option<&Category> {
        self.category_codes.get(code).and_then(|id| self.categories.get(id))
    }

    /// All categories, by id.
    pub fn categories(&self) -> Vec<&Category> {
        let mut all: Vec<&Category> = self.categories.values().collect();
        all.sort_by_key(|category| category.id);
        all
    }

    /// One collection.
    pub fn collection(&self, id: CollectionId) -> Option<&Collection> {
        self.collections.get(&id)
    }

    /// What happens to a copy that comes back elsewhere: the collection says it; else the copy's home or the nearest unit above
    /// that says anything; else it travels home.
    pub fn return_policy(&self, collection: Option<CollectionId>, home: UnitId) -> ReturnPolicy {
        let own = collection.and_then(|id| self.collection(id)?.return_policy);
        own.unwrap_or_else(|| self.unit_return_policy(home).1)
    }

    /// The policy of a unit's copies without a word of their own, and which unit says it (`None`: nobody does).
    pub fn unit_return_policy(&self, unit: UnitId) -> (Option<UnitId>, ReturnPolicy) {
        let line = self.units.ancestors(unit).iter();
        let said = line
            .filter_map(|id| Some((Some(*id), self.unit(*id)?.return_policy?)))
            .next();
        said.unwrap_or((None, ReturnPolicy::Home))
    }

    /// The rule set in force.
    pub const fn rules(&self) -> &RuleSet {
        &self.rules.set
    }

    /// Checks a rule set against this network before it is saved.
    ///
    /// # Errors
    /// Every fault, each naming its rule and field.
    pub fn check_rules(&self, rules: &RuleSet) -> Result<(), Vec<RuleError>> {
        let categories = |id| self.categories.contains_key(&id);
        rules.validate(&rules_check::Known {
            units: &self.units,
            item_types: &self.item_types,
            categories: &categories,
        })
    }

    /// The row of terms that decides and what it grants; see [`policy`](super::policy) for the order.
    pub fn winner(&self, situation: &Situation) -> TermsRow {
        self.rules.decides(&self.resolve(*situation))
    }

    /// The rows behind [`winner`](Self::winner): the network's, and the unit's own that stands on it.
    pub fn winners(&self, situation: &Situation) -> (&TermsRow, Option<&OwnTerms>) {
        let at = self.resolve(*situation);
        (self.rules.winner(&at), self.rules.own_winner(&at))
    }

    /// Whether these rules are the ones in force at a moment.
    pub fn governs(&self, at: DateTime<Utc>) -> bool {
        (self.rules_first || at >= self.rules.set.effective_from) && self.rules_until.is_none_or(|until| at < until)
    }

    /// The same network under other rules, which were checked against it; unchanged when they have no fallback.
    pub(super) fn under(self, rules: RuleSet) -> Result<Self, Box<Self>> {
        match Rules::build(rules) {
            Some(rules) => Ok(Self { rules, ..self }),
            None => Err(Box::new(self)),
        }
    }

    /// Every limit of these kinds that applies, counted; the tightest first.
    pub fn limits<'n>(&'n self, situation: &Situation, kinds: &[LimitKind], usage: &Usage<'_>) -> Vec<LimitState<'n>> {
        let counter = Counter {
            units: &self.units,
            item_types: &self.item_types,
            at: self.resolve(*situation),
        };
        let rows = self.rules.set.limits.iter().filter(|row| kinds.contains(&row.kind));
        let applying = rows.filter(|row| counter.applies(row, usage).is_ok());
        let mut states: Vec<LimitState<'n>> = applying.map(|row| counter.state(row, usage)).collect();
        states.sort_by(LimitState::tightness);
        states
    }

    fn resolve(&self, situation: Situation) -> Resolved<'_> {
        Resolved::new(situation, &self.units, &self.item_types)
    }

    /// As it would be with another calendar of a unit: for previews. `change` leaves the unit's id, code and place as they are.
    #[must_use]
    pub fn with_unit(&self, id: UnitId, change: impl FnOnce(&mut Unit)) -> Self {
        let mut network = self.clone();
        network.units.edit(id, change);
        network
    }

    /// The first unit, at `unit` or below it, that has no open day in the year from `today` and had one `before`.
    pub fn never_open(&self, before: &Self, unit: UnitId, today: NaiveDate) -> Option<&Unit> {
        // A unit that says nothing of its own is open when its parent is.
        let speaks = |one: &&Unit| {
            let machine_beside = one.always_open && one.dated.closings.is_empty();
            let hours = one.hours.is_some() || !one.stops_in_force().is_empty();
            let silent = !hours && one.closed.is_empty() && one.dated.closings.is_empty();
            one.id == unit || !(machine_beside || silent)
        };
        let mut units = self.units.subtree(unit).filter(speaks);
        let opens = |network: &Self, one: &Unit| network.calendar(one.id).opens_within_a_year(today);
        units.find(|one| !opens(self, one) && opens(before, one))
    }

    /// The effective calendar of a unit.
    pub fn calendar(&self, unit: UnitId) -> Calendar<'_> {
        Calendar::of(&self.units, unit)
    }

    /// The day of a moment in the network's zone.
    pub fn local_day(&self, at: DateTime<Utc>) -> NaiveDate {
        calendar::local_day(self.zone, at)
    }

    /// What a unit has joined for an item type, inherited.
    pub fn joined(&self, unit: UnitId, item_type: ItemTypeId) -> Joined {
        self.memberships
            .resolve(self.units.ancestors(unit), self.item_types.ancestors(item_type))
    }

    /// Whether `unit` is the item's own ground: its home shelf unit, or in its owner's subtree.
    pub fn is_local(&self, owner: UnitId, home: UnitId, unit: UnitId) -> bool {
        unit == home || self.units.is_within(unit, owner)
    }

    /// Whether an item may be lent at a unit: on its own ground always, elsewhere if both sides have joined.
    pub fn may_lend_at(&self, owner: UnitId, home: UnitId, item_type: ItemTypeId, unit: UnitId) -> bool {
        self.is_local(owner, home, unit)
            || (self.joined(owner, item_type).lend_away && self.joined(unit, item_type).lend_away)
    }

    /// Whether an item may be returned at a unit: on its own ground always, elsewhere if both sides have joined.
    pub fn may_return_at(&self, owner: UnitId, home: UnitId, item_type: ItemTypeId, unit: UnitId) -> bool {
        self.is_local(owner, home, unit)
            || (self.joined(owner, item_type).return_away && self.joined(unit, item_type).return_away)
    }

    /// Whether readers of a home unit may borrow an owner's items: within one family of units always, elsewhere if
    /// the reader's home has joined.
    pub fn may_borrow_from(&self, reader_home: UnitId, owner: UnitId, item_type: ItemTypeId) -> bool {
        self.units.is_within(reader_home, owner)
            || self.units.is_within(owner, reader_home)
            || self.joined(reader_home, item_type).readers_away
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example;

    #[test]
    fn rows_that_do_not_fit_together_are_refused() {
        type Change = fn(&mut NetworkParts);
        let cases: [(Change, &str); 8] = [
            (|parts| parts.units.clear(), "units: there is no root"),
            (|parts| parts.item_types[0].id = ItemTypeId::new(2), "item types: "),
            (
                |parts| parts.categories[0].id = CategoryId::new(2),
                "category 2 or its code",
            ),
            (
                |parts| parts.categories[0].max_age_years = Some(1),
                "its lowest age is above its highest",
            ),
            (
                |parts| {
                    let (id, unit) = (CollectionId::new(1), UnitId::new(99));
                    let (code, name, return_policy) = ("A".into(), "A".into(), None);
                    parts.collections.push(Collection {
                        id,
                        unit,
                        code,
                        name,
                        return_policy,
                    });
                },
                "collection 1 belongs to the unknown unit 99",
            ),
            (
                |parts| parts.memberships[0].unit = UnitId::new(99),
                "membership names the unknown unit 99",
            ),
            (
                |parts| parts.memberships[0].item_type = Some(ItemTypeId::new(99)),
                "membership names the unknown item type 99",
            ),
            (|parts| parts.rules.terms.clear(), "rules: there is no fallback"),
        ];
        for (change, text) in cases {
            let mut parts = example::parts();
            change(&mut parts);
            let error = Network::build(parts).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(text), "expected {text:?} in {error:?}");
        }
    }

    #[test]
    fn a_closed_range_must_not_end_before_it_begins() {
        let mut parts = example::parts();
        let range = &mut parts.units[0].closed[0];
        std::mem::swap(&mut range.first, &mut range.last);
        let error = Network::build(parts).map(|_| ()).unwrap_err();
        assert!(matches!(error, NetworkError::ClosedBackwards { .. }));
    }
}
