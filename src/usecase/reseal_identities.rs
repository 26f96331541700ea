//! Seals what identifies readers and applicants, where they and the staff are reached, and what drivers log in with, under the newest
//! key. Run by a job; after a rotation it has something to do. Numbers of rows are given out once, so one walk serves all of them.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::run_job::{Look, Pass, of_one};
use super::{Result, UseCaseError};
use crate::domain::ids::{DeviceId, ReaderId, StaffId};
use crate::store::Store;
use crate::store::tx::{ReadTx, WriteTx};

/// Readers looked up at a time.
const PAGE: i64 = 1_000;

/// Readers of one write: some milliseconds.
const READERS_PER_WRITE: usize = 20;

/// The walk over readers of whom something stands under an older key.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResealIdentities;

impl Pass for ResealIdentities {
    type Work = i64;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<i64>> + Send + 'static {
        move |tx| {
            let work = tx.stale_identities(after, PAGE, now)?;
            Ok(Look {
                looked_at: i64::try_from(work.len()).unwrap_or(i64::MAX),
                after: work.last().copied(),
                work,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<i64>) -> Result<i64> {
        let mut changed = 0;
        for some in work.chunks(READERS_PER_WRITE) {
            let readers = some.to_vec();
            let done: Result<i64> = store
                .write(move |tx| {
                    let mut done = 0;
                    for reader in &readers {
                        done += i64::from(reseal(tx, *reader)?);
                    }
                    Ok(done)
                })
                .await;
            changed += match done {
                Ok(done) => done,
                Err(_) => one_by_one(store, some).await?,
            };
        }
        Ok(changed)
    }
}

/// Seals what there is under one number: of a reader, an application, a member of staff or a device. False: another node did.
fn reseal(tx: &mut WriteTx<'_>, id: i64) -> Result<bool> {
    let (reader, now) = (ReaderId::new(id), tx.now());
    let of_strangers = tx.reseal_application(id, now)?
        | tx.reseal_mail_of_staff(StaffId::new(id), now)?
        | tx.reseal_device_password(DeviceId::new(id), now)?;
    tx.lock_readers(&[reader])?;
    let identity = tx.reseal_identity(reader, now)?;
    Ok(tx.reseal_contacts(reader, now)? > 0 || identity || of_strangers)
}

/// One reader of whom something cannot be sealed does not keep the others waiting.
async fn one_by_one(store: &Arc<Store>, readers: &[i64]) -> Result<i64> {
    let mut changed = 0;
    for id in readers.iter().copied() {
        let done = store.write(move |tx| reseal(tx, id)).await;
        changed += i64::from(of_one(done, "reader", id)? == Some(true));
    }
    Ok(changed)
}

/// The keys under which anything stands.
///
/// # Errors
/// A failure of the store.
pub async fn keys_in_use(store: &Arc<Store>) -> Result<Vec<String>> {
    let found = store
        .read(|tx| tx.identity_keys_in_use().map_err(UseCaseError::from))
        .await?;
    Ok(found.into_iter().collect())
}
