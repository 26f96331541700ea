//! Machines: one file per part, each with its routes, handlers and their own request types.

pub mod bins;
pub mod gates;

use actix_web::web::ServiceConfig;
use utoipa::OpenApi;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    config.configure(bins::routes).configure(gates::routes);
}

/// What each part says of itself.
pub fn documents() -> Vec<utoipa::openapi::OpenApi> {
    vec![bins::Document::openapi(), gates::Document::openapi()]
}
