//! What the catalogue keeps of a record in columns: title, authors, ISBNs and the text it is found by.
//!
//! For both formats alike; which field means what is in `cnmarc.rs` and `marc21.rs`. The record itself is kept
//! whole elsewhere, so values here may be tidied and cut.

use super::format::Format;
use super::record::MarcRecord;
use super::reject::RejectReason;
use super::{cnmarc, marc21};
use crate::catalogue::isbn::Isbn13;

pub const MAX_TITLE_CHARS: usize = 1_000;
pub const MAX_AUTHOR_CHARS: usize = 200;
pub const MAX_AUTHORS: usize = 20;
pub const MAX_PUBLISHER_CHARS: usize = 300;
pub const MAX_CONTROL_NUMBER_CHARS: usize = 100;
pub const MAX_CLASS_CHARS: usize = 60;
pub const MAX_ISBNS: usize = 20;

/// A bib's columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BibSummary {
    /// Field 001.
    pub control_number: Option<String>,
    /// Title, subtitle and part, with ISBD punctuation between them; never empty.
    pub title: String,
    /// Names in the order of the record, without repeats.
    pub authors: Vec<String>,
    pub publisher: Option<String>,
    pub publish_year: Option<i32>,
    /// Valid ISBNs without repeats; what fails its check digit is left out.
    pub isbns: Vec<Isbn13>,
    /// Chinese Library Classification.
    pub clc_class: Option<String>,
    /// Three lower-case letters of the MARC language list, as `chi`.
    pub language: Option<String>,
    /// Folded as [`normalise_search`](super::normalise_search) folds queries; one line per field.
    pub search_text: String,
}

impl BibSummary {
    /// The authors as one line.
    #[must_use]
    pub fn authors_line(&self) -> String {
        self.authors.join("; ")
    }
}

/// Extracts the columns; a record without a title is turned away.
pub(super) fn summarise(record: &MarcRecord, format: Format) -> Result<BibSummary, RejectReason> {
    match format {
        Format::Cnmarc => cnmarc::summarise(record).ok_or(RejectReason::NoTitle { tag: "200" }),
        Format::Marc21 => marc21::summarise(record).ok_or(RejectReason::NoTitle { tag: "245" }),
    }
}

/// The value without control characters and doubled blanks, and at most `max_chars` long.
pub(super) fn cut(value: &str, max_chars: usize) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = 0;
    let mut gap = false;
    for c in value.chars() {
        if c.is_whitespace() {
            gap = true;
        } else if !c.is_control() {
            let blank = std::mem::take(&mut gap) && chars > 0;
            if chars + usize::from(blank) >= max_chars {
                break;
            }
            if blank {
                out.push(' ');
            }
            out.push(c);
            chars += 1 + usize::from(blank);
        }
    }
    out
}

/// [`cut`], with nothing left as `None`.
pub(super) fn cut_some(value: &str, max_chars: usize) -> Option<String> {
    Some(cut(value, max_chars)).filter(|value| !value.is_empty())
}

pub(super) fn control_number(record: &MarcRecord) -> Option<String> {
    cut_some(record.control("001")?, MAX_CONTROL_NUMBER_CHARS)
}

pub(super) fn isbns<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Isbn13> {
    let mut isbns = Vec::new();
    for isbn in values.filter_map(|value| Isbn13::parse(value).ok()) {
        if isbns.len() < MAX_ISBNS && !isbns.contains(&isbn) {
            isbns.push(isbn);
        }
    }
    isbns
}

/// Adds a name once.
pub(super) fn add_author(authors: &mut Vec<String>, name: String) {
    if !name.is_empty() && authors.len() < MAX_AUTHORS && !authors.contains(&name) {
        authors.push(name);
    }
}

/// The first group of exactly four digits that can be a year, as in `[民国25年] 1936.5` or `c1986`.
pub(super) fn year_in(text: &str) -> Option<i32> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter(|run| run.len() == 4)
        .find_map(plausible_year)
}

/// A coded year: four digits and nothing else.
pub(super) fn plausible_year(text: &str) -> Option<i32> {
    text.parse()
        .ok()
        .filter(|year| text.len() == 4 && (800..=2100).contains(year))
}

/// The first language code in a value that may hold several without a separator.
pub(super) fn language(text: &str) -> Option<String> {
    let code = text.trim_start().get(..3)?;
    code.bytes()
        .all(|b| b.is_ascii_alphabetic())
        .then(|| code.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_tidied_and_cut_between_characters() {
        assert_eq!(cut("  a \u{98}b\u{9c}\t\r\n c  ", 10), "a b c");
        assert_eq!(cut("史记史记", 3), "史记史");
        assert_eq!(cut("ab cd", 3), "ab");
        assert_eq!(cut_some(" \u{3000} ", 10), None);
    }

    #[test]
    fn years_are_found_in_notes() {
        assert_eq!(year_in("1994"), Some(1994));
        assert_eq!(year_in("[民国25年] 1936.5"), Some(1936));
        assert_eq!(year_in("c1986"), Some(1986));
        assert_eq!(year_in("19--?"), None);
        assert_eq!(year_in("20190611"), None);
        assert_eq!(plausible_year("####"), None);
        assert_eq!(plausible_year("9999"), None);
        assert_eq!(plausible_year("+199"), None);
    }

    #[test]
    fn language_codes_are_three_letters() {
        assert_eq!(language("CHI"), Some("chi".into()));
        assert_eq!(language("engfre"), Some("eng".into()));
        assert_eq!(language("   "), None);
        assert_eq!(language("en"), None);
        assert_eq!(language("中文"), None);
    }

    #[test]
    fn isbns_are_valid_and_not_repeated() {
        let found = isbns(["7-5037-1744-0", "9787503717444", "7-5037-1744-1", "x"].into_iter());
        assert_eq!(found.iter().map(Isbn13::as_str).collect::<Vec<_>>(), ["9787503717444"]);
    }

    proptest! {
        #[test]
        fn a_cut_value_is_never_longer(value in "\\PC*", max in 0_usize..20) {
            let short = cut(&value, max);
            prop_assert!(short.chars().count() <= max);
            prop_assert_eq!(cut(&short, max), short.clone());
        }
    }
}
