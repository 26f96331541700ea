//! Journeys that do not arrive: after some days the item is missing, and whoever waits for it waits for another copy. Run by a
//! job, one journey per transaction, so that no check-in waits for it. A scan anywhere finds the item again.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::record;
use super::run_job::{Look, Pass, of_one};
use super::{Result, UseCaseError};
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, ItemId, TransitId};
use crate::domain::item::ItemStatus;
use crate::domain::item_life::{ItemAct, leads_to};
use crate::domain::transit::TransitAct;
use crate::store::Store;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::tx::{ReadTx, WriteTx};

/// Journeys looked up at a time.
const PAGE: i64 = 200;

/// Gives up every journey that left more than `days` days ago; answers how many. Running it again changes nothing.
///
/// # Errors
/// A failure of the store; what was given up before it stays given up.
pub async fn give_up_transits(store: &Arc<Store>, days: u32) -> Result<usize> {
    let (before, mut given_up, mut after) = (left_before(store.clock().now(), days), 0, 0);
    loop {
        let page = store
            .read(move |tx| tx.overdue_transits(before, after, PAGE).map_err(UseCaseError::from))
            .await?;
        let Some((last, ..)) = page.last() else {
            return Ok(given_up);
        };
        after = last.get();
        given_up += give_up_each(store, page).await?;
    }
}

fn left_before(now: DateTime<Utc>, days: u32) -> DateTime<Utc> {
    now - TimeDelta::days(i64::from(days))
}

/// A journey, its item and its bib.
type Late = (TransitId, ItemId, BibId);

/// The walk over the journeys that left more than so many days ago.
#[derive(Debug, Clone, Copy)]
pub struct GiveUpTransits {
    pub days: u32,
}

impl Pass for GiveUpTransits {
    type Work = Late;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<Late>> + Send + 'static {
        let before = left_before(now, self.days);
        move |tx| {
            let work = tx.overdue_transits(before, after, PAGE)?;
            Ok(Look {
                looked_at: i64::try_from(work.len()).unwrap_or(i64::MAX),
                after: work.last().map(|(transit, ..)| transit.get()),
                work,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<Late>) -> Result<i64> {
        Ok(i64::try_from(give_up_each(store, work).await?).unwrap_or(i64::MAX))
    }
}

async fn give_up_each(store: &Arc<Store>, page: Vec<Late>) -> Result<usize> {
    let mut given_up = 0;
    for late in page {
        let ids = store.take_ids::<UseCaseError>(2).await?;
        let done = store.write(move |tx| give_up(tx, late, ids.clone())).await;
        given_up += usize::from(of_one(done, "transit", late.0.get())? == Some(true));
    }
    Ok(given_up)
}

fn give_up(tx: &mut WriteTx<'_>, (transit, item, bib): Late, mut ids: IdRun) -> Result<bool> {
    let network = tx.network()?;
    let Some(item) = tx.lock_item(Candidate::known(item, bib), &network)? else {
        return Ok(false);
    };
    // It may have arrived while the lock was waited for.
    let open = item.facts.transit.as_ref().filter(|open| open.id == transit);
    let Some(open) = open.filter(|open| open.status.after(TransitAct::GiveUp).is_ok()) else {
        return Ok(false);
    };
    // A data fault: the item is known to be elsewhere, and its next scan settles the journey.
    if leads_to(item.facts.status, ItemAct::GiveUp).is_empty() {
        return Ok(false);
    }
    let now = record::now_for(tx, &item.facts);
    tx.give_up_transit(transit)?;
    let event = |kind| Event::new(kind, now, open.from, SYSTEM_CHANNEL).of_item(&item.facts);
    let detail = json!({"transit_id": transit, "to_unit_id": open.to, "reason": open.reason});
    tx.append_event(ids.next(), &event(EventKind::TransitMissing).detail(detail))?;
    if let Some(hold) = &item.facts.captured_for {
        tx.release_hold(hold.id)?;
        let detail = json!({"hold_id": hold.id});
        tx.append_event(ids.next(), &event(EventKind::HoldReleased).detail(detail))?;
    }
    let step = (item.facts.status, ItemStatus::Missing);
    record::place(tx, item.facts.id, step, item.facts.current, now)?;
    Ok(true)
}
