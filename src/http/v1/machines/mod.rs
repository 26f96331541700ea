//! Routes and documents of machines: gates, lockers, kiosks, readers at desks, sorters.

pub mod alarms;
pub mod bins;
pub mod calls;
pub mod commands;
pub mod conflicts;
pub mod devices;
pub mod gates;
pub mod journal;
pub mod loading;
pub mod lockers;
pub mod pack;
pub mod sessions;

use actix_web::web::ServiceConfig;
use utoipa::OpenApi;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .configure(alarms::routes)
        .configure(bins::routes)
        .configure(calls::routes)
        .configure(commands::routes)
        .configure(conflicts::routes)
        .configure(devices::routes)
        .configure(gates::routes)
        .configure(journal::routes)
        .configure(loading::routes)
        .configure(lockers::routes)
        .configure(pack::routes)
        .configure(sessions::routes);
}

/// What each resource says of itself.
pub fn documents() -> Vec<utoipa::openapi::OpenApi> {
    vec![
        alarms::Document::openapi(),
        bins::Document::openapi(),
        calls::Document::openapi(),
        commands::Document::openapi(),
        conflicts::Document::openapi(),
        devices::Document::openapi(),
        gates::Document::openapi(),
        journal::Document::openapi(),
        loading::Document::openapi(),
        lockers::Document::openapi(),
        pack::Document::openapi(),
        sessions::Document::openapi(),
    ]
}
