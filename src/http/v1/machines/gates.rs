//! Gates: what passes, and the alarms.

use actix_web::web::ServiceConfig;

#[derive(utoipa::OpenApi)]
#[openapi(paths())]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(_: &mut ServiceConfig) {}
