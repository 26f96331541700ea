//! Idempotency keys: looked up by the first statement of a write, stored with the effect by the last, replayed as the
//! stored outcome. Of two calls with one key at once, the second to store rolls back and answers what the first stored.

use diesel::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::closing::{Closing, OutcomeRow};
use super::error::StoreError;
use super::hot::on_engine;
use super::job::FromStore;
use super::schema::{idempotency_keys, network_state};
use super::tx::WriteTx;
use crate::domain::ids::ReaderId;

/// The answer to a call that may have been made before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once<T> {
    pub value: T,
    /// It is the stored answer to an earlier call with the same key.
    pub replayed: bool,
}

/// A client's key for one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who calls: keys of two clients never meet.
    pub client: String,
    pub key: String,
    /// SHA-256 of operation and request: the same key with another request is refused.
    pub request_hash: [u8; 32],
    /// The reader who calls, if one does: what is answered to them is about them.
    pub reader_id: Option<i64>,
}

/// What a keyed call answers and a replay answers again.
pub trait Outcome: Serialize + DeserializeOwned {
    /// It is kept though the reader who called is erased: nothing in it is about anybody.
    const OUTLIVES_CALLER: bool = false;

    /// The reader it is about: the stored outcome goes when that reader is erased. Where it says nobody, it goes with the reader who called.
    fn reader_id(&self) -> Option<i64> {
        None
    }
}

impl Outcome for () {}
impl Outcome for i64 {}

/// Length of what a key is stored under.
pub(super) const DIGEST_BYTES: usize = 16;

impl Claim {
    /// What the key is stored and found under: 128 bits of SHA-256 over client and key, so that the index stays narrow
    /// however long keys are, and no table says who called.
    fn digest(&self) -> [u8; DIGEST_BYTES] {
        let mut hash = Sha256::new();
        hash.update((self.client.len() as u64).to_be_bytes());
        hash.update(&self.client);
        hash.update(&self.key);
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(&hash.finalize()[..DIGEST_BYTES]);
        digest
    }
}

impl WriteTx<'_> {
    /// The stored outcome (JSON) of an earlier call with this key.
    ///
    /// # Errors
    /// `KeyReused` when that call asked for something else.
    pub fn outcome_of(&mut self, claim: &Claim) -> Result<Option<String>, StoreError> {
        let digest = claim.digest();
        // The configuration's version comes along: it saves the use case a statement.
        let query = network_state::table
            .left_join(idempotency_keys::table.on(idempotency_keys::digest.eq(&digest[..])))
            .select((
                network_state::config_version,
                idempotency_keys::request_hash.nullable(),
                idempotency_keys::outcome.nullable(),
            ));
        let (version, hash, outcome): (i64, Option<Vec<u8>>, Option<String>) =
            on_engine!(self.conn, conn => query.get_result(conn))?;
        self.version = Some(version);
        match hash {
            Some(hash) if hash != claim.request_hash => Err(StoreError::KeyReused),
            _ => Ok(outcome),
        }
    }

    /// Stores the outcome beside the effect. A concurrent call with the same key that is still under way is waited for.
    ///
    /// # Errors
    /// `Retry` when such a call was committed first (on PostgreSQL this shows when the job ends).
    pub fn store_outcome(&mut self, claim: &Claim, outcome: String, reader_id: Option<i64>) -> Result<(), StoreError> {
        let created_at = self.now().timestamp_millis();
        self.close_with(Closing::Outcome(OutcomeRow {
            digest: claim.digest(),
            request_hash: claim.request_hash,
            reader_id,
            outcome,
            created_at,
        }))
    }

    /// Deletes keys older than `before_millis`; answers how many.
    pub fn expire_keys(&mut self, before_millis: i64, at_most: i64) -> Result<usize, StoreError> {
        let old: Vec<Vec<u8>> = idempotency_keys::table
            .filter(idempotency_keys::created_at.lt(before_millis))
            .select(idempotency_keys::digest)
            .order(idempotency_keys::created_at)
            .limit(at_most)
            .load(self.conn)?;
        for digest in &old {
            diesel::delete(idempotency_keys::table.find(digest)).execute(self.conn)?;
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

/// Runs `work` and stores its outcome. What waits for the end of the act is carried out here: what stands in its way may be
/// the same call, too.
pub(super) fn done_under<T, E, F>(tx: &mut WriteTx<'_>, claim: &Claim, work: &mut F) -> Result<T, E>
where
    F: FnMut(&mut WriteTx<'_>) -> Result<T, E>,
    T: Outcome,
    E: FromStore,
{
    let done = work(tx).and_then(|value| {
        let outcome = serde_json::to_string(&value)
            .map_err(|error| StoreError::Corrupt(format!("idempotency outcome: {error}")))?;
        let caller = claim.reader_id.filter(|_| !T::OUTLIVES_CALLER);
        tx.store_outcome(claim, outcome, value.reader_id().or(caller))?;
        Ok(value)
    });
    tx.finish(done.is_ok())?;
    done
}

/// PostgreSQL: whether what stood in the way of a keyed call is the same call, made twice at once and committed meanwhile.
/// Then the transaction is run again and finds the outcome.
pub(super) fn may_be_our_own_doing<E: FromStore>(
    tx: &mut WriteTx<'_>,
    claim: &Claim,
    error: &E,
) -> Result<bool, StoreError> {
    match error.store_error() {
        _ if !tx.is_postgres() => Ok(false),
        // A unique index said no, and nothing more can be asked in this transaction.
        Some(StoreError::Conflict(_)) => Ok(true),
        Some(_) => Ok(false),
        None => Ok(tx.outcome_of(claim)?.is_some()),
    }
}
