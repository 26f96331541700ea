//! What is on the way to a unit, and what districts sent each other.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::Staff;
use crate::http::input::{CodeText, text};
use crate::http::openapi::ListFailures;
use crate::http::query::Parameters;
use crate::usecase::list_incoming::{self, Incoming};
use crate::usecase::report_flows::{self, FlowReport};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_incoming, report_flows, report_flows_csv))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IncomingParameters {
    /// The unit it comes to; the caller's own by default.
    #[param(value_type = Option<String>, max_length = 32, example = "M2")]
    unit_code: Option<CodeText>,
}

/// Counts what is on its way to a unit, by the round that brings it and when that is due.
#[utoipa::path(get, path = "/api/v1/transits/incoming", operation_id = "listIncoming", tag = "transits",
    params(IncomingParameters), security(("bearer" = [])),
    responses((status = 200, description = "The counts", body = Incoming), ListFailures))]
pub async fn list_incoming(app: web::Data<App>, who: Staff, asked: Parameters<IncomingParameters>) -> Answer {
    let unit = text(asked.0.unit_code);
    answer::ok(&list_incoming::list_incoming(&app.store, &who.caller, unit).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FlowParameters {
    /// Year and month, in the network's zone.
    #[param(value_type = String, pattern = "^(1[89][0-9]{2}|2[01][0-9]{2})-(0[1-9]|1[0-2])$", example = "2026-03")]
    month: CodeText,
    /// Only what the district of this unit sent or got; absent: all the caller may see.
    #[param(value_type = Option<String>, max_length = 32, example = "M1")]
    unit_code: Option<CodeText>,
}

/// What districts sent each other in a month, by reason: what they settle by.
#[utoipa::path(get, path = "/api/v1/reports/flows", operation_id = "reportFlows", tag = "transits",
    params(FlowParameters), security(("bearer" = [])),
    responses((status = 200, description = "The counts", body = FlowReport), ListFailures))]
pub async fn report_flows(app: web::Data<App>, who: Staff, asked: Parameters<FlowParameters>) -> Answer {
    answer::ok(&report(&app, &who, asked.0).await?)
}

/// The same as a CSV file, with a line of names.
#[utoipa::path(get, path = "/api/v1/reports/flows.csv", operation_id = "reportFlowsCsv", tag = "transits",
    params(FlowParameters), security(("bearer" = [])),
    responses((status = 200, description = "The counts, in UTF-8", content_type = "text/csv", body = String), ListFailures))]
pub async fn report_flows_csv(app: web::Data<App>, who: Staff, asked: Parameters<FlowParameters>) -> Answer {
    let report = report(&app, &who, asked.0).await?;
    let name = format!("attachment; filename=\"flows-{}.csv\"", report.month);
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, name))
        .content_type("text/csv; charset=utf-8")
        .body(report_flows::csv(&report)?))
}

async fn report(app: &App, who: &Staff, asked: FlowParameters) -> Result<FlowReport, crate::http::problem::Problem> {
    let month = String::from(asked.month);
    Ok(report_flows::report_flows(&app.store, &who.caller, &month, text(asked.unit_code)).await?)
}
