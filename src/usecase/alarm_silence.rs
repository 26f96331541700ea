//! Devices that are not heard of any more: an alarm stands until the next heartbeat. Run by a job, of several nodes by any.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::configure_device::settings_of;
use super::run_job::{Look, Pass, of_one};
use super::{Result, Store, UseCaseError, alarm};
use crate::domain::device_heartbeat::{AlarmKind, is_silent};
use crate::domain::device_settings::Settings;
use crate::domain::ids::DeviceId;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};

/// Devices looked at at a time.
const PAGE: i64 = 200;

/// The shortest time between two heartbeats that can be configured, in seconds.
const SHORTEST_SECONDS: i64 = 10;

/// The walk over devices at work that were not heard of lately.
#[derive(Debug, Clone, Copy)]
pub struct AlarmSilence {
    /// How late a row may be, in seconds: times are written together.
    pub flush_seconds: u32,
}

impl AlarmSilence {
    fn late(self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.flush_seconds))
    }
}

impl Pass for AlarmSilence {
    type Work = DeviceId;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<DeviceId>> + Send + 'static {
        let now = now - self.late();
        move |tx| {
            let before = now - TimeDelta::seconds(SHORTEST_SECONDS);
            let found = tx.silent_devices(before, after, PAGE)?;
            let (looked_at, last) = (found.len(), found.last().map(|(device, ..)| device.get()));
            let mut work = Vec::new();
            for (device, seen, version) in found {
                if silent(tx, device, seen, version, now)? {
                    work.push(device);
                }
            }
            Ok(Look {
                work,
                looked_at: i64::try_from(looked_at).unwrap_or(i64::MAX),
                after: last,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<DeviceId>) -> Result<i64> {
        let (mut raised, late) = (0, self.late());
        for device in work {
            let ids = store.take_ids::<UseCaseError>(1).await?;
            let done = store.write(move |tx| raise(tx, device, late, ids.clone())).await;
            raised += i64::from(of_one(done, "device", device.get())? == Some(true));
        }
        Ok(raised)
    }
}

fn silent(
    tx: &mut ReadTx<'_>,
    device: DeviceId,
    seen: DateTime<Utc>,
    version: i64,
    now: DateTime<Utc>,
) -> Result<bool> {
    let seconds = match settings_of(tx, device, version) {
        Ok(settings) => settings.heartbeat_seconds,
        // One configuration that cannot be read keeps nobody from being told of the others.
        Err(UseCaseError::Internal(_)) => Settings::default().heartbeat_seconds,
        Err(error) => return Err(error),
    };
    Ok(is_silent(seen, TimeDelta::seconds(i64::from(seconds)), now))
}

/// It may have been heard of since.
fn raise(tx: &mut WriteTx<'_>, id: DeviceId, late: TimeDelta, mut ids: IdRun) -> Result<bool> {
    let Some(device) = tx.lock_device(id)? else {
        return Ok(false);
    };
    let Some(status) = tx.statuses(&[id.get()])?.pop() else {
        return Ok(false);
    };
    let now = tx.now() - late;
    let raised = silent(tx, id, status.last_seen_at, device.configuration_version, now)?
        && !tx.has_alarm(id, AlarmKind::Silent, "")?;
    if raised {
        alarm::raise(tx, id, AlarmKind::Silent, "", &mut ids)?;
    }
    Ok(raised)
}
