//! Check-out and check-in.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use super::consent::{ConsentText, OverridesRequest, consent};
use super::electronic_cards::shown;
use crate::app::App;
use crate::domain::barcode::{Barcode, CardNumber};
use crate::domain::ids::ReaderId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Lends, TakesBack};
use crate::http::input::{CodeText, Moment, Secret, Text, text};
use crate::http::openapi::{ChangeFailures, IdempotencyHeader};
use crate::http::problem::Problem;
use crate::usecase::UseCaseError;
use crate::usecase::check_in::{self, CheckIn};
use crate::usecase::check_out::{self, CheckOut};
use crate::usecase::item_shown::ItemShown;
use crate::usecase::view::{CheckInOutcome, CheckOutOutcome};

#[derive(utoipa::OpenApi)]
#[openapi(paths(check_out, check_in))]
pub struct Document;

/// How a request names an item: exactly one of both.
///
/// # Errors
/// The member that is missing, or one too many.
pub(super) fn item_shown(barcode: Option<Barcode>, tag: Option<Text<64>>) -> Result<ItemShown, Problem> {
    match (barcode, tag) {
        (Some(barcode), None) => Ok(barcode.into()),
        (None, Some(tag)) => Ok(ItemShown::Tag(tag.into())),
        (None, None) => Err(UseCaseError::field("item_barcode", "is needed, or item_tag").into()),
        (Some(_), Some(_)) => {
            Err(UseCaseError::field("item_tag", "is given beside item_barcode: one is enough").into())
        }
    }
}

/// An item goes out to a reader, at the unit of the caller's session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"item_barcode": "0100001234567", "card_number": "JC00012345"}))]
pub struct CheckOutRequest {
    /// As printed on it; this or `item_tag`.
    #[schema(value_type = Option<String>, max_length = 64)]
    item_barcode: Option<Barcode>,
    /// The identifier of its RFID tag; this or `item_barcode`.
    #[schema(value_type = Option<String>, max_length = 64)]
    item_tag: Option<Text<64>>,
    /// Of the reader's card; this or `card_token`.
    #[schema(value_type = Option<String>, max_length = 64)]
    card_number: Option<CardNumber>,
    /// What the reader's phone shows: the text of the QR code, as it is; this or `card_number`.
    #[schema(value_type = Option<String>, max_length = 512)]
    card_token: Option<Secret>,
    /// The number of a ward the item is for, where a guardian shows the card. A copy that is set aside for a ward is lent to that
    /// ward without it.
    #[schema(example = json!(null))]
    ward_reader_id: Option<i64>,
    /// Says whose item, where several owners have the barcode or the tag.
    #[schema(value_type = Option<String>, max_length = 32)]
    owner_unit_code: Option<CodeText>,
    /// A due date given by hand (RFC 3339); needs the right to override.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    due_at: Option<Moment>,
    overrides: Option<OverridesRequest>,
    /// Codes of refusals with the outcome `confirm`.
    confirm: Option<Vec<String>>,
    /// `consent_token` of the answer that told the refusals.
    #[schema(value_type = Option<String>, max_length = 4000)]
    consent_token: Option<ConsentText>,
    /// Decide only; change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Lends an item. 201 when a loan was made; 200 for a dry run, and for a reader who may only read in the unit.
#[utoipa::path(post, path = "/api/v1/check-outs", operation_id = "checkOut", tag = "circulation",
    params(IdempotencyHeader), request_body = CheckOutRequest, security(("bearer" = [])),
    responses(
        (status = 200, description = "What would happen, or use in the unit", body = CheckOutOutcome),
        (status = 201, description = "The loan", body = CheckOutOutcome),
        ChangeFailures))]
pub async fn check_out(app: web::Data<App>, who: Lends, request: Changing<CheckOutRequest>) -> Answer {
    let CheckOutRequest {
        item_barcode,
        item_tag,
        card_number,
        card_token,
        ward_reader_id,
        owner_unit_code,
        due_at,
        overrides,
        confirm,
        consent_token,
        dry_run,
    } = request.body;
    let command = CheckOut {
        item: item_shown(item_barcode, item_tag)?,
        owner_unit_code: text(owner_unit_code),
        card: shown(&app, card_number, card_token.as_ref())?,
        ward: ward_reader_id.map(ReaderId::new),
        due_at: due_at.map(|at| at.0),
        consent: consent(&app, overrides, confirm, consent_token)?,
        dry_run,
    };
    let outcome = check_out::check_out(&app.store, &who.caller, command, request.key).await?;
    if outcome.value.loan.is_some() && !outcome.value.dry_run {
        answer::created(&outcome, None)
    } else {
        answer::done(&outcome)
    }
}

/// An item comes back, at the unit of the caller's session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"item_barcode": "0100001234567"}))]
pub struct CheckInRequest {
    /// As printed on it; this or `item_tag`.
    #[schema(value_type = Option<String>, max_length = 64)]
    item_barcode: Option<Barcode>,
    /// The identifier of its RFID tag; this or `item_barcode`.
    #[schema(value_type = Option<String>, max_length = 64)]
    item_tag: Option<Text<64>>,
    /// Says whose item, where several owners have the barcode or the tag.
    #[schema(value_type = Option<String>, max_length = 32)]
    owner_unit_code: Option<CodeText>,
    /// When it came back, if that was earlier: a book drop emptied in the morning.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    returned_at: Option<Moment>,
    overrides: Option<OverridesRequest>,
    /// Codes of refusals with the outcome `confirm`.
    confirm: Option<Vec<String>>,
    /// `consent_token` of the answer that told the refusals.
    #[schema(value_type = Option<String>, max_length = 4000)]
    consent_token: Option<ConsentText>,
}

/// Takes an item back and says the one thing to do with it.
#[utoipa::path(post, path = "/api/v1/check-ins", operation_id = "checkIn", tag = "circulation",
    params(IdempotencyHeader), request_body = CheckInRequest, security(("bearer" = [])),
    responses((status = 200, description = "What to do with it", body = CheckInOutcome), ChangeFailures))]
pub async fn check_in(app: web::Data<App>, who: TakesBack, request: Changing<CheckInRequest>) -> Answer {
    let CheckInRequest {
        item_barcode,
        item_tag,
        owner_unit_code,
        returned_at,
        overrides,
        confirm,
        consent_token,
    } = request.body;
    let command = CheckIn {
        item: item_shown(item_barcode, item_tag)?,
        owner_unit_code: text(owner_unit_code),
        returned_at: returned_at.map(|at| at.0),
        consent: consent(&app, overrides, confirm, consent_token)?,
    };
    answer::done(&check_in::check_in(&app.store, &who.caller, command, request.key).await?)
}
