//! Devices that do not call us: a driver of ours speaks to them, and acts for them.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::configure_device::{CALLS_US, driver_settings_of};
use super::{Caller, Result, Store, UseCaseError};
use crate::domain::ids::DeviceId;
use crate::store::tx::ReadTx;

/// Most machines of one network that drivers speak to.
const AT_MOST: i64 = 2_000;

/// One of them, active.
#[derive(Debug, Clone, PartialEq)]
pub struct DrivenDevice {
    pub id: DeviceId,
    pub code: String,
    /// The device, as it acts through its driver.
    pub caller: Caller,
    /// Of its configuration: another one is another start.
    pub version: i64,
    pub driver: String,
    pub settings: Map<String, Value>,
}

/// All of them.
///
/// # Errors
/// A failure of the store.
pub async fn driven_devices(store: &Arc<Store>) -> Result<Vec<DrivenDevice>> {
    store
        .read(|tx| {
            let rows = tx.driven_devices(CALLS_US, AT_MOST)?;
            rows.into_iter()
                .map(|(device, configuration)| {
                    let settings = driver_settings_of(&configuration)?;
                    Ok(DrivenDevice {
                        id: device.id,
                        caller: Caller::driven(device.id, device.unit, device.kind.channel()),
                        code: device.code,
                        version: configuration.version,
                        driver: configuration.driver,
                        settings: settings.as_object().cloned().unwrap_or_default(),
                    })
                })
                .collect()
        })
        .await
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
