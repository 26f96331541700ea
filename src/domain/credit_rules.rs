//! A credit programme as written: the table `[credit]` of the network's rules, with codes. Reads it, tells every fault, and gives it
//! ids.
//! Not for: what it means (see `credit`).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use toml::Value;

use super::credit::{BandFrom, CreditRule, CreditRules, Programme, Regime, RegimeKind};
use super::entry_gate::GateRow;
use super::gate_rules::{self, WrittenGate};
use super::ids::{CategoryId, UnitId};
use super::reader::CreditBand;
use super::rules_fault::{CREDIT, Fault};

/// Programmes that ship with the program, as documents with nothing else in them.
pub const PRESETS: [(&str, &str); 4] = [
    (
        "cn-points-100",
        include_str!("../../config/presets/credit/cn-points-100.toml"),
    ),
    ("gz-900", include_str!("../../config/presets/credit/gz-900.toml")),
    ("qz-300", include_str!("../../config/presets/credit/qz-300.toml")),
    ("zp-200", include_str!("../../config/presets/credit/zp-200.toml")),
];

/// Points of anything are no more than this: sums of a lifetime stay far from the end of the numbers.
const MOST: i64 = 100_000;
const LAPSE_YEARS: u16 = 5;
const NAME_CHARS: usize = 50;
const REGIMES: usize = 500;

/// `[credit]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditDocument {
    pub name: String,
    pub start: i64,
    #[serde(default)]
    pub floor: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<i64>,
    #[serde(default = "usual_years")]
    pub lapse_years: u16,
    #[serde(rename = "rule", default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<CreditRule>,
    #[serde(rename = "band", default, skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<BandFrom>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Programme>,
    #[serde(rename = "regime", default, skip_serializing_if = "Vec::is_empty")]
    pub regimes: Vec<WrittenRegime>,
    #[serde(rename = "gate", default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<WrittenGate>,
}

/// A regime by its owner's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenRegime {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    pub regime: RegimeKind,
    #[serde(default)]
    pub lock_days: u16,
}

const fn usual_years() -> u16 {
    LAPSE_YEARS
}

/// The field of a gate that has the code of a category; the other codes of a programme are units'.
pub const GATE_CATEGORY: &str = "gate.category";

impl CreditDocument {
    /// Reads the table.
    ///
    /// # Errors
    /// A fault of its shape, or every fault of what it says.
    pub fn read(table: Value) -> Result<Self, Vec<Fault>> {
        let read: Result<Self, _> = table.try_into();
        let document = read.map_err(|error| {
            let reason = error.to_string();
            let expected = "a programme as docs/CREDIT.md describes it";
            vec![Fault::new(CREDIT, 0, "", reason.trim_end(), expected)]
        })?;
        let mut found = Faults(Vec::new());
        found.bounds(&document);
        found.rules(&document.rules);
        found.bands(&document);
        found.freeze(&document);
        found.regimes(&document.regimes);
        found.0.extend(gate_rules::judge(&document.gates));
        if found.0.is_empty() { Ok(document) } else { Err(found.0) }
    }

    /// The table again.
    pub fn table(&self) -> Option<Value> {
        Value::try_from(self).ok()
    }

    /// The same with ids; `id` is asked with a code and its place (table, row, field), and tells of codes it does not know.
    pub fn resolve(&self, mut id: impl FnMut((&'static str, usize, &'static str), &String) -> i64) -> CreditRules {
        let mut bands = self.bands.clone();
        bands.sort_by_key(|row| std::cmp::Reverse(row.from));
        let regimes = self.regimes.iter().zip(1..).map(|(row, number)| Regime {
            owner: row
                .owner
                .as_ref()
                .map(|code| UnitId::new(id((CREDIT, number, "regime.owner"), code))),
            kind: row.regime,
            lock_days: row.lock_days,
        });
        let regimes = regimes.collect();
        let gates = self.gates.iter().zip(1..).map(|(row, number)| {
            let (unit, category) = (row.unit.as_ref(), row.category.as_ref());
            GateRow {
                unit: unit.map(|code| UnitId::new(id((CREDIT, number, "gate.unit"), code))),
                category: category.map(|code| CategoryId::new(id((CREDIT, number, GATE_CATEGORY), code))),
                since: row.since,
                gate: row.gate(),
            }
        });
        CreditRules {
            name: self.name.clone(),
            start: self.start,
            floor: self.floor,
            ceiling: self.ceiling,
            lapse_years: self.lapse_years,
            rules: self.rules.clone(),
            bands,
            freeze: self.freeze,
            regimes,
            gates: gates.collect(),
        }
    }
}

struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, row: usize, field: &str, reason: impl Into<String>, expected: impl Into<String>) {
        self.0.push(Fault::new(CREDIT, row, field, reason, expected));
    }

    fn within(&mut self, (row, field): (usize, &str), value: i64, (min, max): (i64, i64)) {
        if !(min..=max).contains(&value) {
            self.add(row, field, format!("is {value}"), format!("{min} to {max}"));
        }
    }

    fn bounds(&mut self, document: &CreditDocument) {
        if document.name.trim().is_empty() || document.name.chars().count() > NAME_CHARS {
            self.add(0, "name", "is empty or long", format!("1 to {NAME_CHARS} characters"));
        }
        let top = document.ceiling.unwrap_or(MOST);
        self.within((0, "floor"), document.floor, (-MOST, MOST));
        self.within((0, "ceiling"), top, (document.floor.saturating_add(1), MOST));
        self.within((0, "start"), document.start, (document.floor.saturating_add(1), top));
        self.within((0, "lapse_years"), document.lapse_years.into(), (1, 50));
    }

    fn rules(&mut self, rules: &[CreditRule]) {
        let mut seen = HashSet::new();
        for (rule, row) in rules.iter().zip(1..) {
            if rule.events.is_empty() {
                self.add(row, "rule.events", "names nothing", "at least one event");
            }
            for event in &rule.events {
                if !seen.insert(*event) {
                    let reason = format!("names {} a second time", event.code());
                    self.add(row, "rule.events", reason, "each event in one rule");
                }
            }
            if rule.points == 0 {
                self.add(row, "rule.points", "is 0", "to leave the rule out");
            }
            self.within((row, "rule.points"), rule.points, (-MOST, MOST));
            let caps = [
                ("rule.per_day", rule.per_day),
                ("rule.per_month", rule.per_month),
                ("rule.per_item", rule.per_item),
            ];
            for (field, cap) in caps {
                self.within((row, field), cap.unwrap_or(1), (1, MOST));
            }
        }
    }

    fn bands(&mut self, document: &CreditDocument) {
        let mut seen = HashSet::new();
        for (one, row) in document.bands.iter().zip(1..) {
            if one.band == CreditBand::Frozen {
                self.add(
                    row,
                    "band.band",
                    "is frozen",
                    "a, b or c: freezes have a table of their own",
                );
            }
            if !seen.insert(one.band) || document.bands.iter().filter(|other| other.from == one.from).count() > 1 {
                self.add(row, "band", "is there twice", "each band and each balance once");
            }
        }
        if !document.bands.iter().any(|row| row.from <= document.floor) {
            let expected = format!("one from {}, the floor, or below", document.floor);
            self.add(0, "band", "leaves some balances without a band", expected);
        }
    }

    fn freeze(&mut self, document: &CreditDocument) {
        let Some(freeze) = document.freeze else { return };
        self.within((0, "freeze.days"), freeze.days.into(), (1, 3_650));
        let top = document.ceiling.unwrap_or(MOST);
        self.within(
            (0, "freeze.restart"),
            freeze.restart,
            (document.floor.saturating_add(1), top),
        );
        self.within((0, "freeze.hours"), freeze.hours.unwrap_or(1).into(), (1, 1_000));
    }

    fn regimes(&mut self, regimes: &[WrittenRegime]) {
        if regimes.len() > REGIMES {
            self.add(
                0,
                "regime",
                format!("has {} rows", regimes.len()),
                format!("at most {REGIMES}"),
            );
        }
        let mut seen = HashSet::new();
        for (one, row) in regimes.iter().zip(1..) {
            if !seen.insert(&one.owner) {
                self.add(row, "regime.owner", "has a regime already", "one regime for each owner");
            }
            if one.lock_days > 0 && one.regime != RegimeKind::Lock {
                self.add(
                    row,
                    "regime.lock_days",
                    "does not go with this regime",
                    "to leave it out",
                );
            }
            self.within((row, "regime.lock_days"), one.lock_days.into(), (0, 365));
        }
    }
}

/// A programme that ships with the program.
///
/// # Panics
/// For a name there is no programme of.
#[cfg(test)]
pub fn preset(name: &str) -> CreditRules {
    let (_, text) = PRESETS.iter().find(|(one, _)| *one == name).expect("a programme");
    shipped(text).expect("what ships is valid")
}

/// A document of `PRESETS`; `None` only for one that is broken.
pub fn shipped(text: &str) -> Option<CreditRules> {
    let mut tables = text.parse::<toml::Table>().ok()?;
    let document = CreditDocument::read(tables.remove("credit")?).ok()?;
    Some(document.resolve(|_, _| 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(change: impl FnOnce(&str) -> String) -> Result<CreditDocument, Vec<Fault>> {
        let text = change(PRESETS[0].1);
        let mut tables: toml::Table = text.parse().expect("TOML");
        CreditDocument::read(tables.remove("credit").expect("the table"))
    }

    #[test]
    fn every_programme_that_ships_is_valid_and_named_after_its_file() {
        for (name, text) in PRESETS {
            let rules = shipped(text).expect(name);
            assert_eq!(rules.name, name);
        }
    }

    #[test]
    fn a_programme_is_written_as_it_was_read() {
        for (name, text) in PRESETS {
            let mut tables: toml::Table = text.parse().expect("TOML");
            let document = CreditDocument::read(tables.remove("credit").expect("the table")).expect(name);
            let again = CreditDocument::read(document.table().expect("writes")).expect("reads");
            assert_eq!(again, document);
        }
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let faults = read(|text| {
            text.replace("start = 100", "start = 0")
                .replace("per_day = 5\nper_month = 30", "per_day = 0")
                .replace("events = [\"loss\"]", "events = [\"loan\"]")
                .replace("from = 0", "from = 1")
                .replace("restart = 30", "restart = 500")
        });
        let faults = faults.expect_err("five faults");
        let places: Vec<(usize, &str)> = faults.iter().map(|one| (one.row, one.field.as_str())).collect();
        let expected = [
            (0, "start"),
            (1, "rule.per_day"),
            (5, "rule.events"),
            (0, "band"),
            (0, "freeze.restart"),
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn a_word_that_is_none_and_a_regime_twice_are_refused() {
        assert!(read(|text| text.replace("days = 30", "dayz = 30")).is_err());
        assert!(read(|text| text.replace("\"points\"", "\"money\"")).is_err());
        let twice = read(|text| format!("{text}\n[[credit.regime]]\nregime = \"lock\"\n")).expect_err("twice");
        assert_eq!(twice[0].field, "regime.owner");
    }
}
