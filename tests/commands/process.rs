//! Runs the program on a database of its own, with settings that make tests quick.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use diesel::prelude::*;

use crate::database::{Database, Engine};

/// How long anything may take on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A database, and the program on it.
pub struct Tongjie {
    pub database: Database,
}

impl Tongjie {
    pub fn new(engine: Engine) -> Self {
        Self {
            database: Database::empty(engine),
        }
    }

    /// With a small demo network in it, and its events sealed.
    pub fn with_demo(engine: Engine) -> Self {
        let end = Instant::now() + PATIENCE;
        loop {
            let tongjie = Self::new(engine);
            tongjie.succeeds(&["seed", "--tier", "demo", "--scale", "0.005"]);
            // On PostgreSQL nothing is sealed that is younger than any running transaction of the cluster, another test's too.
            let unsealed = "SELECT CAST(count(*) - (SELECT COALESCE(sum(event_count), 0) FROM event_seals) AS BIGINT) AS n \
                            FROM events";
            if tongjie.number(unsealed) == 0 {
                return tongjie;
            }
            assert!(Instant::now() < end, "{engine:?}: not everything was sealed");
        }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.database.dir().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tongjie"));
        command
            .args(args)
            .env("TONGJIE__DATA__DIR", self.database.dir())
            .env("TONGJIE__DATABASE__URL", self.database.url())
            .env("TONGJIE__HTTP__BIND", "127.0.0.1:0")
            .env("TONGJIE__SIP2__BIND", "127.0.0.1:0")
            .env("TONGJIE__AUTH__ARGON2_MEMORY_KIB", "64")
            .env("TONGJIE__AUTH__ARGON2_ITERATIONS", "1")
            .env("TONGJIE__LOG__FILTER", "error")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program starts")
    }

    /// Standard output of a run that must succeed.
    pub fn succeeds(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", told(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Everything said by a run that must end with this code.
    pub fn fails(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", told(&output));
        told(&output)
    }

    /// Changes the database behind the program's back; answers how many rows.
    pub fn sql(&self, sql: &str) -> usize {
        let changed = match self.database.engine {
            Engine::Sqlite => {
                let path = self.database.file();
                let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).expect("opens");
                diesel::sql_query("PRAGMA busy_timeout = 5000")
                    .execute(&mut conn)
                    .expect("set");
                diesel::sql_query(sql).execute(&mut conn)
            }
            Engine::Postgres => {
                let mut conn = diesel::PgConnection::establish(&self.database.url()).expect("connects");
                diesel::sql_query(sql).execute(&mut conn)
            }
        };
        changed.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The number `n` that a query answers.
    pub fn number(&self, sql: &str) -> i64 {
        let row: Result<Number, _> = match self.database.engine {
            Engine::Sqlite => {
                let path = self.database.file();
                let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).expect("opens");
                diesel::sql_query(sql).get_result(&mut conn)
            }
            Engine::Postgres => {
                let mut conn = diesel::PgConnection::establish(&self.database.url()).expect("connects");
                let sql = format!("SELECT n::bigint AS n FROM ({sql}) AS answer");
                diesel::sql_query(sql).get_result(&mut conn)
            }
        };
        row.unwrap_or_else(|error| panic!("{sql}: {error}")).n
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

pub fn told(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A server that is asked to stop, and killed if a test fails before that.
pub struct Server(pub Child);

impl Server {
    /// Asks it to stop and answers its exit code.
    pub fn stop(mut self) -> Option<i32> {
        let asked = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        assert!(asked.expect("kill is there").success());
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.0.try_wait().expect("our child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it did not stop");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
