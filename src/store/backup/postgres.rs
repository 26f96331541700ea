//! PostgreSQL: `pg_dump` of one snapshot, and `pg_restore` into a schema that takes the place of another.
//! Nothing waits for a dump, and it waits for nothing but changes of the schema.

use std::path::Path;
use std::process::Stdio;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer};

use super::tools::{Tools, finish, with_database};
use super::{BackupError, COUNTED, Contents};
use crate::store::connection::{AnyConnection, Opener, Role};
use crate::store::error::StoreError;
use crate::store::migrate;

/// What was in the database before a restore is kept in a schema of this name and the time.
pub const ASIDE: &str = "tongjie_before_";

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Integer)]
    value: i32,
}

/// A connection of our own beside the programs.
pub struct Session(PgConnection);

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// `Unavailable` when the server does not answer.
    pub fn open(opener: &Opener) -> Result<Self, BackupError> {
        match opener.open(Role::Creator)?.0 {
            AnyConnection::Postgres(conn) => Ok(Self(conn)),
            AnyConnection::Sqlite(_) => Err(StoreError::Mismatch("this is PostgreSQL's way".into()).into()),
        }
    }

    /// The programs that fit this server.
    ///
    /// # Errors
    /// `Program` when they are absent or too old.
    pub fn tools(&mut self) -> Result<Tools, BackupError> {
        let version: Version =
            diesel::sql_query("SELECT current_setting('server_version_num')::int AS value").get_result(&mut self.0)?;
        Tools::for_server(u32::try_from(version.value / 10_000).unwrap_or_default())
    }

    fn number(&mut self, sql: &str) -> Result<i64, BackupError> {
        let row: Number = diesel::sql_query(sql).get_result(&mut self.0)?;
        Ok(row.value)
    }

    /// Refuses a database without Tongjie's tables: an empty dump would look like a backup.
    ///
    /// # Errors
    /// `Program` saying so, or `Mismatch` when the database is newer than this program.
    pub fn refuse_foreign(&mut self) -> Result<(), BackupError> {
        if self.number(
            "SELECT count(*) AS value FROM pg_tables WHERE schemaname = 'public' AND tablename = 'network_state'",
        )? == 0
        {
            return Err(BackupError::Program("the database has none of Tongjie's tables".into()));
        }
        Ok(migrate::refuse_foreign_postgres(&mut self.0)?)
    }

    /// Whether anything stands where the copy is to go.
    ///
    /// # Errors
    /// A failure of the store.
    pub fn is_occupied(&mut self) -> Result<bool, BackupError> {
        let sql = "SELECT count(*) AS value FROM pg_class WHERE relnamespace = to_regnamespace('public')";
        Ok(self.number(sql)? > 0)
    }

    /// Keeps servers from starting, and refuses while one is connected.
    ///
    /// # Errors
    /// `InUse`.
    pub fn claim(&mut self) -> Result<(), BackupError> {
        let others = "SELECT count(*) AS value FROM pg_stat_activity WHERE datname = current_database() \
                      AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
        let locked = migrate::try_lock_postgres(&mut self.0)?;
        if !locked || self.number(others)? > 0 {
            return Err(BackupError::InUse {
                what: "the database".to_owned(),
            });
        }
        Ok(())
    }

    /// Renames what is there and makes room; answers the name it is kept under.
    ///
    /// # Errors
    /// A failure of the store, such as a user who does not own the schema.
    pub fn set_aside(&mut self, stamp: &str) -> Result<String, BackupError> {
        let aside = format!("{ASIDE}{}", stamp.to_lowercase());
        // Several statements in one message are one transaction.
        self.0
            .batch_execute(&format!("ALTER SCHEMA public RENAME TO {aside}; CREATE SCHEMA public"))?;
        Ok(aside)
    }

    /// Undoes `set_aside` after a restore that failed.
    ///
    /// # Errors
    /// A failure of the store.
    pub fn put_back(&mut self, aside: &str) -> Result<(), BackupError> {
        Ok(self.0.batch_execute(&format!(
            "DROP SCHEMA public CASCADE; ALTER SCHEMA {aside} RENAME TO public"
        ))?)
    }

    /// Makes restored events older than every transaction to come. Their numbers are another cluster's, and the sealer waits
    /// for events whose number this cluster has not reached yet and passes by those behind the last seal. Moving all of
    /// them by the same number keeps their order, which is all that seals and audits look at.
    ///
    /// # Errors
    /// A failure of the store.
    pub fn rebase_events(&mut self) -> Result<(), BackupError> {
        let ahead = self.number(
            "SELECT greatest((SELECT max(txid) FROM events), (SELECT max(last_txid) FROM event_seals), 0) \
             - pg_snapshot_xmin(pg_current_snapshot())::text::bigint + 1 AS value",
        )?;
        if ahead > 0 {
            self.0.batch_execute(&format!(
                "BEGIN; UPDATE events SET txid = txid - {ahead}; \
                 UPDATE event_seals SET last_txid = last_txid - {ahead}; \
                 DO $$ BEGIN IF to_regclass('event_cursors') IS NOT NULL THEN \
                 UPDATE event_cursors SET txid = txid - {ahead}; END IF; END $$; COMMIT"
            ))?;
        }
        Ok(self.0.batch_execute("ANALYZE")?)
    }

    /// Rows of what was restored.
    ///
    /// # Errors
    /// A failure of the store.
    pub fn counts(&mut self) -> Result<Vec<(&'static str, i64)>, BackupError> {
        COUNTED
            .iter()
            .map(|table| {
                Ok((
                    *table,
                    self.number(&format!("SELECT count(*) AS value FROM public.{table}"))?,
                ))
            })
            .collect()
    }
}

/// A database for trying a dump in. Dropped with everything in it.
pub struct Scratch {
    session: Session,
    name: String,
    pub url: String,
}

impl Scratch {
    /// Creates it beside the database of `url`.
    ///
    /// # Errors
    /// `Program` when the user may not create databases.
    pub fn create(opener: &Opener, url: &str) -> Result<Self, BackupError> {
        let mut session = Session::open(opener)?;
        let name = format!("tongjie_verify_{}", std::process::id());
        session
            .0
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))
            .map_err(|error| BackupError::Program(format!("no database to try the dump in can be created: {error}")))?;
        let url = with_database(url, &name);
        Ok(Self { session, name, url })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let dropped = self
            .session
            .0
            .batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        if let Err(error) = dropped {
            tracing::warn!(%error, database = self.name, "the database a dump was tried in could not be dropped");
        }
    }
}

/// Dumps the database as it is now into `into`. Blocks for as long as that takes.
///
/// # Errors
/// `Program` with `pg_dump`'s words, such as a full disk.
pub fn dump(tools: &Tools, url: &str, into: &Path) -> Result<(), BackupError> {
    let mut command = tools.on("pg_dump", url);
    command
        .args(["--format=custom", "--no-owner", "--no-privileges"])
        .arg(format!("--exclude-schema={ASIDE}*"))
        .arg(format!("--file={}", into.display()));
    finish(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn(), "pg_dump")
}

/// Restores a dump into the empty schema `public`, whole or not at all.
///
/// # Errors
/// `Program` with `pg_restore`'s words; the schema is as empty as before.
pub fn restore(tools: &Tools, url: &str, dump: &Path) -> Result<(), BackupError> {
    let mut command = tools.on("pg_restore", url);
    command
        .args([
            "--single-transaction",
            "--exit-on-error",
            "--no-owner",
            "--no-privileges",
        ])
        .args(["--no-comments", "--schema=public"])
        .arg(dump);
    finish(
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn(),
        "pg_restore",
    )
}

/// Refuses a dump whose migrations this program does not know.
///
/// # Errors
/// `Unusable`.
pub fn refuse_newer(contents: &Contents, dump: &Path) -> Result<(), BackupError> {
    match migrate::unknown_to_us(&contents.migrations)? {
        None => Ok(()),
        Some(version) => Err(super::unusable(
            dump,
            format!("it is newer than this program: it has migration {version}, which this program does not know"),
        )),
    }
}
