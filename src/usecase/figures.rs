//! What the store counts, for the metrics: read without waiting, but for the events that are not sealed yet.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::store::Store;
pub use crate::store::figures::{PoolState, Unsealed};
use crate::telemetry::histogram::Snapshot;

/// A scrape is not kept waiting for a database that is busy with better things.
const PATIENCE: Duration = Duration::from_secs(2);

/// The store at one moment.
#[derive(Debug)]
pub struct StoreFigures {
    pub queue_depth: usize,
    pub queue_limit: usize,
    pub jobs: u64,
    pub commits: u64,
    pub broken_groups: u64,
    pub group_jobs: Snapshot,
    pub commit: Snapshot,
    /// By pool.
    pub waits: Vec<(&'static str, Snapshot)>,
    /// By the statement's verb.
    pub slow: Vec<(&'static str, u64)>,
    pub pools: Vec<PoolState>,
    /// `None` when the database did not say in time.
    pub unsealed: Option<Unsealed>,
    /// How long the oldest unsealed event has waited; zero without one.
    pub seal_lag: Duration,
}

/// Reads everything there is.
pub async fn figures(store: &Arc<Store>) -> StoreFigures {
    let asked = store.read(|tx| tx.unsealed());
    let unsealed = tokio::time::timeout(PATIENCE, asked).await.ok().and_then(Result::ok);
    let oldest = unsealed.and_then(|unsealed| unsealed.oldest_at);
    let now = store.clock().now().timestamp_millis();
    let lag = oldest.map_or(0, |oldest| u64::try_from(now.saturating_sub(oldest)).unwrap_or(0));
    let (stats, counted) = (store.stats(), &store.stats().figures);
    let mut waits = vec![("read", counted.read_wait.snapshot())];
    if store.is_postgres() {
        waits.push(("write", counted.write_wait.snapshot()));
    }
    StoreFigures {
        queue_depth: store.queue_depth(),
        queue_limit: store.queue_limit(),
        jobs: stats.jobs.load(Ordering::Relaxed),
        commits: stats.commits.load(Ordering::Relaxed),
        broken_groups: stats.broken_groups.load(Ordering::Relaxed),
        group_jobs: counted.group_jobs.snapshot(),
        commit: counted.commit.snapshot(),
        waits,
        slow: counted.slow.counted(),
        pools: store.pools(),
        unsealed,
        seal_lag: Duration::from_millis(lag),
    }
}
