//! What a device calls for itself: heartbeat, configuration, another secret, the key of its journal.

use std::collections::BTreeMap;

use actix_web::web::{self, ServiceConfig, get, post, put, resource};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::device_heartbeat::Beat;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Nothing, Operates};
use crate::http::input::{List, Moment, Text};
use crate::http::openapi::{ChangeFailures, IdempotencyHeader, ListFailures};
use crate::http::problem::Problem;
use crate::usecase::UseCaseError;
use crate::usecase::configure_device::{self, ConfigurationView};
use crate::usecase::heartbeat::{self, HeartbeatAnswer};
use crate::usecase::register_device::DeviceWithSecret;
use crate::usecase::rotate_device_secret;
use crate::usecase::set_device_key::{self, DeviceKeyView, SetDeviceKey};

/// Most things in stock.
const MAX_STOCK: usize = 32;

#[derive(utoipa::OpenApi)]
#[openapi(paths(heartbeat, get_device_configuration, renew_device_secret, set_device_key))]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/device/heartbeats").route(post().to(heartbeat)))
        .service(resource("/device/configuration").route(get().to(get_device_configuration)))
        .service(resource("/device/secret").route(post().to(renew_device_secret)))
        .service(resource("/device/key").route(put().to(set_device_key)));
}

/// What a device says of itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatRequest {
    /// Its clock (RFC 3339).
    #[schema(value_type = chrono::DateTime<chrono::Utc>, example = "2026-03-04T08:15:00Z")]
    at: Moment,
    /// When it was started, by its clock.
    #[schema(value_type = chrono::DateTime<chrono::Utc>, example = "2026-03-01T22:00:00Z")]
    started_at: Moment,
    /// Counts up from 1 at each start.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64, example = 3_456)]
    beat: u64,
    /// As it names it.
    #[schema(value_type = String, max_length = 80, example = "1.4.2")]
    firmware: Text<80>,
    /// The configuration it runs; 0: none.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 4_294_967_295_u32, example = 3)]
    configuration_version: u32,
    /// What is wrong with it: words of letters, digits, `_`, `-` and `:`. `configuration_refused` and `bin_full:3` are understood.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 32, example = json!(["printer_jam"]))]
    faults: List<Text<60>, 0, 32>,
    /// What it has left, by its name; up to 32 names.
    #[serde(default)]
    #[schema(example = json!({"paper": 40}))]
    stock: BTreeMap<String, i64>,
}

impl HeartbeatRequest {
    fn read(self) -> Result<Beat, Problem> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
        let faults: Vec<String> = self.faults.0.into_iter().map(String::from).collect();
        for (index, fault) in faults.iter().enumerate() {
            if !fault.chars().all(plain) {
                let reason = "must be letters, digits, _, - and :";
                return Err(UseCaseError::field(format!("faults[{index}]"), reason).into());
            }
        }
        let named = |name: &String| (1..=40).contains(&name.len()) && !name.chars().any(char::is_control);
        if self.stock.len() > MAX_STOCK || !self.stock.keys().all(named) {
            let reason = format!("takes up to {MAX_STOCK} names of 1 to 40 bytes");
            return Err(UseCaseError::field("stock", reason).into());
        }
        if self.beat > (1 << 53) - 1 {
            return Err(UseCaseError::field("beat", "must be less than 2^53").into());
        }
        Ok(Beat {
            at: self.at.0,
            started_at: self.started_at.0,
            beat: self.beat,
            firmware: self.firmware.into(),
            configuration_version: i64::from(self.configuration_version),
            faults: faults.into_iter().collect(),
            stock: self.stock.into_iter().collect(),
        })
    }
}

/// Says that the device is there, and how it is. Never refused for what it says; takes no idempotency key.
#[utoipa::path(post, path = "/api/v1/device/heartbeats", operation_id = "heartbeat", tag = "devices",
    request_body = HeartbeatRequest, security(("bearer" = [])),
    responses((status = 200, description = "What the server knows", body = HeartbeatAnswer), ChangeFailures))]
pub async fn heartbeat(app: web::Data<App>, who: Operates, request: Changing<HeartbeatRequest>) -> Answer {
    let beat = request.body.read()?;
    answer::ok(&heartbeat::heartbeat(&app.store, &app.board, &who.caller, beat).await?)
}

/// The newest configuration made for the device.
#[utoipa::path(get, path = "/api/v1/device/configuration", operation_id = "getDeviceConfiguration", tag = "devices",
    security(("bearer" = [])),
    responses((status = 200, description = "The configuration", body = ConfigurationView), ListFailures))]
pub async fn get_device_configuration(app: web::Data<App>, who: Operates) -> Answer {
    answer::ok(&configure_device::get_device_configuration(&app.store, &who.caller).await?)
}

/// Gives the device another secret. The one before counts until the new one was used, or for three days. Takes no idempotency
/// key: a retry answers another one, and the one that is used last counts.
#[utoipa::path(post, path = "/api/v1/device/secret", operation_id = "renewDeviceSecret", tag = "devices",
    security(("bearer" = [])),
    responses((status = 200, description = "The device and its secret", body = DeviceWithSecret), ChangeFailures))]
pub async fn renew_device_secret(app: web::Data<App>, who: Operates, _: Changing<Nothing>) -> Answer {
    answer::ok(&rotate_device_secret::renew_device_secret(&app.store, &who.caller).await?)
}

/// A key that signs the device's journal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceKeyRequest {
    /// Ed25519: 32 bytes in base64url without padding.
    #[schema(value_type = String, max_length = 64, example = "6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw")]
    public_key: Text<64>,
    /// Which journal; another one after the memory was replaced.
    #[schema(minimum = 1, maximum = 4_294_967_295_u32, example = 1)]
    journal: u32,
    /// It signs from this entry on.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64, example = 1)]
    first_sequence: u64,
    /// By the key before: of `tongjie-key-1`, device code, journal, first sequence and the new key, each on a line. The first key
    /// needs none.
    #[schema(value_type = Option<String>, max_length = 128, example = "iMeFBvKM4LVZn6aeZmAz…")]
    proof: Option<Text<128>>,
}

/// Gives the public key that the device signs its journal with.
#[utoipa::path(put, path = "/api/v1/device/key", operation_id = "setDeviceKey", tag = "devices",
    params(IdempotencyHeader), request_body = DeviceKeyRequest, security(("bearer" = [])),
    responses((status = 200, description = "The key", body = DeviceKeyView), ChangeFailures))]
pub async fn set_device_key(app: web::Data<App>, who: Operates, request: Changing<DeviceKeyRequest>) -> Answer {
    let body = request.body;
    if body.first_sequence > (1 << 53) - 1 {
        return Err(UseCaseError::field("first_sequence", "must be less than 2^53").into());
    }
    let command = SetDeviceKey {
        public_key: body.public_key.into(),
        journal: u64::from(body.journal),
        first_sequence: body.first_sequence,
        proof: body.proof.map(String::from),
    };
    answer::done(&set_device_key::set_device_key(&app.store, &who.caller, command, request.key).await?)
}
