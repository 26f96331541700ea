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
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi};

use super::readers::Shown;
use crate::domain::ids::ReaderId;
use crate::http::input::{Cursor, Limit, page};
use crate::usecase::look_at_reader::Which;
use crate::usecase::page::PageRequest;

/// For whom the reader who asks acts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WardParameter {
    /// The number of a ward for whom the reader who asks may act (`listMyWards`); without it the reader acts for itself.
    #[param(example = 1051)]
    ward: Option<i64>,
}

impl WardParameter {
    fn named(&self) -> Option<ReaderId> {
        self.ward.map(ReaderId::new)
    }
}

/// Whose loans or holds, which ones and which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MyBorrowingFilter {
    /// The number of a ward for whom the reader who asks may act (`listMyWards`); without it the reader's own are shown.
    #[param(example = 1051)]
    ward: Option<i64>,
    /// `open` (by default) or `all` that are still linked to the reader; of a ward only those that are open.
    #[serde(default)]
    #[param(inline)]
    status: Shown,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

impl MyBorrowingFilter {
    fn asked(self) -> (Option<ReaderId>, Which, PageRequest) {
        let which = Which {
            open_only: self.status == Shown::Open,
            reason: None,
        };
        (self.ward.map(ReaderId::new), which, page(self.cursor, self.limit))
    }
}

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
        .configure(guardian_routes)
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

fn guardian_routes(config: &mut ServiceConfig) {
    config
        .service(resource("/me/wards").route(get().to(account::list_my_wards)))
        .service(resource("/me/guardian-acts").route(get().to(account::list_my_guardian_acts)));
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
