//! A driver takes what is ordered of its device. Each order is taken once, whoever asks: what was taken and not acknowledged (its node
//! fell) expires, because its pulse may have reached the door.

use std::sync::Arc;
use std::time::Duration;

use super::acting_device::acting_device;
use super::device_board::DeviceBoard;
use super::pull_commands::{DeliveredCommand, told, wait_for_some};
use super::{Caller, Result, Store, UseCaseError};
use crate::domain::ids::DeviceId;
use crate::store::devices::commands::Command;

/// Takes what is queued, one at a time and the oldest first, or waits for it: what would lie taken behind another would be carried out
/// after its time, or be lost with the node. An empty answer: nothing came, or whoever asks has enough and woke the device. Not to be
/// dropped before it answers: what it has taken would be lost.
///
/// # Errors
/// `Forbidden` once the device is not at work; a failure of the store.
pub async fn take_commands(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    wait: Duration,
    enough: impl Fn() -> bool,
) -> Result<Vec<DeliveredCommand>> {
    let device = caller.device().ok_or(UseCaseError::Forbidden)?;
    let enough = || enough() || board.is_stopped();
    wait_for_some(board, device, wait, enough, || take(store, board, caller, device)).await
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
            Ok(tx.next_queued(device)?.is_some())
        })
        .await?;
    if !queued {
        board.told(device);
        return Ok(Vec::new());
    }
    let who = caller.clone();
    let taken = store
        .write(move |tx| -> Result<Option<Command>> {
            acting_device(tx, &who, None)?;
            let now = tx.now();
            let Some(next) = tx.next_queued(device)? else {
                return Ok(None);
            };
            // Another node may have it: only who makes it `delivered` has taken it.
            let is_ours = tx.deliver_commands(device, &[next.id.get()], now)? == 1;
            Ok(is_ours.then_some(next))
        })
        .await?;
    let now = store.clock().now();
    taken.iter().map(|command| told(command, now)).collect()
}
