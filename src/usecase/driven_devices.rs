//! Devices that do not call us: a driver of ours speaks to them, and acts for them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::configure_device::{CALLS_US, PASSWORD, driver_settings_of, settings_by};
use super::{Caller, Result, Store, UseCaseError};
use crate::domain::device::{Capabilities, DeviceState};
use crate::domain::ids::DeviceId;
use crate::store::devices::Device;
use crate::store::devices::configurations::ConfigurationRow;
use crate::store::tx::ReadTx;

/// Most machines of one network that drivers speak to.
const AT_MOST: usize = 2_000;

/// One of them, active.
#[derive(Clone, PartialEq)]
pub struct DrivenDevice {
    pub id: DeviceId,
    pub code: String,
    /// The device, as it acts through its driver.
    pub caller: Caller,
    pub capabilities: Capabilities,
    /// Of its configuration: another one is another start.
    pub version: i64,
    pub driver: String,
    /// With a password in clear.
    pub settings: Map<String, Value>,
    /// It is heard of at least so often, or is silent.
    pub heartbeat: Duration,
}

impl fmt::Debug for DrivenDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DrivenDevice({}, {} {})", self.code, self.driver, self.version)
    }
}

/// One whose configuration cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadDevice {
    pub id: DeviceId,
    pub code: String,
    pub version: i64,
    pub why: String,
}

/// All of them: one that cannot be read keeps none of the others from work.
///
/// # Errors
/// A failure of the store.
pub async fn driven_devices(store: &Arc<Store>) -> Result<(Vec<DrivenDevice>, Vec<UnreadDevice>)> {
    store
        .read(|tx| {
            let (mut driven, mut unread) = (Vec::new(), Vec::new());
            let mut passwords = tx.device_passwords()?;
            let all = tx.devices_with_drivers(CALLS_US)?.into_iter();
            let at_work = all.filter(|(device, _)| device.state() == DeviceState::Active);
            for (device, configuration) in at_work.take(AT_MOST) {
                let password = passwords.remove(&device.id).transpose();
                match password
                    .map_err(UseCaseError::from)
                    .and_then(|password| read(&device, &configuration, password))
                {
                    Ok(device) => driven.push(device),
                    Err(error) => unread.push(UnreadDevice {
                        id: device.id,
                        code: device.code,
                        version: configuration.version,
                        why: error.to_string(),
                    }),
                }
            }
            Ok((driven, unread))
        })
        .await
}

fn read(device: &Device, configuration: &ConfigurationRow, password: Option<String>) -> Result<DrivenDevice> {
    let mut settings = driver_settings_of(configuration)?;
    if let (Some(members), Some(password)) = (settings.as_object_mut(), password) {
        members.insert(PASSWORD.to_owned(), Value::String(password));
    }
    let seconds = settings_by(Some(configuration))?.heartbeat_seconds;
    Ok(DrivenDevice {
        id: device.id,
        caller: Caller::driven(device.id, device.unit, device.kind.channel()),
        code: device.code.clone(),
        capabilities: device.capabilities.clone(),
        version: configuration.version,
        driver: configuration.driver.clone(),
        settings: settings.as_object().cloned().unwrap_or_default(),
        heartbeat: Duration::from_secs(u64::from(seconds)),
    })
}

/// Whether a driver of ours speaks to a device.
pub(super) fn is_driven(tx: &mut ReadTx<'_>, device: DeviceId) -> Result<bool> {
    let version = tx.device(device)?.ok_or(UseCaseError::Forbidden)?.configuration_version;
    if version == 0 {
        return Ok(false);
    }
    let newest = tx.configuration(device, version)?;
    Ok(newest.is_some_and(|newest| newest.driver != CALLS_US))
}
