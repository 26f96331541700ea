//! What a journal says against the records: a queue for people.

use actix_web::web::{self, ServiceConfig, get, post, resource};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::barcode::{Barcode, CardNumber};
use crate::domain::journal_conflict::Resolution;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, SettlesMachines};
use crate::http::input::{CodeText, Cursor, Limit, PageBody, Remark, Text, page, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, ListFailures};
use crate::http::query::Parameters;
use crate::usecase::UseCaseError;
use crate::usecase::item_shown::ItemShown;
use crate::usecase::list_conflicts::{self, ConflictView, ListConflicts};
use crate::usecase::resolve_conflict::{self, ConflictResolved, ResolveConflict};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_conflicts, resolve_conflict))]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/conflicts").route(get().to(list_conflicts)))
        .service(resource("/conflicts/{id}/resolution").route(post().to(resolve_conflict)));
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConflictFilter {
    /// Of machines at or below this unit; the caller's own by default.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// True: those that are resolved, instead of those that are not.
    #[serde(default)]
    #[param(example = false)]
    resolved: bool,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists what acts without the network say against the records, the newest first: both sides, and what may be answered.
#[utoipa::path(get, path = "/api/v1/conflicts", operation_id = "listConflicts", tag = "devices",
    params(ConflictFilter), security(("bearer" = [])),
    responses((status = 200, description = "A page of contradictions", body = PageBody<ConflictView>), ListFailures))]
pub async fn list_conflicts(app: web::Data<App>, who: SettlesMachines, filter: Parameters<ConflictFilter>) -> Answer {
    let ConflictFilter {
        unit_code,
        resolved,
        cursor,
        limit,
    } = filter.0;
    let query = ListConflicts {
        unit_code: text(unit_code),
        resolved,
        page: page(cursor, limit),
    };
    let conflicts = list_conflicts::list_conflicts(&app.store, &who.caller, query).await?;
    answer::ok(&PageBody::from(conflicts))
}

/// What a person says of a contradiction.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConflictAnswer {
    /// `act_stands`: it happened, and what stands in its way ended; `record_stands`: nothing is recorded; `item_here`: somebody has
    /// it in hand; `reader_is`, `item_is`: who and what it was. The line says which of them fit.
    #[schema(value_type = String, pattern = "^(act_stands|record_stands|item_here|reader_is|item_is)$",
        example = "record_stands")]
    resolution: Resolution,
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "读者已确认")]
    reason: Remark<500>,
    /// With `reader_is`: whose card it was.
    #[schema(value_type = Option<String>, max_length = 64)]
    card_number: Option<CardNumber>,
    /// With `item_is`: what it was; this or `item_tag`.
    #[schema(value_type = Option<String>, max_length = 64)]
    item_barcode: Option<Barcode>,
    /// The identifier of its RFID tag.
    #[schema(value_type = Option<String>, max_length = 64)]
    item_tag: Option<Text<64>>,
    /// Whose item, where a barcode or a tag means several.
    #[schema(value_type = Option<String>, max_length = 32)]
    owner_unit_code: Option<CodeText>,
}

/// Settles a contradiction, once; a second answer is told the first (409 `wrong_state`).
#[utoipa::path(post, path = "/api/v1/conflicts/{id}/resolution", operation_id = "resolveConflict", tag = "devices",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ConflictAnswer, security(("bearer" = [])),
    responses((status = 200, description = "What came of it", body = ConflictResolved), ChangeOneFailures))]
pub async fn resolve_conflict(
    app: web::Data<App>,
    who: SettlesMachines,
    id: web::Path<i64>,
    request: Changing<ConflictAnswer>,
) -> Answer {
    let said = request.body;
    let item = match (said.item_barcode, said.item_tag) {
        (Some(_), Some(_)) => {
            return Err(UseCaseError::field("item_tag", "is given beside item_barcode: one is enough").into());
        }
        (Some(barcode), None) => Some(ItemShown::Barcode(barcode)),
        (None, Some(tag)) => Some(ItemShown::Tag(tag.into())),
        (None, None) => None,
    };
    let command = ResolveConflict {
        conflict: *id,
        resolution: said.resolution,
        reason: said.reason.into(),
        card_number: said.card_number,
        item,
        owner_unit_code: text(said.owner_unit_code),
    };
    answer::done(&resolve_conflict::resolve_conflict(&app.store, &who.caller, command, request.key).await?)
}
