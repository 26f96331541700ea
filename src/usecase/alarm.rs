//! What a person must know of a device: one alarm stands per device, kind and subject, and counts.

use super::Result;
use crate::domain::device_heartbeat::AlarmKind;
use crate::domain::ids::DeviceId;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// Raises an alarm, or counts up the one that stands. Takes one id where none stood.
pub(super) fn raise(
    tx: &mut WriteTx<'_>,
    device: DeviceId,
    kind: AlarmKind,
    subject: &str,
    ids: &mut IdRun,
) -> Result<()> {
    let now = tx.now();
    if !tx.count_alarm(device, kind, subject, now)? {
        tx.insert_alarm(ids.next(), device, kind, subject, now)?;
    }
    Ok(())
}

/// Ends an alarm because what it told of is over. Nothing happens where none stands.
pub(super) fn clear(tx: &mut WriteTx<'_>, device: DeviceId, kind: AlarmKind, subject: &str) -> Result<()> {
    let now = tx.now();
    tx.clear_alarm(device, kind, subject, now)?;
    Ok(())
}
