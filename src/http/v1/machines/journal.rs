//! What a device did while nobody answered: uploaded entry by entry.

use actix_web::web::ServiceConfig;

/// Routes below `/api/v1`.
pub fn routes(_: &mut ServiceConfig) {}
