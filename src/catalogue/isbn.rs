//! ISBN as one canonical form, so that every way of writing the same number meets in the catalogue.
//!
//! For records, scanners and search boxes alike. Not a hyphenation table: the hyphens printed on a book follow
//! the publisher's range and are not needed to compare two numbers.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A checked ISBN in its 13-digit form without hyphens, for example `9787503717444`.
///
/// ```text
/// Isbn13::parse("7-5037-1744-0 (平装)")?.as_str() == "9787503717444"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Isbn13(String);

/// Why a text is not an ISBN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IsbnError {
    #[error("an ISBN starts with digits")]
    NoDigits,
    #[error("an ISBN has 10 or 13 digits, this one has {0}")]
    Length(usize),
    #[error("the ISBN holds a character that is neither a digit nor a closing X")]
    Character,
    #[error("a 13-digit ISBN starts with 978 or 979")]
    Prefix,
    #[error("the ISBN's check digit does not fit: a digit is mistyped")]
    CheckDigit,
}

impl Isbn13 {
    /// Reads an ISBN-10 or ISBN-13, with or without hyphens or spaces, an `ISBN` label before it and a
    /// qualifier such as `(pbk.)` or `: CNY20.00` behind it.
    pub fn parse(text: &str) -> Result<Self, IsbnError> {
        let text = strip_label(text);
        let grouped = Compact::of(text, false)?.check();
        // "7503717440 12.00": here the blank ended the number, it did not group it.
        grouped.or_else(|error| Compact::of(text, true)?.check().map_err(|_| error))
    }

    /// The 13 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Isbn13 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Isbn13 {
    type Err = IsbnError;

    fn from_str(text: &str) -> Result<Self, IsbnError> {
        Self::parse(text)
    }
}

/// The digits of a candidate with the separators gone; `len` counts on past what fits, for the message.
struct Compact {
    digits: [u8; 13],
    len: usize,
}

impl Compact {
    fn of(text: &str, stop_at_blank: bool) -> Result<Self, IsbnError> {
        let mut compact = Compact {
            digits: [0; 13],
            len: 0,
        };
        let mut after_separator = true;
        for c in text.chars().map(half_width) {
            match c {
                '0'..='9' | 'X' | 'x' if !(is_x(c) && compact.len != 9) => {
                    if let Some(slot) = compact.digits.get_mut(compact.len) {
                        *slot = c.to_ascii_uppercase() as u8;
                    }
                    compact.len += 1;
                    after_separator = false;
                }
                _ if is_hyphen(c) => after_separator = true,
                _ if c.is_whitespace() => {
                    if stop_at_blank && compact.len > 0 {
                        break;
                    }
                    after_separator = true;
                }
                // A letter glued to the digits is a typing error; behind a blank it is a qualifier.
                _ if c.is_ascii_alphanumeric() && !after_separator => return Err(IsbnError::Character),
                _ => break,
            }
        }
        if compact.len == 0 {
            Err(IsbnError::NoDigits)
        } else {
            Ok(compact)
        }
    }

    fn check(&self) -> Result<Isbn13, IsbnError> {
        match self.len {
            10 => self.check_10(),
            13 => self.check_13(),
            other => Err(IsbnError::Length(other)),
        }
    }

    fn check_10(&self) -> Result<Isbn13, IsbnError> {
        let sum: u32 = (0..10).map(|i| (10 - i as u32) * value(self.digits[i])).sum();
        if !sum.is_multiple_of(11) {
            return Err(IsbnError::CheckDigit);
        }
        let mut digits = [0_u8; 13];
        digits[..3].copy_from_slice(b"978");
        digits[3..12].copy_from_slice(&self.digits[..9]);
        digits[12] = check_digit_13(&digits);
        Ok(Isbn13(digits.iter().map(|&d| d as char).collect()))
    }

    fn check_13(&self) -> Result<Isbn13, IsbnError> {
        if self.digits.contains(&b'X') {
            return Err(IsbnError::Character);
        }
        if !(self.digits.starts_with(b"978") || self.digits.starts_with(b"979")) {
            return Err(IsbnError::Prefix);
        }
        if self.digits[12] != check_digit_13(&self.digits) {
            return Err(IsbnError::CheckDigit);
        }
        Ok(Isbn13(self.digits.iter().map(|&d| d as char).collect()))
    }
}

/// The digit that makes the first twelve of `digits` an EAN-13.
fn check_digit_13(digits: &[u8; 13]) -> u8 {
    let sum: u32 = (0..12)
        .map(|i| {
            if i % 2 == 0 {
                value(digits[i])
            } else {
                3 * value(digits[i])
            }
        })
        .sum();
    b'0' + u8::try_from((10 - sum % 10) % 10).unwrap_or(0)
}

fn value(digit: u8) -> u32 {
    if digit == b'X' {
        10
    } else {
        u32::from(digit.saturating_sub(b'0'))
    }
}

fn is_x(c: char) -> bool {
    matches!(c, 'X' | 'x')
}

/// Hyphen-minus and the dashes that word processors put in its place.
fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{00ad}' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Full-width digits and letters come from Chinese input methods.
fn half_width(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

fn strip_label(text: &str) -> &str {
    let text = text.trim_start();
    match text.get(..4) {
        Some(label) if label.eq_ignore_ascii_case("isbn") => text[4..].trim_start_matches([' ', ':', '：', '-']),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> String {
        Isbn13::parse(text).map_or_else(|e| format!("{e:?}"), |isbn| isbn.to_string())
    }

    #[test]
    fn every_way_of_writing_one_number_gives_one_isbn() {
        for text in [
            "7-5037-1744-0",
            "7503717440",
            "  7 5037 1744 0 ",
            "7503717440 (pbk.)",
            "7503717440(平装)",
            "7503717440 : CNY68.00",
            "7503717440 12.00",
            "7503717440 pbk",
            "ISBN 7-5037-1744-0",
            "isbn:7503717440",
            "７－５０３７－１７４４－０",
            "7–5037–1744–0",
            "978-7-5037-1744-4",
            "9787503717444",
            "978 7 5037 1744 4 (精装)",
        ] {
            assert_eq!(parsed(text), "9787503717444", "{text}");
        }
    }

    #[test]
    fn an_x_closes_an_isbn_10() {
        assert_eq!(parsed("7-5037-2790-X"), "9787503727900");
        assert_eq!(parsed("750372790x (hbk)"), "9787503727900");
        assert_eq!(parsed("7503X27900"), "Character");
    }

    #[test]
    fn what_is_not_an_isbn_is_told_apart() {
        assert_eq!(parsed(""), "NoDigits");
        assert_eq!(parsed("(pbk.)"), "NoDigits");
        assert_eq!(parsed("12345"), "Length(5)");
        assert_eq!(parsed("97875037174441"), "Length(14)");
        assert_eq!(parsed("7503717441"), "CheckDigit");
        assert_eq!(parsed("9787503717443"), "CheckDigit");
        assert_eq!(parsed("9771234567003"), "Prefix");
        assert_eq!(parsed("9787503717444abc"), "Character");
    }

    proptest! {
        #[test]
        fn any_text_is_answered_without_panic(text in ".*") {
            if let Ok(isbn) = Isbn13::parse(&text) {
                prop_assert_eq!(Isbn13::parse(isbn.as_str()), Ok(isbn.clone()));
                prop_assert_eq!(isbn.as_str().len(), 13);
            }
        }

        #[test]
        fn one_mistyped_digit_is_always_noticed(body in 0_u64..1_000_000_000, at in 0_usize..13, by in 1_u8..10) {
            let mut digits = [0_u8; 13];
            digits.copy_from_slice(format!("978{body:09}0").as_bytes());
            digits[12] = check_digit_13(&digits);
            let good: String = digits.iter().map(|&d| d as char).collect();
            prop_assert!(Isbn13::parse(&good).is_ok());
            digits[at] = b'0' + (digits[at] - b'0' + by) % 10;
            let bad: String = digits.iter().map(|&d| d as char).collect();
            prop_assert!(Isbn13::parse(&bad).is_err());
        }
    }
}
