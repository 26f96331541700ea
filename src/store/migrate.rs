//! Embedded migrations, run at start under a lock, and the refusal to start on a database from the future.

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{AnyConnection, Opener, Role};
use super::error::StoreError;
use super::schema::network_state;
use super::tx::ReadTx;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// What this program understands. A migration that older programs would misread raises `network_state.min_binary`.
pub const BINARY_LEVEL: i64 = 1;

/// Any number will do, as long as every node uses the same one.
const ADVISORY_LOCK: i64 = 0x746f_6e67_6a69_6500;

/// Creates what is missing. Two nodes may start at once: the second waits and finds nothing to do.
///
/// # Errors
/// `Mismatch` when the database is newer than this program; `Unavailable` when it cannot be reached.
pub fn run(opener: &Opener) -> Result<(), StoreError> {
    let (connection, _watch) = opener.open(Role::Creator)?;
    match connection {
        AnyConnection::Sqlite(mut conn) => {
            AnsiTransactionManager::begin_transaction_sql(&mut conn, "BEGIN IMMEDIATE")?;
            refuse_unknown(&mut conn, SQLITE)?;
            apply(&mut conn, SQLITE)?;
            AnsiTransactionManager::commit_transaction(&mut conn)?;
            refuse_newer(&mut conn)
        }
        AnyConnection::Postgres(mut conn) => {
            conn.batch_execute(&format!(
                "SET lock_timeout = '120s'; SELECT pg_advisory_lock({ADVISORY_LOCK})"
            ))?;
            refuse_unknown(&mut conn, POSTGRES)?;
            apply(&mut conn, POSTGRES)?;
            refuse_newer(&mut conn)
            // The session ends here, and its lock with it.
        }
    }
}

/// Whether a SQLite database, a backup for instance, fits this program. Changes nothing.
///
/// # Errors
/// `Mismatch` when it is newer than this program.
pub fn refuse_foreign_sqlite(conn: &mut diesel::SqliteConnection) -> Result<(), StoreError> {
    refuse_unknown(conn, SQLITE)?;
    refuse_newer(conn)
}

/// The same for PostgreSQL.
///
/// # Errors
/// As [`refuse_foreign_sqlite`].
pub fn refuse_foreign_postgres(conn: &mut diesel::PgConnection) -> Result<(), StoreError> {
    refuse_unknown(conn, POSTGRES)?;
    refuse_newer(conn)
}

/// The first of these versions that this program does not have.
///
/// # Errors
/// `Mismatch` when this program's own migrations cannot be read.
pub fn unknown_to_us(applied: &[String]) -> Result<Option<&String>, StoreError> {
    let known = versions::<diesel::pg::Pg>(POSTGRES)?;
    Ok(applied.iter().find(|version| !known.contains(version)))
}

/// PostgreSQL: takes the lock of migrations until the session ends. False: somebody is migrating.
///
/// # Errors
/// A failure of the database.
pub fn try_lock_postgres(conn: &mut diesel::PgConnection) -> Result<bool, StoreError> {
    let sql = format!("pg_try_advisory_lock({ADVISORY_LOCK})");
    Ok(diesel::select(diesel::dsl::sql::<diesel::sql_types::Bool>(&sql)).get_result(conn)?)
}

#[derive(diesel::QueryableByName)]
struct Applied {
    #[diesel(sql_type = diesel::sql_types::Text)]
    version: String,
}

impl ReadTx<'_> {
    /// What is wrong with the schema for this program, after another node or a person changed it under our feet.
    pub fn schema_fault(&mut self) -> Result<Option<String>, StoreError> {
        let applied: Vec<Applied> =
            diesel::sql_query("SELECT version FROM __diesel_schema_migrations").load(self.conn)?;
        let level: Option<i64> = network_state::table
            .select(network_state::min_binary)
            .first(self.conn)
            .optional()?;
        let known = match self.conn {
            AnyConnection::Sqlite(_) => versions::<diesel::sqlite::Sqlite>(SQLITE)?,
            AnyConnection::Postgres(_) => versions::<diesel::pg::Pg>(POSTGRES)?,
        };
        if level.is_some_and(|level| level > BINARY_LEVEL) {
            return Ok(Some("the database is newer than this program".to_owned()));
        }
        let missing = known
            .iter()
            .filter(|version| applied.iter().all(|one| one.version != **version));
        Ok(match missing.count() {
            0 => None,
            missing => Some(format!("{missing} not applied")),
        })
    }
}

/// The versions of the migrations this program has.
fn versions<DB: diesel::backend::Backend>(migrations: EmbeddedMigrations) -> Result<Vec<String>, StoreError>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let known = migrations
        .migrations()
        .map_err(|error| StoreError::Mismatch(error.to_string()))?;
    Ok(known
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect())
}

fn apply<DB, C>(conn: &mut C, migrations: EmbeddedMigrations) -> Result<(), StoreError>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    conn.run_pending_migrations(migrations)
        .map(drop)
        .map_err(|error| StoreError::Mismatch(format!("a migration failed: {error}")))
}

fn refuse_unknown<DB, C>(conn: &mut C, migrations: EmbeddedMigrations) -> Result<(), StoreError>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let known = versions::<DB>(migrations)?;
    let applied = conn
        .applied_migrations()
        .map_err(|error| StoreError::Mismatch(error.to_string()))?;
    match applied.iter().find(|version| !known.contains(&version.to_string())) {
        None => Ok(()),
        Some(version) => Err(StoreError::Mismatch(format!(
            "the database is newer than this program: it has migration {version}, which this program does not know"
        ))),
    }
}

fn refuse_newer<C>(conn: &mut C) -> Result<(), StoreError>
where
    C: diesel::connection::LoadConnection,
    diesel::dsl::Select<network_state::table, network_state::min_binary>:
        for<'query> diesel::query_dsl::LoadQuery<'query, C, i64>,
{
    let levels: Vec<i64> = network_state::table.select(network_state::min_binary).load(conn)?;
    match levels.first() {
        Some(level) if *level > BINARY_LEVEL => Err(StoreError::Mismatch(format!(
            "the database is newer than this program: it needs level {level}, this program is level {BINARY_LEVEL}"
        ))),
        _ => Ok(()),
    }
}
