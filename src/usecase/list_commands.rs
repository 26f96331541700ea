//! What was ordered of a device, and what came of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::acting_device::device_of;
use super::page::{Page, PageRequest};
use super::{Caller, Result, Store, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::DeviceId;
use crate::store::devices::commands::Command;
use crate::store::idempotency::Outcome;

/// A command of a device. Its receipt is the device's alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommandView {
    #[schema(example = 9001)]
    pub id: i64,
    /// Whose it is.
    #[schema(example = 42)]
    pub device_id: i64,
    /// What is ordered.
    #[schema(example = "restart")]
    pub kind: String,
    /// What it is about, by its kind.
    #[schema(value_type = Object, example = json!({}))]
    pub body: Value,
    /// `queued`, `delivered`, `done`, `failed`, `expired` or `cancelled`.
    #[schema(example = "done")]
    pub status: String,
    /// When it was ordered (UTC).
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub queued_at: DateTime<Utc>,
    /// Until when it makes sense (UTC).
    #[schema(example = "2026-03-04T08:30:00Z")]
    pub expires_at: DateTime<Utc>,
    /// When the device was told of it first (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-03-04T08:15:01Z")]
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it ended (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-03-04T08:15:09Z")]
    pub ended_at: Option<DateTime<Utc>>,
    /// What the device said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({"restarted": true}))]
    pub result: Option<Value>,
    /// What it said after its time; changes nothing by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({"restarted": true}))]
    pub late_result: Option<Value>,
}

impl Outcome for CommandView {}

/// The commands of a device, the newest first.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; a failure of the store.
pub async fn list_commands(
    store: &Arc<Store>,
    caller: &Caller,
    device: DeviceId,
    page: PageRequest,
) -> Result<Page<CommandView>> {
    caller.require_somewhere(Right::ReadDevices)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            device_of(tx, &caller, device, Right::ReadDevices)?;
            let rows = tx.commands_of(device, page.before_id(), page.fetch())?;
            let cut = page.cut(rows, |command| command.id.get());
            Ok(Page {
                items: cut.items.iter().map(view).collect::<Result<_>>()?,
                next: cut.next,
            })
        })
        .await
}

/// The command as it is shown.
pub(super) fn view(command: &Command) -> Result<CommandView> {
    let read = |text: &str| -> Result<Value> {
        serde_json::from_str(text).map_err(|error| UseCaseError::Internal(format!("command {}: {error}", command.id)))
    };
    Ok(CommandView {
        id: command.id.get(),
        device_id: command.device.get(),
        kind: command.kind.code().to_owned(),
        body: read(&command.body)?,
        status: command.status.code().to_owned(),
        queued_at: command.queued_at,
        expires_at: command.expires_at,
        delivered_at: command.delivered_at,
        ended_at: command.ended_at,
        result: command.result.as_deref().map(read).transpose()?,
        late_result: command.late_result.as_deref().map(read).transpose()?,
    })
}
