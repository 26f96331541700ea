//! Numbers that people and scanners type: the barcode of an item, the number of a card.
//! Not for: finding the item or the reader. A barcode is unique per owner only (two libraries may use the same one).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest barcode or card number accepted, in characters.
pub const MAX_LEN: usize = 64;

/// Why a typed number was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NumberError {
    #[error("is empty")]
    Empty,
    #[error("has {length} characters, at most {MAX_LEN} are allowed")]
    TooLong { length: usize },
    #[error("has the character {found:?} at position {position}; only visible ASCII characters are allowed")]
    BadCharacter { found: char, position: usize },
}

/// Trims the text and checks it.
///
/// # Errors
/// Empty after trimming, longer than [`MAX_LEN`], or with a character outside visible ASCII (`!` to `~`).
fn parse(text: &str) -> Result<String, NumberError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NumberError::Empty);
    }
    let bad = text.chars().enumerate().find(|(_, c)| !c.is_ascii_graphic());
    if let Some((index, found)) = bad {
        return Err(NumberError::BadCharacter {
            found,
            position: index + 1,
        });
    }
    if text.len() > MAX_LEN {
        return Err(NumberError::TooLong { length: text.len() });
    }
    Ok(text.to_owned())
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Trims and checks what was typed or scanned.
            ///
            /// # Errors
            /// Empty, longer than [`MAX_LEN`], or with a character that is not visible ASCII.
            pub fn parse(text: &str) -> Result<Self, NumberError> {
                parse(text).map(Self)
            }

            /// The number as stored.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NumberError;
            fn from_str(text: &str) -> Result<Self, NumberError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NumberError;
            fn try_from(text: String) -> Result<Self, NumberError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(number: $name) -> Self {
                number.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

numbers! {
    /// What is printed on an item; unique per owner.
    Barcode,
    /// What is printed on a card or shown by an e-card; unique in the network.
    CardNumber,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_trimmed_and_refused_with_the_reason() {
        assert_eq!(
            Barcode::parse(" JC0001 \r\n").map(String::from),
            Ok("JC0001".to_owned())
        );
        assert_eq!(Barcode::parse("   "), Err(NumberError::Empty));
        assert_eq!(
            Barcode::parse("A B"),
            Err(NumberError::BadCharacter {
                found: ' ',
                position: 2
            })
        );
        assert_eq!(
            CardNumber::parse("书1"),
            Err(NumberError::BadCharacter {
                found: '书',
                position: 1
            })
        );
        assert_eq!(
            CardNumber::parse("1\u{0}"),
            Err(NumberError::BadCharacter {
                found: '\u{0}',
                position: 2
            })
        );
        assert!(CardNumber::parse(&"9".repeat(64)).is_ok());
        assert_eq!(
            CardNumber::parse(&"9".repeat(65)),
            Err(NumberError::TooLong { length: 65 })
        );
    }
}
