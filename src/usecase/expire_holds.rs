//! Ends holds whose time is over: those that wait longer than they are wanted, and those nobody collected. Each in a short
//! transaction of its own that looks again, so that a second run, or another node, finds nothing to do.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use super::end_hold::{Ending, end_hold, find_hold};
use super::record::{Consent, IDS_PER_VERB};
use super::run_job::{Look, Pass, of_one};
use super::{Caller, Result, UseCaseError};
use crate::domain::act::Act;
use crate::domain::hold::HoldStatus;
use crate::domain::ids::HoldId;
use crate::domain::reader::Channel;
use crate::store::Store;
use crate::store::holds::{HoldEnd, LoadedHold};
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};

/// Holds looked up at a time.
const PAGE: i64 = 100;

/// Ends every hold whose time is over; answers how many.
///
/// # Errors
/// A failure of the store; what was ended before stays ended.
pub async fn expire_holds(store: &Arc<Store>) -> Result<u64> {
    let (mut ended, mut after) = (0, 0);
    loop {
        let page = store.read(move |tx| holds_after(tx, after)).await?;
        let Some(last) = page.last() else { return Ok(ended) };
        after = last.get();
        ended += expire_each(store, page).await?;
    }
}

/// The walk over the holds whose time is over.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExpireHolds;

impl Pass for ExpireHolds {
    type Work = HoldId;

    fn look(
        &self,
        after: i64,
        _: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<HoldId>> + Send + 'static {
        move |tx| {
            let work = holds_after(tx, after)?;
            Ok(Look {
                looked_at: i64::try_from(work.len()).unwrap_or(i64::MAX),
                after: work.last().map(|hold| hold.get()),
                work,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<HoldId>) -> Result<i64> {
        Ok(i64::try_from(expire_each(store, work).await?).unwrap_or(i64::MAX))
    }
}

fn holds_after(tx: &mut ReadTx<'_>, after: i64) -> Result<Vec<HoldId>> {
    let today = tx.network()?.local_day(tx.now());
    Ok(tx.holds_to_end(today, after, PAGE)?)
}

async fn expire_each(store: &Arc<Store>, holds: Vec<HoldId>) -> Result<u64> {
    let mut ended = 0;
    for hold in holds {
        let ids = store.take_ids::<UseCaseError>(IDS_PER_VERB).await?;
        let done = store.write(move |tx| expire(tx, hold, ids.clone())).await;
        ended += u64::from(of_one(done, "hold", hold.get())? == Some(true));
    }
    Ok(ended)
}

fn expire(tx: &mut WriteTx<'_>, id: HoldId, mut ids: IdRun) -> Result<bool> {
    let network = tx.network()?;
    let caller = Caller::system();
    let hold = match find_hold(tx, &caller, id) {
        Ok(hold) => hold,
        // Unlinked from its reader meanwhile.
        Err(UseCaseError::NotFound(_)) => return Ok(false),
        Err(error) => return Err(error),
    };
    // A packed copy left the shelf for a parcel: dispatch ends its hold, or whoever cancels it.
    if !is_over(&hold, network.local_day(tx.now())) || tx.is_packed(id)? {
        return Ok(false);
    }
    let act = Act::at(hold.facts.pickup, Channel::Desk);
    let consent = Consent::default();
    let ending = Ending {
        caller: &caller,
        act: &act,
        consent: &consent,
        network: &network,
        hold: &hold,
        how: HoldEnd::Expired,
    };
    end_hold(tx, &ending, &mut ids)?;
    Ok(true)
}

/// Its last wanted day has passed while it waits, or its last day on the shelf.
fn is_over(hold: &LoadedHold, today: NaiveDate) -> bool {
    let last = match hold.facts.status {
        HoldStatus::Waiting => hold.wanted_until,
        HoldStatus::Captured => hold.shelf_until,
        HoldStatus::Filled | HoldStatus::Cancelled | HoldStatus::Expired => None,
    };
    last.is_some_and(|last| last < today)
}
