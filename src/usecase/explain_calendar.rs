//! When a unit is open, day by day, and what decides it: for whoever asks why a book is due on a Tuesday.

use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::unit_view::OpenSpanView;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::calendar::{Because, Calendar};
use crate::store::Store;

/// Most days of one answer.
pub const MOST_DAYS: i64 = 400;

/// Which days of which unit.
#[derive(Debug, Clone)]
pub struct ExplainCalendar {
    pub code: String,
    pub first: NaiveDate,
    pub last: NaiveDate,
}

/// One day of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CalendarDay {
    /// The local day.
    #[schema(example = "2026-03-04")]
    pub day: NaiveDate,
    /// It opens at all. Due dates and the last days of hold shelves fall on open days only.
    #[schema(example = true)]
    pub open: bool,
    /// Its hours; empty when it is closed, or has none.
    pub hours: Vec<OpenSpanView>,
    /// What decides: `emergency_closing`, `opening`, `closed_days`, `stops`, `weekly_hours`, or `no_hours` (which counts as open).
    #[schema(example = "weekly_hours")]
    pub because: String,
    /// Whose closing, opening, closed day or hours.
    #[schema(example = "M01")]
    pub because_of: Option<String>,
    /// The reason that was given, if there is one.
    #[schema(example = "春节")]
    pub reason: Option<String>,
    /// The reason of the amnesty, if the day counts for nobody as overdue.
    #[schema(example = "世界读书日免逾期")]
    pub amnesty: Option<String>,
}

/// Explains a unit's calendar.
///
/// # Errors
/// `NotFound`; `Forbidden`; `Invalid` for days that end before they begin, or too many; a failure of the store.
pub async fn explain_calendar(store: &Arc<Store>, caller: &Caller, query: ExplainCalendar) -> Result<Vec<CalendarDay>> {
    caller.require_somewhere(Right::ReadUnits)?;
    let ExplainCalendar { code, first, last } = query;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = network.units().by_code(&code).ok_or(UseCaseError::NotFound("unit"))?;
            if last < first {
                return Err(UseCaseError::field(
                    "last",
                    format!("{last} lies before the first day, {first}"),
                ));
            }
            if (last - first).num_days() >= MOST_DAYS {
                return Err(UseCaseError::field(
                    "last",
                    format!("at most {MOST_DAYS} days are told at once"),
                ));
            }
            let calendar = network.calendar(unit.id);
            let days = first.iter_days().take_while(|day| *day <= last);
            Ok(days.map(|day| told(&calendar, day)).collect())
        })
        .await
}

fn told(calendar: &Calendar<'_>, day: NaiveDate) -> CalendarDay {
    let because = calendar.because(day);
    let (word, of, reason) = match because {
        Because::NoHours => ("no_hours", None, None),
        Because::Weekly { of, .. } => ("weekly_hours", Some(of), None),
        Because::Stops { of, .. } => ("stops", Some(of), None),
        Because::Closed { of, range } => ("closed_days", Some(of), Some(&range.reason)),
        Because::Opening { of, opening } => ("opening", Some(of), Some(&opening.reason)),
        Because::Closing { of, closing } => ("emergency_closing", Some(of), Some(&closing.reason)),
    };
    let hours = because.spans().iter().map(|span| OpenSpanView {
        opens: span.opens,
        closes: span.closes,
    });
    CalendarDay {
        day,
        open: because.is_open(),
        hours: hours.collect(),
        because: word.to_owned(),
        because_of: of.map(|unit| unit.code.clone()),
        reason: reason.cloned(),
        amnesty: calendar.amnesty_on(day).map(|(_, amnesty)| amnesty.reason.clone()),
    }
}
