//! A private database for one test: a SQLite file in a directory of its own, or a database of the cluster that
//! `TONGJIE_TEST_POSTGRES` names. Gone when dropped.

#![allow(dead_code, reason = "each test binary uses the part it needs")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use tongjie::clock::Clock;
use tongjie::store::connection::{AnyConnection, Target};
use tongjie::store::{Store, StoreOptions};

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
    pub fn new(engine: Engine) -> Self {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tj_test_{}_{n}", std::process::id());
        let dir = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&dir).expect("a directory for the test");
        if engine == Engine::Postgres {
            admin(&format!("CREATE DATABASE {name}"));
        }
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

fn admin(sql: &str) {
    let url = std::env::var(POSTGRES).expect("the variable was there");
    let mut conn = diesel::PgConnection::establish(&url).expect("the test cluster answers");
    diesel::sql_query(sql)
        .execute(&mut conn)
        .expect("the test user may create databases");
}
