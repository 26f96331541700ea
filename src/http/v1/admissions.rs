//! Readers at the gate, for staff; and what the provider reports.

use actix_web::web::{self, ServiceConfig, get, post, resource};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::me::admission as me;
use crate::app::App;
use crate::config::Config;
use crate::domain::admission::{AdmittedBy, Decision};
use crate::domain::ids::ReaderId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesCredit, Staff};
use crate::http::input::Text;
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, LookFailures};
use crate::http::signed::{Signed, SignedBody};
use crate::usecase::admission_view::AdmissionView;
use crate::usecase::admit_reader::{self, AdmitReader};
use crate::usecase::report_admission::{self, AdmissionReportOutcome, ReportAdmission};

#[derive(utoipa::OpenApi)]
#[openapi(paths(get_reader_admission, admit_reader, report_admission))]
pub struct Document;

/// The operations of the gate.
pub fn routes(config: &mut ServiceConfig) {
    let at_the_gate = resource("/readers/{id}/admission")
        .route(get().to(get_reader_admission))
        .route(post().to(admit_reader));
    let own = resource("/me/admission")
        .route(get().to(me::get_my_admission))
        .route(post().to(me::ask_my_admission));
    config
        .service(at_the_gate)
        .service(own)
        .service(resource("/me/admission/agreement").route(post().to(me::agree_my_admission)))
        .service(resource("/me/admission/end").route(post().to(me::end_my_admission)))
        .service(resource("/admission-reports").route(post().to(report_admission)));
}

/// Whether a reader may borrow without a deposit, and what is missing.
#[utoipa::path(get, path = "/api/v1/readers/{id}/admission", operation_id = "getReaderAdmission", tag = "credit",
    params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, description = "How it stands", body = AdmissionView), LookFailures))]
pub async fn get_reader_admission(app: web::Data<App>, who: Staff, id: web::Path<i64>) -> Answer {
    answer::ok(&admit_reader::get_admission(&app.store, &who.caller, ReaderId::new(*id)).await?)
}

/// Why staff let a reader in.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdmittingBy {
    /// The deposit was paid.
    Deposit,
    /// Staff decide so.
    Staff,
}

/// Who is let in, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdmitRequest {
    /// `deposit` (it was paid) or `staff` (a decision).
    by: AdmittingBy,
    /// Kept with the event.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "押金收据 2026-0311")]
    reason: Text<500>,
}

/// Lets a reader in, for good: a deposit was paid, or staff decide so.
#[utoipa::path(post, path = "/api/v1/readers/{id}/admission", operation_id = "admitReader", tag = "credit",
    params(("id" = i64, Path), IdempotencyHeader), request_body = AdmitRequest, security(("bearer" = [])),
    responses((status = 200, description = "How it stands", body = AdmissionView), ChangeOneFailures))]
pub async fn admit_reader(
    app: web::Data<App>,
    who: ManagesCredit,
    id: web::Path<i64>,
    request: Changing<AdmitRequest>,
) -> Answer {
    let command = AdmitReader {
        reader: ReaderId::new(*id),
        by: match request.body.by {
            AdmittingBy::Deposit => AdmittedBy::Deposit,
            AdmittingBy::Staff => AdmittedBy::Staff,
        },
        reason: request.body.reason.into(),
    };
    answer::done(&admit_reader::admit_reader(&app.store, &who.caller, command, request.key).await?)
}

/// What a provider decided.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportedDecision {
    /// The score reaches the threshold.
    Passed,
    /// It does not.
    Refused,
    /// The reader did not agree in time.
    Expired,
}

/// What a provider says of an order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdmissionReport {
    /// Theirs: the same one counts once.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "r-1")]
    report_id: Text<100>,
    /// The key under which the order was opened.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "7d1f0c5e9a3b4c2d8e6f7a8b9c0d1e2f")]
    order_key: Text<64>,
    /// What was decided.
    decision: ReportedDecision,
}

impl SignedBody for AdmissionReport {
    fn secret(config: &Config) -> Option<&SecretString> {
        config.admission.report_secret.as_ref()
    }
}

/// Takes a decision of the provider, which signs it. Each counts once under its `report_id`; one that comes after another decision
/// changes nothing (`applied` is false).
#[utoipa::path(post, path = "/api/v1/admission-reports", operation_id = "reportAdmission", tag = "credit",
    request_body = AdmissionReport, security(("signature" = [])),
    responses((status = 200, description = "What became of it", body = AdmissionReportOutcome), ChangeOneFailures))]
pub async fn report_admission(app: web::Data<App>, request: Signed<AdmissionReport>) -> Answer {
    let said = request.0;
    let report = ReportAdmission {
        provider: app.config.admission.provider.clone().unwrap_or_default(),
        report_id: said.report_id.into(),
        order_key: said.order_key.into(),
        decision: match said.decision {
            ReportedDecision::Passed => Decision::Passed,
            ReportedDecision::Refused => Decision::Refused,
            ReportedDecision::Expired => Decision::Expired,
        },
    };
    answer::ok(&report_admission::report_admission(&app.store, report).await?)
}
