//! What the store counts of itself, for metrics: groups, commits, waiting for connections, slow statements, and what is not
//! sealed yet. Counting is a few atomics; nothing here decides anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::dsl::{count_star, min};
use diesel::prelude::*;

use super::Store;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::schema::events;
use super::tx::ReadTx;
use crate::telemetry::histogram::Histogram;

/// Histograms and counters of one store.
#[derive(Debug)]
pub struct Figures {
    /// Jobs that shared a commit; always one on PostgreSQL.
    pub group_jobs: Histogram,
    pub commit: Histogram,
    /// How long a read waited for a connection.
    pub read_wait: Histogram,
    /// PostgreSQL: how long a write waited for a connection.
    pub write_wait: Histogram,
    pub slow: Arc<SlowStatements>,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            group_jobs: Histogram::of_numbers(),
            commit: Histogram::of_durations(),
            read_wait: Histogram::of_durations(),
            write_wait: Histogram::of_durations(),
            slow: Arc::default(),
        }
    }
}

/// Statements that took longer than `log.slow_statement_ms`, by their first word.
#[derive(Debug, Default)]
pub struct SlowStatements([AtomicU64; KINDS.len()]);

/// The kinds that are told apart; the last is everything else.
const KINDS: [&str; 5] = ["select", "insert", "update", "delete", "other"];

impl SlowStatements {
    /// Counts one; `sql` begins with its verb.
    pub fn count(&self, sql: &str) {
        let word = sql.split_whitespace().next().unwrap_or_default();
        let kind = KINDS.iter().position(|kind| word.eq_ignore_ascii_case(kind));
        self.0[kind.unwrap_or(KINDS.len() - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// How many of each kind so far.
    pub fn counted(&self) -> Vec<(&'static str, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        KINDS.into_iter().zip(counts).collect()
    }
}

/// A pool of connections at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    /// `read` or `write`.
    pub name: &'static str,
    /// Connections it may have.
    pub size: u32,
    pub idle: u32,
    pub in_use: u32,
}

impl Store {
    /// The pools. SQLite's single writer has none.
    pub fn pools(&self) -> Vec<PoolState> {
        let named = [("read", Some(&self.readers)), ("write", self.writers.as_ref())];
        let pools = named.into_iter().filter_map(|(name, pool)| Some((name, pool?)));
        pools
            .map(|(name, pool)| {
                let state = pool.state();
                PoolState {
                    name,
                    size: pool.max_size(),
                    idle: state.idle_connections,
                    in_use: state.connections.saturating_sub(state.idle_connections),
                }
            })
            .collect()
    }

    /// How many write jobs may wait.
    pub fn queue_limit(&self) -> usize {
        self.queue_limit
    }
}

/// Events that no seal covers yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsealed {
    pub events: i64,
    /// When the oldest of them happened, in UTC milliseconds.
    pub oldest_at: Option<i64>,
}

impl ReadTx<'_> {
    /// Events after the last seal.
    pub fn unsealed(&mut self) -> Result<Unsealed, StoreError> {
        let last = self.last_seal()?;
        let seen = (count_star(), min(events::at));
        let (events, oldest_at) = match &mut *self.conn {
            AnyConnection::Sqlite(conn) => events::table
                .filter(events::seq.gt(last.last_seq))
                .select(seen)
                .first(conn)?,
            AnyConnection::Postgres(conn) => events::table
                .filter(events::txid.ge(last.last_txid))
                .filter(events::txid.gt(last.last_txid).or(events::seq.gt(last.last_seq)))
                .select(seen)
                .first(conn)?,
        };
        Ok(Unsealed { events, oldest_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart_by_their_verb() {
        let slow = SlowStatements::default();
        for sql in ["SELECT 1", "select 2", "INSERT INTO x", "WITH a AS (SELECT 1)", ""] {
            slow.count(sql);
        }
        let counted = slow.counted();
        assert_eq!(counted[0], ("select", 2));
        assert_eq!((counted[1], counted[4]), (("insert", 1), ("other", 2)));
    }
}
