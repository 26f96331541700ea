//! Resident identity numbers (GB 11643): reading one, and recognising one where another number belongs, so that none is stored there.
//! Not for: keeping or comparing them (see `auth::identity`). A number is shown by its tail only.

use std::fmt;

use chrono::NaiveDate;

/// Weights of the first 17 digits (GB 11643).
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// Check characters by the weighted sum modulo 11.
const CHECKS: [u8; 11] = *b"10X98765432";
/// Digits of a number of before 1999: two of the year instead of four, and no check character.
const OLD_LENGTH: usize = 15;
const LENGTH: usize = 18;
/// The first two digits there are (GB/T 2260).
const PROVINCES: [u32; 35] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63,
    64, 65, 71, 81, 82, 83,
];
/// Characters that are shown.
const TAIL: usize = 4;

/// Why a text is no resident identity number. Never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResidentIdError {
    #[error("has {0} characters; a resident identity number has 18, or 15 if it is of before 1999")]
    Length(usize),
    #[error("has a character that is no digit at position {0}; only the last of 18 may be X")]
    Character(usize),
    #[error("names a day of birth that there never was")]
    Birth,
    #[error("names a day of birth that lies in the future")]
    BornLater,
    #[error("has a check character that does not fit the digits before it: one of them was mistyped")]
    Check,
}

/// A resident identity number whose check character fits and whose day of birth there was.
#[derive(Clone, PartialEq, Eq)]
pub struct ResidentId {
    number: String,
    born: NaiveDate,
}

impl ResidentId {
    /// Reads a number of 18 characters, or of 15 digits as the 18 they became. `today` is in the network's zone.
    ///
    /// ```
    /// use chrono::NaiveDate;
    /// use tongjie::domain::resident_id::{ResidentId, ResidentIdError};
    /// let today = NaiveDate::from_ymd_opt(2026, 11, 22).expect("a day");
    /// let id = ResidentId::parse("11010519491231002x", today).expect("valid");
    /// assert_eq!((id.tail(), id.born().to_string()), ("002X", "1949-12-31".to_owned()));
    /// assert_eq!(ResidentId::parse("110105491231002", today), Ok(id));
    /// assert_eq!(ResidentId::parse("110105194912310021", today), Err(ResidentIdError::Check));
    /// ```
    ///
    /// # Errors
    /// The first thing that is wrong with it. Source: GB 11643-1999.
    pub fn parse(text: &str, today: NaiveDate) -> Result<Self, ResidentIdError> {
        let number = whole(text.trim())?;
        let born = birth(&number).ok_or(ResidentIdError::Birth)?;
        if born > today {
            return Err(ResidentIdError::BornLater);
        }
        if check_of(&number) != number.as_bytes().last().copied() {
            return Err(ResidentIdError::Check);
        }
        Ok(Self { number, born })
    }

    /// All of it, to be hashed or sealed.
    pub fn expose(&self) -> &str {
        &self.number
    }

    /// The last characters, by which people tell it from another.
    pub fn tail(&self) -> &str {
        &self.number[LENGTH - TAIL..]
    }

    pub const fn born(&self) -> NaiveDate {
        self.born
    }
}

impl fmt::Debug for ResidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResidentId(…)")
    }
}

/// The 18 characters, the last in capitals.
fn whole(text: &str) -> Result<String, ResidentIdError> {
    let length = text.chars().count();
    if length != LENGTH && length != OLD_LENGTH {
        return Err(ResidentIdError::Length(length));
    }
    let wrong = |(at, character): (usize, char)| {
        let last = at + 1 == LENGTH && character.eq_ignore_ascii_case(&'X');
        (!character.is_ascii_digit() && !last).then_some(at + 1)
    };
    if let Some(at) = text.chars().enumerate().find_map(wrong) {
        return Err(ResidentIdError::Character(at));
    }
    if length == LENGTH {
        return Ok(text.to_ascii_uppercase());
    }
    let digits = format!("{}19{}", &text[..6], &text[6..]);
    let check = check_of(&digits).map(char::from);
    Ok(digits.chars().chain(check).collect())
}

fn birth(number: &str) -> Option<NaiveDate> {
    let part = |from: usize, to: usize| number[from..to].parse::<u32>().ok();
    NaiveDate::from_ymd_opt(i32::try_from(part(6, 10)?).ok()?, part(10, 12)?, part(12, 14)?)
}

/// The check character that fits the first 17 digits.
fn check_of(number: &str) -> Option<u8> {
    let digits = number.bytes().take(WEIGHTS.len()).zip(WEIGHTS);
    let weighted: u32 = digits
        .map(|(digit, weight)| u32::from(digit.wrapping_sub(b'0')) * weight)
        .sum();
    CHECKS.get(usize::try_from(weighted % 11).ok()?).copied()
}

/// Whether a text is a resident identity number: 17 digits and the check character that fits them, or 15 digits as of before 1999 that
/// begin with a province and name a day.
///
/// ```
/// use tongjie::domain::resident_id::is_one;
/// assert!(is_one("11010519491231002X"));
/// assert!(!is_one("110105194912310021"));
/// assert!(is_one("110105491231002"));
/// assert!(!is_one("110105491331002"));
/// assert!(!is_one("JC00012345"));
/// ```
#[must_use]
pub fn is_one(text: &str) -> bool {
    as_one(text).is_some()
}

/// The 18 characters of a text that is a resident identity number, as [`is_one`] tells.
pub fn as_one(text: &str) -> Option<String> {
    let text = text.trim();
    let number = whole(text).ok()?;
    if text.len() == LENGTH {
        return (check_of(&number) == number.as_bytes().last().copied()).then_some(number);
    }
    let province: u32 = number[..2].parse().ok()?;
    (PROVINCES.contains(&province) && birth(&number).is_some()).then_some(number)
}

/// Whether a resident identity number stands anywhere in a text, also with spaces or hyphens between its digits.
///
/// ```
/// use tongjie::domain::resident_id::stands_in;
/// assert!(stands_in("身份证11010519491231002x，已核对"));
/// assert!(stands_in("110105 19491231 002X"));
/// assert!(!stands_in("ISBN 9787020002207, Tel. 13800138000"));
/// ```
#[must_use]
pub fn stands_in(text: &str) -> bool {
    let mut runs = vec![String::new()];
    for character in text.chars() {
        match (character, runs.last_mut()) {
            ('0'..='9' | 'X' | 'x', Some(run)) => run.push(character),
            (' ' | '-', Some(run)) if !run.is_empty() => run.push(' '),
            _ => runs.push(String::new()),
        }
    }
    runs.iter().any(|run| {
        let groups: Vec<&str> = run.split_whitespace().collect();
        // No number is written in more than 18 groups.
        let upto = |from: usize| groups.len().min(from + LENGTH);
        (0..groups.len()).any(|from| (from..upto(from)).any(|to| is_one(&groups[from..=to].concat())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ResidentId, ResidentIdError> {
        ResidentId::parse(text, NaiveDate::from_ymd_opt(2026, 11, 22).expect("a day"))
    }

    /// With the check character that fits.
    fn number(digits: &str) -> String {
        let check = check_of(digits).map(char::from);
        digits.chars().chain(check).collect()
    }

    #[test]
    fn numbers_of_the_standard_are_read() {
        for text in ["11010519491231002X", " 11010519491231002x ", "440524188001010014"] {
            assert!(read(text).is_ok(), "{text}");
            assert!(is_one(text), "{text}");
        }
    }

    #[test]
    fn a_number_is_recognised_in_any_text_and_others_are_left_alone() {
        for text in [
            "110105491231002",
            "x 11010519491231002X",
            "2026-03-04 110105-19491231-002X",
            "号码：110105491231002。",
        ] {
            assert!(stands_in(text), "{text}");
        }
        for text in [
            "",
            "911010519491231002X",
            "990105491231002",
            "110105490229002",
            "9787020002207 13800138000",
            "条码 01010000012345",
        ] {
            assert!(!stands_in(text), "{text}");
        }
        assert_eq!(as_one(" 110105491231002 ").as_deref(), Some("11010519491231002X"));
    }

    #[test]
    fn what_is_wrong_is_named_and_never_repeated() {
        let cases = [
            ("", ResidentIdError::Length(0)),
            ("1101051949123100", ResidentIdError::Length(16)),
            ("1101051949123100２X", ResidentIdError::Character(17)),
            ("1101051949X231002X", ResidentIdError::Character(11)),
            ("11010549123100X", ResidentIdError::Character(15)),
            ("110105194912310021", ResidentIdError::Check),
            (&number("11010519490229002"), ResidentIdError::Birth),
            (&number("11010519491331002"), ResidentIdError::Birth),
            (&number("11010520261123002"), ResidentIdError::BornLater),
            ("110105490229002", ResidentIdError::Birth),
        ];
        for (text, wrong) in cases {
            assert_eq!(read(text), Err(wrong), "{text}");
        }
        assert!(read(&number("11010520261122002")).is_ok(), "born today");
        assert!(read(&number("11010520000229002")).is_ok());
        assert_eq!(format!("{:?}", read("11010519491231002X")), "Ok(ResidentId(…))");
    }
}
