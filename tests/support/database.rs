//! A private database for one test: a SQLite file in a directory of its own, or a database of the cluster that
//! `TONGJIE_TEST_POSTGRES` names. Gone when dropped.

#![allow(dead_code, reason = "each test binary uses the part it needs")]

use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use tongjie::clock::Clock;
use tongjie::store::connection::{AnyConnection, Opener, Target};
use tongjie::store::{Store, StoreOptions, migrate};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Where tests find PostgreSQL: a URL of a user who may create databases.
pub const POSTGRES: &str = "TONGJIE_TEST_POSTGRES";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// Both, or SQLite alone where no PostgreSQL is given.
    pub fn all() -> Vec<Self> {
        match std::env::var(POSTGRES) {
            Ok(url) if !url.is_empty() => vec![Self::Sqlite, Self::Postgres],
            _ => {
                eprintln!("{POSTGRES} is not set: PostgreSQL is not tested (scripts/test.sh sets it)");
                vec![Self::Sqlite]
            }
        }
    }
}

/// One database.
pub struct Database {
    pub engine: Engine,
    dir: PathBuf,
    name: String,
}

impl Database {
    /// With all its tables: a copy of one that was migrated when the first test of this process asked for it.
    pub fn new(engine: Engine) -> Self {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tj_test_{}_{n}", std::process::id());
        let base = base(engine);
        let database = Self::at(engine, name);
        match engine {
            Engine::Sqlite => {
                std::fs::copy(base, database.file()).expect("a copy of the migrated file");
            }
            Engine::Postgres => admin(&format!("CREATE DATABASE {} TEMPLATE {base}", database.name)),
        }
        database
    }

    /// Without a table, as on a new machine.
    pub fn empty(engine: Engine) -> Self {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let database = Self::at(engine, format!("tj_test_{}_{n}", std::process::id()));
        if engine == Engine::Postgres {
            admin(&format!("CREATE DATABASE {}", database.name));
        }
        database
    }

    fn at(engine: Engine, name: String) -> Self {
        let dir = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&dir).expect("a directory for the test");
        Self { engine, dir, name }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        self.dir.join("tongjie.db")
    }

    /// As `database.url` wants it.
    pub fn url(&self) -> String {
        match self.engine {
            Engine::Sqlite => format!("sqlite:{}", self.file().display()),
            Engine::Postgres => {
                let url = std::env::var(POSTGRES).expect("the variable was there");
                let (base, query) = url
                    .split_once('?')
                    .map_or((url.as_str(), ""), |(base, query)| (base, query));
                let at = base.rfind('/').expect("a URL with a database name");
                let query = if query.is_empty() {
                    String::new()
                } else {
                    format!("?{query}")
                };
                format!("{}/{}{query}", &base[..at], self.name)
            }
        }
    }

    /// A connection that is not the store's.
    pub fn outside(&self) -> Outside {
        Outside(match self.engine {
            Engine::Sqlite => {
                let file = self.file().display().to_string();
                let mut conn = diesel::SqliteConnection::establish(&file).expect("the file opens");
                diesel::sql_query("PRAGMA busy_timeout = 5000")
                    .execute(&mut conn)
                    .expect("a setting");
                AnyConnection::Sqlite(conn)
            }
            Engine::Postgres => {
                AnyConnection::Postgres(diesel::PgConnection::establish(&self.url()).expect("the database answers"))
            }
        })
    }

    /// PostgreSQL: ends every session, and lets no new one in until `let_in`.
    pub fn shut_out(&self) {
        admin(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", self.name));
        admin(&format!(
            "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE datname = '{}'",
            self.name
        ));
    }

    /// PostgreSQL: the database takes connections again.
    pub fn let_in(&self) {
        admin(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name));
    }

    pub fn options(&self, clock: Clock) -> StoreOptions {
        let target = Target::parse(&self.url()).expect("a URL we know");
        StoreOptions {
            pool_size: 10,
            ..StoreOptions::new(target, chrono_tz::Asia::Shanghai, clock)
        }
    }

    fn migrate(&self) {
        let options = self.options(Clock::fixed(chrono::DateTime::UNIX_EPOCH));
        migrate::run(&Opener::of(&options)).expect("the migrations run");
    }

    pub fn open(&self, clock: Clock) -> Arc<Store> {
        Store::open(self.options(clock)).expect("a new database opens")
    }
}

/// Somebody else's connection to the database of a test.
pub struct Outside(AnyConnection);

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    t: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = diesel::sql_types::Text)]
    w: String,
}

#[derive(QueryableByName)]
struct Triple {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    a: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    b: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    c: i64,
}

impl Outside {
    /// Runs one statement.
    pub fn run(&mut self, sql: &str) {
        diesel::sql_query(sql)
            .execute(&mut self.0)
            .expect("a statement from outside");
    }

    /// The number that a statement answers as `n`.
    pub fn number(&mut self, sql: &str) -> i64 {
        let row: Number = diesel::sql_query(sql).get_result(&mut self.0).expect("a number");
        row.n
    }

    /// The text that a statement answers as `t`.
    pub fn text(&mut self, sql: &str) -> String {
        let row: Text = diesel::sql_query(sql).get_result(&mut self.0).expect("a text");
        row.t
    }

    /// The words that a statement answers as `w`.
    pub fn words(&mut self, sql: &str) -> Vec<String> {
        let rows: Vec<Word> = diesel::sql_query(sql).get_results(&mut self.0).expect("words");
        rows.into_iter().map(|row| row.w).collect()
    }

    /// The rows of numbers that a statement answers as `a`, `b` and `c`.
    pub fn triples(&mut self, sql: &str) -> Vec<(i64, i64, i64)> {
        let rows: Vec<Triple> = diesel::sql_query(sql).get_results(&mut self.0).expect("numbers");
        rows.into_iter().map(|row| (row.a, row.b, row.c)).collect()
    }

    /// How much there is of what changes leave behind: loans, holds, readers, events and outcomes.
    pub fn traces(&mut self) -> Vec<i64> {
        [
            "loans",
            "holds",
            "readers",
            "events",
            "event_personal",
            "idempotency_keys",
        ]
        .iter()
        .map(|table| self.number(&format!("SELECT count(*) AS n FROM {table}")))
        .collect()
    }

    /// PostgreSQL: returns once so many other sessions of this database wait for a lock. Not inside a transaction, which
    /// would see the same sessions for ever.
    pub fn until_waiting(&mut self, sessions: i64) {
        self.until(&format!("({OTHERS} {WAITING}) >= {sessions}"));
    }

    /// PostgreSQL: ends every other session of this database; answers how many there were.
    pub fn terminate_others(&mut self) -> i64 {
        self.terminate(OTHERS)
    }

    /// PostgreSQL: ends the sessions of this database that wait for a lock; answers how many there were.
    pub fn terminate_waiting(&mut self) -> i64 {
        self.terminate(&format!("{OTHERS} {WAITING}"))
    }

    fn terminate(&mut self, sessions: &str) -> i64 {
        let n = self.number(&sessions.replace("count(*)", "count(pg_terminate_backend(pid))"));
        self.until(&format!("({sessions}) = 0"));
        n
    }

    fn until(&mut self, condition: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.number(&format!("SELECT ({condition})::int::bigint AS n")) == 0 {
            assert!(Instant::now() < deadline, "never came true: {condition}");
        }
    }
}

/// The other sessions of this database.
const OTHERS: &str = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
    AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
const WAITING: &str = "AND wait_event_type = 'Lock'";

impl Drop for Database {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.dir));
        if self.engine == Engine::Postgres {
            admin(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

/// The migrated database that others are copied from: migrating takes longer than most tests. Kept from run to run under the digest of
/// the migrations, so on a cluster that is not thrown away `tj_base_…` of older ones may be dropped by hand.
fn base(engine: Engine) -> &'static str {
    static BASES: [OnceLock<String>; 2] = [OnceLock::new(), OnceLock::new()];
    match engine {
        Engine::Sqlite => BASES[0].get_or_init(sqlite_base),
        Engine::Postgres => BASES[1].get_or_init(postgres_base),
    }
}

fn sqlite_base() -> String {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = dir.join(format!("tj_base_{}.db", digest("sqlite")));
    if !file.exists() {
        let made = Database::at(Engine::Sqlite, format!("tj_test_{}_base", std::process::id()));
        made.migrate();
        let beside = dir.join(&made.name);
        std::fs::copy(made.file(), &beside).expect("a copy of the migrated file");
        // Whoever was first: they are the same.
        std::fs::rename(&beside, &file).expect("the copy gets its name");
    }
    file.display().to_string()
}

fn postgres_base() -> String {
    let name = format!("tj_base_{}", digest("postgres"));
    let mut conn = admin_connection();
    let mut run = |sql: &str| {
        diesel::sql_query(sql)
            .execute(&mut conn)
            .expect("the test user may create databases")
    };
    // The programs of one run ask at once.
    run("SELECT pg_advisory_lock(7461)");
    let made = run(&format!("SELECT 1 FROM pg_database WHERE datname = '{name}'"));
    if made == 0 {
        let new = Database::at(Engine::Postgres, format!("tj_test_{}_base", std::process::id()));
        run(&format!("CREATE DATABASE {}", new.name));
        new.migrate();
        run(&format!("ALTER DATABASE {} RENAME TO {name}", new.name));
    }
    name
}

/// Of the text of all migrations of an engine.
fn digest(engine: &str) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
    let entries = std::fs::read_dir(dir).expect("the migrations");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a migration").path().join("up.sql"))
        .collect();
    files.sort();
    for file in files {
        std::fs::read(file).expect("a migration").hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn admin(sql: &str) {
    diesel::sql_query(sql)
        .execute(&mut admin_connection())
        .expect("the test user may create databases");
}

fn admin_connection() -> diesel::PgConnection {
    let url = std::env::var(POSTGRES).expect("the variable was there");
    diesel::PgConnection::establish(&url).expect("the test cluster answers")
}
