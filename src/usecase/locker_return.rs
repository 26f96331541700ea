//! A reader brings something back to a machine: a door opens for it. What it is, the report says.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acting_device::acting_device;
use super::compartment_record::{Opening, open, opens_for_ms};
use super::device_board::DeviceBoard;
use super::locker_session::going_on;
use super::once::once;
use super::order_device::{RECEIPT_BYTES, new_receipt};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::compartment_choice::{Compartment as Door, Purpose, Size, choose};
use crate::domain::compartment_life::{CompartmentState, CompartmentStep};
use crate::domain::device::Capability;
use crate::domain::ids::LockerSessionId;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::lockers::compartments::Compartment;
use crate::store::lockers::returns::ReturnRow;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct LockerReturn {
    /// How large what is put in is.
    pub size: Size,
    /// The reader's session, if there is one: nobody has to identify.
    pub session: Option<LockerSessionId>,
}

/// The door that opens for a return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockerReturnView {
    /// The number on the receipt.
    #[schema(example = 5502)]
    pub return_id: i64,
    /// The number on the door.
    #[schema(example = 7)]
    pub compartment: u16,
    /// It opens for this turn only.
    #[schema(example = 31)]
    pub turn: i64,
    /// How long the order counts, in milliseconds from the answer.
    #[schema(example = 20000)]
    pub expires_in_ms: i64,
}

impl Outcome for LockerReturnView {}

/// Opens a door for what a reader brings back.
///
/// # Errors
/// `Forbidden` for whoever is no machine with doors; `NoCompartmentFits`; `LockerSessionEnded`; `NotFound`; a failure of the store.
pub async fn locker_return(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    command: LockerReturn,
    key: Option<IdempotencyKey>,
) -> Result<Once<LockerReturnView>> {
    caller.require_somewhere(Right::CheckIn)?;
    let done = once(store, caller, key, 2, (command, new_receipt()), apply).await?;
    if let Some(device) = caller.device() {
        board.wake(device);
    }
    Ok(done)
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (asked, receipt): &(LockerReturn, [u8; RECEIPT_BYTES]),
    mut ids: IdRun,
) -> Result<LockerReturnView> {
    let device = acting_device(tx, caller, Some(Capability::DoorBank))?;
    let doors = tx.compartments_of(device.id)?;
    let seen = empty_for(&doors, asked.size, Purpose::Return)?;
    let opening = Opening {
        device: &device,
        step: CompartmentStep::Receive,
        awaited: None,
        receipt: *receipt,
    };
    let door = open(tx, &opening, seen, &mut ids)?;
    let row = ReturnRow::asked(ids.next(), device.id, door.id, door.turn, tx.now());
    tx.insert_return(&row)?;
    if let Some(session) = asked.session {
        going_on(tx, &device, session)?;
    }
    Ok(LockerReturnView {
        return_id: row.id,
        compartment: door.number,
        turn: door.turn,
        expires_in_ms: opens_for_ms(),
    })
}

/// The empty compartment that something is put into.
///
/// # Errors
/// `NoCompartmentFits` with the sizes that are empty.
pub(super) fn empty_for(doors: &[Compartment], least: Size, wanted: Purpose) -> Result<&Compartment> {
    let choice: Vec<Door> = doors
        .iter()
        .map(|door| Door {
            number: door.number,
            size: door.size,
            purpose: door.purpose,
            state: door.state,
        })
        .collect();
    let number = choose(&choice, least, wanted).ok();
    let found = number.and_then(|number| doors.iter().find(|door| door.number == number));
    found.ok_or_else(|| {
        let mut free: Vec<Size> = doors
            .iter()
            .filter(|door| door.state == CompartmentState::Empty && door.purpose.serves(wanted))
            .map(|door| door.size)
            .collect();
        free.sort_unstable();
        free.dedup();
        UseCaseError::NoCompartmentFits { free }
    })
}
