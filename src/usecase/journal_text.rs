//! The text of one entry of a journal, read. What a device adds of its own is passed over; what is missing or cannot be makes the
//! whole text unreadable.

mod doors;

use chrono::{DateTime, Datelike, Utc};
use serde::Deserialize;

use super::item_shown::ItemShown;
use super::report_gate_passages::{Decided, HourOfGate, MAX_CHECKS, MAX_HOURS, Passages, ToldCheck};
use crate::domain::barcode::{Barcode, CardNumber};
use crate::domain::gate_exit::{DecidedBy, ExitDecision, ExitReason, TagBit};
use crate::domain::journal_act::ActKind;
use doors::{DoorText, of_loan, told_door};

pub(super) use doors::{DoorTold, LoanTold};

/// Longest text of one entry, in bytes.
pub const MAX_BODY: usize = 8192;

/// Most numbers that one entry says are lost.
const MAX_LOST: u64 = 10_000;

/// Most people an hour is believed of.
const MAX_PASSED: u32 = 100_000;

/// What stands for a card whose reader is known.
const KNOWN_CARD: &str = "***";

/// The same text without the card that was shown; it is read as before.
pub(super) fn without_card(body: &str) -> String {
    let Ok(serde_json::Value::Object(mut members)) = serde_json::from_str(body) else {
        return body.to_owned();
    };
    for member in ["card_number", "card_token"] {
        if let Some(shown) = members.get_mut(member).filter(|shown| !shown.is_null()) {
            *shown = KNOWN_CARD.into();
        }
    }
    serde_json::Value::Object(members).to_string()
}

/// What an entry says.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// By the device's clock.
    pub at: DateTime<Utc>,
    pub act: ToldAct,
}

/// What was done.
#[derive(Debug, Clone)]
pub(super) enum ToldAct {
    OnItem(OnItem),
    /// A loan in two phases: the book was taken, or was not.
    Taken(bool, LoanTold),
    Compartment(DoorTold),
    Passages(Box<Passages>),
    /// Numbers that will never come.
    Lost {
        from: u64,
        to: u64,
    },
}

/// An act on an item.
#[derive(Debug, Clone)]
pub(super) struct OnItem {
    pub kind: ActKind,
    pub item: ItemShown,
    pub owner_unit_code: Option<String>,
    /// Of a return nobody's.
    pub card: Option<CardTold>,
    /// The compartment it was handed out from, or put into.
    pub door: Option<u16>,
    /// Whether it was taken is told by itself.
    pub two_phase: bool,
}

/// Whose card was shown.
#[derive(Debug, Clone)]
pub(super) enum CardTold {
    Number(CardNumber),
    Token(String),
}

impl Told {
    /// Reads a text; `None`: it is no entry.
    pub(super) fn read(body: &str) -> Option<Self> {
        let text: Text = serde_json::from_str(body).ok()?;
        text.told()
    }
}

impl ToldAct {
    /// The compartment a copy was handed out from, or put into.
    pub(super) const fn door(&self) -> Option<u16> {
        match self {
            Self::OnItem(act) => act.door,
            _ => None,
        }
    }

    /// Whether the book of a check-out was taken is told by itself.
    pub(super) const fn is_two_phase(&self) -> bool {
        matches!(self, Self::OnItem(act) if act.two_phase)
    }

    /// The word of its kind.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::OnItem(act) => act.kind.code(),
            Self::Taken(true, _) => "loan_taken",
            Self::Taken(false, _) => "loan_not_taken",
            Self::Compartment(_) => "compartment",
            Self::Passages(_) => "passages",
            Self::Lost { .. } => "lost",
        }
    }
}

#[derive(Deserialize)]
struct ItemText {
    tag: Option<String>,
    barcode: Option<String>,
    owner_unit_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Text {
    CheckOut {
        at: DateTime<Utc>,
        item: ItemText,
        card_number: Option<String>,
        card_token: Option<String>,
        compartment: Option<u16>,
        #[serde(default)]
        two_phase: bool,
    },
    CheckIn {
        at: DateTime<Utc>,
        item: ItemText,
        compartment: Option<u16>,
    },
    Renewal {
        at: DateTime<Utc>,
        item: ItemText,
        card_number: Option<String>,
        card_token: Option<String>,
    },
    LoanTaken {
        at: DateTime<Utc>,
        loan_id: Option<i64>,
        sequence: Option<u64>,
    },
    LoanNotTaken {
        at: DateTime<Utc>,
        loan_id: Option<i64>,
        sequence: Option<u64>,
    },
    Compartment {
        at: DateTime<Utc>,
        #[serde(flatten)]
        door: DoorText,
    },
    Passages {
        at: DateTime<Utc>,
        batch: String,
        #[serde(default)]
        hours: Vec<HourText>,
        #[serde(default)]
        checks: Vec<CheckText>,
    },
    ExitCheck {
        at: DateTime<Utc>,
        check_id: String,
        tag: Option<String>,
        barcode: Option<String>,
        #[serde(default = "unknown")]
        tag_bit: TagBit,
        decided: DecidedBy,
        decision: ExitDecision,
        reason: Option<ExitReason>,
    },
    Lost {
        at: DateTime<Utc>,
        from: u64,
        to: u64,
    },
}

#[derive(Deserialize)]
struct HourText {
    hour: DateTime<Utc>,
    #[serde(rename = "in")]
    went_in: u32,
    #[serde(rename = "out")]
    went_out: u32,
}

#[derive(Deserialize)]
struct CheckText {
    check_id: String,
    at: DateTime<Utc>,
    tag: Option<String>,
    barcode: Option<String>,
    #[serde(default = "unknown")]
    tag_bit: TagBit,
    decided: DecidedBy,
    decision: ExitDecision,
    reason: Option<ExitReason>,
}

const fn unknown() -> TagBit {
    TagBit::Unknown
}

impl Text {
    fn told(self) -> Option<Told> {
        let (at, act) = match self {
            Self::CheckOut {
                at,
                item,
                card_number,
                card_token,
                compartment,
                two_phase,
            } => {
                let act = on_item(ActKind::CheckOut, item, (card_number, card_token))?;
                (at, act.at_door(compartment, two_phase)?)
            }
            Self::Renewal {
                at,
                item,
                card_number,
                card_token,
            } => (
                at,
                ToldAct::OnItem(on_item(ActKind::Renewal, item, (card_number, card_token))?),
            ),
            Self::CheckIn { at, item, compartment } => {
                let act = on_item(ActKind::CheckIn, item, (None, None))?;
                (at, act.at_door(compartment, false)?)
            }
            Self::LoanTaken { at, loan_id, sequence } => (at, ToldAct::Taken(true, of_loan(loan_id, sequence)?)),
            Self::LoanNotTaken { at, loan_id, sequence } => (at, ToldAct::Taken(false, of_loan(loan_id, sequence)?)),
            Self::Compartment { at, door } => (at, ToldAct::Compartment(told_door(door)?)),
            Self::Passages {
                at,
                batch,
                hours,
                checks,
            } => (at, passages(batch, hours, checks)?),
            Self::ExitCheck {
                at,
                check_id,
                tag,
                barcode,
                tag_bit,
                decided,
                decision,
                reason,
            } => {
                let batch = format!("check:{check_id}");
                let check = CheckText {
                    check_id,
                    at,
                    tag,
                    barcode,
                    tag_bit,
                    decided,
                    decision,
                    reason,
                };
                (at, passages(batch, Vec::new(), vec![check])?)
            }
            Self::Lost { at, from, to } => {
                let fits = from >= 1 && from <= to && to - from < MAX_LOST && to < 1 << 53;
                (at, fits.then_some(ToldAct::Lost { from, to })?)
            }
        };
        Some(Told { at, act })
    }
}

impl OnItem {
    /// The same at a door.
    fn at_door(self, door: Option<u16>, two_phase: bool) -> Option<ToldAct> {
        let fits = door != Some(0);
        fits.then_some(ToldAct::OnItem(Self {
            door,
            two_phase,
            ..self
        }))
    }
}

fn on_item(kind: ActKind, item: ItemText, (number, token): (Option<String>, Option<String>)) -> Option<OnItem> {
    let shown = match (item.tag, item.barcode) {
        (Some(tag), None) => ItemShown::Tag(plain(tag, 64)?),
        (None, Some(barcode)) => ItemShown::Barcode(Barcode::parse(&barcode).ok()?),
        _ => return None,
    };
    let card = match (kind, number, token) {
        (ActKind::CheckIn, ..) => None,
        (_, Some(number), None) => Some(CardTold::Number(CardNumber::parse(&number).ok()?)),
        (_, None, Some(token)) => Some(CardTold::Token(plain(token, 512)?)),
        _ => return None,
    };
    let owner_unit_code = match item.owner_unit_code {
        Some(code) => Some(plain(code, 32)?),
        None => None,
    };
    Some(OnItem {
        kind,
        item: shown,
        owner_unit_code,
        card,
        door: None,
        two_phase: false,
    })
}

fn plain(text: String, most: usize) -> Option<String> {
    let fits = (1..=most).contains(&text.len()) && !text.chars().any(char::is_control);
    fits.then_some(text)
}

fn passages(batch: String, hours: Vec<HourText>, checks: Vec<CheckText>) -> Option<ToldAct> {
    if hours.len() > MAX_HOURS || checks.len() > MAX_CHECKS {
        return None;
    }
    let hours = hours.into_iter().map(|hour| {
        let fits = hour.went_in <= MAX_PASSED && hour.went_out <= MAX_PASSED && is_of_a_clock(hour.hour);
        fits.then_some(HourOfGate {
            hour: hour.hour,
            went_in: hour.went_in,
            went_out: hour.went_out,
        })
    });
    let checks = checks.into_iter().map(told_check);
    Some(ToldAct::Passages(Box::new(Passages {
        batch: plain(batch, 80)?,
        hours: hours.collect::<Option<_>>()?,
        checks: checks.collect::<Option<_>>()?,
    })))
}

/// What a clock may show, be it never so wrong.
fn is_of_a_clock(at: DateTime<Utc>) -> bool {
    (1970..=9999).contains(&at.year())
}

fn told_check(check: CheckText) -> Option<ToldCheck> {
    if !is_of_a_clock(check.at) {
        return None;
    }
    let read = match (check.tag, check.barcode) {
        (Some(tag), None) => ItemShown::Tag(plain(tag, 64)?),
        (None, Some(barcode)) => ItemShown::Barcode(Barcode::parse(&barcode).ok()?),
        _ => return None,
    };
    let decided = match (check.decided, check.reason) {
        (DecidedBy::Locally, None) => Decided::Locally(check.decision),
        (DecidedBy::Asked, Some(reason)) if reason.decision() == check.decision => Decided::Asked(reason),
        _ => return None,
    };
    Some(ToldCheck {
        check_id: plain(check.check_id, 64)?,
        at: check.at,
        read,
        bit: check.tag_bit,
        decided,
    })
}

#[cfg(test)]
mod tests;
