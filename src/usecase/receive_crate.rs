//! Unpacking a crate: all of it, or what was scanned, with the differences. Each item is a check-in of its own in its own
//! transaction: one that staff must look at stops no other, and a call that was cut short is made up by sending it again.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::check_in::{Arrival, Told, take_back};
use super::crate_view::{CrateView, change, shown, step};
use super::record::{self, About, Consent, IDS_PER_VERB, settle};
use super::send_crate::{Departure, IDS, depart};
use super::view::{CheckInOutcome, RefusalView, refusal_views};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::barcode::Barcode;
use crate::domain::event::EventKind;
use crate::domain::hand_over::{self, Facts};
use crate::domain::ids::{BibId, CrateId, ItemId, TransitId, UnitId};
use crate::domain::network::Network;
use crate::domain::refusal::Verb;
use crate::domain::transit::{CrateAct, CrateStatus};
use crate::store::crates::{CrateChange, CrateItem, CrateRow};
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ReceiveCrate {
    pub crate_id: CrateId,
    /// Everything in it is here; nothing needs scanning.
    pub all: bool,
    pub item_barcodes: Vec<Barcode>,
    /// Nothing more comes out of it: what was not received stays under way.
    pub finish: bool,
    /// Confirms that a crate for elsewhere is unpacked here.
    pub consent: Consent,
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceivedItem {
    pub item_barcode: String,
    /// `received`: was in the crate. `surplus`: was not, and is taken in all the same. `refused`: staff must look at it
    /// (`refusals` says why). `unknown`: no item, or several, have this barcode.
    #[schema(example = "received")]
    pub result: String,
    /// What to do with it.
    pub check_in: Option<CheckInOutcome>,
    /// Why it was refused.
    pub refusals: Vec<RefusalView>,
}

/// What came out of a crate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CrateReceipt {
    /// The crate after that.
    #[serde(rename = "crate")]
    pub of: CrateView,
    /// Each with its next step.
    pub items: Vec<ReceivedItem>,
    /// How many lay in it and were taken in by this call.
    #[schema(example = 11)]
    pub received: usize,
    /// How many were in it without being on its list.
    #[schema(example = 0)]
    pub surplus: usize,
    /// Barcodes of its list that have not been received: they stay under way, and are missing after some days.
    #[schema(example = json!(["0100001234567"]))]
    pub outstanding: Vec<String>,
}

/// One thing to take in.
#[derive(Debug, Clone)]
enum Scan {
    /// A barcode, for the so many-th time: two owners may use one, so a second scan may mean a second item of the list.
    Scanned { barcode: Barcode, nth: usize },
    /// On the crate's list, and in nobody's hand.
    Listed(CrateItem),
}

/// What a scan came to, as it stands under its key. Neither received nor surplus: nothing was there to do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct TakenIn {
    /// It was to come out of this crate.
    awaited: bool,
    check_in: Option<CheckInOutcome>,
}

/// Unpacks a crate at the caller's unit.
///
/// # Errors
/// `Refused` for a crate for elsewhere, until confirmed; `State` when it has been unpacked already or has not left;
/// `NotFound`; `Forbidden`; a failure of the store, after which the same call goes on where it ended.
pub async fn receive_crate(
    store: &Arc<Store>,
    caller: &Caller,
    command: ReceiveCrate,
    key: Option<IdempotencyKey>,
) -> Result<Once<CrateReceipt>> {
    caller.require_somewhere(Right::ReceiveTransit)?;
    let unit = caller.working_unit()?;
    let list = begin(store, caller, &command, unit, key.clone()).await?;
    let mut items = Vec::new();
    for scan in list.map_or_else(Vec::new, |list| scans(&command, list, key.is_some())) {
        if is_refused(&items, &scan) {
            continue;
        }
        let key = key.as_ref().map(|key| row_key(key, &scan));
        items.extend(take_in(store, caller, (command.crate_id, unit), scan, key).await?);
    }
    let claim = key.map(|key| key.claim(caller));
    let ids = store.take_ids::<UseCaseError>(1).await?;
    let who = caller.clone();
    store
        .write_once(claim, move |tx| finish(tx, &who, &command, unit, &items, ids.clone()))
        .await
}

/// Looks whether the crate may be unpacked here, and what lay in it. `None`: this very call has done it, and the stored answer
/// will be told. A crate that is here has left where it was packed, though nobody said so.
async fn begin(
    store: &Arc<Store>,
    caller: &Caller,
    command: &ReceiveCrate,
    unit: UnitId,
    key: Option<IdempotencyKey>,
) -> Result<Option<Vec<CrateItem>>> {
    let (who, command) = (caller.clone(), command.clone());
    let claim = key.map(|key| key.claim(caller));
    let ids = store.take_ids::<UseCaseError>(IDS).await?;
    store
        .write(move |tx| {
            let network = tx.network()?;
            who.require(Right::ReceiveTransit, unit, &network)?;
            if let Some(claim) = &claim
                && tx.outcome_of(claim)?.is_some()
            {
                return Ok(None);
            }
            let row = tx.crate_row(command.crate_id)?.ok_or(UseCaseError::NotFound("crate"))?;
            may_unpack(&who, &row, &command.consent, unit, &network, tx.now())?;
            if row.state()? == CrateStatus::Closed {
                let departure = Departure::at(tx.now());
                depart(tx, &who, command.crate_id, &departure, &mut ids.clone())?;
            }
            Ok(Some(tx.crate_items(command.crate_id)?))
        })
        .await
}

fn is_outstanding(item: &CrateItem) -> bool {
    matches!(item.status.as_str(), "packed" | "sent" | "missing")
}

fn may_unpack(
    caller: &Caller,
    row: &CrateRow,
    consent: &Consent,
    unit: UnitId,
    network: &Network,
    now: DateTime<Utc>,
) -> Result<()> {
    step(row, CrateAct::Receive)?;
    if row.state()? == CrateStatus::Closed && row.at_unit_id == unit.get() {
        let reason = format!("crate {} has not left; take out of it what you need", row.label);
        return Err(UseCaseError::State(reason));
    }
    let act = record::act_of(caller, unit, network, consent, None);
    // Handed over here with a confirmation, it need not be confirmed again. Where routes meet it was handed over to go on.
    let changes_here = row.leg_to_unit_id == Some(unit.get());
    let stays = row.state()? == CrateStatus::Delivered && row.at_unit_id == unit.get() && !changes_here;
    let facts = Facts {
        act: &act,
        network,
        to: UnitId::new(row.to_unit_id),
        leg_to: stays.then_some(unit),
    };
    let about = About::crate_of(caller, Verb::HandOver, &row.label);
    settle(consent, &about, &act, now, |act| {
        hand_over::decide(&Facts { act, ..facts })
    })?;
    Ok(())
}

/// What to take in: the scans in their order, then, if everything is here, the list. A call under a key may have been cut short,
/// so that what it has taken in is asked for again, and answered as it was.
fn scans(command: &ReceiveCrate, list: Vec<CrateItem>, keyed: bool) -> Vec<Scan> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut scans = Vec::new();
    for barcode in &command.item_barcodes {
        let nth = seen.entry(barcode.as_str()).or_default();
        *nth += 1;
        let barcode = barcode.clone();
        scans.push(Scan::Scanned { barcode, nth: *nth });
    }
    if command.all {
        // Scanned as often as it is listed, it is not taken in once more.
        let unscanned = |item: &CrateItem| match seen.get_mut(item.barcode.as_str()) {
            Some(times) if *times > 0 => {
                *times -= 1;
                false
            }
            _ => true,
        };
        let listed = list.into_iter().filter(|item| keyed || is_outstanding(item));
        scans.extend(listed.filter(unscanned).map(Scan::Listed));
    }
    scans
}

/// Staff were told to look at it: a second scan finds it as it is.
fn is_refused(items: &[ReceivedItem], scan: &Scan) -> bool {
    let Scan::Scanned { barcode, .. } = scan else {
        return false;
    };
    let mut refused = items.iter().filter(|item| item.result == "refused");
    refused.any(|item| item.item_barcode == barcode.as_str())
}

/// A client's keys hold no blank, so an item's key meets no other. It says what was asked for, and not what stood in the crate
/// by then: the same call sent again finds it.
fn row_key(key: &IdempotencyKey, scan: &Scan) -> IdempotencyKey {
    let row = match scan {
        Scan::Scanned { barcode, nth } => format!("scan {nth} {}", barcode.as_str()),
        Scan::Listed(item) => format!("listed {}", item.item_id),
    };
    IdempotencyKey {
        key: format!("{} {row}", key.key),
        request_hash: key.request_hash,
    }
}

async fn take_in(
    store: &Arc<Store>,
    caller: &Caller,
    (of, unit): (CrateId, UnitId),
    scan: Scan,
    key: Option<IdempotencyKey>,
) -> Result<Option<ReceivedItem>> {
    let ids = store.take_ids::<UseCaseError>(IDS_PER_VERB).await?;
    let (who, wanted) = (caller.clone(), scan.clone());
    let claim = key.map(|key| key.claim(caller));
    let done = store
        .write_once(claim, move |tx| take_one(tx, &who, (of, unit), &wanted, ids.clone()))
        .await;
    let (result, check_in, refusals) = match done.map(|once| once.value) {
        Ok(TakenIn { check_in: None, .. }) => return Ok(None),
        Ok(taken) if taken.awaited => ("received", taken.check_in, Vec::new()),
        Ok(taken) => ("surplus", taken.check_in, Vec::new()),
        Err(UseCaseError::Refused(refusals)) => ("refused", None, refusal_views(&refusals.0)),
        Err(UseCaseError::Invalid(_) | UseCaseError::Ambiguous { .. }) => ("unknown", None, Vec::new()),
        Err(other) => return Err(other),
    };
    let item_barcode = match scan {
        Scan::Scanned { barcode, .. } => barcode.as_str().to_owned(),
        Scan::Listed(item) => item.barcode,
    };
    Ok(Some(ReceivedItem {
        item_barcode,
        result: result.to_owned(),
        check_in,
        refusals,
    }))
}

fn take_one(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (of, unit): (CrateId, UnitId),
    scan: &Scan,
    ids: IdRun,
) -> Result<TakenIn> {
    let network = tx.network()?;
    let meant = match scan {
        Scan::Scanned { barcode, nth } => scanned(tx, &network, of, barcode, *nth)?,
        Scan::Listed(item) => still_listed(tx, &network, item)?.map(|candidate| (candidate, true)),
    };
    let Some((candidate, awaited)) = meant else {
        return Ok(TakenIn::default());
    };
    let act = record::act_of(caller, unit, &network, &Consent::default(), None);
    let arrival = Arrival {
        caller,
        act: &act,
        network: &network,
        consent: &Consent::default(),
        returned_at: None,
        parcel: None,
        into: None,
        told: Told::Now,
    };
    let check_in = Some(take_back(tx, &arrival, candidate, ids)?);
    Ok(TakenIn { awaited, check_in })
}

/// The item a scan means, and whether it was to come out of the crate. A further scan of one barcode means a further item of the
/// list, or nothing.
fn scanned(
    tx: &mut WriteTx<'_>,
    network: &Network,
    of: CrateId,
    barcode: &Barcode,
    nth: usize,
) -> Result<Option<(Candidate, bool)>> {
    let lay = tx.crate_items_with(of, barcode.as_str())?;
    let known = |item: &CrateItem| Candidate::known(ItemId::new(item.item_id), BibId::new(item.bib_id));
    if let Some(item) = lay.iter().find(|item| is_outstanding(item)) {
        return Ok(Some((known(item), true)));
    }
    if nth > 1 {
        return Ok(None);
    }
    Ok(Some(match lay.first() {
        Some(item) => (known(item), false),
        None => (record::find_item(tx, network, barcode, None)?, false),
    }))
}

/// An item nobody scanned is taken in only while it is on the journey it lay in the crate for: somebody else may have taken it
/// out meanwhile, and lent it.
fn still_listed(tx: &mut WriteTx<'_>, network: &Network, item: &CrateItem) -> Result<Option<Candidate>> {
    let candidate = Candidate::known(ItemId::new(item.item_id), BibId::new(item.bib_id));
    let locked = tx.lock_item(candidate.clone(), network)?;
    let journey = locked.and_then(|locked| locked.facts.transit).map(|open| open.id);
    Ok((journey == Some(TransitId::new(item.transit_id))).then_some(candidate))
}

fn finish(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &ReceiveCrate,
    unit: UnitId,
    items: &[ReceivedItem],
    mut ids: IdRun,
) -> Result<CrateReceipt> {
    let network = tx.network()?;
    caller.require(Right::ReceiveTransit, unit, &network)?;
    let id = command.crate_id;
    let row = tx.lock_crate(id)?.ok_or(UseCaseError::NotFound("crate"))?;
    // What was confirmed when it began stays confirmed, however long it took.
    step(&row, CrateAct::Receive)?;
    let contents = tx.crate_items(id)?;
    let arrived = contents.iter().filter(|item| item.status == "received").count();
    let outstanding = contents.into_iter().filter(is_outstanding);
    let outstanding: Vec<String> = outstanding.map(|item| item.barcode).collect();
    let count = |result: &str| items.iter().filter(|item| item.result == result).count();
    let (received, surplus) = (count("received"), count("surplus"));
    if command.finish {
        let now = tx.now();
        let ended = CrateChange {
            status: Some(CrateStatus::Received.code()),
            at_unit_id: Some(unit.get()),
            ended_at: Some(now.timestamp_millis()),
            ..CrateChange::default()
        };
        let detail = json!({"crate_id": id, "to_unit_id": row.to_unit_id, "items_sent": row.items_sent,
            "received": arrived, "surplus": surplus, "outstanding": outstanding.len()});
        let told = (EventKind::CrateReceived, now, unit, detail);
        change(tx, caller, id, &ended, told, &mut ids)?;
    }
    Ok(CrateReceipt {
        of: shown(tx, id, &network)?,
        items: items.to_vec(),
        received,
        surplus,
        outstanding,
    })
}

impl Outcome for CrateReceipt {}

impl Outcome for TakenIn {}
