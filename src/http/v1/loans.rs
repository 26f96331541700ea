//! What can be done with an open loan.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use super::consent::{ConsentText, OverridesRequest, consent};
use crate::app::App;
use crate::domain::ids::LoanId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Renews, Voids};
use crate::http::input::{Moment, Remark};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader};
use crate::usecase::renew_loan::{self, RenewLoan};
use crate::usecase::view::LoanOutcome;
use crate::usecase::void_loan::{self, VoidLoan};

#[derive(utoipa::OpenApi)]
#[openapi(paths(renew_loan, void_loan))]
pub struct Document;

/// A renewal; usually an empty object.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewalRequest {
    /// A due date given by hand (RFC 3339); needs the right to override.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    due_at: Option<Moment>,
    overrides: Option<OverridesRequest>,
    /// Codes of refusals with the outcome `confirm`.
    confirm: Option<Vec<String>>,
    /// `consent_token` of the answer that told the refusals.
    #[schema(value_type = Option<String>, max_length = 4000)]
    consent_token: Option<ConsentText>,
}

/// Gives a loan a later due date. Readers renew their own.
#[utoipa::path(post, path = "/api/v1/loans/{id}/renewals", operation_id = "renewLoan", tag = "loans",
    params(("id" = i64, Path), IdempotencyHeader), request_body = RenewalRequest, security(("bearer" = [])),
    responses((status = 200, description = "The loan", body = LoanOutcome), ChangeOneFailures))]
pub async fn renew_loan(
    app: web::Data<App>,
    who: Renews,
    id: web::Path<i64>,
    request: Changing<RenewalRequest>,
) -> Answer {
    let RenewalRequest {
        due_at,
        overrides,
        confirm,
        consent_token,
    } = request.body;
    let consent = consent(&app, overrides, confirm, consent_token)?;
    let command = RenewLoan {
        loan: LoanId::new(*id),
        due_at: due_at.map(|at| at.0),
        consent,
    };
    answer::done(&renew_loan::renew_loan(&app.store, &who.caller, command, request.key).await?)
}

/// Why a loan is undone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoidRequest {
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "compartment door jammed")]
    reason: Remark<500>,
    overrides: Option<OverridesRequest>,
    /// Codes of refusals with the outcome `confirm`.
    confirm: Option<Vec<String>>,
    /// `consent_token` of the answer that told the refusals.
    #[schema(value_type = Option<String>, max_length = 4000)]
    consent_token: Option<ConsentText>,
}

/// Undoes a loan that never happened. Not a return: it fills no hold and counts nowhere.
#[utoipa::path(post, path = "/api/v1/loans/{id}/void", operation_id = "voidLoan", tag = "loans",
    params(("id" = i64, Path), IdempotencyHeader), request_body = VoidRequest, security(("bearer" = [])),
    responses((status = 200, description = "The loan", body = LoanOutcome), ChangeOneFailures))]
pub async fn void_loan(app: web::Data<App>, who: Voids, id: web::Path<i64>, request: Changing<VoidRequest>) -> Answer {
    let VoidRequest {
        reason,
        overrides,
        confirm,
        consent_token,
    } = request.body;
    let consent = consent(&app, overrides, confirm, consent_token)?;
    let command = VoidLoan {
        loan: LoanId::new(*id),
        reason: reason.into(),
        consent,
    };
    answer::done(&void_loan::void_loan(&app.store, &who.caller, command, request.key).await?)
}
