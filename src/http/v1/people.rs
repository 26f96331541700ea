//! Routes and documents of readers as persons: their cards, guardians, credit and addresses.

use actix_web::web::{ServiceConfig, delete, get, post, put, resource};
use utoipa::OpenApi;

use super::{
    admissions, applications, cards, contacts, credit, credit_entries, electronic_cards, guardians, me, reader_changes,
    readers,
};

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .configure(card_routes)
        .configure(person_routes)
        .configure(credit_routes)
        .configure(admissions::routes)
        .configure(applications::routes)
        .configure(contact_routes)
        .configure(me::routes);
}

fn card_routes(config: &mut ServiceConfig) {
    config
        .service(resource("/card-sessions").route(post().to(electronic_cards::open_card_session)))
        .service(resource("/card-revocations").route(get().to(electronic_cards::list_card_revocations)))
        .service(
            resource("/readers/{id}/card-token-revocations").route(post().to(electronic_cards::revoke_card_tokens)),
        );
}

fn person_routes(config: &mut ServiceConfig) {
    config
        .service(resource("/readers/{id}/cards").route(post().to(cards::issue_card)))
        .service(resource("/readers/{id}/id-number").route(put().to(reader_changes::record_id_number)))
        .service(resource("/readers/{id}/merges").route(post().to(reader_changes::merge_readers)))
        .service(resource("/readers/{id}/guardians").route(post().to(guardians::add_guardian)))
        .service(resource("/guardianships/{id}").route(delete().to(guardians::end_guardianship)))
        .service(resource("/cards/{id}/loss").route(post().to(cards::report_card_lost)))
        .service(resource("/cards/{id}/loss/end").route(post().to(cards::report_card_found)))
        .service(resource("/cards/{id}/renewals").route(post().to(cards::renew_card)))
        .service(resource("/cards/{id}/replacement").route(post().to(cards::replace_card)))
        .service(resource("/cards/{id}/cancellation").route(post().to(cards::cancel_card)));
}

fn credit_routes(config: &mut ServiceConfig) {
    let entries = resource("/readers/{id}/credit-entries")
        .route(get().to(credit::list_reader_credit_entries))
        .route(post().to(credit::post_credit_entry));
    config
        .service(resource("/readers/{id}/credit").route(get().to(credit::get_reader_credit)))
        .service(entries)
        .service(resource("/readers/{id}/credit-freezes").route(post().to(credit::freeze_reader)))
        .service(resource("/readers/{id}/credit-thaw").route(post().to(credit::thaw_reader)))
        .service(resource("/credit-entries/{id}/reversal").route(post().to(credit_entries::reverse_credit_entry)))
        .service(resource("/credit-appeals").route(get().to(credit_entries::list_credit_appeals)))
        .service(resource("/credit-appeals/{id}/decision").route(post().to(credit_entries::decide_credit_appeal)))
        .service(resource("/credit-events").route(post().to(credit_entries::import_credit_events)));
}

fn contact_routes(config: &mut ServiceConfig) {
    config
        .service(resource("/readers/{id}/contacts").route(get().to(contacts::list_reader_contacts)))
        .service(resource("/readers/{id}/contacts/{channel}").route(put().to(contacts::set_reader_contact)))
        .service(resource("/mail-bounces").route(post().to(contacts::report_bounce)));
}

/// What each resource says of itself.
pub fn documents() -> Vec<utoipa::openapi::OpenApi> {
    let mut all = vec![
        readers::Document::openapi(),
        reader_changes::Document::openapi(),
        cards::Document::openapi(),
        electronic_cards::Document::openapi(),
        guardians::Document::openapi(),
        credit::Document::openapi(),
        credit_entries::Document::openapi(),
        admissions::Document::openapi(),
        applications::Document::openapi(),
        contacts::Document::openapi(),
    ];
    all.extend(me::documents());
    all
}
