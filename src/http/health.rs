//! Whether the process lives, and whether each part of it can do its work.

use actix_web::http::header;
use actix_web::{HttpResponse, ResponseError, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{CONTENT_TYPE, Code, Problem, ProblemBody};
use crate::app::App;
use crate::usecase::readiness::{Part, readiness};

/// The state of a process.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `live`.
    #[schema(example = "live")]
    pub status: &'static str,
}

/// The state of a node.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Always `ready`.
    #[schema(example = "ready")]
    pub status: &'static str,
    /// Every part that was looked at.
    pub parts: Vec<PartView>,
}

/// One part of a node.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartView {
    /// `database_read`, `database_write`, `migrations`, `disk`, or `server` while it stops.
    #[schema(example = "database_write")]
    pub part: &'static str,
    /// It works.
    #[schema(example = false)]
    pub ready: bool,
    /// What is wrong with it, in a word or two; the log says more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "no answer in time")]
    pub reason: Option<String>,
}

/// A problem with every part, ready or not.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotReady<'a> {
    #[serde(flatten)]
    pub problem: ProblemBody<'a>,
    /// Every part that was looked at.
    pub parts: Vec<PartView>,
}

/// The process answers.
#[utoipa::path(get, path = "/health/live", operation_id = "healthLive", tag = "health",
    responses((status = 200, description = "The process answers", body = Health)))]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "live" })
}

/// Every part that requests need works; 503 names the parts that do not.
#[utoipa::path(get, path = "/health/ready", operation_id = "healthReady", tag = "health",
    responses(
        (status = 200, description = "Ready for requests", body = Readiness),
        (status = 503, description = "Not ready; `detail` and `parts` name the part", body = NotReady,
            content_type = CONTENT_TYPE),
    ))]
pub async fn ready(app: web::Data<App>) -> HttpResponse {
    if app.is_stopping() {
        return not_ready("stopping".to_owned(), vec![view("server", Some("stopping".to_owned()))]);
    }
    let (dir, free_mib) = (&app.config.data.dir, app.config.limits.free_disk_mib);
    let parts = readiness(&app.store, dir, free_mib).await;
    let failed = parts.iter().filter(|part| part.fault.is_some());
    let failed: Vec<&str> = failed.inspect(|part| log(part)).map(|part| part.name).collect();
    let detail = failed.join(", ");
    let parts = parts
        .into_iter()
        .map(|part| view(part.name, part.fault.map(|fault| fault.reason)))
        .collect();
    if detail.is_empty() {
        HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .json(Readiness { status: "ready", parts })
    } else {
        not_ready(detail, parts)
    }
}

fn log(part: &Part) {
    if let Some(fault) = &part.fault {
        let cause = fault.cause.as_deref().unwrap_or(&fault.reason);
        tracing::warn!(part = part.name, cause, "not ready");
    }
}

fn view(part: &'static str, reason: Option<String>) -> PartView {
    PartView {
        part,
        ready: reason.is_none(),
        reason,
    }
}

fn not_ready(detail: String, parts: Vec<PartView>) -> HttpResponse {
    let problem = Problem::of(Code::Unavailable).detail(detail);
    let body = NotReady {
        problem: problem.body(),
        parts,
    };
    let body = serde_json::to_string(&body).unwrap_or_default();
    problem.error_response().set_body(actix_web::body::BoxBody::new(body))
}
