//! Orders to devices: staff give them, devices ask for them and say what came of each.

use std::time::Duration;

use actix_web::web::{self, ServiceConfig, get, post, resource};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::ids::{CommandId, DeviceId};
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesDevices, Nothing, Operates, ReadsDevices};
use crate::http::input::{CodeText, Cursor, Limit, PageBody, Text, page};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader, LookWithFailures};
use crate::http::query::Parameters;
use crate::usecase::acknowledge_command::{self, AcknowledgeCommand};
use crate::usecase::list_commands::{self, CommandView};
use crate::usecase::pull_commands::{self, DeliveredCommand, MAX_WAIT_SECONDS};
use crate::usecase::send_command::{self, SendCommand};
use crate::usecase::{UseCaseError, cancel_command};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_commands, send_command, cancel_command, pull_commands, acknowledge_command))]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    let of_device = resource("/devices/{id}/commands")
        .route(get().to(list_commands))
        .route(post().to(send_command));
    config
        .service(resource("/device/commands/pull").route(post().to(pull_commands)))
        .service(resource("/device/commands/{id}/acknowledgement").route(post().to(acknowledge_command)))
        .service(of_device)
        .service(resource("/device-commands/{id}/cancellation").route(post().to(cancel_command)));
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CommandPage {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists what was ordered of a device, the newest first.
#[utoipa::path(get, path = "/api/v1/devices/{id}/commands", operation_id = "listCommands", tag = "devices",
    params(("id" = i64, Path, description = "The device's id"), CommandPage), security(("bearer" = [])),
    responses((status = 200, description = "A page of commands", body = PageBody<CommandView>), LookWithFailures))]
pub async fn list_commands(
    app: web::Data<App>,
    who: ReadsDevices,
    id: web::Path<i64>,
    asked: Parameters<CommandPage>,
) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let found = list_commands::list_commands(&app.store, &who.caller, DeviceId::new(*id), page).await?;
    answer::ok(&PageBody::from(found))
}

/// What is ordered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCommand {
    /// `lock_compartment`, `take_inventory`, `restart`, `fetch_configuration`, `fetch_offline_pack`, `upload_journal`, `show_message`,
    /// `reject_item` or `print`.
    #[schema(value_type = String, max_length = 32, example = "restart")]
    kind: CodeText,
    /// What it is about, by its kind; up to 4,096 bytes, and nothing about a person.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({}))]
    body: Map<String, Value>,
}

/// Orders something of a device. It is told within a second if it waits for commands, else after its next heartbeat.
#[utoipa::path(post, path = "/api/v1/devices/{id}/commands", operation_id = "sendCommand", tag = "devices",
    params(("id" = i64, Path, description = "The device's id"), IdempotencyHeader), request_body = NewCommand,
    security(("bearer" = [])),
    responses((status = 201, description = "The command", body = CommandView), ChangeOneFailures))]
pub async fn send_command(
    app: web::Data<App>,
    who: ManagesDevices,
    id: web::Path<i64>,
    request: Changing<NewCommand>,
) -> Answer {
    let command = SendCommand {
        device: DeviceId::new(*id),
        kind: request.body.kind.into(),
        body: Value::Object(request.body.body),
    };
    let sent = send_command::send_command(&app.store, &app.board, &who.caller, command, request.key).await?;
    answer::created(&sent, None)
}

/// Calls a command back, as long as its device was not told of it.
#[utoipa::path(post, path = "/api/v1/device-commands/{id}/cancellation", operation_id = "cancelCommand", tag = "devices",
    params(("id" = i64, Path, description = "The command's id"), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The command", body = CommandView), ChangeOneFailures))]
pub async fn cancel_command(
    app: web::Data<App>,
    who: ManagesDevices,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    answer::done(&cancel_command::cancel_command(&app.store, &who.caller, CommandId::new(*id), request.key).await?)
}

/// How long the device waits.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandPull {
    /// Seconds to wait for something if there is nothing; 0, the default: not at all.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 10, example = 10)]
    wait_seconds: u16,
}

/// What the device is to do.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveredCommands {
    /// The oldest first, at most 16.
    items: Vec<DeliveredCommand>,
}

/// Answers what the device is to do, or waits for it. What was not acknowledged comes again with the same receipt. Takes no
/// idempotency key.
#[utoipa::path(post, path = "/api/v1/device/commands/pull", operation_id = "pullCommands", tag = "devices",
    request_body = CommandPull, security(("bearer" = [])),
    responses((status = 200, description = "What is open", body = DeliveredCommands), ChangeFailures))]
pub async fn pull_commands(app: web::Data<App>, who: Operates, request: Changing<CommandPull>) -> Answer {
    let seconds = request.body.wait_seconds;
    if seconds > MAX_WAIT_SECONDS {
        let reason = format!("must be 0 to {MAX_WAIT_SECONDS}");
        return Err(UseCaseError::field("wait_seconds", reason).into());
    }
    let wait = Duration::from_secs(u64::from(seconds));
    let items = pull_commands::pull_commands(&app.store, &app.board, &who.caller, wait).await?;
    answer::ok(&DeliveredCommands { items })
}

/// What came of a command.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandAcknowledgement {
    /// As it came with the command.
    #[schema(value_type = String, max_length = 64, example = "q83vEjRWeJCrze8SNFZ4kA")]
    receipt: Text<64>,
    /// False: it could not be done.
    #[schema(example = true)]
    done: bool,
    /// What the device has to say of it; up to 4,096 bytes.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"restarted": true}))]
    result: Map<String, Value>,
}

/// Says what came of a command. One that comes after its time is kept and changes nothing by itself.
#[utoipa::path(post, path = "/api/v1/device/commands/{id}/acknowledgement", operation_id = "acknowledgeCommand",
    tag = "devices",
    params(("id" = i64, Path, description = "The command's id"), IdempotencyHeader),
    request_body = CommandAcknowledgement, security(("bearer" = [])),
    responses((status = 200, description = "The command", body = CommandView), ChangeOneFailures))]
pub async fn acknowledge_command(
    app: web::Data<App>,
    who: Operates,
    id: web::Path<i64>,
    request: Changing<CommandAcknowledgement>,
) -> Answer {
    let command = AcknowledgeCommand {
        command: CommandId::new(*id),
        receipt: request.body.receipt.into(),
        done: request.body.done,
        result: Value::Object(request.body.result),
    };
    answer::done(&acknowledge_command::acknowledge_command(&app.store, &who.caller, command, request.key).await?)
}
