//! A parcel is opened at its unit, one scan per copy: a check-in with the true time. A refused parcel came back when the reader
//! refused it, one that a reader sent back when the carrier got it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::check_in::{Arrival, Told, take_back};
use super::record::{self, Consent, IDS_PER_VERB};
use super::view::{CheckInOutcome, unit_code};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::barcode::Barcode;
use crate::domain::event::EventKind;
use crate::domain::ids::{LoanId, UnitId};
use crate::domain::parcel::{Direction, ParcelState, Step, next};
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::parcels::{Parcel, ParcelLine};
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ReceiveParcel {
    pub parcel: i64,
    pub item_barcode: Barcode,
    pub consent: Consent,
}

/// Checks in a copy that a parcel brought.
///
/// # Errors
/// `NotFound`; `State` when the parcel goes elsewhere or is still packed; `Invalid` for a copy that is not in it, with what is;
/// else as a check-in.
pub async fn receive_parcel(
    store: &Arc<Store>,
    caller: &Caller,
    command: ReceiveParcel,
    key: Option<IdempotencyKey>,
) -> Result<Once<CheckInOutcome>> {
    caller.require_somewhere(Right::HandleParcels)?;
    let unit = caller.working_unit()?;
    let ids = store.take_ids::<UseCaseError>(IDS_PER_VERB + 1).await?;
    let who = caller.clone();
    let claim = key.map(|key| key.claim(caller));
    store
        .write_once(claim, move |tx| apply(tx, &who, unit, &command, ids.clone()))
        .await
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    unit: UnitId,
    command: &ReceiveParcel,
    mut ids: IdRun,
) -> Result<CheckInOutcome> {
    let network = tx.network()?;
    caller.require(Right::HandleParcels, unit, &network)?;
    let found = tx.lock_parcel(command.parcel)?;
    let (parcel, lines) = found.ok_or(UseCaseError::NotFound("parcel"))?;
    if parcel.unit != unit {
        let there = unit_code(&network, parcel.unit.get());
        return Err(UseCaseError::State(format!("the parcel belongs to {there}")));
    }
    let Some(received) = next(parcel.direction, parcel.state, Step::Receive) else {
        return Err(UseCaseError::State(format!("the parcel is {}", parcel.state.code())));
    };
    let line = line_of(&lines, &command.item_barcode)?;
    let returned_at = returned_at(tx, &parcel, line)?;
    let act = record::act_of(caller, unit, &network, &command.consent, None);
    let arrival = Arrival {
        caller,
        act: &act,
        network: &network,
        consent: &command.consent,
        returned_at,
        parcel: Some(came_back(&parcel)),
        into: None,
        told: Told::Now,
    };
    let event_id = ids.next();
    let outcome = take_back(tx, &arrival, Candidate::known(line.item(), line.bib()), ids)?;
    tx.close_parcel_line(line.id, None, tx.now())?;
    let open = tx.parcel_lines(parcel.id)?;
    if open.iter().all(|line| !line.is_open() || line.is_back()) {
        finish(tx, caller, &parcel, &open, received, event_id)?;
    }
    Ok(outcome)
}

/// The line of a scan; a wrong one is told what the parcel holds.
fn line_of<'l>(lines: &'l [ParcelLine], barcode: &Barcode) -> Result<&'l ParcelLine> {
    let inside = || lines.iter().filter(|line| line.is_open());
    inside().find(|line| line.barcode == barcode.as_str()).ok_or_else(|| {
        let expected: Vec<&str> = inside().map(|line| line.barcode.as_str()).collect();
        let reason = if expected.is_empty() {
            "is not in this parcel; nothing more is expected from it".to_owned()
        } else {
            format!("is not in this parcel; still expected: {}", expected.join(", "))
        };
        UseCaseError::field("item_barcode", reason)
    })
}

/// When the copy was really returned; `None` is now.
fn returned_at(tx: &mut WriteTx<'_>, parcel: &Parcel, line: &ParcelLine) -> Result<Option<DateTime<Utc>>> {
    let at = match parcel.direction {
        Direction::Out => parcel.ended_at,
        Direction::Back => parcel.posted_at,
    };
    let loan = line.loan_id.filter(|_| line.is_lent());
    let (Some(at), Some(loan)) = (at, loan) else {
        return Ok(None);
    };
    let loan = tx.loan_view(LoanId::new(loan))?.ok_or(UseCaseError::NotFound("loan"))?;
    Ok(Some(from_millis(at.max(loan.loaned_at))))
}

/// The word for it in the event of the return.
const fn came_back(parcel: &Parcel) -> &'static str {
    match (parcel.direction, parcel.state) {
        (Direction::Back, _) => "posted",
        (Direction::Out, ParcelState::Refused) => "refused",
        (Direction::Out, _) => "returned",
    }
}

fn finish(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    parcel: &Parcel,
    lines: &[ParcelLine],
    to: ParcelState,
    event_id: i64,
) -> Result<()> {
    let now = tx.now();
    for line in lines.iter().filter(|line| line.is_open()) {
        tx.close_parcel_line(line.id, None, now)?;
    }
    tx.move_parcel(parcel, to, now)?;
    let event = Event::new(EventKind::ParcelReceived, now, parcel.unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"parcel_id": parcel.id, "direction": parcel.direction.code(), "items": lines.len()}));
    Ok(tx.append_event(event_id, &event)?)
}
