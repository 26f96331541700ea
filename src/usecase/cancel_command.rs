//! A command is called back before its device was told of it: what it knows of, it may be doing.

use std::sync::Arc;

use serde_json::json;

use super::acting_device::{device_of, no_such};
use super::list_commands::{CommandView, view};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, Store, UseCaseError};
use crate::auth::Right;
use crate::domain::device_command::{CommandStatus, may_cancel};
use crate::domain::event::EventKind;
use crate::domain::ids::CommandId;
use crate::store::Once;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// Calls a command back.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; `State` once it was delivered or has ended; a failure of the store.
pub async fn cancel_command(
    store: &Arc<Store>,
    caller: &Caller,
    command: CommandId,
    key: Option<IdempotencyKey>,
) -> Result<Once<CommandView>> {
    caller.require_somewhere(Right::ManageDevices)?;
    once(store, caller, key, 1, command, cancel).await
}

fn cancel(tx: &mut WriteTx<'_>, caller: &Caller, id: &CommandId, mut ids: IdRun) -> Result<CommandView> {
    let gone = || UseCaseError::NotFound("command");
    let command = tx.lock_command(*id)?.ok_or_else(gone)?;
    let device =
        device_of(tx, caller, command.device, Right::ManageDevices).map_err(|error| no_such(error, "command"))?;
    if !may_cancel(command.status) {
        return Err(UseCaseError::State(format!("the command is {}", command.status)));
    }
    let now = tx.now();
    tx.end_command(*id, CommandStatus::Cancelled, None, now)?;
    let event = Event::new(EventKind::DeviceOrdered, now, device.unit, caller.own_channel())
        .by(caller.staff(), None)
        .detail(json!({"device_id": device.id, "command_id": id, "kind": command.kind, "cancelled": true}));
    tx.append_event(ids.next(), &event)?;
    let command = tx.command(*id)?.ok_or_else(gone)?;
    view(&command)
}
