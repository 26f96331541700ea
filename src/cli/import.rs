//! `tongjie import`: what can be imported, and for MARC: opens the files, runs the import, prints what became of the
//! records.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::import_csv::{CsvArgs, ListArgs, UndoArgs};
use super::progress::Bars;
use super::{CliError, close, open};
use crate::catalogue::marc::{Container, EncodingChoice, FormatChoice, ReadOptions};
use crate::config::Config;
use crate::usecase::import_marc::{ImportOptions, ImportReport, Source, import_marc};

/// Rejections printed; all are in the report.
const SHOWN: usize = 20;

#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Bring MARC records into the catalogue: ISO 2709 or MARCXML, MARC21 or CNMARC
    ///
    /// A record whose ISBN or control number is known already is merged: nothing changes. Importing a file twice creates
    /// nothing new. A bad record is reported with its number and reason and never stops the run.
    Marc(MarcArgs),
    /// Bring readers, cards, items, open loans or deposits over from another system: CSV with named columns
    ///
    /// A bad row is reported with its number, column and reason and never stops the run. Importing a file twice creates
    /// nothing new. What a run made is a batch that `import undo` takes back.
    Csv(CsvArgs),
    /// The batches that imports of CSV made, the latest first, and which of them are undone
    List(ListArgs),
    /// Take back what an import of CSV made, except what has been used since
    Undo(UndoArgs),
}

#[derive(Debug, Args)]
pub struct MarcArgs {
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// marcxml says how records are wrapped, the others what their fields mean; auto looks at each record
    #[arg(long, value_enum, default_value_t = FormatArg::Auto)]
    pub format: FormatArg,
    #[arg(long, value_enum, default_value_t = EncodingArg::Auto)]
    pub encoding: EncodingArg,
    /// Code of the unit the records are imported for; the events name it. Items are not created: holdings in records
    /// (CNMARC 905, MARC21 852) have no barcodes
    #[arg(long, value_name = "UNIT")]
    pub owner: Option<String>,
    /// Say what would happen and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    Auto,
    Marc21,
    Cnmarc,
    Marcxml,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EncodingArg {
    Auto,
    #[value(name = "utf-8")]
    Utf8,
    Gb18030,
    #[value(name = "marc-8")]
    Marc8,
}

impl MarcArgs {
    fn read_options(&self) -> ReadOptions {
        ReadOptions {
            container: (self.format == FormatArg::Marcxml).then_some(Container::MarcXml),
            format: match self.format {
                FormatArg::Auto | FormatArg::Marcxml => FormatChoice::Auto,
                FormatArg::Marc21 => FormatChoice::Marc21,
                FormatArg::Cnmarc => FormatChoice::Cnmarc,
            },
            encoding: match self.encoding {
                EncodingArg::Auto => EncodingChoice::Auto,
                EncodingArg::Utf8 => EncodingChoice::Utf8,
                EncodingArg::Gb18030 => EncodingChoice::Gb18030,
                EncodingArg::Marc8 => EncodingChoice::Marc8,
            },
        }
    }
}

pub(super) async fn run(config: Config, what: ImportCommand) -> Result<(), CliError> {
    match what {
        ImportCommand::Marc(args) => marc(config, args).await,
        ImportCommand::Csv(args) => super::import_csv::run(config, args).await,
        ImportCommand::List(args) => super::import_csv::list(config, args).await,
        ImportCommand::Undo(args) => super::import_csv::undo(config, args).await,
    }
}

async fn marc(config: Config, args: MarcArgs) -> Result<(), CliError> {
    // All of them before anything is written: a mistyped name must not leave half an import.
    let sources = args
        .files
        .iter()
        .map(|path| source(path))
        .collect::<Result<Vec<_>, _>>()?;
    let options = ImportOptions {
        read: args.read_options(),
        owner: args.owner.clone(),
        dry_run: args.dry_run,
    };
    let app = open(config).await?;
    let bars = Bars::default();
    let imported = import_marc(&app.store, sources, options, &bars).await;
    bars.clear();
    close(&app).await;
    let report = imported?;
    print_report(&report);
    if let Some(path) = &args.report {
        write_report(path, &report)?;
    }
    match report.broken_files.as_slice() {
        [] => Ok(()),
        broken => Err(CliError::Failed(broken.join("; "))),
    }
}

fn source(path: &Path) -> Result<Source, CliError> {
    let failed = |source| CliError::File {
        path: path.display().to_string(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    }
    Ok(Source {
        name: path.display().to_string(),
        reader: Box::new(BufReader::with_capacity(1 << 18, file)),
    })
}

fn print_report(report: &ImportReport) {
    for rejected in report.rejections.iter().take(SHOWN) {
        println!(
            "rejected  {} record {}: {}",
            rejected.file, rejected.record, rejected.reason
        );
    }
    if report.rejections.len() > SHOWN {
        println!(
            "          and {} more, all in the report",
            report.rejections.len() - SHOWN
        );
    }
    if report.dry_run {
        println!("dry run: nothing was changed");
    }
    println!("records   {:>10}", report.records);
    println!("created   {:>10}", report.created);
    println!("merged    {:>10}   (present already, unchanged)", report.merged);
    println!("rejected  {:>10}", report.rejected);
    println!(
        "in        {:>10.1} s, {:.0} records/s",
        report.seconds, report.records_per_second
    );
}

fn write_report(path: &Path, report: &ImportReport) -> Result<(), CliError> {
    let failed = |source| CliError::File {
        path: path.display().to_string(),
        source,
    };
    let text = serde_json::to_string_pretty(report).map_err(|error| failed(error.into()))?;
    std::fs::write(path, text + "\n").map_err(failed)
}
