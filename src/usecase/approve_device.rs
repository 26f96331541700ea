//! Somebody with the right over its unit approves a device: from then on it may log in.

use std::sync::Arc;

use super::device_board::DeviceBoard;
use super::device_view::DeviceView;
use super::suspend_device::step;
use super::{Caller, IdempotencyKey, Result, Store};
use crate::domain::device::DeviceStep;
use crate::domain::ids::DeviceId;
use crate::store::Once;

/// Approves a device.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; `State` when it is approved already, or retired; a failure of the store.
pub async fn approve_device(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    device: DeviceId,
    key: Option<IdempotencyKey>,
) -> Result<Once<DeviceView>> {
    step(store, board, caller, (device, DeviceStep::Approve), key).await
}
