//! A private database for one test: a SQLite file in a directory of its own, or a database of the cluster that
//! `TONGJIE_TEST_POSTGRES` names. Gone when dropped.

#![allow(dead_code, reason = "each test binary uses the part it needs")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::prelude::*;
use tongjie::clock::Clock;
use tongjie::store::connection::Target;
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
