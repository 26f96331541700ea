//! Dispatch: a packed parcel is given to the carrier. Its copies are lent, what cannot be lent is set aside, and the carrier is
//! told by way of the outbox.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::book_carrier::CARRIER;
use super::check_out::{Desk, hand_over};
use super::delivery_view::{ParcelOutcome, RefusedCopy, parcel_view, slip};
use super::once::{once, rehearsed};
use super::pack_parcel::{LINES_MAX, delivery_terms};
use super::record::{Consent, IDS_PER_VERB};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::delivery::LoanClock;
use crate::domain::event::EventKind;
use crate::domain::ids::ReaderId;
use crate::domain::network::Network;
use crate::domain::parcel::{ParcelState, Step, next};
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::parcels::{Parcel, ParcelLine};
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct DispatchParcel {
    pub parcel: i64,
    /// Staff brought it to a carrier themselves: nobody is told.
    pub tracking_number: Option<String>,
    /// A carrier is configured.
    pub has_carrier: bool,
    pub consent: Consent,
    /// The tokens of refused copies, by barcode.
    pub consent_tokens: BTreeMap<String, String>,
    /// Decide only; change nothing.
    pub dry_run: bool,
}

/// Gives a parcel to the carrier. While the carrier has not been told of it: with a number, staff gave it to one themselves; without,
/// a carrier that could not be told is told again.
///
/// # Errors
/// `NotFound`; `State` when it is not packed any more; `Invalid` when nobody could carry it; a failure of the store.
pub async fn dispatch_parcel(
    store: &Arc<Store>,
    caller: &Caller,
    command: DispatchParcel,
    key: Option<IdempotencyKey>,
) -> Result<Once<ParcelOutcome>> {
    caller.require_somewhere(Right::HandleParcels)?;
    let ids = 2 + i64::try_from(LINES_MAX).unwrap_or(i64::MAX) * IDS_PER_VERB;
    if command.dry_run {
        return rehearsed(store, caller, ids, command, apply).await;
    }
    once(store, caller, key, ids, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &DispatchParcel, mut ids: IdRun) -> Result<ParcelOutcome> {
    let network = tx.network()?;
    let unknown = || UseCaseError::NotFound("parcel");
    let (parcel, lines) = tx.lock_parcel(command.parcel)?.ok_or_else(unknown)?;
    caller.require(Right::HandleParcels, parcel.unit, &network)?;
    let mut refused = Vec::new();
    if !book_again(tx, caller, &parcel, command, &mut ids)? {
        if next(parcel.direction, parcel.state, Step::Dispatch).is_none() {
            return Err(UseCaseError::State(format!("the parcel is {}", parcel.state.code())));
        }
        if !command.has_carrier && command.tracking_number.is_none() {
            let reason = "is needed: no carrier is configured that could be told";
            return Err(UseCaseError::field("tracking_number", reason));
        }
        let now = tx.now();
        let network = tx.as_of(Arc::clone(&network), now)?;
        refused = lend(tx, caller, &network, (&parcel, &lines), command, &mut ids)?;
        send_off(tx, caller, &parcel, command, &mut ids)?;
    }
    let row = tx.parcel(parcel.id)?.ok_or_else(unknown)?;
    let view = parcel_view(tx, row, &network)?;
    Ok(ParcelOutcome {
        slip: slip(&view, &network),
        parcel: view,
        refused,
        cancelled: Vec::new(),
        dry_run: command.dry_run,
    })
}

/// A parcel of which the carrier has not been told yet: staff have given it to one themselves, and nobody is told any more; or
/// nobody tries any more, and it is tried again under the same key. False: the parcel is not booked, or it is booked already.
fn book_again(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    parcel: &Parcel,
    command: &DispatchParcel,
    ids: &mut IdRun,
) -> Result<bool> {
    let row = tx.outbox_of(CARRIER, parcel.id)?;
    let Some(row) = row.filter(|row| row.done_at.is_none() && parcel.closed_at.is_none()) else {
        return Ok(false);
    };
    let by_hand = match &command.tracking_number {
        Some(number) => {
            tx.withdraw_outbox(row.id)?;
            tx.set_tracking_number(parcel.id, number)?;
            true
        }
        None if tx.revive_outbox(row.id)? => false,
        None => return Ok(false),
    };
    let event = Event::new(
        EventKind::ParcelRebooked,
        tx.now(),
        parcel.unit,
        caller.channel().code(),
    )
    .by(caller.staff(), caller.device())
    .detail(json!({"parcel_id": parcel.id, "by_hand": by_hand, "attempts": row.attempts}));
    tx.append_event(ids.next(), &event)?;
    Ok(true)
}

/// Lends what lies in the parcel; answers what could not be lent.
fn lend(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    network: &Network,
    (parcel, lines): (&Parcel, &[ParcelLine]),
    command: &DispatchParcel,
    ids: &mut IdRun,
) -> Result<Vec<RefusedCopy>> {
    let now = tx.now();
    let reader = parcel
        .reader
        .map(ReaderId::new)
        .ok_or(UseCaseError::NotFound("reader"))?;
    let mut refused = Vec::new();
    for line in lines.iter().filter(|line| line.is_open() && !line.is_lent()) {
        if !line.is_kept() {
            tx.close_parcel_line(line.id, Some("hold_ended"), now)?;
            continue;
        }
        let item = tx.lock_item(Candidate::known(line.item(), line.bib()), network)?;
        let item = item.ok_or(UseCaseError::NotFound("item"))?;
        let facts = tx
            .lock_reader(reader, network)?
            .ok_or(UseCaseError::NotFound("reader"))?;
        let clock = delivery_terms(network, parcel.unit, &facts, &item.facts).clock;
        let consent = Consent {
            token: command.consent_tokens.get(&line.barcode).cloned(),
            ..command.consent.clone()
        };
        let desk = Desk {
            caller,
            unit: parcel.unit,
            network,
            consent: &consent,
            due_at: None,
            link: None,
            session: None,
        };
        match hand_over(tx, &desk, &item, &facts, ids) {
            Ok(lent) => match lent.loan {
                Some(loan) => tx.set_line_loan(line.id, loan.id, clock == LoanClock::Pickup)?,
                None => tx.close_parcel_line(line.id, Some("reading_only"), now)?,
            },
            Err(error) => {
                let (copy, refusals) = RefusedCopy::of(&line.barcode, error)?;
                let codes: Vec<&str> = refusals.0.iter().map(|refusal| refusal.code.code()).collect();
                tx.close_parcel_line(line.id, Some(&codes.join(",")), now)?;
                refused.push(copy);
            }
        }
    }
    Ok(refused)
}

/// The parcel leaves, unless nothing is left in it.
fn send_off(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    parcel: &Parcel,
    command: &DispatchParcel,
    ids: &mut IdRun,
) -> Result<()> {
    let now = tx.now();
    let inside = tx.parcel_lines(parcel.id)?.iter().filter(|line| line.is_open()).count();
    let step = if inside > 0 { Step::Dispatch } else { Step::Cancel };
    let to = next(parcel.direction, parcel.state, step).unwrap_or(ParcelState::Cancelled);
    tx.move_parcel(parcel, to, now)?;
    if inside > 0 {
        tx.set_parcel_moment(parcel.id, Step::Dispatch, now)?;
        match &command.tracking_number {
            Some(number) => tx.set_tracking_number(parcel.id, number)?,
            None => tx.insert_outbox(ids.next(), CARRIER, parcel.id, &format!("parcel-{}", parcel.id))?,
        }
    }
    let kind = if inside > 0 {
        EventKind::ParcelDispatched
    } else {
        EventKind::ParcelCancelled
    };
    let event = Event::new(kind, now, parcel.unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"parcel_id": parcel.id, "items": inside, "state": to.code()}));
    Ok(tx.append_event(ids.next(), &event)?)
}
