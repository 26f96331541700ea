//! The leader and coded fields: values of fixed length in which each position has its codes.
//!
//! A line of the table is one rule: where (`leader`, a tag, a tag with its subfield), for which material (`*`: any), at which
//! position or positions (`len`: the length), how grave (`E`: an error, as later steps read it; `W`: a warning), which
//! characters (`#` is a blank), and what the position is called. `@digits`, `@year` and `@code` (lower-case letters, or all
//! blanks or fill characters) are of all positions together. The lines are data: `table_fixed.rs`.

use super::format::Format;
use super::record::{DataField, MarcRecord};
use super::table_fixed;
use super::validate::{Fault, Validation};

#[derive(Debug, Clone, Copy)]
struct Rule {
    place: &'static str,
    material: &'static str,
    at: &'static str,
    is_error: bool,
    allowed: &'static str,
    name: &'static str,
}

impl Rule {
    fn parse(line: &'static str) -> Option<Self> {
        let mut words = line.splitn(6, ' ');
        let mut next = || words.next();
        Some(Self {
            place: next()?,
            material: next()?,
            at: next()?,
            is_error: next()? == "E",
            allowed: next()?,
            name: next()?,
        })
    }

    fn is_for(&self, place: &str, material: char) -> bool {
        self.place == place && (self.material == "*" || self.material.contains(material))
    }

    /// First and last, of positions or of lengths.
    fn range(text: &str) -> Option<(usize, usize)> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some((first.parse().ok()?, last.parse().ok()?))
    }

    fn reason(&self, value: &str) -> Option<String> {
        if self.at == "len" {
            return self.length_reason(value);
        }
        let (first, last) = Self::range(self.at)?;
        let found = value.get(first..=last)?;
        let here = if first == last {
            format!("position {first} ({})", self.name)
        } else {
            format!("positions {first}-{last} ({})", self.name)
        };
        let wanted = match self.allowed {
            "@digits" if found.bytes().all(|b| b.is_ascii_digit()) => return None,
            "@digits" => "must be digits".to_owned(),
            "@year" if is_year(found) => return None,
            "@year" => "must be a year, with u for unknown digits".to_owned(),
            "@code" if is_code(found) => return None,
            "@code" => "must be a code of lower-case letters".to_owned(),
            allowed if found.chars().all(|c| is_one_of(allowed, c)) => return None,
            allowed => format!("must be one of {:?}", allowed.replace('#', " ")),
        };
        // Of several positions only some may be wrong; the value shows them all.
        let shown = if first == last {
            format!("{:?}", found.chars().next().unwrap_or(' '))
        } else {
            format!("{found:?}")
        };
        Some(format!("{here} is {shown}, but {wanted}"))
    }

    fn length_reason(&self, value: &str) -> Option<String> {
        let (least, most) = Self::range(self.allowed)?;
        if value.is_ascii() && (least..=most).contains(&value.len()) {
            return None;
        }
        let wanted = if least == most {
            least.to_string()
        } else {
            format!("{least} to {most}")
        };
        let has = value.chars().count();
        Some(format!(
            "must be {wanted} ASCII characters ({}), but has {has}",
            self.name
        ))
    }
}

/// A blank is written as `#` where people must see it.
fn is_one_of(allowed: &str, found: char) -> bool {
    allowed.contains(if found == ' ' { '#' } else { found })
}

/// Four digits, of which the unknown ones are `u`; or no year at all.
fn is_year(found: &str) -> bool {
    found.bytes().all(|b| b.is_ascii_digit() || b == b'u') || is_filled(found)
}

fn is_code(found: &str) -> bool {
    found.bytes().all(|b| b.is_ascii_lowercase() || b == b' ') || is_filled(found)
}

fn is_filled(found: &str) -> bool {
    [b' ', b'#', b'|'].iter().any(|fill| found.bytes().all(|b| b == *fill))
}

/// Checks a value of `place`; a value of a wrong length is told so, and no more where that is an error.
fn check(format: Format, place: &str, material: char, path: &str, value: &str, found: &mut Validation) {
    let lines = match format {
        Format::Marc21 => table_fixed::MARC21,
        Format::Cnmarc => table_fixed::CNMARC,
    };
    let rules = lines
        .lines()
        .filter_map(Rule::parse)
        .filter(|rule| rule.is_for(place, material));
    for rule in rules {
        let Some(reason) = rule.reason(value) else { continue };
        let faults = if rule.is_error {
            &mut found.errors
        } else {
            &mut found.warnings
        };
        faults.push(Fault::new(path, reason));
        if rule.is_error && rule.at == "len" {
            return;
        }
    }
}

/// Checks the leader.
pub(super) fn leader(record: &MarcRecord, format: Format, found: &mut Validation) {
    check(format, "leader", '*', "leader", record.leader(), found);
}

/// Checks a control field.
pub(super) fn control(record: &MarcRecord, format: Format, tag: &str, path: &str, value: &str, found: &mut Validation) {
    let material = match tag {
        "007" => value.chars().next().unwrap_or(' '),
        _ => material(record.leader()),
    };
    check(format, tag, material, path, value, found);
}

/// Checks the coded subfields of a data field.
pub(super) fn data(format: Format, path: &str, field: &DataField, found: &mut Validation) {
    for (at, subfield) in field.subfields.iter().enumerate() {
        let place = format!("{}{}", field.tag.as_str(), subfield.code);
        let path = format!("{path}.subfields[{at}].{}", subfield.code);
        check(format, &place, '*', &path, &subfield.value, found);
    }
}

/// What the middle of MARC21's 008 is about: books, serials, music, maps, visual materials, files, mixed materials.
fn material(leader: &str) -> char {
    let at = |position: usize| leader.as_bytes().get(position).copied().unwrap_or(b' ');
    match (at(6), at(7)) {
        (b'a', b'b' | b'i' | b's') => 'S',
        (b'a' | b't', _) => 'B',
        (b'c' | b'd' | b'i' | b'j', _) => 'M',
        (b'e' | b'f', _) => 'C',
        (b'g' | b'k' | b'o' | b'r', _) => 'V',
        (b'm', _) => 'F',
        (b'p', _) => 'X',
        _ => '*',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_written_as_the_head_of_this_file_says() {
        for line in table_fixed::MARC21.lines().chain(table_fixed::CNMARC.lines()) {
            let rule = Rule::parse(line).unwrap_or_else(|| panic!("{line}"));
            assert!([" E ", " W "].iter().any(|grave| line.contains(grave)), "{line}");
            assert!(!rule.name.is_empty() && rule.material.len() == 1, "{line}");
            let range = if rule.at == "len" { rule.allowed } else { rule.at };
            let (first, last) = Rule::range(range).unwrap_or_else(|| panic!("{line}"));
            assert!(first <= last, "{line}");
            assert!(
                !rule.allowed.starts_with('@') || ["@digits", "@year", "@code"].contains(&rule.allowed),
                "{line}"
            );
        }
    }
}
