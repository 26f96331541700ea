//! A device gets its place and its secret. Whoever installs it registers it; somebody with the right over its unit approves it.
//! At the command line of the machine itself both are one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::device_view::{DeviceView, view};
use super::log_in::device_secret_hash;
use super::named::Wrong;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, Store, UseCaseError};
use crate::auth::{Right, tokens};
use crate::domain::device::{Capabilities, DeviceKind};
use crate::domain::event::EventKind;
use crate::domain::ids::{DeviceId, UnitId};
use crate::domain::network::Network;
use crate::store::Once;
use crate::store::devices::NewDevice;
use crate::store::events::{COMMAND_CHANNEL, Event};
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// Longest code of a device.
const MAX_CODE: usize = 40;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct RegisterDevice {
    pub code: String,
    pub unit_code: String,
    pub kind: String,
    pub name: String,
    pub capabilities: Vec<String>,
}

/// A device, and the secret that it logs in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeviceWithSecret {
    /// As it is registered.
    pub device: DeviceView,
    /// Opens sessions; told here and never again. `null` in a repeated answer to the same call: make another one then
    /// (`rotateDeviceSecret`, or `renewDeviceSecret` by the device).
    #[schema(example = "8Qb3…")]
    pub secret: Option<String>,
}

/// What is kept for a repeated call: the secret is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Registered(pub DeviceView);

impl Outcome for Registered {}

/// The device with its secret, which only the first answer tells.
pub(super) fn with_secret(once: Once<Registered>, secret: String) -> Once<DeviceWithSecret> {
    Once {
        replayed: once.replayed,
        value: DeviceWithSecret {
            device: once.value.0,
            secret: (!once.replayed).then_some(secret),
        },
    }
}

/// Registers a device, which waits to be approved.
///
/// # Errors
/// `Forbidden` without the right at the unit; `Invalid` naming every wrong field; a failure of the store.
pub async fn register_device(
    store: &Arc<Store>,
    caller: &Caller,
    command: RegisterDevice,
    key: Option<IdempotencyKey>,
) -> Result<Once<DeviceWithSecret>> {
    caller.require_somewhere(Right::RegisterDevices)?;
    let (secret, _) = tokens::new_refresh();
    let command = (command, device_secret_hash(&secret));
    let done = once(store, caller, key, 2, command, |tx, caller, (asked, hash), ids| {
        let network = tx.network()?;
        if let Some(unit) = network.units().by_code(&asked.unit_code) {
            caller.require(Right::RegisterDevices, unit.id, &network)?;
        }
        let (unit, new) = judge(tx, &network, asked, hash)?;
        let id = insert(tx, new, unit, (caller.own_channel(), caller), ids)?;
        let device = tx.device(id)?.ok_or(UseCaseError::NotFound("device"))?;
        Ok(Registered(view(&device, &network)))
    })
    .await?;
    Ok(with_secret(done, secret))
}

/// Registers and approves a device for the operator and answers its secret, which is stored only as a hash.
///
/// # Errors
/// `Invalid` naming every wrong field; a failure of the store.
pub async fn install_device(store: &Arc<Store>, command: RegisterDevice) -> Result<String> {
    let (secret, _) = tokens::new_refresh();
    let hash = device_secret_hash(&secret);
    let ids = store.take_ids::<UseCaseError>(2).await?;
    store
        .write(move |tx| -> Result<()> {
            let network = tx.network()?;
            let (unit, new) = judge(tx, &network, &command, &hash)?;
            let new = NewDevice {
                approved_at: new.registered_at,
                ..new
            };
            insert(tx, new, unit, (COMMAND_CHANNEL, &Caller::system()), ids.clone()).map(|_| ())
        })
        .await?;
    Ok(secret)
}

/// The place and the row, or everything that is wrong. Its id comes later.
fn judge(
    tx: &mut WriteTx<'_>,
    network: &Network,
    asked: &RegisterDevice,
    secret_hash: &str,
) -> Result<(UnitId, NewDevice)> {
    let mut wrong = Wrong::default();
    let code = &asked.code;
    if code.is_empty() || code.len() > MAX_CODE || !code.bytes().all(|byte| byte.is_ascii_graphic()) {
        wrong.say("code", format!("must be 1 to {MAX_CODE} visible ASCII characters"));
    } else if tx.device_by_code(code)?.is_some() {
        wrong.say(
            "code",
            "another device has this code, or had it: a code is never given twice",
        );
    }
    let unit = wrong.unit(network, "unit_code", &asked.unit_code).map(|unit| unit.id);
    let kind = DeviceKind::from_code(&asked.kind);
    let capabilities = kind.map(|kind| Capabilities::parse(kind, asked.capabilities.iter().map(String::as_str)));
    if kind.is_none() {
        let known: Vec<&str> = DeviceKind::ALL.iter().map(|kind| kind.code()).collect();
        wrong.say("kind", format!("must be one of {}", known.join(", ")));
    }
    if let Some(Err(fault)) = &capabilities {
        wrong.say("capabilities", fault.to_string());
    }
    wrong.check()?;
    let (Some(unit), Some(Ok(capabilities))) = (unit, capabilities) else {
        return Err(UseCaseError::NotFound("unit"));
    };
    let new = NewDevice {
        id: 0,
        code: code.clone(),
        unit_id: unit.get(),
        kind: asked.kind.clone(),
        secret_hash: secret_hash.to_owned(),
        active: true,
        name: asked.name.clone(),
        capabilities: capabilities.text(),
        registered_at: Some(tx.now().timestamp_millis()),
        approved_at: None,
    };
    Ok((unit, new))
}

fn insert(
    tx: &mut WriteTx<'_>,
    new: NewDevice,
    unit: UnitId,
    (channel, caller): (&'static str, &Caller),
    mut ids: IdRun,
) -> Result<DeviceId> {
    let id = ids.next();
    let detail = json!({"device_id": id, "kind": new.kind, "approved": new.approved_at.is_some()});
    tx.insert_device(&NewDevice { id, ..new })?;
    let event = Event::new(EventKind::DeviceRegistered, tx.now(), unit, channel)
        .by(caller.staff(), None)
        .detail(detail);
    tx.append_event(ids.next(), &event)?;
    Ok(DeviceId::new(id))
}
