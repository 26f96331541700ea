//! A reader says that an item was given back.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::ids::LoanId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ClaimsReturns, SettlesLoans};
use crate::http::input::{Moment, Remark, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader};
use crate::usecase::claim_returned::{self, ClaimReturned};
use crate::usecase::view::LoanOutcome;

#[derive(utoipa::OpenApi)]
#[openapi(paths(report_claimed_returned, reject_claim))]
pub struct Document;

/// What the reader says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    /// When it was given back (RFC 3339); now by default. Neither before the loan nor in the future.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    returned_at: Option<Moment>,
    /// Where and to whom; kept with the event.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500, example = "上周六投入还书箱")]
    note: Option<Remark<500>>,
}

/// Records that an item was given back though its loan is open. The loan counts until the item is found, staff reject the
/// claim, or declare it lost. Readers claim their own.
#[utoipa::path(post, path = "/api/v1/loans/{id}/claims", operation_id = "reportClaimedReturned", tag = "loans",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ClaimRequest, security(("bearer" = [])),
    responses((status = 200, description = "The loan", body = LoanOutcome), ChangeOneFailures))]
pub async fn report_claimed_returned(
    app: web::Data<App>,
    who: ClaimsReturns,
    id: web::Path<i64>,
    request: Changing<ClaimRequest>,
) -> Answer {
    let ClaimRequest { returned_at, note } = request.body;
    let command = ClaimReturned {
        loan: LoanId::new(*id),
        returned_at: returned_at.map(|at| at.0),
        note: text(note),
    };
    answer::done(&claim_returned::claim_returned(&app.store, &who.caller, command, request.key).await?)
}

/// Why a claim is rejected.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimRejection {
    /// Kept with the event.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "书架已查三次,未见")]
    reason: Remark<500>,
}

/// Takes a claim off a loan: the item is out as before.
#[utoipa::path(post, path = "/api/v1/loans/{id}/claims/rejection", operation_id = "rejectClaim", tag = "loans",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ClaimRejection, security(("bearer" = [])),
    responses((status = 200, description = "The loan", body = LoanOutcome), ChangeOneFailures))]
pub async fn reject_claim(
    app: web::Data<App>,
    who: SettlesLoans,
    id: web::Path<i64>,
    request: Changing<ClaimRejection>,
) -> Answer {
    let (loan, reason) = (LoanId::new(*id), request.body.reason.into());
    answer::done(&claim_returned::reject_claim(&app.store, &who.caller, loan, reason, request.key).await?)
}
