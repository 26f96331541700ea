//! `tongjie demo`: a network to try everything on. Made once, with random log-ins in a file only its owner can read;
//! afterwards what is there is served.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::progress::Bars;
use super::serve::{refuse_exposed_demo, serve};
use super::simulate::{Behaviour, Machines};
use super::{CliError, close, open};
use crate::app::App;
use crate::config::{Config, DatabaseUrl};
use crate::usecase::seed_demo::{DemoAccounts, DemoState, SeedOptions, demo_state, seed_demo};

/// How its gate and its locker live beside the server.
const CALM: Behaviour = Behaviour {
    pace: Duration::from_secs(2),
    outages: 2,
};

/// The file with the log-ins, in the data directory.
const ACCOUNTS_FILE: &str = "demo-accounts.json";

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The same seed makes the same network; secrets are always new
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    #[arg(long, default_value_t = 1.0, hide = true)]
    pub scale: f64,
    /// Serve alone: the demo's gate and locker stay silent
    #[arg(long)]
    pub without_machines: bool,
}

pub(super) async fn run(config: Config, args: DemoArgs) -> Result<(), CliError> {
    if !config.http.bind.ip().is_loopback() {
        let bind = config.http.bind;
        return Err(CliError::Usage(format!(
            "http.bind: {bind} is not a loopback address; the demo is for this machine only"
        )));
    }
    let options = SeedOptions {
        seed: args.seed,
        scale: checked_scale(args.scale)?,
    };
    let _claim = App::claim(&config)?;
    let app = open(config).await?;
    let served = prepare_and_serve(&app, options, !args.without_machines).await;
    close(&app).await;
    served
}

async fn prepare_and_serve(app: &Arc<App>, options: SeedOptions, with_machines: bool) -> Result<(), CliError> {
    let accounts = match demo_state(&app.store).await? {
        DemoState::Ready => read_accounts(app)?,
        _ => create(app, options).await?,
    };
    refuse_exposed_demo(app).await?;
    let (mut told, mut machines) = (Ok(()), None);
    let stopping = Arc::clone(app);
    let ended = Box::new(move || stopping.is_stopping());
    let ready = |url: String| {
        // A certificate that only this server knows is none for a client: then they stay silent, too.
        if with_machines && url.starts_with("http://") {
            machines = Some(Machines::start(&url, &accounts, &accounts.devices, CALM, ended));
        }
        told = refresh(app, accounts, url);
    };
    let served = serve(app, ready).await;
    if let Some(machines) = machines {
        let stopped = tokio::task::spawn_blocking(move || machines.stop()).await;
        tracing::info!(did = stopped.unwrap_or_default(), "the simulated machines ended");
    }
    served?;
    told
}

/// Makes the demo in an empty database, with the accounts file; refuses any other.
pub(super) async fn create(app: &Arc<App>, options: SeedOptions) -> Result<DemoAccounts, CliError> {
    match demo_state(&app.store).await? {
        DemoState::Empty => {}
        DemoState::Ready => {
            return Err(CliError::Failed(
                "this database holds a demo network already".to_owned(),
            ));
        }
        DemoState::Unfinished => return Err(CliError::Failed(unfinished(&app.config))),
        DemoState::Other => {
            return Err(CliError::Failed(
                "this database holds a network that is not a demo; use `tongjie serve`, or another data.dir".to_owned(),
            ));
        }
    }
    let path = accounts_path(app);
    let base_url = format!("{}://{}", app.config.http.scheme(), app.config.http.bind);
    let keep = |accounts: &DemoAccounts| {
        write_accounts(
            &path,
            &DemoAccounts {
                base_url: base_url.clone(),
                ..accounts.clone()
            },
        )
    };
    let bars = Bars::default();
    Ok(seed_demo(&app.store, &app.passwords, options, keep, &bars).await?)
}

/// The demo was being made when the process ended: half a network is of no use.
fn unfinished(config: &Config) -> String {
    let remedy = match config.database_url() {
        DatabaseUrl::Sqlite(path) => {
            let path = path.display();
            format!("delete {path}, {path}-wal and {path}-shm and start again")
        }
        DatabaseUrl::Postgres(_) => "drop the database, create it anew and start again".to_owned(),
    };
    format!("this database holds a demo network whose making was interrupted: {remedy}")
}

fn accounts_path(app: &App) -> PathBuf {
    app.config.data.dir.join(ACCOUNTS_FILE)
}

/// The accounts of a demo made before. Passwords stand nowhere else.
fn read_accounts(app: &App) -> Result<DemoAccounts, CliError> {
    let path = accounts_path(app);
    let failed = |source| CliError::File {
        path: format!("the demo's log-ins cannot be read from {}", path.display()),
        source,
    };
    let text = fs::read(&path).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|error| failed(error.into()))
}

/// Brings the address up to date, in the file and before the user's eyes.
fn refresh(app: &App, mut accounts: DemoAccounts, url: String) -> Result<(), CliError> {
    accounts.base_url = url;
    let path = accounts_path(app);
    write_accounts(&path, &accounts).map_err(|source| CliError::File {
        path: path.display().to_string(),
        source,
    })?;
    print_log_ins(&accounts, &path);
    Ok(())
}

fn print_log_ins(accounts: &DemoAccounts, path: &Path) {
    let url = &accounts.base_url;
    println!("通借 Tongjie demo: {url}");
    println!("  API documents   {url}/docs/   {url}/api/v1/openapi.json");
    for role in ["system", "librarian"] {
        if let Some(one) = accounts.staff.iter().find(|one| one.role == role) {
            println!(
                "  {role:<15} {} / {}   at {}",
                one.username, one.password, one.unit_code
            );
        }
    }
    if let Some(one) = accounts.readers.iter().find(|one| one.category == "adult") {
        println!("  {:<15} {} / PIN {}", "reader", one.card_number, one.pin);
    }
    println!("  all log-ins     {}", path.display());
    println!("Stop it with Ctrl-C.");
}

/// Whole or not at all, and never readable by others.
fn write_accounts(path: &Path, accounts: &DemoAccounts) -> io::Result<()> {
    let draft = path.with_extension(format!("json.{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    serde_json::to_writer_pretty(&mut file, accounts)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// A tiny network is enough for tests.
pub(super) fn checked_scale(scale: f64) -> Result<f64, CliError> {
    if scale > 0.0 && scale <= 10.0 {
        Ok(scale)
    } else {
        Err(CliError::Usage("--scale must be more than 0 and at most 10".to_owned()))
    }
}
