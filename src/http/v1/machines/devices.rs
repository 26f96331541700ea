//! The registry of devices, for staff: register, approve, configure, suspend, retire; secrets and keys; the board.

use actix_web::web::{self, ServiceConfig, get, post, put, resource};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::device::driver_list::DriverList;
use crate::device::reach::Reach;
use crate::domain::device_settings::Settings;
use crate::domain::ids::DeviceId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesDevices, Nothing, ReadsDevices, RegistersDevices};
use crate::http::input::{CodeText, Cursor, Limit, List, PageBody, Text, page, text};
use crate::http::openapi::{
    ChangeFailures, ChangeOneFailures, ChangeSeenFailures, IdempotencyHeader, ListFailures, LookFailures,
};
use crate::http::precondition::{self, IfMatchGiven, IfMatchGivenHeader};
use crate::http::query::Parameters;
use crate::usecase::approve_device::approve_device as approve;
use crate::usecase::configure_device::{self, CALLS_US, ConfigurationView, ConfigureDevice};
use crate::usecase::device_view::DeviceView;
use crate::usecase::list_devices::{self, DeviceOnBoard, ListDevices};
use crate::usecase::register_device::{self, DeviceWithSecret, RegisterDevice};
use crate::usecase::retire_device::retire_device as retire;
use crate::usecase::rotate_device_secret::{self, RotateDeviceSecret};
use crate::usecase::set_device_key::{self, DeviceKeyView};
use crate::usecase::suspend_device;

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    list_devices,
    register_device,
    get_device,
    approve_device,
    suspend_device,
    resume_device,
    retire_device,
    rotate_device_secret,
    look_at_configuration,
    configure_device,
    list_device_keys,
    revoke_device_key
))]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    let all = resource("/devices")
        .route(get().to(list_devices))
        .route(post().to(register_device));
    let configuration = resource("/devices/{id}/configuration")
        .route(get().to(look_at_configuration))
        .route(put().to(configure_device));
    config
        .service(all)
        .service(resource("/devices/{id}").route(get().to(get_device)))
        .service(resource("/devices/{id}/approval").route(post().to(approve_device)))
        .service(resource("/devices/{id}/suspension").route(post().to(suspend_device)))
        .service(resource("/devices/{id}/suspension/end").route(post().to(resume_device)))
        .service(resource("/devices/{id}/retirement").route(post().to(retire_device)))
        .service(resource("/devices/{id}/secret").route(post().to(rotate_device_secret)))
        .service(configuration)
        .service(resource("/devices/{id}/keys").route(get().to(list_device_keys)))
        .service(resource("/devices/{id}/keys/{key_id}/revocation").route(post().to(revoke_device_key)));
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeviceFilter {
    /// At this unit and below; where you may look if absent.
    #[param(value_type = Option<String>, max_length = 32)]
    unit_code: Option<CodeText>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists devices and how each is: the board. A device sees itself.
#[utoipa::path(get, path = "/api/v1/devices", operation_id = "listDevices", tag = "devices",
    params(DeviceFilter), security(("bearer" = [])),
    responses((status = 200, description = "A page of devices", body = PageBody<DeviceOnBoard>), ListFailures))]
pub async fn list_devices(app: web::Data<App>, who: ReadsDevices, asked: Parameters<DeviceFilter>) -> Answer {
    let query = ListDevices {
        unit_code: text(asked.0.unit_code),
        page: page(asked.0.cursor, asked.0.limit),
    };
    let found = list_devices::list_devices(&app.store, &app.board, &who.caller, query).await?;
    answer::ok(&PageBody::from(found))
}

/// A new device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDeviceRequest {
    /// What it logs in as: 1 to 40 visible ASCII characters, never given twice.
    #[schema(value_type = String, max_length = 40, example = "JC-L1")]
    code: Text<40>,
    /// Where it stands and acts.
    #[schema(value_type = String, max_length = 32, example = "P1")]
    unit_code: CodeText,
    /// `gate`, `locker`, `kiosk`, `desk_reader` or `sorter`.
    #[schema(value_type = String, max_length = 32, example = "locker")]
    kind: CodeText,
    /// What people call it.
    #[schema(value_type = String, max_length = 100, example = "江汉路地铁站取书柜")]
    name: Text<100>,
    /// What it can do; what a kind may have stands in docs/DEVICES.md.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 16, example = json!(["door_bank", "item_sensor", "two_phase_loans"]))]
    capabilities: List<CodeText, 0, 16>,
}

/// Registers a device. Its secret is told once; it may log in when it is approved.
#[utoipa::path(post, path = "/api/v1/devices", operation_id = "registerDevice", tag = "devices",
    params(IdempotencyHeader), request_body = NewDeviceRequest, security(("bearer" = [])),
    responses((status = 201, description = "The device and its secret", body = DeviceWithSecret), ChangeFailures))]
pub async fn register_device(
    app: web::Data<App>,
    who: RegistersDevices,
    request: Changing<NewDeviceRequest>,
) -> Answer {
    let body = request.body;
    let command = RegisterDevice {
        code: body.code.into(),
        unit_code: body.unit_code.into(),
        kind: body.kind.into(),
        name: body.name.into(),
        capabilities: body.capabilities.0.into_iter().map(String::from).collect(),
    };
    let made = register_device::register_device(&app.store, &who.caller, command, request.key).await?;
    let location = format!("/api/v1/devices/{}", made.value.device.id);
    answer::created(&made, Some(location))
}

/// Looks at a device.
#[utoipa::path(get, path = "/api/v1/devices/{id}", operation_id = "getDevice", tag = "devices",
    params(("id" = i64, Path, description = "The device's id")), security(("bearer" = [])),
    responses((status = 200, description = "The device and how it is", body = DeviceOnBoard), LookFailures))]
pub async fn get_device(app: web::Data<App>, who: ReadsDevices, id: web::Path<i64>) -> Answer {
    answer::ok(&list_devices::get_device(&app.store, &app.board, &who.caller, DeviceId::new(*id)).await?)
}

/// Approves a device: from now on it may log in.
#[utoipa::path(post, path = "/api/v1/devices/{id}/approval", operation_id = "approveDevice", tag = "devices",
    params(("id" = i64, Path, description = "The device's id"), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The device", body = DeviceView), ChangeOneFailures))]
pub async fn approve_device(
    app: web::Data<App>,
    who: ManagesDevices,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    answer::done(&approve(&app.store, &app.board, &who.caller, DeviceId::new(*id), request.key).await?)
}

/// Suspends a device: its sessions, its long poll and its open commands end at once.
#[utoipa::path(post, path = "/api/v1/devices/{id}/suspension", operation_id = "suspendDevice", tag = "devices",
    params(("id" = i64, Path, description = "The device's id"), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The device", body = DeviceView), ChangeOneFailures))]
pub async fn suspend_device(
    app: web::Data<App>,
    who: ManagesDevices,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    let device = DeviceId::new(*id);
    answer::done(&suspend_device::suspend_device(&app.store, &app.board, &who.caller, device, request.key).await?)
}

/// Lets a suspended device log in again.
#[utoipa::path(post, path = "/api/v1/devices/{id}/suspension/end", operation_id = "resumeDevice", tag = "devices",
    params(("id" = i64, Path, description = "The device's id"), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The device", body = DeviceView), ChangeOneFailures))]
pub async fn resume_device(
    app: web::Data<App>,
    who: ManagesDevices,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    let device = DeviceId::new(*id);
    answer::done(&suspend_device::resume_device(&app.store, &app.board, &who.caller, device, request.key).await?)
}

/// Retires a device for good. One with something in a compartment, or with a loan nobody has confirmed, stays.
#[utoipa::path(post, path = "/api/v1/devices/{id}/retirement", operation_id = "retireDevice", tag = "devices",
    params(("id" = i64, Path, description = "The device's id"), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The device", body = DeviceView), ChangeOneFailures))]
pub async fn retire_device(
    app: web::Data<App>,
    who: ManagesDevices,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    answer::done(&retire(&app.store, &app.board, &who.caller, DeviceId::new(*id), request.key).await?)
}

/// Another secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRotation {
    /// Somebody else may have the present one: it ends at once, and so do the device's sessions.
    #[serde(default)]
    #[schema(example = false)]
    leaked: bool,
}

/// Gives a device another secret. The one before counts until the new one was used, or for three days.
#[utoipa::path(post, path = "/api/v1/devices/{id}/secret", operation_id = "rotateDeviceSecret", tag = "devices",
    params(("id" = i64, Path, description = "The device's id"), IdempotencyHeader), request_body = SecretRotation,
    security(("bearer" = [])),
    responses((status = 200, description = "The device and its secret", body = DeviceWithSecret), ChangeOneFailures))]
pub async fn rotate_device_secret(
    app: web::Data<App>,
    who: ManagesDevices,
    id: web::Path<i64>,
    request: Changing<SecretRotation>,
) -> Answer {
    let command = RotateDeviceSecret {
        device: DeviceId::new(*id),
        leaked: request.body.leaked,
    };
    let done = rotate_device_secret::rotate_device_secret(&app.store, &app.board, &who.caller, command, request.key);
    answer::done(&done.await?)
}

/// Looks at the newest configuration made for a device.
#[utoipa::path(get, path = "/api/v1/devices/{id}/configuration", operation_id = "getConfigurationOfDevice", tag = "devices",
    params(("id" = i64, Path, description = "The device's id")), security(("bearer" = [])),
    responses((status = 200, description = "The configuration", body = ConfigurationView), LookFailures))]
pub async fn look_at_configuration(app: web::Data<App>, who: ReadsDevices, id: web::Path<i64>) -> Answer {
    let device = DeviceId::new(*id);
    let found = configure_device::look_at_configuration(&app.store, &who.caller, device).await?;
    precondition::tagged(answer::ok(&found), found.version)
}

/// The next version of a device's configuration, whole.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConfiguration {
    /// Which driver of ours speaks to it: `calls_us` (the default: none), `modbus_rtu`, `modbus_tcp`, `mqtt` or `simulator`.
    #[schema(value_type = Option<String>, max_length = 32, example = "calls_us")]
    driver: Option<CodeText>,
    /// What is left out is as the default says; see docs/DEVICES.md.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"heartbeat_seconds": 60}))]
    settings: Settings,
    /// What the driver reads; see docs/DEVICES.md. A password that is left out stays for the same `url` and `username`.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({}))]
    driver_settings: Map<String, Value>,
}

/// Makes the next version of a device's configuration. The device fetches it after its next heartbeat.
#[utoipa::path(put, path = "/api/v1/devices/{id}/configuration", operation_id = "configureDevice", tag = "devices",
    params(("id" = i64, Path, description = "The device's id"), IdempotencyHeader, IfMatchGivenHeader),
    request_body = NewConfiguration, security(("bearer" = [])),
    responses((status = 200, description = "The version that was made", body = ConfigurationView), ChangeSeenFailures))]
pub async fn configure_device(
    app: web::Data<App>,
    who: ManagesDevices,
    id: web::Path<i64>,
    seen: IfMatchGiven,
    request: Changing<NewConfiguration>,
) -> Answer {
    let body = request.body;
    let command = ConfigureDevice {
        device: DeviceId::new(*id),
        driver: text(body.driver).unwrap_or_else(|| CALLS_US.to_owned()),
        settings: body.settings,
        driver_settings: Value::Object(body.driver_settings),
        seen: seen.0,
    };
    let (store, board) = (&app.store, &app.board);
    let reach = Reach::of(&app.config.devices.lines);
    let shelf = (&DriverList as _, &reach as _);
    let done = configure_device::configure_device(store, board, &who.caller, shelf, command, request.key).await?;
    precondition::tagged(answer::done(&done), done.value.version)
}

/// The keys of a device.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceKeyList {
    items: Vec<DeviceKeyView>,
}

/// Lists the keys a device ever signed its journals with, in the order of what they sign.
#[utoipa::path(get, path = "/api/v1/devices/{id}/keys", operation_id = "listDeviceKeys", tag = "devices",
    params(("id" = i64, Path, description = "The device's id")), security(("bearer" = [])),
    responses((status = 200, description = "The keys", body = DeviceKeyList), LookFailures))]
pub async fn list_device_keys(app: web::Data<App>, who: ReadsDevices, id: web::Path<i64>) -> Answer {
    let items = set_device_key::list_device_keys(&app.store, &who.caller, DeviceId::new(*id)).await?;
    answer::ok(&DeviceKeyList { items })
}

/// Revokes a key of a device that was opened: what arrives under it from now on waits for a person.
#[utoipa::path(post, path = "/api/v1/devices/{id}/keys/{key_id}/revocation", operation_id = "revokeDeviceKey",
    tag = "devices",
    params(("id" = i64, Path, description = "The device's id"), ("key_id" = String, Path, description = "The key's id"),
        IdempotencyHeader),
    security(("bearer" = [])),
    responses((status = 200, description = "The key", body = DeviceKeyView), ChangeOneFailures))]
pub async fn revoke_device_key(
    app: web::Data<App>,
    who: ManagesDevices,
    path: web::Path<(i64, String)>,
    request: Changing<Nothing>,
) -> Answer {
    let (id, key_id) = path.into_inner();
    let command = (DeviceId::new(id), key_id);
    answer::done(&set_device_key::revoke_device_key(&app.store, &who.caller, command, request.key).await?)
}
