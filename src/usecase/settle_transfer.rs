//! The other side's word on a transfer of ownership. Accepted, its items change owners in small transactions, one event each;
//! what a power cut left is done by the next call or the job.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::once::once;
use super::propose_transfer::{TransferView, shown};
use super::run_job::{Look, Pass};
use super::{Caller, IdempotencyKey, Result, UseCaseError, record};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, ItemId, OwnershipTransferId, UnitId};
use crate::domain::item::ItemStatus;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::ownership::TransferRow;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// Items of one write: nobody waits long for it.
const CHUNK: i64 = 50;

/// What is said to a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// By the receiving owner.
    Accept,
    /// By the receiving owner, and why.
    Decline(String),
    /// By the giving owner, and why.
    Withdraw(String),
}

impl Verdict {
    const fn status(&self) -> &'static str {
        match self {
            Self::Accept => "accepted",
            Self::Decline(_) => "declined",
            Self::Withdraw(_) => "withdrawn",
        }
    }

    fn answer(&self) -> Option<&str> {
        match self {
            Self::Accept => None,
            Self::Decline(answer) | Self::Withdraw(answer) => Some(answer),
        }
    }
}

type Settled = (OwnershipTransferId, Verdict);

/// Settles a proposal.
///
/// # Errors
/// `State` when it is settled already; `NotFound`; `Forbidden` for who does not speak for the right side; a failure of the store.
pub async fn settle_transfer(
    store: &Arc<Store>,
    caller: &Caller,
    id: OwnershipTransferId,
    verdict: Verdict,
    key: Option<IdempotencyKey>,
) -> Result<Once<TransferView>> {
    caller.require_somewhere(Right::TransferItems)?;
    let accepted = verdict == Verdict::Accept;
    let mut once = once(store, caller, key, 1, (id, verdict), apply).await?;
    if accepted {
        carry_on(store, caller.staff().map(|_| caller.clone()), id).await?;
        once.value = store
            .read(move |tx| {
                let network = tx.network()?;
                let row = tx.transfer(id)?.ok_or(UseCaseError::NotFound("ownership transfer"))?;
                shown(tx, row, &network)
            })
            .await?;
    }
    Ok(once)
}

/// Moves what accepted transfers have left to move.
///
/// # Errors
/// A failure of the store; what was moved before it stays moved.
pub async fn carry_on_transfers(store: &Arc<Store>) -> Result<()> {
    let unfinished = store
        .read(|tx| tx.unfinished_transfers().map_err(UseCaseError::from))
        .await?;
    CarryOnTransfers.act(store, unfinished).await.map(drop)
}

/// The walk over accepted transfers that were cut short.
#[derive(Debug, Clone, Copy, Default)]
pub struct CarryOnTransfers;

impl Pass for CarryOnTransfers {
    type Work = OwnershipTransferId;

    fn look(
        &self,
        after: i64,
        _: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<OwnershipTransferId>> + Send + 'static {
        move |tx| {
            let mut work = tx.unfinished_transfers()?;
            // One at a time, so that the list of jobs tells how far it is.
            work.retain(|transfer| transfer.get() > after);
            work.truncate(1);
            Ok(Look {
                looked_at: i64::try_from(work.len()).unwrap_or(i64::MAX),
                after: work.last().map(|transfer| transfer.get()),
                work,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<OwnershipTransferId>) -> Result<i64> {
        let mut moved = 0;
        for id in work {
            moved += carry_on(store, None, id).await?;
        }
        Ok(moved)
    }
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, (id, verdict): &Settled, mut ids: IdRun) -> Result<TransferView> {
    let network = tx.network()?;
    let row = tx
        .lock_transfer(*id)?
        .ok_or(UseCaseError::NotFound("ownership transfer"))?;
    let side = match verdict {
        Verdict::Accept | Verdict::Decline(_) => row.to_unit_id,
        Verdict::Withdraw(_) => row.from_unit_id,
    };
    caller.require(Right::TransferItems, UnitId::new(side), &network)?;
    if row.status != "proposed" {
        return Err(UseCaseError::State(format!("the transfer is {} already", row.status)));
    }
    let now = tx.now();
    tx.settle_transfer(*id, verdict.status(), verdict.answer(), now)?;
    let detail = json!({"transfer_id": id, "document_number": row.document_number, "status": verdict.status()});
    let event = Event::new(
        EventKind::OwnershipSettled,
        now,
        UnitId::new(side),
        caller.channel().code(),
    )
    .by(caller.staff(), caller.device())
    .detail(detail);
    tx.append_event(ids.next(), &event)?;
    let row = tx.transfer(*id)?.ok_or(UseCaseError::NotFound("ownership transfer"))?;
    shown(tx, row, &network)
}

async fn carry_on(store: &Arc<Store>, caller: Option<Caller>, id: OwnershipTransferId) -> Result<i64> {
    let mut all = 0;
    loop {
        let ids = store.take_ids::<UseCaseError>(CHUNK).await?;
        let who = caller.clone();
        let moved = store
            .write(move |tx| move_some(tx, who.as_ref(), id, ids.clone()))
            .await?;
        if moved == 0 {
            return Ok(all);
        }
        all += i64::try_from(moved).unwrap_or(i64::MAX);
    }
}

fn move_some(tx: &mut WriteTx<'_>, caller: Option<&Caller>, id: OwnershipTransferId, mut ids: IdRun) -> Result<usize> {
    let row = tx
        .lock_transfer(id)?
        .ok_or(UseCaseError::NotFound("ownership transfer"))?;
    if row.status != "accepted" {
        return Ok(0);
    }
    let pending = tx.pending_items(id, CHUNK)?;
    for item in &pending {
        let outcome = move_one(tx, caller, &row, *item, &mut ids)?;
        tx.settle_transfer_item(id, item.0, outcome)?;
    }
    Ok(pending.len())
}

/// Gives one item its new owner, or says why not.
fn move_one(
    tx: &mut WriteTx<'_>,
    caller: Option<&Caller>,
    row: &TransferRow,
    (item, bib): (ItemId, BibId),
    ids: &mut IdRun,
) -> Result<&'static str> {
    let network = tx.network()?;
    let (from, to) = (UnitId::new(row.from_unit_id), UnitId::new(row.to_unit_id));
    let Some(found) = tx.lock_item(Candidate::known(item, bib), &network)? else {
        return Ok("kept");
    };
    let facts = &found.facts;
    if facts.owner != from {
        return Ok("left_owner");
    }
    if facts.status == ItemStatus::Withdrawn {
        return Ok("kept");
    }
    if !tx
        .barcodes_of_owner(to, std::slice::from_ref(&facts.barcode))?
        .is_empty()
    {
        return Ok("barcode_taken");
    }
    // Bound with others after it was proposed: a set does not change owners by halves.
    let bound_with = tx.bound_with(item)?;
    if tx.named_by_transfer(OwnershipTransferId::new(row.id), &bound_with)? < bound_with.len() {
        return Ok("kept");
    }
    let now = record::now_for(tx, facts);
    tx.set_owner(item, to, now)?;
    let channel = caller.map_or(SYSTEM_CHANNEL, |caller| caller.channel().code());
    let mut event = Event::new(EventKind::OwnerChanged, now, to, channel).of_item(facts);
    event.owner = Some(to);
    let detail = json!({"transfer_id": row.id, "document_number": row.document_number,
        "from_owner_unit_id": from, "to_owner_unit_id": to});
    let event = event.by(caller.and_then(Caller::staff), None).detail(detail);
    tx.append_event(ids.next(), &event)?;
    Ok("moved")
}
