//! A person orders something of a device. Doors are opened by their compartments, which know whose turn it is, and not here.

use std::sync::Arc;

use serde_json::{Value, json};

use super::acting_device::within_reach;
use super::device_board::DeviceBoard;
use super::list_commands::{CommandView, view};
use super::named::Wrong;
use super::once::once;
use super::order_device::{RECEIPT_BYTES, new_receipt, order};
use super::{Caller, IdempotencyKey, Result, Store, UseCaseError};
use crate::auth::Right;
use crate::domain::device::{Capability, DeviceState};
use crate::domain::device_command::CommandKind;
use crate::domain::event::EventKind;
use crate::domain::ids::DeviceId;
use crate::store::Once;
use crate::store::devices::Device;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// Longest body, as JSON.
const MAX_BODY: usize = 4_096;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SendCommand {
    pub device: DeviceId,
    pub kind: String,
    /// An object.
    pub body: Value,
}

/// Orders something.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; `State` when the device is not at work; `Invalid` naming every wrong field; a
/// failure of the store.
pub async fn send_command(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    command: SendCommand,
    key: Option<IdempotencyKey>,
) -> Result<Once<CommandView>> {
    caller.require_somewhere(Right::ManageDevices)?;
    let device = command.device;
    let done = once(store, caller, key, 2, (command, new_receipt()), send).await?;
    board.wake(device);
    Ok(done)
}

fn send(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (asked, receipt): &(SendCommand, [u8; RECEIPT_BYTES]),
    mut ids: IdRun,
) -> Result<CommandView> {
    let device = tx.lock_device(asked.device)?;
    let device = within_reach(tx, caller, device, Right::ManageDevices)?;
    let kind = judge(&device, asked)?;
    if device.state() != DeviceState::Active {
        return Err(UseCaseError::State(format!("the device is {}", device.state())));
    }
    let id = order(tx, device.id, kind, &asked.body, *receipt, &mut ids)?;
    let event = Event::new(EventKind::DeviceOrdered, tx.now(), device.unit, caller.own_channel())
        .by(caller.staff(), None)
        .detail(json!({"device_id": device.id, "command_id": id, "kind": kind}));
    tx.append_event(ids.next(), &event)?;
    let command = tx.command(id)?.ok_or(UseCaseError::NotFound("command"))?;
    view(&command)
}

/// What each kind needs of a device, and which people order.
const fn needs(kind: CommandKind) -> Option<Capability> {
    match kind {
        CommandKind::OpenCompartment | CommandKind::LockCompartment | CommandKind::TakeInventory => {
            Some(Capability::DoorBank)
        }
        CommandKind::RejectItem => Some(Capability::Sorter),
        CommandKind::Print => Some(Capability::Printer),
        CommandKind::Restart
        | CommandKind::FetchConfiguration
        | CommandKind::FetchOfflinePack
        | CommandKind::UploadJournal
        | CommandKind::ShowMessage => None,
    }
}

fn judge(device: &Device, asked: &SendCommand) -> Result<CommandKind> {
    let mut wrong = Wrong::default();
    let kind = CommandKind::from_code(&asked.kind);
    match kind {
        None => {
            let known: Vec<&str> = CommandKind::ALL.iter().map(|kind| kind.code()).collect();
            wrong.say("kind", format!("must be one of {}", known.join(", ")));
        }
        Some(CommandKind::OpenCompartment) => {
            wrong.say(
                "kind",
                "a compartment is opened with openCompartment, which knows whose turn it is",
            );
        }
        Some(kind) => {
            if let Some(capability) = needs(kind).filter(|capability| !device.capabilities.has(*capability)) {
                wrong.say(
                    "kind",
                    format!("needs the capability {capability}, which the device does not have"),
                );
            }
        }
    }
    if !asked.body.is_object() {
        wrong.say("body", "must be an object");
    } else if asked.body.to_string().len() > MAX_BODY {
        wrong.say("body", format!("is longer than {MAX_BODY} bytes"));
    }
    wrong.check()?;
    kind.ok_or_else(|| UseCaseError::field("kind", "is none"))
}
