//! Sorters: which bin takes what.

use actix_web::web::ServiceConfig;

/// Routes below `/api/v1`.
pub fn routes(_: &mut ServiceConfig) {}
