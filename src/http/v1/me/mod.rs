//! The portal: what a reader does alone. Everything below `/api/v1/me` is about whoever is logged in; one file per resource.

pub mod account;
pub mod card;
pub mod credit;

use actix_web::web::{ServiceConfig, get, post, resource};
use utoipa::OpenApi;

/// Routes below `/api/v1/me`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/me").route(get().to(account::get_me)))
        .service(resource("/me/wards").route(get().to(account::list_my_wards)))
        .service(resource("/me/card").route(get().to(card::get_my_card)))
        .service(resource("/me/credit").route(get().to(credit::get_my_credit)))
        .service(resource("/me/credit/entries").route(get().to(credit::list_my_credit_entries)))
        .service(resource("/me/credit/entries/{id}/appeals").route(post().to(credit::appeal_my_credit_entry)));
}

/// What each resource says of itself.
pub fn documents() -> Vec<utoipa::openapi::OpenApi> {
    vec![
        account::Document::openapi(),
        card::Document::openapi(),
        credit::Document::openapi(),
    ]
}
