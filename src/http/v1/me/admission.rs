//! A reader at the gate: asking to borrow without a deposit.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use super::credit::own;
use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::{AppealsCredit, Changing, Readers};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, LookFailures};
use crate::usecase::admission_view::AdmissionView;
use crate::usecase::admit_reader;
use crate::usecase::ask_admission::{self, AskAdmission};

#[derive(utoipa::OpenApi)]
#[openapi(paths(get_my_admission, ask_my_admission, agree_my_admission, end_my_admission))]
pub struct Document;

/// Whether the reader may borrow without a deposit, and what is missing.
#[utoipa::path(get, path = "/api/v1/me/admission", operation_id = "getMyAdmission", tag = "credit",
    security(("bearer" = [])),
    responses((status = 200, description = "How it stands", body = AdmissionView), LookFailures))]
pub async fn get_my_admission(app: web::Data<App>, who: Readers) -> Answer {
    answer::ok(&admit_reader::get_admission(&app.store, &who.caller, own(&who.caller)?).await?)
}

/// Nothing is to be said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdmissionAct {}

/// Begins to ask the provider. It is told the reader's name and the threshold, and answers where the reader agrees: `agree_url` of
/// `getMyAdmission`. Sent again while it is open, it goes on with it;
/// where nothing has to be asked, nothing is.
#[utoipa::path(post, path = "/api/v1/me/admission", operation_id = "askMyAdmission", tag = "credit",
    params(IdempotencyHeader), request_body = AdmissionAct, security(("bearer" = [])),
    responses((status = 200, description = "How it stands", body = AdmissionView), ChangeOneFailures))]
pub async fn ask_my_admission(app: web::Data<App>, who: AppealsCredit, request: Changing<AdmissionAct>) -> Answer {
    let command = AskAdmission {
        provider: app.config.admission.provider.clone(),
        order_key: ask_admission::new_key()?,
    };
    let asked = ask_admission::ask_admission(&app.store, &who.caller, command, request.key).await?;
    answer::done(&asked)
}

/// The reader has agreed at `agree_url`: the provider is asked how it stands. Sent again it is asked again.
#[utoipa::path(post, path = "/api/v1/me/admission/agreement", operation_id = "agreeMyAdmission", tag = "credit",
    params(IdempotencyHeader), request_body = AdmissionAct, security(("bearer" = [])),
    responses((status = 200, description = "How it stands", body = AdmissionView), ChangeOneFailures))]
pub async fn agree_my_admission(app: web::Data<App>, who: AppealsCredit, request: Changing<AdmissionAct>) -> Answer {
    answer::done(&ask_admission::agree_admission(&app.store, &who.caller, request.key).await?)
}

/// The reader takes it back: the provider forgets the order. Not while anything is on loan.
#[utoipa::path(post, path = "/api/v1/me/admission/end", operation_id = "endMyAdmission", tag = "credit",
    params(IdempotencyHeader), request_body = AdmissionAct, security(("bearer" = [])),
    responses((status = 200, description = "How it stands", body = AdmissionView), ChangeOneFailures))]
pub async fn end_my_admission(app: web::Data<App>, who: AppealsCredit, request: Changing<AdmissionAct>) -> Answer {
    answer::done(&ask_admission::end_admission(&app.store, &who.caller, request.key).await?)
}
