//! Unpacking a crate: all of it, or what was scanned, with the differences. Each item is a check-in of its own in its own
//! transaction: one that staff must look at stops no other, and a call that was cut short is made up by sending it again.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::check_in::{Arrival, take_back};
use super::crate_view::{CrateView, change, shown, step};
use super::record::{self, About, Consent, IDS_PER_VERB, settle};
use super::send_crate::{Departure, IDS, depart};
use super::view::{CheckInOutcome, RefusalView, refusal_views};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::barcode::Barcode;
use crate::domain::event::EventKind;
use crate::domain::hand_over::{self, Facts};
use crate::domain::ids::{BibId, CrateId, ItemId, UnitId};
use crate::domain::network::Network;
use crate::domain::refusal::Verb;
use crate::domain::transit::{CrateAct, CrateStatus};
use crate::store::crates::{CrateChange, CrateItem, CrateRow};
use crate::store::idempotency::Outcome;
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

/// What is known of the crate before the first item.
struct Begun {
    unit: UnitId,
    /// What was in it and has not been received.
    expected: Vec<(String, (ItemId, BibId))>,
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
    let begun = begin(store, caller, &command, unit, key.clone()).await?;
    let mut items = Vec::new();
    if let Some(begun) = &begun {
        for (barcode, known) in scans(&command, begun) {
            let key = key.as_ref().map(|key| row_key(key, &barcode, known));
            items.push(take_in(store, caller, begun.unit, barcode, known, key).await?);
        }
    }
    let claim = key.map(|key| key.claim(caller));
    let ids = store.take_ids::<UseCaseError>(1).await?;
    let who = caller.clone();
    store
        .write_once(claim, move |tx| finish(tx, &who, &command, unit, &items, ids.clone()))
        .await
}

/// Looks whether the crate may be unpacked here. `None`: this very call has done it, and the stored answer will be told. A
/// crate that is here has left where it was packed, though nobody said so.
async fn begin(
    store: &Arc<Store>,
    caller: &Caller,
    command: &ReceiveCrate,
    unit: UnitId,
    key: Option<IdempotencyKey>,
) -> Result<Option<Begun>> {
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
            let contents = tx.crate_items(command.crate_id)?;
            let expected = contents.into_iter().filter(is_outstanding);
            let expected = expected.map(|item| (item.barcode, (ItemId::new(item.item_id), BibId::new(item.bib_id))));
            Ok(Some(Begun {
                unit,
                expected: expected.collect(),
            }))
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
    // Handed over here with a confirmation, it need not be confirmed again.
    let stays = row.state()? == CrateStatus::Delivered && row.at_unit_id == unit.get();
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

type Scan = (String, Option<(ItemId, BibId)>);

/// What to take in: each item once, in the order it was scanned.
fn scans(command: &ReceiveCrate, begun: &Begun) -> Vec<Scan> {
    let mut left = begun.expected.clone();
    let mut scans: Vec<Scan> = Vec::new();
    for barcode in &command.item_barcodes {
        let text = barcode.as_str().to_owned();
        // Two owners may use one barcode, so a second scan may mean a second item of the list.
        let listed = left.iter().position(|(other, _)| *other == text);
        match listed.map(|at| left.remove(at)) {
            Some((_, known)) => scans.push((text, Some(known))),
            None if scans.iter().all(|(other, _)| *other != text) => scans.push((text, None)),
            None => {}
        }
    }
    if command.all {
        scans.extend(left.into_iter().map(|(barcode, known)| (barcode, Some(known))));
    }
    scans
}

/// A client's keys hold no blank, so an item's key meets no other.
fn row_key(key: &IdempotencyKey, barcode: &str, known: Option<(ItemId, BibId)>) -> IdempotencyKey {
    let item = known.map_or_else(|| barcode.to_owned(), |(item, _)| item.to_string());
    IdempotencyKey {
        key: format!("{} item {item}", key.key),
        request_hash: key.request_hash,
    }
}

async fn take_in(
    store: &Arc<Store>,
    caller: &Caller,
    unit: UnitId,
    barcode: String,
    known: Option<(ItemId, BibId)>,
    key: Option<IdempotencyKey>,
) -> Result<ReceivedItem> {
    let ids = store.take_ids::<UseCaseError>(IDS_PER_VERB).await?;
    let (who, text) = (caller.clone(), barcode.clone());
    let claim = key.map(|key| key.claim(caller));
    let done = store
        .write_once(claim, move |tx| -> Result<CheckInOutcome> {
            let network = tx.network()?;
            let candidate = match known {
                Some((item, bib)) => Candidate::known(item, bib),
                None => {
                    let barcode = Barcode::parse(&text)
                        .map_err(|error| UseCaseError::field("item_barcodes", error.to_string()))?;
                    record::find_item(tx, &network, &barcode, None)?
                }
            };
            let act = record::act_of(&who, unit, &network, &Consent::default(), None);
            let arrival = Arrival {
                caller: &who,
                act: &act,
                network: &network,
                consent: &Consent::default(),
                returned_at: None,
                parcel: None,
            };
            take_back(tx, &arrival, candidate, ids.clone())
        })
        .await;
    let (result, check_in, refusals) = match done {
        Ok(once) if known.is_some() => ("received", Some(once.value), Vec::new()),
        Ok(once) => ("surplus", Some(once.value), Vec::new()),
        Err(UseCaseError::Refused(refusals)) => ("refused", None, refusal_views(&refusals.0)),
        Err(UseCaseError::Invalid(_) | UseCaseError::Ambiguous { .. }) => ("unknown", None, Vec::new()),
        Err(other) => return Err(other),
    };
    Ok(ReceivedItem {
        item_barcode: barcode,
        result: result.to_owned(),
        check_in,
        refusals,
    })
}

fn finish(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &ReceiveCrate,
    unit: UnitId,
    items: &[ReceivedItem],
    mut ids: crate::store::ids::IdRun,
) -> Result<CrateReceipt> {
    let network = tx.network()?;
    caller.require(Right::ReceiveTransit, unit, &network)?;
    let id = command.crate_id;
    let row = tx.lock_crate(id)?.ok_or(UseCaseError::NotFound("crate"))?;
    may_unpack(caller, &row, &command.consent, unit, &network, tx.now())?;
    let outstanding: Vec<String> = tx
        .crate_items(id)?
        .into_iter()
        .filter(is_outstanding)
        .map(|item| item.barcode)
        .collect();
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
            "received": received, "surplus": surplus, "outstanding": outstanding.len()});
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
