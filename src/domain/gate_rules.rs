//! Gates as written: `[[credit.gate]]` of the network's rules, with codes.
//! Not for: which of them counts (see `entry_gate`).

use std::collections::HashSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::entry_gate::Gate;
use super::rules_fault::{CREDIT, Fault};

/// More are a mistake of whoever made the file.
const MOST_GATES: usize = 500;
const PROVIDER_CHARS: usize = 32;
const MOST_SCORE: u16 = 10_000;
const MOST_FEN: i64 = 1_000_000;

/// A gate, and whose it is, by codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenGate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<NaiveDate>,
    pub kind: GateKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fen: Option<i64>,
}

/// The word for a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateKind {
    None,
    ExternalScore,
    Deposit,
}

impl WrittenGate {
    /// The gate, once it was judged.
    pub fn gate(&self) -> Gate {
        match self.kind {
            GateKind::None => Gate::None,
            GateKind::ExternalScore => Gate::ExternalScore {
                provider: self.provider.clone().unwrap_or_default(),
                threshold: self.threshold.unwrap_or_default(),
                reports: self.reports.unwrap_or_default(),
            },
            GateKind::Deposit => Gate::Deposit {
                fen: self.fen.unwrap_or_default(),
            },
        }
    }
}

/// Every fault of the gates.
pub fn judge(gates: &[WrittenGate]) -> Vec<Fault> {
    let mut faults = Vec::new();
    if gates.len() > MOST_GATES {
        let reason = format!("has {} rows", gates.len());
        faults.push(Fault::new(CREDIT, 0, "gate", reason, format!("at most {MOST_GATES}")));
    }
    let mut seen = HashSet::new();
    for (gate, row) in gates.iter().zip(1..) {
        let mut add = |field: &str, reason: &str, expected: &str| {
            faults.push(Fault::new(CREDIT, row, field, reason, expected));
        };
        if !seen.insert((&gate.unit, &gate.category)) {
            add("gate", "is there twice", "one gate for each unit and category");
        }
        judge_members(gate, &mut add);
    }
    faults
}

fn judge_members(gate: &WrittenGate, add: &mut impl FnMut(&str, &str, &str)) {
    let scored = gate.kind == GateKind::ExternalScore;
    let provider = gate.provider.as_deref().unwrap_or_default();
    let named = (1..=PROVIDER_CHARS).contains(&provider.len())
        && provider
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if scored && !named {
        let expected = "1 to 32 letters, digits, dots and dashes: admission.provider of the settings";
        add("gate.provider", "is missing, or no name", expected);
    }
    if scored && !gate.threshold.is_some_and(|score| (1..=MOST_SCORE).contains(&score)) {
        add("gate.threshold", "is missing, or out of range", "1 to 10000");
    }
    let others = [
        ("gate.provider", gate.provider.is_some()),
        ("gate.threshold", gate.threshold.is_some()),
        ("gate.reports", gate.reports.is_some()),
    ];
    for (field, _) in others.iter().filter(|(_, is_there)| *is_there && !scored) {
        add(field, "does not go with this gate", "to leave it out");
    }
    let deposit = gate.kind == GateKind::Deposit;
    if deposit && !gate.fen.is_some_and(|fen| (1..=MOST_FEN).contains(&fen)) {
        add("gate.fen", "is missing, or out of range", "1 to 1000000");
    }
    if !deposit && gate.fen.is_some() {
        add("gate.fen", "does not go with this gate", "to leave it out");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<(usize, String)> {
        #[derive(Deserialize)]
        struct Document {
            gate: Vec<WrittenGate>,
        }
        let document: Document = toml::from_str(text).expect("of the right shape");
        let faults = judge(&document.gate);
        faults.into_iter().map(|fault| (fault.row, fault.field)).collect()
    }

    #[test]
    fn a_gate_that_is_whole_has_no_fault() {
        let text = "[[gate]]\nkind = \"external_score\"\nprovider = \"city-score\"\nthreshold = 600\nsince = \"2026-03-01\"\n\
                    [[gate]]\ncategory = \"child\"\nkind = \"none\"\n[[gate]]\nunit = \"D01\"\nkind = \"deposit\"\nfen = 10000\n";
        assert_eq!(places(text), []);
    }

    #[test]
    fn every_fault_of_a_gate_is_told_with_its_place() {
        let text = "[[gate]]\nkind = \"external_score\"\nprovider = \"a b\"\nfen = 1\n[[gate]]\nkind = \"deposit\"\nreports = true\n";
        let expected = [
            (1, "gate.provider"),
            (1, "gate.threshold"),
            (1, "gate.fen"),
            (2, "gate"),
            (2, "gate.reports"),
            (2, "gate.fen"),
        ];
        assert_eq!(places(text), expected.map(|(row, field)| (row, field.to_owned())));
    }
}
