//! The portal: what a reader does alone. Everything below `/api/v1/me` is about whoever is logged in; one file per resource.

pub mod account;
pub mod admission;
pub mod card;
pub mod consents;
pub mod credit;
pub mod data;
pub mod holds;
pub mod loans;
pub mod notices;

use actix_web::web::{ServiceConfig, delete, get, patch, post, resource};
use utoipa::OpenApi;

/// Routes below `/api/v1/me`.
pub fn routes(config: &mut ServiceConfig) {
    let preferences = resource("/me/preferences")
        .route(get().to(notices::get_my_preferences))
        .route(patch().to(notices::update_my_preferences));
    let holds = resource("/me/holds")
        .route(get().to(holds::list_my_holds))
        .route(post().to(holds::place_my_hold));
    let consents = resource("/me/consents")
        .route(get().to(consents::list_my_consents))
        .route(post().to(consents::give_my_consent));
    config
        .service(resource("/me").route(get().to(account::get_me)))
        .service(resource("/me/wards").route(get().to(account::list_my_wards)))
        .service(resource("/me/card").route(get().to(card::get_my_card)))
        .service(resource("/me/credit").route(get().to(credit::get_my_credit)))
        .service(resource("/me/credit/entries").route(get().to(credit::list_my_credit_entries)))
        .service(resource("/me/credit/entries/{id}/appeals").route(post().to(credit::appeal_my_credit_entry)))
        .service(resource("/me/notices").route(get().to(notices::list_my_notices)))
        .service(resource("/me/contacts/{channel}/confirmation").route(post().to(notices::confirm_my_contact)))
        .service(preferences)
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
        account::Document::openapi(),
        admission::Document::openapi(),
        card::Document::openapi(),
        consents::Document::openapi(),
        credit::Document::openapi(),
        data::Document::openapi(),
        holds::Document::openapi(),
        loans::Document::openapi(),
        notices::Document::openapi(),
    ]
}
