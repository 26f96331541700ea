//! Doors of a driven device of which something is still to be heard: its driver looks at them again, also after its node fell.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::acting_device::acting_device;
use super::{Caller, Result, Store};
use crate::domain::device_command::{CommandKind, CommandStatus};
use crate::domain::two_phase::ordered_at;
use crate::store::tx::ReadTx;

/// Most open orders looked at: more than a machine has doors.
const ORDERS: i64 = 1_000;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorInQuestion {
    /// The number on the door.
    pub number: u16,
    /// The present turn.
    pub turn: i64,
    /// When it was ordered open, or became unsure.
    pub since: DateTime<Utc>,
}

/// Those that were ordered open or are unsure, by number; not those whose order waits to be taken: their doors are still to open.
///
/// # Errors
/// `Forbidden` once the device is not at work; a failure of the store.
pub async fn doors_in_question(store: &Arc<Store>, caller: &Caller) -> Result<Vec<DoorInQuestion>> {
    let caller = caller.clone();
    store.read(move |tx| look(tx, &caller)).await
}

fn look(tx: &mut ReadTx<'_>, caller: &Caller) -> Result<Vec<DoorInQuestion>> {
    let device = acting_device(tx, caller, None)?;
    let found = tx.compartments_in_question(device.id)?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let mut to_open = Vec::new();
    for order in tx.open_commands(device.id, ORDERS)? {
        if order.kind == CommandKind::OpenCompartment && order.status == CommandStatus::Queued {
            let body: Value = serde_json::from_str(&order.body).unwrap_or_default();
            to_open.push((body["number"].as_u64(), body["turn"].as_i64()));
        }
    }
    let doors = found.into_iter().map(|one| DoorInQuestion {
        number: one.number,
        turn: one.turn,
        since: one.deadline_at.map_or(one.changed_at, ordered_at),
    });
    let is_to_open = |door: &DoorInQuestion| to_open.contains(&(Some(u64::from(door.number)), Some(door.turn)));
    Ok(doors.filter(|door| !is_to_open(door)).collect())
}
