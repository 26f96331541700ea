//! Says of cards past their last day that they have expired. Run by a job; check-outs look at the day itself and do not wait for it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::issue_card::{Told, tell};
use super::run_job::{Look, Pass, of_one};
use super::{Caller, Result, UseCaseError};
use crate::domain::card_life::{CardAct, leads_to};
use crate::domain::event::EventKind;
use crate::domain::ids::CardId;
use crate::store::Store;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};

/// Cards looked up at a time.
const PAGE: i64 = 200;

/// The walk over the cards whose last day is over.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExpireCards;

impl Pass for ExpireCards {
    type Work = CardId;

    fn look(
        &self,
        after: i64,
        _: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<CardId>> + Send + 'static {
        move |tx| {
            let today = tx.network()?.local_day(tx.now());
            let work = tx.cards_past_end(today, after, PAGE)?;
            Ok(Look {
                looked_at: i64::try_from(work.len()).unwrap_or(i64::MAX),
                after: work.last().map(|card| card.get()),
                work,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<CardId>) -> Result<i64> {
        let mut changed = 0;
        for card in work {
            let ids = store.take_ids::<UseCaseError>(1).await?;
            let done = store.write(move |tx| expire(tx, card, ids.clone())).await;
            changed += i64::from(of_one(done, "card", card.get())? == Some(true));
        }
        Ok(changed)
    }
}

fn expire(tx: &mut WriteTx<'_>, id: CardId, mut ids: IdRun) -> Result<bool> {
    let Some(found) = tx.card(id)? else { return Ok(false) };
    tx.lock_readers(&[found.reader()])?;
    let Some(card) = tx.card(id)? else { return Ok(false) };
    let (today, now) = (tx.network()?.local_day(tx.now()), tx.now());
    let over = card.last_day()?.is_some_and(|end| end < today);
    let Some(to) = leads_to(card.state()?, CardAct::Expire).filter(|_| over) else {
        return Ok(false);
    };
    let Some((reader, _)) = tx.reader_view(card.reader())? else {
        return Ok(false);
    };
    tx.set_card_status(id, to, now)?;
    let told = Told {
        kind: EventKind::CardExpired,
        card: card.id,
        what: card.card_kind()?,
        reason: None,
    };
    tell(tx, &Caller::system(), &reader, &told, ids.next())?;
    Ok(true)
}
