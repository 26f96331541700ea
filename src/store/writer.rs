//! SQLite: the one writer thread, with group commit.
//!
//! It begins IMMEDIATE, runs each job in a savepoint, takes whatever else waits into the same transaction, commits once and
//! only then answers. Anything that breaks the group (a savepoint or the commit fails, a job panics) rolls all of it back,
//! answers nobody `Ok`, and runs each job again alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use diesel::connection::{AnsiTransactionManager, TransactionManager};

use super::connection::{AnyConnection, OpenedFile, Opener, Role, Watch};
use super::error::StoreError;
use super::figures::{Figures, SlowStatements};
use super::hot;
use super::job::{Job, Verdict};
use super::tx::{Group, Shared, WriteTx};

type Manager = <AnyConnection as diesel::Connection>::TransactionManager;

/// How long a group that is small for the load waits for the next job.
const GATHER: Duration = Duration::from_micros(150);

/// What the writer counts, for metrics and tests.
#[derive(Debug, Default)]
pub struct WriterStats {
    pub commits: AtomicU64,
    pub jobs: AtomicU64,
    pub broken_groups: AtomicU64,
    /// Statements of the last job, its savepoint not counted.
    pub last_job_statements: AtomicU64,
    pub figures: Figures,
}

impl WriterStats {
    /// Shares the count of slow statements with the connections that see them.
    pub fn counting_slow(slow: Arc<SlowStatements>) -> Self {
        let figures = Figures {
            slow,
            ..Figures::default()
        };
        Self {
            figures,
            ..Self::default()
        }
    }
}

/// The thread's state.
pub struct Writer {
    opener: Opener,
    shared: Arc<Shared>,
    stats: Arc<WriterStats>,
    group_limit: usize,
    /// How many jobs the last commit answered.
    last_group: usize,
    open: Option<Open>,
}

struct Open {
    conn: AnyConnection,
    watch: Arc<Watch>,
    file: OpenedFile,
}

/// The group could not be kept.
struct Broken {
    /// The job that panicked: it is not run again.
    panicked: Option<usize>,
}

impl Writer {
    pub fn new(opener: Opener, shared: Arc<Shared>, stats: Arc<WriterStats>, group_limit: usize) -> Self {
        Self {
            opener,
            shared,
            stats,
            group_limit,
            last_group: 0,
            open: None,
        }
    }

    /// Works until the queue is closed and empty.
    pub fn run(mut self, queue: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = queue.recv() {
            self.serve(first, queue);
        }
        self.checkpoint();
    }

    fn serve(&mut self, first: Box<dyn Job>, queue: &Receiver<Box<dyn Job>>) {
        if first.is_abandoned() {
            return;
        }
        let mut jobs = vec![first];
        if let Err(error) = self.begin() {
            self.open = None;
            // Whoever waits now has waited as long as this one: they would only queue for the same answer.
            return refuse(jobs.into_iter().chain(queue.try_iter()), &error);
        }
        match self.run_group(&mut jobs, queue) {
            Ok(()) => {
                self.last_group = jobs.len();
                self.stats.commits.fetch_add(1, Ordering::Relaxed);
                self.stats.jobs.fetch_add(jobs.len() as u64, Ordering::Relaxed);
                self.stats.figures.group_jobs.count(jobs.len() as u64);
                for job in jobs {
                    job.answer(None);
                }
            }
            Err(broken) => {
                self.stats.broken_groups.fetch_add(1, Ordering::Relaxed);
                // Dropping the connection rolls back whatever is left of the transaction and forgets its state.
                self.open = None;
                let mut rest = jobs.into_iter().enumerate();
                while let Some((index, job)) = rest.next() {
                    if broken.panicked == Some(index) {
                        job.answer(Some(StoreError::Panicked));
                    } else if let Err((job, error)) = self.run_alone(job) {
                        let others = rest.map(|(_, job)| job).chain(queue.try_iter());
                        return refuse(std::iter::once(job).chain(others), &error);
                    }
                }
            }
        }
    }

    fn run_group(&mut self, jobs: &mut Vec<Box<dyn Job>>, queue: &Receiver<Box<dyn Job>>) -> Result<(), Broken> {
        let Some(open) = self.open.as_mut() else {
            return Err(Broken { panicked: None });
        };
        let mut group = Group::default();
        let mut next = 0;
        loop {
            while next < jobs.len() {
                run_nested(open, &self.shared, &self.stats, &mut group, &mut jobs[next]).map_err(|panicked| {
                    Broken {
                        panicked: panicked.then_some(next),
                    }
                })?;
                next += 1;
            }
            if jobs.len() >= self.group_limit {
                break;
            }
            match queue.try_recv() {
                Ok(job) if job.is_abandoned() => {}
                Ok(job) => jobs.push(job),
                // Those whom the last commit answered are on their way back: a moment's wait saves a commit for a few.
                Err(_) if jobs.len() * 2 < self.last_group => match queue.recv_timeout(GATHER) {
                    Ok(job) => jobs.push(job),
                    Err(_) => break,
                },
                Err(_) => break,
            }
        }
        open.file.still_there().map_err(|_| Broken { panicked: None })?;
        let began = Instant::now();
        let committed = Manager::commit_transaction(&mut open.conn);
        self.stats.figures.commit.observe(began.elapsed());
        committed.map_err(|error| {
            tracing::warn!(error = %StoreError::from(error), "a commit group failed and is run one by one");
            Broken { panicked: None }
        })
    }

    /// One job in a transaction of its own, and its answer: the slow, safe way after a group broke.
    ///
    /// # Errors
    /// The database is out of reach, for the next job too. The job comes back unanswered.
    fn run_alone(&mut self, mut job: Box<dyn Job>) -> Result<(), (Box<dyn Job>, StoreError)> {
        if job.is_abandoned() {
            return Ok(());
        }
        if let Err(error) = self.begin() {
            self.open = None;
            return Err((job, error));
        }
        let Some(open) = self.open.as_mut() else {
            job.answer(Some(StoreError::Panicked));
            return Ok(());
        };
        let mut group = Group::default();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let mut tx = WriteTx::new(&mut open.conn, &open.watch, &self.shared, &mut group);
            job.run(&mut tx)
        }));
        let failure = match ran {
            Ok(Verdict::Keep) => open
                .file
                .still_there()
                .and_then(|()| Manager::commit_transaction(&mut open.conn).map_err(StoreError::from))
                .err(),
            // SQLite may have rolled back by itself (disk full); the job's own error is the answer either way.
            Ok(_) => {
                if Manager::rollback_transaction(&mut open.conn).is_err() {
                    self.open = None;
                }
                None
            }
            Err(_) => Some(StoreError::Panicked),
        };
        if failure.is_some() {
            self.open = None;
        }
        job.answer(failure);
        Ok(())
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        if let Some(open) = &self.open
            && open.file.still_there().is_err()
        {
            self.open = None;
        }
        if self.open.is_none() {
            let (conn, watch) = self.opener.open(Role::Writer)?;
            let file = OpenedFile::of(&self.opener.target);
            self.open = Some(Open { conn, watch, file });
        }
        let open = self.open.as_mut().ok_or(StoreError::Panicked)?;
        open.watch.reset();
        match &mut open.conn {
            AnyConnection::Sqlite(inner) => AnsiTransactionManager::begin_transaction_sql(inner, "BEGIN IMMEDIATE")?,
            AnyConnection::Postgres(_) => return Err(StoreError::Mismatch("the writer thread is SQLite's".into())),
        }
        Ok(())
    }

    /// Brings the write-ahead log home before the process ends.
    fn checkpoint(&mut self) {
        use diesel::connection::SimpleConnection;
        if let Some(open) = self.open.as_mut()
            && let Err(error) = open.conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")
        {
            tracing::warn!(%error, "the last checkpoint failed; the next start does it");
        }
    }
}

/// Answers all with the failure. Collected first: whoever comes after the first answer may find things mended.
fn refuse(jobs: impl Iterator<Item = Box<dyn Job>>, error: &StoreError) {
    let waiting: Vec<Box<dyn Job>> = jobs.collect();
    for job in waiting {
        job.answer(Some(again(error)));
    }
}

/// Runs a job in a savepoint. `Err(true)`: it panicked; `Err(false)`: the group cannot go on.
fn run_nested(
    open: &mut Open,
    shared: &Shared,
    stats: &WriterStats,
    group: &mut Group,
    job: &mut Box<dyn Job>,
) -> Result<(), bool> {
    hot::savepoint(&mut open.conn).map_err(|_| false)?;
    open.watch.reset();
    let before = open.watch.statements();
    let verdict = catch_unwind(AssertUnwindSafe(|| {
        let mut tx = WriteTx::new(&mut open.conn, &open.watch, shared, group);
        job.run(&mut tx)
    }))
    .map_err(|_| true)?;
    stats
        .last_job_statements
        .store(open.watch.statements() - before, Ordering::Relaxed);
    match verdict {
        Verdict::Keep => hot::release(&mut open.conn).map_err(|_| false),
        Verdict::Undo | Verdict::Again => {
            hot::rollback_to_savepoint(&mut open.conn).map_err(|_| false)?;
            open.watch.reset();
            Ok(())
        }
    }
}

/// The same failure for every job of a group; the source stays with the log.
fn again(error: &StoreError) -> StoreError {
    tracing::warn!(%error, "the writer cannot begin");
    match error {
        StoreError::Unavailable { reason, .. } => StoreError::Unavailable { reason, source: None },
        other => StoreError::Mismatch(other.to_string()),
    }
}
