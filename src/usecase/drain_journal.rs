//! Judges what waits in a journal, in its order, each entry in a write of its own. What cannot be settled stops nobody, and whoever
//! dies leaves the rest to the next upload or to the job.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::apply_entry::{Step, apply_next};
use super::compartment_record;
use super::failing_entry::could_not_be_judged;
use super::journal_gaps::advance;
use super::run_job::{Look, Pass, of_one, stops_all};
use super::{Result, Store, UseCaseError};
use crate::auth::card_token::CardTokens;
use crate::domain::ids::DeviceId;
use crate::store::ids::IdRun;
use crate::store::journal::RELEASED;
use crate::store::tx::{ReadTx, WriteTx};

/// Ids an act may use up: what is said of a door, and that it contradicts the records.
const IDS: i64 = compartment_record::IDS + 24;

/// The same of a batch of passages.
const MANY_IDS: i64 = 260;

/// Devices looked up at a time.
const PAGE: i64 = 50;

/// Ids for gaps that are given up by the job.
const GAP_IDS: i64 = 240;

/// Ids for an entry that is set aside.
const FAULT_IDS: i64 = 3;

/// Judges everything of a journal that waits for nothing before it.
///
/// # Errors
/// A failure of the store: what is stored is judged later.
pub(super) async fn drain(store: &Arc<Store>, cards: &Arc<CardTokens>, device: DeviceId, journal: i64) -> Result<i64> {
    let (mut after, mut judged, mut ids) = (0, 0, IDS);
    loop {
        let taken = store.take_ids::<UseCaseError>(ids).await?;
        let opened = Arc::clone(cards);
        let done = store
            .write(move |tx| apply_next(tx, &opened, (device, journal, after), taken.clone()))
            .await;
        ids = IDS;
        match done {
            Ok(Step::Nothing) => return Ok(judged),
            Ok(Step::Judged(sequence)) => {
                after = sequence;
                judged += 1;
            }
            Ok(Step::NeedsIds) => ids = MANY_IDS,
            Err(cause) if stops_all(&cause) => return Err(cause),
            // What follows it goes on; the next run looks at it again, for a while.
            Err(cause) => match pass_over(store, (device, journal, after), &cause).await? {
                Some(sequence) => after = sequence,
                None => return Ok(judged),
            },
        }
    }
}

/// An entry that could not be judged: what becomes of it, and its number.
async fn pass_over(
    store: &Arc<Store>,
    (device, journal, after): (DeviceId, i64, i64),
    cause: &UseCaseError,
) -> Result<Option<i64>> {
    let broken = store
        .read(move |tx| Ok::<_, UseCaseError>(tx.next_waiting_entry(device, journal, after)?))
        .await?;
    let Some(broken) = broken else { return Ok(None) };
    let (entry, sequence) = (broken.id, broken.sequence);
    let ids = store.take_ids::<UseCaseError>(FAULT_IDS).await?;
    let done = store
        .write(move |tx| could_not_be_judged(tx, device, entry, ids.clone()))
        .await;
    let set_aside = of_one(done, "entry of a journal", entry)?.unwrap_or(false);
    let error = cause as &dyn std::error::Error;
    let device = device.get();
    tracing::error!(
        device,
        journal,
        sequence,
        set_aside,
        error,
        "an entry of a journal could not be judged"
    );
    Ok(Some(sequence))
}

/// The walk over devices of whose journals something waits, or is missing for too long.
#[derive(Clone)]
pub struct DrainJournals {
    pub cards: Arc<CardTokens>,
}

impl Pass for DrainJournals {
    type Work = DeviceId;

    fn look(
        &self,
        after: i64,
        _now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<DeviceId>> + Send + 'static {
        move |tx| {
            let work = tx.devices_to_drain(after, PAGE)?;
            Ok(Look {
                looked_at: i64::try_from(work.len()).unwrap_or(i64::MAX),
                after: work.last().map(|device| device.get()),
                work,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<DeviceId>) -> Result<i64> {
        let mut judged = 0;
        for device in work {
            let journals = store
                .read(move |tx| Ok::<_, UseCaseError>(tx.journals_of_device(device)?))
                .await?;
            for journal in journals {
                let ids = store.take_ids::<UseCaseError>(GAP_IDS).await?;
                let done = store.write(move |tx| go_on(tx, device, journal, ids.clone())).await;
                if of_one(done, "journal of device", device.get())?.is_some() {
                    judged += drain(store, &self.cards, device, journal).await?;
                }
            }
        }
        Ok(judged)
    }
}

/// Gives up what is missing for too long.
fn go_on(tx: &mut WriteTx<'_>, device: DeviceId, journal: i64, mut ids: IdRun) -> Result<()> {
    if journal == RELEASED {
        return Ok(());
    }
    let device = tx.lock_device(device)?.ok_or(UseCaseError::NotFound("device"))?;
    let cursor = tx.journal_cursor(device.id, journal)?;
    if let Some(cursor) = cursor.filter(|cursor| cursor.gap_since.is_some()) {
        let (advanced, _) = advance(tx, &device, cursor, &mut ids)?;
        if advanced != cursor {
            tx.set_journal_cursor(&advanced)?;
        }
    }
    Ok(())
}
