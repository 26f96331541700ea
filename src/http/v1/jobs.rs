//! Jobs of the network.

use actix_web::web;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::Staff;
use crate::http::openapi::ListFailures;
use crate::usecase::list_jobs::{self, JobView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_jobs))]
pub struct Document;

/// Every job.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobList {
    items: Vec<JobView>,
}

/// Lists the jobs that run by themselves, with their last runs and how far they are.
#[utoipa::path(get, path = "/api/v1/jobs", operation_id = "listJobs", tag = "jobs", security(("bearer" = [])),
    responses((status = 200, description = "The jobs", body = JobList), ListFailures))]
pub async fn list_jobs(app: web::Data<App>, who: Staff) -> Answer {
    let items = list_jobs::list_jobs(&app.store, &who.caller).await?;
    answer::ok(&JobList { items })
}
