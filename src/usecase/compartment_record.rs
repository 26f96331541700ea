//! What all verbs of compartments share: the order to open, what is known afterwards, and who must be told.
//! Not for: what a report means (`report_compartment`).

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::acting_device::ActingDevice;
use super::alarm;
use super::order_device::{RECEIPT_BYTES, order};
use super::{Caller, Result, UseCaseError, Who};
use crate::domain::compartment_choice::{Purpose, Size};
use crate::domain::compartment_life::{CompartmentState, CompartmentStep, next, step};
use crate::domain::device::DeviceState;
use crate::domain::device_command::CommandKind;
use crate::domain::device_heartbeat::AlarmKind;
use crate::domain::ids::{CompartmentId, ItemId, UnitId};
use crate::domain::network::Network;
use crate::domain::two_phase::deadline;
use crate::domain::unit::UnitKind;
use crate::store::ids::IdRun;
use crate::store::lockers::compartments::Compartment;
use crate::store::tx::{ReadTx, WriteTx};

/// Ids a verb of compartments may use up: a check-in or void, the event, a command, alarms.
pub(super) const IDS: i64 = 40;

impl ActingDevice {
    /// The device as the one who acts.
    pub(super) fn caller(&self) -> Caller {
        Caller {
            who: Who::Device {
                id: self.id,
                channel: self.kind.channel(),
            },
            unit: Some(self.unit),
            session: 0,
        }
    }
}

/// A door that is to open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening<'a> {
    pub device: &'a ActingDevice,
    pub step: CompartmentStep,
    /// What is to be put in.
    pub awaited: Option<ItemId>,
    pub receipt: [u8; RECEIPT_BYTES],
}

/// Orders a door open: another turn begins. After the locks of bib, item and reader. Takes one id.
///
/// # Errors
/// `CompartmentState` where that cannot follow; `State` for a device that is not at work.
pub(super) fn open(
    tx: &mut WriteTx<'_>,
    opening: &Opening<'_>,
    seen: &Compartment,
    ids: &mut IdRun,
) -> Result<Compartment> {
    let state = step(seen.state, opening.step).map_err(UseCaseError::CompartmentState)?;
    let device = tx.device(opening.device.id)?.ok_or(UseCaseError::NotFound("device"))?;
    if device.state() != DeviceState::Active {
        return Err(UseCaseError::State(format!("the device is {}", device.state())));
    }
    tx.lock_compartment_as(seen)?;
    let now = tx.now();
    let after = Compartment {
        state,
        awaited: opening.awaited,
        turn: seen.turn + 1,
        deadline_at: Some(deadline(now)),
        changed_at: now,
        ..seen.clone()
    };
    tx.put_compartment(&after)?;
    let body = json!({"number": after.number, "turn": after.turn});
    order(tx, device.id, CommandKind::OpenCompartment, &body, opening.receipt, ids)?;
    Ok(after)
}

/// How long a door that was ordered open now may be opened, in milliseconds.
pub(super) fn opens_for_ms() -> i64 {
    let life: TimeDelta = CommandKind::OpenCompartment.life();
    life.num_milliseconds()
}

/// Tells people of what they must see to, and ends what is over. At most one id.
pub(super) fn tell(tx: &mut WriteTx<'_>, after: &Compartment, step: CompartmentStep, ids: &mut IdRun) -> Result<()> {
    let subject = after.number.to_string();
    let raised = match (step, after.state) {
        (CompartmentStep::Forced, _) => Some(AlarmKind::DoorForced),
        (CompartmentStep::NotOpened, _) => Some(AlarmKind::DoorJammed),
        (_, CompartmentState::Held) => Some(AlarmKind::CompartmentHeld),
        (_, CompartmentState::Unsure) => Some(AlarmKind::CompartmentUnsure),
        _ => None,
    };
    if let Some(kind) = raised {
        return alarm::raise(tx, after.device, kind, &subject, ids);
    }
    if matches!(after.state, CompartmentState::Empty | CompartmentState::Occupied) {
        for kind in [
            AlarmKind::DoorForced,
            AlarmKind::DoorJammed,
            AlarmKind::CompartmentHeld,
            AlarmKind::CompartmentUnsure,
        ] {
            alarm::clear(tx, after.device, kind, &subject)?;
        }
    }
    Ok(())
}

/// A compartment that awaits nothing any more: no book, no report.
pub(super) fn at_rest(
    seen: &Compartment,
    state: CompartmentState,
    item: Option<ItemId>,
    now: DateTime<Utc>,
) -> Compartment {
    Compartment {
        state,
        item,
        awaited: None,
        deadline_at: None,
        changed_at: now,
        ..seen.clone()
    }
}

/// Writes what is known of a compartment after a step, and tells of it. At most one id.
pub(super) fn keep(
    tx: &mut WriteTx<'_>,
    seen: &Compartment,
    after: &Compartment,
    step: CompartmentStep,
    ids: &mut IdRun,
) -> Result<()> {
    tx.lock_compartment_as(seen)?;
    tx.put_compartment(after)?;
    tell(tx, after, step, ids)
}

/// A book was seen elsewhere: it does not lie in the compartment any more, and what does nobody knows.
pub(super) fn left(tx: &mut WriteTx<'_>, compartment: Option<CompartmentId>) -> Result<()> {
    let Some(id) = compartment else { return Ok(()) };
    let Some(seen) = tx.lock_compartment(id)? else {
        return Ok(());
    };
    if seen.item.is_none() {
        return Ok(());
    }
    let (state, deadline_at) = match seen.state {
        CompartmentState::Occupied => (
            next(seen.state, CompartmentStep::Forced).unwrap_or(CompartmentState::Unsure),
            None,
        ),
        CompartmentState::HandingOut => (CompartmentState::Unsure, None),
        other => (other, seen.deadline_at),
    };
    let now = tx.now();
    tx.put_compartment(&Compartment {
        state,
        item: None,
        deadline_at,
        changed_at: now,
        ..seen
    })?;
    Ok(())
}

/// Whether what waits for readers at a unit waits in compartments. No statement but at a service point.
pub(super) fn must_be_loaded(tx: &mut ReadTx<'_>, network: &Network, unit: UnitId) -> Result<bool> {
    let point = network.unit(unit).is_some_and(|unit| unit.kind == UnitKind::Point);
    Ok(point && tx.has_compartments(unit)?)
}

/// Whether the machine of a unit has a compartment for a copy; of which nobody has said yet which one, for one of the usual size. No
/// statement but at a service point.
pub(super) fn fits(tx: &mut ReadTx<'_>, network: &Network, unit: UnitId, item: Option<ItemId>) -> Result<bool> {
    if network.unit(unit).is_none_or(|unit| unit.kind != UnitKind::Point) {
        return Ok(true);
    }
    let doors = tx.compartments_at(unit)?;
    let size = match item {
        Some(item) => tx.tag_and_size(item)?.map_or(Size::UNRECORDED, |(_, _, size)| size),
        None => Size::UNRECORDED,
    };
    Ok(doors.is_empty()
        || doors
            .iter()
            .any(|door| door.size >= size && door.purpose.serves(Purpose::Pickup)))
}
