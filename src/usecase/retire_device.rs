//! A device goes for good. Its code is not given again; what its journal still holds staff read out and upload.

use std::sync::Arc;

use super::device_board::DeviceBoard;
use super::device_view::DeviceView;
use super::suspend_device::step;
use super::{Caller, IdempotencyKey, Result, Store};
use crate::domain::device::DeviceStep;
use crate::domain::ids::DeviceId;
use crate::store::Once;

/// Retires a device.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; `State` when it is retired already, or has something in a compartment or a
/// loan that nobody has confirmed; a failure of the store.
pub async fn retire_device(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    device: DeviceId,
    key: Option<IdempotencyKey>,
) -> Result<Once<DeviceView>> {
    step(store, board, caller, (device, DeviceStep::Retire), key).await
}
