//! `tongjie backup` and `tongjie restore`: what was copied, in numbers people know.

use std::path::PathBuf;

use clap::Args;

use super::progress::Bars;
use super::{CliError, telemetry};
use crate::app::store_options;
use crate::clock::Clock;
use crate::config::Config;
use crate::usecase::back_up::{BackUp, Contents, back_up};
use crate::usecase::restore::{Restore, restore};

/// Copying reads everything there is: no statement of it is worth a warning.
const SLOW_STATEMENT_MS: u64 = 600_000;

#[derive(Debug, Args)]
pub struct BackupArgs {
    /// A file that is not there yet, or a directory to make one in, named after the time
    #[arg(value_name = "TARGET_DIR_OR_FILE")]
    pub target: PathBuf,
    /// Audit the copy as `tongjie check` does; on PostgreSQL in a database of its own, which the user must be allowed to create
    #[arg(long)]
    pub verify: bool,
    /// Copy the secret files of data.dir (signing.key and others) into TARGET.secrets/ too
    #[arg(long)]
    pub with_secrets: bool,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// A file that `tongjie backup` made on the same engine
    #[arg(value_name = "BACKUP")]
    pub backup: PathBuf,
    /// Replace a database that holds records; they are kept aside
    #[arg(long)]
    pub force: bool,
    /// Put the files of BACKUP.secrets/ into data.dir too
    #[arg(long)]
    pub with_secrets: bool,
}

pub(super) async fn back_it_up(mut config: Config, args: BackupArgs) -> Result<(), CliError> {
    config.log.slow_statement_ms = SLOW_STATEMENT_MS;
    telemetry::init(&config.log)?;
    let wanted = BackUp {
        target: args.target,
        secrets_of: args.with_secrets.then(|| config.data.dir.clone()),
        verify: args.verify,
    };
    let bars = Bars::default();
    let made = back_up(store_options(&config, Clock::System), wanted, &bars).await;
    bars.clear();
    let made = made?;
    print_contents(&made.contents);
    if args.with_secrets {
        println!(
            "secrets   {:>12} files in {}.secrets",
            made.secrets,
            made.path.display()
        );
    }
    println!("backup    {:>12} bytes in {}", made.bytes, made.path.display());
    Ok(())
}

pub(super) async fn put_it_back(mut config: Config, args: RestoreArgs) -> Result<(), CliError> {
    config.log.slow_statement_ms = SLOW_STATEMENT_MS;
    telemetry::init(&config.log)?;
    let wanted = Restore {
        backup: args.backup,
        force: args.force,
        secrets_to: args.with_secrets.then(|| config.data.dir.clone()),
    };
    let bars = Bars::default();
    let done = restore(store_options(&config, Clock::System), wanted, &bars).await;
    bars.clear();
    let done = done.map_err(|error| CliError::BackUp(error.into()))?;
    print_contents(&done.contents);
    if args.with_secrets {
        println!("secrets   {:>12} files", done.secrets);
    }
    if let Some(aside) = done.aside {
        println!("what was there before is kept in {aside}");
    }
    println!("restored; `tongjie check` audits it");
    Ok(())
}

fn print_contents(contents: &Contents) {
    for (table, rows) in &contents.counts {
        println!("{table:<10}{rows:>12}");
    }
}
