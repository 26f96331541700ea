//! Readers at a locker: who they are, what they fetch, borrow and bring back.

use actix_web::web::ServiceConfig;

/// Routes below `/api/v1`.
pub fn routes(_: &mut ServiceConfig) {}
