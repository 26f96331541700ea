//! Couriers at a locker: rounds of loading and unloading.

use actix_web::web::{self, ServiceConfig, get, post, resource};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::barcode::Barcode;
use crate::domain::ids::DeviceId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Loads, Nothing, ReceivesTransits};
use crate::http::input::{CodeText, List, Text, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, LookFailures};
use crate::usecase::load_compartment::{self, LoadCompartment};
use crate::usecase::loading_round::{self, LoadingRoundView, MAX_CRATES, StartLoadingRound};
use crate::usecase::open_compartment::{self, DoorOrdered, OpenCompartment, WhyOpen};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    start_loading_round,
    get_loading_round,
    end_loading_round,
    load_compartment,
    unload_compartment
))]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/devices/{id}/loading-rounds").route(post().to(start_loading_round)))
        .service(resource("/devices/{id}/loading-rounds/{round_id}").route(get().to(get_loading_round)))
        .service(resource("/devices/{id}/loading-rounds/{round_id}/end").route(post().to(end_loading_round)))
        .service(resource("/devices/{id}/compartments/{number}/load").route(post().to(load_compartment)))
        .service(resource("/devices/{id}/compartments/{number}/unload").route(post().to(unload_compartment)));
}

/// What the courier brings.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLoadingRound {
    /// Labels of the crates; none: only to unload.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 20, example = json!(["K000042"]))]
    crate_labels: List<Text<40>, 0, MAX_CRATES>,
}

/// Begins a round: answers what is put in, with a door for each, and what is taken out.
#[utoipa::path(post, path = "/api/v1/devices/{id}/loading-rounds", operation_id = "startLoadingRound", tag = "devices",
    params(("id" = i64, Path, description = "The device's id"), IdempotencyHeader),
    request_body = NewLoadingRound, security(("bearer" = [])),
    responses((status = 201, description = "The round", body = LoadingRoundView), ChangeOneFailures))]
pub async fn start_loading_round(
    app: web::Data<App>,
    who: ReceivesTransits,
    id: web::Path<i64>,
    request: Changing<NewLoadingRound>,
) -> Answer {
    let command = StartLoadingRound {
        device: DeviceId::new(*id),
        crate_labels: request.body.crate_labels.0.into_iter().map(Into::into).collect(),
    };
    let round = loading_round::start_loading_round(&app.store, &who.caller, command, request.key).await?;
    let location = format!("/api/v1/devices/{id}/loading-rounds/{}", round.value.id);
    answer::created(&round, Some(location))
}

/// Shows a round: what is done, and what is left.
#[utoipa::path(get, path = "/api/v1/devices/{id}/loading-rounds/{round_id}", operation_id = "getLoadingRound",
    tag = "devices",
    params(("id" = i64, Path, description = "The device's id"), ("round_id" = i64, Path, description = "The round's id")),
    security(("bearer" = [])),
    responses((status = 200, description = "The round", body = LoadingRoundView), LookFailures))]
pub async fn get_loading_round(app: web::Data<App>, who: ReceivesTransits, path: web::Path<(i64, i64)>) -> Answer {
    let (device, round) = (DeviceId::new(path.0), path.1);
    answer::ok(&loading_round::get_loading_round(&app.store, &who.caller, device, round).await?)
}

/// Ends a round; what was not done is left for the next.
#[utoipa::path(post, path = "/api/v1/devices/{id}/loading-rounds/{round_id}/end", operation_id = "endLoadingRound",
    tag = "devices",
    params(("id" = i64, Path, description = "The device's id"), ("round_id" = i64, Path, description = "The round's id"),
        IdempotencyHeader),
    security(("bearer" = [])),
    responses((status = 200, description = "The round", body = LoadingRoundView), ChangeOneFailures))]
pub async fn end_loading_round(
    app: web::Data<App>,
    who: ReceivesTransits,
    path: web::Path<(i64, i64)>,
    request: Changing<Nothing>,
) -> Answer {
    let (device, round) = (DeviceId::new(path.0), path.1);
    answer::done(&loading_round::end_loading_round(&app.store, &who.caller, device, round, request.key).await?)
}

/// What is put in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompartmentLoad {
    #[schema(value_type = String)]
    item_barcode: Barcode,
    /// Says whose item, where the barcode means several.
    #[schema(value_type = Option<String>, max_length = 32)]
    owner_unit_code: Option<CodeText>,
    /// The courier's round, if there is one.
    #[schema(example = 8001)]
    round_id: Option<i64>,
}

/// Opens a compartment for a book. The report that it is in there is its check-in; a hold that is fetched here is ready only then.
#[utoipa::path(post, path = "/api/v1/devices/{id}/compartments/{number}/load", operation_id = "loadCompartment",
    tag = "devices",
    params(("id" = i64, Path, description = "The device's id"),
        ("number" = u16, Path, description = "The number on the door"), IdempotencyHeader),
    request_body = CompartmentLoad, security(("bearer" = [])),
    responses((status = 200, description = "The door is ordered open", body = DoorOrdered), ChangeOneFailures))]
pub async fn load_compartment(
    app: web::Data<App>,
    who: Loads,
    path: web::Path<(i64, u16)>,
    request: Changing<CompartmentLoad>,
) -> Answer {
    let command = LoadCompartment {
        device: DeviceId::new(path.0),
        number: path.1,
        item_barcode: request.body.item_barcode,
        owner_unit_code: text(request.body.owner_unit_code),
        round: request.body.round_id,
    };
    let ordered = load_compartment::load_compartment(&app.store, &app.board, &who.caller, command, request.key);
    answer::done(&ordered.await?)
}

/// In which round it is emptied.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompartmentUnload {
    /// The courier's round, if there is one.
    #[schema(example = 8001)]
    round_id: Option<i64>,
}

/// Opens a compartment for a courier who takes out what is in it.
#[utoipa::path(post, path = "/api/v1/devices/{id}/compartments/{number}/unload", operation_id = "unloadCompartment",
    tag = "devices",
    params(("id" = i64, Path, description = "The device's id"),
        ("number" = u16, Path, description = "The number on the door"), IdempotencyHeader),
    request_body = CompartmentUnload, security(("bearer" = [])),
    responses((status = 200, description = "The door is ordered open", body = DoorOrdered), ChangeOneFailures))]
pub async fn unload_compartment(
    app: web::Data<App>,
    who: ReceivesTransits,
    path: web::Path<(i64, u16)>,
    request: Changing<CompartmentUnload>,
) -> Answer {
    let command = OpenCompartment {
        device: DeviceId::new(path.0),
        number: path.1,
        why: WhyOpen::Unload(request.body.round_id),
    };
    let ordered = open_compartment::open_compartment(&app.store, &app.board, &who.caller, command, request.key);
    answer::done(&ordered.await?)
}
