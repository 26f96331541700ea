//! A book is put into a compartment by a courier, by staff, or through the machine: the door opens for it, and the report that it is
//! in there is its check-in.

use std::sync::Arc;

use serde_json::json;

use super::acting_device::{ActingDevice, acting_device, device_of};
use super::compartment_record::{IDS, Opening, open};
use super::device_board::DeviceBoard;
use super::once::once;
use super::open_compartment::DoorOrdered;
use super::opened_in_question::{SeenBy, came_by_hand};
use super::order_device::{RECEIPT_BYTES, new_receipt};
use super::record;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::barcode::Barcode;
use crate::domain::compartment_choice::Size;
use crate::domain::compartment_life::CompartmentStep;
use crate::domain::device::Capability;
use crate::domain::event::EventKind;
use crate::domain::ids::DeviceId;
use crate::domain::item::{ItemFacts, ItemStatus};
use crate::domain::network::Network;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct LoadCompartment {
    pub device: DeviceId,
    pub number: u16,
    pub item_barcode: Barcode,
    /// Says whose item, where a barcode means several.
    pub owner_unit_code: Option<String>,
    pub round: Option<i64>,
}

/// Opens a compartment for a book.
///
/// # Errors
/// `NotFound`; `CompartmentState` for one that is not empty; `NoCompartmentFits` for one that is too small; `State` for a book that
/// does not belong in here; `Invalid` naming the field; a failure of the store.
pub async fn load_compartment(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    command: LoadCompartment,
    key: Option<IdempotencyKey>,
) -> Result<Once<DoorOrdered>> {
    let device = command.device;
    let done = once(store, caller, key, IDS, (command, new_receipt()), apply).await?;
    board.wake(device);
    Ok(done)
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (asked, receipt): &(LoadCompartment, [u8; RECEIPT_BYTES]),
    mut ids: IdRun,
) -> Result<DoorOrdered> {
    let device = the_machine(tx, caller, asked.device)?;
    let seen = tx
        .compartment_at(device.id, asked.number)?
        .ok_or(UseCaseError::NotFound("compartment"))?;
    if let Some(round) = asked.round {
        let known = tx.round(device.id, round)?;
        if known.is_none_or(|round| round.ended_at.is_some()) {
            return Err(UseCaseError::field(
                "round_id",
                "no round of this machine under way has this id",
            ));
        }
    }
    let network = tx.network()?;
    let owner = asked.owner_unit_code.as_deref();
    let candidate = record::find_item(tx, &network, &asked.item_barcode, owner)?;
    let item = in_hand(tx, caller, candidate, &network, &mut ids)?;
    belongs_here(&device, &item.facts)?;
    if let Some(other) = item.compartment {
        return Err(UseCaseError::State(match tx.compartment(other)? {
            Some(other) => format!("the book lies in compartment {}: unload it first", other.number),
            None => "the book lies in a compartment: unload it first".to_owned(),
        }));
    }
    let size = tx
        .tag_and_size(item.facts.id)?
        .map_or(Size::UNRECORDED, |(_, _, size)| size);
    if seen.size < size {
        let doors = tx.compartments_of(device.id)?;
        let mut free: Vec<Size> = doors
            .iter()
            .filter(|door| door.size >= size)
            .map(|door| door.size)
            .collect();
        free.sort_unstable();
        free.dedup();
        return Err(UseCaseError::NoCompartmentFits { free });
    }
    let opening = Opening {
        device: &device,
        step: CompartmentStep::Receive,
        awaited: Some(item.facts.id),
        receipt: *receipt,
    };
    let after = open(tx, &opening, &seen, &mut ids)?;
    let event = Event::new(EventKind::DeviceOrdered, tx.now(), device.unit, caller.own_channel())
        .by(caller.staff(), caller.device())
        .detail(
            json!({"device_id": device.id, "number": after.number, "turn": after.turn, "kind": "open_compartment",
            "item_id": item.facts.id}),
        );
    tx.append_event(ids.next(), &event)?;
    Ok(DoorOrdered::of(&after))
}

/// The copy that somebody holds before the machine.
fn in_hand(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    candidate: Candidate,
    network: &Network,
    ids: &mut IdRun,
) -> Result<LoadedItem> {
    let missing = || UseCaseError::NotFound("item");
    let item = tx.lock_item(candidate, network)?.ok_or_else(missing)?;
    let seen = SeenBy {
        caller,
        at: tx.now(),
        reader: false,
    };
    if !came_by_hand(tx, &item, seen, ids)? {
        return Ok(item);
    }
    let again = Candidate::known(item.facts.id, item.facts.bib_id);
    tx.lock_item(again, network)?.ok_or_else(missing)
}

/// The machine itself, or one that staff and couriers may receive at.
fn the_machine(tx: &mut WriteTx<'_>, caller: &Caller, device: DeviceId) -> Result<ActingDevice> {
    if caller.device().is_none() {
        caller.require_somewhere(Right::ReceiveTransit)?;
        return device_of(tx, caller, device, Right::ReceiveTransit);
    }
    let own = acting_device(tx, caller, Some(Capability::DoorBank))?;
    if own.id == device {
        Ok(own)
    } else {
        Err(UseCaseError::NotFound("device"))
    }
}

/// It travels to this unit, or is here already, and nobody has it.
fn belongs_here(device: &ActingDevice, item: &ItemFacts) -> Result<()> {
    let travels_here = item.transit.as_ref().is_some_and(|transit| transit.to == device.unit);
    let is_here = item.current == device.unit && matches!(item.status, ItemStatus::OnShelf | ItemStatus::OnHoldShelf);
    if travels_here || is_here {
        return Ok(());
    }
    Err(UseCaseError::State(format!(
        "the book is {} and not on its way here: check it in first",
        item.status.code()
    )))
}
