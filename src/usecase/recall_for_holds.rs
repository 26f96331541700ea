//! Recalls by rule: loans are called back for holds that no copy serves, where their terms ask for it. Run by a job.
//! Not for: choosing (see `domain::recall_for_holds`), or telling readers, which reads the events.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::recall_item::carry_out;
use super::record::{self, Ledger};
use super::run_job::{Look, Pass};
use super::{Caller, Result, UseCaseError};
use crate::domain::act::Act;
use crate::domain::ids::BibId;
use crate::domain::network::Network;
use crate::domain::own_rules::TermField;
use crate::domain::reader::Channel;
use crate::domain::recall::{self, Guarantee};
use crate::domain::recall_for_holds::{Facts, Recall, choose};
use crate::store::Store;
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::tx::{ReadTx, WriteTx};

/// Bibs looked at in one read.
const BIBS_PER_LOOK: i64 = 100;
/// Loans called back in one write, each with an event; the next run calls back the rest.
const RECALLS_PER_WRITE: usize = 16;

/// The walk over the bibs for which somebody waits while copies are out, as long as any terms ask for it.
#[derive(Debug, Clone, Copy)]
pub struct RecallForHolds {
    pub guarantee: Guarantee,
}

impl Pass for RecallForHolds {
    type Work = BibId;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<BibId>> + Send + 'static {
        let guarantee = self.guarantee;
        move |tx| {
            let network = tx.network()?;
            let bibs = if network.rules().mentions(TermField::RecallHolds) {
                tx.bibs_to_recall(BibId::new(after), BIBS_PER_LOOK)?
            } else {
                Vec::new()
            };
            let mut work = Vec::new();
            for bib in &bibs {
                if !chosen(tx, &network, *bib, guarantee, now)?.is_empty() {
                    work.push(*bib);
                }
            }
            Ok(Look {
                work,
                looked_at: i64::try_from(bibs.len()).unwrap_or(i64::MAX),
                after: bibs.last().map(|bib| bib.get()),
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<BibId>) -> Result<i64> {
        let (mut recalled, guarantee) = (0, self.guarantee);
        let room = i64::try_from(RECALLS_PER_WRITE).unwrap_or(1);
        for bib in work {
            let ids = store.take_ids::<UseCaseError>(room).await?;
            recalled += store
                .write(move |tx| recall_of_bib(tx, bib, guarantee, ids.clone()))
                .await?;
        }
        Ok(recalled)
    }
}

/// What is to be called back of a bib as it stands.
fn chosen(
    tx: &mut ReadTx<'_>,
    network: &Network,
    bib: BibId,
    guarantee: Guarantee,
    now: DateTime<Utc>,
) -> Result<Vec<Recall>> {
    let waiting = tx.unserved_holds(network, &[bib.get()], network.local_day(now))?;
    let waiting: Vec<_> = waiting.into_iter().map(|(_, hold)| hold).collect();
    let facts = Facts {
        network,
        waiting: &waiting,
        free: &tx.free_copies(bib)?,
        lent: &tx.lent_copies(bib)?,
        guarantee,
    };
    Ok(choose(&facts, now, RECALLS_PER_WRITE))
}

/// Looks at a bib again under its lock and calls back what is to be; answers how many loans.
fn recall_of_bib(tx: &mut WriteTx<'_>, bib: BibId, guarantee: Guarantee, mut ids: IdRun) -> Result<i64> {
    let network = tx.network()?;
    tx.lock_bibs(&[bib])?;
    let now = tx.now();
    let mut recalled = 0;
    for one in chosen(tx, &network, bib, guarantee, now)? {
        recalled += i64::from(recall_one(tx, &network, (bib, one), guarantee, &mut ids)?);
    }
    Ok(recalled)
}

fn recall_one(
    tx: &mut WriteTx<'_>,
    network: &Network,
    (bib, one): (BibId, Recall),
    guarantee: Guarantee,
    ids: &mut IdRun,
) -> Result<bool> {
    let Some(item) = tx.lock_item(Candidate::known(one.item, bib), network)? else {
        return Ok(false);
    };
    let Some(loaded) = item.loan.as_ref().filter(|loaded| loaded.loan.id == one.loan) else {
        return Ok(false);
    };
    let now = record::now_for(tx, &item.facts);
    let Ok(plan) = recall::decide(network, &loaded.loan, item.facts.status, guarantee, now) else {
        return Ok(false);
    };
    let mut ledger = Ledger {
        tx,
        caller: &Caller::system(),
        act: &Act::at(loaded.loan.unit, Channel::Desk),
        item: &item.facts,
        now,
        ids,
    };
    carry_out(&mut ledger, loaded, &plan, Value::Null)?;
    Ok(true)
}
