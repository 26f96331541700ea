//! Closed days from a calendar file: iCalendar or CSV. Reads the text; adding the days is `add_closed_days`'s.
//! Not for: recurring events, which a library's calendar of holidays does not have; they are refused by name.

use std::sync::Arc;

use chrono::{Datelike, Days, NaiveDate};

use super::add_closed_days::{AddClosedDays, Closed, ClosedDaysAdded, Closures, add_closed_days};
use super::{Caller, IdempotencyKey, Result};
use crate::auth::Right;
use crate::store::{Once, Store};

/// Most days of one file.
const MOST: usize = 1_000;
/// Days of no real library are typing mistakes.
const YEARS: std::ops::RangeInclusive<i32> = 1800..=2200;
/// The longest reason kept, in characters.
const REASON: usize = 100;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ImportCalendar {
    pub code: String,
    /// iCalendar, or CSV with the columns first, last and reason.
    pub text: String,
    pub dry_run: bool,
}

/// Adds the closed days a calendar file lists; those that lie behind are left out.
///
/// # Errors
/// `Invalid` naming the line that cannot be read; else as [`add_closed_days`].
pub async fn import_calendar(
    store: &Arc<Store>,
    caller: &Caller,
    command: ImportCalendar,
    key: Option<IdempotencyKey>,
) -> Result<Once<ClosedDaysAdded>> {
    caller.require_somewhere(Right::ManageUnits)?;
    let add = AddClosedDays {
        code: command.code,
        days: days_of(&command.text),
        skip_past: true,
        dry_run: command.dry_run,
    };
    add_closed_days(store, caller, add, key).await
}

/// The closed days a text lists.
fn days_of(text: &str) -> Closures {
    let text = text.trim_start_matches('\u{feff}');
    let days = if text.trim_start().to_ascii_uppercase().starts_with("BEGIN:VCALENDAR") {
        events(text)?
    } else {
        rows(text)?
    };
    match days.len() {
        0 => Err("lists no closed day".to_owned()),
        1..=MOST => Ok(days),
        _ => Err(format!("lists more than {MOST} ranges of days")),
    }
}

/// The all-day events of an iCalendar text (RFC 5545): DTEND is the day after the last.
fn events(text: &str) -> std::result::Result<Vec<Closed>, String> {
    let unfolded = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
    let mut days = Vec::new();
    let mut event: Option<(Option<NaiveDate>, Option<NaiveDate>, String)> = None;
    for (number, line) in (1..).zip(unfolded.lines()) {
        let wrong = |reason: &str| Err(format!("line {number} (after unfolding): {reason}"));
        let Some((head, value)) = line.split_once(':') else {
            continue;
        };
        let name = head.split(';').next().unwrap_or_default().to_ascii_uppercase();
        match (name.as_str(), &mut event) {
            ("BEGIN", _) if value.trim() == "VEVENT" => event = Some((None, None, String::new())),
            ("END", at) if value.trim() == "VEVENT" => {
                let Some((Some(first), end, reason)) = at.take() else {
                    return wrong("the event before has no DTSTART");
                };
                let last = end.map_or(Some(first), |end| end.checked_sub_days(Days::new(1)));
                days.push((first, last.unwrap_or(first).max(first), reason_of(&reason)));
            }
            ("DTSTART" | "DTEND", Some((first, end, _))) => {
                let day = NaiveDate::parse_from_str(value.trim(), "%Y%m%d").ok();
                let Some(day) = day.filter(is_real) else {
                    return wrong("must be a whole day such as 20260216 (VALUE=DATE)");
                };
                *(if name == "DTSTART" { first } else { end }) = Some(day);
            }
            ("SUMMARY", Some((_, _, reason))) => value.trim().clone_into(reason),
            ("RRULE" | "RDATE", Some(_)) => return wrong("recurring events are not read: list every day"),
            _ => {}
        }
    }
    Ok(days)
}

/// The rows of a CSV text.
fn rows(text: &str) -> std::result::Result<Vec<Closed>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let column = |names: [&str; 2]| {
        header
            .iter()
            .position(|cell| names.contains(&cell.to_lowercase().as_str()))
    };
    let Some(first_at) = column(["first", "开始日期"]) else {
        return Err("is neither iCalendar nor CSV with the columns first, last and reason".to_owned());
    };
    let (last_at, reason_at) = (column(["last", "结束日期"]), column(["reason", "原因"]));
    let mut days = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |at: Option<usize>| at.and_then(|at| record.get(at)).filter(|cell| !cell.is_empty());
        let day = |text: &str| {
            let day = text.parse::<NaiveDate>().ok().filter(is_real);
            day.ok_or_else(|| format!("line {line}: {text:.20} is not a day such as 2026-02-16"))
        };
        let Some(first) = cell(Some(first_at)) else { continue };
        let first = day(first)?;
        let last = cell(last_at).map_or(Ok(first), day)?;
        days.push((first, last, reason_of(cell(reason_at).unwrap_or_default())));
    }
    Ok(days)
}

fn is_real(day: &NaiveDate) -> bool {
    YEARS.contains(&day.year())
}

fn reason_of(text: &str) -> String {
    let text: String = text.replace("\\,", ",").replace("\\;", ";").replace("\\n", " ");
    let text: String = text.chars().filter(|c| !c.is_control()).take(REASON).collect();
    if text.trim().is_empty() {
        "闭馆".to_owned()
    } else {
        text.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    #[test]
    fn the_end_of_an_all_day_event_is_the_day_after_its_last() {
        let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260216\r\nDTEND;VALUE=DATE:20260221\r\n\
            SUMMARY:春节\\, 闭\r\n 馆\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260501\r\nEND:VEVENT\r\n\
            END:VCALENDAR\r\n";
        let found = events(text).expect("understood");
        assert_eq!(
            found,
            [
                (day("2026-02-16"), day("2026-02-20"), "春节, 闭馆".to_owned()),
                (day("2026-05-01"), day("2026-05-01"), "闭馆".to_owned()),
            ]
        );
        let timed = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260216T090000Z\nEND:VEVENT\n";
        assert!(events(timed).expect_err("no day").starts_with("line 3"));
    }

    #[test]
    fn rows_may_leave_out_the_last_day_and_the_reason() {
        let found = rows("reason,first,last\n春节,2026-02-16,2026-02-20\n,2026-05-01,\n").expect("understood");
        assert_eq!(found[1], (day("2026-05-01"), day("2026-05-01"), "闭馆".to_owned()));
        assert!(rows("first\n2026-13-01\n").expect_err("no day").starts_with("line 2"));
        assert!(rows("a,b\n1,2\n").is_err());
    }

    #[test]
    fn a_year_that_no_library_means_is_no_day() {
        for day in ["+12000-01-01", "9999-01-01", "1026-01-01"] {
            let wrong = rows(&format!("first,last\n2026-12-01,{day}\n")).expect_err("no day");
            assert!(wrong.starts_with("line 2") && wrong.contains(day), "{wrong}");
        }
        let event = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261201\nDTEND:99990101\nEND:VEVENT\n";
        assert!(events(event).expect_err("no day").starts_with("line 4"));
    }
}
