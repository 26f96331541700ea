//! What a letter tells: the lines of a notice as they are now, in the reader's language. What is no longer so is left out; a notice
//! of which nothing is left is not sent.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde_json::{Value, json};

use super::Result;
use super::remind_readers::day_number;
use crate::clock::from_millis;
use crate::domain::credit::{Cap, CreditEvent, EntryKind};
use crate::domain::ids::ReaderId;
use crate::domain::notice::{Language, NoticeKind, Subject};
use crate::domain::{credit_words, freeze_words};
use crate::letter::{MAX_LINES, Template};
use crate::store::notices::{Line, Notice};
use crate::store::tx::ReadTx;

/// Everything a letter is made of, but for a one-time code, which is derived when it is sent, and the address of the portal.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    pub notice: i64,
    pub kind: NoticeKind,
    pub language: Language,
    /// A unit's own template.
    pub own: Option<Template>,
    /// For the template.
    pub values: Value,
    /// The number of a one-time code.
    pub code: Option<i64>,
}

/// Puts the facts of a notice together; `None` when there is nothing to tell any more.
///
/// # Errors
/// A failure of the store.
pub fn facts(tx: &mut ReadTx<'_>, notice: &Notice) -> Result<Option<Facts>> {
    let network = tx.network()?;
    let (wishes, _) = tx.wishes_of(notice.reader)?;
    let language = wishes.language;
    let limit = i64::try_from(MAX_LINES).unwrap_or(i64::MAX);
    let (lines, all) = tx.notice_lines(notice.id, limit)?;
    let told = told(tx, notice.kind, &lines, language)?;
    let Some(name) = tx.reader_name(notice.reader)?.filter(|_| !told.is_empty()) else {
        return Ok(None);
    };
    // Lines beyond the limit are not looked at; they count as far as is known.
    let gone = i64::try_from(lines.len().saturating_sub(told.len())).unwrap_or(0);
    let units = network.units().ancestors(notice.unit).to_vec();
    let own = tx.nearest_template(&units, notice.kind, language)?;
    let unit = network.unit(notice.unit);
    let code = (notice.kind.subject() == Subject::Code).then(|| lines.first().map(|line| line.subject));
    Ok(Some(Facts {
        notice: notice.id,
        kind: notice.kind,
        language,
        own: own.map(|(_, template)| template),
        values: json!({
            "unit": {
                "code": unit.map(|unit| unit.code.as_str()).unwrap_or_default(),
                "name": unit.map(|unit| one_line(&unit.name)).unwrap_or_default(),
            },
            "reader": {"name": one_line(&name)},
            "language": language.code(),
            "portal_url": "",
            "count": all - gone,
            "lines": told,
        }),
        code: code.flatten(),
    }))
}

/// The lines that are still so.
fn told(tx: &mut ReadTx<'_>, kind: NoticeKind, lines: &[Line], language: Language) -> Result<Vec<Value>> {
    let now = tx.now();
    match kind.subject() {
        Subject::Loan => loans(tx, lines, now, language),
        Subject::Hold => holds(tx, kind, lines, language),
        Subject::Parcel => parcels(tx, lines),
        Subject::Card => cards(tx, lines, language),
        Subject::Entry => entries(tx, lines, language),
        Subject::Freeze => freezes(tx, kind, lines, language),
        Subject::Code => codes(tx, lines, now),
    }
}

/// A loan is told of as long as it is open and due when it was: one that was renewed calls for nothing.
fn loans(tx: &mut ReadTx<'_>, lines: &[Line], now: DateTime<Utc>, language: Language) -> Result<Vec<Value>> {
    let today = tx.day_of(now);
    let mut told = Vec::new();
    for loan in tx.loans_told_of(lines)? {
        let line = Line {
            subject: loan.loan_id,
            occasion: loan.due_at,
        };
        if lines.contains(&line) {
            let due = tx.day_of(from_millis(loan.due_at));
            told.push(json!({
                "title": one_line(&loan.title), "barcode": loan.barcode, "due_on": day(due, language),
                "days": (today - due).num_days().abs(),
            }));
        }
    }
    Ok(told)
}

/// A hold is told of as long as its copy stands on the shelf, of its last day as long as that is the last day.
fn holds(tx: &mut ReadTx<'_>, kind: NoticeKind, lines: &[Line], language: Language) -> Result<Vec<Value>> {
    let mut told = Vec::new();
    for hold in tx.holds_told_of(lines)? {
        let same_day = hold.until.is_some_and(|until| {
            let line = Line {
                subject: hold.hold_id,
                occasion: day_number(until),
            };
            lines.contains(&line)
        });
        if kind == NoticeKind::HoldReady || same_day {
            told.push(json!({
                "title": one_line(&hold.title), "shelf_number": hold.shelf_number,
                "device_name": hold.device.as_deref().map(one_line).unwrap_or_default(),
                "until": hold.until.map(|until| day(until, language)).unwrap_or_default(),
            }));
        }
    }
    Ok(told)
}

fn parcels(tx: &mut ReadTx<'_>, lines: &[Line]) -> Result<Vec<Value>> {
    let parcels = tx.parcels_told_of(lines)?;
    let told = parcels.into_iter().map(|parcel| {
        json!({
            "parcel": parcel.parcel_id, "items": parcel.items,
            "tracking_number": parcel.tracking_number.unwrap_or_default(),
        })
    });
    Ok(told.collect())
}

fn cards(tx: &mut ReadTx<'_>, lines: &[Line], language: Language) -> Result<Vec<Value>> {
    let cards = tx.cards_told_of(lines)?;
    let same_day = cards.into_iter().filter(|card| {
        let line = Line {
            subject: card.card_id,
            occasion: day_number(card.expires_on),
        };
        lines.contains(&line)
    });
    let told = same_day.map(|card| {
        let skipped = card.number.chars().count().saturating_sub(4);
        let end: String = card.number.chars().skip(skipped).collect();
        json!({"number_end": end, "until": day(card.expires_on, language)})
    });
    Ok(told.collect())
}

/// What moved the reader's credit.
fn entries(tx: &mut ReadTx<'_>, lines: &[Line], language: Language) -> Result<Vec<Value>> {
    let entries = tx.entries_told_of(lines)?;
    let told = entries.into_iter().filter_map(|entry| {
        let event = entry.event.as_deref().and_then(CreditEvent::from_code);
        let codes = entry.limited_by.as_deref().unwrap_or_default().split(',');
        let caps: Vec<Cap> = codes.filter_map(Cap::from_code).collect();
        let (chinese, english) = credit_words::why(EntryKind::from_code(&entry.kind)?, event, &caps);
        let reason = in_language(language, chinese, english);
        Some(json!({"points": entry.points, "balance": entry.balance, "reason": reason}))
    });
    Ok(told.collect())
}

/// A freeze is told of while it is open; its end, as long as no other is.
fn freezes(tx: &mut ReadTx<'_>, kind: NoticeKind, lines: &[Line], language: Language) -> Result<Vec<Value>> {
    let mut told = Vec::new();
    for freeze in tx.freezes_told_of(lines)? {
        let words = match (kind, &freeze.ended_by) {
            (NoticeKind::Frozen, None) => freeze_words::why_frozen(&freeze.cause),
            (NoticeKind::Thawed, Some(how)) if tx.open_freezes(ReaderId::new(freeze.reader_id))?.is_empty() => {
                freeze_words::why_thawed(how)
            }
            _ => continue,
        };
        let (chinese, english) = words.unwrap_or_default();
        let until = freeze.until.filter(|_| kind == NoticeKind::Frozen);
        told.push(json!({
            "reason": in_language(language, chinese, english),
            "until": until.map(|until| day(tx.day_of(from_millis(until)), language)).unwrap_or_default(),
        }));
    }
    Ok(told)
}

fn in_language<T>(language: Language, chinese: T, english: T) -> T {
    match language {
        Language::Chinese => chinese,
        Language::English => english,
    }
}

/// A code that counts still; the code itself is put in when it is sent.
fn codes(tx: &mut ReadTx<'_>, lines: &[Line], now: DateTime<Utc>) -> Result<Vec<Value>> {
    let Some(line) = lines.first() else {
        return Ok(Vec::new());
    };
    let code = tx.one_time_code(line.subject)?;
    let left = code
        .filter(|code| code.ended_at.is_none())
        .map(|code| from_millis(code.expires_at) - now);
    let minutes = left
        .map(|left| (left.num_seconds() + 59) / 60)
        .filter(|minutes| *minutes > 0);
    Ok(minutes
        .map(|minutes| json!({"code": "", "minutes": minutes}))
        .into_iter()
        .collect())
}

/// A day as people write it.
pub fn day(day: NaiveDate, language: Language) -> String {
    match language {
        Language::Chinese => format!("{}年{}月{}日", day.year(), day.month(), day.day()),
        Language::English => day.format("%-d %B %Y").to_string(),
    }
}

/// A title or a name in one line.
pub(super) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_a_letter_has_one_line() {
        assert_eq!(one_line("三体\r\nBcc: a@b.cn\t 2 "), "三体 Bcc: a@b.cn 2");
    }

    #[test]
    fn days_are_written_as_people_write_them() {
        let march = NaiveDate::from_ymd_opt(2026, 3, 4).expect("a day");
        assert_eq!(day(march, Language::Chinese), "2026年3月4日");
        assert_eq!(day(march, Language::English), "4 March 2026");
    }
}
