//! Pooled connections, and read transactions on them.

use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::r2d2::{Pool, PooledConnection};

use super::connection::{AnyConnection, Opener, PoolManager, Pooled, Role};
use super::error::StoreError;
use super::job::FromStore;
use super::tx::{ReadTx, Shared};

type Manager = <AnyConnection as diesel::Connection>::TransactionManager;

/// A connection inside a read transaction. One that died in the pool shows here, before anything was read, and is replaced.
pub(super) fn begun(pool: &Pool<PoolManager>) -> Result<PooledConnection<PoolManager>, StoreError> {
    let mut tries = 0;
    loop {
        let mut pooled = pool
            .get()
            .map_err(|error| StoreError::unavailable("connection lost", error))?;
        match begin_read(&mut pooled) {
            Ok(()) => return Ok(pooled),
            Err(error) if tries > pool.max_size() || pooled.lost_its_file() => return Err(error),
            Err(_) => {
                tries += 1;
                pooled.broken = true;
            }
        }
    }
}

pub(super) fn begin_read(pooled: &mut Pooled) -> Result<(), StoreError> {
    pooled.watch.reset();
    pooled.still_the_same_file()?;
    match &mut pooled.connection {
        AnyConnection::Sqlite(inner) => AnsiTransactionManager::begin_transaction_sql(inner, "BEGIN DEFERRED")?,
        AnyConnection::Postgres(inner) => {
            AnsiTransactionManager::begin_transaction_sql(inner, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        }
    }
    Ok(())
}

pub(super) fn read_once<T, E, F>(pooled: &mut Pooled, shared: &Shared, limit: Duration, work: F) -> Result<T, E>
where
    F: FnOnce(&mut ReadTx<'_>) -> Result<T, E>,
    E: FromStore,
{
    let Pooled { connection, watch, .. } = pooled;
    let result = work(&mut ReadTx::new(connection, watch, shared).within(limit));
    Manager::rollback_transaction(connection).map_err(StoreError::from)?;
    result
}

/// A pool of connections of one role.
///
/// # Errors
/// `Unavailable` when the first one cannot be opened.
pub(super) fn pool(opener: &Opener, role: Role, size: u32) -> Result<Pool<PoolManager>, StoreError> {
    pool_of(opener, role, size, 1)
}

/// The same, which opens none before it is asked for one.
///
/// # Errors
/// As [`pool`].
pub(super) fn sleeping(opener: &Opener, role: Role, size: u32) -> Result<Pool<PoolManager>, StoreError> {
    pool_of(opener, role, size, 0)
}

fn pool_of(opener: &Opener, role: Role, size: u32, idle: u32) -> Result<Pool<PoolManager>, StoreError> {
    Pool::builder()
        .max_size(size)
        .min_idle(Some(idle))
        .connection_timeout(opener.connect_timeout)
        // A ping per use would cost PostgreSQL a round trip; a dead connection shows at BEGIN and is replaced.
        .test_on_check_out(false)
        .error_handler(Box::new(LogPoolErrors))
        .build(PoolManager {
            opener: opener.clone(),
            role,
        })
        .map_err(|error| StoreError::unavailable("connection lost", error))
}

/// r2d2 reports a connection it could not open; the caller who waits for one is told by a timeout.
#[derive(Debug)]
struct LogPoolErrors;

impl diesel::r2d2::HandleError<StoreError> for LogPoolErrors {
    fn handle_error(&self, error: StoreError) {
        tracing::warn!(%error, "a pooled connection could not be opened");
    }
}
