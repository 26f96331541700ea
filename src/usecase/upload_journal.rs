//! A device tells what it did without the network. A batch is stored in one write, in which signatures, numbers and clocks are
//! judged; from then on nothing is lost. Then each act is judged by itself ([`super::drain_journal`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acting_device::{acting_device, device_of};
use super::drain_journal::drain;
use super::journal_cursor::MissingNumbers;
use super::journal_intake::{Intake, Taken, take_in};
use super::{Caller, Result, Store, UseCaseError};
use crate::auth::Right;
use crate::auth::card_token::CardTokens;
use crate::domain::ids::DeviceId;
use crate::store::journal::entries::EntryRow;

/// Entries of one upload.
pub const MAX_ENTRIES: usize = 200;

/// One upload.
#[derive(Debug, Clone)]
pub struct UploadJournal {
    /// Which; another one after the memory was replaced.
    pub journal: i64,
    /// The device's clock.
    pub sent_at: DateTime<Utc>,
    pub entries: Vec<SentEntry>,
}

/// An entry as it was sent.
#[derive(Debug, Clone)]
pub struct SentEntry {
    pub sequence: i64,
    pub key_id: String,
    /// As it was signed.
    pub body: String,
    pub signature: String,
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalUploaded {
    /// Which journal.
    #[schema(example = 1)]
    pub journal: i64,
    /// The device may forget everything up to this number; 0: nothing yet.
    #[schema(example = 4900)]
    pub acknowledged_to: i64,
    /// The number that is expected next.
    #[schema(example = 4901)]
    pub next: i64,
    /// Numbers before the last that has come: send them.
    pub missing: Vec<MissingNumbers>,
    /// One line for each entry, in the order of the upload.
    pub results: Vec<EntryResult>,
    /// How many entries of the upload got which verdict.
    #[schema(example = json!({"accepted": 188, "duplicate": 2}))]
    pub counts: BTreeMap<String, u32>,
}

/// What became of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EntryResult {
    /// Which.
    #[schema(example = 4711)]
    pub sequence: i64,
    /// `accepted`, `accepted_despite`, `duplicate`, `conflict`, `quarantined` or `waiting`.
    #[schema(example = "accepted_despite")]
    pub verdict: String,
    /// Of a duplicate: the verdict it got when it came first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "accepted")]
    pub first: Option<String>,
    /// What would have refused it then.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(example = json!(["limit_loans"]))]
    pub codes: Vec<String>,
    /// Why it is quarantined.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "clock_wrong")]
    pub reason: Option<String>,
}

/// Takes an upload of the calling device.
///
/// # Errors
/// `Forbidden` for whoever is no device at work; a failure of the store, after which the same upload is sent again.
pub async fn upload_journal(
    store: &Arc<Store>,
    cards: &Arc<CardTokens>,
    caller: &Caller,
    upload: UploadJournal,
) -> Result<JournalUploaded> {
    caller.require_somewhere(Right::OperateDevice)?;
    let who = caller.clone();
    let device = store
        .read(move |tx| Ok::<_, UseCaseError>(acting_device(tx, &who, None)?.id))
        .await?;
    taken(store, cards, device, upload).await
}

/// Takes an upload that staff read out of a device's memory, whatever state the device is in.
///
/// # Errors
/// `NotFound`, also for a device of another unit; a failure of the store.
pub async fn upload_device_journal(
    store: &Arc<Store>,
    cards: &Arc<CardTokens>,
    caller: &Caller,
    device: DeviceId,
    upload: UploadJournal,
) -> Result<JournalUploaded> {
    caller.require_somewhere(Right::SettleMachines)?;
    let who = caller.clone();
    let device = store
        .read(move |tx| Ok::<_, UseCaseError>(device_of(tx, &who, device, Right::SettleMachines)?.id))
        .await?;
    taken(store, cards, device, upload).await
}

async fn taken(
    store: &Arc<Store>,
    cards: &Arc<CardTokens>,
    device: DeviceId,
    upload: UploadJournal,
) -> Result<JournalUploaded> {
    let journal = upload.journal;
    // A row for each entry; an alarm and an event for each reason; gaps that are given up; the memory that was replaced.
    let most = 2 * upload.entries.len() + 60;
    let ids = store
        .take_ids::<UseCaseError>(i64::try_from(most).unwrap_or(i64::MAX))
        .await?;
    let upload = Arc::new(upload);
    let sent = Arc::clone(&upload);
    let intake = store.write(move |tx| take_in(tx, device, &sent, ids.clone())).await?;
    drain(store, cards, device, journal).await?;
    answer(store, device, &upload, intake).await
}

async fn answer(
    store: &Arc<Store>,
    device: DeviceId,
    upload: &UploadJournal,
    intake: Intake,
) -> Result<JournalUploaded> {
    let (journal, numbers) = (upload.journal, upload.entries.iter().map(|entry| entry.sequence));
    let numbers: BTreeSet<i64> = numbers.collect();
    let numbers: Vec<i64> = numbers.into_iter().collect();
    let stored = store
        .read(move |tx| Ok::<_, UseCaseError>(tx.journal_entries(device, journal, &numbers)?))
        .await?;
    let stored: BTreeMap<i64, EntryRow> = stored.into_iter().map(|row| (row.sequence, row)).collect();
    let lines = upload.entries.iter().zip(&intake.taken);
    let results: Vec<EntryResult> = lines
        .map(|(entry, taken)| line(entry.sequence, taken, stored.get(&entry.sequence)))
        .collect();
    let mut counts = BTreeMap::new();
    for line in &results {
        *counts.entry(line.verdict.clone()).or_insert(0) += 1;
    }
    Ok(JournalUploaded {
        journal,
        acknowledged_to: intake.next - 1,
        next: intake.next,
        missing: intake.missing,
        results,
        counts,
    })
}

fn line(sequence: i64, taken: &Taken, stored: Option<&EntryRow>) -> EntryResult {
    let verdict = stored.map_or("waiting", |row| row.verdict.as_str()).to_owned();
    let codes = stored.map(|row| row.codes.split(',').filter(|code| !code.is_empty()));
    let codes: Vec<String> = codes.into_iter().flatten().map(str::to_owned).collect();
    let bare = EntryResult {
        sequence,
        verdict: String::new(),
        first: None,
        codes: Vec::new(),
        reason: None,
    };
    match taken {
        Taken::Stored => EntryResult { verdict, codes, ..bare },
        Taken::Known => EntryResult {
            verdict: "duplicate".to_owned(),
            first: Some(verdict),
            codes,
            ..bare
        },
        Taken::KnownDoubt(reason) => EntryResult {
            verdict: "duplicate".to_owned(),
            first: Some("quarantined".to_owned()),
            reason: Some(reason.clone()),
            ..bare
        },
        Taken::Doubted(reason) => EntryResult {
            verdict: "quarantined".to_owned(),
            reason: Some(reason.code().to_owned()),
            ..bare
        },
    }
}
