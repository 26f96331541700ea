//! What comes of an upload before any act is looked at: each entry is stored, known, or doubted; then where the journal stands.
//! One write. Nothing is refused and nothing is lost.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::journal_cursor::{MissingNumbers, WITHOUT_NUMBER, begun};
use super::journal_gaps::{advance, close_gaps, close_unknown, give_up};
use super::journal_text::{Told, ToldAct};
use super::settle_quarantine::alarm_of;
use super::upload_journal::{SentEntry, UploadJournal};
use super::{Result, UseCaseError, alarm};
use crate::auth::journal_signature::{JournalKey, SignedEntry};
use crate::domain::device::DeviceState;
use crate::domain::device_heartbeat::AlarmKind;
use crate::domain::event::EventKind;
use crate::domain::ids::DeviceId;
use crate::domain::journal::{Facts, Key, Known, Quarantine, Settlement, UploadClock, take};
use crate::store::devices::Device;
use crate::store::devices::keys::KeyRow;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::journal::cursors::CursorRow;
use crate::store::journal::entries::EntryRow;
use crate::store::journal::quarantine::QuarantineRow;
use crate::store::tx::WriteTx;

/// What came of an upload.
#[derive(Debug, Clone)]
pub(super) struct Intake {
    pub next: i64,
    pub missing: Vec<MissingNumbers>,
    /// One for each entry, in the order of the upload.
    pub taken: Vec<Taken>,
}

/// What came of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    Stored,
    /// It was stored before.
    Known,
    /// It was doubted before, for this reason.
    KnownDoubt(String),
    Doubted(Quarantine),
}

/// What is known under the numbers of an upload.
struct Before {
    stored: BTreeMap<i64, Vec<u8>>,
    /// Lines by number: hash, reason, and whether it was released.
    doubted: BTreeMap<i64, Vec<(Vec<u8>, String, bool)>>,
}

struct Work<'a> {
    device: &'a Device,
    keys: Vec<KeyRow>,
    /// The same as they count for this journal.
    ours: Vec<Key>,
    upload: &'a UploadJournal,
    clock: UploadClock,
    now: DateTime<Utc>,
    last_at: Option<DateTime<Utc>>,
    before: Before,
    rows: Vec<EntryRow>,
    lost: Vec<(i64, i64)>,
    reasons: BTreeMap<&'static str, (Quarantine, Vec<i64>)>,
}

/// Takes an upload in.
///
/// # Errors
/// A failure of the store.
pub(super) fn take_in(
    tx: &mut WriteTx<'_>,
    device: DeviceId,
    upload: &UploadJournal,
    mut ids: IdRun,
) -> Result<Intake> {
    let device = tx.lock_device(device)?.ok_or(UseCaseError::NotFound("device"))?;
    let keys = tx.device_keys(device.id)?;
    let found = tx.journal_cursor(device.id, upload.journal)?;
    let cursor = found.unwrap_or_else(|| begun(device.id, upload.journal, &keys));
    let numbers: BTreeSet<i64> = upload.entries.iter().map(|entry| entry.sequence).collect();
    let numbers: Vec<i64> = numbers.into_iter().collect();
    let last_at = match numbers.first() {
        Some(first) => tx.entry_time_before(device.id, upload.journal, *first)?,
        None => None,
    };
    let now = tx.now();
    let mut work = Work {
        device: &device,
        ours: keys_of(&keys, upload.journal),
        keys,
        upload,
        clock: UploadClock::of(upload.sent_at, now),
        now,
        last_at: last_at.map(crate::clock::from_millis),
        before: before(tx, device.id, upload.journal, &numbers)?,
        rows: Vec::new(),
        lost: Vec::new(),
        reasons: BTreeMap::new(),
    };
    let mut order: Vec<usize> = (0..upload.entries.len()).collect();
    order.sort_by_key(|place| upload.entries[*place].sequence);
    let mut taken = vec![Taken::Stored; order.len()];
    for place in order {
        taken[place] = work.take(tx, &upload.entries[place], &mut ids)?;
    }
    tx.insert_journal_entries(&work.rows)?;
    for (from, to) in &work.lost {
        give_up(tx, &device, upload.journal, (*from, *to), "lost", ids.next())?;
    }
    if found.is_none() && upload.journal > 1 && !work.rows.is_empty() {
        let subject = upload.journal.to_string();
        alarm::raise(tx, device.id, AlarmKind::JournalReplaced, &subject, &mut ids)?;
    }
    tell(tx, &work, &mut ids)?;
    close_gaps(tx, cursor, &work.rows)?;
    if !work.before.doubted.is_empty() {
        close_unknown(tx, device.id, upload.journal, &work.rows)?;
    }
    let told = work.rows.last().map(|row| row.happened_at);
    let last_at = cursor.last_at.max(told);
    let stands = advance(tx, &device, CursorRow { last_at, ..cursor }, &mut ids)?;
    let (cursor, missing) = stands;
    if found.is_some() || cursor.next_sequence > 1 || !missing.is_empty() {
        tx.set_journal_cursor(&cursor)?;
    }
    Ok(Intake {
        next: cursor.next_sequence,
        missing,
        taken,
    })
}

/// Keys in the order of what they sign, as numbers of one journal: the last of the journals before goes on until a new one begins.
fn keys_of(keys: &[KeyRow], journal: i64) -> Vec<Key> {
    let signs = keys.iter().filter(|key| key.journal <= journal);
    let key = |key: &KeyRow| Key {
        id: key.key_id.clone(),
        first_sequence: if key.journal == journal {
            key.first_sequence.cast_unsigned()
        } else {
            0
        },
        revoked: key.revoked_at.is_some(),
    };
    let mut ours: Vec<Key> = signs.map(key).collect();
    // Of those before, only the last still signs.
    let before = ours.iter().filter(|key| key.first_sequence == 0).count();
    if before > 1 {
        ours.drain(..before - 1);
    }
    ours
}

fn before(tx: &mut WriteTx<'_>, device: DeviceId, journal: i64, numbers: &[i64]) -> Result<Before> {
    let stored = tx.journal_entries(device, journal, numbers)?.into_iter();
    let mut doubted: BTreeMap<i64, Vec<(Vec<u8>, String, bool)>> = BTreeMap::new();
    for row in tx.quarantined(device, journal, numbers)? {
        let released = row.settled_how.as_deref() == Some(Settlement::Released.code());
        if let Some(hash) = row.body_hash {
            doubted
                .entry(row.sequence)
                .or_default()
                .push((hash, row.reason, released));
        }
    }
    Ok(Before {
        stored: stored.map(|row| (row.sequence, row.body_hash)).collect(),
        doubted,
    })
}

impl Before {
    /// What stands under a number, as far as the number was taken.
    fn known(&self, sequence: i64, hash: &[u8]) -> Known {
        let of = |same: bool| if same { Known::SameContent } else { Known::OtherContent };
        if let Some(stored) = self.stored.get(&sequence) {
            return of(stored == hash);
        }
        let lines = self.doubted.get(&sequence).map_or(&[][..], Vec::as_slice);
        if lines.iter().any(|(known, _, released)| *released && known == hash) {
            return Known::SameContent;
        }
        let mut took = lines
            .iter()
            .filter(|(_, reason, _)| !WITHOUT_NUMBER.contains(&reason.as_str()));
        took.next().map_or(Known::Nothing, |(known, ..)| of(known == hash))
    }

    /// Why this very content is doubted already.
    fn doubt(&self, sequence: i64, hash: &[u8]) -> Option<String> {
        let lines = self.doubted.get(&sequence)?;
        let same = lines.iter().find(|(known, ..)| known == hash)?;
        Some(same.1.clone())
    }
}

impl Work<'_> {
    fn take(&mut self, tx: &mut WriteTx<'_>, entry: &SentEntry, ids: &mut IdRun) -> Result<Taken> {
        let hash = Sha256::digest(entry.body.as_bytes()).to_vec();
        let told = Told::read(&entry.body);
        let facts = Facts {
            sequence: entry.sequence.cast_unsigned(),
            known: self.before.known(entry.sequence, &hash),
            keys: &self.ours,
            named_key: &entry.key_id,
            genuine: self.is_genuine(entry),
            at: told.as_ref().map(|told| told.at),
            clock: self.clock,
            last_at: self.last_at,
            approved_at: self.device.approved_at.unwrap_or(DateTime::<Utc>::MAX_UTC),
            retired: self.device.state() == DeviceState::Retired,
        };
        match take(&facts, self.now) {
            crate::domain::journal::Taken::Duplicate => {
                let stored = self.before.stored.contains_key(&entry.sequence);
                let doubt = self.before.doubt(entry.sequence, &hash).filter(|_| !stored);
                Ok(doubt.map_or(Taken::Known, Taken::KnownDoubt))
            }
            crate::domain::journal::Taken::Believed { happened_at } => {
                self.store(entry, hash, happened_at, told.map(|told| told.act), ids);
                Ok(Taken::Stored)
            }
            crate::domain::journal::Taken::Quarantined { reason, shifted_at } => {
                if let Some(doubt) = self.before.doubt(entry.sequence, &hash) {
                    return Ok(Taken::KnownDoubt(doubt));
                }
                let claimed_at = told.map(|told| told.at);
                self.doubt(tx, entry, (reason, claimed_at, shifted_at), hash, ids.next())?;
                Ok(Taken::Doubted(reason))
            }
        }
    }

    fn is_genuine(&self, entry: &SentEntry) -> bool {
        let key = self.keys.iter().find(|key| key.key_id == entry.key_id);
        let key = key.and_then(|key| JournalKey::of(&key.public_key));
        let signed = SignedEntry {
            device_code: &self.device.code,
            journal: self.upload.journal.cast_unsigned(),
            sequence: entry.sequence.cast_unsigned(),
            body: &entry.body,
        };
        key.is_some_and(|key| key.signed(&signed, &entry.signature))
    }

    fn store(
        &mut self,
        entry: &SentEntry,
        hash: Vec<u8>,
        happened_at: DateTime<Utc>,
        act: Option<ToldAct>,
        ids: &mut IdRun,
    ) {
        if let Some(ToldAct::Lost { from, to }) = act {
            let to = to.cast_signed().min(entry.sequence - 1);
            let from = from.cast_signed();
            if from <= to {
                self.lost.push((from, to));
            }
        }
        self.last_at = Some(happened_at);
        self.before.stored.insert(entry.sequence, hash.clone());
        self.rows.push(EntryRow {
            id: ids.next(),
            device_id: self.device.id.get(),
            journal: self.upload.journal,
            sequence: entry.sequence,
            body_hash: hash,
            body: Some(entry.body.clone()),
            happened_at: happened_at.timestamp_millis(),
            received_at: self.now.timestamp_millis(),
            verdict: "waiting".to_owned(),
            codes: String::new(),
            judged_at: None,
            item_id: None,
            loan_id: None,
            kind: None,
            failing_since: None,
        });
    }

    fn doubt(
        &mut self,
        tx: &mut WriteTx<'_>,
        entry: &SentEntry,
        (reason, claimed_at, shifted_at): (Quarantine, Option<DateTime<Utc>>, Option<DateTime<Utc>>),
        hash: Vec<u8>,
        id: i64,
    ) -> Result<()> {
        tx.insert_quarantine(&QuarantineRow {
            id,
            device_id: self.device.id.get(),
            journal: self.upload.journal,
            sequence: entry.sequence,
            to_sequence: entry.sequence,
            reason: reason.code().to_owned(),
            key_id: Some(entry.key_id.clone()),
            signature: Some(entry.signature.clone()),
            // A character that no database takes is in no text that can be read.
            body: Some(entry.body.replace('\0', "\u{fffd}")),
            body_hash: Some(hash.clone()),
            claimed_at: claimed_at.map(|at| at.timestamp_millis()),
            shifted_at: shifted_at.map(|at| at.timestamp_millis()),
            received_at: self.now.timestamp_millis(),
            settled_at: None,
            settled_how: None,
            note: None,
        })?;
        let line = (hash, reason.code().to_owned(), false);
        self.before.doubted.entry(entry.sequence).or_default().push(line);
        let found = self.reasons.entry(reason.code()).or_insert((reason, Vec::new()));
        found.1.push(entry.sequence);
        Ok(())
    }
}

/// Tells people of what is doubted: one alarm and one event for each reason.
fn tell(tx: &mut WriteTx<'_>, work: &Work<'_>, ids: &mut IdRun) -> Result<()> {
    for (reason, sequences) in work.reasons.values() {
        if reason.alarms() {
            alarm::raise(tx, work.device.id, alarm_of(*reason), reason.code(), ids)?;
        }
        let (from, to) = (sequences.iter().min(), sequences.iter().max());
        let detail = json!({"device_id": work.device.id, "journal": work.upload.journal, "reason": reason.code(),
            "entries": sequences.len(), "from": from, "to": to});
        let event = Event::new(
            EventKind::JournalQuarantined,
            work.now,
            work.device.unit,
            SYSTEM_CHANNEL,
        )
        .by(None, Some(work.device.id))
        .detail(detail);
        tx.append_event(ids.next(), &event)?;
    }
    Ok(())
}
