//! A parcel that does not come is closed by staff as not arrived. Its loans go on as they were, due by their rules: what became of
//! the copies is said by a check-in, a claim or a loss. Not for: parcels that were never dispatched (see `dispatch_parcel`).

use std::sync::Arc;

use serde_json::json;

use super::delivery_view::{ParcelView, parcel_view};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::parcel::{ParcelState, Step, next};
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::parcels::Parcel;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct GiveUpParcel {
    pub parcel: i64,
    /// What was asked and answered; kept with the event.
    pub reason: String,
}

/// Closes a parcel of which nobody has heard for days, or which the carrier has lost.
///
/// # Errors
/// `NotFound`; `Forbidden`; `State` when it is packed still, has ended, or was heard of lately; a failure of the store.
pub async fn give_up_parcel(
    store: &Arc<Store>,
    caller: &Caller,
    command: GiveUpParcel,
    key: Option<IdempotencyKey>,
) -> Result<Once<ParcelView>> {
    caller.require_somewhere(Right::HandleParcels)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &GiveUpParcel, mut ids: IdRun) -> Result<ParcelView> {
    let network = tx.network()?;
    let unknown = || UseCaseError::NotFound("parcel");
    let (parcel, lines) = tx.lock_parcel(command.parcel)?.ok_or_else(unknown)?;
    caller.require(Right::HandleParcels, parcel.unit, &network)?;
    let to = may_be_given_up(&parcel)?;
    let now = tx.now();
    let still_out = lines.iter().filter(|line| line.is_open() && line.is_lent()).count();
    for line in lines.iter().filter(|line| line.is_open()) {
        tx.close_parcel_line(line.id, None, now)?;
    }
    tx.move_parcel(&parcel, to, now)?;
    tx.give_up_parcel(parcel.id, now)?;
    let event = Event::new(EventKind::ParcelGivenUp, now, parcel.unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(
            json!({"parcel_id": parcel.id, "direction": parcel.direction.code(), "state": parcel.state.code(),
            "items": still_out}),
        )
        .personal(json!({"reason": command.reason}));
    tx.append_event(ids.next(), &event)?;
    let row = tx.parcel(parcel.id)?.ok_or_else(unknown)?;
    parcel_view(tx, row, &network)
}

fn may_be_given_up(parcel: &Parcel) -> Result<ParcelState> {
    let Some(to) = next(parcel.direction, parcel.state, Step::GiveUp) else {
        let reason = match parcel.state {
            ParcelState::Packed => {
                "the parcel is packed still: dispatch it, or cancel the holds of its lines".to_owned()
            }
            state => format!("the parcel is {}", state.code()),
        };
        return Err(UseCaseError::State(reason));
    };
    if parcel.alarmed_at.is_none() && parcel.state != ParcelState::Lost {
        let reason = "the parcel was heard of lately: it can be given up once it is alarmed, or lost by the carrier";
        return Err(UseCaseError::State(reason.to_owned()));
    }
    Ok(to)
}
