//! A person settles a line of the quarantine: what is released is judged as if it had just come.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::drain_journal::drain;
use super::list_quarantine::{QuarantineView, view};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, Store, UseCaseError, alarm};
use crate::auth::Right;
use crate::auth::card_token::CardTokens;
use crate::clock::from_millis;
use crate::domain::device_heartbeat::AlarmKind;
use crate::domain::event::EventKind;
use crate::domain::ids::DeviceId;
use crate::domain::journal::{Quarantine, Settlement};
use crate::store::Once;
use crate::store::devices::Device;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::journal::RELEASED;
use crate::store::journal::entries::EntryRow;
use crate::store::journal::quarantine::QuarantineRow;
use crate::store::tx::WriteTx;

/// What is answered.
#[derive(Debug, Clone)]
pub struct SettleQuarantine {
    pub line: i64,
    pub settlement: Settlement,
    /// Of what is released: when it really happened.
    pub at: Option<DateTime<Utc>>,
    /// Of what is discarded: why.
    pub reason: Option<String>,
}

/// Settles a line.
///
/// # Errors
/// `NotFound`, also outside the caller's subtree; `State` when it was settled before; `Invalid` naming what does not fit; a failure
/// of the store.
pub async fn settle_quarantine(
    store: &Arc<Store>,
    cards: &Arc<CardTokens>,
    caller: &Caller,
    command: SettleQuarantine,
    key: Option<IdempotencyKey>,
) -> Result<Once<QuarantineView>> {
    caller.require_somewhere(Right::SettleMachines)?;
    let released = command.settlement == Settlement::Released;
    let line = command.line;
    let mut settled = once(store, caller, key, 2, command, apply).await?;
    if released {
        let row = store
            .read(move |tx| Ok::<_, UseCaseError>(tx.quarantine_line(line)?))
            .await?;
        let device = DeviceId::new(row.ok_or(UseCaseError::NotFound("line"))?.device_id);
        drain(store, cards, device, RELEASED).await?;
        let judged = store
            .read(move |tx| Ok::<_, UseCaseError>(tx.journal_entries(device, RELEASED, &[line])?))
            .await?;
        settled.value.verdict = judged.into_iter().next().map(|entry| entry.verdict);
    }
    Ok(settled)
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &SettleQuarantine, mut ids: IdRun) -> Result<QuarantineView> {
    let missing = || UseCaseError::NotFound("line");
    let network = tx.network()?;
    let row = tx.quarantine_line(command.line)?.ok_or_else(missing)?;
    let device = tx.lock_device(DeviceId::new(row.device_id))?.ok_or_else(missing)?;
    if !caller.may(Right::SettleMachines, device.unit, &network) {
        return Err(missing());
    }
    let row = tx.lock_quarantine(command.line)?.ok_or_else(missing)?;
    if let Some(first) = &row.settled_how {
        return Err(UseCaseError::State(format!("it was settled already: {first}")));
    }
    let reason = Quarantine::from_code(&row.reason)
        .ok_or_else(|| UseCaseError::Internal(format!("line {} has no reason", row.id)))?;
    if !reason.may(command.settlement) {
        let refused = format!("{} is no answer to {reason}", command.settlement);
        return Err(UseCaseError::field("settlement", refused));
    }
    let now = tx.now();
    if command.settlement == Settlement::Released {
        release(tx, &row, command, ids.next())?;
    } else if command.settlement == Settlement::Discarded && command.reason.is_none() {
        return Err(UseCaseError::field("reason", "is needed: why it is discarded"));
    }
    tx.settle_quarantine(row.id, command.settlement.code(), command.reason.as_deref(), now)?;
    if tx.open_quarantine(device.id, &row.reason)? == 0 {
        alarm::clear(tx, device.id, alarm_of(reason), &row.reason)?;
    }
    append(tx, caller, &device, (&row, command), ids.next())?;
    let row = tx.quarantine_line(row.id)?.ok_or_else(missing)?;
    view(tx, row, &network)
}

/// The alarm that tells of such lines.
pub(super) const fn alarm_of(reason: Quarantine) -> AlarmKind {
    match reason {
        Quarantine::Gap => AlarmKind::JournalGap,
        Quarantine::Forged => AlarmKind::JournalForged,
        _ => AlarmKind::JournalQuarantined,
    }
}

/// It waits to be judged, in the journal of what was released.
fn release(tx: &mut WriteTx<'_>, row: &QuarantineRow, command: &SettleQuarantine, id: i64) -> Result<()> {
    let now = tx.now();
    let happened_at = command.at.or(row.shifted_at.map(from_millis));
    let happened_at = happened_at.ok_or_else(|| UseCaseError::field("at", "is needed: when it happened"))?;
    if happened_at > now {
        return Err(UseCaseError::field("at", "lies in the future: say when it happened"));
    }
    let (Some(body), Some(body_hash)) = (row.body.clone(), row.body_hash.clone()) else {
        return Err(UseCaseError::State("its text is not kept any more".to_owned()));
    };
    let stored = tx.journal_entries(DeviceId::new(row.device_id), row.journal, &[row.sequence])?;
    if stored.iter().any(|entry| entry.body_hash == body_hash) {
        return Err(UseCaseError::State("it came again and was judged then".to_owned()));
    }
    let entry = EntryRow {
        id,
        device_id: row.device_id,
        journal: RELEASED,
        sequence: row.id,
        body_hash,
        body: Some(body),
        happened_at: happened_at.timestamp_millis(),
        received_at: now.timestamp_millis(),
        verdict: "waiting".to_owned(),
        codes: String::new(),
        judged_at: None,
        item_id: None,
        loan_id: None,
        kind: None,
        failing_since: None,
    };
    Ok(tx.insert_journal_entries(&[entry])?)
}

fn append(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    device: &Device,
    (row, command): (&QuarantineRow, &SettleQuarantine),
    id: i64,
) -> Result<()> {
    let event = Event::new(
        EventKind::QuarantineSettled,
        tx.now(),
        device.unit,
        caller.own_channel(),
    )
    .by(caller.staff(), Some(device.id))
    .detail(
        json!({"line": row.id, "device_id": device.id, "journal": row.journal, "sequence": row.sequence,
            "to_sequence": row.to_sequence, "reason": row.reason, "settlement": command.settlement}),
    )
    .personal(json!({"note": command.reason}));
    Ok(tx.append_event(id, &event)?)
}
