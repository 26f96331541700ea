//! Deposits: batches of copies that stand at another unit for a time.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::barcode::Barcode;
use crate::domain::ids::{DepositId, ItemId};
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesItems, Staff};
use crate::http::input::{CodeText, Cursor, Day, Limit, List, PageBody, Text, page, text};
use crate::http::openapi::{
    ChangeFailures, ChangeOneFailures, ChangeVersionFailures, IdempotencyHeader, ListFailures, LookFailures,
};
use crate::http::precondition::{self, IfMatch, IfMatchHeader};
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::usecase::UseCaseError;
use crate::usecase::create_deposit::{self, Copies, CreateDeposit, DepositMade};
use crate::usecase::deposit_view::{DepositCopyView, DepositDetail, DepositView};
use crate::usecase::list_deposits::{self, ListDeposits};
use crate::usecase::recall_deposit::{self, UpdateDeposit};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    create_deposit,
    list_deposits,
    get_deposit,
    list_deposit_copies,
    update_deposit,
    recall_deposit
))]
pub struct Document;

/// A batch of copies that is to stand at another unit for a time. The copies are named in one of three ways.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDeposit {
    /// The home of every copy of it, where they go back to.
    #[schema(value_type = String, max_length = 32, example = "M1")]
    from_unit_code: CodeText,
    /// A branch, a point, a vehicle: any unit in use.
    #[schema(value_type = String, max_length = 32, example = "B01")]
    to_unit_code: CodeText,
    /// The day on which it is pulled back, in the network's zone; within 1,100 days.
    #[schema(value_type = chrono::NaiveDate, example = "2026-09-30")]
    until: Day,
    #[schema(value_type = String, max_length = 500, example = "2026 年第二季度轮换")]
    reason: Text<500>,
    /// Of several owners' copies with one barcode, the one whose home the deposit is from.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 1000, example = json!(["0100001234567"]))]
    item_barcodes: Option<List<Barcode, 1, 1000>>,
    /// Numbers of items.
    #[schema(value_type = Option<Vec<i64>>, min_items = 1, max_items = 1000, example = json!(null))]
    item_ids: Option<List<i64, 1, 1000>>,
    filter: Option<ShelfChoice>,
}

/// Copies that stand on the shelf of their home and are in no deposit, the oldest numbers first.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShelfChoice {
    /// Of this collection of the unit.
    #[schema(value_type = Option<String>, max_length = 32)]
    collection_code: Option<CodeText>,
    #[schema(value_type = Option<String>, max_length = 32, example = "book")]
    item_type: Option<CodeText>,
    /// Whose call number begins like this.
    #[schema(value_type = Option<String>, max_length = 50, example = "I247")]
    call_number_prefix: Option<Text<50>>,
    /// So many at most.
    #[schema(minimum = 1, maximum = 1000, example = 200)]
    at_most: u16,
}

impl NewDeposit {
    fn copies(self) -> Result<Copies, Problem> {
        let one = || UseCaseError::field("item_barcodes", "give either item_barcodes, or item_ids, or filter").into();
        match (self.item_barcodes, self.item_ids, self.filter) {
            (Some(barcodes), None, None) => Ok(Copies::Barcodes(barcodes.0)),
            (None, Some(ids), None) => Ok(Copies::Items(ids.0.into_iter().map(ItemId::new).collect())),
            (None, None, Some(filter)) if (1..=1000).contains(&filter.at_most) => Ok(Copies::Filter {
                collection_code: text(filter.collection_code),
                item_type: text(filter.item_type),
                call_number_prefix: text(filter.call_number_prefix),
                at_most: filter.at_most,
            }),
            (None, None, Some(_)) => Err(UseCaseError::field("filter.at_most", "must be 1 to 1000").into()),
            _ => Err(one()),
        }
    }
}

/// Makes a deposit: copies on a shelf are to be packed for the unit, copies that are lent or on their way go there when they come back.
/// From then on they are shelved there until the day, or until it is called back; owner and home stay. A copy that cannot be taken stops
/// no other: its row says why.
#[utoipa::path(post, path = "/api/v1/deposits", operation_id = "createDeposit", tag = "deposits",
    params(IdempotencyHeader), request_body = NewDeposit, security(("bearer" = [])),
    responses((status = 201, description = "The deposit, with a row for each copy", body = DepositMade), ChangeFailures))]
pub async fn create_deposit(app: web::Data<App>, who: ManagesItems, request: Changing<NewDeposit>) -> Answer {
    let body = request.body;
    let (from_unit_code, to_unit_code) = (
        body.from_unit_code.as_ref().to_owned(),
        body.to_unit_code.as_ref().to_owned(),
    );
    let (until, reason) = (body.until.0, body.reason.as_ref().to_owned());
    let command = CreateDeposit {
        from_unit_code,
        to_unit_code,
        until,
        reason,
        copies: body.copies()?,
    };
    let made = create_deposit::create_deposit(&app.store, &who.caller, command, request.key).await?;
    let location = format!("/api/v1/deposits/{}", made.value.id);
    answer::created(&made, Some(location))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DepositsPage {
    /// Those of the stock of this unit.
    #[param(value_type = Option<String>, max_length = 32)]
    from_unit_code: Option<CodeText>,
    /// Those that stand at this unit. Without either: all, for who may see the whole network.
    #[param(value_type = Option<String>, max_length = 32)]
    to_unit_code: Option<CodeText>,
    /// `open`, `recalled` or `ended`.
    #[param(value_type = Option<String>, max_length = 32)]
    status: Option<CodeText>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists deposits in the order of their ids.
#[utoipa::path(get, path = "/api/v1/deposits", operation_id = "listDeposits", tag = "deposits", params(DepositsPage),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of deposits", body = PageBody<DepositView>), ListFailures))]
pub async fn list_deposits(app: web::Data<App>, who: Staff, asked: Parameters<DepositsPage>) -> Answer {
    let asked = asked.0;
    let query = ListDeposits {
        from_unit_code: text(asked.from_unit_code),
        to_unit_code: text(asked.to_unit_code),
        status: text(asked.status),
        page: page(asked.cursor, asked.limit),
    };
    let deposits = list_deposits::list_deposits(&app.store, &who.caller, query).await?;
    answer::ok(&PageBody::from(deposits))
}

/// One deposit, and how many of its copies are where now.
#[utoipa::path(get, path = "/api/v1/deposits/{id}", operation_id = "getDeposit", tag = "deposits",
    params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, description = "The deposit", body = DepositDetail), LookFailures))]
pub async fn get_deposit(app: web::Data<App>, who: Staff, id: web::Path<i64>) -> Answer {
    let deposit = list_deposits::get_deposit(&app.store, &who.caller, DepositId::new(*id)).await?;
    precondition::tagged(answer::ok(&deposit), deposit.deposit.version)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CopiesPage {
    /// Only those that are there now; `to_pack` is what to look for on the shelves.
    #[param(value_type = Option<String>, max_length = 32)]
    whereabouts: Option<CodeText>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Where each copy of a deposit is now, in the order they were asked for.
#[utoipa::path(get, path = "/api/v1/deposits/{id}/copies", operation_id = "listDepositCopies", tag = "deposits",
    params(("id" = i64, Path), CopiesPage), security(("bearer" = [])),
    responses((status = 200, description = "A page of copies", body = PageBody<DepositCopyView>),
        (status = 422, description = "`whereabouts` is none"), LookFailures))]
pub async fn list_deposit_copies(
    app: web::Data<App>,
    who: Staff,
    id: web::Path<i64>,
    asked: Parameters<CopiesPage>,
) -> Answer {
    let asked = asked.0;
    let (place, page) = (text(asked.whereabouts), page(asked.cursor, asked.limit));
    let copies = list_deposits::list_deposit_copies(&app.store, &who.caller, DepositId::new(*id), place, page).await?;
    answer::ok(&PageBody::from(copies))
}

/// What is to be different about a deposit; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DepositChange {
    /// Another day on which it is pulled back.
    #[schema(value_type = Option<chrono::NaiveDate>, example = "2026-12-31")]
    until: Option<Day>,
    #[schema(value_type = Option<String>, max_length = 500)]
    reason: Option<Text<500>>,
}

/// Gives an open deposit another day or reason.
#[utoipa::path(patch, path = "/api/v1/deposits/{id}", operation_id = "updateDeposit", tag = "deposits",
    params(("id" = i64, Path), IdempotencyHeader, IfMatchHeader), request_body = DepositChange, security(("bearer" = [])),
    responses((status = 200, description = "The deposit", body = DepositView), ChangeVersionFailures))]
pub async fn update_deposit(
    app: web::Data<App>,
    who: ManagesItems,
    id: web::Path<i64>,
    seen: IfMatch,
    request: Changing<DepositChange>,
) -> Answer {
    let command = UpdateDeposit {
        deposit: DepositId::new(*id),
        seen: seen.0,
        until: request.body.until.map(|day| day.0),
        reason: text(request.body.reason),
    };
    let changed = recall_deposit::update_deposit(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&changed), changed.value.version)
}

/// Why a deposit is called back before its day.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DepositRecall {
    #[schema(value_type = String, max_length = 500, example = "展览提前结束")]
    reason: Text<500>,
}

/// Calls a deposit back now: copies on a shelf are to be packed for their home, copies that are lent go home with their next
/// return. Called back already, it stays as it is.
#[utoipa::path(post, path = "/api/v1/deposits/{id}/recall", operation_id = "recallDeposit", tag = "deposits",
    params(("id" = i64, Path), IdempotencyHeader), request_body = DepositRecall, security(("bearer" = [])),
    responses((status = 200, description = "The deposit", body = DepositView), ChangeOneFailures))]
pub async fn recall_deposit(
    app: web::Data<App>,
    who: ManagesItems,
    id: web::Path<i64>,
    request: Changing<DepositRecall>,
) -> Answer {
    let (id, reason) = (DepositId::new(*id), request.body.reason.into());
    let recalled = recall_deposit::recall_deposit(&app.store, &who.caller, id, reason, request.key).await?;
    precondition::tagged(answer::done(&recalled), recalled.value.version)
}
