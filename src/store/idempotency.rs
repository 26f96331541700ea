//! Idempotency keys: claimed by the first statement of a write, stored with the effect, replayed as the stored outcome.

use diesel::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;
use super::hot::{ClaimKey, StoreOutcome};
use super::schema::idempotency_keys;
use super::tx::WriteTx;
use crate::domain::ids::ReaderId;

/// A client's key for one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who calls: keys of two clients never meet.
    pub client: String,
    pub key: String,
    /// SHA-256 of operation and request: the same key with another request is refused.
    pub request_hash: [u8; 32],
}

/// What a keyed call answers and a replay answers again.
pub trait Outcome: Serialize + DeserializeOwned {
    /// The reader it names: the stored outcome goes when the reader is unlinked or erased.
    fn reader_id(&self) -> Option<i64> {
        None
    }
}

impl Outcome for () {}
impl Outcome for i64 {}

/// What a claim found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// Ours now.
    Fresh,
    /// Used before, with this outcome (JSON).
    Before(String),
}

impl WriteTx<'_> {
    /// Claims a key. A concurrent duplicate waits here until the first is decided.
    ///
    /// # Errors
    /// `KeyReused` when the stored request was another one.
    pub fn claim_key(&mut self, claim: &Claim) -> Result<Claimed, StoreError> {
        let now = self.now().timestamp_millis();
        let claiming = ClaimKey {
            client: &claim.client,
            key: &claim.key,
            request_hash: &claim.request_hash,
            created_at: now,
        };
        if claiming.run(self.conn)? == 1 {
            return Ok(Claimed::Fresh);
        }
        let (hash, outcome): (Vec<u8>, Option<String>) = idempotency_keys::table
            .find((&claim.client, &claim.key))
            .select((idempotency_keys::request_hash, idempotency_keys::outcome))
            .first(self.conn)?;
        if hash != claim.request_hash {
            return Err(StoreError::KeyReused);
        }
        // Inside one commit group the claim of a job that was undone is gone; a claim without outcome cannot be seen.
        outcome
            .map(Claimed::Before)
            .ok_or_else(|| StoreError::Corrupt("an idempotency key without outcome".into()))
    }

    /// Stores the outcome beside the effect.
    pub fn store_outcome(&mut self, claim: &Claim, outcome: &str, reader_id: Option<i64>) -> Result<(), StoreError> {
        StoreOutcome {
            client: &claim.client,
            key: &claim.key,
            outcome,
            reader_id,
        }
        .run(self.conn)?;
        Ok(())
    }

    /// Deletes keys older than `before_millis`; answers how many.
    pub fn expire_keys(&mut self, before_millis: i64, at_most: i64) -> Result<usize, StoreError> {
        let old: Vec<(String, String)> = idempotency_keys::table
            .filter(idempotency_keys::created_at.lt(before_millis))
            .select((idempotency_keys::client, idempotency_keys::key))
            .order(idempotency_keys::created_at)
            .limit(at_most)
            .load(self.conn)?;
        for (client, key) in &old {
            diesel::delete(idempotency_keys::table.find((client, key))).execute(self.conn)?;
        }
        Ok(old.len())
    }

    /// Forgets which reader the stored outcomes belong to.
    pub fn unlink_outcomes(&mut self, reader: ReaderId) -> Result<usize, StoreError> {
        Ok(
            diesel::delete(idempotency_keys::table.filter(idempotency_keys::reader_id.eq(reader.get())))
                .execute(self.conn)?,
        )
    }
}
