//! Checks a rule set before it is saved or used, so that no decision ever meets a rule it cannot follow.
//! Not for: choosing between rules (see `policy`).

use std::collections::{HashMap, HashSet};

use thiserror::Error;

use super::hold::QUEUE_COUNTED;
use super::hold_terms::MAX_NEW_ITEM_DAYS;
use super::ids::{CategoryId, ItemTypeId, RuleId, UnitId};
use super::item_type::ItemTypes;
use super::lending_terms::MAX_COPIES_TO_HOLDS_PERCENT;
use super::limit::{CountIn, LimitKind, LimitRow};
use super::policy::{RuleKey, RuleSet, Terms};
use super::unit::UnitTree;

/// Longest loan or renewal: five years.
pub const MAX_LOAN_DAYS: u16 = 1_830;
/// Longest wait on a hold shelf, open days.
pub const MAX_SHELF_DAYS: u16 = 90;
/// Most renewals of one loan.
pub const MAX_RENEWALS: u16 = 99;
/// Highest maximum of a limit, in pieces or fen.
pub const MAX_LIMIT: i64 = 1_000_000_000;

/// What a rule set may refer to.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub units: &'a UnitTree,
    pub item_types: &'a ItemTypes,
    pub categories: &'a dyn Fn(CategoryId) -> bool,
}

/// One fault of a rule set.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleError {
    #[error("there is no fallback: one row of terms must have every column \"any\"")]
    NoFallback,
    #[error("rule id {id} is used twice")]
    DuplicateId { id: RuleId },
    #[error("rules {first} and {second} have the same key")]
    DuplicateKey { first: RuleId, second: RuleId },
    #[error("rule {rule}: field {field} refers to the unknown {id}")]
    UnknownReference { rule: RuleId, field: &'static str, id: i64 },
    #[error("rule {rule}: field {field} is {value}, allowed is {min} to {max}")]
    OutOfRange {
        rule: RuleId,
        field: &'static str,
        value: i64,
        min: i64,
        max: i64,
    },
    #[error("rule {rule}: field {field} does not go with this kind of limit")]
    NotForKind { rule: RuleId, field: &'static str },
}

/// All faults in one line.
pub(super) fn list(errors: &[RuleError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl RuleSet {
    /// Checks everything that a decision relies on.
    ///
    /// # Errors
    /// Every fault: two rows with one key or id, no fallback row, an unknown reference, a number out of range.
    pub fn validate(&self, known: &Known<'_>) -> Result<(), Vec<RuleError>> {
        let mut faults = Faults {
            known,
            errors: Vec::new(),
        };
        if !self.terms.iter().any(|row| row.key == RuleKey::ANY) {
            faults.errors.push(RuleError::NoFallback);
        }
        faults.unique_ids(self);
        faults.unique_keys(self);
        for row in &self.terms {
            faults.key(row.id, &row.key);
            faults.terms(row.id, &row.terms);
        }
        for row in &self.limits {
            faults.limit(row);
        }
        if faults.errors.is_empty() {
            Ok(())
        } else {
            Err(faults.errors)
        }
    }
}

struct Faults<'a> {
    known: &'a Known<'a>,
    errors: Vec<RuleError>,
}

impl Faults<'_> {
    fn unique_ids(&mut self, set: &RuleSet) {
        let mut seen = HashSet::new();
        let ids = set
            .terms
            .iter()
            .map(|row| row.id)
            .chain(set.limits.iter().map(|row| row.id));
        let twice = ids.filter(|id| !seen.insert(*id));
        self.errors.extend(twice.map(|id| RuleError::DuplicateId { id }));
    }

    fn unique_keys(&mut self, set: &RuleSet) {
        let mut terms = HashMap::new();
        for row in &set.terms {
            if let Some(first) = terms.insert(row.key, row.id) {
                self.errors.push(RuleError::DuplicateKey { first, second: row.id });
            }
        }
        let mut limits = HashMap::new();
        for row in &set.limits {
            let mut when = row.when.clone();
            when.item_types.sort();
            when.except_item_types.sort();
            let key = (when, row.kind, row.count_in, row.confirm);
            if let Some(first) = limits.insert(key, row.id) {
                self.errors.push(RuleError::DuplicateKey { first, second: row.id });
            }
        }
    }

    fn key(&mut self, rule: RuleId, key: &RuleKey) {
        self.unit(rule, "unit", key.unit);
        self.unit(rule, "owner", key.owner);
        self.category(rule, key.category);
        self.item_types(rule, "item_type", key.item_type.as_slice());
    }

    fn unit(&mut self, rule: RuleId, field: &'static str, unit: Option<UnitId>) {
        if let Some(unit) = unit.filter(|unit| self.known.units.get(*unit).is_none()) {
            self.errors.push(RuleError::UnknownReference {
                rule,
                field,
                id: unit.get(),
            });
        }
    }

    fn category(&mut self, rule: RuleId, category: Option<CategoryId>) {
        if let Some(category) = category.filter(|category| !(self.known.categories)(*category)) {
            self.errors.push(RuleError::UnknownReference {
                rule,
                field: "category",
                id: category.get(),
            });
        }
    }

    fn item_types(&mut self, rule: RuleId, field: &'static str, item_types: &[ItemTypeId]) {
        for id in item_types.iter().filter(|id| self.known.item_types.get(**id).is_none()) {
            self.errors.push(RuleError::UnknownReference {
                rule,
                field,
                id: id.get(),
            });
        }
    }

    fn range(&mut self, rule: RuleId, field: &'static str, value: i64, min: i64, max: i64) {
        if value < min || value > max {
            self.errors.push(RuleError::OutOfRange {
                rule,
                field,
                value,
                min,
                max,
            });
        }
    }

    fn terms(&mut self, rule: RuleId, terms: &Terms) {
        self.errors.extend(faults_of_terms(rule, terms));
    }

    fn limit(&mut self, row: &LimitRow) {
        let when = &row.when;
        self.unit(row.id, "unit", when.unit);
        self.unit(row.id, "owner", when.owner);
        self.category(row.id, when.category);
        self.item_types(row.id, "item_types", &when.item_types);
        self.item_types(row.id, "except_item_types", &when.except_item_types);
        self.range(row.id, "max", row.max, 0, MAX_LIMIT);
        self.errors.extend(faults_of_limit(row));
    }
}

/// Members that do not go with the kind of a limit.
pub(super) fn faults_of_limit(row: &LimitRow) -> Vec<RuleError> {
    let counts_loans = matches!(
        row.kind,
        LimitKind::Loans | LimitKind::ReadingRoom | LimitKind::OverdueLoans
    );
    let wrong = [
        ("confirm", row.confirm && row.kind != LimitKind::DebtFen),
        ("count_in", !counts_loans && row.count_in != CountIn::Network),
        // Nothing is overdue in a session of a quarter of an hour.
        (
            "count_in",
            row.kind == LimitKind::OverdueLoans && row.count_in == CountIn::Session,
        ),
    ];
    let wrong = wrong.into_iter().filter(|(_, wrong)| *wrong);
    wrong
        .map(|(field, _)| RuleError::NotForKind { rule: row.id, field })
        .collect()
}

/// Values of terms that are out of their range, which depends on the other values.
pub(super) fn faults_of_terms(rule: RuleId, terms: &Terms) -> Vec<RuleError> {
    let (renewable, holdable) = (u16::from(terms.renewable), u16::from(terms.holdable));
    let shortens = u16::from(terms.high_demand_holds > 0);
    let fields = [
        ("loan_days", terms.loan_days, 0, MAX_LOAN_DAYS),
        ("renewals", terms.renewals, 0, MAX_RENEWALS),
        ("renewal_days", terms.renewal_days, renewable, MAX_LOAN_DAYS),
        ("renew_window_days", terms.renew_window_days, 0, MAX_LOAN_DAYS),
        ("hold_shelf_days", terms.hold_shelf_days, holdable, MAX_SHELF_DAYS),
        ("hold_locker_days", terms.hold_locker_days, holdable, MAX_SHELF_DAYS),
        ("high_demand_holds", terms.high_demand_holds, 0, QUEUE_COUNTED),
        ("high_demand_days", terms.high_demand_days, shortens, MAX_LOAN_DAYS),
        ("delivery_parcel_days", terms.delivery.parcel_days, 0, MAX_SHELF_DAYS),
        (
            "copies_to_holds_percent",
            terms.lending.copies_to_holds_percent,
            0,
            MAX_COPIES_TO_HOLDS_PERCENT,
        ),
        ("new_item_days", terms.holds.new_item_days, 0, MAX_NEW_ITEM_DAYS),
        ("auto_renewals", terms.auto_renewals, 0, MAX_RENEWALS),
        ("recall_holds", terms.recall_holds, 0, QUEUE_COUNTED),
    ];
    let wrong = fields
        .into_iter()
        .filter(|(_, value, min, max)| value < min || value > max);
    let error = |(field, value, min, max): (&'static str, u16, u16, u16)| RuleError::OutOfRange {
        rule,
        field,
        value: value.into(),
        min: min.into(),
        max: max.into(),
    };
    wrong.map(error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example;

    #[test]
    fn every_fault_is_named() {
        type Change = fn(&mut RuleSet);
        let cases: [(Change, &str); 17] = [
            (
                |set| set.terms.retain(|row| row.key != RuleKey::ANY),
                "there is no fallback",
            ),
            (|set| set.terms[1].key = RuleKey::ANY, "rules 1 and 2 have the same key"),
            (|set| set.terms[1].id = RuleId::new(1), "rule id 1 is used twice"),
            (
                |set| set.terms[1].key.unit = Some(UnitId::new(99)),
                "rule 2: field unit refers to the unknown 99",
            ),
            (|set| set.terms[1].key.owner = Some(UnitId::new(99)), "field owner"),
            (
                |set| set.terms[1].key.category = Some(CategoryId::new(99)),
                "field category",
            ),
            (
                |set| set.terms[1].key.item_type = Some(ItemTypeId::new(99)),
                "field item_type",
            ),
            (
                |set| set.terms[0].terms.loan_days = 9_999,
                "rule 1: field loan_days is 9999, allowed is 0 to 1830",
            ),
            (
                |set| set.terms[0].terms.renewal_days = 0,
                "field renewal_days is 0, allowed is 1",
            ),
            (|set| set.terms[0].terms.hold_locker_days = 0, "field hold_locker_days"),
            (|set| set.terms[0].terms.auto_renewals = 100, "field auto_renewals"),
            (|set| set.terms[0].terms.recall_holds = 101, "field recall_holds"),
            (|set| set.limits[0].max = -1, "field max is -1"),
            (
                |set| set.limits[0].when.item_types = vec![ItemTypeId::new(99)],
                "field item_types",
            ),
            (|set| set.limits[0].confirm = true, "field confirm does not go"),
            (
                |set| {
                    set.limits[0].kind = LimitKind::Holds;
                    set.limits[0].count_in = CountIn::Unit;
                },
                "field count_in does not go",
            ),
            (
                |set| {
                    set.limits[0].kind = LimitKind::OverdueLoans;
                    set.limits[0].count_in = CountIn::Session;
                },
                "field count_in does not go",
            ),
        ];
        let network = example::world().network;
        assert_eq!(network.check_rules(network.rules()), Ok(()));
        for (change, text) in cases {
            let mut set = network.rules().clone();
            change(&mut set);
            let errors = list(&network.check_rules(&set).unwrap_err());
            assert!(errors.contains(text), "expected {text:?} in {errors:?}");
        }
    }

    #[test]
    fn limits_that_differ_only_in_the_order_of_types_are_the_same() {
        let network = example::world().network;
        let mut set = network.rules().clone();
        let typed = set.limits.iter().find(|row| row.when.item_types.len() == 2).cloned();
        let mut again = typed.unwrap();
        again.id = RuleId::new(9_999);
        again.when.item_types.reverse();
        set.limits.push(again);
        let errors = network.check_rules(&set).unwrap_err();
        assert!(matches!(errors.as_slice(), [RuleError::DuplicateKey { .. }]));
    }
}
