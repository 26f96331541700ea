//! Erases the addresses of requests that have ended a while ago. Run by a job.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::run_job::{Look, Pass};
use super::{Result, UseCaseError};
use crate::store::Store;
use crate::store::tx::ReadTx;

/// How long an address is kept after the last parcel of its request ended: a lost one is still looked for.
const KEPT_DAYS: i64 = 30;

/// Addresses looked at in one read, and erased by one write.
const PER_LOOK: i64 = 200;

/// The walk over all addresses.
#[derive(Debug, Clone, Copy, Default)]
pub struct EraseAddresses;

impl Pass for EraseAddresses {
    type Work = i64;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<i64>> + Send + 'static {
        move |tx| {
            let (looked, ended) = tx.addresses_to_erase(after, now - TimeDelta::days(KEPT_DAYS), PER_LOOK)?;
            Ok(Look {
                work: ended,
                looked_at: i64::try_from(looked.len()).unwrap_or(i64::MAX),
                after: looked.last().copied(),
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<i64>) -> Result<i64> {
        let erased = store
            .write(move |tx| tx.erase_addresses(&work).map_err(UseCaseError::from))
            .await?;
        Ok(i64::try_from(erased).unwrap_or(i64::MAX))
    }
}
