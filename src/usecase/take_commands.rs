//! A driver takes what is ordered of its device. Each order is taken once, whoever asks: what was taken and not acknowledged (its node
//! fell) expires, because its pulse may have reached the door.

use std::sync::Arc;
use std::time::Duration;

use super::acting_device::acting_device;
use super::device_board::DeviceBoard;
use super::pull_commands::{AT_ONCE, DeliveredCommand, told, wait_for_some};
use super::{Caller, Result, Store, UseCaseError};
use crate::domain::device_command::CommandStatus;
use crate::domain::ids::DeviceId;
use crate::store::devices::commands::Command;

/// Takes everything that is queued, the oldest first, or waits for it.
///
/// # Errors
/// `Forbidden` once the device is not at work; a failure of the store.
pub async fn take_commands(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    wait: Duration,
) -> Result<Vec<DeliveredCommand>> {
    let device = caller.device().ok_or(UseCaseError::Forbidden)?;
    wait_for_some(board, device, wait, || take(store, board, caller, device)).await
}

async fn take(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    device: DeviceId,
) -> Result<Vec<DeliveredCommand>> {
    let who = caller.clone();
    let queued = store
        .read(move |tx| -> Result<bool> {
            acting_device(tx, &who, None)?;
            let open = tx.open_commands(device, AT_ONCE)?;
            Ok(open.iter().any(|command| command.status == CommandStatus::Queued))
        })
        .await?;
    if !queued {
        board.told(device);
        return Ok(Vec::new());
    }
    let who = caller.clone();
    let taken = store
        .write(move |tx| -> Result<Vec<Command>> {
            acting_device(tx, &who, None)?;
            let (open, now) = (tx.open_commands(device, AT_ONCE)?, tx.now());
            let mut taken = Vec::new();
            for command in open {
                // Another node may have it: only who makes it `delivered` has taken it.
                if tx.deliver_commands(device, &[command.id.get()], now)? == 1 {
                    taken.push(command);
                }
            }
            Ok(taken)
        })
        .await?;
    let now = store.clock().now();
    taken.iter().map(|command| told(command, now)).collect()
}
