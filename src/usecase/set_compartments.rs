//! Which compartments a machine has: the whole list at once. What is in them stays as it is known.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::acting_device::device_of;
use super::content_version::must_be_seen;
use super::list_compartments::{CompartmentsView, shown};
use super::named::Wrong;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::compartment_choice::{Purpose, Size};
use crate::domain::compartment_life::{CompartmentState, CompartmentStep, step};
use crate::domain::device::Capability;
use crate::domain::event::EventKind;
use crate::domain::ids::{CompartmentId, DeviceId};
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::lockers::compartments::Compartment;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Most compartments of a machine.
pub const MAX_COMPARTMENTS: usize = 1_000;
/// The highest number on a door.
const MAX_NUMBER: u16 = 9_999;

/// One compartment, as it is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompartmentBuilt {
    /// The number on the door, from 1.
    #[schema(minimum = 1, maximum = 9999, example = 7)]
    pub number: u16,
    /// `small`, `medium` or `large`.
    #[schema(pattern = "^(small|medium|large)$", example = "small")]
    pub size: String,
    /// What it is for: `pickup`, `browsing`, `return` or `any`.
    #[schema(pattern = "^(pickup|browsing|return|any)$", example = "pickup")]
    pub purpose: String,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetCompartments {
    pub device: DeviceId,
    /// The version that is replaced, if the caller says which.
    pub seen: Option<i64>,
    pub compartments: Vec<CompartmentBuilt>,
}

/// Gives a machine another list of compartments. One that is left out is taken away, or, once it was opened, taken out of use.
///
/// # Errors
/// `NotFound`; `Stale`; `State` for a machine without doors, or where one that is left out is not empty; `Invalid` naming each wrong
/// line; a failure of the store.
pub async fn set_compartments(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetCompartments,
    key: Option<IdempotencyKey>,
) -> Result<Once<CompartmentsView>> {
    caller.require_somewhere(Right::ManageDevices)?;
    let ids = i64::try_from(command.compartments.len() + 1).unwrap_or(i64::MAX);
    once(store, caller, key, ids, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &SetCompartments, mut ids: IdRun) -> Result<CompartmentsView> {
    tx.lock_device(command.device)?;
    let device = device_of(tx, caller, command.device, Right::ManageDevices)?;
    if !device.capabilities.has(Capability::DoorBank) {
        return Err(UseCaseError::State("the device has no doors (door_bank)".into()));
    }
    must_be_seen(&shown(tx, device.id)?, command.seen)?;
    let built = parsed(&command.compartments)?;
    let before = tx.compartments_of(device.id)?;
    let now = tx.now();
    for (number, size, purpose) in &built {
        match before.iter().find(|one| one.number == *number) {
            Some(one) if (one.size, one.purpose) == (*size, *purpose) => {}
            Some(one) => {
                tx.lock_compartment_as(one)?;
                tx.put_compartment(&Compartment {
                    size: *size,
                    purpose: *purpose,
                    changed_at: now,
                    ..one.clone()
                })?;
            }
            None => tx.insert_compartment(&Compartment {
                id: CompartmentId::new(ids.next()),
                device: device.id,
                number: *number,
                size: *size,
                purpose: *purpose,
                state: CompartmentState::Empty,
                item: None,
                awaited: None,
                turn: 0,
                deadline_at: None,
                changed_at: now,
            })?,
        }
    }
    for one in before
        .iter()
        .filter(|one| !built.iter().any(|(number, ..)| *number == one.number))
    {
        take_away(tx, one)?;
    }
    let event = Event::new(EventKind::DeviceConfigured, now, device.unit, caller.own_channel())
        .by(caller.staff(), None)
        .detail(json!({"device_id": device.id, "changed": "compartments", "compartments": built.len()}));
    tx.append_event(ids.next(), &event)?;
    shown(tx, device.id)
}

/// What has a history stays, out of use.
fn take_away(tx: &mut WriteTx<'_>, one: &Compartment) -> Result<()> {
    tx.lock_compartment_as(one)?;
    let empty = one.item.is_none() && matches!(one.state, CompartmentState::Empty | CompartmentState::OutOfOrder);
    if !empty {
        let reason = format!("compartment {} is {}: empty it first", one.number, one.state);
        return Err(UseCaseError::State(reason));
    }
    if one.turn == 0 && !tx.compartment_is_named(one.id)? {
        return Ok(tx.delete_compartment(one.id)?);
    }
    if one.state == CompartmentState::OutOfOrder {
        return Ok(());
    }
    let state = step(one.state, CompartmentStep::TakeOut).map_err(UseCaseError::CompartmentState)?;
    let now = tx.now();
    Ok(tx.put_compartment(&Compartment {
        state,
        changed_at: now,
        ..one.clone()
    })?)
}

fn parsed(lines: &[CompartmentBuilt]) -> Result<Vec<(u16, Size, Purpose)>> {
    let (mut wrong, mut built, mut numbers) = (Wrong::default(), Vec::new(), BTreeSet::new());
    for (place, line) in lines.iter().enumerate() {
        let mut say = |member: &str, reason: String| {
            wrong.say(format!("compartments[{place}].{member}"), reason);
        };
        if !(1..=MAX_NUMBER).contains(&line.number) {
            say("number", format!("must be 1 to {MAX_NUMBER}"));
        } else if !numbers.insert(line.number) {
            say("number", "stands there twice".to_owned());
        }
        let (size, purpose) = (Size::from_code(&line.size), Purpose::from_code(&line.purpose));
        if size.is_none() {
            say("size", "must be small, medium or large".to_owned());
        }
        if purpose.is_none() {
            say("purpose", "must be pickup, browsing, return or any".to_owned());
        }
        if let (Some(size), Some(purpose)) = (size, purpose) {
            built.push((line.number, size, purpose));
        }
    }
    wrong.check()?;
    Ok(built)
}
