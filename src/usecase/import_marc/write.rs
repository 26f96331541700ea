//! Matching a chunk with the catalogue and storing what is new, in one short transaction. The decision is taken inside
//! it: what another import created a moment ago is found.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::super::{Result, UseCaseError};
use super::parse::Prepared;
use super::{ImportReport, Rejected};
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, UnitId};
use crate::store::bulk::{BibWithIsbns, KnownBibs, PastVisits};
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Store, StoreError};

/// Where chunks go.
pub(super) struct Target {
    store: Arc<Store>,
    unit: UnitId,
    dry_run: bool,
    /// Dry run: hashes of the numbers that earlier chunks would have brought in.
    seen: HashSet<u64>,
}

/// Created and merged.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    created: u64,
    merged: u64,
}

impl Target {
    pub(super) fn new(store: Arc<Store>, unit: UnitId, dry_run: bool) -> Self {
        Self {
            store,
            unit,
            dry_run,
            seen: HashSet::new(),
        }
    }

    /// Writes a chunk. If the database turns it down, its records go one by one, and only the bad one is rejected.
    pub(super) async fn take(&mut self, records: Vec<Prepared>, report: &mut ImportReport) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let records = Arc::new(records);
        match self.write(Arc::clone(&records)).await {
            Ok(counted) => {
                report.created += counted.created;
                report.merged += counted.merged;
                Ok(())
            }
            Err(error) if !is_about_a_record(&error) => Err(error),
            Err(error) if records.len() == 1 => {
                let record = &records[0];
                let reason = format!("the database does not take it: {error}");
                report.reject(Rejected {
                    file: record.file.to_string(),
                    record: record.number,
                    reason,
                });
                Ok(())
            }
            Err(_) => {
                for record in records.iter() {
                    Box::pin(self.take(vec![record.clone()], report)).await?;
                }
                Ok(())
            }
        }
    }

    async fn write(&mut self, records: Arc<Vec<Prepared>>) -> Result<Counted> {
        if self.dry_run {
            return self.pretend(records).await;
        }
        let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
        let ids: IdRun = self.store.take_ids::<UseCaseError>(2 * count).await?;
        let unit = self.unit;
        self.store.write(move |tx| apply(tx, unit, &records, ids.clone())).await
    }

    async fn pretend(&mut self, records: Arc<Vec<Prepared>>) -> Result<Counted> {
        let looked_up = Arc::clone(&records);
        let mut known = self
            .store
            .read(move |tx| known(tx, &looked_up).map_err(UseCaseError::from))
            .await?;
        let mut counted = Counted::default();
        for record in records.iter() {
            let (sought, left) = hashes(&record.row);
            if matching(&known, &record.row).is_some() || sought.iter().any(|hash| self.seen.contains(hash)) {
                counted.merged += 1;
            } else {
                counted.created += 1;
                learn(&mut known, &record.row, BibId::new(0));
                self.seen.extend(left);
            }
        }
        Ok(counted)
    }
}

/// The database refuses what a record holds; anything else would refuse the next record too.
fn is_about_a_record(error: &UseCaseError) -> bool {
    matches!(
        error,
        UseCaseError::Store(StoreError::Database(_) | StoreError::Conflict(_))
    )
}

fn apply(tx: &mut WriteTx<'_>, unit: UnitId, records: &[Prepared], mut ids: IdRun) -> Result<Counted> {
    tx.lock_matching()?;
    let now = tx.now();
    let mut known = known(tx, records)?;
    let mut created: Vec<BibWithIsbns> = Vec::new();
    let mut events = Vec::with_capacity(records.len());
    for record in records {
        let mut event = Event::new(EventKind::BibMerged, now, unit, SYSTEM_CHANNEL);
        event.bib = matching(&known, &record.row);
        event.clc_class = record.row.bib.clc_class.as_deref();
        if event.bib.is_none() {
            let mut row = record.row.clone();
            row.bib.id = ids.next();
            (row.bib.created_at, row.bib.updated_at) = (now.timestamp_millis(), now.timestamp_millis());
            let id = BibId::new(row.bib.id);
            learn(&mut known, &row, id);
            (event.kind, event.bib) = (EventKind::BibCreated, Some(id));
            created.push(row);
        }
        events.push(event);
    }
    tx.insert_bibs(&created.iter().collect::<Vec<_>>())?;
    tx.append_events(&mut ids, &PastVisits::new()?, &events)?;
    let (all, new) = (events.len(), created.len());
    Ok(Counted {
        created: u64::try_from(new).unwrap_or(0),
        merged: u64::try_from(all - new).unwrap_or(0),
    })
}

fn known(tx: &mut ReadTx<'_>, records: &[Prepared]) -> std::result::Result<KnownBibs, StoreError> {
    let isbns: Vec<String> = records
        .iter()
        .flat_map(|record| record.row.isbns.iter().cloned())
        .collect();
    let numbers: Vec<String> = records
        .iter()
        .filter_map(|record| record.row.bib.control_number.clone())
        .collect();
    tx.known_bibs(&isbns, &numbers)
}

/// The first bib with one of the ISBNs, else with the control number. Libraries count from one: where both have ISBNs and none
/// is the same, an equal control number says nothing.
fn matching(known: &KnownBibs, row: &BibWithIsbns) -> Option<BibId> {
    let by_isbn = row.isbns.iter().find_map(|isbn| known.by_isbn.get(isbn));
    let numbered = if row.isbns.is_empty() {
        &known.by_control_number
    } else {
        &known.without_isbn
    };
    let by_number = || numbered.get(row.bib.control_number.as_deref()?);
    by_isbn.or_else(by_number).copied()
}

/// The records behind it in the chunk find it.
fn learn(known: &mut KnownBibs, row: &BibWithIsbns, id: BibId) {
    for isbn in &row.isbns {
        known.by_isbn.entry(isbn.clone()).or_insert(id);
    }
    if let Some(number) = &row.bib.control_number {
        if row.isbns.is_empty() {
            known.without_isbn.entry(number.clone()).or_insert(id);
        }
        known.by_control_number.entry(number.clone()).or_insert(id);
    }
}

/// Hashes of what a record is matched by, and of what later ones match it by. Kinds of numbers stay apart: 0 an ISBN, 1 a
/// control number, 2 the control number of a record without ISBN.
fn hashes(row: &BibWithIsbns) -> (Vec<u64>, Vec<u64>) {
    let isbns: Vec<u64> = row.isbns.iter().map(|isbn| hash(&(0_u8, isbn.as_str()))).collect();
    let (mut sought, mut left) = (isbns.clone(), isbns);
    if let Some(number) = row.bib.control_number.as_deref() {
        let bare = row.isbns.is_empty();
        sought.push(hash(&(if bare { 1 } else { 2 }, number)));
        left.push(hash(&(1, number)));
        left.extend(bare.then(|| hash(&(2, number))));
    }
    (sought, left)
}

fn hash(number: &(u8, &str)) -> u64 {
    let mut hasher = DefaultHasher::new();
    number.hash(&mut hasher);
    hasher.finish()
}
