//! The command line: one file per command, each of which builds the application, calls a use case, and prints.
//! Not here: anything that decides or stores.
//!
//! Exit codes: 0 done · 1 the command failed, or a check found something · 2 the command line or the configuration is
//! wrong · 3 the database cannot be opened, or is not ours.

mod admin;
mod backup;
pub mod bench;
mod card;
mod check;
mod demo;
mod import;
mod import_csv;
mod notify;
mod openapi;
mod progress;
mod rules;
mod seed;
mod serve;
mod simulate;
mod simulate_carrier;
mod simulate_provider;

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::app::{App, AppError};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::http::tls::TlsError;
use crate::telemetry;
use crate::usecase::UseCaseError;
use crate::usecase::back_up::BackUpError;

/// Circulation for a city's library network: borrow anywhere, return anywhere (通借通还).
#[derive(Debug, Parser)]
#[command(name = "tongjie", version, about, propagate_version = true)]
struct Cli {
    /// Settings that differ from the defaults (TOML); TONGJIE__SECTION__KEY in the environment wins over them
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create the demo network in an empty database, print its log-ins, and serve it; later: serve what is there
    Demo(demo::DemoArgs),
    /// Migrate the database and serve it until told to stop
    Serve,
    /// Bring records in from files
    Import {
        #[command(subcommand)]
        what: import::ImportCommand,
    },
    /// Create a synthetic network in an empty database, or records for trying the import
    Seed(seed::SeedArgs),
    /// Audit the whole database; exit code 1 if anything is wrong
    Check,
    /// Copy the whole database while it is in use, and look the copy through
    Backup(backup::BackupArgs),
    /// Put a backup in the place of the database; nothing may have it open
    Restore(backup::RestoreArgs),
    /// Drive a running server and say how fast it answers
    Bench(bench::BenchArgs),
    /// Drive gates and lockers that exist only in this process against a running server, as its clients
    Simulate(simulate::SimulateArgs),
    /// Serve a carrier of parcels that exists only in this process, for development
    SimulateCarrier(simulate_carrier::SimulateCarrierArgs),
    /// Serve a provider of scores that exists only in this process, for development
    SimulateProvider(simulate_provider::SimulateProviderArgs),
    /// Print the OpenAPI document of the HTTP API
    Openapi(openapi::OpenapiArgs),
    /// Staff and passwords, for the operator of this machine
    Admin {
        #[command(subcommand)]
        what: admin::AdminCommand,
    },
    /// Electronic cards, as a device without a network sees them
    Card {
        #[command(subcommand)]
        what: card::CardCommand,
    },
    /// The rules of lending as a document: out of the database, into it, and looked at
    Rules {
        #[command(subcommand)]
        what: rules::RulesCommand,
    },
    /// Bring the database up to date and set an empty one up; changes nothing in one that is
    Migrate,
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Telemetry(#[from] telemetry::TelemetryError),
    /// The command line asks for something that makes no sense.
    #[error("{0}")]
    Usage(String),
    #[error("the command could not be started")]
    Runtime(#[source] std::io::Error),
    #[error(transparent)]
    App(#[from] AppError),
    #[error("{}", told(.0))]
    UseCase(#[from] UseCaseError),
    #[error("{path}")]
    File { path: String, source: std::io::Error },
    #[error(transparent)]
    Bench(#[from] bench::BenchError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    BackUp(#[from] BackUpError),
    /// It ran, and this is what it found.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Telemetry(_)
            | Self::Tls(_)
            | Self::Usage(_)
            | Self::UseCase(UseCaseError::Invalid(_)) => 2,
            Self::App(_) | Self::UseCase(UseCaseError::Store(_)) => 3,
            _ => 1,
        }
    }
}

/// A use case's failure with the fields that are wrong.
fn told(error: &UseCaseError) -> String {
    match error {
        UseCaseError::Invalid(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{}: {}", field.field, field.reason))
                .collect();
            fields.join("; ")
        }
        other => other.to_string(),
    }
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tongjie: {}", chain(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    let config = || Config::load(cli.config.as_deref());
    match cli.command {
        Command::Demo(args) => on_runtime(demo::run(config()?, args)),
        Command::Serve => on_runtime(serve::run(config()?)),
        Command::Import { what } => on_runtime(import::run(config()?, what)),
        Command::Seed(args) => on_runtime(seed::run(config()?, args)),
        Command::Check => on_runtime(check::run(config()?)),
        Command::Backup(args) => on_runtime(backup::back_it_up(config()?, args)),
        Command::Restore(args) => on_runtime(backup::put_it_back(config()?, args)),
        Command::Bench(args) => Ok(bench::run(args)?),
        Command::Simulate(args) => on_runtime(simulate::run(args)),
        Command::SimulateCarrier(args) => simulate_carrier::run(&config()?, args),
        Command::SimulateProvider(args) => simulate_provider::run(&config()?, args),
        Command::Openapi(args) => openapi::run(&args),
        Command::Card { what } => card::run(what),
        Command::Admin { what } => on_runtime(admin::run(config()?, what)),
        Command::Rules { what } => on_runtime(rules::run(config()?, what)),
        Command::Migrate => on_runtime(migrate(config()?)),
    }
}

async fn migrate(config: Config) -> Result<(), CliError> {
    let app = open(config).await?;
    close(&app).await;
    println!("the database is up to date");
    Ok(())
}

/// The application of a command: logging, then everything that `serve` has but the network.
async fn open(config: Config) -> Result<Arc<App>, CliError> {
    telemetry::init(&config.log)?;
    Ok(App::build(config, Clock::System).await?)
}

/// Closes the store, and then sends the last traces.
async fn close(app: &Arc<App>) {
    let app = Arc::clone(app);
    let closing = move || {
        app.store.close();
        if let Some(traces) = &app.traces {
            traces.close();
        }
    };
    if tokio::task::spawn_blocking(closing).await.is_err() {
        tracing::error!("closing the store panicked");
    }
}

fn on_runtime(work: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    runtime.block_on(work)
}

/// An error and what caused it, as one sentence.
fn chain(error: &CliError) -> String {
    let mut text = error.to_string();
    let source = std::error::Error::source(error);
    // A use case's failure is told with its fields already.
    let mut source = if let CliError::UseCase(inner) = error {
        std::error::Error::source(inner)
    } else {
        source
    };
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_invalid_field_is_named_and_blames_the_command_line() {
        let error = CliError::from(UseCaseError::field("owner", "no unit has this code"));
        assert_eq!(
            (chain(&error).as_str(), error.exit_code()),
            ("owner: no unit has this code", 2)
        );
    }
}
