//! `tongjie bench`: drives a running server over HTTP and says how fast it answered.
//!
//! A client of the public API and nothing more: it knows the demo's accounts file, never the store. It shares the
//! machine with the server it measures, so it is lean: one thread, one kept-alive connection per client, requests
//! written by hand. Only a loopback address is accepted: this is not a tool for loading other people's servers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::{JoinHandle, LocalSet};

mod accounts;
mod connection;
mod credit;
mod gates;
mod idle;
mod model;
mod pairs;
mod report;
mod session;
mod worker;

use accounts::{GateAccount, Workload};
use report::{Op, Report, Tally};
use session::Session;
use worker::{Window, Worker};

/// Left out of the figures: connections, caches and the server's first statements.
const WARM_UP: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// The running server; a loopback address
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The file `demo-accounts.json` of the demo's data directory
    #[arg(long, value_name = "FILE")]
    pub accounts: PathBuf,
    /// Connections at once [default: 64; profiles latency, idle and credit: 8; profile history: always 1]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub clients: Option<u16>,
    /// How long to measure, after one second of warm-up
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    #[arg(long, value_enum, default_value_t = Profile::Mix)]
    pub profile: Profile,
    /// Profile model: how many times the peak hour of the city
    #[arg(long, default_value_t = 1.0)]
    pub multiple: f64,
    /// Profile idle: connections that are answered once and then do nothing
    #[arg(long, default_value_t = 2000)]
    pub idle: u16,
    /// Profile idle: connections that send one byte of a head per second
    #[arg(long, default_value_t = 200)]
    pub slow: u16,
    /// Profile gates: questions a second
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    pub gate_checks: u16,
    /// Write the figures to this file instead of standard output: JSON, flat, one key per line
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Check-outs and check-ins, as many as go through
    Mix,
    /// A city's peak hour: baskets, returns, renewals, searches, at their own pace
    Model,
    /// As mix, with eight clients: how long one check-out takes
    Latency,
    /// Check-outs for a reader with a long history against one without
    History,
    /// As latency, alone and then beside a crowd that only holds connections
    Idle,
    /// As latency, with credit rules and without in turns; publishes the network's rules anew for each turn, and those of before in the end
    Credit,
    /// As model, and beside it a gate that asks whether books may go out
    Gates,
}

#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("{url}: expected http://IP:PORT")]
    BadUrl { url: String },
    #[error("{url} is not a loopback address; bench only drives a server on this machine")]
    NotLoopback { url: String },
    #[error("--multiple must be more than 0 and at most 10000")]
    BadMultiple,
    #[error("cannot read the accounts file {}", path.display())]
    Accounts { path: PathBuf, source: std::io::Error },
    #[error("{} is not an accounts file", path.display())]
    NotAccounts { path: PathBuf, source: serde_json::Error },
    #[error(
        "the accounts file lists {items} items on the shelf of a unit whose staff may lend, and {readers} \
         readers; {clients} clients need at least one item each and one reader"
    )]
    TooLittle {
        items: usize,
        readers: usize,
        clients: usize,
    },
    #[error("the accounts file has no member of staff with the role `system`, who could change the rules")]
    NoSystemAccount,
    #[error("the rules could not be changed: {reason}")]
    Rules { reason: String },
    #[error("the accounts file has no gate among its `devices`: it was made by an earlier version")]
    NoGate,
    #[error("the accounts file has no `bench` object with a history_card and a fresh_card")]
    NoHistoryCards,
    #[error("log-in of {username} failed: {reason}")]
    LogIn { username: String, reason: String },
    #[error("no answer from the server")]
    Connection(#[source] std::io::Error),
    #[error("cannot start the load generator")]
    Runtime(#[source] std::io::Error),
    #[error("a client of the load generator stopped before its time")]
    Client(#[source] tokio::task::JoinError),
    #[error("cannot write {}", path.display())]
    Output { path: PathBuf, source: std::io::Error },
    #[error("{0} requests were not answered with success")]
    Failures(u64),
    #[error("nothing was measured: not one request was answered after the warm-up")]
    NothingMeasured,
}

/// Runs the benchmark and prints its table and its JSON. Builds a runtime of its own: call it from plain code.
///
/// # Errors
/// When the load could not be set up, and when any request failed: figures with failures in them are not figures.
pub fn run(args: BenchArgs) -> Result<(), BenchError> {
    let target = loopback(&args.url)?;
    if !(args.multiple > 0.0 && args.multiple <= 10_000.0) {
        return Err(BenchError::BadMultiple);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(BenchError::Runtime)?;
    let report = LocalSet::new().block_on(&runtime, drive(&args, target))?;
    print!("{}", report.table());
    match args.json {
        None => println!("{}", report.json()),
        Some(path) => std::fs::write(&path, report.json() + "\n").map_err(|source| BenchError::Output {
            path: path.clone(),
            source,
        })?,
    }
    match report.tally.errors() {
        0 if report.tally.is_empty() => Err(BenchError::NothingMeasured),
        0 => Ok(()),
        errors => Err(BenchError::Failures(errors)),
    }
}

async fn drive(args: &BenchArgs, target: SocketAddr) -> Result<Report, BenchError> {
    let clients = match (args.profile, args.clients) {
        (Profile::History, _) => 1,
        (_, Some(clients)) => usize::from(clients),
        (Profile::Latency | Profile::Idle | Profile::Credit, None) => 8,
        (_, None) => 64,
    };
    let workload = Workload::load(&args.accounts, clients)?;
    let desks = session::log_in_all(target, &workload.desks).await?;
    if args.profile == Profile::Idle {
        return idle::run(args, target, workload.shares, desks).await;
    }
    if args.profile == Profile::Credit {
        let system = workload.system.as_ref().ok_or(BenchError::NoSystemAccount)?;
        return credit::run(args, target, workload.shares, desks, system).await;
    }
    let history = match args.profile {
        Profile::History => Some(workload.history.clone().ok_or(BenchError::NoHistoryCards)?),
        _ => None,
    };
    let run_id = random_u64();
    let start = Instant::now() + WARM_UP;
    let window = Window {
        measure_from: start,
        until: start + Duration::from_secs(args.seconds),
    };
    let mut tasks = Vec::with_capacity(clients);
    for (number, share) in workload.shares.into_iter().enumerate() {
        let worker = Worker::new(target, Rc::clone(&desks), window, run_id, number);
        let history = history.clone();
        let (profile, rate) = (args.profile, args.multiple / clients as f64);
        tasks.push(tokio::task::spawn_local(async move {
            match (profile, history) {
                (Profile::Model | Profile::Gates, _) => model::run(worker, share, rate, random_u64()).await,
                (_, Some(cards)) => pairs::history(worker, share, cards).await,
                (_, None) => pairs::mix(worker, share, (Op::CheckOut, Op::CheckIn)).await,
            }
        }));
    }
    let gates = if args.profile == Profile::Gates {
        let gate = workload.gate.ok_or(BenchError::NoGate)?;
        let session = Rc::new(session::log_in_gate(target, &gate).await?);
        ask_at_gates(args, target, (&gate, &session), (window, run_id))
    } else {
        Vec::new()
    };
    let progress = tokio::task::spawn_local(show_progress(window));
    let mut tally = Tally::default();
    for task in gates {
        tally.absorb(task.await.map_err(BenchError::Client)??);
    }
    for task in tasks {
        tally.absorb(task.await.map_err(BenchError::Client)?);
    }
    progress.abort();
    Ok(Report {
        profile: args.profile,
        clients,
        seconds: args.seconds,
        multiple: args.multiple,
        tally,
        crowd: None,
    })
}

fn ask_at_gates(
    args: &BenchArgs,
    target: SocketAddr,
    (gate, session): (&Rc<GateAccount>, &Rc<Session>),
    (window, run_id): (Window, u64),
) -> Vec<JoinHandle<Result<Tally, BenchError>>> {
    let pace = Duration::from_secs_f64(gates::CONNECTIONS as f64 / f64::from(args.gate_checks));
    let ask = |number| {
        let asker = gates::Asker {
            target,
            gate: Rc::clone(gate),
            session: Rc::clone(session),
            window,
            run_id,
            number,
            pace,
        };
        tokio::task::spawn_local(asker.run())
    };
    (0..gates::CONNECTIONS).map(ask).collect()
}

/// A bar on a terminal; nothing in a log file.
async fn show_progress(window: Window) {
    let total = window.until.saturating_duration_since(Instant::now()).as_secs();
    let style = ProgressStyle::with_template("{bar:40} {elapsed} of {len} s");
    let bar = ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    while Instant::now() < window.until {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bar.inc(1);
    }
    bar.finish_and_clear();
}

/// The address behind `url`, if it is this machine's. `localhost` is taken as 127.0.0.1 and never looked up.
fn loopback(url: &str) -> Result<SocketAddr, BenchError> {
    let bad = || BenchError::BadUrl { url: url.to_owned() };
    let address = url.strip_prefix("http://").ok_or_else(bad)?;
    let address = address.strip_suffix('/').unwrap_or(address);
    let address = match address.strip_prefix("localhost:") {
        Some(port) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port.parse().map_err(|_| bad())?),
        None => address.parse().map_err(|_| bad())?,
    };
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(BenchError::NotLoopback { url: url.to_owned() })
    }
}

/// Makes the idempotency keys of this run unlike those of any other.
fn random_u64() -> u64 {
    getrandom::u64().expect("the operating system provides randomness")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_a_target() {
        let cases = [
            ("http://127.0.0.1:8080", Ok("127.0.0.1:8080")),
            ("http://127.9.9.9:1/", Ok("127.9.9.9:1")),
            ("http://localhost:80", Ok("127.0.0.1:80")),
            ("http://[::1]:8080", Ok("[::1]:8080")),
            ("http://192.168.1.4:8080", Err("loopback")),
            ("http://0.0.0.0:8080", Err("loopback")),
            ("http://library.example:8080", Err("expected http://IP:PORT")),
            ("http://localhost.example:80", Err("expected")),
            ("http://127.0.0.1:8080@192.168.1.4:80", Err("expected")),
            ("https://127.0.0.1:8080", Err("expected")),
            ("http://127.0.0.1", Err("expected")),
            ("http://127.0.0.1:8080/api", Err("expected")),
            ("", Err("expected")),
        ];
        for (url, expected) in cases {
            match (loopback(url), expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got.to_string(), expected),
                (Err(got), Err(expected)) => assert!(got.to_string().contains(expected), "{url}: {got}"),
                (got, _) => panic!("{url}: {got:?}"),
            }
        }
    }
}
