//! Profile idle: how long a check-out takes before and beside a crowd that only holds connections. Some of the crowd keep an
//! answered connection open; the others send one byte of a head per second and never end it (a slow-loris). Whoever is
//! turned out comes again.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::accounts::Share;
use super::report::{Op, Report, Tally};
use super::session::Session;
use super::worker::{Window, Worker};
use super::{BenchArgs, BenchError, WARM_UP, pairs, random_u64};
use crate::telemetry::process::raise_file_limit;

/// Between two bytes of a slow head, and before somebody who was turned out comes again.
const PACE: Duration = Duration::from_secs(1);

const ALONE: (Op, Op) = (Op::CheckOut, Op::CheckIn);
const CROWDED: (Op, Op) = (Op::CheckOutCrowded, Op::CheckInCrowded);

/// The crowd as it was in the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crowd {
    pub idle: usize,
    pub slow: usize,
    /// Of both, open when the measurement ended.
    pub open: u64,
    /// How often one was turned out and came again.
    pub reopened: u64,
}

pub(super) async fn run(
    args: &BenchArgs,
    target: SocketAddr,
    shares: Vec<Share>,
    desks: Rc<[Session]>,
) -> Result<Report, BenchError> {
    let (idle, slow) = (usize::from(args.idle), usize::from(args.slow));
    raise_file_limit(idle + slow + shares.len());
    let mut tally = phase(args.seconds, target, &shares, &desks, ALONE).await?;
    let gathering = Gathering::of(target, idle, slow)
        .await
        .map_err(BenchError::Connection)?;
    tally.absorb(phase(args.seconds, target, &shares, &desks, CROWDED).await?);
    let crowd = gathering.disperse(idle, slow);
    Ok(Report {
        profile: args.profile,
        clients: shares.len(),
        seconds: args.seconds,
        multiple: args.multiple,
        tally,
        crowd: Some(crowd),
    })
}

/// The closed loop of every client, once.
pub(super) async fn phase(
    seconds: u64,
    target: SocketAddr,
    shares: &[Share],
    desks: &Rc<[Session]>,
    ops: (Op, Op),
) -> Result<Tally, BenchError> {
    let (start, run_id) = (Instant::now() + WARM_UP, random_u64());
    let window = Window {
        measure_from: start,
        until: start + Duration::from_secs(seconds),
    };
    let clients: Vec<JoinHandle<Tally>> = shares
        .iter()
        .enumerate()
        .map(|(number, share)| {
            let worker = Worker::new(target, Rc::clone(desks), window, run_id, number);
            tokio::task::spawn_local(pairs::mix(worker, share.clone(), ops))
        })
        .collect();
    let mut tally = Tally::default();
    for client in clients {
        tally.absorb(client.await.map_err(BenchError::Client)?);
    }
    Ok(tally)
}

#[derive(Debug, Default)]
struct Counts {
    open: Cell<u64>,
    reopened: Cell<u64>,
}

struct Gathering {
    members: Vec<JoinHandle<()>>,
    counts: Rc<Counts>,
}

impl Gathering {
    /// Everybody is connected, and the idle ones answered, when this returns.
    ///
    /// # Errors
    /// The server, or the limit of open files, does not let them in.
    async fn of(target: SocketAddr, idle: usize, slow: usize) -> io::Result<Self> {
        let counts = Rc::<Counts>::default();
        let mut members = Vec::with_capacity(idle + slow);
        for number in 0..idle + slow {
            let slowly = number >= idle;
            let stream = enter(target, slowly).await?;
            members.push(tokio::task::spawn_local(stay(
                target,
                slowly,
                stream,
                Rc::clone(&counts),
            )));
        }
        Ok(Self { members, counts })
    }

    fn disperse(self, idle: usize, slow: usize) -> Crowd {
        self.members.iter().for_each(JoinHandle::abort);
        Crowd {
            idle,
            slow,
            open: self.counts.open.get(),
            reopened: self.counts.reopened.get(),
        }
    }
}

/// A connection that has had one answer, or one whose head has begun.
async fn enter(target: SocketAddr, slowly: bool) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(target).await?;
    let head: &[u8] = if slowly {
        b"GET /health/live HTTP/1.1\r\nHost: bench\r\nX-Slow: "
    } else {
        b"GET /health/live HTTP/1.1\r\nHost: bench\r\n\r\n"
    };
    stream.write_all(head).await?;
    if !slowly && stream.read(&mut [0; 1024]).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(stream)
}

/// Until the measurement is over.
async fn stay(target: SocketAddr, slowly: bool, first: TcpStream, counts: Rc<Counts>) {
    let mut stream = Some(first);
    loop {
        if let Some(stream) = stream.take() {
            counts.open.set(counts.open.get() + 1);
            until_turned_out(stream, slowly).await;
            counts.open.set(counts.open.get() - 1);
            counts.reopened.set(counts.reopened.get() + 1);
        } else {
            tokio::time::sleep(PACE).await;
        }
        stream = enter(target, slowly).await.ok();
    }
}

async fn until_turned_out(mut stream: TcpStream, slowly: bool) {
    let mut answer = [0; 1024];
    let mut pace = tokio::time::interval(PACE);
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => if read.unwrap_or(0) == 0 { return },
            _ = pace.tick(), if slowly => if stream.write_all(b"x").await.is_err() { return },
        }
    }
}
