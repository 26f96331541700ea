//! Packing: copies that lie ready for one request go into a parcel. What is not of the request is refused, with what is.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::check_out::{Desk, hand_over};
use super::delivery_view::{CancelledLine, ParcelOutcome, RefusedCopy, parcel_view, slip};
use super::end_hold::{Ending, end_hold};
use super::once::once;
use super::record::{self, Consent, IDS_PER_VERB};
use super::view::NextStepView;
use super::{Caller, FieldError, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::barcode::Barcode;
use crate::domain::delivery::{Delivery, DeliveryTerms, LoanClock, Rest};
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, ReaderId, UnitId};
use crate::domain::item::ItemFacts;
use crate::domain::network::Network;
use crate::domain::parcel::{Direction, ParcelState};
use crate::domain::policy::Situation;
use crate::domain::reader::{Channel, ReaderFacts};
use crate::store::deliveries::{RequestLine, RequestRow};
use crate::store::events::Event;
use crate::store::holds::HoldEnd;
use crate::store::ids::IdRun;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::parcels::NewParcel;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store, StoreError};

/// Lines of a request at most.
pub const LINES_MAX: usize = 20;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct PackParcel {
    pub request: i64,
    /// As scanned.
    pub item_barcodes: Vec<Barcode>,
    pub consent: Consent,
}

/// Packs a parcel of a request.
///
/// # Errors
/// `NotFound`; `State` when the request is not for a parcel; `Invalid` naming each copy that does not belong in it, with what
/// does; `Refused` when the loan begins now and the rules are against it; a failure of the store.
pub async fn pack_parcel(
    store: &Arc<Store>,
    caller: &Caller,
    command: PackParcel,
    key: Option<IdempotencyKey>,
) -> Result<Once<ParcelOutcome>> {
    caller.require_somewhere(Right::HandleParcels)?;
    let most = i64::try_from(2 * LINES_MAX).unwrap_or(i64::MAX);
    once(store, caller, key, 2 + most * (IDS_PER_VERB + 1), command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &PackParcel, mut ids: IdRun) -> Result<ParcelOutcome> {
    let network = tx.network()?;
    let unknown = || UseCaseError::NotFound("delivery request");
    let request = tx.delivery_request(command.request)?.ok_or_else(unknown)?;
    let unit = UnitId::new(request.unit_id);
    caller.require(Right::HandleParcels, unit, &network)?;
    if request.delivery != Delivery::Parcel.code() {
        return Err(UseCaseError::State("the request is not for a parcel".into()));
    }
    let lines = lock_lines(tx, request.id)?;
    let chosen = choose(tx, &lines, &command.item_barcodes)?;
    let mut items = Vec::with_capacity(chosen.len());
    for line in &chosen {
        let (item, _) = line.ready().ok_or(UseCaseError::NotFound("item"))?;
        let loaded = tx.lock_item(Candidate::known(item, line.bib()), &network)?;
        items.push(loaded.ok_or(UseCaseError::NotFound("item"))?);
    }
    let reader = ReaderId::new(request.reader_id.ok_or_else(unknown)?);
    let now = tx.now();
    let network = tx.as_of(network, now)?;
    let packing = Packing {
        caller,
        network: &network,
        unit,
        consent: &command.consent,
        reader,
    };
    let parcel = ids.next();
    let refused = packing.pack(tx, parcel, &request, &chosen, &items, &mut ids)?;
    let cancelled = if request.rest == Rest::Cancel.code() {
        packing.cancel_rest(tx, &lines, &mut ids)?
    } else {
        Vec::new()
    };
    let event = Event::new(EventKind::ParcelPacked, tx.now(), unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(
            json!({"parcel_id": parcel, "request_id": request.id, "items": chosen.len(),
            "cancelled": cancelled.len()}),
        );
    tx.append_event(ids.next(), &event)?;
    let row = tx.parcel(parcel)?.ok_or(UseCaseError::NotFound("parcel"))?;
    let view = parcel_view(tx, row, &network)?;
    Ok(ParcelOutcome {
        slip: slip(&view, &network),
        parcel: view,
        refused,
        cancelled,
        dry_run: false,
    })
}

/// Locks the bibs of all lines and reads them.
fn lock_lines(tx: &mut WriteTx<'_>, request: i64) -> Result<Vec<RequestLine>> {
    let bibs: Vec<BibId> = tx.request_lines(request)?.iter().map(RequestLine::bib).collect();
    tx.lock_bibs(&bibs)?;
    let lines = tx.request_lines(request)?;
    if lines.iter().any(|line| !bibs.contains(&line.bib())) {
        // A merge moved a line between the look and the lock.
        return Err(StoreError::Retry(diesel::result::Error::RollbackTransaction).into());
    }
    Ok(lines)
}

/// The lines that were scanned; every wrong scan is named with what would be right.
fn choose(tx: &mut WriteTx<'_>, lines: &[RequestLine], scanned: &[Barcode]) -> Result<Vec<RequestLine>> {
    let mut open = Vec::new();
    for line in lines.iter().filter(|line| line.ready().is_some()) {
        open.push((line, tx.parcel_of_hold(line.hold_id)?));
    }
    let right: Vec<&str> = open
        .iter()
        .filter(|(_, parcel)| parcel.is_none())
        .filter_map(|(line, _)| line.ready().map(|(_, barcode)| barcode))
        .collect();
    let (mut chosen, mut faults, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (at, barcode) in scanned.iter().enumerate() {
        let found = open
            .iter()
            .find(|(line, _)| line.ready().is_some_and(|(_, known)| known == barcode.as_str()));
        let wrong = match found {
            _ if !seen.insert(barcode.as_str()) => "was scanned twice".to_owned(),
            Some((line, None)) => {
                chosen.push((*line).clone());
                continue;
            }
            Some((_, Some(parcel))) => format!("lies in parcel {parcel} already"),
            None if right.is_empty() => "is not of this request; nothing of it lies ready here".to_owned(),
            None => format!(
                "is not of this request, or not here yet; ready to be packed: {}",
                right.join(", ")
            ),
        };
        faults.push(FieldError::new(format!("item_barcodes[{at}]"), wrong));
    }
    if faults.is_empty() {
        Ok(chosen)
    } else {
        Err(UseCaseError::Invalid(faults))
    }
}

/// Who packs what for whom.
struct Packing<'a> {
    caller: &'a Caller,
    network: &'a Network,
    unit: UnitId,
    consent: &'a Consent,
    reader: ReaderId,
}

impl Packing<'_> {
    fn pack(
        &self,
        tx: &mut WriteTx<'_>,
        parcel: i64,
        request: &RequestRow,
        chosen: &[RequestLine],
        items: &[LoadedItem],
        ids: &mut IdRun,
    ) -> Result<Vec<RefusedCopy>> {
        let mut reader = self.lock_reader(tx)?;
        let now = tx.now();
        let terms: Vec<DeliveryTerms> = items
            .iter()
            .map(|item| delivery_terms(self.network, self.unit, &reader, &item.facts))
            .collect();
        let days = terms.iter().map(|terms| terms.parcel_days).min().unwrap_or_default();
        let calendar = self.network.calendar(self.unit);
        let dispatch_by = calendar.nth_open_day_after(self.network.local_day(now), days);
        tx.insert_parcel(&NewParcel {
            id: parcel,
            request: request.id,
            unit: self.unit,
            direction: Direction::Out,
            state: ParcelState::Packed,
            opened_at: now,
            dispatch_by: Some(dispatch_by),
        })?;
        let desk = self.desk();
        let mut refused = Vec::new();
        for ((line, item), terms) in chosen.iter().zip(items).zip(&terms) {
            let row = ids.next();
            tx.insert_parcel_line((row, parcel), item.facts.id, Some(line.hold_id), None, now)?;
            tx.keep_on_shelf(line.hold(), dispatch_by)?;
            if terms.clock != LoanClock::Acceptance {
                continue;
            }
            match hand_over(tx, &desk, item, &reader, ids) {
                Ok(lent) => {
                    if let Some(loan) = lent.loan {
                        tx.set_line_loan(row, loan.id, false)?;
                    }
                    reader = self.lock_reader(tx)?;
                }
                // It lies in the parcel and is judged again at dispatch.
                Err(error) => refused.push(RefusedCopy::of(&item.facts.barcode, error)?.0),
            }
        }
        Ok(refused)
    }

    /// Ends the lines that are in no parcel: the reader does not want to wait for them.
    fn cancel_rest(&self, tx: &mut WriteTx<'_>, lines: &[RequestLine], ids: &mut IdRun) -> Result<Vec<CancelledLine>> {
        let mut cancelled = Vec::new();
        for line in lines.iter().filter(|line| line.is_open()) {
            if tx.parcel_of_hold(line.hold_id)?.is_some() {
                continue;
            }
            let hold = tx.hold(line.hold())?.ok_or(UseCaseError::NotFound("hold"))?;
            let none = Consent::default();
            let act = record::act_of(self.caller, self.unit, self.network, &none, None);
            let ending = Ending {
                caller: self.caller,
                act: &act,
                consent: &none,
                network: self.network,
                hold: &hold,
                how: HoldEnd::Cancelled,
            };
            let plan = end_hold(tx, &ending, ids)?;
            cancelled.push(CancelledLine {
                hold_id: line.hold_id,
                next_step: plan
                    .item_moves
                    .map(|moves| NextStepView::of(&moves.next_step, self.network)),
            });
        }
        Ok(cancelled)
    }

    fn lock_reader(&self, tx: &mut WriteTx<'_>) -> Result<ReaderFacts> {
        tx.lock_reader(self.reader, self.network)?
            .ok_or(UseCaseError::NotFound("reader"))
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            caller: self.caller,
            unit: self.unit,
            network: self.network,
            consent: self.consent,
            due_at: None,
            link: None,
            session: None,
        }
    }
}

/// What the winning row of terms says of parcels.
pub(super) fn delivery_terms(network: &Network, unit: UnitId, reader: &ReaderFacts, item: &ItemFacts) -> DeliveryTerms {
    let situation = Situation {
        unit,
        category: reader.category,
        item_type: item.item_type,
        owner: item.owner,
        channel: Channel::Desk,
        band: reader.band,
    };
    network.winner(&situation).terms.delivery
}
