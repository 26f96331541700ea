//! What a reader does alone: everything below `/api/v1/me` is about the reader who asks. One file per resource.

pub mod consents;
pub mod data;
pub mod holds;
pub mod loans;

use actix_web::web::{ServiceConfig, delete, get, post, resource};
use utoipa::OpenApi;

/// Routes below `/api/v1/me`.
pub fn routes(config: &mut ServiceConfig) {
    let holds = resource("/me/holds")
        .route(get().to(holds::list_my_holds))
        .route(post().to(holds::place_my_hold));
    let consents = resource("/me/consents")
        .route(get().to(consents::list_my_consents))
        .route(post().to(consents::give_my_consent));
    config
        .service(consents)
        .service(resource("/me/consents/{consent}").route(delete().to(consents::withdraw_my_consent)))
        .service(resource("/me/accesses").route(get().to(consents::list_my_accesses)))
        .service(resource("/me/data").route(get().to(data::export_my_data)))
        .service(resource("/me/erasure").route(post().to(data::erase_me)))
        .service(resource("/me/loans").route(get().to(loans::list_my_loans)))
        .service(resource("/me/loans/{id}/renewals").route(post().to(loans::renew_my_loan)))
        .service(holds)
        .service(resource("/me/holds/{id}").route(delete().to(holds::cancel_my_hold)));
}

/// What each resource says of itself.
pub fn documents() -> Vec<utoipa::openapi::OpenApi> {
    vec![
        loans::Document::openapi(),
        holds::Document::openapi(),
        data::Document::openapi(),
        consents::Document::openapi(),
    ]
}
