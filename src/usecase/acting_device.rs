//! The device that calls. Not for: its life (`device`).

use chrono::{DateTime, Utc};

use super::{Caller, Result, UseCaseError};
use crate::domain::device::{Capabilities, Capability, DeviceKind, DeviceState, state};
use crate::domain::ids::{DeviceId, UnitId};
use crate::store::tx::ReadTx;

/// A device at work.
#[derive(Debug, Clone)]
pub(super) struct ActingDevice {
    pub id: DeviceId,
    pub code: String,
    pub unit: UnitId,
    pub kind: DeviceKind,
    pub capabilities: Capabilities,
    pub approved_at: DateTime<Utc>,
}

/// The calling device, active, with the capability.
///
/// # Errors
/// `Forbidden` when it is none, is retired or suspended, or cannot do it.
pub(super) fn acting_device(tx: &mut ReadTx<'_>, caller: &Caller, needs: Option<Capability>) -> Result<ActingDevice> {
    let id = caller.device().ok_or(UseCaseError::Forbidden)?;
    let row = tx.acting_device(id)?.ok_or(UseCaseError::Forbidden)?;
    let is_at_work = state(row.approved_at.is_some(), row.active, row.retired) == DeviceState::Active;
    let capabilities = Capabilities::from_text(&row.capabilities);
    let (Some(kind), Some(approved_at)) = (DeviceKind::from_code(&row.kind), row.approved_at) else {
        return Err(UseCaseError::Forbidden);
    };
    if !is_at_work || needs.is_some_and(|needs| !capabilities.has(needs)) {
        return Err(UseCaseError::Forbidden);
    }
    Ok(ActingDevice {
        id,
        code: row.code,
        unit: row.unit,
        kind,
        capabilities,
        approved_at,
    })
}
