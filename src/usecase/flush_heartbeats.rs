//! What a node keeps between its memory of devices and their rows: times last heard of are written together, and what other nodes
//! ordered or changed is taken over.

use std::sync::Arc;

use super::device_board::DeviceBoard;
use super::{Result, Store, UseCaseError};
use crate::domain::device::DeviceState;
use crate::domain::ids::DeviceId;
use crate::store::tx::WriteTx;

/// Rows of one write: no check-out waits long for it.
const AT_ONCE: usize = 300;

/// Queued commands looked at: more are looked at the next time.
const QUEUED: i64 = 2_000;

/// Writes when devices were last heard of, and forgets those that were suspended, retired or configured meanwhile.
///
/// # Errors
/// A failure of the store; what was not written is written the next time.
pub async fn flush_heartbeats(store: &Arc<Store>, board: &DeviceBoard) -> Result<usize> {
    let mut written = 0;
    loop {
        let taken = board.take_unwritten(AT_ONCE);
        if taken.is_empty() {
            return Ok(written);
        }
        let rows = taken.clone();
        let flushed = store
            .write(move |tx: &mut WriteTx<'_>| -> Result<Vec<(DeviceId, bool, i64)>> {
                for (device, at, beat) in &rows {
                    tx.put_last_seen(*device, *at, *beat)?;
                }
                let ids: Vec<i64> = rows.iter().map(|(device, ..)| device.get()).collect();
                let devices = tx.devices_with_ids(&ids)?;
                let state = |device: &crate::store::devices::Device| device.state() == DeviceState::Active;
                let now = devices
                    .iter()
                    .map(|one| (one.id, state(one), one.configuration_version));
                Ok(now.collect())
            })
            .await;
        match flushed {
            Ok(devices) => {
                for (device, active, version) in devices {
                    let same = board
                        .beaten(device)
                        .is_none_or(|beaten| beaten.newest_configuration == version);
                    if !(active && same) {
                        board.forget(device);
                    }
                }
            }
            Err(error) => {
                board.not_written(&taken);
                return Err(error);
            }
        }
        written += taken.len();
    }
}

/// Looks which devices something is queued for, on whichever node it was ordered, and ends their long polls.
///
/// # Errors
/// A failure of the store.
pub async fn watch_commands(store: &Arc<Store>, board: &DeviceBoard) -> Result<()> {
    let queued = store
        .read(|tx| tx.devices_with_queued(QUEUED).map_err(UseCaseError::from))
        .await?;
    board.take_queued(queued);
    Ok(())
}
