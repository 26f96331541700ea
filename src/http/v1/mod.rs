//! Version 1 of the API: one file per resource, each with its handlers and their own request types.

pub mod accounts;
pub mod bib_merges;
pub mod bib_records;
pub mod bibs;
pub mod calendars;
pub mod circulation;
pub mod closings;
pub mod consent;
pub mod holds;
pub mod item_batches;
pub mod item_changes;
pub mod items;
pub mod jobs;
pub mod loans;
pub mod log_in_body;
pub mod openings;
pub mod readers;
pub mod rules;
pub mod sessions;
pub mod settings;
pub mod staff;
pub mod transits;
pub mod unit_changes;
pub mod units;

use actix_web::web::{ServiceConfig, delete, get, patch, post, put, resource};
use utoipa::OpenApi;

use super::{extract, openapi};

/// Routes below `/api/v1`. The busiest come first.
pub fn routes(config: &mut ServiceConfig) {
    config
        .configure(circulation_routes)
        .configure(catalogue_routes)
        .configure(network_routes)
        .configure(calendar_routes)
        .configure(administration_routes);
    config.service(resource("/openapi.json").route(get().to(openapi::serve)));
}

fn circulation_routes(config: &mut ServiceConfig) {
    config
        .service(resource("/check-outs").route(post().to(circulation::check_out)))
        .service(resource("/check-ins").route(post().to(circulation::check_in)))
        .service(resource("/loans/{id}/renewals").route(post().to(loans::renew_loan)))
        .service(resource("/loans/{id}/void").route(post().to(loans::void_loan)))
        .service(resource("/holds").route(post().to(holds::place_hold)))
        .service(resource("/holds/{id}").route(delete().to(holds::cancel_hold)))
        .service(resource("/transits").route(get().to(transits::list_transits)))
        .service(resource("/transits/{id}/receive").route(post().to(transits::receive_transit)))
        .service(resource("/rules/explain").route(get().to(rules::explain_rule)));
}

fn catalogue_routes(config: &mut ServiceConfig) {
    let bibs = resource("/bibs")
        .route(get().to(bibs::search_bibs))
        .route(post().to(bib_records::create_bib));
    let bib = resource("/bibs/{id}")
        .route(get().to(bibs::get_bib))
        .route(put().to(bib_records::update_bib));
    let item = resource("/items/{id}")
        .route(get().to(items::get_item))
        .route(patch().to(item_changes::update_item));
    let batches = resource("/item-batches")
        .app_data(extract::LongBody)
        .route(post().to(item_batches::item_batch));
    config
        .service(bibs)
        .service(bib)
        .service(resource("/bibs/{id}/merges").route(post().to(bib_merges::merge_bibs)))
        .service(resource("/bibs/{id}/versions").route(get().to(bib_records::list_bib_versions)))
        .service(resource("/bibs/{id}/versions/{version}").route(get().to(bib_records::get_bib_version)))
        .service(resource("/bibs/{id}/items").route(get().to(bibs::list_bib_items)))
        .service(resource("/items").route(post().to(items::add_item)))
        .service(item)
        .service(resource("/items/{id}/moves").route(post().to(item_changes::move_item)))
        .service(resource("/items/{id}/withdrawal").route(post().to(item_changes::withdraw_item)))
        .service(batches);
}

fn network_routes(config: &mut ServiceConfig) {
    let log_ins = resource("/sessions")
        .route(post().to(sessions::log_in))
        .route(delete().to(sessions::log_out_everywhere));
    let units = resource("/units")
        .route(get().to(units::list_units))
        .route(post().to(units::create_unit));
    let unit = resource("/units/{code}")
        .route(get().to(units::get_unit))
        .route(patch().to(unit_changes::update_unit));
    let staff = resource("/staff")
        .route(get().to(accounts::list_staff))
        .route(post().to(staff::create_staff));
    config
        .service(resource("/readers").route(post().to(readers::register_reader)))
        .service(resource("/readers/{id}").route(get().to(readers::get_reader)))
        .service(resource("/readers/{id}/loans").route(get().to(readers::list_reader_loans)))
        .service(resource("/readers/{id}/holds").route(get().to(readers::list_reader_holds)))
        .service(units)
        .service(unit)
        .service(staff)
        .service(log_ins)
        .service(resource("/sessions/refresh").route(post().to(sessions::refresh_token)))
        .service(resource("/sessions/current").route(delete().to(sessions::log_out)));
}

fn calendar_routes(config: &mut ServiceConfig) {
    let closed_days = resource("/units/{code}/closed-days")
        .route(post().to(calendars::add_closed_days))
        .route(delete().to(calendars::remove_closed_days));
    let openings = resource("/units/{code}/openings")
        .route(post().to(openings::add_openings))
        .route(delete().to(openings::remove_openings));
    let amnesties = resource("/units/{code}/amnesties")
        .route(get().to(openings::list_amnesties))
        .route(post().to(openings::add_amnesty))
        .route(delete().to(openings::remove_amnesty));
    let closings = resource("/closings")
        .route(get().to(closings::list_closings))
        .route(post().to(closings::close_units));
    config
        .service(resource("/units/{code}/hours").route(put().to(calendars::set_unit_hours)))
        .service(closed_days)
        .service(resource("/units/{code}/calendar-imports").route(post().to(calendars::import_calendar)))
        .service(resource("/units/{code}/calendar").route(get().to(calendars::explain_calendar)))
        .service(openings)
        .service(amnesties)
        .service(closings)
        .service(resource("/closings/{id}/undo").route(post().to(closings::undo_closing)));
}

fn administration_routes(config: &mut ServiceConfig) {
    config
        .service(resource("/units/{code}/moves").route(post().to(unit_changes::move_unit)))
        .service(resource("/units/{code}/collections").route(get().to(settings::list_collections)))
        .service(resource("/units/{code}/collections/{collection}").route(put().to(settings::set_collection)))
        .service(resource("/item-types").route(get().to(settings::list_item_types)))
        .service(resource("/item-types/{code}").route(put().to(settings::set_item_type)))
        .service(resource("/reader-categories").route(get().to(settings::list_reader_categories)))
        .service(resource("/reader-categories/{code}").route(put().to(settings::set_reader_category)))
        .service(resource("/jobs").route(get().to(jobs::list_jobs)))
        .service(resource("/staff/{id}").route(patch().to(accounts::update_staff)))
        .service(resource("/staff/{id}/password").route(put().to(accounts::set_staff_password)))
        .service(resource("/readers/{id}/pin").route(put().to(accounts::set_pin)));
}

/// What each resource says of itself.
pub fn documents() -> Vec<utoipa::openapi::OpenApi> {
    vec![
        sessions::Document::openapi(),
        units::Document::openapi(),
        staff::Document::openapi(),
        readers::Document::openapi(),
        bibs::Document::openapi(),
        bib_records::Document::openapi(),
        bib_merges::Document::openapi(),
        items::Document::openapi(),
        item_changes::Document::openapi(),
        item_batches::Document::openapi(),
        circulation::Document::openapi(),
        loans::Document::openapi(),
        holds::Document::openapi(),
        transits::Document::openapi(),
        rules::Document::openapi(),
        unit_changes::Document::openapi(),
        calendars::Document::openapi(),
        openings::Document::openapi(),
        closings::Document::openapi(),
        settings::Document::openapi(),
        accounts::Document::openapi(),
        jobs::Document::openapi(),
    ]
}
