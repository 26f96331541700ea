//! What the cells of a row say: parsed one by one, every fault noted with its column, so that a row's faults are told at
//! once.

use std::collections::HashMap;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::Rejection;
use super::read::Row;
use crate::domain::calendar::end_of_day;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::resident_id;

/// Days of no real library are typing mistakes.
const YEARS: std::ops::RangeInclusive<i32> = 1800..=2200;
/// Deposits and prices above it are typing mistakes.
const MOST_FEN: i64 = 1_000_000_000;

/// What earlier rows of the file claimed: key and line.
pub(super) type Seen = HashMap<String, u64>;

/// A row being read.
pub(super) struct Fields<'r> {
    row: &'r Row,
    seen: [&'r Seen; 2],
    pub faults: Vec<Rejection>,
    /// What this row claims.
    pub keys: Vec<String>,
}

impl<'r> Fields<'r> {
    pub(super) fn new(row: &'r Row, seen: [&'r Seen; 2]) -> Self {
        Self {
            row,
            seen,
            faults: Vec::new(),
            keys: Vec::new(),
        }
    }

    pub(super) fn fault(&mut self, column: &'static str, reason: impl Into<String>) {
        self.push(column, reason.into(), false);
    }

    pub(super) fn duplicate(&mut self, column: &'static str, reason: impl Into<String>) {
        self.push(column, reason.into(), true);
    }

    fn push(&mut self, column: &'static str, reason: String, duplicate: bool) {
        self.faults.push(Rejection {
            row: self.row.line,
            column: Some(column),
            reason,
            duplicate,
        });
    }

    /// Says that only one row of the file may be about this.
    pub(super) fn claim(&mut self, column: &'static str, key: String) {
        if let Some(line) = self.seen.iter().find_map(|seen| seen.get(&key)) {
            self.duplicate(column, format!("stands in the file before, in row {line}"));
        }
        self.keys.push(key);
    }

    /// What a cell says, if anything.
    pub(super) fn cell(&self, column: &str) -> Option<&'r str> {
        self.row.cell(column)
    }

    /// A cell that must say something.
    pub(super) fn needed(&mut self, column: &'static str) -> Option<&'r str> {
        let cell = self.cell(column);
        if cell.is_none() {
            self.fault(column, "is empty");
        }
        cell
    }

    /// A text of at most so many characters, without control characters.
    pub(super) fn text(&mut self, column: &'static str, most: usize) -> Option<String> {
        let text = self.cell(column)?;
        let length = text.chars().count();
        if length > most {
            self.fault(column, format!("has {length} characters, at most {most} are allowed"));
        } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) {
            self.fault(column, "has a control character");
        } else {
            return Some(text.to_owned());
        }
        None
    }

    /// A card number, barcode or the like.
    pub(super) fn number<T: FromStr<Err: std::fmt::Display>>(&mut self, column: &'static str) -> Option<T> {
        match self.cell(column)?.parse() {
            Ok(number) => Some(number),
            Err(error) => {
                self.fault(column, error.to_string());
                None
            }
        }
    }

    /// A whole number within bounds.
    pub(super) fn whole(&mut self, column: &'static str, within: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let number = self.cell(column)?.parse::<i64>().ok().filter(|n| within.contains(n));
        if number.is_none() {
            let reason = format!("must be a whole number from {} to {}", within.start(), within.end());
            self.fault(column, reason);
        }
        number
    }

    /// Yes or no; an empty cell means no.
    pub(super) fn flag(&mut self, column: &'static str) -> bool {
        match self.cell(column).map(str::to_lowercase).as_deref() {
            None | Some("0" | "no" | "n" | "false" | "否") => false,
            Some("1" | "yes" | "y" | "true" | "是") => true,
            Some(_) => {
                self.fault(column, "must be yes or no");
                false
            }
        }
    }

    /// One of some words.
    pub(super) fn word(&mut self, column: &'static str, words: &[&'static str]) -> Option<&'static str> {
        let cell = self.cell(column)?;
        let found = words.iter().find(|word| word.eq_ignore_ascii_case(cell));
        if found.is_none() {
            self.fault(column, format!("must be one of {}", words.join(", ")));
        }
        found.copied()
    }

    /// A local day.
    pub(super) fn day(&mut self, column: &'static str) -> Option<NaiveDate> {
        let found = day(self.cell(column)?);
        if found.is_none() {
            self.fault(column, "must be a day such as 2026-03-31");
        }
        found
    }

    /// A moment of the network's zone; a day alone means its `last` second or its first.
    pub(super) fn moment(&mut self, column: &'static str, zone: Tz, last: bool) -> Option<DateTime<Utc>> {
        let found = moment(self.needed(column)?, zone, last);
        if found.is_none() {
            self.fault(column, "must be a day or a local time such as 2026-03-31 16:20");
        }
        found
    }

    /// An amount in fen, from a column in yuan or one in fen.
    pub(super) fn fen(&mut self, yuan: &'static str, fen: &'static str) -> Option<i64> {
        match (self.cell(yuan), self.cell(fen)) {
            (None, None) => None,
            (Some(_), Some(_)) => {
                self.fault(fen, format!("and {yuan} are both given"));
                None
            }
            (None, Some(_)) => self.whole(fen, 0..=MOST_FEN),
            (Some(text), None) => {
                let amount = fen_of(text).filter(|fen| *fen <= MOST_FEN);
                if amount.is_none() {
                    self.fault(yuan, "must be an amount such as 100 or 25.80");
                }
                amount
            }
        }
    }

    /// The unit a cell names by its code, or the default.
    pub(super) fn unit(&mut self, column: &'static str, network: &Network, default: UnitId) -> Option<UnitId> {
        let Some(code) = self.cell(column) else {
            return Some(default);
        };
        let unit = network.units().by_code(code).map(|unit| unit.id);
        if unit.is_none() {
            self.fault(column, "no unit has this code");
        }
        unit
    }

    /// Resident identity numbers are not kept in clear: not as a card's number, as the other system's id, or in a note.
    pub(super) fn no_resident_id(&mut self, column: &'static str) {
        if self.cell(column).is_some_and(resident_id::stands_in) {
            self.fault(
                column,
                "is or has in it a resident identity number, which is never stored in clear",
            );
        }
    }
}

impl Row {
    /// What a cell says, if anything.
    pub(super) fn cell(&self, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|one| one.name == column)?;
        self.values.get(at)?.as_deref()
    }
}

fn day(text: &str) -> Option<NaiveDate> {
    let day = ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日"]
        .iter()
        .find_map(|form| NaiveDate::parse_from_str(text, form).ok());
    day.filter(|day| YEARS.contains(&day.year()))
}

fn moment(text: &str, zone: Tz, last: bool) -> Option<DateTime<Utc>> {
    if let Some(day) = day(text) {
        let first = || {
            zone.from_local_datetime(&day.and_time(chrono::NaiveTime::MIN))
                .earliest()
        };
        return if last {
            Some(end_of_day(zone, day))
        } else {
            first().map(|at| at.with_timezone(&Utc))
        };
    }
    let forms = [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y/%m/%d %H:%M:%S",
        "%Y/%m/%d %H:%M",
        "%Y-%m-%dT%H:%M:%S",
    ];
    let local = forms
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let at = match local {
        Some(local) => zone.from_local_datetime(&local).earliest()?.with_timezone(&Utc),
        None => DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc),
    };
    YEARS.contains(&at.year()).then_some(at)
}

/// Yuan with at most two decimals, perhaps with a sign of the currency before it.
fn fen_of(text: &str) -> Option<i64> {
    let text = text.trim_start_matches(['¥', '￥']).trim().replace(',', "");
    let (yuan, fen) = text.split_once('.').unwrap_or((&text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if yuan.is_empty() || yuan.len() > 9 || fen.len() > 2 || !digits(yuan) || !digits(fen) {
        return None;
    }
    let fen: i64 = format!("{fen:0<2}").parse().ok()?;
    Some(yuan.parse::<i64>().ok()? * 100 + fen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_whole_fen() {
        for (text, fen) in [
            ("100", Some(10_000)),
            ("25.8", Some(2_580)),
            ("￥1,000.05", Some(100_005)),
            ("0", Some(0)),
        ] {
            assert_eq!(fen_of(text), fen, "{text}");
        }
        for bad in ["", "-1", "1.005", "x", ".5"] {
            assert_eq!(fen_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn days_and_moments_are_read_in_the_usual_forms() {
        let zone = chrono_tz::Asia::Shanghai;
        for text in ["2026-03-01", "2026/3/1", "2026.03.01", "20260301", "2026年3月1日"] {
            assert_eq!(day(text), NaiveDate::from_ymd_opt(2026, 3, 1), "{text}");
        }
        let at = |text: &str, last| moment(text, zone, last).map(|at| at.to_rfc3339());
        assert_eq!(at("2026-03-01", true).as_deref(), Some("2026-03-01T15:59:59+00:00"));
        assert_eq!(at("2026-03-01", false).as_deref(), Some("2026-02-28T16:00:00+00:00"));
        assert_eq!(at("2026/3/1 9:05", true).as_deref(), Some("2026-03-01T01:05:00+00:00"));
        for bad in ["2026-02-30", "tomorrow", "1026-01-01", "9999-01-01 10:00"] {
            assert_eq!(at(bad, true), None, "{bad}");
        }
    }
}
