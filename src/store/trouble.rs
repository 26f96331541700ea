//! Whether changes can be kept just now. Reads alone do not tell: a database that is locked or full can still be read.
//! Not for: holding changes back. Every one may try, and is told by itself what came of it.

use std::sync::atomic::{AtomicBool, Ordering};

use diesel::prelude::*;

use super::error::StoreError;
use super::job::FromStore;
use super::schema::idempotency_keys;
use super::tx::WriteTx;
use super::{Store, idempotency};

/// What a trial change writes, in bytes: a few pages of SQLite, so that a file that may not grow has no room for it.
const TRIAL_BYTES: usize = 8_192;

/// Whether a change was turned away because of the state the database is in, and none was tried since.
#[derive(Debug, Default)]
pub(super) struct Trouble(AtomicBool);

impl Trouble {
    /// Learns from what a change was answered.
    pub(super) fn note<T, E: FromStore>(&self, answer: &Result<T, E>) {
        if let Err(error) = answer
            && let Some(StoreError::Unavailable { .. }) = error.store_error()
        {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Store {
    /// Whether changes can be kept. Costs nothing until one is turned away; then a change without consequence is tried.
    ///
    /// # Errors
    /// As `write`.
    pub async fn takes_changes(&self) -> Result<(), StoreError> {
        if self.trouble.0.load(Ordering::Relaxed) {
            self.write(|tx| tx.try_a_change()).await?;
            self.trouble.0.store(false, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl WriteTx<'_> {
    /// Writes something that needs room, and takes it away again.
    fn try_a_change(&mut self) -> Result<(), StoreError> {
        // No digest of a key is all zeros.
        let nobody = [0_u8; idempotency::DIGEST_BYTES];
        let row = (
            idempotency_keys::digest.eq(&nobody[..]),
            idempotency_keys::request_hash.eq(&[0_u8; 32][..]),
            idempotency_keys::outcome.eq("x".repeat(TRIAL_BYTES)),
            idempotency_keys::created_at.eq(0_i64),
        );
        diesel::insert_into(idempotency_keys::table)
            .values(row)
            .execute(self.conn)?;
        diesel::delete(idempotency_keys::table.find(&nobody[..])).execute(self.conn)?;
        Ok(())
    }
}
