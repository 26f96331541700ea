//! What a journal says against the records: a queue for people.

use actix_web::web::ServiceConfig;

/// Routes below `/api/v1`.
pub fn routes(_: &mut ServiceConfig) {}
