//! Lines of readers' ledgers: undoing them, appeals against them, and what other systems report.

use actix_web::web;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::me::credit::EntriesFilter;
use crate::app::App;
use crate::config::Config;
use crate::domain::barcode::CardNumber;
use crate::domain::credit::CreditEvent;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesCredit};
use crate::http::input::{CodeText, List, Moment, PageBody, Remark, Text, text};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader, ListFailures};
use crate::http::query::Parameters;
use crate::http::signed::{Signed, SignedBody};
use crate::usecase::credit_view::{CreditAppealView, CreditOutcome};
use crate::usecase::import_credit_events::{self, CreditReportOutcomes};
use crate::usecase::reverse_credit_entry::{self, DecideCreditAppeal, ReverseCreditEntry};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    reverse_credit_entry,
    list_credit_appeals,
    decide_credit_appeal,
    import_credit_events
))]
pub struct Document;

/// Why a line is undone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditReversal {
    /// The reader reads it.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "系统误记,书已按时归还")]
    reason: Remark<500>,
}

/// Undoes a line by another one; nothing is deleted. An open appeal against it is upheld by that.
#[utoipa::path(post, path = "/api/v1/credit-entries/{id}/reversal", operation_id = "reverseCreditEntry", tag = "credit",
    params(("id" = i64, Path), IdempotencyHeader), request_body = CreditReversal, security(("bearer" = [])),
    responses((status = 201, description = "The new line and the credit", body = CreditOutcome), ChangeOneFailures))]
pub async fn reverse_credit_entry(
    app: web::Data<App>,
    who: ManagesCredit,
    id: web::Path<i64>,
    request: Changing<CreditReversal>,
) -> Answer {
    let command = ReverseCreditEntry {
        entry: *id,
        reason: request.body.reason.into(),
    };
    let made = reverse_credit_entry::reverse_credit_entry(&app.store, &who.caller, command, request.key).await?;
    answer::created(&made, None)
}

/// Appeals of readers that wait for a decision, the oldest first.
#[utoipa::path(get, path = "/api/v1/credit-appeals", operation_id = "listCreditAppeals", tag = "credit",
    params(EntriesFilter), security(("bearer" = [])),
    responses((status = 200, description = "A page of appeals", body = PageBody<CreditAppealView>), ListFailures))]
pub async fn list_credit_appeals(app: web::Data<App>, who: ManagesCredit, filter: Parameters<EntriesFilter>) -> Answer {
    let appeals = reverse_credit_entry::list_credit_appeals(&app.store, &who.caller, filter.0.page()).await?;
    answer::ok(&PageBody::from(appeals))
}

/// What staff decide.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AppealDecision {
    /// True: the line is undone.
    #[schema(example = true)]
    upheld: bool,
    /// The reader reads it.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "核实还书箱录像,予以撤销")]
    answer: Remark<500>,
}

/// Decides an appeal. Upholding it undoes the line.
#[utoipa::path(post, path = "/api/v1/credit-appeals/{id}/decision", operation_id = "decideCreditAppeal", tag = "credit",
    params(("id" = i64, Path), IdempotencyHeader), request_body = AppealDecision, security(("bearer" = [])),
    responses((status = 200, description = "The appeal", body = CreditAppealView), ChangeOneFailures))]
pub async fn decide_credit_appeal(
    app: web::Data<App>,
    who: ManagesCredit,
    id: web::Path<i64>,
    request: Changing<AppealDecision>,
) -> Answer {
    let command = DecideCreditAppeal {
        appeal: *id,
        upheld: request.body.upheld,
        answer: request.body.answer.into(),
    };
    answer::done(&reverse_credit_entry::decide_credit_appeal(&app.store, &who.caller, command, request.key).await?)
}

/// What another system says of a reader.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditReport {
    /// Theirs: the same one counts once.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "2026-03-04-0017")]
    report_id: Text<64>,
    /// A card of the reader.
    #[schema(value_type = String, max_length = 64, example = "JC00012345")]
    card_number: CardNumber,
    /// What happened.
    event: ReportedEvent,
    /// Hours of volunteer work (1 to 24), points of the organiser for an activity (1 to 100); 1 by default.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 100, example = 2)]
    quantity: Option<Quantity>,
    /// When it was over (RFC 3339).
    #[schema(value_type = chrono::DateTime<chrono::Utc>, example = "2026-03-04T03:00:00Z")]
    occurred_at: Moment,
    /// The reader reads it.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, example = "周末整架")]
    note: Option<Remark<200>>,
}

/// What is reported.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportedEvent {
    /// Volunteer work, by the hour.
    VolunteerHour,
    /// A reader attended an event.
    Attendance,
    /// A reader booked an event and did not come.
    NoShow,
}

/// A number from 1 to 100.
#[derive(Debug, Clone, Copy)]
pub struct Quantity(u32);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let quantity = u32::deserialize(deserializer)?;
        let fits = (1..=100).contains(&quantity);
        fits.then_some(Self(quantity))
            .ok_or_else(|| serde::de::Error::custom("must be 1 to 100"))
    }
}

/// Reports of one system.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditReports {
    /// The system: its reports have numbers of their own.
    #[schema(value_type = String, max_length = 32, example = "volunteers")]
    source: CodeText,
    /// 1 to 100.
    #[schema(value_type = Vec<CreditReport>, min_items = 1, max_items = 100)]
    reports: List<CreditReport, 1, 100>,
}

impl SignedBody for CreditReports {
    fn secret(config: &Config) -> Option<&SecretString> {
        config.credit.report_secret.as_ref()
    }
}

impl From<CreditReport> for import_credit_events::CreditReport {
    fn from(report: CreditReport) -> Self {
        let event = match report.event {
            ReportedEvent::VolunteerHour => CreditEvent::VolunteerHour,
            ReportedEvent::Attendance => CreditEvent::Attendance,
            ReportedEvent::NoShow => CreditEvent::NoShow,
        };
        Self {
            report_id: report.report_id.into(),
            card_number: report.card_number,
            event,
            quantity: report.quantity.map_or(1, |quantity| quantity.0),
            occurred_at: report.occurred_at.0,
            note: text(report.note),
        }
    }
}

/// Takes reports of volunteer work and events, signed by the system that sends them. Each counts once under its `report_id`, however
/// often it is sent; one that is wrong stops no other.
#[utoipa::path(post, path = "/api/v1/credit-events", operation_id = "importCreditEvents", tag = "credit",
    request_body = CreditReports, security(("signature" = [])),
    responses((status = 200, description = "What became of each", body = CreditReportOutcomes), ChangeFailures))]
pub async fn import_credit_events(app: web::Data<App>, request: Signed<CreditReports>) -> Answer {
    let CreditReports { source, reports } = request.0;
    let reports = reports.0.into_iter().map(Into::into).collect();
    answer::ok(&import_credit_events::import_credit_events(&app.store, source.into(), reports).await?)
}
