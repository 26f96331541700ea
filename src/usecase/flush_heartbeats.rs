//! What a node keeps between its memory of devices and their rows: times last heard of are written together, and what other nodes
//! heard, ordered or changed is taken over.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::device_board::DeviceBoard;
use super::heartbeat::known_of;
use super::{Result, Store, UseCaseError, alarm};
use crate::domain::device::DeviceState;
use crate::domain::device_heartbeat::{AlarmKind, Known};
use crate::domain::ids::DeviceId;
use crate::store::tx::WriteTx;

/// Rows of one write: no check-out waits long for it.
const AT_ONCE: usize = 300;

/// Devices with queued commands looked at: more are looked at the next time.
const QUEUED: i64 = 2_000;

/// A device, when it was heard of, and with which beat.
type Heard = (DeviceId, DateTime<Utc>, u64);

/// What the rows say of a device.
struct Kept {
    device: DeviceId,
    active: bool,
    configuration_version: i64,
    known: Option<Known>,
}

/// Writes when devices were last heard of, ends the alarms of those that were silent before, and forgets those that were suspended,
/// retired or configured meanwhile, or of which another node has heard something else: their next heartbeat is held against the rows.
///
/// # Errors
/// A failure of the store; what was not written is written the next time.
pub async fn flush_heartbeats(store: &Arc<Store>, board: &DeviceBoard) -> Result<usize> {
    let mut written = 0;
    loop {
        let mut taken = board.take_unwritten(AT_ONCE);
        if taken.is_empty() {
            return Ok(written);
        }
        // As every node does, so that none waits for another in a circle.
        taken.sort_unstable();
        let heard = taken.clone();
        match store.write(move |tx| write(tx, &heard)).await {
            Ok(kept) => kept
                .iter()
                .filter(|kept| is_outdated(board, kept))
                .for_each(|kept| board.forget(kept.device)),
            Err(error) => {
                board.not_written(&taken);
                return Err(error);
            }
        }
        written += taken.len();
    }
}

fn write(tx: &mut WriteTx<'_>, heard: &[Heard]) -> Result<Vec<Kept>> {
    for (device, at, beat) in heard {
        tx.put_last_seen(*device, *at, *beat)?;
    }
    let ids: Vec<i64> = heard.iter().map(|(device, ..)| device.get()).collect();
    for (device, said_at) in tx.silent_among(&ids)? {
        // Whoever said so did not know yet that it was heard of here.
        if heard.iter().any(|(one, at, _)| *one == device && *at >= said_at) {
            alarm::clear(tx, device, AlarmKind::Silent, "")?;
        }
    }
    let statuses = tx.statuses(&ids)?;
    let known = |device: DeviceId| statuses.iter().find(|status| status.device == device);
    let devices = tx.devices_with_ids(&ids)?;
    let kept = devices.iter().map(|device| Kept {
        device: device.id,
        active: device.state() == DeviceState::Active,
        configuration_version: device.configuration_version,
        known: known(device.id).map(|status| known_of(status, false)),
    });
    Ok(kept.collect())
}

/// Another node knows better.
fn is_outdated(board: &DeviceBoard, kept: &Kept) -> bool {
    let Some(beaten) = board.beaten(kept.device) else {
        return false;
    };
    let agrees = kept
        .known
        .as_ref()
        .is_some_and(|known| known.agrees_with(&beaten.known));
    !(kept.active && agrees && beaten.newest_configuration == kept.configuration_version)
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
