//! Days that differ: exceptional openings, and amnesties.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::calendars::ClosureEnds;
use crate::app::App;
use crate::domain::calendar::OpenSpan;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesUnits, Nothing, Staff};
use crate::http::input::{Cursor, Day, Limit, List, PageBody, Text, page};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, ListFailures, LookFailures};
use crate::http::query::Parameters;
use crate::usecase::add_amnesty::{self, AddAmnesty, AmnestyView};
use crate::usecase::add_openings::{self, AddOpenings};
use crate::usecase::list_amnesties::{self, ListAmnesties};
use crate::usecase::remove_amnesty::{self, RemoveAmnesty};
use crate::usecase::remove_openings::{self, RemoveOpenings};
use crate::usecase::unit_view::{OpenSpanView, OpeningRemoved, UnitDetail};

#[derive(utoipa::OpenApi)]
#[openapi(paths(add_openings, remove_openings, list_amnesties, add_amnesty, remove_amnesty))]
pub struct Document;

/// Days on which the unit and everything below it opens at hours of its own, both ends included.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOpening {
    #[schema(value_type = chrono::NaiveDate)]
    first: Day,
    #[schema(value_type = chrono::NaiveDate)]
    last: Day,
    /// The hours of each of these days.
    #[schema(value_type = Vec<OpenSpanView>, min_items = 1, max_items = 10)]
    hours: List<OpenSpanView, 1, 10>,
    #[schema(value_type = String, max_length = 100, example = "国庆展览")]
    reason: Text<100>,
}

/// Openings to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOpenings {
    /// Days, and the hours of each.
    #[schema(value_type = Vec<NewOpening>, min_items = 1, max_items = 100)]
    openings: List<NewOpening, 1, 100>,
}

/// Opens a unit and everything below it on some days at hours of their own, whatever weekly hours and the closed days of the units
/// above say. A unit below with a closed day of its own stays closed on it.
#[utoipa::path(post, path = "/api/v1/units/{code}/openings", operation_id = "addOpenings", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), IdempotencyHeader),
    request_body = NewOpenings, security(("bearer" = [])),
    responses((status = 200, description = "The unit", body = UnitDetail), ChangeOneFailures))]
pub async fn add_openings(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    request: Changing<NewOpenings>,
) -> Answer {
    let span = |span: OpenSpanView| OpenSpan {
        opens: span.opens,
        closes: span.closes,
    };
    let opening = |opening: NewOpening| add_openings::NewOpening {
        first: opening.first.0,
        last: opening.last.0,
        spans: opening.hours.0.into_iter().map(span).collect(),
        reason: opening.reason.into(),
    };
    let command = AddOpenings {
        code: code.into_inner(),
        openings: request.body.openings.0.into_iter().map(opening).collect(),
    };
    answer::done(&add_openings::add_openings(&app.store, &who.caller, command, request.key).await?)
}

/// Removes the exceptional opening with exactly these ends. What rules made due then, on a day that is closed by now, moves to the
/// next open day.
#[utoipa::path(delete, path = "/api/v1/units/{code}/openings", operation_id = "removeOpenings", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), ClosureEnds, IdempotencyHeader),
    security(("bearer" = [])),
    responses((status = 200, description = "The unit", body = OpeningRemoved), ChangeOneFailures))]
pub async fn remove_openings(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    ends: Parameters<ClosureEnds>,
    request: Changing<Nothing>,
) -> Answer {
    let command = RemoveOpenings {
        code: code.into_inner(),
        first: ends.0.first.0,
        last: ends.0.last.0,
    };
    answer::done(&remove_openings::remove_openings(&app.store, &who.caller, command, request.key).await?)
}

/// Days that count for nobody as overdue, both ends included.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAmnesty {
    #[schema(value_type = chrono::NaiveDate)]
    first: Day,
    #[schema(value_type = chrono::NaiveDate)]
    last: Day,
    #[schema(value_type = String, max_length = 100, example = "世界读书日免逾期")]
    reason: Text<100>,
}

/// Adds an amnesty: these days do not count as overdue for anything lent at the unit or below it. They may lie behind.
#[utoipa::path(post, path = "/api/v1/units/{code}/amnesties", operation_id = "addAmnesty", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), IdempotencyHeader),
    request_body = NewAmnesty, security(("bearer" = [])),
    responses((status = 200, description = "The amnesty", body = AmnestyView), ChangeOneFailures))]
pub async fn add_amnesty(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    request: Changing<NewAmnesty>,
) -> Answer {
    let NewAmnesty { first, last, reason } = request.body;
    let command = AddAmnesty {
        code: code.into_inner(),
        first: first.0,
        last: last.0,
        reason: reason.into(),
    };
    answer::done(&add_amnesty::add_amnesty(&app.store, &who.caller, command, request.key).await?)
}

/// Removes the amnesty with exactly these ends: its days count again for what is not returned yet.
#[utoipa::path(delete, path = "/api/v1/units/{code}/amnesties", operation_id = "removeAmnesty", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), ClosureEnds, IdempotencyHeader),
    security(("bearer" = [])),
    responses((status = 200, description = "The unit", body = UnitDetail), ChangeOneFailures))]
pub async fn remove_amnesty(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    ends: Parameters<ClosureEnds>,
    request: Changing<Nothing>,
) -> Answer {
    let command = RemoveAmnesty {
        code: code.into_inner(),
        first: ends.0.first.0,
        last: ends.0.last.0,
    };
    answer::done(&remove_amnesty::remove_amnesty(&app.store, &who.caller, command, request.key).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AmnestyPage {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists the amnesties that count at a unit, those of the units above included, in the order of their ids.
#[utoipa::path(get, path = "/api/v1/units/{code}/amnesties", operation_id = "listAmnesties", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), AmnestyPage), security(("bearer" = [])),
    responses((status = 200, description = "A page of amnesties", body = PageBody<AmnestyView>), LookFailures, ListFailures))]
pub async fn list_amnesties(
    app: web::Data<App>,
    who: Staff,
    code: web::Path<String>,
    asked: Parameters<AmnestyPage>,
) -> Answer {
    let query = ListAmnesties {
        code: code.into_inner(),
        page: page(asked.0.cursor, asked.0.limit),
    };
    let amnesties = list_amnesties::list_amnesties(&app.store, &who.caller, query).await?;
    answer::ok(&PageBody::from(amnesties))
}
