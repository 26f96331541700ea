//! A person dealt with an alarm. What it told of may come again, and is then an alarm of its own.

use std::sync::Arc;

use serde_json::json;

use super::acting_device::{no_such, within_reach};
use super::list_device_alarms::{DeviceAlarmView, view};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, Store, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::DeviceId;
use crate::store::Once;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SettleDeviceAlarm {
    pub alarm: i64,
    /// About the machine, and about nobody.
    pub note: Option<String>,
}

/// Settles an alarm.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; `State` when it has ended; a failure of the store.
pub async fn settle_device_alarm(
    store: &Arc<Store>,
    caller: &Caller,
    command: SettleDeviceAlarm,
    key: Option<IdempotencyKey>,
) -> Result<Once<DeviceAlarmView>> {
    caller.require_somewhere(Right::SettleMachines)?;
    once(store, caller, key, 1, command, settle).await
}

fn settle(tx: &mut WriteTx<'_>, caller: &Caller, asked: &SettleDeviceAlarm, mut ids: IdRun) -> Result<DeviceAlarmView> {
    let gone = || UseCaseError::NotFound("alarm");
    let row = tx.alarm(asked.alarm)?.ok_or_else(gone)?;
    let device = tx.device(DeviceId::new(row.device_id))?;
    let device = within_reach(tx, caller, device, Right::SettleMachines).map_err(|error| no_such(error, "alarm"))?;
    let now = tx.now();
    if !tx.settle_alarm(asked.alarm, asked.note.as_deref(), now)? {
        return Err(UseCaseError::State("the alarm has ended".to_owned()));
    }
    let event = Event::new(EventKind::AlarmSettled, now, device.unit, caller.own_channel())
        .by(caller.staff(), None)
        .detail(json!({"device_id": device.id, "alarm_id": row.id, "kind": row.kind, "subject": row.subject}));
    tx.append_event(ids.next(), &event)?;
    let row = tx.alarm(asked.alarm)?.ok_or_else(gone)?;
    Ok(view(row, &[device]))
}
