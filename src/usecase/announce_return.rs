//! A reader sends copies back by parcel. They count as returned from the hand-over to the carrier, once they are checked in.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::book_carrier::CARRIER;
use super::delivery_view::{ParcelView, parcel_view};
use super::once::once;
use super::record;
use super::{Caller, FieldError, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::barcode::CardNumber;
use crate::domain::delivery::{Address, Delivery, Rest};
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, ItemId, LoanId, ReaderId};
use crate::domain::parcel::{Direction, ParcelState};
use crate::store::deliveries::RequestRow;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::parcels::NewParcel;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct AnnounceReturn {
    /// Staff say whose return it is; a reader speaks of itself.
    pub card_number: Option<CardNumber>,
    pub loans: Vec<LoanId>,
    /// The unit it goes to: one that packs parcels.
    pub unit_code: String,
    /// Where the carrier fetches it; without it the reader brings it to the post.
    pub address: Option<Address>,
    /// A carrier is configured.
    pub has_carrier: bool,
}

/// Announces a parcel with copies that come back.
///
/// # Errors
/// `Invalid` naming each loan that cannot be in it; a failure of the store.
pub async fn announce_return(
    store: &Arc<Store>,
    caller: &Caller,
    command: AnnounceReturn,
    key: Option<IdempotencyKey>,
) -> Result<Once<ParcelView>> {
    caller.require_somewhere(Right::PlaceHold)?;
    let ids = 4 + i64::try_from(command.loans.len()).unwrap_or(i64::MAX / 4);
    once(store, caller, key, ids, command, apply).await
}

/// A loan that goes into the parcel.
struct Sent {
    loan: LoanId,
    item: ItemId,
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &AnnounceReturn, mut ids: IdRun) -> Result<ParcelView> {
    let network = tx.network()?;
    let unit = record::unit_by_code(&network, "unit_code", &command.unit_code)?;
    caller.require(Right::PlaceHold, caller.unit.unwrap_or(unit), &network)?;
    if !tx.packs(unit)? {
        return Err(UseCaseError::field("unit_code", "names a unit that takes no parcels"));
    }
    if command.address.is_some() && !command.has_carrier {
        let reason = "cannot be fetched from: no carrier is configured; leave it out and post the parcel";
        return Err(UseCaseError::field("address", reason));
    }
    let (reader, sent) = lock_loans(tx, caller, command)?;
    let now = tx.now();
    let request = RequestRow {
        id: ids.next(),
        reader_id: Some(reader.get()),
        unit_id: unit.get(),
        delivery: Delivery::Return.code().to_owned(),
        rest: Rest::Follow.code().to_owned(),
        asked_at: now.timestamp_millis(),
    };
    tx.insert_request(&request, command.address.as_ref())?;
    let parcel = ids.next();
    tx.insert_parcel(&NewParcel {
        id: parcel,
        request: request.id,
        unit,
        direction: Direction::Back,
        state: ParcelState::Announced,
        opened_at: now,
        dispatch_by: None,
    })?;
    for one in &sent {
        tx.insert_parcel_line((ids.next(), parcel), one.item, None, Some(one.loan), now)?;
    }
    if command.address.is_some() {
        tx.insert_outbox(ids.next(), CARRIER, parcel, &format!("parcel-{parcel}"))?;
    }
    let event = Event::new(EventKind::ReturnAnnounced, now, unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"parcel_id": parcel, "items": sent.len()}));
    tx.append_event(ids.next(), &event)?;
    let row = tx.parcel(parcel)?.ok_or(UseCaseError::NotFound("parcel"))?;
    parcel_view(tx, row, &network)
}

/// Locks bibs, copies and the reader in that order; every loan must be the reader's, open, and in no other parcel.
fn lock_loans(tx: &mut WriteTx<'_>, caller: &Caller, command: &AnnounceReturn) -> Result<(ReaderId, Vec<Sent>)> {
    let network = tx.network()?;
    let mut found = Vec::with_capacity(command.loans.len());
    for loan in &command.loans {
        found.push(tx.item_of_loan(*loan)?);
    }
    let mut things: Vec<(BibId, ItemId)> = found.iter().flatten().map(|(item, bib, _)| (*bib, *item)).collect();
    things.sort_unstable();
    things.dedup();
    let bibs: Vec<BibId> = things.iter().map(|(bib, _)| *bib).collect();
    tx.lock_bibs(&bibs)?;
    let mut open = BTreeSet::new();
    for (bib, item) in things {
        let locked = tx.lock_item(Candidate::known(item, bib), &network)?;
        open.extend(locked.and_then(|item| item.loan).map(|loaded| loaded.loan.id));
    }
    let reader = record::lock_whose(tx, caller, command.card_number.as_ref(), &network)?.id;
    let (mut sent, mut faults, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (at, (loan, found)) in command.loans.iter().zip(found).enumerate() {
        let mine = found.filter(|(_, _, whose)| *whose == Some(reader) && open.contains(loan));
        let parcel = match mine {
            Some((item, ..)) => tx.parcel_with(item, *loan)?,
            None => None,
        };
        let wrong = match (mine, parcel) {
            _ if !seen.insert(*loan) => "is named twice".to_owned(),
            (None, _) => "is no open loan of this reader".to_owned(),
            (Some(_), Some(parcel)) => format!("is in parcel {parcel} already"),
            (Some((item, ..)), None) => {
                sent.push(Sent { loan: *loan, item });
                continue;
            }
        };
        faults.push(FieldError::new(format!("loan_ids[{at}]"), wrong));
    }
    if faults.is_empty() {
        Ok((reader, sent))
    } else {
        Err(UseCaseError::Invalid(faults))
    }
}
