//! A person settles what contradicts the records. Once: a second answer is told the first.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::acting_device::ActingDevice;
use super::apply_entry::{act_of_text, as_caller, keep_subject};
use super::check_in::{Arrival, Told, take_back};
use super::compartment_record;
use super::item_shown::ItemShown;
use super::judge_past::{Judged, Scene, Whose, on_item};
use super::list_conflicts::{ConflictView, view};
use super::once::once;
use super::record::{self, Consent};
use super::{Caller, IdempotencyKey, Result, Store, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::act::Act;
use crate::domain::barcode::CardNumber;
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, DeviceId, ItemId, ReaderId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::journal_act::{ActKind, Verdict};
use crate::domain::journal_conflict::{ConflictReason, Obstacle, Resolution, resolve};
use crate::domain::network::Network;
use crate::domain::reader::Channel;
use crate::store::Once;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::journal::conflicts::ConflictRow;
use crate::store::tx::WriteTx;

/// Ids that settling may use up.
const IDS: i64 = 60;

/// What is answered.
#[derive(Debug, Clone)]
pub struct ResolveConflict {
    pub conflict: i64,
    pub resolution: Resolution,
    /// Why.
    pub reason: String,
    /// Of `reader_is`.
    pub card_number: Option<CardNumber>,
    /// Of `item_is`.
    pub item: Option<ItemShown>,
    pub owner_unit_code: Option<String>,
}

/// What came of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConflictResolved {
    /// The line of the queue as it is now.
    pub conflict: ConflictView,
    /// What the act was judged to be: `accepted`, `accepted_despite`, or `conflict` when something else contradicts it, which is
    /// another line of the queue. Absent where nothing was recorded of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "accepted")]
    pub verdict: Option<String>,
    /// What would have refused it.
    #[schema(example = json!(["limit_loans"]))]
    pub codes: Vec<String>,
    /// The loan that was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1043)]
    pub loan_id: Option<i64>,
}

impl Outcome for ConflictResolved {
    fn reader_id(&self) -> Option<i64> {
        self.conflict.reader_id
    }
}

/// Settles a contradiction.
///
/// # Errors
/// `NotFound`, also outside the caller's subtree; `State` when it was settled before, or the records leave no room for the answer;
/// `Invalid` naming what does not fit it; a failure of the store.
pub async fn resolve_conflict(
    store: &Arc<Store>,
    caller: &Caller,
    command: ResolveConflict,
    key: Option<IdempotencyKey>,
) -> Result<Once<ConflictResolved>> {
    caller.require_somewhere(Right::SettleMachines)?;
    once(store, caller, key, IDS, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &ResolveConflict, mut ids: IdRun) -> Result<ConflictResolved> {
    let missing = || UseCaseError::NotFound("conflict");
    let network = tx.network()?;
    let (row, ..) = tx.lock_conflict(command.conflict)?.ok_or_else(missing)?;
    if !caller.may(Right::SettleMachines, UnitId::new(row.unit_id), &network) {
        return Err(missing());
    }
    fits(&row, command)?;
    let now = tx.now();
    tx.resolve_conflict(row.id, command.resolution.code(), &command.reason, now)?;
    let judged = match command.resolution {
        Resolution::RecordStands => record_stands(tx, &row, &network)?,
        Resolution::ItemHere => item_here(tx, caller, &row, &network, &mut ids)?,
        Resolution::ActStands | Resolution::ReaderIs | Resolution::ItemIs => {
            again(tx, command, &row, &network, &mut ids)?
        }
    };
    if let Some(judged) = &judged {
        keep_subject(tx, row.entry_id, judged)?;
    }
    append(tx, caller, command, &row, ids.next())?;
    let seen = tx.conflict(row.id)?.ok_or_else(missing)?;
    Ok(answer(view(tx, seen, &network)?, judged))
}

fn fits(row: &ConflictRow, command: &ResolveConflict) -> Result<()> {
    let unknown = || UseCaseError::Internal(format!("conflict {} has no reason", row.id));
    let reason = ConflictReason::from_code(&row.reason).ok_or_else(unknown)?;
    let resolved = row.resolution.as_deref().and_then(Resolution::from_code);
    resolve(reason, resolved, command.resolution).map_err(|obstacle| match obstacle {
        Obstacle::Resolved(_) => UseCaseError::State(obstacle.to_string()),
        Obstacle::DoesNotFit(..) => UseCaseError::field("resolution", obstacle.to_string()),
    })?;
    let needs = |is: bool, given: bool, field: &'static str, of: &str| match (is, given) {
        (true, false) => Err(UseCaseError::field(field, format!("is needed with {of}"))),
        (false, true) => Err(UseCaseError::field(field, format!("belongs to {of} only"))),
        _ => Ok(()),
    };
    let (resolution, card, item) = (command.resolution, &command.card_number, &command.item);
    needs(
        resolution == Resolution::ReaderIs,
        card.is_some(),
        "card_number",
        "reader_is",
    )?;
    needs(
        resolution == Resolution::ItemIs,
        item.is_some(),
        "item_barcode",
        "item_is",
    )
}

fn answer(conflict: ConflictView, judged: Option<Judged>) -> ConflictResolved {
    let verdict = judged.as_ref().map(|judged| match judged.verdict {
        Verdict::Accepted => "accepted",
        Verdict::AcceptedDespite => "accepted_despite",
        Verdict::Conflict(_) => "conflict",
    });
    ConflictResolved {
        conflict,
        verdict: verdict.map(str::to_owned),
        codes: judged
            .iter()
            .flat_map(|judged| &judged.codes)
            .map(|code| code.code().to_owned())
            .collect(),
        loan_id: judged.and_then(|judged| judged.loan),
    }
}

/// Nothing is recorded; a copy that waited only for this answer is on loan as before.
fn record_stands(tx: &mut WriteTx<'_>, row: &ConflictRow, network: &Network) -> Result<Option<Judged>> {
    let Some(candidate) = candidate(tx, row)? else {
        return Ok(None);
    };
    let Some(item) = tx.lock_item(candidate, network)? else {
        return Ok(None);
    };
    let Some(lent) = &item.loan else { return Ok(None) };
    if item.facts.status == ItemStatus::NeedsAttention {
        let (facts, at) = (&item.facts, record::now_for(tx, &item.facts));
        record::place(tx, facts.id, (facts.status, ItemStatus::OnLoan), facts.current, at)?;
    }
    // The reader has it: whatever a machine saw behind its door is something else.
    compartment_record::left(tx, item.compartment.filter(|_| !lent.loan.unconfirmed))?;
    Ok(None)
}

/// Somebody has it in hand: whatever is open ends, and it is checked in where they work.
fn item_here(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    row: &ConflictRow,
    network: &Network,
    ids: &mut IdRun,
) -> Result<Option<Judged>> {
    let named = candidate(tx, row)?;
    let candidate = named.ok_or_else(|| UseCaseError::State("nobody knows which item it was about".to_owned()))?;
    let act = Act::at(caller.unit.unwrap_or(UnitId::new(row.unit_id)), Channel::Desk);
    let arrival = Arrival {
        caller,
        act: &act,
        network,
        consent: &Consent::default(),
        returned_at: None,
        parcel: None,
        into: None,
        told: Told::Settled,
    };
    take_back(tx, &arrival, candidate, ids.clone())?;
    for _ in 0..record::IDS_PER_VERB {
        ids.next();
    }
    Ok(None)
}

fn candidate(tx: &mut WriteTx<'_>, row: &ConflictRow) -> Result<Option<Candidate>> {
    let Some(item) = row.item_id.map(ItemId::new) else {
        return Ok(None);
    };
    let known = tx.item_view(item)?;
    Ok(known.map(|known| Candidate::known(item, BibId::new(known.bib_id))))
}

/// The act is judged again, with what the person said.
fn again(
    tx: &mut WriteTx<'_>,
    command: &ResolveConflict,
    row: &ConflictRow,
    network: &Network,
    ids: &mut IdRun,
) -> Result<Option<Judged>> {
    let Some(act) = row.body.as_deref().and_then(act_of_text) else {
        return Err(without_act());
    };
    let device = tx.device(DeviceId::new(row.device_id))?;
    let device = ActingDevice::of(device.ok_or(UseCaseError::NotFound("device"))?);
    // Where it stood then.
    let device = ActingDevice {
        unit: UnitId::new(row.unit_id),
        ..device
    };
    let caller = as_caller(&device);
    let scene = Scene {
        device: &device,
        caller: &caller,
        then: from_millis(row.happened_at),
        entry: row.entry_id,
        body: row.body.as_deref().unwrap_or_default(),
        again: true,
        door: None,
        two_phase: false,
    };
    let known = row.reader_id.map(|reader| Whose::Reader(ReaderId::new(reader)));
    let (candidate, whose) = match command.resolution {
        Resolution::ItemIs => (shown(tx, command, network)?, known),
        Resolution::ReaderIs => (candidate(tx, row)?, Some(holder(tx, command)?)),
        _ => (candidate(tx, row)?, known),
    };
    let stands = command.resolution == Resolution::ActStands;
    if stands && act.kind != ActKind::CheckIn && whose.is_none() {
        return Err(UseCaseError::State(
            "nobody has the card of that act any more".to_owned(),
        ));
    }
    on_item(tx, &scene, (act.kind, candidate, whose), stands, ids).map(Some)
}

/// There is no act on an item that could be judged again.
fn without_act() -> UseCaseError {
    UseCaseError::State(
        "the text of that act is gone: its reader was erased, or nobody answered for 180 days; nothing can be recorded of it; answer \
         record_stands, or item_here with the item in hand"
            .to_owned(),
    )
}

fn shown(tx: &mut WriteTx<'_>, command: &ResolveConflict, network: &Network) -> Result<Option<Candidate>> {
    let Some(item) = &command.item else { return Ok(None) };
    item.find(tx, network, command.owner_unit_code.as_deref()).map(Some)
}

fn holder(tx: &mut WriteTx<'_>, command: &ResolveConflict) -> Result<Whose> {
    let card = command.card_number.as_ref().map_or("", CardNumber::as_str);
    let reader = tx.reader_of_card(card)?;
    let reader = reader.ok_or_else(|| UseCaseError::field("card_number", super::lend_to::UNKNOWN_CARD))?;
    Ok(Whose::Card(card.to_owned(), reader, Vec::new()))
}

fn append(tx: &mut WriteTx<'_>, caller: &Caller, command: &ResolveConflict, row: &ConflictRow, id: i64) -> Result<()> {
    let unit = UnitId::new(row.unit_id);
    let event = Event::new(EventKind::ConflictResolved, tx.now(), unit, caller.own_channel())
        .by(caller.staff(), Some(DeviceId::new(row.device_id)))
        .detail(
            json!({"conflict_id": row.id, "reason": row.reason, "resolution": command.resolution,
            "entry_id": row.entry_id, "item_id": row.item_id, "loan_id": row.loan_id}),
        )
        .personal(json!({"note": command.reason}));
    Ok(tx.append_event(id, &event)?)
}
