//! The portal: what a reader does alone. Everything below `/api/v1/me` is about whoever is logged in; one file per resource.

pub mod account;
pub mod admission;
pub mod card;
pub mod credit;
pub mod notices;

use actix_web::web::{ServiceConfig, get, patch, post, resource};
use utoipa::OpenApi;

/// Routes below `/api/v1/me`.
pub fn routes(config: &mut ServiceConfig) {
    let preferences = resource("/me/preferences")
        .route(get().to(notices::get_my_preferences))
        .route(patch().to(notices::update_my_preferences));
    config
        .service(resource("/me").route(get().to(account::get_me)))
        .service(resource("/me/wards").route(get().to(account::list_my_wards)))
        .service(resource("/me/card").route(get().to(card::get_my_card)))
        .service(resource("/me/credit").route(get().to(credit::get_my_credit)))
        .service(resource("/me/credit/entries").route(get().to(credit::list_my_credit_entries)))
        .service(resource("/me/credit/entries/{id}/appeals").route(post().to(credit::appeal_my_credit_entry)))
        .service(resource("/me/notices").route(get().to(notices::list_my_notices)))
        .service(resource("/me/contacts/{channel}/confirmation").route(post().to(notices::confirm_my_contact)))
        .service(preferences);
}

/// What each resource says of itself.
pub fn documents() -> Vec<utoipa::openapi::OpenApi> {
    vec![
        account::Document::openapi(),
        admission::Document::openapi(),
        card::Document::openapi(),
        credit::Document::openapi(),
        notices::Document::openapi(),
    ]
}
