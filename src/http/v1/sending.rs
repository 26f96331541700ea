//! What units send to each other, and what that costs: how copies on shelves are chosen for holds.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::sending::UnitSending;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Anyone, Changing, ManagesUnits};
use crate::http::input::{CodeText, Cursor, Limit, PageBody, page};
use crate::http::openapi::{ChangeOneFailures, ChangeSeenFailures, IdempotencyHeader, LookFailures};
use crate::http::precondition::{self, IfMatchGiven, IfMatchGivenHeader};
use crate::http::query::Parameters;
use crate::usecase::content_version::content_version;
use crate::usecase::set_sending::{self, SendingView, SetTransportCost, SetUnitSending, TransportCostView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(get_unit_sending, set_unit_sending, list_transport_costs, set_transport_cost))]
pub struct Document;

/// What a unit sends to readers elsewhere.
#[utoipa::path(get, path = "/api/v1/units/{code}/sending", operation_id = "getUnitSending", tag = "units",
    params(("code" = String, Path, description = "The unit's code")), security(("bearer" = [])),
    responses((status = 200, description = "What it sends", body = SendingView), LookFailures))]
pub async fn get_unit_sending(app: web::Data<App>, who: Anyone, code: web::Path<String>) -> Answer {
    let sends = set_sending::get_unit_sending(&app.store, &who.caller, code.into_inner()).await?;
    precondition::tagged(answer::ok(&sends), content_version(&sends)?)
}

/// What a unit, and everything below that says nothing itself, sends. An empty object: what is said above.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sends {
    /// It fetches copies from its shelves for readers elsewhere. Absent: what is said above the unit, and the other members are not read.
    sends: Option<bool>,
    /// Copies it may be asked for on one day of the network's zone; absent: any number.
    #[schema(maximum = 100000)]
    daily_cap: Option<u32>,
    /// Open days after the day of asking in which it answers; 1 by default.
    #[schema(minimum = 1, maximum = 60, example = 1)]
    answer_days: Option<u16>,
}

/// Says what a unit sends.
#[utoipa::path(put, path = "/api/v1/units/{code}/sending", operation_id = "setUnitSending", tag = "units",
    params(("code" = String, Path, description = "The unit's code"), IdempotencyHeader, IfMatchGivenHeader),
    request_body = Sends,
    security(("bearer" = [])),
    responses((status = 200, description = "What it sends", body = SendingView), ChangeSeenFailures))]
pub async fn set_unit_sending(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    seen: IfMatchGiven,
    request: Changing<Sends>,
) -> Answer {
    let body = request.body;
    let said = body.sends.map(|sends| UnitSending {
        sends,
        daily_cap: body.daily_cap,
        answer_days: body.answer_days.unwrap_or(UnitSending::USUAL.answer_days),
    });
    let command = SetUnitSending {
        code: code.into_inner(),
        said,
        seen: seen.0,
    };
    let set = set_sending::set_unit_sending(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&set), content_version(&set.value)?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CostPage {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// The costs that were said of transport from a unit.
#[utoipa::path(get, path = "/api/v1/units/{code}/transport-costs", operation_id = "listTransportCosts", tag = "units",
    params(("code" = String, Path, description = "The sender's code"), CostPage), security(("bearer" = [])),
    responses((status = 200, description = "A page of costs", body = PageBody<TransportCostView>), LookFailures))]
pub async fn list_transport_costs(
    app: web::Data<App>,
    who: Anyone,
    code: web::Path<String>,
    asked: Parameters<CostPage>,
) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let costs = set_sending::list_transport_costs(&app.store, &who.caller, code.into_inner(), page).await?;
    answer::ok(&PageBody::from(costs))
}

/// What transport to another unit costs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// The receiver's code; the cost counts for both units and everything below them.
    #[schema(value_type = String, max_length = 32, example = "M02")]
    to_unit_code: CodeText,
    /// Without unit, ten is one step of the unit tree. Absent: the row is taken back.
    #[schema(maximum = 1000000, example = 15)]
    cost: Option<u32>,
}

/// Says what transport from a unit to another costs. The row nearest to both ends counts.
#[utoipa::path(put, path = "/api/v1/units/{code}/transport-costs", operation_id = "setTransportCost", tag = "units",
    params(("code" = String, Path, description = "The sender's code"), IdempotencyHeader), request_body = Cost,
    security(("bearer" = [])),
    responses((status = 200, description = "The cost", body = TransportCostView), ChangeOneFailures))]
pub async fn set_transport_cost(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    request: Changing<Cost>,
) -> Answer {
    let command = SetTransportCost {
        from_code: code.into_inner(),
        to_code: request.body.to_unit_code.into(),
        cost: request.body.cost,
    };
    answer::done(&set_sending::set_transport_cost(&app.store, &who.caller, command, request.key).await?)
}
