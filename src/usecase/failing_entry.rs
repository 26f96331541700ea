//! An entry that a fault of our own records keeps from being judged is tried for a while, and then goes to the quarantine: a person mends
//! the records and releases it.
//! Not for: what the act says, which is never refused (`apply_entry`).

use serde_json::json;

use super::journal_text::Told;
use super::settle_quarantine::alarm_of;
use super::{Result, alarm};
use crate::clock::from_millis;
use crate::domain::event::EventKind;
use crate::domain::ids::DeviceId;
use crate::domain::journal::{AfterFault, Quarantine, after_fault};
use crate::store::devices::Device;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::journal::RELEASED;
use crate::store::journal::entries::EntryRow;
use crate::store::journal::quarantine::QuarantineRow;
use crate::store::tx::WriteTx;

/// Notes that an entry could not be judged; answers whether it was set aside. Takes up to three ids.
pub(super) fn could_not_be_judged(tx: &mut WriteTx<'_>, device: DeviceId, entry: i64, mut ids: IdRun) -> Result<bool> {
    let Some(device) = tx.lock_device(device)? else {
        return Ok(false);
    };
    let Some(entry) = tx.journal_entry(entry)?.filter(|entry| entry.verdict == "waiting") else {
        return Ok(false);
    };
    let now = tx.now();
    let Some(since) = entry.failing_since.map(from_millis) else {
        tx.entry_fails(entry.id, now)?;
        return Ok(false);
    };
    if after_fault(since, now) != AfterFault::SetAside {
        return Ok(false);
    }
    let line = set_aside(tx, &entry, ids.next())?;
    let reason = Quarantine::RecordFault;
    alarm::raise(tx, device.id, alarm_of(reason), reason.code(), &mut ids)?;
    append(tx, &device, &line, ids.next())?;
    Ok(true)
}

/// The entry becomes a line of the quarantine. What the quarantine had let through before is that line again.
fn set_aside(tx: &mut WriteTx<'_>, entry: &EntryRow, id: i64) -> Result<QuarantineRow> {
    let device = DeviceId::new(entry.device_id);
    let known = if entry.journal == RELEASED {
        tx.quarantine_line(entry.sequence)?
    } else {
        let lines = tx.quarantined(device, entry.journal, &[entry.sequence])?;
        let mut same = lines
            .into_iter()
            .filter(|line| line.body_hash.as_ref() == Some(&entry.body_hash));
        same.next()
    };
    let told = entry.body.as_deref().and_then(Told::read);
    let line = QuarantineRow {
        id: known.as_ref().map_or(id, |line| line.id),
        device_id: entry.device_id,
        journal: known.as_ref().map_or(entry.journal, |line| line.journal),
        sequence: known.as_ref().map_or(entry.sequence, |line| line.sequence),
        to_sequence: known.as_ref().map_or(entry.sequence, |line| line.to_sequence),
        reason: Quarantine::RecordFault.code().to_owned(),
        key_id: None,
        signature: None,
        body: entry.body.clone(),
        body_hash: Some(entry.body_hash.clone()),
        claimed_at: told.map(|told| told.at.timestamp_millis()),
        shifted_at: Some(entry.happened_at),
        received_at: entry.received_at,
        settled_at: None,
        settled_how: None,
        note: None,
    };
    tx.remove_waiting_entry(entry.id)?;
    if known.is_some() {
        tx.reopen_quarantine(&line)?;
    } else {
        tx.insert_quarantine(&line)?;
    }
    Ok(line)
}

fn append(tx: &mut WriteTx<'_>, device: &Device, line: &QuarantineRow, id: i64) -> Result<()> {
    let detail = json!({"device_id": device.id, "journal": line.journal, "reason": line.reason,
        "entries": 1, "from": line.sequence, "to": line.to_sequence});
    let event = Event::new(EventKind::JournalQuarantined, tx.now(), device.unit, SYSTEM_CHANNEL)
        .by(None, Some(device.id))
        .detail(detail);
    Ok(tx.append_event(id, &event)?)
}
