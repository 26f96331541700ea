//! PostgreSQL: a few worker threads, each running one job at a time in a READ COMMITTED transaction.
//! Row locks are taken by the job in the order bib, item, readers; what PostgreSQL asks to be run again is run again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::r2d2::Pool;

use super::connection::{AnyConnection, PoolManager, Pooled};
use super::error::StoreError;
use super::job::{Job, Verdict};
use super::tx::{Group, Shared, WriteTx};
use super::writer::WriterStats;

type Manager = <AnyConnection as diesel::Connection>::TransactionManager;

/// How often a transaction is run again after a deadlock, a serialisation failure or a lost connection.
const ATTEMPTS: u32 = 8;

/// The advisory lock every write holds shared from its first moment, and a change of calendars holds alone: see
/// `WriteTx::hold_calendars`.
const CALENDARS: i64 = 0x0074_6a63_616c;

/// How one attempt ended.
enum Attempt {
    Done,
    Undone,
    Again(StoreError),
    Failed(StoreError),
}

/// Works until the queue is closed and empty.
pub fn work(pool: &Pool<PoolManager>, shared: &Arc<Shared>, stats: &WriterStats, queue: &Receiver<Box<dyn Job>>) {
    while let Ok(job) = queue.recv() {
        serve(pool, shared, stats, job);
    }
}

fn serve(pool: &Pool<PoolManager>, shared: &Shared, stats: &WriterStats, mut job: Box<dyn Job>) {
    let mut tries = 0;
    loop {
        if job.is_abandoned() {
            return;
        }
        let asked = Instant::now();
        let pooled = pool.get();
        stats.figures.write_wait.observe(asked.elapsed());
        let attempt = match pooled {
            Ok(mut pooled) => run_once(&mut pooled, shared, stats, job.as_mut()),
            Err(error) => Attempt::Failed(StoreError::unavailable("connection lost", error)),
        };
        tries += 1;
        match attempt {
            Attempt::Done => {
                stats.commits.fetch_add(1, Ordering::Relaxed);
                stats.jobs.fetch_add(1, Ordering::Relaxed);
                stats.figures.group_jobs.count(1);
                return job.answer(None);
            }
            Attempt::Undone => return job.answer(None),
            Attempt::Again(error) if tries >= ATTEMPTS => return job.answer(Some(error)),
            Attempt::Again(_) => std::thread::sleep(Duration::from_millis(u64::from(tries * tries))),
            Attempt::Failed(error) => return job.answer(Some(error)),
        }
    }
}

fn run_once(pooled: &mut Pooled, shared: &Shared, stats: &WriterStats, job: &mut dyn Job) -> Attempt {
    let Pooled { connection, watch, .. } = pooled;
    watch.reset();
    if let Err(error) = begin(connection) {
        // Nothing was done yet: a connection that died in the pool, or that waited too long here, is simply replaced.
        discard(connection);
        return Attempt::Again(error);
    }
    let before = watch.statements();
    let mut group = Group::default();
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut tx = WriteTx::new(connection, watch, shared, &mut group);
        job.run(&mut tx)
    }));
    stats
        .last_job_statements
        .store(watch.statements() - before, Ordering::Relaxed);
    match ran {
        Ok(Verdict::Keep) => match commit(connection, stats) {
            Ok(()) => Attempt::Done,
            Err(error @ StoreError::Retry(_)) => Attempt::Again(error),
            // Lost during COMMIT: nobody knows. Running it again finds the key if it was committed after all.
            Err(error) if job.replay_safe() => Attempt::Again(error),
            Err(error) => Attempt::Failed(error),
        },
        Ok(verdict) => {
            if Manager::rollback_transaction(connection).is_err() {
                discard(connection);
            }
            if verdict == Verdict::Again {
                Attempt::Again(StoreError::Busy)
            } else {
                Attempt::Undone
            }
        }
        Err(_) => {
            discard(connection);
            Attempt::Failed(StoreError::Panicked)
        }
    }
}

fn commit(connection: &mut AnyConnection, stats: &WriterStats) -> Result<(), StoreError> {
    let began = Instant::now();
    let committed = Manager::commit_transaction(connection);
    stats.figures.commit.observe(began.elapsed());
    Ok(committed?)
}

fn begin(connection: &mut AnyConnection) -> Result<(), StoreError> {
    match connection {
        AnyConnection::Postgres(inner) => {
            // One round trip for both. What the transaction reads next, it reads after having waited.
            let begin =
                format!("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock_shared({CALENDARS})");
            AnsiTransactionManager::begin_transaction_sql(inner, &begin)?;
            Ok(())
        }
        AnyConnection::Sqlite(_) => Err(StoreError::Mismatch("the worker threads are PostgreSQL's".into())),
    }
}

impl WriteTx<'_> {
    /// Waits until no other write is under way, and lets none begin before this one has ended. A change of calendars calls it
    /// before its first change: a loan is then either made by the calendars after it or found when due dates move. On
    /// SQLite writes never meet.
    ///
    /// # Errors
    /// A failure of the store; `Retry` when two such changes met.
    pub fn hold_calendars(&mut self) -> Result<(), StoreError> {
        if let AnyConnection::Postgres(inner) = &mut *self.conn {
            inner.batch_execute(&format!("SELECT pg_advisory_xact_lock({CALENDARS})"))?;
        }
        Ok(())
    }
}

/// Marks a connection whose state is unknown as broken, so that the pool drops it.
fn discard(connection: &mut AnyConnection) {
    if let AnyConnection::Postgres(inner) = connection {
        use diesel::connection::TransactionManagerStatus;
        let status: &mut TransactionManagerStatus = AnsiTransactionManager::transaction_manager_status_mut(inner);
        status.set_in_error();
    }
}
