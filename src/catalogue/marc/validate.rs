//! Whether a record keeps to its format: tags, indicators, repeats, the fixed positions that later steps read, ISBNs.
//!
//! For records that people enter. Not for imports, which take records as other libraries made them.

use std::collections::HashMap;

use super::format::Format;
use super::record::{DataField, Field, MarcRecord, Tag};
use super::table::{self, FieldRule};
use crate::catalogue::isbn::{Isbn13, IsbnError};

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

/// A position of a fixed field, and what may stand there.
struct Coded {
    at: usize,
    name: &'static str,
    allowed: &'static str,
}

const fn coded(at: usize, name: &'static str, allowed: &'static str) -> Coded {
    Coded { at, name, allowed }
}

const LEADER_MARC21: [Coded; 4] = [
    coded(5, "status", "acdnp"),
    coded(6, "type", "acdefgijkmoprt"),
    coded(7, "level", "abcdims"),
    coded(9, "coding", " a"),
];
const LEADER_CNMARC: [Coded; 3] = [
    coded(5, "status", "cdnop"),
    coded(6, "type", "abcdefgijklmr"),
    coded(7, "level", "aimsc"),
];
const FIXED_008: [Coded; 1] = [coded(6, "date type", "bcdeikmnpqrstu|")];
const FIXED_100: [Coded; 1] = [coded(8, "date type", "abcdefghijku")];

/// Checks a record.
#[must_use]
pub fn validate(record: &MarcRecord, format: Format) -> Validation {
    let mut found = Validation::default();
    let leader: &[Coded] = match format {
        Format::Marc21 => &LEADER_MARC21,
        Format::Cnmarc => &LEADER_CNMARC,
    };
    positions("leader", record.leader(), leader, &mut found.errors);
    let mut seen: HashMap<Tag, usize> = HashMap::new();
    for (at, field) in record.fields().iter().enumerate() {
        let tag = match field {
            Field::Control { tag, .. } => *tag,
            Field::Data(data) => data.tag,
        };
        let path = format!("fields[{at}].{}", tag.as_str());
        let Some(rule) = table::rule(format, tag) else {
            if !table::is_local(tag) {
                found
                    .errors
                    .push(Fault::new(path, format!("{format} has no such field")));
            }
            continue;
        };
        let times = seen.entry(tag).or_default();
        *times += 1;
        if *times == 2 && !rule.repeatable {
            found.errors.push(Fault::new(&path, "may be there only once"));
        }
        match field {
            Field::Control { value, .. } => control(format, &path, tag, value, &mut found),
            Field::Data(data) => {
                check_data(&path, data, &rule, &mut found.errors);
                fixed_100(format, &path, data, &mut found.errors);
                isbns(format, &path, data, &mut found);
            }
        }
    }
    mandatory(record, format, &mut found);
    found
}

fn mandatory(record: &MarcRecord, format: Format, found: &mut Validation) {
    let (title, coded) = match format {
        Format::Marc21 => ("245", "008"),
        Format::Cnmarc => ("200", "100"),
    };
    if !record.subfields(title, 'a').any(|value| !value.trim().is_empty()) {
        found.errors.push(Fault::new(
            "fields",
            format!("a record needs a title: field {title} with subfield a"),
        ));
    }
    if record.control(coded).is_none() && record.data(coded).next().is_none() {
        let reason = format!("field {coded} is missing: the year and language are then taken from elsewhere");
        found.warnings.push(Fault::new("fields", reason));
    }
}

fn check_data(path: &str, field: &DataField, rule: &FieldRule, errors: &mut Vec<Fault>) {
    for (at, value) in field.indicators.into_iter().enumerate() {
        if !rule.allows_indicator(at, value) {
            let reason = format!("is {value:?}, but must be {}", rule.indicator_words(at));
            errors.push(Fault::new(format!("{path}.ind{}", at + 1), reason));
        }
    }
    let mut seen = Vec::new();
    for (at, subfield) in field.subfields.iter().enumerate() {
        let code = subfield.code;
        let here = || format!("{path}.subfields[{at}].{code}");
        match rule.subfield(code) {
            // 9 is left to libraries.
            None if code == '9' => {}
            None => errors.push(Fault::new(here(), "this field has no such subfield")),
            Some(false) if seen.contains(&code) => {
                errors.push(Fault::new(here(), "may be there only once in this field"));
            }
            Some(_) => seen.push(code),
        }
    }
}

fn control(format: Format, path: &str, tag: Tag, value: &str, found: &mut Validation) {
    if format == Format::Marc21 && &tag == "008" {
        if !exact_ascii(value, 40) {
            found.errors.push(Fault::new(path, "must be 40 ASCII characters"));
            return;
        }
        digits(path, value, 0..6, &mut found.errors);
        positions(path, value, &FIXED_008, &mut found.errors);
        year(path, value, 7, &mut found.errors);
        if !value[35..38]
            .bytes()
            .all(|b| b.is_ascii_lowercase() || matches!(b, b' ' | b'|'))
        {
            found.errors.push(Fault::new(
                path,
                "positions 35-37 must be a language code of three lower-case letters",
            ));
        }
    }
}

fn fixed_100(format: Format, path: &str, field: &DataField, errors: &mut Vec<Fault>) {
    if format != Format::Cnmarc || &field.tag != "100" {
        return;
    }
    let found = field
        .subfields
        .iter()
        .enumerate()
        .find(|(_, subfield)| subfield.code == 'a');
    let Some((at, subfield)) = found else {
        errors.push(Fault::new(format!("{path}.subfields"), "needs a subfield a"));
        return;
    };
    let (path, value) = (format!("{path}.subfields[{at}].a"), subfield.value.as_str());
    if !exact_ascii(value, 36) {
        errors.push(Fault::new(path, "must be 36 ASCII characters"));
        return;
    }
    digits(&path, value, 0..8, errors);
    positions(&path, value, &FIXED_100, errors);
    year(&path, value, 9, errors);
}

/// A number that is no ISBN is an error when a digit is mistyped: what is printed wrong belongs in subfield z.
fn isbns(format: Format, path: &str, field: &DataField, found: &mut Validation) {
    let tag = match format {
        Format::Marc21 => "020",
        Format::Cnmarc => "010",
    };
    if &field.tag != tag {
        return;
    }
    for (at, subfield) in field.subfields.iter().enumerate().filter(|(_, s)| s.code == 'a') {
        let path = format!("{path}.subfields[{at}].a");
        match Isbn13::parse(&subfield.value) {
            Ok(_) => {}
            Err(error @ (IsbnError::CheckDigit | IsbnError::Character)) => found.errors.push(Fault::new(
                path,
                format!("{error}; a number printed wrong goes into subfield z"),
            )),
            Err(error) => found.warnings.push(Fault::new(path, error.to_string())),
        }
    }
}

fn exact_ascii(value: &str, length: usize) -> bool {
    value.len() == length && value.is_ascii()
}

fn positions(path: &str, value: &str, fixed: &[Coded], errors: &mut Vec<Fault>) {
    for Coded { at, name, allowed } in fixed {
        let found = value.as_bytes().get(*at).copied().map_or(' ', char::from);
        if !allowed.contains(found) {
            let reason = format!("position {at} ({name}) is {found:?}, but must be one of {allowed:?}");
            errors.push(Fault::new(path, reason));
        }
    }
}

fn digits(path: &str, value: &str, range: std::ops::Range<usize>, errors: &mut Vec<Fault>) {
    if !value.as_bytes()[range.clone()].iter().all(u8::is_ascii_digit) {
        let reason = format!(
            "positions {}-{} must be digits: the date it was entered",
            range.start,
            range.end - 1
        );
        errors.push(Fault::new(path, reason));
    }
}

/// Four digits, of which the unknown ones are `u`; or no year at all.
fn year(path: &str, value: &str, from: usize, errors: &mut Vec<Fault>) {
    let found = &value.as_bytes()[from..from + 4];
    let known = found.iter().all(|b| b.is_ascii_digit() || *b == b'u');
    let none = [b' ', b'#', b'|'].iter().any(|fill| found.iter().all(|b| b == fill));
    if !known && !none {
        let reason = format!(
            "positions {from}-{} must be a year, with u for unknown digits",
            from + 3
        );
        errors.push(Fault::new(path, reason));
    }
}

#[cfg(test)]
mod tests;
