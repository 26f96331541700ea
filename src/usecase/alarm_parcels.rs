//! Parcels of which nobody has heard for days: not packed off, not posted, not delivered, not opened. A job marks each once, so
//! that staff find them in a list and may give them up. Not for: giving up, which a person answers for (see `give_up_parcel`).

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::run_job::{Look, Pass};
use super::{Result, UseCaseError};
use crate::domain::event::EventKind;
use crate::store::Store;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::tx::{ReadTx, WriteTx};

/// Parcels looked up at a time.
const PAGE: i64 = 200;

/// The walk over open parcels without news for so many days.
#[derive(Debug, Clone, Copy)]
pub struct AlarmParcels {
    pub days: u32,
}

impl AlarmParcels {
    fn before(self, now: DateTime<Utc>) -> DateTime<Utc> {
        now - TimeDelta::days(i64::from(self.days))
    }
}

impl Pass for AlarmParcels {
    type Work = i64;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<i64>> + Send + 'static {
        let before = self.before(now);
        move |tx| {
            let work = tx.silent_parcels(before, after, PAGE)?;
            Ok(Look {
                looked_at: i64::try_from(work.len()).unwrap_or(i64::MAX),
                after: work.last().copied(),
                work,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<i64>) -> Result<i64> {
        let mut alarmed = 0;
        for parcel in work {
            let ids = store.take_ids::<UseCaseError>(1).await?;
            let this = *self;
            let done = store
                .write(move |tx| alarm(tx, this, parcel, ids.clone().next()))
                .await?;
            alarmed += i64::from(done);
        }
        Ok(alarmed)
    }
}

fn alarm(tx: &mut WriteTx<'_>, walk: AlarmParcels, id: i64, event_id: i64) -> Result<bool> {
    let now = tx.now();
    // Under the lock of its bibs: it may have been heard of since.
    let Some((parcel, _)) = tx.lock_parcel(id)? else {
        return Ok(false);
    };
    if tx.silent_parcels(walk.before(now), id - 1, 1)?.first() != Some(&id) {
        return Ok(false);
    }
    tx.alarm_parcel(id, now)?;
    let event = Event::new(EventKind::ParcelAlarmed, now, parcel.unit, SYSTEM_CHANNEL).detail(json!({
        "parcel_id": id, "direction": parcel.direction.code(), "state": parcel.state.code()}));
    tx.append_event(event_id, &event)?;
    Ok(true)
}
