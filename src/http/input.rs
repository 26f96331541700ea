//! What members of requests may be: bounded texts, secrets, days, moments, cursors. Parsed once, at the edge, so that a
//! member that cannot be what it says is named in the answer.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::barcode::CardNumber;
use crate::domain::resident_id;
use crate::usecase::page::{Page, PageRequest};

const SECRET_MAX_BYTES: usize = 1024;
const YEARS: std::ops::RangeInclusive<i32> = 1800..=2200;
const DEFAULT_LIMIT: u16 = 50;
pub(super) const LIMITS: std::ops::RangeInclusive<u16> = 1..=200;

/// A text of 1 to `MAX` characters, then trimmed, without control characters (a line break is allowed).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    fn parse(text: &str) -> Result<Self, String> {
        let length = text.chars().count();
        if length > MAX {
            return Err(format!("has {length} characters, at most {MAX} are allowed"));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err("has a control character".to_owned());
        }
        match text.trim() {
            "" => Err("is empty".to_owned()),
            text => Ok(Self(text.to_owned())),
        }
    }
}

impl<const MAX: usize> From<Text<MAX>> for String {
    fn from(text: Text<MAX>) -> Self {
        text.0
    }
}

impl<const MAX: usize> AsRef<str> for Text<MAX> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A code of a unit or of the rules.
pub type CodeText = Text<32>;

/// A text about a person: as [`Text`], and no resident identity number stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark<const MAX: usize>(Text<MAX>);

impl<const MAX: usize> From<Remark<MAX>> for String {
    fn from(remark: Remark<MAX>) -> Self {
        remark.0.into()
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Remark<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        if resident_id::stands_in(&text.0) {
            let reason = "has a resident identity number in it, which is never stored in clear";
            return Err(de::Error::custom(reason));
        }
        Ok(Self(text))
    }
}

/// A card's number in an address, which proxies write down: an ID card is not looked for there.
#[derive(Debug, Clone)]
pub struct CardInAddress(pub CardNumber);

impl<'de> Deserialize<'de> for CardInAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = CardNumber::deserialize(deserializer)?;
        if resident_id::is_one(number.as_str()) {
            let reason = "is a resident identity number, which does not belong into an address: name another card";
            return Err(de::Error::custom(reason));
        }
        Ok(Self(number))
    }
}

/// The texts behind optional members.
pub fn text(text: Option<impl Into<String>>) -> Option<String> {
    text.map(Into::into)
}

/// A list of `MIN` to `MAX` elements.
#[derive(Debug)]
pub struct List<T, const MIN: usize, const MAX: usize>(pub Vec<T>);

impl<T, const MAX: usize> Default for List<T, 0, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MIN: usize, const MAX: usize> Deserialize<'de> for List<T, MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = Vec::deserialize(deserializer)?;
        if (MIN..=MAX).contains(&list.len()) {
            Ok(Self(list))
        } else {
            let length = list.len();
            Err(de::Error::custom(format!(
                "has {length} elements, {MIN} to {MAX} are allowed"
            )))
        }
    }
}

/// A password, PIN or token: taken as it is, never shown.
#[derive(Debug, Clone)]
pub struct Secret(pub SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > SECRET_MAX_BYTES {
            return Err(de::Error::custom(format!("is longer than {SECRET_MAX_BYTES} bytes")));
        }
        Ok(Self(text.into()))
    }
}

/// A day of a year that the calendar of a library can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(pub NaiveDate);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let day = NaiveDate::deserialize(deserializer)?;
        within_years(day.year()).map_err(de::Error::custom)?;
        Ok(Self(day))
    }
}

/// A moment of such a year, with an offset (RFC 3339).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub DateTime<Utc>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let at = DateTime::<Utc>::deserialize(deserializer)?;
        within_years(at.year()).map_err(de::Error::custom)?;
        Ok(Self(at))
    }
}

fn within_years(year: i32) -> Result<(), String> {
    if YEARS.contains(&year) {
        Ok(())
    } else {
        Err(format!("must lie in the years {} to {}", YEARS.start(), YEARS.end()))
    }
}

/// Where a page begins: opaque to clients, so that what it holds may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub i64);

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0.to_be_bytes()))
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        bytes
            .map(|bytes| Self(i64::from_be_bytes(bytes)))
            .ok_or_else(|| de::Error::custom("is not a cursor of this list: begin again without one"))
    }
}

/// How many rows a page may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let limit = text.parse().ok().filter(|limit| LIMITS.contains(limit));
        let range = || format!("must be a number from {} to {}", LIMITS.start(), LIMITS.end());
        limit.map(Self).ok_or_else(|| de::Error::custom(range()))
    }
}

/// The page that was asked for.
pub fn page(cursor: Option<Cursor>, limit: Option<Limit>) -> PageRequest {
    PageRequest {
        after: cursor.map(|cursor| cursor.0),
        limit: limit.map_or(DEFAULT_LIMIT, |limit| limit.0),
    }
}

/// A page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PageBody<T> {
    pub items: Vec<T>,
    /// Goes into `cursor` for the next page; absent on the last one.
    #[schema(value_type = Option<String>)]
    pub next_cursor: Option<Cursor>,
}

impl<T> From<Page<T>> for PageBody<T> {
    fn from(page: Page<T>) -> Self {
        Self {
            items: page.items,
            next_cursor: page.next.map(Cursor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_visible() {
        let parsed = |text: &str| serde_json::from_value::<Text<5>>(text.into()).map(String::from);
        assert_eq!(parsed("通借通还 ").expect("fits"), "通借通还");
        assert_eq!(parsed("一二三四五").expect("fits"), "一二三四五");
        for bad in ["", "  ", "123456", "12345 ", "a\0b", "a\u{7f}", "a\r"] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn cursors_come_back_and_nothing_else_is_one() {
        for id in [0, 1, 1000, i64::MAX] {
            let text = serde_json::to_value(Cursor(id)).expect("serialises");
            assert_eq!(serde_json::from_value::<Cursor>(text).expect("parses"), Cursor(id));
        }
        for bad in ["", "1000", "AAAAAAAAAAA=", "AAAAAAAAAAAAAAAA", "%%%"] {
            assert!(serde_json::from_value::<Cursor>(bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn days_of_no_real_library_are_refused() {
        let parsed = |text: &str| serde_json::from_value::<Day>(text.into()).is_ok();
        assert!(parsed("2026-02-28"));
        for bad in ["2026-02-30", "9999-01-01", "+12026-01-01", "0001-01-01", "today"] {
            assert!(!parsed(bad), "{bad}");
        }
    }
}
