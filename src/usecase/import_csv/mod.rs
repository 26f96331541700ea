//! Bringing a library's readers, cards, items, open loans and deposits over from the system it has: CSV files, read on
//! one thread and written in small chunks, so that a server on the same database is never kept waiting. A bad row is a
//! line of the report and nothing else; what a run made is a batch, which `undo_import` takes back.
//! Not for: catalogue records (see `import_marc`), or changing what is there already.

mod cards;
mod columns;
mod deposits;
mod fields;
mod items;
mod loans;
mod lookup;
mod read;
mod readers;
mod write;

use std::io::{Read, Seek};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::progress::Progress;
use super::{Result, UseCaseError};
use crate::domain::ids::UnitId;
use crate::store::Store;
use write::Target;
pub(super) use write::of_item;

/// Rejections kept with their reasons; more are only counted, so that a file of garbage cannot fill the memory.
const REJECTIONS_KEPT: usize = 10_000;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Readers,
    Cards,
    Items,
    Loans,
    Deposits,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Readers, Self::Cards, Self::Items, Self::Loans, Self::Deposits];

    /// The word of the command line and of the database.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Readers => "readers",
            Self::Cards => "cards",
            Self::Items => "items",
            Self::Loans => "loans",
            Self::Deposits => "deposits",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// A file that can be read twice: once to see its encoding.
pub trait Rereadable: Read + Seek + Send {}
impl<T: Read + Seek + Send> Rereadable for T {}

/// A file, opened.
pub struct CsvSource {
    /// As the report and the batch name it.
    pub name: String,
    pub file: Box<dyn Rereadable>,
}

/// What the caller knows about a file's encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CsvEncoding {
    /// UTF-8 if most of its lines beyond ASCII are, else GB18030.
    #[default]
    Auto,
    Utf8,
    Gb18030,
}

/// What to import, and how.
#[derive(Debug, Clone)]
pub struct CsvOptions {
    pub kind: Kind,
    /// The code of the unit whose system the file comes from: the owner of items, and the default wherever a row names no
    /// unit.
    pub owner: String,
    pub encoding: CsvEncoding,
    /// Decide and report, but change nothing.
    pub dry_run: bool,
}

/// What is wrong in one column of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// The line of the file the row begins at; the header is 1.
    pub row: u64,
    /// Absent when the row cannot be read at all.
    pub column: Option<&'static str>,
    pub reason: String,
    /// The thing is there already, as something else, or stands in the file twice.
    pub duplicate: bool,
}

/// What became of the rows.
#[derive(Debug, Clone, Serialize)]
pub struct CsvReport {
    pub kind: Kind,
    /// What `import undo` takes; absent when nothing was made.
    pub batch: Option<i64>,
    pub dry_run: bool,
    pub encoding: &'static str,
    /// Columns of the file that mean nothing here.
    pub ignored_columns: Vec<String>,
    pub rows: u64,
    pub created: u64,
    /// Present already and the same: nothing was changed.
    pub unchanged: u64,
    /// Rows turned away; each may have several rejections.
    pub rejected: u64,
    /// Of these, those turned away for being there already.
    pub duplicates: u64,
    pub seconds: f64,
    /// Set when the file could not be read to its end.
    pub broken_file: Option<String>,
    pub rejections: Vec<Rejection>,
}

impl CsvReport {
    fn reject(&mut self, faults: Vec<Rejection>) {
        self.rejected += 1;
        self.duplicates += u64::from(faults.iter().any(|fault| fault.duplicate));
        let room = REJECTIONS_KEPT.saturating_sub(self.rejections.len());
        self.rejections.extend(faults.into_iter().take(room));
    }
}

/// Imports a file. Importing it again creates nothing.
///
/// # Errors
/// `Invalid` for an unknown owner, a file without header or without a column that is needed; a failure of the store: what
/// was written before it stays as a batch, and a second run goes on from there.
pub async fn import_csv(
    store: &Arc<Store>,
    source: CsvSource,
    options: CsvOptions,
    progress: &dyn Progress,
) -> Result<CsvReport> {
    let owner = unit_of(store, options.owner.clone()).await?;
    let started = Instant::now();
    let name = source.name.clone();
    let (kind, encoding) = (options.kind, options.encoding);
    let opened = tokio::task::spawn_blocking(move || read::open(source, kind, encoding));
    let opened = opened
        .await
        .map_err(|error| UseCaseError::Internal(error.to_string()))??;
    let mut report = CsvReport {
        kind,
        batch: None,
        dry_run: options.dry_run,
        encoding: opened.encoding_name(),
        ignored_columns: opened.ignored.clone(),
        rows: 0,
        created: 0,
        unchanged: 0,
        rejected: 0,
        duplicates: 0,
        seconds: 0.0,
        broken_file: None,
        rejections: Vec::new(),
    };
    let mut target = Target::new(store, options, owner, name).await?;
    let mut chunks = read::start(opened);
    progress.begin(kind.code(), None);
    while let Some(chunk) = chunks.recv().await {
        let read = u64::try_from(chunk.rows.len() + chunk.unreadable.len()).unwrap_or(0);
        report.rows += read;
        for rejection in chunk.unreadable {
            report.reject(vec![rejection]);
        }
        report.broken_file = chunk.broken.or(report.broken_file);
        target.take(chunk.rows, &mut report).await?;
        progress.advance(read);
    }
    report.batch = target.batch();
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

async fn unit_of(store: &Arc<Store>, code: String) -> Result<UnitId> {
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = network.units().by_code(&code).map(|unit| unit.id);
            unit.ok_or_else(|| UseCaseError::field("owner", "no unit has this code"))
        })
        .await
}
