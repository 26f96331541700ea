//! Whether the process lives, and whether it can do its work.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{CONTENT_TYPE, Code, Problem};
use crate::app::App;
use crate::usecase::UseCaseError;
use crate::usecase::readiness::readiness;

/// The state of a node.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `live` or `ready`.
    #[schema(example = "ready")]
    pub status: &'static str,
}

/// The process answers.
#[utoipa::path(get, path = "/health/live", operation_id = "healthLive", tag = "health",
    responses((status = 200, description = "The process answers", body = Health)))]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "live" })
}

/// Every part that requests need works; 503 names the part that does not.
#[utoipa::path(get, path = "/health/ready", operation_id = "healthReady", tag = "health",
    responses(
        (status = 200, description = "Ready for requests", body = Health),
        (status = 503, description = "Not ready; `detail` names the part", body = super::problem::ProblemBody,
            content_type = CONTENT_TYPE),
    ))]
pub async fn ready(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    if app.is_stopping() {
        return Err(Problem::of(Code::Unavailable).detail("stopping"));
    }
    match readiness(&app.store).await {
        Ok(()) => Ok(HttpResponse::Ok().json(Health { status: "ready" })),
        Err(UseCaseError::Busy) => Err(Problem::of(Code::Busy).detail("database: its queue is full")),
        Err(error) => Err(Problem::of(Code::Unavailable)
            .detail("database")
            .cause(error.to_string())),
    }
}
