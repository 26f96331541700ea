//! Bringing MARC records into the catalogue: files are read on one thread and written in small chunks, so that a
//! server on the same database is never kept waiting. A bad record is a line of the report and nothing else.
//! Not for: reading MARC (see `catalogue::marc`), or items. A holding in a record names no barcode, so no item can be
//! made of it.

pub(super) mod parse;
mod write;

use std::io::BufRead;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::progress::Progress;
use super::{Result, UseCaseError};
use crate::catalogue::marc::ReadOptions;
use crate::domain::ids::UnitId;
use crate::store::Store;

pub(super) use parse::prepare;
use write::Target;

/// Rejections kept with their reasons; more are only counted, so that a file of garbage cannot fill the memory.
const REJECTIONS_KEPT: usize = 10_000;

/// A file, opened.
pub struct Source {
    /// As the report names it.
    pub name: String,
    pub reader: Box<dyn BufRead + Send>,
}

/// What to import, and how.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    pub read: ReadOptions,
    /// The code of the unit the records are imported for; the events name it.
    pub owner: Option<String>,
    /// Decide and report, but change nothing.
    pub dry_run: bool,
}

/// A record that was turned away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    pub file: String,
    /// From 1, bad records counted.
    pub record: u64,
    pub reason: String,
}

/// What became of the records.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ImportReport {
    pub records: u64,
    pub created: u64,
    /// Present already, by ISBN or control number: nothing was changed.
    pub merged: u64,
    pub rejected: u64,
    pub seconds: f64,
    pub records_per_second: f64,
    pub dry_run: bool,
    /// Files that could not be read to their end.
    pub broken_files: Vec<String>,
    pub rejections: Vec<Rejected>,
}

impl ImportReport {
    fn reject(&mut self, rejected: Rejected) {
        self.rejected += 1;
        if self.rejections.len() < REJECTIONS_KEPT {
            self.rejections.push(rejected);
        }
    }
}

/// Imports files one after the other. Importing the same file again creates nothing.
///
/// # Errors
/// An unknown owner, or a failure of the store; what was written before it stays, and a second run goes on from there.
pub async fn import_marc(
    store: &Arc<Store>,
    sources: Vec<Source>,
    options: ImportOptions,
    progress: &dyn Progress,
) -> Result<ImportReport> {
    let unit = unit_of(store, options.owner).await?;
    let started = Instant::now();
    let mut report = ImportReport {
        dry_run: options.dry_run,
        ..ImportReport::default()
    };
    let mut target = Target::new(Arc::clone(store), unit, options.dry_run);
    let mut chunks = parse::start(sources, options.read);
    progress.begin("records", None);
    while let Some(chunk) = chunks.recv().await {
        let read = chunk.records.len() + chunk.rejected.len();
        report.records += u64::try_from(read).unwrap_or(0);
        chunk.rejected.into_iter().for_each(|rejected| report.reject(rejected));
        report.broken_files.extend(chunk.broken_file);
        target.take(chunk.records, &mut report).await?;
        progress.advance(u64::try_from(read).unwrap_or(0));
    }
    report.seconds = started.elapsed().as_secs_f64();
    report.records_per_second = (report.records as f64 / report.seconds.max(0.001) * 10.0).round() / 10.0;
    Ok(report)
}

/// The unit the events name: the owner, or the root of the network.
async fn unit_of(store: &Arc<Store>, owner: Option<String>) -> Result<UnitId> {
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = match &owner {
                None => network.units().root(),
                Some(code) => network.units().by_code(code),
            };
            unit.map(|unit| unit.id)
                .ok_or_else(|| UseCaseError::field("owner", "no unit has this code"))
        })
        .await
}
