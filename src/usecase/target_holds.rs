//! Has copies fetched from shelves for waiting holds: a pass over all of them, and the look at one bib that follows a verb.
//! Not for: choosing (see `domain::target_hold`) or capturing (a scan does).

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::run_job::{Look, Pass};
use super::{Result, UseCaseError};
use crate::domain::hold::CopyFacts;
use crate::domain::ids::{BibId, UnitId};
use crate::domain::network::Network;
use crate::domain::target_hold::{Load, Pull, Waiting, choose};
use crate::store::Store;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};

/// Copies asked for at most by one verb; the next pass asks for the rest.
pub(super) const PULLS_PER_VERB: i64 = 8;

/// Bibs in one transaction of a pass, to begin with, and at most.
const BIBS: usize = 16;
const BIBS_AT_MOST: usize = 256;
/// Copies asked for in one transaction of a pass, at most.
const PULLS_PER_CHUNK: i64 = 512;
/// How long a transaction of a pass should take: others wait for it.
const CHUNK_TIME: Duration = Duration::from_millis(8);
/// Pulls that the planner need not know of.
const UNPLANNED: i64 = 500;
/// How long a pull is kept after it ended.
const PULLS_KEPT: TimeDelta = TimeDelta::days(90);
const FORGOTTEN_AT_ONCE: i64 = 200;
/// Units whose open pulls are counted for one bib; beyond them the load is not compared.
const UNITS_COMPARED: usize = 32;

/// What a pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Targeted {
    /// Bibs looked at under their locks.
    pub bibs: u64,
    /// Copies that units were asked for.
    pub asked: u64,
    /// Pulls that were out of date and are closed now.
    pub closed: u64,
    /// The longest transaction, in microseconds.
    pub longest_us: u64,
}

/// Looks at every bib for which somebody waits while a copy stands on a shelf, and closes pulls that are out of date.
///
/// # Errors
/// A failure of the store; what was asked for before stays.
pub async fn target_holds(store: &Arc<Store>) -> Result<Targeted> {
    let (mut done, mut after) = (Targeted::default(), 0);
    let mut pace = Pace::begin(store).await?;
    loop {
        let (page, last) = store.read(move |tx| bibs_after(tx, after)).await?;
        let Some(last) = last else { break };
        after = last.get();
        serve_page(store, &page, &mut pace, &mut done).await?;
    }
    forget(store).await?;
    Ok(done)
}

/// The walk over the bibs for which somebody waits while a copy stands on a shelf.
#[derive(Debug, Clone, Copy, Default)]
pub struct TargetHolds;

impl Pass for TargetHolds {
    type Work = Step;

    fn look(
        &self,
        after: i64,
        _: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<Step>> + Send + 'static {
        move |tx| {
            let (bibs, last) = bibs_after(tx, after)?;
            let looked_at = i64::try_from(bibs.len()).unwrap_or(i64::MAX);
            let work = match last {
                None => vec![Step::Forget],
                // A stretch with nothing to do costs no more than the look.
                Some(_) if bibs.is_empty() => Vec::new(),
                Some(_) => vec![Step::Serve(bibs)],
            };
            Ok(Look {
                work,
                looked_at,
                after: last.map(BibId::get),
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<Step>) -> Result<i64> {
        let mut done = Targeted::default();
        for step in work {
            match step {
                Step::Serve(bibs) => serve_page(store, &bibs, &mut Pace::begin(store).await?, &mut done).await?,
                Step::Forget => forget(store).await?,
            }
        }
        Ok(i64::try_from(done.asked + done.closed).unwrap_or(i64::MAX))
    }
}

/// A step of the walk.
#[derive(Debug, Clone)]
pub enum Step {
    Serve(Vec<BibId>),
    /// At the end: pulls that ended long ago.
    Forget,
}

/// How fast a pass goes, and what units have to fetch.
struct Pace {
    size: usize,
    load: Load,
    /// Open pulls there are at least, and how many the planner believes there are.
    pulls: i64,
    planned: Option<i64>,
}

impl Pace {
    async fn begin(store: &Arc<Store>) -> Result<Self> {
        let look = |tx: &mut ReadTx<'_>| -> Result<_> { Ok((tx.open_pulls(None)?, tx.planned_pulls()?)) };
        let (open, planned) = store.read(look).await?;
        let pulls = open.values().map(|n| i64::from(*n)).sum();
        let load = Load {
            open,
            ..Load::default()
        };
        Ok(Self {
            size: BIBS,
            load,
            pulls,
            planned,
        })
    }

    /// Has the planner look when there are many more pulls than it believes. It keeps the plan of a statement: one made while
    /// there were none reads all of them for every bib.
    async fn tell_planner(&mut self, store: &Arc<Store>) -> Result<()> {
        if self.planned.is_some_and(|planned| self.pulls > 2 * planned + UNPLANNED) {
            store.write(|tx| -> Result<_> { Ok(tx.analyze_pulls()?) }).await?;
            self.planned = Some(self.pulls);
        }
        Ok(())
    }
}

/// The bibs to look at of the next stretch, and where it ends; `None` at the end of the walk.
fn bibs_after(tx: &mut ReadTx<'_>, after: i64) -> Result<(Vec<BibId>, Option<BibId>)> {
    let today = tx.network()?.local_day(tx.now());
    Ok(tx.bibs_to_target(today, after, i64::try_from(BIBS_AT_MOST).unwrap_or(1))?)
}

async fn serve_page(store: &Arc<Store>, page: &[BibId], pace: &mut Pace, done: &mut Targeted) -> Result<()> {
    let mut rest = page;
    while !rest.is_empty() {
        let (bibs, later) = rest.split_at(pace.size.min(rest.len()));
        rest = later;
        let chunk = serve_chunk(store, bibs.to_vec(), pace.load.clone()).await?;
        pace.load = chunk.load;
        done.bibs += u64::try_from(bibs.len()).unwrap_or(0);
        done.asked += chunk.served.asked;
        done.closed += chunk.served.closed;
        done.longest_us = done
            .longest_us
            .max(u64::try_from(chunk.took.as_micros()).unwrap_or(u64::MAX));
        pace.size = next_size(pace.size, bibs.len(), chunk.took);
        pace.pulls += i64::try_from(chunk.served.asked).unwrap_or(0);
        pace.tell_planner(store).await?;
    }
    Ok(())
}

/// Forgets pulls that ended long ago.
async fn forget(store: &Arc<Store>) -> Result<()> {
    loop {
        let forgotten = store
            .write(move |tx| -> Result<_> { Ok(tx.forget_pulls(tx.now() - PULLS_KEPT, FORGOTTEN_AT_ONCE)?) })
            .await?;
        if forgotten == 0 {
            return Ok(());
        }
    }
}

/// So many bibs that a transaction takes about [`CHUNK_TIME`]; it grows slowly and shrinks at once.
fn next_size(size: usize, bibs: usize, took: Duration) -> usize {
    let per_bib = took.as_micros().max(1) / u128::try_from(bibs.max(1)).unwrap_or(1);
    let fits = usize::try_from(CHUNK_TIME.as_micros() / per_bib.max(1)).unwrap_or(BIBS_AT_MOST);
    fits.clamp(1, (size * 2).min(BIBS_AT_MOST))
}

struct Chunk {
    served: Served,
    load: Load,
    took: Duration,
}

async fn serve_chunk(store: &Arc<Store>, bibs: Vec<BibId>, load: Load) -> Result<Chunk> {
    let ids = store.take_ids::<UseCaseError>(PULLS_PER_CHUNK).await?;
    store
        .write(move |tx| -> Result<_> {
            let began = Instant::now();
            let network = tx.network()?;
            let mut load = load.clone();
            let mut ids = ids.clone();
            let room = ids.left();
            let served = serve(tx, &network, &bibs, (&mut load, room), &mut ids)?;
            let took = began.elapsed();
            Ok(Chunk { served, load, took })
        })
        .await
}

/// Has copies of one bib fetched, at most [`PULLS_PER_VERB`] of them: what is left of the ids is for what else the verb writes.
/// Its lock is taken already, and nothing but readers is locked after it.
pub(super) fn serve_bib(tx: &mut WriteTx<'_>, network: &Network, bib: BibId, ids: &mut IdRun) -> Result<()> {
    let shelves = tx.copies_to_fetch(&[bib.get()])?;
    if shelves.is_empty() {
        return Ok(());
    }
    let mut units: Vec<i64> = shelves.iter().map(|copy| copy.current.get()).collect();
    units.sort_unstable();
    units.dedup();
    units.truncate(UNITS_COMPARED);
    let mut load = Load {
        open: tx.open_pulls(Some(&units))?,
        ..Load::default()
    };
    let room = ids.left().min(PULLS_PER_VERB);
    serve(tx, network, &[bib], (&mut load, room), ids)?;
    Ok(())
}

#[derive(Debug, Clone, Copy, Default)]
struct Served {
    asked: u64,
    closed: u64,
}

/// Asks for copies of some bibs, at most `room` of them.
fn serve(
    tx: &mut WriteTx<'_>,
    network: &Network,
    bibs: &[BibId],
    (load, room): (&mut Load, i64),
    ids: &mut IdRun,
) -> Result<Served> {
    let numbers: Vec<i64> = bibs.iter().map(|bib| bib.get()).collect();
    tx.lock_bibs(bibs)?;
    let now = tx.now();
    let today = network.local_day(now);
    tx.wait_for_closed_units(network, &numbers, today)?;
    let closed = tx.close_stale_pulls(&numbers, today, now)?;
    let copies = tx.copies_to_fetch(&numbers)?;
    if copies.is_empty() {
        return Ok(Served {
            asked: 0,
            closed: u64::try_from(closed).unwrap_or(0),
        });
    }
    let waiting = tx.unserved_holds(network, &numbers, today)?;
    count_today(tx, network, &copies, load, today)?;
    let room = usize::try_from(room).unwrap_or(0);
    let mut pulls: Vec<(i64, BibId, Pull)> = Vec::new();
    for (bib, waiting) in by_bib(waiting) {
        let copies: Vec<CopyFacts> = copies.iter().filter(|copy| copy.bib == bib).copied().collect();
        let chosen = choose(
            network,
            &waiting,
            &copies,
            load,
            today,
            room.saturating_sub(pulls.len()),
        );
        pulls.extend(chosen.into_iter().map(|pull| (ids.next(), bib, pull)));
    }
    tx.insert_pulls(&pulls, today, now)?;
    Ok(Served {
        asked: u64::try_from(pulls.len()).unwrap_or(0),
        closed: u64::try_from(closed).unwrap_or(0),
    })
}

/// What units with a daily cap were asked for today, exactly: nobody else asks them until this transaction ends.
fn count_today(
    tx: &mut WriteTx<'_>,
    network: &Network,
    copies: &[CopyFacts],
    load: &mut Load,
    today: NaiveDate,
) -> Result<()> {
    let is_capped = |unit: &UnitId| network.sending().of(network.units(), *unit).daily_cap.is_some();
    let mut capped: Vec<i64> = copies
        .iter()
        .map(|copy| copy.current)
        .filter(is_capped)
        .map(UnitId::get)
        .collect();
    capped.sort_unstable();
    capped.dedup();
    if !capped.is_empty() {
        tx.lock_daily_caps()?;
        load.today = tx.pulls_asked_on(today, &capped)?;
    }
    Ok(())
}

fn by_bib(waiting: Vec<(BibId, Waiting)>) -> Vec<(BibId, Vec<Waiting>)> {
    let mut queues: Vec<(BibId, Vec<Waiting>)> = Vec::new();
    for (bib, hold) in waiting {
        match queues.last_mut() {
            Some((last, queue)) if *last == bib => queue.push(hold),
            _ => queues.push((bib, vec![hold])),
        }
    }
    queues
}
