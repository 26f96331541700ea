//! The label of a crate: `X`, the crate's number in ten digits, and two check digits (ISO 7064, MOD 97-10), so that a
//! misread or mistyped label is never another crate. All of it fits Code 128.
//! Not for: barcodes of items, which others print.

use std::fmt;

use thiserror::Error;

use super::ids::CrateId;

const DIGITS: usize = 10;

/// A label that was given out to some crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrateLabel(String);

/// Why a text is no label.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LabelError {
    #[error("is no crate's label: X and 12 digits are expected")]
    Shape,
    #[error("has the wrong check digits: scan it again")]
    CheckDigits,
}

impl CrateLabel {
    /// The label of a new crate.
    ///
    /// ```
    /// use tongjie::domain::crate_label::CrateLabel;
    /// use tongjie::domain::ids::CrateId;
    /// let label = CrateLabel::of(CrateId::new(1042));
    /// assert_eq!(label.to_string(), "X000000104276");
    /// assert_eq!(CrateLabel::parse(" x000000104276 "), Ok(label));
    /// assert!(CrateLabel::parse("X000000104267").is_err());
    /// ```
    pub fn of(id: CrateId) -> Self {
        let number = format!("{:0DIGITS$}", id.get());
        let check = 98 - remainder(&number, "00");
        Self(format!("X{number}{check:02}"))
    }

    /// What was scanned or typed.
    ///
    /// # Errors
    /// It is none, or its check digits are wrong.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        let text = text.trim().to_ascii_uppercase();
        let digits = text.strip_prefix('X').ok_or(LabelError::Shape)?;
        if digits.len() < DIGITS + 2 || digits.len() > 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(LabelError::Shape);
        }
        let (number, check) = digits.split_at(digits.len() - 2);
        if remainder(number, check) == 1 {
            Ok(Self(text))
        } else {
            Err(LabelError::CheckDigits)
        }
    }

    /// As it is printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CrateLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn remainder(number: &str, check: &str) -> u32 {
    let digits = number.bytes().chain(check.bytes());
    digits.fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wrong_digit_and_no_two_exchanged_ones_make_another_label() {
        for id in [0, 1_042, 9_999_999_999, 12_345_678_901] {
            let label = CrateLabel::of(CrateId::new(id));
            let text = label.as_str().as_bytes().to_vec();
            assert_eq!(CrateLabel::parse(label.as_str()), Ok(label.clone()));
            for at in 1..text.len() {
                for digit in b'0'..=b'9' {
                    let mut other = text.clone();
                    other[at] = digit;
                    if other != text {
                        let other = String::from_utf8(other).unwrap();
                        assert_eq!(CrateLabel::parse(&other), Err(LabelError::CheckDigits));
                    }
                }
                let mut swapped = text.clone();
                swapped.swap(at, (at + 1).min(text.len() - 1));
                if swapped != text {
                    assert!(CrateLabel::parse(&String::from_utf8(swapped).unwrap()).is_err());
                }
            }
        }
        for none in [
            "",
            "X",
            "000000104221",
            "X00000010422",
            "X00000010422a",
            "X+00000104221",
        ] {
            assert_eq!(CrateLabel::parse(none), Err(LabelError::Shape), "{none}");
        }
    }
}
