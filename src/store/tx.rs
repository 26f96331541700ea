//! Transactions as types: the only way from a use case to a connection.
//! What can be read hangs on `ReadTx`, what changes something on `WriteTx`; the methods live in one file per aggregate.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::closing::Waiting;
use super::connection::{AnyConnection, Watch};
use super::error::StoreError;
use super::hot::on_engine;
use super::schema::{events, network_state};
use crate::clock::Clock;
use crate::domain::network::Network;

/// Snapshots kept at once: the one in force, and those of acts that are told of later.
const NETWORKS_KEPT: usize = 4;

/// What every transaction of one store shares: the clock and the caches, none of which ever holds what was not committed.
#[derive(Debug)]
pub struct Shared {
    pub clock: Clock,
    pub zone: chrono_tz::Tz,
    /// Of one version, each with the rules of another time; the latest asked for comes last.
    networks: Mutex<Vec<Arc<Network>>>,
    visit_keys: Mutex<HashMap<NaiveDate, [u8; 32]>>,
}

impl Shared {
    pub fn new(clock: Clock, zone: chrono_tz::Tz) -> Self {
        Self {
            clock,
            zone,
            networks: Mutex::new(Vec::new()),
            visit_keys: Mutex::new(HashMap::new()),
        }
    }

    pub(super) fn cached_visit_key(&self, day: NaiveDate) -> Option<[u8; 32]> {
        self.visit_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&day)
            .copied()
    }

    pub(super) fn cache_visit_key(&self, day: NaiveDate, key: [u8; 32]) {
        let mut keys = self.visit_keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|cached, _| *cached >= day - chrono::Days::new(1));
        keys.insert(day, key);
    }

    fn cached_network(&self, version: i64, at: DateTime<Utc>) -> Option<Arc<Network>> {
        let cached = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |network: &&Arc<Network>| network.version() == version && network.governs(at);
        cached.iter().rev().find(fits).cloned()
    }

    fn cache_network(&self, network: Arc<Network>) {
        let mut cached = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        cached.retain(|other| other.version() == network.version() && other.rules().version != network.rules().version);
        if cached.len() >= NETWORKS_KEPT {
            cached.remove(0);
        }
        cached.push(network);
    }
}

/// What the jobs of one commit group share.
#[derive(Debug, Default)]
pub struct Group {
    /// SQLite: the number the next event gets. The writer thread is alone, so numbers follow commit order.
    next_event_seq: Option<i64>,
    /// A job of this group changed the configuration: what is loaded now may still be rolled back, so it is not cached.
    config_changed: bool,
    waiting: Waiting,
}

/// A transaction that reads one consistent state.
pub struct ReadTx<'a> {
    pub(super) conn: &'a mut AnyConnection,
    pub(super) watch: &'a Watch,
    pub(super) shared: &'a Shared,
    may_cache: bool,
    /// The configuration's version, if a statement of this transaction told it already.
    pub(super) version: Option<i64>,
    /// A read is over by then.
    until: Option<Instant>,
}

impl<'a> ReadTx<'a> {
    pub(super) fn new(conn: &'a mut AnyConnection, watch: &'a Watch, shared: &'a Shared) -> Self {
        Self {
            conn,
            watch,
            shared,
            may_cache: true,
            version: None,
            until: None,
        }
    }

    /// Gives it so long. PostgreSQL counts each statement by itself.
    pub(super) fn within(mut self, limit: Duration) -> Self {
        self.until = Instant::now().checked_add(limit);
        self
    }

    /// Asked between the steps of what may take long: SQLite ends no statement by itself.
    ///
    /// # Errors
    /// `Unavailable` when the time is up.
    pub(super) fn in_time(&self) -> Result<(), StoreError> {
        match self.until {
            Some(until) if Instant::now() >= until => Err(StoreError::Unavailable {
                reason: "too slow",
                source: None,
            }),
            _ => Ok(()),
        }
    }

    /// The configuration as of this transaction: units, calendars, types, and the rules in force now. One statement unless
    /// it changed.
    ///
    /// # Errors
    /// `Corrupt` when the stored configuration contradicts itself.
    pub fn network(&mut self) -> Result<Arc<Network>, StoreError> {
        let version = match self.version {
            Some(version) => version,
            None => {
                let query = network_state::table.select(network_state::config_version);
                on_engine!(self.conn, conn => query.get_result(conn))?
            }
        };
        self.network_at(version, self.now())
    }

    /// The same configuration with the rules in force at another moment: an act is judged by the rules of its own time.
    /// No statement as long as those are the rules it has, or were asked for lately.
    ///
    /// # Errors
    /// `Corrupt` when the stored rules contradict themselves.
    pub fn as_of(&mut self, network: Arc<Network>, at: DateTime<Utc>) -> Result<Arc<Network>, StoreError> {
        if network.governs(at) {
            return Ok(network);
        }
        self.network_at(network.version(), at)
    }

    fn network_at(&mut self, version: i64, at: DateTime<Utc>) -> Result<Arc<Network>, StoreError> {
        if let Some(network) = self.shared.cached_network(version, at) {
            return Ok(network);
        }
        let network = Arc::new(super::network::load(self.conn, version, self.shared.zone, at)?);
        if self.may_cache {
            self.shared.cache_network(network.clone());
        }
        Ok(network)
    }

    /// The present moment. Call it after the locks were taken.
    pub fn now(&self) -> DateTime<Utc> {
        self.shared.clock.now()
    }

    /// The network's zone.
    pub fn zone(&self) -> chrono_tz::Tz {
        self.shared.zone
    }

    /// Today in the network's zone.
    pub fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.shared.zone).date_naive()
    }

    /// Statements this connection has finished.
    pub fn statements(&self) -> u64 {
        self.watch.statements()
    }

    /// True on the engine whose rows need locks.
    pub(super) fn is_postgres(&self) -> bool {
        matches!(self.conn, AnyConnection::Postgres(_))
    }
}

/// A transaction that may change things. One per use case; it commits when the job answers `Ok`.
pub struct WriteTx<'a> {
    read: ReadTx<'a>,
    group: &'a mut Group,
}

impl<'a> WriteTx<'a> {
    pub(super) fn new(conn: &'a mut AnyConnection, watch: &'a Watch, shared: &'a Shared, group: &'a mut Group) -> Self {
        let may_cache = !group.config_changed;
        Self {
            read: ReadTx {
                conn,
                watch,
                shared,
                may_cache,
                version: None,
                until: None,
            },
            group,
        }
    }

    /// The connection and what waits for it, before anything that waits is carried out.
    pub(super) fn closing(&mut self) -> (&mut AnyConnection, &mut Waiting) {
        (self.read.conn, &mut self.group.waiting)
    }

    /// The configuration, which nobody else changes until the end of this transaction: for a change that must fit what
    /// is there, such as a place in the tree. Call it before anything is locked.
    ///
    /// # Errors
    /// As [`ReadTx::network`].
    pub fn lock_network(&mut self) -> Result<Arc<Network>, StoreError> {
        super::dialect::lock_configuration(self.conn)?;
        self.version = None;
        self.network()
    }

    /// Says that units, calendars, rules or types changed: every node reloads them in its next transaction.
    pub fn bump_config_version(&mut self) -> Result<(), StoreError> {
        self.group.config_changed = true;
        self.read.may_cache = false;
        self.read.version = None;
        diesel::update(network_state::table)
            .set(network_state::config_version.eq(network_state::config_version + 1))
            .execute(self.conn)?;
        Ok(())
    }

    /// Lets one at a time change the configuration: the second of two waits here, and then sees what the first did.
    pub fn lock_config(&mut self) -> Result<(), StoreError> {
        self.read.version = None;
        diesel::update(network_state::table)
            .set(network_state::config_version.eq(network_state::config_version))
            .execute(self.conn)?;
        Ok(())
    }

    /// The number of the next event: in commit order on SQLite, the id handed in on PostgreSQL (where `txid` orders).
    pub(super) fn next_event_seq(&mut self, id: i64) -> Result<i64, StoreError> {
        if self.is_postgres() {
            return Ok(id);
        }
        let next = match self.group.next_event_seq {
            Some(next) => next,
            None => {
                let last: Option<i64> = events::table
                    .select(diesel::dsl::max(events::seq))
                    .get_result(self.conn)?;
                last.unwrap_or(0) + 1
            }
        };
        self.group.next_event_seq = Some(next + 1);
        Ok(next)
    }
}

impl<'a> Deref for WriteTx<'a> {
    type Target = ReadTx<'a>;
    fn deref(&self) -> &ReadTx<'a> {
        &self.read
    }
}

impl<'a> DerefMut for WriteTx<'a> {
    /// Whatever comes next sees what was written before: see `closing`.
    fn deref_mut(&mut self) -> &mut ReadTx<'a> {
        self.settle();
        &mut self.read
    }
}
