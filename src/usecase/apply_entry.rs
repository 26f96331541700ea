//! One entry of a journal is judged as of its time, under the locks of what it is about, and what comes of it is recorded.

use std::sync::Arc;

use super::acting_device::ActingDevice;
use super::caller::Who;
use super::doors_alone::{door_told, said_of};
use super::journal_text::{CardTold, OnItem, Told, ToldAct};
use super::judge_past::{Judged, Scene, Whose, on_item};
use super::report_gate_passages::{Passages, count_passages};
use super::{Caller, Result, UseCaseError};
use crate::auth::card_token::CardTokens;
use crate::clock::from_millis;
use crate::domain::card_token::{LEEWAY_S, Look};
use crate::domain::ids::DeviceId;
use crate::domain::network::Network;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// What an attempt to judge the next entry came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing waits.
    Nothing,
    /// Under this number.
    Judged(i64),
    /// It tells of many things.
    NeedsIds,
}

/// Judges the next entry of a journal that waits.
pub(super) fn apply_next(
    tx: &mut WriteTx<'_>,
    cards: &Arc<CardTokens>,
    (device, journal, after): (DeviceId, i64, i64),
    mut ids: IdRun,
) -> Result<Step> {
    // Whoever judges holds the device, so that acts of one journal follow each other.
    let Some(device) = tx.lock_device(device)? else {
        return Ok(Step::Nothing);
    };
    let Some(entry) = tx.next_waiting_entry(device.id, journal, after)? else {
        return Ok(Step::Nothing);
    };
    let device = ActingDevice::of(device);
    let body = entry.body.clone().unwrap_or_default();
    let told = Told::read(&body).ok_or_else(|| UseCaseError::Internal(format!("entry {} is unreadable", entry.id)))?;
    if let ToldAct::Passages(passages) = &told.act
        && ids.left() < 2 + i64::try_from(passages.checks.len()).unwrap_or(i64::MAX)
    {
        return Ok(Step::NeedsIds);
    }
    let caller = as_caller(&device);
    let scene = Scene {
        device: &device,
        caller: &caller,
        then: from_millis(entry.happened_at),
        entry: Some(entry.id),
        body: &body,
        again: false,
        door: told.act.door(),
        two_phase: told.act.is_two_phase(),
    };
    let judged = judge(tx, cards, &scene, &told, &mut ids)?;
    let now = tx.now();
    let kind = told.act.code();
    if !tx.judge_journal_entry(entry.id, &judged.row(), Some(kind), now)? {
        return Err(UseCaseError::Internal(format!(
            "entry {} was judged meanwhile",
            entry.id
        )));
    }
    Ok(Step::Judged(entry.sequence))
}

/// The device as the caller of what it did alone.
pub(super) fn as_caller(device: &ActingDevice) -> Caller {
    Caller {
        who: Who::Device {
            id: device.id,
            channel: device.kind.journal_channel(),
        },
        unit: Some(device.unit),
        session: 0,
    }
}

fn judge(
    tx: &mut WriteTx<'_>,
    cards: &Arc<CardTokens>,
    scene: &Scene<'_>,
    told: &Told,
    ids: &mut IdRun,
) -> Result<Judged> {
    match &told.act {
        ToldAct::Lost { .. } => Ok(Judged::accepted()),
        ToldAct::Passages(passages) => {
            count_passages(tx, scene.device, &shifted(passages, scene.then - told.at), ids)?;
            Ok(Judged::accepted())
        }
        ToldAct::Taken(taken, of) => said_of(tx, scene, *taken, *of, ids),
        ToldAct::Compartment(door) => door_told(tx, scene, door, ids),
        ToldAct::OnItem(act) => {
            let network = tx.network()?;
            let whose = whose(tx, cards, scene, act, &network)?;
            let found = act.item.find(tx, &network, act.owner_unit_code.as_deref());
            let candidate = match found {
                Ok(candidate) => Some(candidate),
                Err(UseCaseError::Invalid(_) | UseCaseError::Ambiguous { .. }) => None,
                Err(other) => return Err(other),
            };
            on_item(tx, scene, (act.kind, candidate, whose), false, ids)
        }
    }
}

/// The times of passages by our clock.
fn shifted(passages: &Passages, by: chrono::TimeDelta) -> Passages {
    let mut passages = passages.clone();
    for check in &mut passages.checks {
        // A time that would be none is as wrong as it was told.
        check.at = check.at.checked_add_signed(by).unwrap_or(check.at);
    }
    passages
}

/// Whose card was shown; `None`: nobody's.
fn whose(
    tx: &mut WriteTx<'_>,
    cards: &Arc<CardTokens>,
    scene: &Scene<'_>,
    act: &OnItem,
    network: &Network,
) -> Result<Option<Whose>> {
    match &act.card {
        None => Ok(None),
        Some(CardTold::Number(number)) => {
            let reader = tx.reader_of_card(number.as_str())?;
            Ok(reader.map(|reader| Whose::Card(number.as_str().to_owned(), reader, Vec::new())))
        }
        Some(CardTold::Token(token)) => {
            let Ok(token) = cards.open(token, tx.now()) else {
                return Ok(None);
            };
            let Some(card) = tx.shown_card(&token)? else {
                return Ok(None);
            };
            let scopes = super::card_session::scopes(network, scene.device.unit);
            let look = Look {
                now: scene.then,
                scopes: &scopes,
                void_until: card.void_until,
                leeway_s: LEEWAY_S,
            };
            let refused = token.judge(&look).err().map(|fault| fault.code());
            Ok(Some(Whose::Card(
                card.number,
                card.reader,
                refused.into_iter().collect(),
            )))
        }
    }
}

/// The text of an entry is of an act on an item, and this is it.
pub(super) fn act_of_text(body: &str) -> Option<OnItem> {
    match Told::read(body)?.act {
        ToldAct::OnItem(act) => Some(act),
        _ => None,
    }
}

/// Keeps of what an entry was recorded after all.
pub(super) fn keep_subject(tx: &mut WriteTx<'_>, entry: Option<i64>, judged: &Judged) -> Result<()> {
    if let Some(entry) = entry {
        tx.set_entry_subject(entry, judged.item, judged.loan)?;
    }
    Ok(())
}
