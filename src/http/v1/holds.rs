//! Places in the queue for a bib or an item.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::consent::{ConsentText, OverridesRequest, consent, consent_of_parameters};
use crate::app::App;
use crate::domain::barcode::CardNumber;
use crate::domain::ids::{BibId, HoldId, ItemId};
use crate::domain::volume::Volume;
use crate::http::answer::{self, Answer};
use crate::http::extract::{CancelsHolds, Changing, Nothing, PlacesHolds};
use crate::http::input::{CodeText, Day, Remark, Text};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader};
use crate::http::query::Parameters;
use crate::usecase::cancel_hold::{self, CancelHold};
use crate::usecase::place_hold::{self, PlaceHold};
use crate::usecase::view::HoldOutcome;

#[derive(utoipa::OpenApi)]
#[openapi(paths(place_hold, cancel_hold))]
pub struct Document;

/// A reader joins the queue of a bib, or waits for one volume or one copy of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// Staff say whose hold it is; a reader places its own and leaves it out.
    #[schema(value_type = Option<String>, max_length = 64)]
    card_number: Option<CardNumber>,
    bib_id: i64,
    /// This copy only.
    item_id: Option<i64>,
    /// Any copy of this volume or issue only; not together with `item_id`. At most 63 bytes.
    #[schema(value_type = Option<String>, max_length = 63, example = "第2卷")]
    volume: Option<Volume>,
    #[schema(value_type = String, max_length = 32, example = "B01")]
    pickup_unit_code: CodeText,
    /// It sleeps until this day of the network's zone.
    #[schema(value_type = Option<chrono::NaiveDate>)]
    not_before: Option<Day>,
    /// The last day it is wanted.
    #[schema(value_type = Option<chrono::NaiveDate>)]
    wanted_until: Option<Day>,
    overrides: Option<OverridesRequest>,
    /// Codes of refusals with the outcome `confirm`.
    confirm: Option<Vec<String>>,
    /// `consent_token` of the answer that told the refusals.
    #[schema(value_type = Option<String>, max_length = 4000)]
    consent_token: Option<ConsentText>,
}

/// Places a hold.
#[utoipa::path(post, path = "/api/v1/holds", operation_id = "placeHold", tag = "holds", params(IdempotencyHeader),
    request_body = NewHold, security(("bearer" = [])),
    responses((status = 201, description = "The hold", body = HoldOutcome), ChangeFailures))]
pub async fn place_hold(app: web::Data<App>, who: PlacesHolds, request: Changing<NewHold>) -> Answer {
    let hold = request.body;
    let command = PlaceHold {
        card_number: hold.card_number,
        bib: BibId::new(hold.bib_id),
        item: hold.item_id.map(ItemId::new),
        volume: hold.volume,
        pickup_unit_code: hold.pickup_unit_code.into(),
        not_before: hold.not_before.map(|day| day.0),
        wanted_until: hold.wanted_until.map(|day| day.0),
        consent: consent(&app, hold.overrides, hold.confirm, hold.consent_token)?,
    };
    let placed = place_hold::place_hold(&app.store, &who.caller, command, request.key).await?;
    answer::created(&placed, None)
}

/// What staff say to refusals; as parameters, because a DELETE has no body.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CancelConsent {
    /// Codes to override, separated by commas.
    #[param(value_type = Option<String>, max_length = 500)]
    overrides: Option<Text<500>>,
    /// Why; needed with `overrides`.
    #[param(value_type = Option<String>, max_length = 500)]
    override_reason: Option<Remark<500>>,
    /// Codes to confirm, separated by commas.
    #[param(value_type = Option<String>, max_length = 500)]
    confirm: Option<Text<500>>,
    /// `consent_token` of the answer that told the refusals.
    #[param(value_type = Option<String>, max_length = 4000)]
    consent_token: Option<ConsentText>,
}

/// Cancels a hold. Readers cancel their own. `next_step` says where a copy goes that had been set aside.
#[utoipa::path(delete, path = "/api/v1/holds/{id}", operation_id = "cancelHold", tag = "holds",
    params(("id" = i64, Path), CancelConsent, IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The hold", body = HoldOutcome), ChangeOneFailures))]
pub async fn cancel_hold(
    app: web::Data<App>,
    who: CancelsHolds,
    id: web::Path<i64>,
    said: Parameters<CancelConsent>,
    request: Changing<Nothing>,
) -> Answer {
    let CancelConsent {
        overrides,
        override_reason,
        confirm,
        consent_token,
    } = said.0;
    let consent = consent_of_parameters(&app, overrides, override_reason, confirm, consent_token)?;
    let command = CancelHold {
        hold: HoldId::new(*id),
        consent,
    };
    answer::done(&cancel_hold::cancel_hold(&app.store, &who.caller, command, request.key).await?)
}
