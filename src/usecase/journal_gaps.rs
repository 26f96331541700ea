//! Numbers of a journal that do not come: waited for, given up, and come after all.

use serde_json::json;

use super::journal_cursor::{MissingNumbers, WITHOUT_NUMBER};
use super::settle_quarantine::alarm_of;
use super::{Result, alarm};
use crate::clock::from_millis;
use crate::domain::device_heartbeat::AlarmKind;
use crate::domain::event::EventKind;
use crate::domain::ids::DeviceId;
use crate::domain::journal::{AfterGap, Quarantine, Settlement, after_gap, standing_between};
use crate::store::devices::Device;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::journal::cursors::CursorRow;
use crate::store::journal::entries::EntryRow;
use crate::store::journal::quarantine::QuarantineRow;
use crate::store::tx::WriteTx;

/// Ids kept for alarms and events while gaps are given up.
const KEPT_IDS: i64 = 40;

/// Gives numbers up: a line for a person.
pub(super) fn give_up(
    tx: &mut WriteTx<'_>,
    device: &Device,
    journal: i64,
    (from, to): (i64, i64),
    note: &str,
    id: i64,
) -> Result<()> {
    let now = tx.now().timestamp_millis();
    tx.insert_quarantine(&QuarantineRow {
        id,
        device_id: device.id.get(),
        journal,
        sequence: from,
        to_sequence: to,
        reason: Quarantine::Gap.code().to_owned(),
        key_id: None,
        signature: None,
        body: None,
        body_hash: None,
        claimed_at: None,
        shifted_at: None,
        received_at: now,
        settled_at: None,
        settled_how: None,
        note: (note == "lost").then(|| "the device says that they are lost".to_owned()),
    })?;
    Ok(())
}

/// Gaps that were given up and have come after all.
pub(super) fn close_gaps(tx: &mut WriteTx<'_>, cursor: CursorRow, rows: &[EntryRow]) -> Result<()> {
    let late = || {
        rows.iter()
            .map(|row| row.sequence)
            .filter(|one| *one < cursor.next_sequence)
    };
    let (Some(from), Some(to)) = (late().min(), late().max()) else {
        return Ok(());
    };
    let (device, journal, now) = (DeviceId::new(cursor.device_id), cursor.journal, tx.now());
    let mut closed = false;
    for gap in tx.open_gaps(device, journal, from, to)? {
        let came = tx.entries_between(device, journal, gap.sequence, gap.to_sequence)?;
        if came == gap.to_sequence - gap.sequence + 1 {
            tx.settle_quarantine(gap.id, Settlement::Came.code(), None, now)?;
            closed = true;
        }
    }
    if closed && tx.open_quarantine(device, Quarantine::Gap.code())? == 0 {
        alarm::clear(tx, device, AlarmKind::JournalGap, Quarantine::Gap.code())?;
    }
    Ok(())
}

/// What no key of the device had signed, and has come again under its number since the key was given: it is judged there.
pub(super) fn close_unknown(tx: &mut WriteTx<'_>, device: DeviceId, journal: i64, rows: &[EntryRow]) -> Result<()> {
    let numbers: Vec<i64> = rows.iter().map(|row| row.sequence).collect();
    let (unknown, now) = (Quarantine::UnknownKey, tx.now());
    let mut closed = false;
    for line in tx.quarantined(device, journal, &numbers)? {
        let open = line.settled_at.is_none() && line.reason == unknown.code();
        let same = |row: &EntryRow| row.sequence == line.sequence && Some(&row.body_hash) == line.body_hash.as_ref();
        if open && rows.iter().any(same) {
            tx.settle_quarantine(line.id, Settlement::Came.code(), None, now)?;
            closed = true;
        }
    }
    if closed && tx.open_quarantine(device, unknown.code())? == 0 {
        alarm::clear(tx, device, alarm_of(unknown), unknown.code())?;
    }
    Ok(())
}

/// Where the journal stands now. What is missing for too long is given up, and the rest goes on.
pub(super) fn advance(
    tx: &mut WriteTx<'_>,
    device: &Device,
    cursor: CursorRow,
    ids: &mut IdRun,
) -> Result<(CursorRow, Vec<MissingNumbers>)> {
    let now = tx.now();
    let (id, journal, next) = (device.id, cursor.journal, cursor.next_sequence);
    let numbers = tx.journal_numbers_from(id, journal, next, WITHOUT_NUMBER)?;
    let mut came: Vec<(u64, u64)> = numbers
        .into_iter()
        .map(|(from, to)| (from.cast_unsigned(), to.cast_unsigned()))
        .collect();
    let mut stands = standing_between(next.cast_unsigned(), &came);
    let since = cursor.gap_since.map_or(now, from_millis);
    if !stands.missing.is_empty() && after_gap(since, now) == AfterGap::GoesOn {
        let most = usize::try_from(ids.left() - KEPT_IDS).unwrap_or(0);
        for (from, to) in stands.missing.iter().take(most) {
            give_up(
                tx,
                device,
                journal,
                (from.cast_signed(), to.cast_signed()),
                "",
                ids.next(),
            )?;
            came.push((*from, *to));
        }
        alarm::raise(tx, id, AlarmKind::JournalGap, Quarantine::Gap.code(), ids)?;
        let detail = json!({"device_id": id, "journal": journal, "reason": Quarantine::Gap.code(),
            "entries": stands.missing.iter().take(most).map(|(from, to)| to - from + 1).sum::<u64>(),
            "from": stands.missing.first().map(|gap| gap.0), "to": stands.missing.last().map(|gap| gap.1)});
        let event = Event::new(EventKind::JournalQuarantined, now, device.unit, SYSTEM_CHANNEL)
            .by(None, Some(id))
            .detail(detail);
        tx.append_event(ids.next(), &event)?;
        stands = standing_between(next.cast_unsigned(), &came);
    }
    let gap_since = (!stands.missing.is_empty()).then(|| since.timestamp_millis());
    let cursor = CursorRow {
        next_sequence: stands.next.cast_signed(),
        gap_since,
        ..cursor
    };
    let missing = stands.missing.into_iter().map(MissingNumbers::of).collect();
    Ok((cursor, missing))
}
