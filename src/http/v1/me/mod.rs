//! What a reader does alone: the portal's operations, one file per resource.

pub mod notices;

use actix_web::web::{ServiceConfig, get, post, resource};
use utoipa::OpenApi;

/// Routes below `/api/v1/me`.
pub fn routes(config: &mut ServiceConfig) {
    let preferences = resource("/me/notice-preferences")
        .route(get().to(notices::get_my_notice_preferences))
        .route(actix_web::web::patch().to(notices::update_my_notice_preferences));
    config
        .service(resource("/me/notices").route(get().to(notices::list_my_notices)))
        .service(resource("/me/contacts/{channel}/confirmation").route(post().to(notices::confirm_my_contact)))
        .service(preferences);
}

/// What each resource says of itself.
pub fn documents() -> Vec<utoipa::openapi::OpenApi> {
    vec![notices::Document::openapi()]
}
