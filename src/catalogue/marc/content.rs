//! What is written in a field: numbers with a check digit, codes of languages and countries, classes, links between fields.
//!
//! An error is what would be found wrongly or not at all later; the rest is told and taken.

use super::format::Format;
use super::record::{DataField, MarcRecord, Subfield};
use super::validate::{Fault, Validation};
use crate::catalogue::isbn::{Isbn13, IsbnError};

/// The main classes of the Chinese Library Classification: every letter but L, M, W and Y.
const CLC: &str = "ABCDEFGHIJKNOPQRSTUVXZ";
/// Fields that say nothing without their subfield a.
const MARC21_NEEDS_A: [&str; 17] = [
    "100", "110", "111", "130", "245", "250", "490", "500", "520", "600", "650", "651", "655", "700", "710", "711",
    "830",
];
const CNMARC_NEEDS_A: [&str; 16] = [
    "101", "102", "205", "225", "300", "330", "600", "601", "606", "607", "610", "690", "700", "701", "710", "711",
];

/// Where faults of one field go.
struct At<'a> {
    path: &'a str,
    field: &'a DataField,
    found: &'a mut Validation,
}

impl At<'_> {
    fn each(&mut self, code: char, mut check: impl FnMut(&str) -> Option<(bool, String)>) {
        for (at, Subfield { value, .. }) in self.field.subfields.iter().enumerate().filter(|(_, s)| s.code == code) {
            let Some((is_error, reason)) = check(value) else {
                continue;
            };
            let fault = Fault::new(format!("{}.subfields[{at}].{code}", self.path), reason);
            let faults = if is_error {
                &mut self.found.errors
            } else {
                &mut self.found.warnings
            };
            faults.push(fault);
        }
    }

    fn warn(&mut self, reason: impl Into<String>) {
        self.found.warnings.push(Fault::new(self.path, reason));
    }

    fn has(&self, code: char) -> bool {
        self.field.first(code).is_some_and(|value| !value.trim().is_empty())
    }
}

/// Checks a data field.
pub(super) fn check(format: Format, path: &str, field: &DataField, found: &mut Validation) {
    let mut at = At { path, field, found };
    let tag = field.tag.as_str();
    let needs_a: &[&str] = match format {
        Format::Marc21 => &MARC21_NEEDS_A,
        Format::Cnmarc => &CNMARC_NEEDS_A,
    };
    if needs_a.contains(&tag) && !at.has('a') {
        at.warn("says nothing without a subfield a");
    }
    match format {
        Format::Marc21 => marc21(tag, &mut at),
        Format::Cnmarc => cnmarc(tag, &mut at),
    }
}

fn marc21(tag: &str, at: &mut At<'_>) {
    match tag {
        "020" => at.each('a', isbn),
        "022" => at.each('a', |value| issn(value, 'y')),
        "041" if at.field.indicators[1] == ' ' => ('a'..='t').for_each(|code| at.each(code, languages)),
        "041" if !at.has('2') => at.warn("needs subfield 2, the source of the codes, when the second indicator is 7"),
        "043" => at.each('a', |value| {
            let fits = value.len() == 7 && value.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            (!fits).then(|| warning(value, "a code of seven characters such as a-cc---"))
        }),
        "245" => non_filing(at),
        "336" | "337" | "338" if !at.has('a') && !at.has('b') => at.warn("needs a term in subfield a or a code in b"),
        "880" if !at.has('6') => at.warn("needs subfield 6, which names the field it repeats in another script"),
        _ => {}
    }
    at.each('6', |value| {
        (link(value).is_none()).then(|| warning(value, "a link such as 880-01: a tag and two digits"))
    });
}

fn cnmarc(tag: &str, at: &mut At<'_>) {
    match tag {
        "010" => at.each('a', isbn),
        "011" => at.each('a', |value| issn(value, 'y')),
        "100" if !at.has('a') => at
            .found
            .errors
            .push(Fault::new(format!("{}.subfields", at.path), "needs a subfield a")),
        "101" => {
            at.each('a', language);
            if at.field.indicators[0] == '1' && !at.has('c') {
                at.warn("is marked as a translation: subfield c names the language of the original");
            }
        }
        "102" => at.each('a', country),
        "690" => at.each('a', class),
        "801" => {
            at.each('a', country);
            at.each('c', |value| {
                let fits = value.len() == 8 && value.bytes().all(|b| b.is_ascii_digit());
                (!fits).then(|| warning(value, "a date of eight digits such as 20260304"))
            });
        }
        "856" if !at.has('u') && !at.has('a') => at.warn("says nothing without an address in subfield u"),
        _ if tag.starts_with('4') => at.each('1', |value| {
            let fits = value.len() > 3 && value.bytes().take(3).all(|b| b.is_ascii_digit());
            (!fits).then(|| warning(value, "an embedded field: its tag, indicators and subfields"))
        }),
        _ => {}
    }
}

fn warning(value: &str, wanted: &str) -> (bool, String) {
    (false, format!("is {value:?}, but should be {wanted}"))
}

fn error(value: &str, wanted: &str) -> (bool, String) {
    (true, format!("is {value:?}, but must be {wanted}"))
}

/// A number that is no ISBN is an error when a digit is mistyped: what is printed wrong belongs in subfield z.
fn isbn(value: &str) -> Option<(bool, String)> {
    match Isbn13::parse(value) {
        Ok(_) => None,
        Err(error @ (IsbnError::CheckDigit | IsbnError::Character)) => {
            Some((true, format!("{error}; a number printed wrong goes into subfield z")))
        }
        Err(error) => Some((false, error.to_string())),
    }
}

/// Four digits, a hyphen, three digits and a check digit, which is X for ten.
fn issn(value: &str, wrong: char) -> Option<(bool, String)> {
    let digits: Vec<u32> = value
        .trim()
        .chars()
        .filter(|c| *c != '-')
        .map(|c| {
            if matches!(c, 'X' | 'x') {
                Some(10)
            } else {
                c.to_digit(10)
            }
        })
        .collect::<Option<_>>()
        .unwrap_or_default();
    if digits.len() != 8 || digits[..7].contains(&10) {
        return Some(warning(value, "an ISSN such as 0317-8471"));
    }
    let sum: u32 = (1..=8).rev().zip(&digits).map(|(weight, digit)| weight * digit).sum();
    (!sum.is_multiple_of(11)).then(|| {
        let reason = format!("the check digit of the ISSN is wrong; a number printed wrong goes into subfield {wrong}");
        (true, reason)
    })
}

/// In old records several codes stand in one subfield.
fn languages(value: &str) -> Option<(bool, String)> {
    let fits = !value.is_empty() && value.len().is_multiple_of(3) && value.bytes().all(|b| b.is_ascii_lowercase());
    (!fits).then(|| warning(value, "a language code of three lower-case letters"))
}

fn language(value: &str) -> Option<(bool, String)> {
    let fits = value.len() == 3 && value.bytes().all(|b| b.is_ascii_lowercase());
    (!fits).then(|| error(value, "a language code of three lower-case letters such as chi"))
}

fn country(value: &str) -> Option<(bool, String)> {
    let fits = value.len() == 2 && value.bytes().all(|b| b.is_ascii_uppercase());
    (!fits).then(|| error(value, "a country code of two capital letters such as CN"))
}

/// Statistics count by its first letter.
fn class(value: &str) -> Option<(bool, String)> {
    let fits = value.starts_with(|first| CLC.contains(first));
    (!fits).then(|| {
        error(
            value,
            "a class of the CLC: it begins with a capital letter other than L, M, W and Y",
        )
    })
}

/// The article that filing leaves out is part of the title, and something must be left of it.
fn non_filing(at: &mut At<'_>) {
    let skipped = at.field.indicators[1].to_digit(10).unwrap_or(0) as usize;
    let length = at.field.first('a').unwrap_or_default().chars().count();
    if skipped > 0 && skipped >= length {
        let reason = format!("leaves {skipped} characters out of filing, but the title in subfield a has {length}");
        at.found.errors.push(Fault::new(format!("{}.ind2", at.path), reason));
    }
}

/// Tag and number of subfield 6: `880-01/$1` links to the 880 with this field's tag and 01.
fn link(value: &str) -> Option<(&str, &str)> {
    let (tag, number) = (value.get(..3)?, value.get(4..6)?);
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let ends = value
        .get(6..)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (digits(tag) && value.get(3..4) == Some("-") && digits(number) && ends).then_some((tag, number))
}

/// MARC21: a field in two scripts stands twice, and each names the other. Number 00 has no partner.
pub(super) fn links(record: &MarcRecord, found: &mut Validation) {
    let of = |field: &DataField| {
        let (tag, number) = link(field.first('6')?)?;
        Some((tag.to_owned(), field.tag.as_str().to_owned(), number.to_owned()))
    };
    let known: Vec<_> = record.data_fields().filter_map(of).collect();
    for (to, from, number) in &known {
        let answered = known
            .iter()
            .any(|(back, other, same)| back == from && other == to && same == number);
        if number != "00" && !answered {
            let reason =
                format!("field {from} links to {to}-{number}, but no field {to} links back to {from}-{number}");
            found.warnings.push(Fault::new("fields", reason));
        }
    }
}
