//! When units are open: hours, closed days, and calendars from files.

use actix_web::web;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::{IntoParams, ToSchema};

use super::units::{NewClosedDays, week};
use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Anyone, Changing, ManagesUnits, Nothing};
use crate::http::input::{Day, List};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, ListFailures, LookFailures};
use crate::http::query::Parameters;
use crate::usecase::add_closed_days::{self, AddClosedDays, ClosedDaysAdded};
use crate::usecase::explain_calendar::{self, CalendarDay, ExplainCalendar};
use crate::usecase::import_calendar::{self, ImportCalendar};
use crate::usecase::remove_closed_days::{self, RemoveClosedDays};
use crate::usecase::set_unit_hours::{self, HoursSet, SetUnitHours};
use crate::usecase::unit_view::{OpenSpanView, UnitDetail};

/// The largest calendar file taken, in characters.
const CALENDAR_TEXT: usize = 200_000;

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    set_unit_hours,
    add_closed_days,
    remove_closed_days,
    import_calendar,
    explain_calendar
))]
pub struct Document;

/// A unit's weekly hours.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHours {
    /// Seven lists, Monday first; absent: the unit uses the hours of the nearest unit above that has any.
    #[schema(min_items = 7, max_items = 7)]
    hours: Option<Vec<Vec<OpenSpanView>>>,
    /// Say which open loans would move, and change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Sets a unit's weekly hours. Open loans that were due by rule on a day closed by now move to the next open day.
#[utoipa::path(put, path = "/api/v1/units/{code}/hours", operation_id = "setUnitHours", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), IdempotencyHeader),
    request_body = NewHours, security(("bearer" = [])),
    responses((status = 200, description = "The unit, and the loans that moved", body = HoursSet), ChangeOneFailures))]
pub async fn set_unit_hours(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    request: Changing<NewHours>,
) -> Answer {
    let command = SetUnitHours {
        code: code.into_inner(),
        hours: request.body.hours.map(week),
        dry_run: request.body.dry_run,
    };
    answer::done(&set_unit_hours::set_unit_hours(&app.store, &who.caller, command, request.key).await?)
}

/// Days to close.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClosures {
    #[schema(value_type = Vec<NewClosedDays>, min_items = 1, max_items = 400)]
    closed_days: List<NewClosedDays, 1, 400>,
    /// Say which open loans are due on these days, and change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Closes a unit and everything below it on some days. Open loans that are due then by rule move to the next open day.
#[utoipa::path(post, path = "/api/v1/units/{code}/closed-days", operation_id = "addClosedDays", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), IdempotencyHeader),
    request_body = NewClosures, security(("bearer" = [])),
    responses((status = 200, description = "What was added, and the loans due then", body = ClosedDaysAdded),
        ChangeOneFailures))]
pub async fn add_closed_days(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    request: Changing<NewClosures>,
) -> Answer {
    let command = AddClosedDays {
        code: code.into_inner(),
        days: Ok(request
            .body
            .closed_days
            .0
            .into_iter()
            .map(NewClosedDays::parsed)
            .collect()),
        skip_past: false,
        dry_run: request.body.dry_run,
    };
    answer::done(&add_closed_days::add_closed_days(&app.store, &who.caller, command, request.key).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ClosureEnds {
    /// The first day of the range.
    #[param(value_type = chrono::NaiveDate)]
    pub(super) first: Day,
    /// Its last day.
    #[param(value_type = chrono::NaiveDate)]
    pub(super) last: Day,
}

/// Opens again: removes the range of closed days with exactly these ends. Due dates it has moved stay.
#[utoipa::path(delete, path = "/api/v1/units/{code}/closed-days", operation_id = "removeClosedDays", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), ClosureEnds, IdempotencyHeader),
    security(("bearer" = [])),
    responses((status = 200, description = "The unit", body = UnitDetail), ChangeOneFailures))]
pub async fn remove_closed_days(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    ends: Parameters<ClosureEnds>,
    request: Changing<Nothing>,
) -> Answer {
    let command = RemoveClosedDays {
        code: code.into_inner(),
        first: ends.0.first.0,
        last: ends.0.last.0,
    };
    answer::done(&remove_closed_days::remove_closed_days(&app.store, &who.caller, command, request.key).await?)
}

/// The text of a file: bounded, with line breaks of every kind.
#[derive(Debug)]
struct FileText(String);

impl<'de> Deserialize<'de> for FileText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let length = text.chars().count();
        if length > CALENDAR_TEXT {
            let reason = format!("has {length} characters, at most {CALENDAR_TEXT} are allowed");
            return Err(de::Error::custom(reason));
        }
        Ok(Self(text))
    }
}

/// A calendar file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCalendar {
    /// iCalendar with all-day events (`DTSTART;VALUE=DATE`), or CSV with the columns `first`, `last` and `reason`.
    #[schema(value_type = String, max_length = 200_000, example = "first,last,reason\n2026-10-01,2026-10-07,国庆节")]
    text: FileText,
    /// Say what would be added and which open loans are due then, and change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Adds the closed days of a calendar file; days the unit has already and days that lie behind are left out.
#[utoipa::path(post, path = "/api/v1/units/{code}/calendar-imports", operation_id = "importCalendar", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), IdempotencyHeader),
    request_body = NewCalendar, security(("bearer" = [])),
    responses((status = 200, description = "What was added, and the loans due then", body = ClosedDaysAdded),
        ChangeOneFailures))]
pub async fn import_calendar(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    request: Changing<NewCalendar>,
) -> Answer {
    let command = ImportCalendar {
        code: code.into_inner(),
        text: request.body.text.0,
        dry_run: request.body.dry_run,
    };
    answer::done(&import_calendar::import_calendar(&app.store, &who.caller, command, request.key).await?)
}

/// Every day of the answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct CalendarDays {
    items: Vec<CalendarDay>,
}

/// Says day by day when a unit is open, and what decides it: an emergency closing, an exceptional opening, closed days or weekly
/// hours, and of which unit. At most 400 days.
#[utoipa::path(get, path = "/api/v1/units/{code}/calendar", operation_id = "explainCalendar", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), ClosureEnds), security(("bearer" = [])),
    responses((status = 200, description = "The days", body = CalendarDays), LookFailures, ListFailures))]
pub async fn explain_calendar(
    app: web::Data<App>,
    who: Anyone,
    code: web::Path<String>,
    days: Parameters<ClosureEnds>,
) -> Answer {
    let query = ExplainCalendar {
        code: code.into_inner(),
        first: days.0.first.0,
        last: days.0.last.0,
    };
    let items = explain_calendar::explain_calendar(&app.store, &who.caller, query).await?;
    answer::ok(&CalendarDays { items })
}
