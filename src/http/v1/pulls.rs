//! What staff of a unit do for holds: fetch copies from shelves, and take from the hold shelf what has no business there.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesHolds, Staff};
use crate::http::input::{Cursor, Limit, PageBody, Text, page, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, LookFailures};
use crate::http::query::Parameters;
use crate::usecase::list_hold_shelf::{self, ShelvedCopy};
use crate::usecase::list_shelf_clearings::{self, ShelfClearing};
use crate::usecase::pulls::{self, PullRefusal, PullView, RefusePull};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_pulls, refuse_pull, list_hold_shelf, list_shelf_clearings))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WorkPage {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// What a unit is to fetch from its shelves, the oldest first. Check a copy in when it is found: it is set aside for the hold, and the
/// answer says where to put it.
#[utoipa::path(get, path = "/api/v1/units/{code}/pulls", operation_id = "listPullList", tag = "holds",
    params(("code" = String, Path, description = "The unit's code"), WorkPage), security(("bearer" = [])),
    responses((status = 200, description = "A page of pulls", body = PageBody<PullView>), LookFailures))]
pub async fn list_pulls(
    app: web::Data<App>,
    who: Staff,
    code: web::Path<String>,
    asked: Parameters<WorkPage>,
) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let pulls = pulls::list_pulls(&app.store, &who.caller, code.into_inner(), page).await?;
    answer::ok(&PageBody::from(pulls))
}

/// Why a copy is not fetched.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// `not_found` (the copy becomes missing), `damaged` (it becomes damaged), `in_use`, `cannot_send` or `other`.
    #[schema(example = "in_use")]
    reason: PullRefusal,
    /// More about it, for staff.
    #[schema(value_type = Option<String>, max_length = 500)]
    note: Option<Text<500>>,
}

/// Says that a unit does not fetch a copy. The next unit that has one is asked at once.
#[utoipa::path(post, path = "/api/v1/pulls/{id}/refusal", operation_id = "refusePull", tag = "holds",
    params(("id" = i64, Path), IdempotencyHeader), request_body = Refusal, security(("bearer" = [])),
    responses((status = 200, description = "The pull", body = PullView), ChangeOneFailures))]
pub async fn refuse_pull(
    app: web::Data<App>,
    who: ManagesHolds,
    id: web::Path<i64>,
    request: Changing<Refusal>,
) -> Answer {
    let command = RefusePull {
        pull: *id,
        reason: request.body.reason,
        note: text(request.body.note),
    };
    answer::done(&pulls::refuse_pull(&app.store, &who.caller, command, request.key).await?)
}

/// What stands on the hold shelf of a unit for readers, by number. Whose it is stands there for those who may see what readers borrow.
#[utoipa::path(get, path = "/api/v1/units/{code}/hold-shelf", operation_id = "listHoldShelf", tag = "holds",
    params(("code" = String, Path, description = "The unit's code"), WorkPage), security(("bearer" = [])),
    responses((status = 200, description = "A page of copies", body = PageBody<ShelvedCopy>), LookFailures))]
pub async fn list_hold_shelf(
    app: web::Data<App>,
    who: Staff,
    code: web::Path<String>,
    asked: Parameters<WorkPage>,
) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let rows = list_hold_shelf::list_hold_shelf(&app.store, &who.caller, code.into_inner(), page).await?;
    answer::ok(&PageBody::from(rows))
}

/// Copies that staff of a unit must take from its hold shelf, or out of a crate, because their hold ended or goes elsewhere. Checking
/// one in says that it was done.
#[utoipa::path(get, path = "/api/v1/units/{code}/shelf-clearings", operation_id = "listShelfClearings", tag = "holds",
    params(("code" = String, Path, description = "The unit's code"), WorkPage), security(("bearer" = [])),
    responses((status = 200, description = "A page of copies", body = PageBody<ShelfClearing>), LookFailures))]
pub async fn list_shelf_clearings(
    app: web::Data<App>,
    who: Staff,
    code: web::Path<String>,
    asked: Parameters<WorkPage>,
) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let rows = list_shelf_clearings::list_shelf_clearings(&app.store, &who.caller, code.into_inner(), page).await?;
    answer::ok(&PageBody::from(rows))
}
