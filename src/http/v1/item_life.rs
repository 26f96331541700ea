//! What becomes of an item: missing, damaged, processed, lost, recalled, stock again.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::ids::ItemId;
use crate::domain::item_life::ItemAct;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesItems, MindsItems, SettlesLoans};
use crate::http::input::{Text, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader};
use crate::usecase::Caller;
use crate::usecase::declare_lost::{self, DeclareLost};
use crate::usecase::ready_item::{self, ReadyItem};
use crate::usecase::recall_item::{self, RecallItem};
use crate::usecase::report_item::{self, ItemLifeOutcome, ReportItem};
use crate::usecase::view::LoanOutcome;

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    report_missing,
    report_damaged,
    start_processing,
    finish_processing,
    finish_repair,
    declare_lost,
    recall_item,
    reinstate_item
))]
pub struct Document;

/// What was seen or done; usually an empty object.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemNote {
    /// Kept with the event.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500, example = "书脊脱落")]
    note: Option<Text<500>>,
}

/// Why it is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemReason {
    /// Kept with the event.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "读者告知遗失")]
    reason: Text<500>,
}

/// Not found where it should be: on its shelf, on the hold shelf, in a crate. A hold it was set aside for waits again.
#[utoipa::path(post, path = "/api/v1/items/{id}/missing", operation_id = "reportMissing", tag = "items",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ItemNote, security(("bearer" = [])),
    responses((status = 200, description = "The item", body = ItemLifeOutcome), ChangeOneFailures))]
pub async fn report_missing(
    app: web::Data<App>,
    who: MindsItems,
    id: web::Path<i64>,
    request: Changing<ItemNote>,
) -> Answer {
    report(&app, &who.caller, *id, ItemAct::ReportMissing, request).await
}

/// Not fit to be lent. A hold it was set aside for waits again.
#[utoipa::path(post, path = "/api/v1/items/{id}/damage", operation_id = "reportDamaged", tag = "items",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ItemNote, security(("bearer" = [])),
    responses((status = 200, description = "The item", body = ItemLifeOutcome), ChangeOneFailures))]
pub async fn report_damaged(
    app: web::Data<App>,
    who: MindsItems,
    id: web::Path<i64>,
    request: Changing<ItemNote>,
) -> Answer {
    report(&app, &who.caller, *id, ItemAct::ReportDamaged, request).await
}

/// Taken from the shelf to be bound, labelled or mended.
#[utoipa::path(post, path = "/api/v1/items/{id}/processing", operation_id = "startProcessing", tag = "items",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ItemNote, security(("bearer" = [])),
    responses((status = 200, description = "The item", body = ItemLifeOutcome), ChangeOneFailures))]
pub async fn start_processing(
    app: web::Data<App>,
    who: MindsItems,
    id: web::Path<i64>,
    request: Changing<ItemNote>,
) -> Answer {
    report(&app, &who.caller, *id, ItemAct::StartProcessing, request).await
}

/// Withdrawn by mistake: it is stock again, and in processing.
#[utoipa::path(post, path = "/api/v1/items/{id}/reinstatement", operation_id = "reinstateItem", tag = "items",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ItemNote, security(("bearer" = [])),
    responses((status = 200, description = "The item", body = ItemLifeOutcome), ChangeOneFailures))]
pub async fn reinstate_item(
    app: web::Data<App>,
    who: ManagesItems,
    id: web::Path<i64>,
    request: Changing<ItemNote>,
) -> Answer {
    report(&app, &who.caller, *id, ItemAct::Reinstate, request).await
}

async fn report(app: &App, caller: &Caller, id: i64, act: ItemAct, request: Changing<ItemNote>) -> Answer {
    let command = ReportItem {
        item: ItemId::new(id),
        act,
        note: text(request.body.note),
    };
    answer::done(&report_item::report_item(&app.store, caller, command, request.key).await?)
}

/// Processed: it circulates from where it lies, to the next reader who waits, to its shelf or home.
#[utoipa::path(post, path = "/api/v1/items/{id}/processing/end", operation_id = "finishProcessing", tag = "items",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ItemNote, security(("bearer" = [])),
    responses((status = 200, description = "The item and where it goes", body = ItemLifeOutcome), ChangeOneFailures))]
pub async fn finish_processing(
    app: web::Data<App>,
    who: MindsItems,
    id: web::Path<i64>,
    request: Changing<ItemNote>,
) -> Answer {
    ready(&app, &who.caller, *id, ItemAct::FinishProcessing, request).await
}

/// Repaired: it circulates from where it lies, to the next reader who waits, to its shelf or home.
#[utoipa::path(post, path = "/api/v1/items/{id}/repair", operation_id = "finishRepair", tag = "items",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ItemNote, security(("bearer" = [])),
    responses((status = 200, description = "The item and where it goes", body = ItemLifeOutcome), ChangeOneFailures))]
pub async fn finish_repair(
    app: web::Data<App>,
    who: MindsItems,
    id: web::Path<i64>,
    request: Changing<ItemNote>,
) -> Answer {
    ready(&app, &who.caller, *id, ItemAct::FinishRepair, request).await
}

async fn ready(app: &App, caller: &Caller, id: i64, act: ItemAct, request: Changing<ItemNote>) -> Answer {
    let command = ReadyItem {
        item: ItemId::new(id),
        act,
        note: text(request.body.note),
    };
    answer::done(&ready_item::ready_item(&app.store, caller, command, request.key).await?)
}

/// Given up: on loan, claimed returned or missing. An open loan ends as lost.
#[utoipa::path(post, path = "/api/v1/items/{id}/loss", operation_id = "declareLost", tag = "items",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ItemReason, security(("bearer" = [])),
    responses((status = 200, description = "The item", body = ItemLifeOutcome), ChangeOneFailures))]
pub async fn declare_lost(
    app: web::Data<App>,
    who: SettlesLoans,
    id: web::Path<i64>,
    request: Changing<ItemReason>,
) -> Answer {
    let command = DeclareLost {
        item: ItemId::new(*id),
        reason: request.body.reason.into(),
    };
    answer::done(&declare_lost::declare_lost(&app.store, &who.caller, command, request.key).await?)
}

/// Calls back an item on loan: due earlier, within the guaranteed time and notice, and not renewed any more.
#[utoipa::path(post, path = "/api/v1/items/{id}/recall", operation_id = "recallItem", tag = "items",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ItemReason, security(("bearer" = [])),
    responses((status = 200, description = "The loan", body = LoanOutcome), ChangeOneFailures))]
pub async fn recall_item(
    app: web::Data<App>,
    who: SettlesLoans,
    id: web::Path<i64>,
    request: Changing<ItemReason>,
) -> Answer {
    let command = RecallItem {
        item: ItemId::new(*id),
        reason: request.body.reason.into(),
        guarantee: app.config.circulation.guarantee(),
    };
    answer::done(&recall_item::recall_item(&app.store, &who.caller, command, request.key).await?)
}
