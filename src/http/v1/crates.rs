//! Crates: opened, packed, closed, sent, received; and their slips.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::consent::{ConsentText, consent};
use crate::app::App;
use crate::domain::barcode::Barcode;
use crate::domain::ids::CrateId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Nothing, PacksCrates, ReceivesTransits, Staff};
use crate::http::input::{CodeText, Cursor, Limit, PageBody, page, text};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader, ListFailures, LookFailures};
use crate::http::query::Parameters;
use crate::http::slip_pdf;
use crate::usecase::UseCaseError;
use crate::usecase::crate_view::{CrateDetail, CrateView};
use crate::usecase::list_crates::{self, CrateSlip, ListCrates};
use crate::usecase::open_crate::{self, OpenCrate};
use crate::usecase::pack_item::{self, PackItem, PackOutcome};
use crate::usecase::receive_crate::{self, CrateReceipt, ReceiveCrate};
use crate::usecase::unpack_item::{self, UnpackItem};
use crate::usecase::{close_crate, send_crate};

/// Most barcodes of one call: a full crate and what was put in by mistake.
const SCANS: usize = 400;

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    list_crates,
    open_crate,
    get_crate,
    crate_label,
    crate_slip,
    pack_item,
    unpack_item,
    close_crate,
    cancel_crate,
    send_crate,
    receive_crate
))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CrateParameters {
    /// What was scanned: finds that crate, ended or not.
    #[param(value_type = Option<String>, max_length = 32, example = "X000000104276")]
    label: Option<CodeText>,
    /// Those that were packed at this unit.
    #[param(value_type = Option<String>, max_length = 32, example = "M1")]
    from_unit_code: Option<CodeText>,
    /// Those that go to this unit.
    #[param(value_type = Option<String>, max_length = 32, example = "M2")]
    to_unit_code: Option<CodeText>,
    /// Those that stand at this unit. Without a unit or a label: the caller's own, or all for who may see the whole network.
    #[param(value_type = Option<String>, max_length = 32, example = "M1")]
    at_unit_code: Option<CodeText>,
    /// `open`, `closed`, `sent`, `delivered`, `received` or `cancelled`; absent: all that have not ended.
    #[param(value_type = Option<String>, max_length = 32, example = "closed")]
    status: Option<CodeText>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists crates in the order of their ids.
#[utoipa::path(get, path = "/api/v1/shipments", operation_id = "listShipments", tag = "crates", params(CrateParameters),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of crates", body = PageBody<CrateView>), ListFailures))]
pub async fn list_crates(app: web::Data<App>, who: Staff, filter: Parameters<CrateParameters>) -> Answer {
    let filter = filter.0;
    let query = ListCrates {
        label: text(filter.label),
        from_unit_code: text(filter.from_unit_code),
        to_unit_code: text(filter.to_unit_code),
        at_unit_code: text(filter.at_unit_code),
        status: text(filter.status),
        page: page(filter.cursor, filter.limit),
    };
    let crates = list_crates::list_crates(&app.store, &who.caller, query).await?;
    answer::ok(&PageBody::from(crates))
}

/// A new crate: to a unit, or to a stop of a route.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCrate {
    /// Where it is packed; the caller's own unit by default.
    #[schema(value_type = Option<String>, max_length = 32, example = "M1")]
    from_unit_code: Option<CodeText>,
    /// Where it goes.
    #[schema(value_type = Option<String>, max_length = 32, example = "M2")]
    to_unit_code: Option<CodeText>,
    /// With `stop` instead of `to_unit_code`: the route that takes it.
    #[schema(value_type = Option<String>, max_length = 32, example = "R1")]
    route_code: Option<CodeText>,
    /// The position on the route, from 1.
    #[schema(minimum = 1, maximum = 1000)]
    stop: Option<u16>,
}

/// Opens a crate and gives it its label.
#[utoipa::path(post, path = "/api/v1/shipments", operation_id = "createShipment", tag = "crates", params(IdempotencyHeader),
    request_body = NewCrate, security(("bearer" = [])),
    responses((status = 201, description = "The crate", body = CrateView, headers(("Location" = String))), ChangeFailures))]
pub async fn open_crate(app: web::Data<App>, who: PacksCrates, request: Changing<NewCrate>) -> Answer {
    let NewCrate {
        from_unit_code,
        to_unit_code,
        route_code,
        stop,
    } = request.body;
    let command = OpenCrate {
        from_unit_code: text(from_unit_code),
        to_unit_code: text(to_unit_code),
        route_code: text(route_code),
        stop,
    };
    let once = open_crate::open_crate(&app.store, &who.caller, command, request.key).await?;
    let location = format!("/api/v1/shipments/{}", once.value.id);
    answer::created(&once, Some(location))
}

/// A crate and what lies in it.
#[utoipa::path(get, path = "/api/v1/shipments/{id}", operation_id = "getShipment", tag = "crates", params(("id" = i64, Path)),
    security(("bearer" = [])),
    responses((status = 200, description = "The crate", body = CrateDetail), LookFailures))]
pub async fn get_crate(app: web::Data<App>, who: Staff, id: web::Path<i64>) -> Answer {
    answer::ok(&list_crates::get_crate(&app.store, &who.caller, CrateId::new(*id)).await?)
}

/// What a label printer prints: the label and what stands beside it.
#[utoipa::path(get, path = "/api/v1/shipments/{id}/label", operation_id = "getShipmentLabel", tag = "crates",
    params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, description = "The texts of the label", body = CrateSlip), LookFailures))]
pub async fn crate_label(app: web::Data<App>, who: Staff, id: web::Path<i64>) -> Answer {
    answer::ok(&list_crates::crate_slip(&app.store, &who.caller, CrateId::new(*id)).await?)
}

/// The slip of a crate as a page to print: label as Code 128, from, to, count and barcodes.
#[utoipa::path(get, path = "/api/v1/shipments/{id}/slip", operation_id = "getShipmentSlip", tag = "crates",
    params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, description = "One page of PDF", content_type = "application/pdf", body = Vec<u8>), LookFailures))]
pub async fn crate_slip(app: web::Data<App>, who: Staff, id: web::Path<i64>) -> Answer {
    let slip = list_crates::crate_slip(&app.store, &who.caller, CrateId::new(*id)).await?;
    let name = format!("inline; filename=\"{}.pdf\"", slip.label);
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, name))
        .content_type("application/pdf")
        .body(slip_pdf::draw(&slip)))
}

/// One scan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScannedItem {
    #[schema(value_type = String, max_length = 64)]
    item_barcode: Barcode,
    /// Says whose item, where a barcode means several.
    #[schema(value_type = Option<String>, max_length = 32)]
    owner_unit_code: Option<CodeText>,
}

/// Scans an item into a crate. It must wait at the crate's unit for one to where this one goes.
#[utoipa::path(post, path = "/api/v1/shipments/{id}/pack", operation_id = "packItem", tag = "crates",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ScannedItem, security(("bearer" = [])),
    responses((status = 200, description = "The crate and the item", body = PackOutcome), ChangeOneFailures))]
pub async fn pack_item(
    app: web::Data<App>,
    who: PacksCrates,
    id: web::Path<i64>,
    request: Changing<ScannedItem>,
) -> Answer {
    let command = PackItem {
        crate_id: CrateId::new(*id),
        item_barcode: request.body.item_barcode,
        owner_unit_code: text(request.body.owner_unit_code),
    };
    answer::done(&pack_item::pack_item(&app.store, &who.caller, command, request.key).await?)
}

/// Takes an item out of a crate that has not left; a closed crate is open after that.
#[utoipa::path(post, path = "/api/v1/shipments/{id}/unpack", operation_id = "unpackItem", tag = "crates",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ScannedItem, security(("bearer" = [])),
    responses((status = 200, description = "The crate", body = CrateView), ChangeOneFailures))]
pub async fn unpack_item(
    app: web::Data<App>,
    who: PacksCrates,
    id: web::Path<i64>,
    request: Changing<ScannedItem>,
) -> Answer {
    let command = UnpackItem {
        crate_id: CrateId::new(*id),
        item_barcode: request.body.item_barcode,
        owner_unit_code: text(request.body.owner_unit_code),
    };
    answer::done(&unpack_item::unpack_item(&app.store, &who.caller, command, request.key).await?)
}

/// Closes a crate with something in it: it may be fetched.
#[utoipa::path(post, path = "/api/v1/shipments/{id}/close", operation_id = "closeShipment", tag = "crates",
    params(("id" = i64, Path), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The crate", body = CrateView), ChangeOneFailures))]
pub async fn close_crate(
    app: web::Data<App>,
    who: PacksCrates,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    answer::done(&close_crate::close_crate(&app.store, &who.caller, CrateId::new(*id), request.key).await?)
}

/// Gives up a crate with nothing in it.
#[utoipa::path(post, path = "/api/v1/shipments/{id}/cancel", operation_id = "cancelShipment", tag = "crates",
    params(("id" = i64, Path), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The crate", body = CrateView), ChangeOneFailures))]
pub async fn cancel_crate(
    app: web::Data<App>,
    who: PacksCrates,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    answer::done(&close_crate::cancel_crate(&app.store, &who.caller, CrateId::new(*id), request.key).await?)
}

/// Sends a closed crate with whoever drives, without a courier's scan; or one that was handed over elsewhere on its way on.
#[utoipa::path(post, path = "/api/v1/shipments/{id}/send", operation_id = "sendShipment", tag = "crates",
    params(("id" = i64, Path), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The crate", body = CrateView), ChangeOneFailures))]
pub async fn send_crate(
    app: web::Data<App>,
    who: PacksCrates,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    answer::done(&send_crate::send_crate(&app.store, &who.caller, CrateId::new(*id), request.key).await?)
}

/// What came out of a crate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unpacking {
    /// Everything on its list is here; what was not scanned is taken in as well.
    #[serde(default)]
    all: bool,
    /// What was scanned, on the list or not.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 400, example = json!(["0100001234567"]))]
    item_barcodes: Vec<Barcode>,
    /// Nothing more comes out of it. `false`: the rest follows in another call.
    #[serde(default = "yes")]
    finish: bool,
    /// `crate_for_elsewhere`, to unpack a crate here that goes elsewhere.
    #[schema(example = json!(["crate_for_elsewhere"]))]
    confirm: Option<Vec<String>>,
    /// `consent_token` of the answer that told the refusals.
    #[schema(value_type = Option<String>, max_length = 4000)]
    consent_token: Option<ConsentText>,
}

const fn yes() -> bool {
    true
}

/// Unpacks a crate at the caller's unit: all of it, or item by item. Every item gets its next step, as from a check-in.
#[utoipa::path(post, path = "/api/v1/shipments/{id}/receive", operation_id = "receiveShipment", tag = "crates",
    params(("id" = i64, Path), IdempotencyHeader), request_body = Unpacking, security(("bearer" = [])),
    responses((status = 200, description = "What came out of it", body = CrateReceipt), ChangeOneFailures))]
pub async fn receive_crate(
    app: web::Data<App>,
    who: ReceivesTransits,
    id: web::Path<i64>,
    request: Changing<Unpacking>,
) -> Answer {
    let asked = request.body;
    if asked.item_barcodes.len() > SCANS {
        return Err(UseCaseError::field("item_barcodes", format!("are more than {SCANS}")).into());
    }
    let command = ReceiveCrate {
        crate_id: CrateId::new(*id),
        all: asked.all,
        item_barcodes: asked.item_barcodes,
        finish: asked.finish,
        consent: consent(&app, None, asked.confirm, asked.consent_token)?,
    };
    answer::done(&receive_crate::receive_crate(&app.store, &who.caller, command, request.key).await?)
}
