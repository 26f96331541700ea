//! A device says that it is there, and how it is. A heartbeat is never refused for what it says, and one that says nothing new
//! costs no statement.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::acting_device::acting_device;
use super::configure_device::settings_of;
use super::device_board::{Beaten, DeviceBoard};
use super::{Caller, Result, Store, UseCaseError, alarm};
use crate::clock::from_millis;
use crate::domain::device_heartbeat::{AlarmKind, Beat, Judged, Known, is_silent, judge};
use crate::domain::ids::DeviceId;
use crate::store::devices::status::Status;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// What the answer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HeartbeatAnswer {
    /// The server's time (UTC): a device that drifts sets its clock by it.
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub server_time: DateTime<Utc>,
    /// `good` (within 2 s), `drifting` (within 60 s) or `wrong`.
    #[schema(example = "good")]
    pub clock: String,
    /// The device's clock is ahead by more than it may be.
    #[schema(example = false)]
    pub from_future: bool,
    /// It came late or was sent twice: nothing was taken from it.
    #[schema(example = false)]
    pub stale: bool,
    /// The newest configuration made for it: another than it runs is fetched (`getDeviceConfiguration`).
    #[schema(example = 3)]
    pub configuration_version: i64,
    /// Something is ordered that it was not told of (`pullCommands`).
    #[schema(example = false)]
    pub commands_waiting: bool,
    /// The entry of its newest journal that is expected next; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 4712)]
    pub journal_next: Option<i64>,
}

/// Takes a heartbeat.
///
/// # Errors
/// `Forbidden` for whoever is no device at work; a failure of the store.
pub async fn heartbeat(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    beat: Beat,
) -> Result<HeartbeatAnswer> {
    let device = caller.device().ok_or(UseCaseError::Forbidden)?;
    let now = store.clock().now();
    // As the row keeps it: after a start of ours the same beat is still the same.
    let started_at = from_millis(beat.started_at.timestamp_millis());
    let beat = Beat { started_at, ..beat };
    let known = board.beaten(device).filter(|beaten| caller.unit == Some(beaten.unit));
    if let Some(beaten) = known {
        let silent = is_silent(beaten.known.last_seen_at, beaten.interval, now);
        let judged = judge(&beat, Some(&beaten.known), &beaten.low_stock, now);
        // One after a silence ends an alarm that another node may have raised.
        if !judged.writes && !silent {
            let beaten = heard(beaten, &beat, &judged, now);
            let answer = answer(board, device, &beaten, &judged, now);
            board.put(device, beaten, false);
            return Ok(answer);
        }
    }
    // An alarm each, at most.
    let alarms = i64::try_from(beat.faults.len() + beat.stock.len() + 1).unwrap_or(i64::MAX);
    let ids = store.take_ids::<UseCaseError>(alarms).await?;
    let who = caller.clone();
    let (beaten, judged) = store.write(move |tx| take(tx, &who, &beat, ids.clone())).await?;
    let answer = answer(board, device, &beaten, &judged, now);
    board.put(device, beaten, judged.writes);
    Ok(answer)
}

fn take(tx: &mut WriteTx<'_>, caller: &Caller, beat: &Beat, mut ids: IdRun) -> Result<(Beaten, Judged)> {
    let acting = acting_device(tx, caller, None)?;
    let device = tx.lock_device(acting.id)?.ok_or(UseCaseError::Forbidden)?;
    let now = tx.now();
    let settings = settings_of(tx, acting.id, device.configuration_version)?;
    let low_stock: Vec<(String, i64)> = settings.low_stock.clone().into_iter().collect();
    let silent = tx.has_alarm(acting.id, AlarmKind::Silent, "")?;
    let status = tx.statuses(&[acting.id.get()])?.pop();
    let known = status.as_ref().map(|status| known_of(status, silent));
    let judged = judge(beat, known.as_ref(), &low_stock, now);
    if judged.writes {
        tx.put_status(&status_of(acting.id, beat, &judged, now))?;
        for raised in &judged.raises {
            alarm::raise(tx, acting.id, raised.kind, &raised.subject, &mut ids)?;
        }
        for cleared in &judged.clears {
            alarm::clear(tx, acting.id, cleared.kind, &cleared.subject)?;
        }
    }
    let beaten = Beaten {
        known: known.unwrap_or_else(|| Known::of(beat, judged.clock, now)),
        unit: acting.unit,
        newest_configuration: device.configuration_version,
        interval: TimeDelta::seconds(i64::from(settings.heartbeat_seconds)),
        low_stock,
        journal_next: tx.next_of_journal(acting.id)?,
    };
    Ok((heard(beaten, beat, &judged, now), judged))
}

/// What is known from now on. A stale one says no more than that the device is there.
fn heard(mut beaten: Beaten, beat: &Beat, judged: &Judged, now: DateTime<Utc>) -> Beaten {
    beaten.known.last_seen_at = now;
    if judged.stale {
        return beaten;
    }
    beaten.known = Known::of(beat, judged.clock, now);
    beaten
}

/// What a row says of a device.
pub(super) fn known_of(status: &Status, silent: bool) -> Known {
    Known {
        last_seen_at: status.last_seen_at,
        started_at: status.started_at,
        beat: status.beat,
        clock: status.clock,
        firmware: status.firmware.clone(),
        configuration_version: status.configuration_version,
        faults: status.faults.iter().cloned().collect(),
        stock: status.stock.iter().map(|(name, left)| (name.clone(), *left)).collect(),
        silent,
    }
}

fn status_of(device: DeviceId, beat: &Beat, judged: &Judged, now: DateTime<Utc>) -> Status {
    Status {
        device,
        last_seen_at: now,
        started_at: beat.started_at,
        beat: beat.beat,
        clock_offset_ms: judged.offset.num_milliseconds(),
        clock: judged.clock,
        firmware: beat.firmware.clone(),
        configuration_version: beat.configuration_version,
        faults: beat.faults.iter().cloned().collect(),
        stock: beat.stock.iter().cloned().collect::<BTreeMap<_, _>>(),
        changed_at: now,
    }
}

fn answer(
    board: &DeviceBoard,
    device: DeviceId,
    beaten: &Beaten,
    judged: &Judged,
    now: DateTime<Utc>,
) -> HeartbeatAnswer {
    HeartbeatAnswer {
        server_time: now,
        clock: judged.clock.code().to_owned(),
        from_future: judged.from_future,
        stale: judged.stale,
        configuration_version: beaten.newest_configuration,
        commands_waiting: board.has_queued(device),
        journal_next: beaten.journal_next,
    }
}
