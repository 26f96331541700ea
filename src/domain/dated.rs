//! What a calendar says of single days, besides weekly hours and closed days: exceptional openings, emergency closings, amnesties.
//! Not for: which of them wins (see `calendar`).

use chrono::{NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};

use super::calendar::OpenSpan;

/// Days on which a unit and everything below it is open at hours of its own, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    pub first: NaiveDate,
    pub last: NaiveDate,
    /// At least one, in order.
    pub spans: Vec<OpenSpan>,
    pub reason: String,
}

/// Days that count for nobody as overdue, at a unit and everything below it, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amnesty {
    pub first: NaiveDate,
    pub last: NaiveDate,
    pub reason: String,
}

/// An emergency closing of a unit and everything below it, both ends included. One that was undone is not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmergencyClosing {
    /// Of the act; later ones have higher numbers.
    pub id: i64,
    pub first: NaiveDate,
    pub last: NaiveDate,
    pub reason: String,
}

/// A unit's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Dated {
    pub openings: Vec<Opening>,
    pub amnesties: Vec<Amnesty>,
    pub closings: Vec<EmergencyClosing>,
}

macro_rules! covers {
    ($($name:ident),*) => {$(impl $name {
        /// Whether it says something of this day.
        pub fn covers(&self, date: NaiveDate) -> bool {
            self.first <= date && date <= self.last
        }
    })*};
}

covers!(Opening, Amnesty, EmergencyClosing);

/// What is wrong with the spans of one day, if anything: one that does not end after it begins, or begins before the one before
/// it has ended.
pub fn fault_of(spans: &[OpenSpan]) -> Option<SpanFault> {
    let mut last: Option<NaiveTime> = None;
    for OpenSpan { opens, closes } in spans.iter().copied() {
        if closes <= opens {
            return Some(SpanFault::Backwards { opens, closes });
        }
        if last.is_some_and(|last| opens < last) {
            return Some(SpanFault::Unordered { opens });
        }
        last = Some(closes);
    }
    None
}

/// Why the spans of a day were not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpanFault {
    #[error("{opens} to {closes} does not end after it begins")]
    Backwards { opens: NaiveTime, closes: NaiveTime },
    #[error("the span from {opens} overlaps or precedes the one before it")]
    Unordered { opens: NaiveTime },
}
