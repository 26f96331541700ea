//! What a device is configured to do: versions that are made once and never changed. Every fault is told before anything runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::acting_device::{acting_device, device_of, within_reach};
use super::device_board::DeviceBoard;
use super::machine_ports::{DriverRead, DriverShelf, Reach, SettingFault};
use super::named::Wrong;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, Store, UseCaseError, alarm};
use crate::auth::Right;
use crate::domain::device::{Capability, DeviceState};
use crate::domain::device_heartbeat::thresholds_moved;
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

/// The setting of a driver that is kept sealed and never shown.
pub(super) const PASSWORD: &str = "password";

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
    /// What the driver reads, without a password; empty for `calls_us`.
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
/// that makes no sense, a place where drivers may not speak, and a line on which another device is spoken to; a failure of the store.
pub async fn configure_device(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    (drivers, reach): (&'static dyn DriverShelf, &dyn Reach),
    command: ConfigureDevice,
    key: Option<IdempotencyKey>,
) -> Result<Once<ConfigurationView>> {
    caller.require_somewhere(Right::ManageDevices)?;
    let (device, read) = (command.device, read(drivers, reach, &command).await);
    // The event, and an alarm for each threshold at most.
    let ids = i64::try_from(command.settings.low_stock.len() + 1).unwrap_or(i64::MAX);
    let done = once(store, caller, key, ids, (command, read, drivers), configure).await?;
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
    settings_by(tx.configuration(device, version)?.as_ref())
}

/// The settings of a version that was looked up already; the defaults for none.
pub(super) fn settings_by(row: Option<&ConfigurationRow>) -> Result<Settings> {
    row.map_or_else(|| Ok(Settings::default()), |row| Ok(kept(row)?.settings))
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
    (command, read, drivers): &(ConfigureDevice, Read, &'static dyn DriverShelf),
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
    let spoken_to = on_its_line(tx, *drivers, device.id, read)?;
    judge(&device, command, read, spoken_to)?;
    let (now, version) = (tx.now(), device.configuration_version + 1);
    let kept = Kept {
        settings: command.settings.clone(),
        driver_settings: keep_password(tx, &device, command)?,
    };
    let text = serde_json::to_string(&kept).map_err(|error| UseCaseError::Internal(error.to_string()))?;
    move_thresholds(tx, &device, &command.settings, &mut ids)?;
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

/// What staff are told of the stock follows the new thresholds: a heartbeat only tells what has changed.
fn move_thresholds(tx: &mut WriteTx<'_>, device: &Device, settings: &Settings, ids: &mut IdRun) -> Result<()> {
    let Some(status) = tx.statuses(&[device.id.get()])?.pop() else {
        return Ok(());
    };
    let before = settings_of(tx, device.id, device.configuration_version)?;
    let pairs = |of: &BTreeMap<String, i64>| -> Vec<(String, i64)> { of.clone().into_iter().collect() };
    let (raises, clears) = thresholds_moved(
        &pairs(&status.stock),
        &pairs(&before.low_stock),
        &pairs(&settings.low_stock),
    );
    for raised in &raises {
        alarm::raise(tx, device.id, raised.kind, &raised.subject, ids)?;
    }
    for cleared in &clears {
        alarm::clear(tx, device.id, cleared.kind, &cleared.subject)?;
    }
    Ok(())
}

/// What the driver says of its settings, or which drivers there are.
#[derive(Debug, Clone)]
enum Read {
    Driver(DriverRead),
    NoneOf(String),
}

/// Where the driver would speak is asked of the operator's list once everything else makes sense.
async fn read(drivers: &dyn DriverShelf, reach: &dyn Reach, command: &ConfigureDevice) -> Read {
    let none = serde_json::Map::new();
    let settings = command.driver_settings.as_object().unwrap_or(&none);
    let Some(mut read) = drivers.read(&command.driver, settings) else {
        return Read::NoneOf(drivers.names().join(", "));
    };
    if let Some(place) = &read.place
        && let Err(reason) = reach.admits(&place.at).await
    {
        let field = place.at_set_by.to_owned();
        read.faults.push(SettingFault { field, reason });
    }
    Read::Driver(read)
}

/// The code of another device that is spoken to on the same line, and the setting that says so. One that is suspended may come back.
fn on_its_line(
    tx: &mut WriteTx<'_>,
    drivers: &dyn DriverShelf,
    device: DeviceId,
    read: &Read,
) -> Result<Option<(String, &'static str)>> {
    let Read::Driver(DriverRead { place: Some(place), .. }) = read else {
        return Ok(None);
    };
    // Of two that are configured at once, the later sees the earlier.
    tx.lock_lines()?;
    for (other, configuration) in tx.devices_with_drivers(CALLS_US)? {
        // What cannot be read is spoken to nowhere.
        let Ok(Value::Object(settings)) = driver_settings_of(&configuration) else {
            continue;
        };
        let there = drivers
            .read(&configuration.driver, &settings)
            .and_then(|read| read.place);
        if other.id != device && there.is_some_and(|there| there.line == place.line) {
            return Ok(Some((other.code, place.line_set_by)));
        }
    }
    Ok(None)
}

fn judge(
    device: &Device,
    command: &ConfigureDevice,
    read: &Read,
    spoken_to: Option<(String, &'static str)>,
) -> Result<()> {
    let mut wrong = Wrong::default();
    if let Some((code, field)) = spoken_to {
        let reason = format!("the device {code} is spoken to there: a line serves one device");
        wrong.say(format!("driver_settings.{field}"), reason);
    }
    match read {
        Read::NoneOf(names) => wrong.say("driver", format!("must be one of {names}")),
        Read::Driver(read) => {
            let serves = |capability: &Capability| device.capabilities.has(*capability);
            if command.driver != CALLS_US && !read.capabilities.iter().any(serves) {
                let able: Vec<&str> = read.capabilities.iter().map(|one| one.code()).collect();
                let reason = format!("serves {}, and the device has none of these", able.join(", "));
                wrong.say("driver", reason);
            }
            for fault in &read.faults {
                wrong.say(format!("driver_settings.{}", fault.field), &*fault.reason);
            }
        }
    }
    for fault in check(&command.settings, device.kind, &device.capabilities) {
        wrong.say(format!("settings.{}", fault.field), fault.reason);
    }
    match &command.driver_settings {
        Value::Object(_) if command.driver_settings.to_string().len() <= MAX_DRIVER_SETTINGS => {}
        Value::Object(_) => wrong.say("driver_settings", format!("is longer than {MAX_DRIVER_SETTINGS} bytes")),
        _ => wrong.say("driver_settings", "must be an object"),
    }
    wrong.check()
}

/// What is kept of the settings of a driver. A password is sealed beside them, one for each device. It is never shown, so who changes
/// something else cannot repeat it: for the same user at the same place it stays.
fn keep_password(tx: &mut WriteTx<'_>, device: &Device, command: &ConfigureDevice) -> Result<Value> {
    let mut settings = command.driver_settings.clone();
    let given = settings.as_object_mut().and_then(|members| members.remove(PASSWORD));
    if given.is_none()
        && let Some(before) = tx.configuration(device.id, device.configuration_version)?
    {
        // One that cannot be read is what this version mends.
        let old = kept(&before).map(|kept| kept.driver_settings).unwrap_or_default();
        let same = ["url", "username"]
            .iter()
            .all(|name| old.get(name) == settings.get(name));
        if same && before.driver == command.driver {
            return Ok(settings);
        }
    }
    tx.set_device_password(device.id, given.as_ref().and_then(Value::as_str))?;
    Ok(settings)
}

pub(super) fn driver_settings_of(row: &ConfigurationRow) -> Result<Value> {
    Ok(kept(row)?.driver_settings)
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
