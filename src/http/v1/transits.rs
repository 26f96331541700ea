//! Journeys between units.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::consent::{OverridesRequest, consent};
use crate::app::App;
use crate::domain::ids::TransitId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ReceivesTransits, Staff};
use crate::http::input::{CodeText, Cursor, Limit, PageBody, page, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, ListFailures};
use crate::http::query::Parameters;
use crate::usecase::list_transits::{self, ListTransits, TransitView};
use crate::usecase::receive_transit::{self, ReceiveTransit};
use crate::usecase::view::CheckInOutcome;

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_transits, receive_transit))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TransitFilter {
    /// Those that leave this unit.
    #[param(value_type = Option<String>, max_length = 32)]
    from_unit_code: Option<CodeText>,
    /// Those that travel to this unit. Without either: to the caller's own unit, or all for who may see the whole network.
    #[param(value_type = Option<String>, max_length = 32)]
    to_unit_code: Option<CodeText>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists open transits in the order of their ids.
#[utoipa::path(get, path = "/api/v1/transits", operation_id = "listTransits", tag = "transits", params(TransitFilter),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of transits", body = PageBody<TransitView>), ListFailures))]
pub async fn list_transits(app: web::Data<App>, who: Staff, filter: Parameters<TransitFilter>) -> Answer {
    let TransitFilter {
        from_unit_code,
        to_unit_code,
        cursor,
        limit,
    } = filter.0;
    let query = ListTransits {
        from_unit_code: text(from_unit_code),
        to_unit_code: text(to_unit_code),
        page: page(cursor, limit),
    };
    let transits = list_transits::list_transits(&app.store, &who.caller, query).await?;
    answer::ok(&PageBody::from(transits))
}

/// What staff say to refusals; usually an empty object.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveRequest {
    overrides: Option<OverridesRequest>,
    /// Codes of refusals with the outcome `confirm`.
    confirm: Option<Vec<String>>,
}

/// Takes an item out of the crate at the caller's unit and says the one thing to do with it.
#[utoipa::path(post, path = "/api/v1/transits/{id}/receive", operation_id = "receiveTransit", tag = "transits",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ReceiveRequest, security(("bearer" = [])),
    responses((status = 200, description = "What to do with it", body = CheckInOutcome), ChangeOneFailures))]
pub async fn receive_transit(
    app: web::Data<App>,
    who: ReceivesTransits,
    id: web::Path<i64>,
    request: Changing<ReceiveRequest>,
) -> Answer {
    let ReceiveRequest { overrides, confirm } = request.body;
    let command = ReceiveTransit {
        transit: TransitId::new(*id),
        consent: consent(overrides, confirm)?,
    };
    answer::done(&receive_transit::receive_transit(&app.store, &who.caller, command, request.key).await?)
}
