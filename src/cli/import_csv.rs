//! `tongjie import csv`, `import list` and `import undo`: opens the file, runs the import or takes it back, prints what became
//! of the rows, or which batches there are.

use std::fs::File;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::progress::Bars;
use super::{CliError, close, open};
use crate::config::Config;
use crate::usecase::import_csv::{CsvEncoding, CsvOptions, CsvReport, CsvSource, Kind, import_csv};
use crate::usecase::list_imports::{ImportList, list_imports};
use crate::usecase::undo_import::{UndoReport, undo_import};

/// Rejections printed; all are in the report.
const SHOWN: usize = 20;

#[derive(Debug, Args)]
pub struct CsvArgs {
    /// What the rows are; bring them in this order
    #[arg(value_enum)]
    pub kind: KindArg,
    pub file: PathBuf,
    /// Code of the unit whose system the file comes from: owner of the items, and the unit wherever a row names none
    #[arg(long, value_name = "UNIT")]
    pub owner: String,
    #[arg(long, value_enum, default_value_t = CsvEncodingArg::Auto)]
    pub encoding: CsvEncodingArg,
    /// Say what would happen and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    Readers,
    Cards,
    Items,
    Loans,
    Deposits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CsvEncodingArg {
    Auto,
    #[value(name = "utf-8")]
    Utf8,
    Gb18030,
}

#[derive(Debug, Args)]
pub struct UndoArgs {
    /// The number the import printed; `tongjie import list` knows it, too
    pub batch: i64,
    /// Say what would be taken back and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// How many, the latest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub last: u32,
    /// Write the list to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

impl CsvArgs {
    fn options(&self) -> CsvOptions {
        CsvOptions {
            kind: match self.kind {
                KindArg::Readers => Kind::Readers,
                KindArg::Cards => Kind::Cards,
                KindArg::Items => Kind::Items,
                KindArg::Loans => Kind::Loans,
                KindArg::Deposits => Kind::Deposits,
            },
            owner: self.owner.clone(),
            encoding: match self.encoding {
                CsvEncodingArg::Auto => CsvEncoding::Auto,
                CsvEncodingArg::Utf8 => CsvEncoding::Utf8,
                CsvEncodingArg::Gb18030 => CsvEncoding::Gb18030,
            },
            dry_run: self.dry_run,
        }
    }
}

pub(super) async fn run(config: Config, args: CsvArgs) -> Result<(), CliError> {
    let failed = |source| file_error(&args.file, source);
    let file = File::open(&args.file).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    }
    let source = CsvSource {
        name: args.file.display().to_string(),
        file: Box::new(file),
    };
    let app = open(config).await?;
    let bars = Bars::default();
    let imported = import_csv(&app.store, source, args.options(), &bars).await;
    bars.clear();
    close(&app).await;
    let report = imported?;
    print_import(&report);
    write_report(args.report.as_deref(), &report)?;
    match report.broken_file {
        None => Ok(()),
        Some(broken) => Err(CliError::Failed(format!("{}: {broken}", args.file.display()))),
    }
}

pub(super) async fn undo(config: Config, args: UndoArgs) -> Result<(), CliError> {
    let app = open(config).await?;
    let bars = Bars::default();
    let undone = undo_import(&app.store, args.batch, args.dry_run, &bars).await;
    bars.clear();
    close(&app).await;
    let report = undone?;
    print_undo(&report);
    write_report(args.report.as_deref(), &report)
}

pub(super) async fn list(config: Config, args: ListArgs) -> Result<(), CliError> {
    let zone = config.network.zone;
    let app = open(config).await?;
    let listed = list_imports(&app.store, args.last).await;
    close(&app).await;
    let list = listed?;
    print_list(&list, zone);
    write_report(args.report.as_deref(), &list)
}

/// The name of the file comes last: nobody knows how long it is.
fn print_list(list: &ImportList, zone: Tz) {
    if list.batches.is_empty() {
        println!("no import has made anything that could be taken back");
        return;
    }
    let local = |at: &DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
    println!(
        "{:>10}  {:<8}  {:<16}  {:>9}  {:>9}  {:<16}  {:<12}  file",
        "batch", "kind", "imported", "made", "left", "undone", "owner"
    );
    for one in &list.batches {
        let undone = one.undone_at.as_ref().map_or_else(|| "no".to_owned(), local);
        let file = one.file_name.replace(char::is_control, "?");
        println!(
            "{:>10}  {:<8}  {:<16}  {:>9}  {:>9}  {undone:<16}  {:<12}  {file}",
            one.batch,
            one.kind,
            local(&one.imported_at),
            one.made,
            one.left,
            one.owner_unit_code
        );
    }
    let shown = u64::try_from(list.batches.len()).unwrap_or(u64::MAX);
    if list.total > shown {
        println!("and {} older ones (--last N shows more)", list.total - shown);
    }
}

fn print_import(report: &CsvReport) {
    for rejection in report.rejections.iter().take(SHOWN) {
        let column = rejection.column.unwrap_or("the row");
        println!("rejected  row {} {column}: {}", rejection.row, rejection.reason);
    }
    if report.rejections.len() > SHOWN {
        let more = report.rejections.len() - SHOWN;
        println!("          and {more} more, all in the report");
    }
    if !report.ignored_columns.is_empty() {
        println!("ignored columns: {}", report.ignored_columns.join(", "));
    }
    if report.dry_run {
        println!("dry run: nothing was changed");
    }
    println!("rows      {:>10}   ({})", report.rows, report.encoding);
    println!("created   {:>10}", report.created);
    println!("unchanged {:>10}   (present already)", report.unchanged);
    println!("rejected  {:>10}   ({} duplicates)", report.rejected, report.duplicates);
    println!("in        {:>10.1} s", report.seconds);
    if let Some(batch) = report.batch {
        println!("batch     {batch:>10}   (`tongjie import undo {batch}` takes it back)");
    }
}

fn print_undo(report: &UndoReport) {
    for kept in report.kept.iter().take(SHOWN) {
        println!("kept      row {}: {}", kept.row, kept.reason);
    }
    if report.kept.len() > SHOWN {
        println!("          and {} more, all in the report", report.kept.len() - SHOWN);
    }
    if report.dry_run {
        println!("dry run: nothing was changed");
    }
    println!(
        "removed   {:>10}   ({} of {})",
        report.removed,
        report.kind.code(),
        report.file_name
    );
    println!("kept      {:>10}", report.kept.len());
}

fn write_report(path: Option<&Path>, report: &impl Serialize) -> Result<(), CliError> {
    let Some(path) = path else { return Ok(()) };
    let text = serde_json::to_string_pretty(report).map_err(|error| file_error(path, error.into()))?;
    std::fs::write(path, text + "\n").map_err(|source| file_error(path, source))
}

fn file_error(path: &Path, source: std::io::Error) -> CliError {
    CliError::File {
        path: path.display().to_string(),
        source,
    }
}
