//! The device that calls, and the device that staff name. A token outlives suspension by minutes, so every operation of devices
//! begins here.

use chrono::{DateTime, Utc};

use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::device::{Capabilities, Capability, DeviceKind, DeviceState};
use crate::domain::ids::{DeviceId, UnitId};
use crate::store::devices::Device;
use crate::store::tx::ReadTx;

/// A device that acts, or that somebody acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActingDevice {
    pub id: DeviceId,
    pub code: String,
    pub unit: UnitId,
    pub kind: DeviceKind,
    pub capabilities: Capabilities,
    /// What it did before does not count; the end of time for one that nobody has approved.
    pub approved_at: DateTime<Utc>,
}

impl ActingDevice {
    pub(super) fn of(device: Device) -> Self {
        Self {
            id: device.id,
            code: device.code,
            unit: device.unit,
            kind: device.kind,
            capabilities: device.capabilities,
            approved_at: device.approved_at.unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }
}

/// The calling device, active, with the capability. One statement.
///
/// # Errors
/// `Forbidden` for whoever is no device, and for one that is suspended, retired, moved, or without it.
pub(super) fn acting_device(tx: &mut ReadTx<'_>, caller: &Caller, needs: Option<Capability>) -> Result<ActingDevice> {
    let id = caller.device().ok_or(UseCaseError::Forbidden)?;
    let device = tx.device(id)?.ok_or(UseCaseError::Forbidden)?;
    let fits = device.state() == DeviceState::Active
        && caller.unit == Some(device.unit)
        && needs.is_none_or(|capability| device.capabilities.has(capability));
    if fits {
        Ok(ActingDevice::of(device))
    } else {
        Err(UseCaseError::Forbidden)
    }
}

/// A device lends and takes back only while it is at work; whoever else calls is asked nothing. One statement, for devices only.
///
/// # Errors
/// As [`acting_device`].
pub(super) fn require_at_work(tx: &mut ReadTx<'_>, caller: &Caller) -> Result<()> {
    if caller.device().is_some() {
        acting_device(tx, caller, None)?;
    }
    Ok(())
}

/// One that staff name, whatever its state, at or below a unit they have `right` over. A device names nobody but itself.
///
/// # Errors
/// `NotFound`, also for a device of another unit.
pub(super) fn device_of(tx: &mut ReadTx<'_>, caller: &Caller, id: DeviceId, right: Right) -> Result<ActingDevice> {
    let device = tx.device(id)?;
    within_reach(tx, caller, device, right).map(ActingDevice::of)
}

/// The device, if the caller has the right over it.
///
/// # Errors
/// As [`device_of`].
pub(super) fn within_reach(
    tx: &mut ReadTx<'_>,
    caller: &Caller,
    device: Option<Device>,
    right: Right,
) -> Result<Device> {
    let device = device.ok_or(UseCaseError::NotFound("device"))?;
    let network = tx.network()?;
    let itself = caller.device().is_none_or(|own| own == device.id);
    if itself && caller.may(right, device.unit, &network) {
        Ok(device)
    } else {
        Err(UseCaseError::NotFound("device"))
    }
}

/// What belongs to a device that is out of reach is not there, either.
pub(super) fn no_such(error: UseCaseError, what: &'static str) -> UseCaseError {
    match error {
        UseCaseError::NotFound(_) => UseCaseError::NotFound(what),
        other => other,
    }
}
