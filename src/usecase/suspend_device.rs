//! The steps of a device's life. A device that is suspended or retired ends at once: its sessions, its long poll, its open
//! commands.

use std::sync::Arc;

use serde_json::json;

use super::acting_device::within_reach;
use super::device_board::DeviceBoard;
use super::device_view::{DeviceView, view};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, Store, UseCaseError};
use crate::auth::Right;
use crate::domain::device::{DeviceState, DeviceStep, next};
use crate::domain::event::EventKind;
use crate::domain::ids::DeviceId;
use crate::store::Once;
use crate::store::devices::Device;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// Suspends a device.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; `State` when it is not at work; a failure of the store.
pub async fn suspend_device(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    device: DeviceId,
    key: Option<IdempotencyKey>,
) -> Result<Once<DeviceView>> {
    step(store, board, caller, (device, DeviceStep::Suspend), key).await
}

/// Lets a suspended device work again. It logs in anew.
///
/// # Errors
/// As [`suspend_device`]; `State` when it is not suspended.
pub async fn resume_device(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    device: DeviceId,
    key: Option<IdempotencyKey>,
) -> Result<Once<DeviceView>> {
    step(store, board, caller, (device, DeviceStep::Resume), key).await
}

pub(super) async fn step(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    command: (DeviceId, DeviceStep),
    key: Option<IdempotencyKey>,
) -> Result<Once<DeviceView>> {
    caller.require_somewhere(Right::ManageDevices)?;
    let done = once(store, caller, key, 1, command, take).await?;
    board.forget(command.0);
    Ok(done)
}

fn take(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (id, step): &(DeviceId, DeviceStep),
    mut ids: IdRun,
) -> Result<DeviceView> {
    let device = tx.lock_device(*id)?;
    let mut device = within_reach(tx, caller, device, Right::ManageDevices)?;
    let state = device.state();
    if next(state, *step).is_none() {
        return Err(UseCaseError::State(format!(
            "{step} cannot follow: the device is {state}"
        )));
    }
    if *step == DeviceStep::Retire {
        nothing_left(tx, &device)?;
    }
    let now = tx.now();
    match step {
        DeviceStep::Approve => device.approved_at = Some(now),
        DeviceStep::Suspend => device.active = false,
        DeviceStep::Resume => device.active = true,
        DeviceStep::Retire => device.retired_at = Some(now),
    }
    tx.set_device_life(&device)?;
    if device.state() != DeviceState::Active {
        tx.revoke_subject("device", device.id.get(), now.timestamp_millis())?;
        tx.cancel_commands(device.id, now)?;
        tx.end_locker_sessions_of(device.id, now)?;
    }
    if *step == DeviceStep::Retire {
        tx.end_alarms(device.id, now)?;
    }
    let event = Event::new(kind_of(*step), now, device.unit, caller.own_channel())
        .by(caller.staff(), None)
        .detail(json!({"device_id": device.id, "was": state}));
    tx.append_event(ids.next(), &event)?;
    let network = tx.network()?;
    Ok(view(&device, &network))
}

fn nothing_left(tx: &mut WriteTx<'_>, device: &Device) -> Result<()> {
    let left = tx.left_of_device(device.id)?;
    if left.is_nothing() {
        return Ok(());
    }
    let (full, loans) = (left.compartments, left.unconfirmed);
    Err(UseCaseError::State(format!(
        "it still has to do with {full} compartments that are not empty and {loans} loans that nobody has confirmed"
    )))
}

const fn kind_of(step: DeviceStep) -> EventKind {
    match step {
        DeviceStep::Approve => EventKind::DeviceApproved,
        DeviceStep::Suspend => EventKind::DeviceSuspended,
        DeviceStep::Resume => EventKind::DeviceResumed,
        DeviceStep::Retire => EventKind::DeviceRetired,
    }
}
