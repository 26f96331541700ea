//! Forgetting what has served its time: idempotency keys with their answers, refresh tokens, tallies of failed log-ins, what
//! was told from the outbox, sessions of electronic cards, numbers of gates' batches, and the keys that number visits. Run by a job; small writes, so that no check-out waits for it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Result, UseCaseError};
use crate::store::Store;

/// Keys deleted by one write.
const KEYS_PER_WRITE: i64 = 500;

/// How long a row of the outbox is kept after it was told.
const TOLD_DAYS: i64 = 90;

/// How long the session of an electronic card is kept after its last use: longer than it lasts, and than its token does.
const CARD_SESSION_KEPT: TimeDelta = TimeDelta::hours(1);

/// How long a revocation of electronic cards is listed: longer than any token counts, whatever clock a device has.
const REVOCATION_KEPT: TimeDelta = TimeDelta::days(1);

/// How long a code is remembered after it expired: who asks too often is known by then.
const RESET_DAYS: i64 = 1;

/// How long the number of a gate's batch is remembered: longer than any batch is taken.
const GATE_BATCH_DAYS: i64 = 60;

/// What one run forgot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    pub idempotency_keys: usize,
    pub refresh_tokens: usize,
    pub visit_keys: usize,
    pub log_in_tallies: usize,
    pub told: usize,
    pub card_tokens: usize,
    pub gate_batches: usize,
}

/// Deletes idempotency keys older than `idempotency_days`, refresh tokens past their end, tallies that say nothing, what was told 90 days ago, and the visit keys of every
/// day before today: from then on nobody can tell whose visit one was. Running it again changes nothing.
///
/// # Errors
/// A failure of the store; what was deleted before it stays deleted.
pub async fn expire_keys(store: &Arc<Store>, idempotency_days: u32) -> Result<Expired> {
    let now = store.clock().now();
    let kept_since = (now - TimeDelta::days(i64::from(idempotency_days))).timestamp_millis();
    let mut expired = Expired::default();
    loop {
        let forgotten = store
            .write(move |tx| -> Result<_> { Ok(tx.forget_told(now - TimeDelta::days(TOLD_DAYS), KEYS_PER_WRITE)?) })
            .await?;
        expired.told += forgotten;
        if forgotten == 0 {
            break;
        }
    }
    loop {
        let deleted = store
            .write(move |tx| tx.expire_keys(kept_since, KEYS_PER_WRITE).map_err(UseCaseError::from))
            .await?;
        expired.idempotency_keys += deleted;
        if deleted == 0 {
            break;
        }
    }
    expired.card_tokens = forget_card_tokens(store, now).await?;
    expired.gate_batches = forget_gate_batches(store, now).await?;
    (expired.refresh_tokens, expired.log_in_tallies, expired.visit_keys) = store
        .write(move |tx| -> Result<_> {
            let tokens = tx.expire_refresh_tokens(now.timestamp_millis())?;
            let tallies = tx.forget_log_in_tallies(now.timestamp_millis())?;
            tx.forget_resets((now - TimeDelta::days(RESET_DAYS)).timestamp_millis())?;
            let today = tx.day_of(now);
            Ok((tokens, tallies, tx.forget_visit_keys(today)?))
        })
        .await?;
    Ok(expired)
}

async fn forget_card_tokens(store: &Arc<Store>, now: DateTime<Utc>) -> Result<usize> {
    let (unused, old) = (now - CARD_SESSION_KEPT, now - REVOCATION_KEPT);
    let mut forgotten = 0;
    loop {
        let some = store
            .write(move |tx| -> Result<_> { Ok(tx.forget_card_tokens(unused, old, KEYS_PER_WRITE)?) })
            .await?;
        if some == 0 {
            return Ok(forgotten);
        }
        forgotten += some;
    }
}

async fn forget_gate_batches(store: &Arc<Store>, now: DateTime<Utc>) -> Result<usize> {
    let mut forgotten = 0;
    loop {
        let some = store
            .write(move |tx| -> Result<_> { Ok(tx.forget_gate_batches(now - TimeDelta::days(GATE_BATCH_DAYS))?) })
            .await?;
        if some == 0 {
            return Ok(forgotten);
        }
        forgotten += some;
    }
}
