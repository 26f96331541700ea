//! What a device takes along for when nobody answers.

use actix_web::web::{self, ServiceConfig, get, resource};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::Operates;
use crate::http::input::{Text, text};
use crate::http::openapi::ListFailures;
use crate::http::query::Parameters;
use crate::usecase::offline_pack::{self, OfflinePack};

#[derive(utoipa::OpenApi)]
#[openapi(paths(get_offline_pack))]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    config.service(resource("/device/offline-pack").route(get().to(get_offline_pack)));
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PackQuery {
    /// `cursor` of the answer before; everything by default, and with one that is too old or none of ours.
    #[param(value_type = Option<String>, max_length = 120, example = "12.3.7a0c41d29b5e6f80.4f53cda18c2baa0c.0")]
    cursor: Option<Text<120>>,
}

/// What the device needs to decide alone: blocked cards, keys, rules and what it has inside; with a cursor what changed.
#[utoipa::path(get, path = "/api/v1/device/offline-pack", operation_id = "getOfflinePack", tag = "devices",
    params(PackQuery), security(("bearer" = [])),
    responses((status = 200, description = "The pack, or what changed of it", body = OfflinePack), ListFailures))]
pub async fn get_offline_pack(app: web::Data<App>, who: Operates, asked: Parameters<PackQuery>) -> Answer {
    let cursor = text(asked.0.cursor);
    answer::ok(&offline_pack::get_offline_pack(&app.store, &app.cards, &who.caller, cursor).await?)
}
