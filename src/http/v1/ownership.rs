//! Who owns what: transfers by a document, proposed by one side and settled by the other.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::ids::OwnershipTransferId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Nothing, Staff, TransfersItems};
use crate::http::input::{CodeText, Cursor, Day, Limit, PageBody, Text, page, text};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader, ListFailures, LookFailures};
use crate::http::query::Parameters;
use crate::usecase::propose_transfer::{self, ProposeTransfer, TransferDetail, TransferView};
use crate::usecase::settle_transfer::{self, Verdict};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    list_transfers,
    propose_transfer,
    get_transfer,
    accept_transfer,
    decline_transfer,
    withdraw_transfer
))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TransferParameters {
    /// `proposed`, `accepted`, `declined` or `withdrawn`; absent: all.
    #[param(value_type = Option<String>, max_length = 32, example = "proposed")]
    status: Option<CodeText>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists transfers of ownership from or to the caller's units, in the order of their ids.
#[utoipa::path(get, path = "/api/v1/ownership-transfers", operation_id = "listTransfers", tag = "ownership",
    params(TransferParameters), security(("bearer" = [])),
    responses((status = 200, description = "A page of transfers", body = PageBody<TransferView>), ListFailures))]
pub async fn list_transfers(app: web::Data<App>, who: Staff, asked: Parameters<TransferParameters>) -> Answer {
    let asked = asked.0;
    let wanted = page(asked.cursor, asked.limit);
    let found = propose_transfer::list_transfers(&app.store, &who.caller, text(asked.status), wanted).await?;
    answer::ok(&PageBody::from(found))
}

/// Items that are to have another owner, by a document.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTransfer {
    /// Of the paper that says so; unique for the giving owner.
    #[schema(value_type = String, max_length = 100, example = "武图产〔2026〕12号")]
    document_number: Text<100>,
    /// The day of the paper.
    #[schema(value_type = chrono::NaiveDate, example = "2026-03-04")]
    document_day: Day,
    #[schema(value_type = String, max_length = 500, example = "调拨至新馆")]
    reason: Text<500>,
    /// Who owns the items now.
    #[schema(value_type = String, max_length = 32, example = "M1")]
    from_owner_unit_code: CodeText,
    /// Who is to own them.
    #[schema(value_type = String, max_length = 32, example = "M2")]
    to_owner_unit_code: CodeText,
    /// Numbers of the items.
    #[schema(min_items = 1, max_items = 1000, example = json!([1043]))]
    item_ids: Vec<i64>,
}

/// Proposes to give items to another owner. Nothing changes until that owner accepts.
#[utoipa::path(post, path = "/api/v1/ownership-transfers", operation_id = "proposeTransfer", tag = "ownership",
    params(IdempotencyHeader), request_body = NewTransfer, security(("bearer" = [])),
    responses((status = 201, description = "The proposal", body = TransferView, headers(("Location" = String))),
        ChangeFailures))]
pub async fn propose_transfer(app: web::Data<App>, who: TransfersItems, request: Changing<NewTransfer>) -> Answer {
    let asked = request.body;
    let command = ProposeTransfer {
        document_number: asked.document_number.into(),
        document_day: asked.document_day.0,
        reason: asked.reason.into(),
        from_owner_unit_code: asked.from_owner_unit_code.into(),
        to_owner_unit_code: asked.to_owner_unit_code.into(),
        item_ids: asked.item_ids,
    };
    let once = propose_transfer::propose_transfer(&app.store, &who.caller, command, request.key).await?;
    let location = format!("/api/v1/ownership-transfers/{}", once.value.id);
    answer::created(&once, Some(location))
}

/// A transfer of ownership with its items.
#[utoipa::path(get, path = "/api/v1/ownership-transfers/{id}", operation_id = "getTransfer", tag = "ownership",
    params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, description = "The transfer", body = TransferDetail), LookFailures))]
pub async fn get_transfer(app: web::Data<App>, who: Staff, id: web::Path<i64>) -> Answer {
    let id = OwnershipTransferId::new(*id);
    answer::ok(&propose_transfer::get_transfer(&app.store, &who.caller, id).await?)
}

/// Accepts a proposal, for the receiving owner: the items are its own from now on, with one event each.
#[utoipa::path(post, path = "/api/v1/ownership-transfers/{id}/accept", operation_id = "acceptTransfer", tag = "ownership",
    params(("id" = i64, Path), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The transfer", body = TransferView), ChangeOneFailures))]
pub async fn accept_transfer(
    app: web::Data<App>,
    who: TransfersItems,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    let id = OwnershipTransferId::new(*id);
    let verdict = Verdict::Accept;
    answer::done(&settle_transfer::settle_transfer(&app.store, &who.caller, id, verdict, request.key).await?)
}

/// Why a proposal comes to nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferAnswer {
    #[schema(value_type = String, max_length = 500, example = "三册缺页")]
    reason: Text<500>,
}

/// Declines a proposal, for the receiving owner.
#[utoipa::path(post, path = "/api/v1/ownership-transfers/{id}/decline", operation_id = "declineTransfer", tag = "ownership",
    params(("id" = i64, Path), IdempotencyHeader), request_body = TransferAnswer, security(("bearer" = [])),
    responses((status = 200, description = "The transfer", body = TransferView), ChangeOneFailures))]
pub async fn decline_transfer(
    app: web::Data<App>,
    who: TransfersItems,
    id: web::Path<i64>,
    request: Changing<TransferAnswer>,
) -> Answer {
    let id = OwnershipTransferId::new(*id);
    let verdict = Verdict::Decline(request.body.reason.into());
    answer::done(&settle_transfer::settle_transfer(&app.store, &who.caller, id, verdict, request.key).await?)
}

/// Takes a proposal back, for the giving owner.
#[utoipa::path(post, path = "/api/v1/ownership-transfers/{id}/withdraw", operation_id = "withdrawTransfer", tag = "ownership",
    params(("id" = i64, Path), IdempotencyHeader), request_body = TransferAnswer, security(("bearer" = [])),
    responses((status = 200, description = "The transfer", body = TransferView), ChangeOneFailures))]
pub async fn withdraw_transfer(
    app: web::Data<App>,
    who: TransfersItems,
    id: web::Path<i64>,
    request: Changing<TransferAnswer>,
) -> Answer {
    let id = OwnershipTransferId::new(*id);
    let verdict = Verdict::Withdraw(request.body.reason.into());
    answer::done(&settle_transfer::settle_transfer(&app.store, &who.caller, id, verdict, request.key).await?)
}
