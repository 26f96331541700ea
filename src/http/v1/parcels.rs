//! Parcels: packing, dispatch, what the carrier reports, what comes back.

use std::collections::BTreeMap;

use actix_web::web;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::consent::{ConsentText, OverridesRequest, consent};
use crate::app::App;
use crate::config::Config;
use crate::domain::barcode::Barcode;
use crate::domain::parcel::Step;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, HandlesParcels, People, Staff};
use crate::http::input::{CodeText, Cursor, Limit, List, Moment, PageBody, Text, page, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, ListFailures, LookFailures};
use crate::http::query::Parameters;
use crate::http::signed::{Signed, SignedBody};
use crate::usecase::delivery_view::{ParcelOutcome, ParcelView};
use crate::usecase::dispatch_parcel::{self, DispatchParcel};
use crate::usecase::get_parcel::{self, ParcelDetail};
use crate::usecase::give_up_parcel::{self, GiveUpParcel};
use crate::usecase::list_packing::{self, PackingView};
use crate::usecase::list_parcels::{self, ListParcels};
use crate::usecase::pack_parcel::{self, PackParcel};
use crate::usecase::receive_parcel::{self, ReceiveParcel};
use crate::usecase::report_parcel::{self, ReportOutcome, ReportParcel};
use crate::usecase::view::CheckInOutcome;

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    list_packing_list,
    pack_parcel,
    dispatch_parcel,
    list_parcels,
    get_parcel,
    give_up_parcel,
    receive_parcel,
    report_parcel
))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PackingFilter {
    /// The unit that packs; the caller's own if absent.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists requests of which copies lie ready to be packed, the oldest first.
#[utoipa::path(get, path = "/api/v1/packing-list", operation_id = "listPackingList", tag = "parcels", params(PackingFilter),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of requests", body = PageBody<PackingView>), ListFailures))]
pub async fn list_packing_list(app: web::Data<App>, who: Staff, filter: Parameters<PackingFilter>) -> Answer {
    let asked = filter.0;
    let unit = text(asked.unit_code);
    let list = list_packing::list_packing(&app.store, &who.caller, unit, page(asked.cursor, asked.limit)).await?;
    answer::ok(&PageBody::from(list))
}

/// The copies that go into a parcel, as scanned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"item_barcodes": ["0100001234567"]}))]
pub struct PackRequest {
    /// 1 to 20, none twice.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 20)]
    item_barcodes: List<Barcode, 1, 20>,
    overrides: Option<OverridesRequest>,
    /// Codes of refusals with the outcome `confirm`.
    confirm: Option<Vec<String>>,
}

/// Packs a parcel of a request. A copy that does not belong in it is refused, with what does.
#[utoipa::path(post, path = "/api/v1/delivery-requests/{id}/parcels", operation_id = "packParcel", tag = "parcels",
    params(("id" = i64, Path), IdempotencyHeader), request_body = PackRequest, security(("bearer" = [])),
    responses((status = 201, description = "The parcel", body = ParcelOutcome), ChangeOneFailures))]
pub async fn pack_parcel(
    app: web::Data<App>,
    who: HandlesParcels,
    id: web::Path<i64>,
    request: Changing<PackRequest>,
) -> Answer {
    let PackRequest {
        item_barcodes,
        overrides,
        confirm,
    } = request.body;
    let command = PackParcel {
        request: *id,
        item_barcodes: item_barcodes.0,
        consent: consent(&app, overrides, confirm, None)?,
    };
    let packed = pack_parcel::pack_parcel(&app.store, &who.caller, command, request.key).await?;
    answer::created(&packed, None)
}

/// A parcel is given to the carrier; usually an empty object.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct DispatchRequest {
    /// Staff brought it to a carrier themselves; needed where no carrier is configured.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, example = "SF1234567890")]
    tracking_number: Option<Text<64>>,
    overrides: Option<OverridesRequest>,
    /// Codes of refusals with the outcome `confirm`.
    confirm: Option<Vec<String>>,
    /// `consent_token` of each refused copy, by its barcode: with `overrides` and `confirm`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>, example = json!({"0100001234567": "eyJ2IjoxfQ.c2lnbmF0dXJl"}))]
    consent_tokens: BTreeMap<String, ConsentText>,
    /// Decide only; change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Gives a parcel to the carrier: its copies are lent, those that cannot be lent are set aside. Sent again after the booking
/// failed, the carrier is told again.
#[utoipa::path(post, path = "/api/v1/parcels/{id}/dispatch", operation_id = "dispatchParcel", tag = "parcels",
    params(("id" = i64, Path), IdempotencyHeader), request_body = DispatchRequest, security(("bearer" = [])),
    responses((status = 200, description = "The parcel, and what is to be taken out", body = ParcelOutcome),
        ChangeOneFailures))]
pub async fn dispatch_parcel(
    app: web::Data<App>,
    who: HandlesParcels,
    id: web::Path<i64>,
    request: Changing<DispatchRequest>,
) -> Answer {
    let said = request.body;
    let command = DispatchParcel {
        parcel: *id,
        tracking_number: text(said.tracking_number),
        has_carrier: app.config.delivery.carrier_url.is_some(),
        consent: consent(&app, said.overrides, said.confirm, None)?,
        consent_tokens: said
            .consent_tokens
            .into_iter()
            .map(|(barcode, token)| (barcode, token.into()))
            .collect(),
        dry_run: said.dry_run,
    };
    answer::done(&dispatch_parcel::dispatch_parcel(&app.store, &who.caller, command, request.key).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ParcelsFilter {
    /// The unit that packed it or takes it; the caller's own if absent.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// `out` or `back`.
    #[param(value_type = Option<String>, max_length = 16)]
    direction: Option<Text<16>>,
    /// One state; see docs/PARCELS.md.
    #[param(value_type = Option<String>, max_length = 16)]
    state: Option<Text<16>>,
    /// Only those packed, announced or posted so many days ago, 1 to 365, that have not come.
    #[param(minimum = 1, maximum = 365)]
    older_than_days: Option<u16>,
    /// Only those of which nobody has heard for too long.
    #[serde(default)]
    alarmed: bool,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists open parcels of a unit in the order of their numbers.
#[utoipa::path(get, path = "/api/v1/parcels", operation_id = "listParcels", tag = "parcels", params(ParcelsFilter),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of parcels", body = PageBody<ParcelView>), ListFailures))]
pub async fn list_parcels(app: web::Data<App>, who: Staff, filter: Parameters<ParcelsFilter>) -> Answer {
    let asked = filter.0;
    let query = ListParcels {
        unit_code: text(asked.unit_code),
        direction: text(asked.direction),
        state: text(asked.state),
        older_than_days: asked.older_than_days,
        alarmed: asked.alarmed,
        page: page(asked.cursor, asked.limit),
    };
    let parcels = list_parcels::list_parcels(&app.store, &who.caller, query).await?;
    answer::ok(&PageBody::from(parcels))
}

/// Shows a parcel with its address and what the carrier reported. Readers see their own.
#[utoipa::path(get, path = "/api/v1/parcels/{id}", operation_id = "getParcel", tag = "parcels",
    params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, description = "The parcel", body = ParcelDetail), LookFailures))]
pub async fn get_parcel(app: web::Data<App>, who: People, id: web::Path<i64>) -> Answer {
    answer::ok(&get_parcel::get_parcel(&app.store, &who.caller, *id).await?)
}

/// Why nobody waits for a parcel any longer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "承运商查无此件"}))]
pub struct GiveUpRequest {
    /// What was asked and answered; kept with the event.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Text<500>,
}

/// Closes a parcel as not arrived: one that is alarmed, or that the carrier has lost. Its loans go on as they were.
#[utoipa::path(post, path = "/api/v1/parcels/{id}/give-up", operation_id = "giveUpParcel", tag = "parcels",
    params(("id" = i64, Path), IdempotencyHeader), request_body = GiveUpRequest, security(("bearer" = [])),
    responses((status = 200, description = "The parcel", body = ParcelView), ChangeOneFailures))]
pub async fn give_up_parcel(
    app: web::Data<App>,
    who: HandlesParcels,
    id: web::Path<i64>,
    request: Changing<GiveUpRequest>,
) -> Answer {
    let command = GiveUpParcel {
        parcel: *id,
        reason: request.body.reason.into(),
    };
    answer::done(&give_up_parcel::give_up_parcel(&app.store, &who.caller, command, request.key).await?)
}

/// A copy that a parcel brought.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"item_barcode": "0100001234567"}))]
pub struct ReceiptRequest {
    #[schema(value_type = String, max_length = 64)]
    item_barcode: Barcode,
    overrides: Option<OverridesRequest>,
    /// Codes of refusals with the outcome `confirm`.
    confirm: Option<Vec<String>>,
    /// `consent_token` of the answer that told the refusals.
    #[schema(value_type = Option<String>, max_length = 4000)]
    consent_token: Option<ConsentText>,
}

/// Checks in a copy that came by parcel, with the time at which the reader gave it up, and says the one thing to do with it.
#[utoipa::path(post, path = "/api/v1/parcels/{id}/receipts", operation_id = "receiveParcel", tag = "parcels",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ReceiptRequest, security(("bearer" = [])),
    responses((status = 200, description = "What to do with it", body = CheckInOutcome), ChangeOneFailures))]
pub async fn receive_parcel(
    app: web::Data<App>,
    who: HandlesParcels,
    id: web::Path<i64>,
    request: Changing<ReceiptRequest>,
) -> Answer {
    let ReceiptRequest {
        item_barcode,
        overrides,
        confirm,
        consent_token,
    } = request.body;
    let command = ReceiveParcel {
        parcel: *id,
        item_barcode,
        consent: consent(&app, overrides, confirm, consent_token)?,
    };
    answer::done(&receive_parcel::receive_parcel(&app.store, &who.caller, command, request.key).await?)
}

/// What happened to a parcel, as the carrier says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"report_id": "e-1", "parcel_id": 1042, "step": "picked_up",
    "occurred_at": "2026-03-04T06:00:00Z"}))]
pub struct ParcelReport {
    /// The carrier's number of this report: sent again, it counts once.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "e-1")]
    report_id: Text<100>,
    /// Our number of the parcel.
    #[schema(example = 1042)]
    parcel_id: i64,
    /// `picked_up`, `in_transit`, `delivered`, `refused`, `lost` or `returned`.
    #[schema(value_type = String, example = "picked_up")]
    step: StepText,
    /// When it happened (RFC 3339).
    #[schema(value_type = chrono::DateTime<chrono::Utc>, example = "2026-03-04T06:00:00Z")]
    occurred_at: Moment,
}

/// A step that a carrier may report.
#[derive(Debug)]
struct StepText(Step);

impl<'de> Deserialize<'de> for StepText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let step = Step::from_code(&word).filter(|step| step.is_reported());
        step.map(Self).ok_or_else(|| {
            serde::de::Error::custom("must be picked_up, in_transit, delivered, refused, lost or returned")
        })
    }
}

impl SignedBody for ParcelReport {
    fn secret(config: &Config) -> Option<&SecretString> {
        config.delivery.report_secret.as_ref()
    }
}

/// Takes a report of the carrier, which signs it. A report that cannot follow what is known changes nothing.
#[utoipa::path(post, path = "/api/v1/parcel-reports", operation_id = "reportParcel", tag = "parcels",
    request_body = ParcelReport, security(("signature" = [])),
    responses((status = 200, description = "What became of it", body = ReportOutcome), ChangeOneFailures))]
pub async fn report_parcel(app: web::Data<App>, request: Signed<ParcelReport>) -> Answer {
    let said = request.0;
    let report = ReportParcel {
        report_id: said.report_id.into(),
        parcel: said.parcel_id,
        step: said.step.0,
        occurred_at: said.occurred_at.0,
    };
    answer::ok(&report_parcel::report_parcel(&app.store, report).await?)
}
