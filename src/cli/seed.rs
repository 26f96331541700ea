//! `tongjie seed`: the demo's network without serving it, or records for trying the import.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::progress::Bars;
use super::{CliError, close, demo, open};
use crate::config::Config;
use crate::usecase::seed_demo::{SeedOptions, write_records};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tier {
    /// 57 units, 20,000 bibs, 120,000 items, 30,000 readers
    Demo,
}

#[derive(Debug, Args)]
#[group(id = "what", required = true, args = ["tier", "marc_out"])]
pub struct SeedArgs {
    /// How large a network to create in an empty database; log-ins go to demo-accounts.json in data.dir
    #[arg(long, value_enum)]
    pub tier: Option<Tier>,
    /// The same seed makes the same network and the same records
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write CNMARC records (ISO 2709, UTF-8) to this file instead; no database is touched
    #[arg(long, value_name = "FILE", conflicts_with = "tier")]
    pub marc_out: Option<PathBuf>,
    /// How many records to write
    #[arg(long, default_value_t = 20_000, requires = "marc_out", value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    pub records: u32,
    #[arg(long, default_value_t = 1.0, hide = true)]
    pub scale: f64,
}

pub(super) async fn run(config: Config, args: SeedArgs) -> Result<(), CliError> {
    if let Some(path) = &args.marc_out {
        return write_file(path, args.seed, args.records);
    }
    let options = SeedOptions {
        seed: args.seed,
        scale: demo::checked_scale(args.scale)?,
    };
    let app = open(config).await?;
    let made = demo::create(&app, options).await;
    close(&app).await;
    let accounts = made?;
    println!(
        "created the demo network: {} staff and {} readers may log in, {} items are listed",
        accounts.staff.len(),
        accounts.readers.len(),
        accounts.items_on_shelf.len()
    );
    Ok(())
}

fn write_file(path: &Path, seed: u64, records: u32) -> Result<(), CliError> {
    let failed = |source| CliError::File {
        path: path.display().to_string(),
        source,
    };
    let mut out = BufWriter::new(File::create(path).map_err(failed)?);
    let count = usize::try_from(records).unwrap_or(usize::MAX);
    write_records(&mut out, seed, count, &Bars::default())?;
    out.flush().map_err(failed)?;
    println!("wrote {records} records to {}", path.display());
    Ok(())
}
