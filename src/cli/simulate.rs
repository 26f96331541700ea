//! `tongjie simulate`: gates and lockers that exist only in this process, as clients of a running server. They know the API and nothing
//! else, as a real device does: log in, heartbeat, configuration, gate checks and passages, commands and their acknowledgement.
//! `tongjie demo` runs those of its accounts file beside itself.

mod client;
mod gate;
mod locker;
mod people;
mod replay;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::CliError;
use crate::usecase::seed_demo::{DemoAccounts, DeviceAccount};
use client::Client;

/// What they are and how they behave.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// The running server
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    url: String,
    /// A file like `demo-accounts.json`: `devices`, the books that pass the gates, and a `system` account if there are to be more
    #[arg(long, value_name = "FILE")]
    accounts: PathBuf,
    /// How many; more than the file has are registered and approved with its `system` account [default: those of the file]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    devices: Option<u16>,
    /// How long; without it until interrupted
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    seconds: Option<u64>,
    /// Milliseconds between two passages at a gate
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pace_ms: u64,
    /// Of a hundred questions of gates so many are not asked: decided by the tag, and told later
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    outages: u8,
    /// New machines that are offline, do so many acts each, and upload their journals: shuffled, 5 % twice, 1 % in contradiction
    #[arg(long, value_name = "ACTS", value_parser = clap::value_parser!(u16).range(2..=200))]
    replay: Option<u16>,
}

/// How the machines behave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Behaviour {
    pub pace: Duration,
    pub outages: u8,
}

/// What they did together.
#[derive(Debug, Default)]
pub(super) struct Counts {
    heartbeats: AtomicU64,
    checks: AtomicU64,
    alarms: AtomicU64,
    alone: AtomicU64,
    batches: AtomicU64,
    commands: AtomicU64,
    loaded: AtomicU64,
    borrowed: AtomicU64,
    picked_up: AtomicU64,
    returned: AtomicU64,
    voided: AtomicU64,
    /// Loans of which no machine had said, when it ended, whether the book was taken.
    unconfirmed: AtomicU64,
    errors: AtomicU64,
    /// What the first of them was.
    first_error: OnceLock<String>,
    /// What was refused, by code.
    refused: Mutex<BTreeMap<String, u64>>,
}

impl Counts {
    fn line(&self) -> String {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let by_code: Vec<String> = refused.iter().map(|(code, n)| format!("{code}:{n}")).collect();
        format!(
            "heartbeats={} gate_checks={} alarms={} decided_alone={} batches={} commands={} loaded={} borrowed={} picked_up={} \
             returned={} voided={} unconfirmed={} refused={}[{}] errors={}[{}]",
            read(&self.heartbeats),
            read(&self.checks),
            read(&self.alarms),
            read(&self.alone),
            read(&self.batches),
            read(&self.commands),
            read(&self.loaded),
            read(&self.borrowed),
            read(&self.picked_up),
            read(&self.returned),
            read(&self.voided),
            read(&self.unconfirmed),
            refused.values().sum::<u64>(),
            by_code.join(","),
            read(&self.errors),
            self.first_error.get().map_or("", String::as_str),
        )
    }

    /// A machine was not answered as it should have been.
    fn failed(&self, device: &str, error: &str) {
        count(&self.errors);
        self.first_error.get_or_init(|| format!("{device}: {error}"));
    }
}

/// The next number below a bound (xorshift).
fn below(random: &mut u64, bound: u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random % bound.max(1)
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A book that goes through a gate, and what its tag says.
#[derive(Debug, Clone)]
pub(super) struct Book {
    barcode: String,
    lent: bool,
}

/// What every machine shares.
pub(super) struct Scene {
    behaviour: Behaviour,
    url: String,
    accounts: DemoAccounts,
    books: Vec<Book>,
    counts: Counts,
    stopped: AtomicBool,
    /// The server is about to end: nobody is to hold a connection.
    ended: Ended,
}

/// Whether it is time to end, asked now and then.
pub(super) type Ended = Box<dyn Fn() -> bool + Send + Sync>;

impl Scene {
    fn of(url: &str, accounts: &DemoAccounts, behaviour: Behaviour, ended: Ended) -> Arc<Self> {
        let lent = accounts.items_on_loan.iter().map(|item| (&item.barcode, true));
        let shelved = accounts.items_on_shelf.iter().map(|item| (&item.barcode, false));
        let book = |(barcode, lent): (&String, bool)| Book {
            barcode: barcode.clone(),
            lent,
        };
        Arc::new(Self {
            behaviour,
            url: url.to_owned(),
            accounts: accounts.clone(),
            books: lent.chain(shelved.take(200)).map(book).collect(),
            counts: Counts::default(),
            stopped: AtomicBool::new(false),
            ended,
        })
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst) || (self.ended)()
    }

    /// What the server said no to is counted by its codes; anything else is an error.
    fn refused(&self, error: &str) -> Result<(), String> {
        let problem = error
            .find('{')
            .and_then(|at| serde_json::from_str::<Value>(&error[at..]).ok());
        match problem {
            Some(problem) if problem["refusals"].is_array() => self.refused_by(&problem["refusals"]),
            Some(problem) if problem["status"].as_u64().is_some_and(|status| status < 500) => {
                self.refused_by(&json!([problem]));
            }
            _ => return Err(error.to_owned()),
        }
        tracing::debug!(error, "something was refused to a simulated machine");
        Ok(())
    }

    fn refused_by(&self, refusals: &Value) {
        let mut refused = self.counts.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for code in refusals
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["code"].as_str())
        {
            *refused.entry(code.to_owned()).or_default() += 1;
        }
    }

    /// Sleeps, in pieces, so that a stop is heard.
    fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.is_stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
    }
}

/// Machines at work.
pub(super) struct Machines {
    scene: Arc<Scene>,
    threads: Vec<JoinHandle<()>>,
}

impl Machines {
    /// A thread per device; those of a kind that nobody plays are left out.
    pub(super) fn start(
        url: &str,
        accounts: &DemoAccounts,
        devices: &[DeviceAccount],
        behaviour: Behaviour,
        ended: Ended,
    ) -> Self {
        let scene = Scene::of(url, accounts, behaviour, ended);
        let play = |(index, device): (usize, &DeviceAccount)| {
            let (client, scene) = (Client::new(url, device), Arc::clone(&scene));
            let play: fn(Client, &Scene, usize) = match device.kind.as_str() {
                "gate" => gate::play,
                "locker" | "kiosk" => locker::play,
                _ => return None,
            };
            let thread = std::thread::Builder::new().name(device.code.clone());
            thread.spawn(move || play(client, &scene, index)).ok()
        };
        let threads = devices.iter().enumerate().filter_map(play).collect();
        Self { scene, threads }
    }

    /// Tells them to stop, waits, and says what they did.
    pub(super) fn stop(self) -> String {
        self.scene.stopped.store(true, Ordering::SeqCst);
        for thread in self.threads {
            // A panic was told on standard error.
            let _ = thread.join();
        }
        self.scene.counts.line()
    }
}

pub(super) async fn run(args: SimulateArgs) -> Result<(), CliError> {
    let failed = |source| CliError::File {
        path: args.accounts.display().to_string(),
        source,
    };
    let text = std::fs::read(&args.accounts).map_err(failed)?;
    let accounts: DemoAccounts = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
    let url = args.url.trim_end_matches('/').to_owned();
    if let Some(acts) = args.replay {
        return replayed(url, accounts, args.devices.unwrap_or(4), acts).await;
    }
    let wanted = args.devices.map_or(accounts.devices.len(), usize::from);
    let mut devices: Vec<DeviceAccount> = accounts.devices.iter().take(wanted).cloned().collect();
    let (asking, base, missing) = (accounts.clone(), url.clone(), wanted - devices.len());
    let more = tokio::task::spawn_blocking(move || register(&base, &asking, missing, kind_of)).await;
    devices.extend(more.map_err(|error| CliError::Runtime(error.into()))??);
    if devices.is_empty() {
        return Err(CliError::Usage(
            "the accounts file has no devices; see --devices".to_owned(),
        ));
    }
    let behaviour = Behaviour {
        pace: Duration::from_millis(args.pace_ms),
        outages: args.outages,
    };
    let machines = Machines::start(&url, &accounts, &devices, behaviour, Box::new(|| false));
    println!("{} machines call {url}; stop them with Ctrl-C", machines.threads.len());
    let end = async {
        match args.seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = end => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(CliError::Runtime)?,
    }
    let said = tokio::task::spawn_blocking(move || machines.stop()).await;
    println!("{}", said.map_err(|error| CliError::Runtime(error.into()))?);
    Ok(())
}

/// Machines that were alone tell of it.
async fn replayed(url: String, accounts: DemoAccounts, machines: u16, acts: u16) -> Result<(), CliError> {
    let said = tokio::task::spawn_blocking(move || {
        let kiosk = |_: usize| ("kiosk", json!(["door_bank", "tag_reader"]));
        let devices = register(&url, &accounts, usize::from(machines), kiosk)?;
        replay::run(&url, &accounts, &devices, usize::from(acts))
    });
    println!("{}", said.await.map_err(|error| CliError::Runtime(error.into()))??);
    Ok(())
}

/// Three gates to one machine with doors: lockers and browsing machines in turns.
fn kind_of(number: usize) -> (&'static str, Value) {
    let doors = || {
        json!([
            "door_bank",
            "item_sensor",
            "tag_reader",
            "card_reader",
            "two_phase_loans"
        ])
    };
    match number % 8 {
        3 => ("locker", doors()),
        7 => ("kiosk", doors()),
        _ => ("gate", json!(["gate", "tag_reader"])),
    }
}

/// Where a further device stands: a locker where readers fetch things, a browsing machine where books are, anything else with the `system`
/// account of the file.
fn place_of(kind: &str, accounts: &DemoAccounts, client: &mut Client) -> Result<Option<String>, String> {
    match kind {
        "locker" => {
            let units = client.look("/units?kind=point&limit=200")?;
            let mut units = units["items"].as_array().into_iter().flatten();
            let point = units.find(|unit| unit["pickup_point"] == true);
            Ok(point.and_then(|unit| unit["code"].as_str()).map(str::to_owned))
        }
        "kiosk" => Ok(accounts.items_on_shelf.last().map(|item| item.unit_code.clone())),
        _ => Ok(None),
    }
}

/// Further devices.
fn register(
    url: &str,
    accounts: &DemoAccounts,
    missing: usize,
    kind_of: impl Fn(usize) -> (&'static str, Value),
) -> Result<Vec<DeviceAccount>, CliError> {
    if missing == 0 {
        return Ok(Vec::new());
    }
    let staff = accounts.staff.iter().find(|one| one.role == "system");
    let staff = staff.ok_or_else(|| CliError::Usage("the accounts file has no `system` account".to_owned()))?;
    let mut client = Client::of_staff(url, &staff.username, &staff.password);
    let salt = getrandom::u32().map_err(|error| CliError::Failed(error.to_string()))?;
    let mut made = Vec::with_capacity(missing);
    for number in 0..missing {
        let (kind, capabilities) = kind_of(number);
        let code = format!("sim-{salt:08x}-{number:04}");
        let lends = capabilities
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == "two_phase_loans"));
        let place = if lends {
            place_of(kind, accounts, &mut client)
        } else {
            Ok(None)
        };
        let place = place
            .map_err(CliError::Failed)?
            .unwrap_or_else(|| staff.unit_code.clone());
        let body = json!({
            "code": code, "unit_code": place, "kind": kind, "name": "tongjie simulate", "capabilities": capabilities,
        });
        let device = client.change("/devices", &body).map_err(CliError::Failed)?;
        let approval = format!("/devices/{}/approval", device["device"]["id"]);
        client.change(&approval, &json!({})).map_err(CliError::Failed)?;
        let secret = device["secret"].as_str().unwrap_or_default().to_owned();
        let kind = kind.to_owned();
        made.push(DeviceAccount { code, secret, kind });
    }
    Ok(made)
}

/// The moment, as the API writes it.
fn moment() -> Value {
    json!(crate::clock::Clock::System.now())
}
