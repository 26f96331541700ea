//! A reader's own credit.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::ids::ReaderId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{AppealsCredit, Changing, Readers};
use crate::http::input::{Cursor, Limit, PageBody, Remark, page};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, ListFailures, LookFailures};
use crate::http::problem::{Code, Problem};
use crate::http::query::Parameters;
use crate::usecase::Caller;
use crate::usecase::credit_view::{CreditAppealView, CreditEntryView, CreditView};
use crate::usecase::get_credit;
use crate::usecase::page::PageRequest;
use crate::usecase::reverse_credit_entry::{self, AppealCreditEntry};

#[derive(utoipa::OpenApi)]
#[openapi(paths(get_my_credit, list_my_credit_entries, appeal_my_credit_entry))]
pub struct Document;

/// The reader who asks.
pub(super) fn own(caller: &Caller) -> Result<ReaderId, Problem> {
    caller.reader().ok_or_else(|| Problem::of(Code::Forbidden))
}

/// The reader's balance, band, freezes, and what moves them.
#[utoipa::path(get, path = "/api/v1/me/credit", operation_id = "getMyCredit", tag = "credit", security(("bearer" = [])),
    responses((status = 200, description = "The credit", body = CreditView), LookFailures))]
pub async fn get_my_credit(app: web::Data<App>, who: Readers) -> Answer {
    answer::ok(&get_credit::get_credit(&app.store, &who.caller, own(&who.caller)?).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EntriesFilter {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

impl EntriesFilter {
    /// The page that was asked for.
    pub fn page(self) -> PageRequest {
        page(self.cursor, self.limit)
    }
}

/// The lines of the reader's ledger, the newest first, each with its reason.
#[utoipa::path(get, path = "/api/v1/me/credit/entries", operation_id = "listMyCreditEntries", tag = "credit",
    params(EntriesFilter), security(("bearer" = [])),
    responses((status = 200, description = "A page of lines", body = PageBody<CreditEntryView>), ListFailures))]
pub async fn list_my_credit_entries(app: web::Data<App>, who: Readers, filter: Parameters<EntriesFilter>) -> Answer {
    let page = filter.0.page();
    let lines = get_credit::list_credit_entries(&app.store, &who.caller, own(&who.caller)?, page, None).await?;
    answer::ok(&PageBody::from(lines))
}

/// Why a line is wrong.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditAppealRequest {
    /// Staff read it.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "书已按时投入还书箱")]
    reason: Remark<500>,
}

/// Objects to a line that took points, within 90 days, once. Staff decide.
#[utoipa::path(post, path = "/api/v1/me/credit/entries/{id}/appeals", operation_id = "appealMyCreditEntry", tag = "credit",
    params(("id" = i64, Path), IdempotencyHeader), request_body = CreditAppealRequest, security(("bearer" = [])),
    responses((status = 201, description = "The appeal", body = CreditAppealView), ChangeOneFailures))]
pub async fn appeal_my_credit_entry(
    app: web::Data<App>,
    who: AppealsCredit,
    id: web::Path<i64>,
    request: Changing<CreditAppealRequest>,
) -> Answer {
    let command = AppealCreditEntry {
        entry: *id,
        reason: request.body.reason.into(),
    };
    let made = reverse_credit_entry::appeal_credit_entry(&app.store, &who.caller, command, request.key).await?;
    answer::created(&made, None)
}
