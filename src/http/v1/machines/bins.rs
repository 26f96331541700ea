//! Bins of sorters: which takes what.

use actix_web::web::{self, ServiceConfig, get, put, resource};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesDevices, ReadsDevices};
use crate::http::input::List;
use crate::http::openapi::{ChangeSeenFailures, IdempotencyHeader, LookFailures};
use crate::http::precondition::{self, IfMatchGiven, IfMatchGivenHeader};
use crate::usecase::content_version::content_version;
use crate::usecase::set_bins::{self, BinLine, BinsView, MAX_LINES, SetBins};

#[derive(utoipa::OpenApi)]
#[openapi(paths(get_bins, set_bins))]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    let bins = resource("/units/{code}/bins")
        .route(get().to(get_bins))
        .route(put().to(set_bins));
    config.service(bins);
}

/// Shows which bin of a unit's sorters takes what.
#[utoipa::path(get, path = "/api/v1/units/{code}/bins", operation_id = "getBins", tag = "devices",
    params(("code" = String, Path, description = "The unit's code")), security(("bearer" = [])),
    responses((status = 200, description = "The table", body = BinsView), LookFailures))]
pub async fn get_bins(app: web::Data<App>, who: ReadsDevices, code: web::Path<String>) -> Answer {
    let bins = set_bins::get_bins(&app.store, &who.caller, code.into_inner()).await?;
    precondition::tagged(answer::ok(&bins), content_version(&bins)?)
}

/// The whole table of a unit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"lines": [{"bin": 1, "takes": "shelf"}, {"bin": 2, "takes": "hold"},
    {"bin": 3, "takes": "transit", "to_unit_code": "M1", "and_below": true}, {"bin": 9, "takes": "exception"}]}))]
pub struct NewBins {
    /// One of them must take `exception`; no lines at all take the table away. The closest line wins: a unit before what is above
    /// it, that before a route, that before all.
    #[schema(value_type = Vec<BinLine>, max_items = 200)]
    lines: List<BinLine, 0, MAX_LINES>,
}

/// Gives a unit's sorters another table of bins, as a whole.
#[utoipa::path(put, path = "/api/v1/units/{code}/bins", operation_id = "setBins", tag = "devices",
    params(("code" = String, Path, description = "The unit's code"), IdempotencyHeader, IfMatchGivenHeader),
    request_body = NewBins, security(("bearer" = [])),
    responses((status = 200, description = "The table", body = BinsView), ChangeSeenFailures))]
pub async fn set_bins(
    app: web::Data<App>,
    who: ManagesDevices,
    code: web::Path<String>,
    seen: IfMatchGiven,
    request: Changing<NewBins>,
) -> Answer {
    let command = SetBins {
        unit_code: code.into_inner(),
        seen: seen.0,
        lines: request.body.lines.0,
    };
    let set = set_bins::set_bins(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&set), content_version(&set.value)?)
}
