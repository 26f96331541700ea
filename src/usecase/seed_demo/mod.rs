//! The demo network: a fictional city, Jiangcheng (江城), with its units, catalogue, stock, readers and what they have
//! done so far. The same seed gives the same network, counted back from today; only the secrets are always new.
//! Not for: real networks. A database with a network in it is never touched.
//!
//! Everything is planned in memory, a few dozen bytes a copy, and then written in chunks. The last write creates the
//! log-ins and sets the mark of a demo: a database without the mark is not finished.

mod accounts;
mod catalogue;
mod circulation;
mod demand;
mod history;
mod log_ins;
mod network;
mod plan;
mod random;
mod readers;
mod stock;
mod words;

use std::sync::Arc;

use chrono::TimeDelta;

use super::progress::Progress;
use super::seal_events::seal_events;
use super::{Result, UseCaseError};
use crate::auth::PasswordService;
use crate::domain::ids::UnitId;
use crate::store::Store;

pub use accounts::{BenchCards, DemoAccounts, DeviceAccount, LoanItem, ReaderAccount, ShelfItem, StaffAccount};
pub use catalogue::write_records;

use accounts::Hashing;

/// How long the network has existed. Shorter than the time after which loans are unlinked from readers.
const AGE_DAYS: i64 = 175;
const BIBS: usize = 20_000;

/// What to make.
#[derive(Debug, Clone, Copy)]
pub struct SeedOptions {
    pub seed: u64,
    /// 1 is the demo tier.
    pub scale: f64,
}

impl SeedOptions {
    /// So many of what the demo tier has `count` of; at least one.
    fn scaled(self, count: usize) -> usize {
        ((count as f64 * self.scale) as usize).max(1)
    }
}

/// What a database holds, as far as the demo is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoState {
    /// Nothing but the root: the demo can be made here.
    Empty,
    /// A finished demo.
    Ready,
    /// A demo whose making was interrupted.
    Unfinished,
    /// Some other network.
    Other,
}

/// Looks what is there.
///
/// # Errors
/// A failure of the store.
pub async fn demo_state(store: &Arc<Store>) -> Result<DemoState> {
    store
        .read(|tx| {
            if tx.is_demo()? {
                return Ok(DemoState::Ready);
            }
            let network = tx.network()?;
            let begun = network
                .units()
                .by_code(network::CENTRAL_CODE)
                .is_some_and(|unit| unit.name == network::CENTRAL_NAME);
            let empty = network.units().len() <= 1 && tx.audit_size("bibs")? == 0 && tx.audit_size("staff")? == 0;
            Ok(match (empty, begun) {
                (true, _) => DemoState::Empty,
                (false, true) => DemoState::Unfinished,
                (false, false) => DemoState::Other,
            })
        })
        .await
}

/// Fills an empty database. `keep` stores the accounts, just before the write that makes them good; if it fails, the
/// database stays without log-ins and without the mark.
///
/// # Errors
/// `State` when the database is not empty; a failure of the store or of `keep`.
pub async fn seed_demo(
    store: &Arc<Store>,
    passwords: &PasswordService,
    options: SeedOptions,
    keep: impl FnOnce(&DemoAccounts) -> std::io::Result<()>,
    progress: &dyn Progress,
) -> Result<DemoAccounts> {
    if demo_state(store).await? != DemoState::Empty {
        return Err(UseCaseError::State("the database is not empty".into()));
    }
    let now = store.clock().now();
    let opened = now - TimeDelta::days(AGE_DAYS);
    let places = network::seed(store, opened).await?;
    let network = store.read(|tx| tx.network().map_err(UseCaseError::from)).await?;
    let root = network.units().root().map_or(UnitId::new(0), |root| root.id);
    let staff = log_ins::staff(&places, root);
    let hashing = Hashing::start(passwords, staff.len(), log_ins::pins(options));
    let count = options.scaled(BIBS);
    let bibs = catalogue::seed(store, (options.seed, count), root, opened, progress).await?;
    let mut world = plan::World::plan(store, options, (places, bibs), &network, (now, opened)).await?;
    world.write(store, opened, progress).await?;
    // While the last passwords are being hashed.
    progress.begin("seals", None);
    seal_events(store).await?;
    progress.begin("log-ins", None);
    let (accounts, step) = log_ins::assemble(&world, staff, hashing.finish().await?, &network);
    keep(&accounts).map_err(|error| UseCaseError::Internal(format!("the accounts file cannot be written: {error}")))?;
    accounts::write(store, step).await?;
    seal_events(store).await?;
    store.write(|tx| tx.analyze().map_err(UseCaseError::from)).await?;
    Ok(accounts)
}
