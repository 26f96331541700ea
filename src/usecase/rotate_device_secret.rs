//! Another secret for a device. The one before counts until the new one was used, or for three days: a device that loses power
//! between being told and storing it comes back with the old one.

use std::sync::Arc;

use serde_json::json;

use super::acting_device::{acting_device, within_reach};
use super::device_board::DeviceBoard;
use super::device_view::view;
use super::log_in::device_secret_hash;
use super::once::once;
use super::register_device::{DeviceWithSecret, Registered, with_secret};
use super::session::require_session;
use super::{Caller, IdempotencyKey, Result, Store, UseCaseError};
use crate::auth::{Right, tokens};
use crate::domain::device::{DeviceState, SECRET_OVERLAP};
use crate::domain::event::EventKind;
use crate::domain::ids::DeviceId;
use crate::store::Once;
use crate::store::devices::Device;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// What staff ask for.
#[derive(Debug, Clone, Copy)]
pub struct RotateDeviceSecret {
    pub device: DeviceId,
    /// Somebody else may have the present one: it ends at once, and so do the sessions.
    pub leaked: bool,
}

/// Gives a device another secret, by staff.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; `State` when it is retired; a failure of the store.
pub async fn rotate_device_secret(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    command: RotateDeviceSecret,
    key: Option<IdempotencyKey>,
) -> Result<Once<DeviceWithSecret>> {
    caller.require_somewhere(Right::ManageDevices)?;
    let (secret, _) = tokens::new_refresh();
    let asked = (command, device_secret_hash(&secret));
    let done = once(store, caller, key, 1, asked, |tx, caller, (command, hash), ids| {
        let device = tx.lock_device(command.device)?;
        let device = within_reach(tx, caller, device, Right::ManageDevices)?;
        replace(tx, caller, &device, hash, command.leaked, ids)
    })
    .await?;
    if command.leaked {
        board.forget(command.device);
    }
    Ok(with_secret(done, secret))
}

/// Gives the calling device another secret. No key: a retry answers another one, and the one that is used last counts.
///
/// # Errors
/// `Forbidden` for whoever is no device at work; a failure of the store.
pub async fn renew_device_secret(store: &Arc<Store>, caller: &Caller) -> Result<DeviceWithSecret> {
    let (secret, _) = tokens::new_refresh();
    let hash = device_secret_hash(&secret);
    let done = once(store, caller, None, 1, hash, |tx, caller, hash, ids| {
        let id = caller.device().ok_or(UseCaseError::Forbidden)?;
        let device = tx.lock_device(id)?.ok_or(UseCaseError::Forbidden)?;
        acting_device(tx, caller, None)?;
        require_session(tx, caller)?;
        replace(tx, caller, &device, hash, false, ids)
    })
    .await?;
    Ok(with_secret(done, secret).value)
}

fn replace(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    device: &Device,
    hash: &str,
    leaked: bool,
    mut ids: IdRun,
) -> Result<Registered> {
    if device.state() == DeviceState::Retired {
        return Err(UseCaseError::State("the device is retired".to_owned()));
    }
    let now = tx.now();
    let until = (now + SECRET_OVERLAP).timestamp_millis();
    // Of two changes in a row the device may have stored none: what it used last is what goes on counting.
    let used = match &device.old_secret {
        Some((old, until)) if now < *until => old,
        _ => &device.secret_hash,
    };
    tx.set_device_secret(device.id, hash, (!leaked).then_some((used, until)))?;
    if leaked {
        tx.revoke_subject("device", device.id.get(), now.timestamp_millis())?;
    }
    let event = Event::new(EventKind::DeviceSecretChanged, now, device.unit, caller.own_channel())
        .by(caller.staff(), caller.device())
        .detail(json!({"device_id": device.id, "leaked": leaked}));
    tx.append_event(ids.next(), &event)?;
    let network = tx.network()?;
    Ok(Registered(view(device, &network)))
}
