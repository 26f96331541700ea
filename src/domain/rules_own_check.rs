//! Whether a unit's own rows fit what the network leaves open to it: its own subtree, open fields, within the bounds.
//! Not for: the network's own rows (see `rules_check`).

use std::collections::HashSet;

use super::ids::{ItemTypeId, UnitId};
use super::limit::LimitRow;
use super::network::Network;
use super::own_rules::{Delegation, OwnTerms};
use super::policy::{RuleKey, RuleSet};
use super::rules_check::{RuleError, faults_of_limit, faults_of_terms};
use super::rules_fault::{CREDIT, DELEGATE, Fault, LIMIT, TERMS};
use super::rules_layer::{Layer, WrittenLimit, WrittenTerms};
use super::rules_layers::Coder;
use super::unit::Unit;

/// Adds a unit's rows that fit to `set`, numbered after `before`; answers why the others do not.
pub(super) fn add_layer(
    network: &Network,
    set: &mut RuleSet,
    (by, layer): (UnitId, &Layer),
    before: usize,
) -> Vec<Fault> {
    let Some(unit) = network.unit(by) else {
        return vec![Fault::of_document("its unit is unknown", "a unit of the network")];
    };
    let open = set.open_to(unit).cloned();
    if open.is_none() && layer.numbers() > 0 {
        let reason = format!(
            "the network leaves nothing open to {} ({})",
            unit.code,
            unit.kind.code()
        );
        return vec![Fault::of_document(
            reason,
            "an empty document, until the network opens something",
        )];
    }
    let open = open.unwrap_or_else(nothing);
    network.with_book(|book| {
        let mut judge = Judge {
            network,
            unit,
            open: &open,
            coder: Coder::new(book),
            seen: HashSet::new(),
        };
        for section in &layer.delegates {
            let reason = "only the network leaves something open to others";
            judge.fault(DELEGATE, section.row, "", reason, "to leave this section out");
        }
        if layer.credit.is_some() {
            let reason = "only the network says what moves credit";
            judge.fault(CREDIT, 0, "", reason, "to leave this table out");
        }
        for written in &layer.terms {
            if let Some((key, own)) = judge.terms(set, written) {
                let id = Layer::terms_id(before, written.row);
                set.whose.insert(id, by);
                set.own.push(OwnTerms {
                    id,
                    by,
                    key,
                    values: own,
                });
            }
        }
        let mut seen = HashSet::new();
        for written in &layer.limits {
            let id = layer.limit_id(before, written.row);
            if let Some(row) = judge.limit(written, id) {
                if seen.insert((row.when.clone(), row.kind, row.count_in)) {
                    set.whose.insert(id, by);
                    set.limits.push(row);
                } else {
                    let reason = "has the same columns as a limit before it";
                    judge.fault(LIMIT, written.row, "when", reason, "columns of its own");
                }
            }
        }
        judge.coder.faults
    })
}

const fn nothing() -> Delegation {
    Delegation {
        to: super::own_rules::OpenTo::Unit(UnitId::new(0)),
        terms: Vec::new(),
        limits: Vec::new(),
    }
}

struct Judge<'a> {
    network: &'a Network,
    unit: &'a Unit,
    open: &'a Delegation,
    coder: Coder<'a>,
    seen: HashSet<RuleKey>,
}

type Values = Vec<(super::own_rules::TermField, u16)>;

impl Judge<'_> {
    fn fault(&mut self, table: &str, row: usize, field: &str, reason: impl Into<String>, expected: impl Into<String>) {
        self.coder.faults.push(Fault::new(table, row, field, reason, expected));
    }

    fn terms(&mut self, set: &RuleSet, written: &WrittenTerms) -> Option<(RuleKey, Values)> {
        let (before, row) = (self.coder.faults.len(), written.row);
        let key = self.coder.key(row, &written.when);
        self.place(TERMS, row, (key.unit, key.owner), before);
        if written.values.is_empty() {
            self.fault(TERMS, row, "", "decides nothing", "at least one field that is open");
        }
        for (field, value) in &written.values {
            let code = field.code();
            match self.open.term(*field) {
                None => {
                    let open: Vec<&str> = self.open.terms.iter().map(|(open, _)| open.code()).collect();
                    let expected = format!("only what is open to {}: {}", self.unit.code, listed(&open));
                    self.fault(TERMS, row, code, "is not open", expected);
                }
                Some(bound) if !bound.holds(i64::from(*value)) => {
                    let reason = format!("is {value}, beyond what is open");
                    self.fault(TERMS, row, code, reason, bound.to_string());
                }
                Some(_) => {}
            }
        }
        if before == self.coder.faults.len() {
            self.beside(set, row, &key, &written.values);
        }
        if before == self.coder.faults.len() && !self.seen.insert(key) {
            let reason = "has the same columns as a row before it";
            self.fault(TERMS, row, "when", reason, "columns of its own");
        }
        (before == self.coder.faults.len()).then(|| (key, written.values.clone()))
    }

    /// The unit it decides for, and whose items, must be its own.
    fn place(&mut self, table: &str, row: usize, (at, owner): (Option<UnitId>, Option<UnitId>), before: usize) {
        let within = |unit: UnitId| self.network.units().is_within(unit, self.unit.id);
        let code = self.unit.code.clone();
        let expected = format!("{code} or a unit below it");
        // An unknown unit was told already.
        let known = |field: &str| !self.coder.faults[before..].iter().any(|one| one.field == field);
        let (at_known, owner_known) = (known("when.unit"), known("when.owner"));
        let (inside, owned) = (at.is_some_and(within), owner.is_none_or(within));
        if at.is_none() {
            let reason = format!("is missing: a row of {code}'s own decides for its own units only");
            self.fault(table, row, "when.unit", reason, expected.clone());
        } else if at_known && !inside {
            self.fault(
                table,
                row,
                "when.unit",
                format!("lies outside {code}"),
                expected.clone(),
            );
        }
        if owner_known && !owned {
            let reason = format!("means items that are not {code}'s");
            self.fault(
                table,
                row,
                "when.owner",
                reason,
                format!("{expected}, or to leave it out"),
            );
        }
    }

    /// Whether the values make sense over every row of the network that this one may stand on.
    fn beside(&mut self, set: &RuleSet, row: usize, key: &RuleKey, values: &Values) {
        let own = OwnTerms {
            id: super::ids::RuleId::new(0),
            by: self.unit.id,
            key: *key,
            values: values.clone(),
        };
        let met = set.terms.iter().filter(|network| self.meets(&network.key, key));
        let faults = met.flat_map(|network| {
            let errors = faults_of_terms(network.id, &own.over(network.terms));
            let here = faults_of_terms(network.id, &network.terms);
            errors.into_iter().filter(move |error| !here.contains(error))
        });
        let first = faults.into_iter().next();
        if let Some(RuleError::OutOfRange {
            rule,
            field,
            value,
            min,
            max,
        }) = first
        {
            let reason = format!("would be {value} where the network's row {rule} decides the rest");
            let expected = format!("{min} to {max}, or a narrower `when`");
            self.fault(TERMS, row, field, reason, expected);
        }
    }

    /// Whether some situation matches both keys.
    fn meets(&self, network: &RuleKey, own: &RuleKey) -> bool {
        let units = self.network.units();
        let line = |a: Option<UnitId>, b: Option<UnitId>| {
            a.zip(b)
                .is_none_or(|(a, b)| units.is_within(a, b) || units.is_within(b, a))
        };
        let types = |a: Option<ItemTypeId>, b: Option<ItemTypeId>| {
            let types = self.network.item_types();
            a.zip(b)
                .is_none_or(|(a, b)| types.is_within(a, b) || types.is_within(b, a))
        };
        line(network.unit, own.unit)
            && line(network.owner, own.owner)
            && types(network.item_type, own.item_type)
            && same(network.category, own.category)
            && same(network.channel, own.channel)
            && same(network.band, own.band)
    }

    fn limit(&mut self, written: &WrittenLimit, id: super::ids::RuleId) -> Option<LimitRow> {
        let (before, row, limit) = (self.coder.faults.len(), written.row, &written.limit);
        let when = self.coder.when(row, &limit.when);
        self.place(LIMIT, row, (when.unit, when.owner), before);
        match self.open.limit(limit.kind) {
            None => {
                let open: Vec<&str> = self.open.limits.iter().map(|(kind, _)| kind.code()).collect();
                let expected = format!("only what is open to {}: {}", self.unit.code, listed(&open));
                self.fault(
                    LIMIT,
                    row,
                    "kind",
                    format!("{} is not open", limit.kind.code()),
                    expected,
                );
            }
            Some(bound) if !bound.holds(limit.max) => {
                let reason = format!("is {}, beyond what is open", limit.max);
                self.fault(LIMIT, row, "max", reason, bound.to_string());
            }
            Some(_) => {}
        }
        let made = LimitRow {
            id,
            when,
            kind: limit.kind,
            count_in: limit.count_in,
            max: limit.max,
            confirm: limit.confirm,
        };
        for error in faults_of_limit(&made) {
            if let RuleError::NotForKind { field, .. } = error {
                self.fault(
                    LIMIT,
                    row,
                    field,
                    "does not go with this kind of limit",
                    "to leave it out",
                );
            }
        }
        (before == self.coder.faults.len()).then_some(made)
    }
}

fn same<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    a.zip(b).is_none_or(|(a, b)| a == b)
}

fn listed(words: &[&str]) -> String {
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(", ")
    }
}
