//! Whether a record keeps to its format: tags, indicators, repeats, what must be there. Coded positions are `fixed.rs`, what is
//! written in a field is `content.rs`.
//!
//! For records that people enter. Not for imports, which take records as other libraries made them. An error is what later
//! steps would read wrongly, or what the format has never known; what many real records do is a warning.

use std::collections::HashMap;

use super::format::Format;
use super::record::{DataField, Field, MarcRecord, Tag};
use super::table::{self, FieldRule};
use super::{content, fixed};

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// As MARC-in-JSON is addressed: `fields[3].245.ind1`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl Fault {
    pub(super) fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validation {
    /// The record is not taken with these.
    pub errors: Vec<Fault>,
    /// Told, but taken.
    pub warnings: Vec<Fault>,
}

/// Checks a record.
#[must_use]
pub fn validate(record: &MarcRecord, format: Format) -> Validation {
    let mut found = Validation::default();
    fixed::leader(record, format, &mut found);
    let mut seen: HashMap<Tag, usize> = HashMap::new();
    for (at, field) in record.fields().iter().enumerate() {
        let tag = match field {
            Field::Control { tag, .. } => *tag,
            Field::Data(data) => data.tag,
        };
        let path = format!("fields[{at}].{}", tag.as_str());
        let Some(rule) = table::rule(format, tag) else {
            if !table::is_local(tag) {
                let reason = format!("{format} has no such field; fields of a library's own have a 9 in their tag");
                found.errors.push(Fault::new(path, reason));
            }
            continue;
        };
        let times = seen.entry(tag).or_default();
        *times += 1;
        if *times == 2 && !rule.repeatable {
            found.errors.push(Fault::new(&path, "may be there only once"));
        }
        match field {
            Field::Control { value, .. } => fixed::control(record, format, tag.as_str(), &path, value, &mut found),
            Field::Data(data) => {
                check_data(&path, data, &rule, &mut found);
                fixed::data(format, &path, data, &mut found);
                content::check(format, &path, data, &mut found);
            }
        }
    }
    if format == Format::Marc21 {
        content::links(record, &mut found);
    }
    mandatory(record, format, &mut found);
    found
}

/// What the format asks of every record beside its title, each with what is lost without it.
const WANTED: [(Format, &str, &str); 5] = [
    (
        Format::Marc21,
        "008",
        "the year and language are then taken from elsewhere",
    ),
    (Format::Marc21, "040", "nobody knows then who catalogued it"),
    (
        Format::Cnmarc,
        "100",
        "the year and language are then taken from elsewhere",
    ),
    (Format::Cnmarc, "101", "it is then found under no language"),
    (Format::Cnmarc, "801", "nobody knows then who catalogued it"),
];
/// RDA describes every carrier with these.
const OF_RDA: [&str; 3] = ["336", "337", "338"];

fn mandatory(record: &MarcRecord, format: Format, found: &mut Validation) {
    let title = match format {
        Format::Marc21 => "245",
        Format::Cnmarc => "200",
    };
    if !record.subfields(title, 'a').any(|value| !value.trim().is_empty()) {
        found.errors.push(Fault::new(
            "fields",
            format!("a record needs a title: field {title} with subfield a"),
        ));
    }
    let is_there = |tag: &str| record.control(tag).is_some() || record.data(tag).next().is_some();
    for (_, tag, lost) in WANTED.iter().filter(|(of, tag, _)| *of == format && !is_there(tag)) {
        found
            .warnings
            .push(Fault::new("fields", format!("field {tag} is missing: {lost}")));
    }
    if format == Format::Marc21 && record.subfields("040", 'e').any(|rules| rules == "rda") {
        for tag in OF_RDA.iter().filter(|tag| !is_there(tag)) {
            found.warnings.push(Fault::new(
                "fields",
                format!("field {tag} is missing, which RDA asks for"),
            ));
        }
    }
}

fn check_data(path: &str, field: &DataField, rule: &FieldRule, found: &mut Validation) {
    for (at, value) in field.indicators.into_iter().enumerate() {
        if !rule.allows_indicator(at, value) {
            let reason = format!("is {value:?}, but must be {}", rule.indicator_words(at));
            let tolerated = rule.tolerates_indicator(at, value);
            let faults = if tolerated {
                &mut found.warnings
            } else {
                &mut found.errors
            };
            faults.push(Fault::new(format!("{path}.ind{}", at + 1), reason));
        }
    }
    let mut seen = Vec::new();
    for (at, subfield) in field.subfields.iter().enumerate() {
        let code = subfield.code;
        let here = || format!("{path}.subfields[{at}].{code}");
        match rule.subfield(code) {
            // 9 is left to libraries.
            None if code == '9' => {}
            None => found.errors.push(Fault::new(here(), "this field has no such subfield")),
            Some(false) if seen.contains(&code) => {
                found
                    .errors
                    .push(Fault::new(here(), "may be there only once in this field"));
            }
            Some(_) => seen.push(code),
        }
    }
}

#[cfg(test)]
mod real_records;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod written;
