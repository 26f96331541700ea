//! What a device is configured to do: versions that are made once and never changed. Every fault is told before anything runs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::acting_device::{acting_device, device_of, within_reach};
use super::device_board::DeviceBoard;
use super::named::Wrong;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, Store, UseCaseError};
use crate::auth::Right;
use crate::domain::device::DeviceState;
use crate::domain::device_settings::{Settings, check};
use crate::domain::event::EventKind;
use crate::domain::ids::DeviceId;
use crate::store::Once;
use crate::store::devices::Device;
use crate::store::devices::configurations::ConfigurationRow;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};

/// The driver of a device that calls us: none.
pub const CALLS_US: &str = "calls_us";

/// Longest settings of a driver, as JSON.
const MAX_DRIVER_SETTINGS: usize = 4_096;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ConfigureDevice {
    pub device: DeviceId,
    pub driver: String,
    pub settings: Settings,
    /// An object; what is in it the driver says.
    pub driver_settings: Value,
    /// The version the change was made from, if the caller says it.
    pub seen: Option<i64>,
}

/// One version of a device's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationView {
    /// Counts up from 1; 0: nothing was configured, everything is as the default says.
    #[schema(example = 3)]
    pub version: i64,
    /// Which driver of ours speaks to it; `calls_us`: none, it speaks to us.
    #[schema(example = "calls_us")]
    pub driver: String,
    /// Every setting, with the defaults filled in.
    #[schema(value_type = Object, example = json!({"heartbeat_seconds": 60, "offline_loans": false}))]
    pub settings: Value,
    /// What the driver reads; empty for `calls_us`.
    #[schema(value_type = Object, example = json!({}))]
    pub driver_settings: Value,
}

impl Outcome for ConfigurationView {}

/// What a row keeps.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    settings: Settings,
    driver_settings: Value,
}

/// Makes the next version.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; `Stale`; `State` when the device is retired; `Invalid` naming every setting
/// that makes no sense; a failure of the store.
pub async fn configure_device(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    command: ConfigureDevice,
    key: Option<IdempotencyKey>,
) -> Result<Once<ConfigurationView>> {
    caller.require_somewhere(Right::ManageDevices)?;
    let device = command.device;
    let done = once(store, caller, key, 1, command, configure).await?;
    board.forget(device);
    Ok(done)
}

/// The newest configuration of the calling device.
///
/// # Errors
/// `Forbidden` for whoever is no device at work; a failure of the store.
pub async fn get_device_configuration(store: &Arc<Store>, caller: &Caller) -> Result<ConfigurationView> {
    let caller = caller.clone();
    store
        .read(move |tx| {
            let device = acting_device(tx, &caller, None)?;
            newest(tx, device.id)
        })
        .await
}

/// The newest configuration of a device that staff look at.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; a failure of the store.
pub async fn look_at_configuration(store: &Arc<Store>, caller: &Caller, id: DeviceId) -> Result<ConfigurationView> {
    caller.require_somewhere(Right::ReadDevices)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            device_of(tx, &caller, id, Right::ReadDevices)?;
            newest(tx, id)
        })
        .await
}

/// The settings of a version; the defaults for none.
pub(super) fn settings_of(tx: &mut ReadTx<'_>, device: DeviceId, version: i64) -> Result<Settings> {
    if version == 0 {
        return Ok(Settings::default());
    }
    let row = tx.configuration(device, version)?;
    row.map_or_else(|| Ok(Settings::default()), |row| Ok(kept(&row)?.settings))
}

fn newest(tx: &mut ReadTx<'_>, id: DeviceId) -> Result<ConfigurationView> {
    let version = tx.device(id)?.map_or(0, |device| device.configuration_version);
    match tx.configuration(id, version)? {
        Some(row) => {
            let kept = kept(&row)?;
            view(version, &row.driver, &kept)
        }
        None => {
            let kept = Kept {
                settings: Settings::default(),
                driver_settings: json!({}),
            };
            view(0, CALLS_US, &kept)
        }
    }
}

fn configure(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &ConfigureDevice,
    mut ids: IdRun,
) -> Result<ConfigurationView> {
    let device = tx.lock_device(command.device)?;
    let device = within_reach(tx, caller, device, Right::ManageDevices)?;
    if device.state() == DeviceState::Retired {
        return Err(UseCaseError::State("the device is retired".to_owned()));
    }
    if command.seen.is_some_and(|seen| seen != device.configuration_version) {
        return Err(UseCaseError::Stale(device.configuration_version));
    }
    judge(&device, command)?;
    let (now, version) = (tx.now(), device.configuration_version + 1);
    let kept = Kept {
        settings: command.settings.clone(),
        driver_settings: command.driver_settings.clone(),
    };
    let text = serde_json::to_string(&kept).map_err(|error| UseCaseError::Internal(error.to_string()))?;
    tx.insert_configuration(&ConfigurationRow {
        device_id: device.id.get(),
        version,
        driver: command.driver.clone(),
        settings: text,
        made_at: now.timestamp_millis(),
    })?;
    let event = Event::new(EventKind::DeviceConfigured, now, device.unit, caller.own_channel())
        .by(caller.staff(), None)
        .detail(json!({"device_id": device.id, "version": version, "driver": command.driver}));
    tx.append_event(ids.next(), &event)?;
    view(version, &command.driver, &kept)
}

/// Only what calls us is known here. A driver is known once there are some (`device::drivers`), and reads its own settings.
fn judge(device: &Device, command: &ConfigureDevice) -> Result<()> {
    let mut wrong = Wrong::default();
    if command.driver != CALLS_US {
        wrong.say("driver", format!("must be {CALLS_US}"));
    }
    for fault in check(&command.settings, device.kind, &device.capabilities) {
        wrong.say(format!("settings.{}", fault.field), fault.reason);
    }
    match &command.driver_settings {
        Value::Object(members) if command.driver == CALLS_US && !members.is_empty() => {
            wrong.say("driver_settings", format!("must be empty: {CALLS_US} has no settings"));
        }
        Value::Object(_) if command.driver_settings.to_string().len() <= MAX_DRIVER_SETTINGS => {}
        Value::Object(_) => wrong.say("driver_settings", format!("is longer than {MAX_DRIVER_SETTINGS} bytes")),
        _ => wrong.say("driver_settings", "must be an object"),
    }
    wrong.check()
}

fn kept(row: &ConfigurationRow) -> Result<Kept> {
    let fault = |error| UseCaseError::Internal(format!("configuration of device {}: {error}", row.device_id));
    serde_json::from_str(&row.settings).map_err(fault)
}

fn view(version: i64, driver: &str, kept: &Kept) -> Result<ConfigurationView> {
    Ok(ConfigurationView {
        version,
        driver: driver.to_owned(),
        settings: serde_json::to_value(&kept.settings).map_err(|error| UseCaseError::Internal(error.to_string()))?,
        driver_settings: kept.driver_settings.clone(),
    })
}
