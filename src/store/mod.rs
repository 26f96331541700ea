//! The store: one code base over SQLite and PostgreSQL. `read` and `write` are the only ways to a connection and the only
//! blocking boundary. Not for: deciding anything (see `domain`) or rendering anything (see the adapters).

pub mod accounts;
pub mod administration;
pub mod admissions;
pub mod applications;
mod at_once;
pub mod audit;
pub mod audit_events;
pub mod backup;
pub mod bib_versions;
pub mod bibs;
pub mod bins;
pub mod bulk;
pub mod calendar_changes;
pub mod calendar_rows;
pub mod card_tokens;
pub mod checkpoint;
mod closing;
pub mod config_rows;
pub mod connection;
pub mod counts;
pub mod crates;
pub mod credit;
pub mod deliveries;
pub mod deposit_rows;
pub mod deposits;
pub mod devices;
pub mod dialect;
pub mod due_moves;
pub mod error;
pub mod events;
pub mod figures;
pub mod file_claim;
pub mod gates;
pub mod held;
pub mod hold_changes;
pub mod hold_queue;
pub mod hold_shelf;
pub mod holds;
mod hot;
pub mod idempotency;
pub mod ids;
pub mod imports;
pub mod item_changes;
pub mod item_lock;
pub mod items;
pub mod job;
pub mod jobs;
pub mod journal;
pub mod loans;
pub mod lockers;
pub mod log_in_tallies;
pub mod merge_bibs;
pub mod migrate;
pub mod network;
pub mod notices;
pub mod offline_blocks;
pub mod options;
pub mod outbox;
pub mod overdue;
pub mod ownership;
pub mod parcel_reports;
pub mod parcels;
mod pools;
mod postgres;
pub mod pulls;
pub mod readers;
pub mod routes;
pub mod rule_drafts;
pub mod rule_previews;
pub mod rule_sets;
pub mod schema;
pub mod seals;
pub mod sending;
pub mod sessions;
pub mod staff;
mod staff_contacts;
pub mod stops;
pub mod transits;
mod trouble;
pub mod tx;
pub mod undo_imports;
pub mod unit_counts;
pub mod writer;

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, TrySendError, bounded};
use diesel::r2d2::Pool;
use tokio::sync::{Semaphore, oneshot};

use self::connection::{Opener, PoolManager, Role, Target};
use self::idempotency::{Claim, Outcome, done_under, may_be_our_own_doing};
use self::ids::IdBlocks;
use self::job::{FromStore, Job, JobOf};
use self::tx::{ReadTx, Shared, WriteTx};
use self::writer::{Writer, WriterStats};
use crate::clock::Clock;
use crate::telemetry::traces::TransactionTrace;

pub use self::{error::StoreError, idempotency::Once, options::StoreOptions};

/// A handle on the database; cheap to clone through `Arc`.
pub struct Store {
    queue: Mutex<Option<Sender<Box<dyn Job>>>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    readers: Pool<PoolManager>,
    /// PostgreSQL only.
    writers: Option<Pool<PoolManager>>,
    queue_limit: usize,
    read_slots: Semaphore,
    /// For reads that cannot wait.
    at_once: Pool<PoolManager>,
    at_once_slots: Semaphore,
    read_timeout: Duration,
    shared: Arc<Shared>,
    stats: Arc<WriterStats>,
    ids: IdBlocks,
    checkpointer: Option<checkpoint::Checkpointer>,
    trouble: trouble::Trouble,
    is_postgres: bool,
    /// SQLite: nobody restores another file over ours. Dropped after the connections.
    _claim: Option<file_claim::FileClaim>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("postgres", &self.is_postgres)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Migrates and opens the database, and starts its threads.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached, `Mismatch` when it is newer than this program or not ours.
    pub fn open(options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        let opener = Opener::of(&options);
        let claim = file_claim::claimed(&options.target)?;
        migrate::run(&opener)?;
        let shared = Arc::new(Shared::new(&options));
        let stats = Arc::new(WriterStats::counting_slow(opener.slow_counts.clone()));
        let is_postgres = matches!(options.target, Target::Postgres(_));
        let write_workers = options.write_workers.min(options.pool_size.max(3) - 2);
        let readers = if is_postgres {
            options.pool_size.max(3) - write_workers
        } else {
            options.read_pool_size.max(1)
        };
        let pool = pools::pool(&opener, Role::Reader, readers)?;
        let at_once = pools::sleeping(&opener, Role::Reader, options.gate_connections.max(1))?;
        let (sender, receiver) = bounded::<Box<dyn Job>>(options.queue_limit);
        let mut workers = Vec::new();
        let mut write_pool = None;
        if is_postgres {
            let writers = pools::pool(&opener, Role::Writer, write_workers)?;
            write_pool = Some(writers.clone());
            for n in 0..write_workers {
                let (writers, shared, stats, receiver) =
                    (writers.clone(), shared.clone(), stats.clone(), receiver.clone());
                workers.push(spawn(&format!("pg-write-{n}"), move || {
                    postgres::work(&writers, &shared, &stats, &receiver);
                })?);
            }
        } else {
            let writer = Writer::new(opener.clone(), shared.clone(), stats.clone(), options.group_limit);
            workers.push(spawn("sqlite-writer", move || writer.run(&receiver))?);
        }
        let checkpointer = match &options.target {
            Target::Sqlite(path) => Some(checkpoint::Checkpointer::start(opener, path)?),
            Target::Postgres(_) => None,
        };
        let read_slots = Semaphore::new(options.queue_limit);
        Ok(Arc::new(Self {
            queue: Mutex::new(Some(sender)),
            workers: Mutex::new(workers),
            readers: pool,
            writers: write_pool,
            queue_limit: options.queue_limit,
            read_slots,
            at_once,
            at_once_slots: Semaphore::new(at_once::SLOTS),
            read_timeout: options.read_timeout,
            shared,
            stats,
            ids: IdBlocks::default(),
            checkpointer,
            trouble: trouble::Trouble::default(),
            is_postgres,
            _claim: claim,
        }))
    }

    /// Runs `work` in one transaction and commits it if it answers `Ok`. It may be run more than once.
    ///
    /// # Errors
    /// What `work` answered, or the store's own failure; in both cases nothing of it was kept.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: FromStore + Send + 'static,
    {
        self.submit(work, false).await
    }

    /// As `write`, but under an idempotency key: the first statement looks it up, the outcome is stored with the effect,
    /// and a replay answers the stored outcome. Without a claim it is a plain `write`.
    ///
    /// # Errors
    /// `KeyReused` when the key was used with another request; else as `write`.
    pub async fn write_once<T, E, F>(&self, claim: Option<Claim>, mut work: F) -> Result<Once<T>, E>
    where
        F: FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static,
        T: Outcome + Send + 'static,
        E: FromStore + Send + 'static,
    {
        let Some(claim) = claim else {
            return self
                .submit(move |tx| work(tx).map(|value| Once { value, replayed: false }), false)
                .await;
        };
        let mut looked_again = false;
        let job = move |tx: &mut WriteTx<'_>| {
            if let Some(outcome) = tx.outcome_of(&claim)? {
                let value = serde_json::from_str(&outcome)
                    .map_err(|error| StoreError::Corrupt(format!("idempotency outcome: {error}")))?;
                return Ok(Once { value, replayed: true });
            }
            match done_under(tx, &claim, &mut work) {
                Err(error) if !looked_again && may_be_our_own_doing(tx, &claim, &error)? => {
                    looked_again = true;
                    Err(StoreError::Retry(diesel::result::Error::RollbackTransaction).into())
                }
                done => done.map(|value| Once { value, replayed: false }),
            }
        };
        self.submit(job, true).await
    }

    async fn submit<T, E, F>(&self, mut work: F, replay_safe: bool) -> Result<T, E>
    where
        F: FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: FromStore + Send + 'static,
    {
        let trace = TransactionTrace::begin("write transaction", self.engine());
        let waiting = trace.waiting();
        let work = move |tx: &mut WriteTx<'_>| {
            waiting.iter().for_each(|waiting| waiting.over());
            work(tx)
        };
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn Job> = Box::new(JobOf::new(work, reply, replay_safe));
        {
            let queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let Some(queue) = queue.as_ref() else {
                return Err(StoreError::Unavailable {
                    reason: "stopping",
                    source: None,
                }
                .into());
            };
            match queue.try_send(job) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => return Err(StoreError::Busy.into()),
                Err(TrySendError::Disconnected(_)) => return Err(StoreError::Panicked.into()),
            }
        }
        let answer = answer.await.unwrap_or_else(|_| Err(StoreError::Panicked.into()));
        self.trouble.note(&answer);
        trace.end(has_failed(&answer));
        answer
    }

    /// Runs `work` in one read-only transaction on a consistent state.
    ///
    /// # Errors
    /// What `work` answered, or the store's own failure.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut ReadTx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: FromStore + Send + 'static,
    {
        self.read_by(&self.readers, &self.read_slots, work).await
    }

    async fn read_by<T, E, F>(&self, pool: &Pool<PoolManager>, slots: &Semaphore, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut ReadTx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: FromStore + Send + 'static,
    {
        let Ok(_slot) = slots.try_acquire() else {
            return Err(StoreError::Busy.into());
        };
        let (pool, shared, stats) = (pool.clone(), self.shared.clone(), self.stats.clone());
        let trace = TransactionTrace::begin("read transaction", self.engine());
        let waiting = trace.waiting();
        let limit = self.read_timeout;
        let ran = tokio::task::spawn_blocking(move || {
            let asked = Instant::now();
            let mut pooled = pools::begun(&pool)?;
            stats.figures.read_wait.observe(asked.elapsed());
            waiting.iter().for_each(|waiting| waiting.over());
            pools::read_once(&mut pooled, &shared, limit, work)
        });
        let answer = ran.await.unwrap_or_else(|_| Err(StoreError::Panicked.into()));
        trace.end(has_failed(&answer));
        answer
    }

    /// As traces name it.
    fn engine(&self) -> &'static str {
        if self.is_postgres { "postgresql" } else { "sqlite" }
    }

    /// The prefetched ids.
    pub fn ids(&self) -> &IdBlocks {
        &self.ids
    }

    /// The clock every transaction reads.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// The network's zone.
    pub fn zone(&self) -> chrono_tz::Tz {
        self.shared.zone
    }

    /// What the writer counted.
    pub fn stats(&self) -> &WriterStats {
        &self.stats
    }

    /// Write jobs waiting now.
    pub fn queue_depth(&self) -> usize {
        let queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        queue.as_ref().map_or(0, Sender::len)
    }

    /// True on PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.is_postgres
    }

    /// Takes no more work, finishes what was accepted, and closes the writer last. Blocks until done.
    pub fn close(&self) {
        drop(
            self.queue
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .take(),
        );
        if let Some(checkpointer) = &self.checkpointer {
            checkpointer.stop();
        }
        let workers: Vec<_> = self
            .workers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .drain(..)
            .collect();
        for worker in workers {
            if worker.join().is_err() {
                tracing::error!("a store thread ended by a panic");
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

/// It broke; a refusal is something else.
fn has_failed<T, E: FromStore>(answer: &Result<T, E>) -> bool {
    answer.as_ref().is_err_and(|error| error.store_error().is_some())
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| StoreError::unavailable("no thread", error))
}
