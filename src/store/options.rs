//! How a store is opened.

use std::time::Duration;

use super::connection::Target;
use crate::auth::Identities;
use crate::clock::Clock;

/// How a store is opened; every limit is a number of things or a duration.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    pub target: Target,
    /// PostgreSQL connections.
    pub pool_size: u32,
    /// PostgreSQL: changes carried out at once; the rest of the pool is left to reads.
    pub write_workers: u32,
    /// SQLite readers.
    pub read_pool_size: u32,
    /// Connections for the questions of gates alone, beside all others; opened when the first gate asks.
    pub gate_connections: u32,
    pub busy_timeout: Duration,
    /// How long a job or a read waits for a connection before it is answered `Unavailable`.
    pub connect_timeout: Duration,
    /// PostgreSQL: how long a statement waits for a row another transaction holds.
    pub lock_timeout: Duration,
    /// How long a read may take: on PostgreSQL one statement of it, on SQLite the whole.
    pub read_timeout: Duration,
    /// PostgreSQL: how long one statement of a change may take.
    pub write_timeout: Duration,
    /// Write jobs that may wait; one more is answered `Busy`.
    pub queue_limit: usize,
    /// Jobs in one commit.
    pub group_limit: usize,
    pub slow_statement: Duration,
    /// SQLite: the file may not grow beyond so many pages; a write that needs more is answered `Unavailable`.
    pub max_pages: Option<u32>,
    pub zone: chrono_tz::Tz,
    pub clock: Clock,
    /// The keys of what identifies readers; without any nothing of the kind can be kept or found.
    pub identities: Identities,
}

impl StoreOptions {
    /// The usual limits.
    pub fn new(target: Target, zone: chrono_tz::Tz, clock: Clock) -> Self {
        Self {
            target,
            pool_size: 16,
            write_workers: 4,
            read_pool_size: 4,
            gate_connections: 1,
            busy_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(120),
            queue_limit: 1024,
            group_limit: 256,
            slow_statement: Duration::from_millis(250),
            max_pages: None,
            zone,
            clock,
            identities: Identities::default(),
        }
    }
}
