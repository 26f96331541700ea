//! What a driver says of its device: that it answered, as the device's own heartbeat would; and that it cannot be spoken to as it is
//! configured, which a person must know.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::device_board::DeviceBoard;
use super::driven_devices::DrivenDevice;
use super::heartbeat::heartbeat;
use super::{Result, Store, UseCaseError, alarm};
use crate::domain::device_heartbeat::{AlarmKind, Beat};
use crate::domain::ids::DeviceId;
use crate::store::tx::WriteTx;

/// A device answered on its line. It has no clock and says nothing else of itself.
///
/// # Errors
/// `Forbidden` once the device is not at work; a failure of the store.
pub async fn driver_answered(
    store: &Arc<Store>,
    board: &DeviceBoard,
    device: &DrivenDevice,
    started_at: DateTime<Utc>,
    beat: u64,
) -> Result<()> {
    let said = Beat {
        at: store.clock().now(),
        started_at,
        beat,
        firmware: device.driver.clone(),
        configuration_version: device.version,
        faults: BTreeSet::new(),
        stock: Vec::new(),
    };
    heartbeat(store, board, &device.caller, said).await?;
    Ok(())
}

/// No driver can speak to a device as it is configured: an alarm stands until one does.
///
/// # Errors
/// A failure of the store.
pub async fn driver_cannot_run(store: &Arc<Store>, device: DeviceId) -> Result<()> {
    let ids = store.take_ids::<UseCaseError>(1).await?;
    store
        .write(move |tx: &mut WriteTx<'_>| -> Result<()> {
            if tx.lock_device(device)?.is_some() && !tx.has_alarm(device, AlarmKind::ConfigurationRefused, "")? {
                alarm::raise(tx, device, AlarmKind::ConfigurationRefused, "", &mut ids.clone())?;
            }
            Ok(())
        })
        .await
}

/// A driver speaks to a device as it is configured: what an earlier configuration raised is over.
///
/// # Errors
/// A failure of the store.
pub async fn driver_runs(store: &Arc<Store>, device: DeviceId) -> Result<()> {
    let stands = store
        .read(move |tx| -> Result<bool> { Ok(tx.has_alarm(device, AlarmKind::ConfigurationRefused, "")?) })
        .await?;
    if stands {
        store
            .write(move |tx| alarm::clear(tx, device, AlarmKind::ConfigurationRefused, ""))
            .await?;
    }
    Ok(())
}
