//! One connection type over both engines, and how a connection of each is opened and asserted.
//! Not for: transactions (see `tx`, `writer`, `postgres`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::{Instrumentation, InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;
use diesel::r2d2::R2D2Connection;
use diesel::sql_types::{BigInt, Text};

use super::StoreOptions;
use super::error::StoreError;
use super::figures::SlowStatements;

/// A connection to either engine. All typed queries are written once against this type.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    Sqlite(diesel::SqliteConnection),
    Postgres(diesel::PgConnection),
}

/// Which database, by the URL's scheme: the derived `establish` would let SQLite accept any string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Target {
    /// `sqlite:PATH`, `postgres://…` or `postgresql://…`.
    ///
    /// # Errors
    /// `Mismatch` naming what is allowed, for any other scheme.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            return Ok(Self::Sqlite(PathBuf::from(path.trim_start_matches("//"))));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        Err(StoreError::Mismatch(
            "database.url must begin with sqlite:, postgres:// or postgresql://".into(),
        ))
    }
}

/// What the instrumentation saw: the statement count, and whether a statement failed since the last reset.
#[derive(Debug, Default)]
pub struct Watch {
    failed: AtomicBool,
    statements: AtomicU64,
}

impl Watch {
    /// Statements finished so far.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// A statement failed since the last `reset`.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Forgets the failure: a savepoint or a transaction was rolled back.
    pub fn reset(&self) {
        self.failed.store(false, Ordering::Relaxed);
    }
}

struct Observer {
    watch: Arc<Watch>,
    slow_counts: Arc<SlowStatements>,
    slow: Duration,
    started: Option<Instant>,
}

impl Instrumentation for Observer {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { .. } => {
                self.started = (!self.slow.is_zero()).then(Instant::now);
            }
            InstrumentationEvent::FinishQuery { query, error, .. } => {
                self.watch.statements.fetch_add(1, Ordering::Relaxed);
                if error.is_some() {
                    self.watch.failed.store(true, Ordering::Relaxed);
                }
                if let Some(took) = self.started.take().map(|start| start.elapsed())
                    && took >= self.slow
                {
                    // Placeholders only: bound values could be personal. Diesel appends them after this mark.
                    let text = query.to_string();
                    let sql = text.split(" -- binds:").next().unwrap_or_default();
                    self.slow_counts.count(sql);
                    tracing::warn!(millis = took.as_millis() as u64, sql, "slow statement");
                }
            }
            _ => {}
        }
    }
}

/// PostgreSQL's failures are told apart by their words. Setting their language is a right that has to be granted.
const ENGLISH: &str = "DO $$ BEGIN PERFORM set_config('lc_messages', 'C', false); \
    EXCEPTION WHEN insufficient_privilege THEN NULL; END $$";

/// Size of a SQLite page.
pub const PAGE_BYTES: u64 = 2_048;

/// What a SQLite connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The writer thread's, or a write worker's.
    Writer,
    /// For read transactions.
    Reader,
    /// May create the file: at start and for migrations only, so that a lost file is never replaced by an empty one.
    Creator,
}

/// How connections are opened.
#[derive(Debug, Clone)]
pub struct Opener {
    pub target: Target,
    pub busy_timeout: Duration,
    pub connect_timeout: Duration,
    pub lock_timeout: Duration,
    pub read_timeout: Duration,
    pub write_timeout: Duration,
    pub slow_statement: Duration,
    pub max_pages: Option<u32>,
    /// Where its connections count their slow statements.
    pub slow_counts: Arc<SlowStatements>,
}

impl Opener {
    /// As a store's options say.
    pub fn of(options: &StoreOptions) -> Self {
        Self {
            target: options.target.clone(),
            busy_timeout: options.busy_timeout,
            connect_timeout: options.connect_timeout,
            lock_timeout: options.lock_timeout,
            read_timeout: options.read_timeout,
            write_timeout: options.write_timeout,
            slow_statement: options.slow_statement,
            max_pages: options.max_pages,
            slow_counts: Arc::default(),
        }
    }

    /// Opens a watched connection and asserts its settings.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be opened; `Mismatch` when a durability setting did not take.
    pub fn open(&self, role: Role) -> Result<(AnyConnection, Arc<Watch>), StoreError> {
        let mut connection = match &self.target {
            Target::Sqlite(path) => AnyConnection::Sqlite(self.open_sqlite(path, role)?),
            Target::Postgres(url) => {
                let mut pg = diesel::PgConnection::establish(url)
                    .map_err(|error| StoreError::unavailable("connection lost", error))?;
                pg.batch_execute(&self.session_settings(role))?;
                AnyConnection::Postgres(pg)
            }
        };
        let watch = Arc::new(Watch::default());
        let slow = match role {
            // A migration may take its time, and its whole script would be in the log.
            Role::Creator => Duration::ZERO,
            Role::Writer | Role::Reader => self.slow_statement,
        };
        connection.set_instrumentation(Observer {
            watch: watch.clone(),
            slow_counts: self.slow_counts.clone(),
            slow,
            started: None,
        });
        Ok((connection, watch))
    }

    /// What a PostgreSQL session begins with; 0 is no limit.
    fn session_settings(&self, role: Role) -> String {
        let limit = match role {
            Role::Writer => self.write_timeout,
            Role::Reader => self.read_timeout,
            Role::Creator => Duration::ZERO,
        };
        let (locks, limit) = (self.lock_timeout.as_millis(), limit.as_millis());
        let common = format!(
            "{ENGLISH}; SET timezone = 'UTC'; SET lock_timeout = {locks}; SET jit = off; SET statement_timeout = {limit}"
        );
        match role {
            // A plan stays as long as its connection. Made while a table was empty it would read the whole table ever
            // after, and slower with every row.
            Role::Writer => common + "; SET enable_seqscan = off",
            Role::Reader | Role::Creator => common,
        }
    }

    fn open_sqlite(&self, path: &Path, role: Role) -> Result<diesel::SqliteConnection, StoreError> {
        // SQLite would take the log of the lost file, with all that is in it, for a leftover of the empty one, and delete it.
        if role != Role::Creator && std::fs::metadata(path).is_ok_and(|file| file.len() == 0) {
            return Err(gone());
        }
        let mode = if role == Role::Creator { "rwc" } else { "rw" };
        let uri = format!("file:{}?mode={mode}", escape_uri(path));
        let mut conn =
            diesel::SqliteConnection::establish(&uri).map_err(|error| StoreError::unavailable("gone", error))?;
        if role != Role::Creator {
            assert_ours(&mut conn)?;
        }
        if role == Role::Creator {
            // Takes effect on a new file only. A check-out changes a few bytes on each of a dozen scattered pages, and every
            // changed page is written whole: small pages halve what a commit writes.
            conn.batch_execute(&format!("PRAGMA page_size = {PAGE_BYTES}"))?;
        }
        let wait = self.busy_timeout.as_millis();
        let settings = format!(
            "PRAGMA busy_timeout = {wait}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
             PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -24576; PRAGMA temp_store = MEMORY; \
             PRAGMA mmap_size = 0;"
        );
        let asked = Instant::now();
        // Two that open a new file at once: whoever comes second to the change to WAL is told `locked` without any wait.
        while let Err(error) = conn.batch_execute(&settings) {
            if asked.elapsed() >= self.busy_timeout || !error.to_string().contains("database is locked") {
                return Err(error.into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if role == Role::Reader {
            conn.batch_execute("PRAGMA query_only = ON; PRAGMA cache_size = -8192")?;
        }
        if let (Role::Writer, Some(pages)) = (role, self.max_pages) {
            conn.batch_execute(&format!("PRAGMA max_page_count = {pages}"))?;
        }
        assert_settings(&mut conn)?;
        Ok(conn)
    }
}

/// The path with a suffix: a file that belongs to the database, such as its log.
pub fn sidecar(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A path as part of a `file:` URI.
pub fn escape_uri(path: &Path) -> String {
    path.to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    value: String,
}

/// A file that took the place of the lost one and holds no network is as good as none, and is not written to.
fn assert_ours(conn: &mut diesel::SqliteConnection) -> Result<(), StoreError> {
    let found: Number = diesel::sql_query("SELECT count(*) AS value FROM sqlite_master WHERE name = 'network_state'")
        .get_result(conn)?;
    if found.value == 0 { Err(gone()) } else { Ok(()) }
}

fn gone() -> StoreError {
    StoreError::Unavailable {
        reason: "gone",
        source: None,
    }
}

/// A connection with weaker settings would lose what it answered as done: a `kill -9` alone cannot show a missing fsync.
fn assert_settings(conn: &mut diesel::SqliteConnection) -> Result<(), StoreError> {
    let keys: Number = diesel::sql_query("SELECT foreign_keys AS value FROM pragma_foreign_keys").get_result(conn)?;
    let sync: Number = diesel::sql_query("SELECT synchronous AS value FROM pragma_synchronous").get_result(conn)?;
    let mode: Word = diesel::sql_query("SELECT journal_mode AS value FROM pragma_journal_mode").get_result(conn)?;
    if keys.value != 1 || sync.value != 2 || mode.value != "wal" {
        return Err(StoreError::Mismatch(format!(
            "SQLite must run with foreign_keys=1, synchronous=2, journal_mode=wal, not {}, {}, {}",
            keys.value, sync.value, mode.value
        )));
    }
    Ok(())
}

/// A pooled connection with its watch.
pub struct Pooled {
    pub connection: AnyConnection,
    pub watch: Arc<Watch>,
    /// It could not begin a transaction: the pool drops it.
    pub broken: bool,
    file: OpenedFile,
}

impl Pooled {
    /// The file is gone and no other took its place: opening it again would only wait for the same.
    pub fn lost_its_file(&self) -> bool {
        self.file.is_lost()
    }

    /// As `OpenedFile::still_there`.
    ///
    /// # Errors
    /// `Unavailable` when the path names another file now, or none.
    pub fn still_the_same_file(&self) -> Result<(), StoreError> {
        self.file.still_there()
    }
}

/// Device and inode of an opened SQLite file. If its path names another file now, what is read is stale and what is written
/// is lost. Nothing for PostgreSQL.
#[derive(Debug, Clone)]
pub struct OpenedFile {
    path: Option<PathBuf>,
    identity: Option<(u64, u64)>,
}

impl OpenedFile {
    /// Remembers the file of a target that has just been opened.
    pub fn of(target: &Target) -> Self {
        match target {
            Target::Sqlite(path) => Self {
                path: Some(path.clone()),
                identity: identity_of(path),
            },
            Target::Postgres(_) => Self {
                path: None,
                identity: None,
            },
        }
    }

    fn is_lost(&self) -> bool {
        self.path.as_deref().is_some_and(|path| identity_of(path).is_none())
    }

    /// Whether the path still names the opened file.
    ///
    /// # Errors
    /// `Unavailable` when it does not.
    pub fn still_there(&self) -> Result<(), StoreError> {
        match &self.path {
            Some(path) if self.identity.is_none() || identity_of(path) != self.identity => Err(gone()),
            _ => Ok(()),
        }
    }
}

fn identity_of(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Hands connections of one role to r2d2.
#[derive(Debug, Clone)]
pub struct PoolManager {
    pub opener: Opener,
    pub role: Role,
}

impl diesel::r2d2::ManageConnection for PoolManager {
    type Connection = Pooled;
    type Error = StoreError;

    fn connect(&self) -> Result<Pooled, StoreError> {
        let (connection, watch) = self.opener.open(self.role)?;
        Ok(Pooled {
            connection,
            watch,
            broken: false,
            file: OpenedFile::of(&self.opener.target),
        })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), StoreError> {
        Ok(pooled.connection.ping()?)
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        std::thread::panicking() || pooled.broken || pooled.connection.is_broken()
    }
}
