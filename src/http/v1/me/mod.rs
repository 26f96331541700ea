//! What a reader does alone: everything below `/api/v1/me` is about the reader who asks. One file per resource.

pub mod holds;
pub mod loans;

use actix_web::web::{ServiceConfig, delete, get, post, resource};
use utoipa::OpenApi;

/// Routes below `/api/v1/me`.
pub fn routes(config: &mut ServiceConfig) {
    let holds = resource("/me/holds")
        .route(get().to(holds::list_my_holds))
        .route(post().to(holds::place_my_hold));
    config
        .service(resource("/me/loans").route(get().to(loans::list_my_loans)))
        .service(resource("/me/loans/{id}/renewals").route(post().to(loans::renew_my_loan)))
        .service(holds)
        .service(resource("/me/holds/{id}").route(delete().to(holds::cancel_my_hold)));
}

/// What each resource says of itself.
pub fn documents() -> Vec<utoipa::openapi::OpenApi> {
    vec![loans::Document::openapi(), holds::Document::openapi()]
}
