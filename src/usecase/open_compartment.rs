//! Staff or a courier open a compartment: to take something out, to look, to mend.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::acting_device::device_of;
use super::compartment_record::{IDS, Opening, open, opens_for_ms};
use super::device_board::DeviceBoard;
use super::once::once;
use super::opened_in_question::{BookInQuestion, opened_for_a_person};
use super::order_device::{RECEIPT_BYTES, new_receipt};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::compartment_life::CompartmentStep;
use crate::domain::event::EventKind;
use crate::domain::ids::DeviceId;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::lockers::compartments::Compartment;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct OpenCompartment {
    pub device: DeviceId,
    pub number: u16,
    pub why: WhyOpen,
}

/// What it is opened for.
#[derive(Debug, Clone)]
pub enum WhyOpen {
    /// A person says it.
    Reason(String),
    /// A courier takes out what is in it; in a round, if there is one.
    Unload(Option<i64>),
}

/// A door that was ordered open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DoorOrdered {
    /// The number on the door.
    #[schema(example = 7)]
    pub number: u16,
    /// It opens for this turn only.
    #[schema(example = 17)]
    pub turn: i64,
    /// What is known of the inside meanwhile.
    #[schema(example = "unloading")]
    pub state: String,
    /// How long the order counts, in milliseconds from the answer.
    #[schema(example = 20000)]
    pub expires_in_ms: i64,
    /// Opened for staff or a courier: nobody knows whether the reader took this book. Look, and say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_question: Option<BookInQuestion>,
}

impl Outcome for DoorOrdered {}

impl DoorOrdered {
    pub(super) fn of(one: &Compartment) -> Self {
        Self {
            number: one.number,
            turn: one.turn,
            state: one.state.code().to_owned(),
            expires_in_ms: opens_for_ms(),
            in_question: None,
        }
    }
}

/// Opens a compartment to unload it.
///
/// # Errors
/// `NotFound`; `CompartmentState` while an order is under way; `State` for a device that is not at work; `Invalid` without a reason; a
/// failure of the store.
pub async fn open_compartment(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    command: OpenCompartment,
    key: Option<IdempotencyKey>,
) -> Result<Once<DoorOrdered>> {
    caller.require_somewhere(Right::ReceiveTransit)?;
    let device = command.device;
    let done = once(store, caller, key, IDS, (command, new_receipt()), apply).await?;
    board.wake(device);
    Ok(done)
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (asked, receipt): &(OpenCompartment, [u8; RECEIPT_BYTES]),
    mut ids: IdRun,
) -> Result<DoorOrdered> {
    let device = device_of(tx, caller, asked.device, Right::ReceiveTransit)?;
    let seen = tx
        .compartment_at(device.id, asked.number)?
        .ok_or(UseCaseError::NotFound("compartment"))?;
    let mut detail = json!({"device_id": device.id, "number": seen.number, "kind": "open_compartment"});
    let said = match &asked.why {
        WhyOpen::Reason(reason) if reason.trim().is_empty() => {
            return Err(UseCaseError::field("reason", "must say why it is opened"));
        }
        WhyOpen::Reason(reason) => json!({"reason": reason.trim()}),
        WhyOpen::Unload(None) => serde_json::Value::Null,
        WhyOpen::Unload(Some(round)) => {
            let known = tx.round(device.id, *round)?;
            if known.is_none_or(|round| round.ended_at.is_some()) {
                return Err(UseCaseError::field(
                    "round_id",
                    "no round of this machine under way has this id",
                ));
            }
            detail["round_id"] = json!(round);
            serde_json::Value::Null
        }
    };
    let opening = Opening {
        device: &device,
        step: CompartmentStep::Unload,
        awaited: None,
        receipt: *receipt,
    };
    let after = open(tx, &opening, &seen, &mut ids)?;
    let in_question = opened_for_a_person(tx, &seen)?;
    detail["turn"] = json!(after.turn);
    let event = Event::new(EventKind::DeviceOrdered, tx.now(), device.unit, caller.own_channel())
        .by(caller.staff(), caller.device())
        .detail(detail)
        .personal(said);
    tx.append_event(ids.next(), &event)?;
    Ok(DoorOrdered {
        in_question,
        ..DoorOrdered::of(&after)
    })
}
