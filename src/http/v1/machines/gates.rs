//! Security gates: may this book go out, and who went through.

use actix_web::web::ServiceConfig;

/// Routes below `/api/v1`.
pub fn routes(_: &mut ServiceConfig) {}
