//! Emergency closings: declared, followed, undone.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesUnits, Nothing, Staff};
use crate::http::input::{CodeText, Cursor, Day, Limit, PageBody, Text, page, text};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader, ListFailures};
use crate::http::query::Parameters;
use crate::usecase::close_units::{self, CloseUnits, UnitsClosed};
use crate::usecase::list_closings::{self, ClosingView, ListClosings};
use crate::usecase::undo_closing;

#[derive(utoipa::OpenApi)]
#[openapi(paths(close_units, undo_closing, list_closings))]
pub struct Document;

/// An emergency closing, both ends included.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClosing {
    /// The unit that is closed, with everything below it.
    #[schema(value_type = String, max_length = 32, example = "M01")]
    unit_code: CodeText,
    /// The first closed day, today or later.
    #[schema(value_type = chrono::NaiveDate)]
    first: Day,
    /// The last closed day, within 400 days from today.
    #[schema(value_type = chrono::NaiveDate)]
    last: Day,
    #[schema(value_type = String, max_length = 100, example = "台风")]
    reason: Text<100>,
    /// Say what would move, and change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Closes a unit and everything below it at once, whatever its calendar says, exceptional openings included. Open loans due then by
/// rule move to the next open day, never past the card's end; hold shelves wait as many open days longer as they lost. All of it is
/// remembered, and put back by `undoClosing`. With many loans the moving goes on after the answer: `listClosings` tells how far it is.
#[utoipa::path(post, path = "/api/v1/closings", operation_id = "closeUnits", tag = "units",
    params(IdempotencyHeader), request_body = NewClosing, security(("bearer" = [])),
    responses((status = 200, description = "The closing, and what moved so far", body = UnitsClosed), ChangeFailures))]
pub async fn close_units(app: web::Data<App>, who: ManagesUnits, request: Changing<NewClosing>) -> Answer {
    let NewClosing {
        unit_code,
        first,
        last,
        reason,
        dry_run,
    } = request.body;
    let command = CloseUnits {
        unit_code: unit_code.into(),
        first: first.0,
        last: last.0,
        reason: reason.into(),
        dry_run,
    };
    answer::done(&close_units::close_units(&app.store, &who.caller, command, request.key).await?)
}

/// Undoes an emergency closing: from today on its units are open again, and every due date and hold shelf it moved goes back, unless
/// it was changed since. Nothing becomes due today or earlier by it.
#[utoipa::path(post, path = "/api/v1/closings/{id}/undo", operation_id = "undoClosing", tag = "units",
    params(("id" = i64, Path), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The closing, and what is back so far", body = ClosingView), ChangeOneFailures))]
pub async fn undo_closing(
    app: web::Data<App>,
    who: ManagesUnits,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    answer::done(&undo_closing::undo_closing(&app.store, &who.caller, *id, request.key).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ClosingFilter {
    /// Those that concern this unit or one below it. Without it: those of all units in the caller's subtree.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists emergency closings, the newest first, with how far the moving or putting back is.
#[utoipa::path(get, path = "/api/v1/closings", operation_id = "listClosings", tag = "units", params(ClosingFilter),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of closings", body = PageBody<ClosingView>), ListFailures))]
pub async fn list_closings(app: web::Data<App>, who: Staff, filter: Parameters<ClosingFilter>) -> Answer {
    let ClosingFilter {
        unit_code,
        cursor,
        limit,
    } = filter.0;
    let query = ListClosings {
        unit_code: text(unit_code),
        page: page(cursor, limit),
    };
    let closings = list_closings::list_closings(&app.store, &who.caller, query).await?;
    answer::ok(&PageBody::from(closings))
}
