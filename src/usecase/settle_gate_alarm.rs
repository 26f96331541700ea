//! Staff say what became of an alarm at a gate. Once: what was said stands.

use std::sync::Arc;

use serde_json::json;

use super::list_gate_alarms::{GateAlarmView, view};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::gate_exit::AlarmOutcome;
use crate::domain::ids::UnitId;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is said.
#[derive(Debug, Clone)]
pub struct SettleGateAlarm {
    pub alarm: i64,
    pub outcome: AlarmOutcome,
    pub note: Option<String>,
}

/// Settles an alarm.
///
/// # Errors
/// `NotFound`, also outside the caller's subtree; `State` when it was settled otherwise; a failure of the store.
pub async fn settle_gate_alarm(
    store: &Arc<Store>,
    caller: &Caller,
    command: SettleGateAlarm,
    key: Option<IdempotencyKey>,
) -> Result<Once<GateAlarmView>> {
    caller.require_somewhere(Right::SettleMachines)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &SettleGateAlarm, mut ids: IdRun) -> Result<GateAlarmView> {
    let missing = || UseCaseError::NotFound("alarm");
    let network = tx.network()?;
    let row = tx.gate_check(command.alarm)?.ok_or_else(missing)?;
    let unit = UnitId::new(row.unit_id);
    if !caller.may(Right::SettleMachines, unit, &network) {
        return Err(missing());
    }
    match &row.outcome {
        Some(said) if said == command.outcome.code() => return Ok(view(row, &network)),
        Some(said) => return Err(UseCaseError::State(format!("the alarm was settled as {said}"))),
        None => {}
    }
    let now = tx.now();
    tx.settle_gate_check(row.id, command.outcome.code(), command.note.as_deref(), now)?;
    let event = Event::new(EventKind::AlarmSettled, now, unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(
            json!({"gate_check_id": row.id, "gate_id": row.device_id, "item_id": row.item_id, "reason": row.reason,
            "outcome": command.outcome}),
        );
    tx.append_event(ids.next(), &event)?;
    let settled = tx.gate_check(command.alarm)?.ok_or_else(missing)?;
    Ok(view(settled, &network))
}
