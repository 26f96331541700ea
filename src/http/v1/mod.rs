//! Version 1 of the API: one file per resource, each with its handlers and their own request types.

pub mod accounts;
pub mod administration;
pub mod admissions;
pub mod applications;
pub mod bib_merges;
pub mod bib_records;
pub mod bibs;
pub mod calendars;
pub mod cards;
pub mod circulation;
pub mod claims;
pub mod closings;
pub mod consent;
pub mod contacts;
pub mod crates;
pub mod credit;
pub mod credit_entries;
pub mod deliveries;
pub mod deposits;
pub mod electronic_cards;
pub mod flows;
pub mod guardians;
pub mod hold_changes;
pub mod holds;
pub mod item_batches;
pub mod item_changes;
pub mod item_life;
pub mod items;
pub mod jobs;
pub mod loans;
pub mod log_in_body;
pub mod machines;
pub mod me;
pub mod my_sessions;
pub mod notice_templates;
pub mod openings;
pub mod ownership;
pub mod parcels;
pub mod people;
pub mod pulls;
pub mod reader_changes;
pub mod readers;
pub mod routes;
pub mod rule_drafts;
pub mod rule_previews;
pub mod rule_sets;
pub mod rules;
pub mod sending;
pub mod sessions;
pub mod settings;
pub mod staff;
pub mod stops;
pub mod transits;
pub mod unit_changes;
pub mod units;
pub mod webhooks;

use actix_web::web::{ServiceConfig, delete, get, patch, post, put, resource};
use utoipa::OpenApi;

use super::{extract, openapi};

/// Routes below `/api/v1`. The busiest come first.
pub fn routes(config: &mut ServiceConfig) {
    config
        .configure(circulation_routes)
        .configure(distribution_routes)
        .configure(ownership_routes)
        .configure(hold_routes)
        .configure(stock_routes)
        .configure(delivery_routes)
        .configure(catalogue_routes)
        .configure(life_routes)
        .configure(network_routes)
        .configure(session_routes)
        .configure(machines::routes)
        .configure(people::routes)
        .configure(administration::routes);
    config.service(resource("/openapi.json").route(get().to(openapi::serve)));
}

fn circulation_routes(config: &mut ServiceConfig) {
    config
        .service(resource("/check-outs").route(post().to(circulation::check_out)))
        .service(resource("/check-ins").route(post().to(circulation::check_in)))
        .service(resource("/loans/{id}/renewals").route(post().to(loans::renew_loan)))
        .service(resource("/loans/{id}/void").route(post().to(loans::void_loan)))
        .service(resource("/transits").route(get().to(transits::list_transits)))
        .service(resource("/transits/{id}/receive").route(post().to(transits::receive_transit)));
}

fn distribution_routes(config: &mut ServiceConfig) {
    let crates = resource("/shipments")
        .route(get().to(crates::list_crates))
        .route(post().to(crates::open_crate));
    config
        .service(crates)
        .service(resource("/shipments/{id}").route(get().to(crates::get_crate)))
        .service(resource("/shipments/{id}/label").route(get().to(crates::crate_label)))
        .service(resource("/shipments/{id}/slip").route(get().to(crates::crate_slip)))
        .service(resource("/shipments/{id}/pack").route(post().to(crates::pack_item)))
        .service(resource("/shipments/{id}/unpack").route(post().to(crates::unpack_item)))
        .service(resource("/shipments/{id}/close").route(post().to(crates::close_crate)))
        .service(resource("/shipments/{id}/cancel").route(post().to(crates::cancel_crate)))
        .service(resource("/shipments/{id}/send").route(post().to(crates::send_crate)))
        .service(resource("/shipments/{id}/receive").route(post().to(crates::receive_crate)))
        .service(resource("/routes").route(get().to(routes::list_routes)))
        .service(resource("/routes/{code}").route(put().to(routes::set_route)))
        .service(resource("/courier/day").route(get().to(routes::get_my_day)))
        .service(resource("/courier/loads").route(post().to(routes::load_crates)))
        .service(resource("/courier/hand-overs").route(post().to(routes::hand_over_crates)))
        .service(resource("/transits/incoming").route(get().to(flows::list_incoming)))
        .service(resource("/reports/flows").route(get().to(flows::report_flows)))
        .service(resource("/reports/flows.csv").route(get().to(flows::report_flows_csv)));
}

fn ownership_routes(config: &mut ServiceConfig) {
    let transfers = resource("/ownership-transfers")
        .route(get().to(ownership::list_transfers))
        .route(post().to(ownership::propose_transfer));
    config
        .service(transfers)
        .service(resource("/ownership-transfers/{id}").route(get().to(ownership::get_transfer)))
        .service(resource("/ownership-transfers/{id}/accept").route(post().to(ownership::accept_transfer)))
        .service(resource("/ownership-transfers/{id}/decline").route(post().to(ownership::decline_transfer)))
        .service(resource("/ownership-transfers/{id}/withdraw").route(post().to(ownership::withdraw_transfer)));
}

fn hold_routes(config: &mut ServiceConfig) {
    let hold = resource("/holds/{id}")
        .route(get().to(hold_changes::get_hold))
        .route(delete().to(holds::cancel_hold));
    let suspension = resource("/holds/{id}/suspension")
        .route(put().to(hold_changes::suspend_hold))
        .route(delete().to(hold_changes::resume_hold));
    let sending = resource("/units/{code}/sending")
        .route(get().to(sending::get_unit_sending))
        .route(put().to(sending::set_unit_sending));
    let costs = resource("/units/{code}/transport-costs")
        .route(get().to(sending::list_transport_costs))
        .route(put().to(sending::set_transport_cost));
    config
        .service(resource("/holds").route(post().to(holds::place_hold)))
        .service(hold)
        .service(suspension)
        .service(resource("/holds/{id}/pickup").route(put().to(hold_changes::change_hold_pickup)))
        .service(resource("/holds/{id}/place").route(put().to(hold_changes::reorder_hold)))
        .service(resource("/bibs/{id}/holds").route(get().to(hold_changes::list_bib_holds)))
        .service(resource("/units/{code}/pulls").route(get().to(pulls::list_pulls)))
        .service(resource("/pulls/{id}/refusal").route(post().to(pulls::refuse_pull)))
        .service(resource("/units/{code}/hold-shelf").route(get().to(pulls::list_hold_shelf)))
        .service(resource("/units/{code}/shelf-clearings").route(get().to(pulls::list_shelf_clearings)))
        .service(sending)
        .service(costs);
}

fn stock_routes(config: &mut ServiceConfig) {
    let all = resource("/deposits")
        .route(get().to(deposits::list_deposits))
        .route(post().to(deposits::create_deposit));
    let one = resource("/deposits/{id}")
        .route(get().to(deposits::get_deposit))
        .route(patch().to(deposits::update_deposit));
    let stops = resource("/units/{code}/stops")
        .route(get().to(stops::list_stops))
        .route(put().to(stops::set_stops));
    config
        .service(all)
        .service(one)
        .service(resource("/deposits/{id}/copies").route(get().to(deposits::list_deposit_copies)))
        .service(resource("/deposits/{id}/recall").route(post().to(deposits::recall_deposit)))
        .service(resource("/stop-times").route(get().to(stops::next_stops)))
        .service(stops)
        .service(resource("/units/{code}/return-policy").route(put().to(unit_changes::set_return_policy)));
}

fn life_routes(config: &mut ServiceConfig) {
    config
        .service(resource("/items/{id}/missing").route(post().to(item_life::report_missing)))
        .service(resource("/items/{id}/damage").route(post().to(item_life::report_damaged)))
        .service(resource("/items/{id}/repair").route(post().to(item_life::finish_repair)))
        .service(resource("/items/{id}/processing").route(post().to(item_life::start_processing)))
        .service(resource("/items/{id}/processing/end").route(post().to(item_life::finish_processing)))
        .service(resource("/items/{id}/loss").route(post().to(item_life::declare_lost)))
        .service(resource("/items/{id}/recall").route(post().to(item_life::recall_item)))
        .service(resource("/items/{id}/reinstatement").route(post().to(item_life::reinstate_item)))
        .service(resource("/loans/{id}/claims").route(post().to(claims::report_claimed_returned)))
        .service(resource("/loans/{id}/claims/rejection").route(post().to(claims::reject_claim)));
}

fn delivery_routes(config: &mut ServiceConfig) {
    config
        .service(resource("/delivery-requests").route(post().to(deliveries::request_delivery)))
        .service(resource("/delivery-requests/{id}/parcels").route(post().to(parcels::pack_parcel)))
        .service(resource("/return-parcels").route(post().to(deliveries::announce_return)))
        .service(resource("/units/{code}/packing").route(put().to(deliveries::set_packing)))
        .service(resource("/packing-list").route(get().to(parcels::list_packing_list)))
        .service(resource("/parcels").route(get().to(parcels::list_parcels)))
        .service(resource("/parcels/{id}").route(get().to(parcels::get_parcel)))
        .service(resource("/parcels/{id}/dispatch").route(post().to(parcels::dispatch_parcel)))
        .service(resource("/parcels/{id}/give-up").route(post().to(parcels::give_up_parcel)))
        .service(resource("/parcels/{id}/receipts").route(post().to(parcels::receive_parcel)))
        .service(resource("/parcel-reports").route(post().to(parcels::report_parcel)));
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
        .service(staff);
}

fn session_routes(config: &mut ServiceConfig) {
    let log_ins = resource("/sessions")
        .route(get().to(my_sessions::list_sessions))
        .route(post().to(sessions::log_in))
        .route(delete().to(sessions::log_out_everywhere));
    config
        .service(log_ins)
        .service(resource("/sessions/refresh").route(post().to(sessions::refresh_token)))
        .service(resource("/sessions/current").route(delete().to(sessions::log_out)))
        .service(resource("/sessions/resets").route(post().to(my_sessions::request_reset)))
        .service(resource("/sessions/resets/redemption").route(post().to(my_sessions::redeem_reset)))
        .service(resource("/sessions/{id}").route(delete().to(my_sessions::end_session)))
        .service(resource("/totp").route(post().to(my_sessions::enrol_totp)))
        .service(resource("/totp/confirmation").route(post().to(my_sessions::confirm_totp)))
        .service(resource("/staff/{id}/totp").route(delete().to(my_sessions::disable_totp)));
}

/// What each resource says of itself.
pub fn documents() -> Vec<utoipa::openapi::OpenApi> {
    let mut all = vec![
        bibs::Document::openapi(),
        bib_records::Document::openapi(),
        bib_merges::Document::openapi(),
        items::Document::openapi(),
        item_changes::Document::openapi(),
        item_life::Document::openapi(),
        item_batches::Document::openapi(),
        circulation::Document::openapi(),
        loans::Document::openapi(),
        claims::Document::openapi(),
        holds::Document::openapi(),
        hold_changes::Document::openapi(),
        pulls::Document::openapi(),
        sending::Document::openapi(),
        transits::Document::openapi(),
        deposits::Document::openapi(),
        stops::Document::openapi(),
        crates::Document::openapi(),
        routes::Document::openapi(),
        flows::Document::openapi(),
        ownership::Document::openapi(),
        deliveries::Document::openapi(),
        parcels::Document::openapi(),
    ];
    let of_parts = [machines::documents(), people::documents(), administration::documents()];
    all.extend(of_parts.into_iter().flatten());
    all
}
