//! What a gate tells afterwards, in batches: how many went in and out, what it decided alone, and its alarms once more.
//! Each batch has a number of its own: sent twice it counts once. People are counted, never known.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acting_device::{ActingDevice, acting_device};
use super::check_gate_exit::{Passage, judge};
use super::once::once;
use super::{Caller, IdempotencyKey, Result};
use crate::auth::Right;
use crate::domain::device::Capability;
use crate::domain::device_heartbeat::DRIFTING;
use crate::domain::gate_exit::{DecidedBy, ExitDecision, ExitReason, TagBit};
use crate::domain::item_shown::ItemShown;
use crate::domain::journal::OLDEST;
use crate::store::gates::NewGateCheck;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Hours of one batch: 45 days of them.
pub const MAX_HOURS: usize = 1080;
/// Passages of one batch that are told one by one.
pub const MAX_CHECKS: usize = 200;

/// One batch.
#[derive(Debug, Clone)]
pub struct Passages {
    /// The gate's own number of it.
    pub batch: String,
    pub hours: Vec<HourOfGate>,
    pub checks: Vec<ToldCheck>,
}

/// How many passed in one hour; what is told of the same hour later is added.
#[derive(Debug, Clone, Copy)]
pub struct HourOfGate {
    /// The full hour, UTC.
    pub hour: DateTime<Utc>,
    pub went_in: u32,
    pub went_out: u32,
}

/// A passage that is told afterwards.
#[derive(Debug, Clone)]
pub struct ToldCheck {
    pub check_id: String,
    pub at: DateTime<Utc>,
    pub read: ItemShown,
    pub bit: TagBit,
    pub decided: Decided,
}

/// Who decided it, and how.
#[derive(Debug, Clone, Copy)]
pub enum Decided {
    Asked(ExitReason),
    Locally(ExitDecision),
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PassagesCounted {
    /// As it was sent.
    #[schema(example = "g1-b000042")]
    pub batch: String,
    /// False: it was counted before, and nothing was counted now.
    #[schema(example = true)]
    pub counted: bool,
    /// Lines of hours that were counted.
    #[schema(example = 1)]
    pub hours: u32,
    /// Passages that are now in the log of alarms and were not before.
    #[schema(example = 0)]
    pub kept: u32,
    /// Lines that cannot be believed; all others were taken. Do not send them again.
    pub refused: Vec<PassageRefused>,
}

/// A line of a batch that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PassageRefused {
    /// Which.
    #[schema(example = "hours[0]")]
    pub line: String,
    /// What is wrong with it.
    #[schema(example = "lies in the future")]
    pub reason: String,
}

impl Outcome for PassagesCounted {}

/// Takes a batch of a gate.
///
/// # Errors
/// `Forbidden` for what is no gate at work; a failure of the store.
pub async fn report_gate_passages(
    store: &Arc<Store>,
    caller: &Caller,
    report: Passages,
    key: Option<IdempotencyKey>,
) -> Result<Once<PassagesCounted>> {
    caller.require_somewhere(Right::OperateDevice)?;
    let ids = i64::try_from(report.checks.len()).unwrap_or(i64::MAX).max(1);
    once(store, caller, key, ids, report, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, report: &Passages, mut ids: IdRun) -> Result<PassagesCounted> {
    let gate = acting_device(tx, caller, Some(Capability::Gate))?;
    count_passages(tx, &gate, report, &mut ids)
}

/// Counts a batch, once. Takes an id for each passage that is told.
///
/// # Errors
/// A failure of the store.
pub(super) fn count_passages(
    tx: &mut WriteTx<'_>,
    device: &ActingDevice,
    report: &Passages,
    ids: &mut IdRun,
) -> Result<PassagesCounted> {
    let now = tx.now();
    let mut counted = PassagesCounted {
        batch: report.batch.clone(),
        counted: tx.note_gate_batch(device.id, &report.batch, now)?,
        hours: 0,
        kept: 0,
        refused: Vec::new(),
    };
    if !counted.counted {
        return Ok(counted);
    }
    for (place, hour) in report.hours.iter().enumerate() {
        if let Some(reason) = wrong_hour(hour.hour, now) {
            counted.refuse(format!("hours[{place}]"), reason);
            continue;
        }
        tx.add_gate_hour(device.id, device.unit, hour.hour, (hour.went_in, hour.went_out))?;
        counted.hours += 1;
    }
    for (place, check) in report.checks.iter().enumerate() {
        if let Some(reason) = wrong_time(check.at, now) {
            counted.refuse(format!("checks[{place}]"), reason);
        } else if let Some(line) = to_keep(tx, device, check)? {
            let id = ids.next();
            counted.kept += u32::from(tx.insert_gate_check(&NewGateCheck { id, ..line })?);
        }
    }
    Ok(counted)
}

impl PassagesCounted {
    fn refuse(&mut self, line: String, reason: &str) {
        self.refused.push(PassageRefused {
            line,
            reason: reason.to_owned(),
        });
    }
}

fn wrong_hour(hour: DateTime<Utc>, now: DateTime<Utc>) -> Option<&'static str> {
    if hour.minute() != 0 || hour.second() != 0 || hour.nanosecond() != 0 {
        return Some("is no full hour (UTC)");
    }
    wrong_time(hour, now)
}

/// A clock may drift; more than that and nobody knows when it was.
fn wrong_time(at: DateTime<Utc>, now: DateTime<Utc>) -> Option<&'static str> {
    let ahead: TimeDelta = at.signed_duration_since(now);
    if ahead > DRIFTING {
        Some("lies in the future")
    } else if ahead < -OLDEST {
        Some("lies more than 45 days back")
    } else {
        None
    }
}

/// The line of the log, when there is something to look into. Of what the gate decided alone the records tell by now whether the
/// book was lent; where something happened to it since they do not, and only an alarm is kept.
fn to_keep(tx: &mut WriteTx<'_>, device: &ActingDevice, check: &ToldCheck) -> Result<Option<NewGateCheck>> {
    if let Decided::Asked(reason) = check.decided
        && !reason.is_kept()
    {
        return Ok(None);
    }
    let judged = judge(tx, device.unit, &check.read, check.bit)?;
    let passage = Passage {
        gate: device.id,
        unit: device.unit,
        check_id: &check.check_id,
        at: check.at.min(tx.now()),
        read: &check.read,
        item: judged.item,
    };
    let locally = |decision| passage.line(decision, judged.reason, DecidedBy::Locally);
    Ok(match check.decided {
        Decided::Asked(reason) => Some(passage.line(reason.decision(), reason, DecidedBy::Asked)),
        Decided::Locally(ExitDecision::Alarm) => Some(locally(ExitDecision::Alarm)),
        Decided::Locally(ExitDecision::Allow) => {
            let as_then = judged.last_event_at.is_none_or(|last| last <= check.at);
            (as_then && judged.reason.is_kept()).then(|| locally(ExitDecision::Allow))
        }
    })
}
