//! Many changes to items in one call, each in a transaction of its own: one row that cannot be done stops no other, and no
//! other work waits for more than one row.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::add_item::{AddItem, add_item};
use super::get_item::ItemView;
use super::move_item::{MoveItem, move_item};
use super::update_item::{ItemPatch, update_item};
use super::withdraw_item::withdraw_item;
use super::{Caller, IdempotencyKey, Once, Result, Store, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::ItemId;

/// Rows of a batch.
pub const MAX_ROWS: usize = 1_000;
/// Rows under way at once: enough to share commits, few enough to leave the queue to the desks.
const UNDER_WAY: usize = 16;

/// One change.
#[derive(Debug, Clone)]
pub enum ItemAct {
    Add(Box<AddItem>),
    Update(ItemId, Box<ItemPatch>),
    Move(MoveItem),
    Withdraw(ItemId, String),
}

/// Carries out the acts; the answers stand in the order of the acts, in which they need not have happened. Sent again with
/// the same key, what was done is answered and what was not done is tried again.
///
/// # Errors
/// `Forbidden` for a caller who manages no items at all. What one row met stands in its answer.
pub async fn item_batch(
    store: &Arc<Store>,
    caller: &Caller,
    acts: Vec<Option<ItemAct>>,
    key: Option<IdempotencyKey>,
) -> Result<Vec<Option<Result<Once<ItemView>>>>> {
    caller.require_somewhere(Right::ManageItems)?;
    let mut answers: Vec<Option<Result<Once<ItemView>>>> = acts.iter().map(|_| None).collect();
    let mut running = JoinSet::new();
    for (row, act) in acts.into_iter().enumerate() {
        let Some(act) = act else { continue };
        if running.len() >= UNDER_WAY {
            settle(&mut answers, running.join_next().await);
        }
        let (store, caller) = (Arc::clone(store), caller.clone());
        let key = key.as_ref().map(|key| row_key(key, row));
        running.spawn(async move { (row, carry_out(&store, &caller, act, key).await) });
    }
    while let Some(ended) = running.join_next().await {
        settle(&mut answers, Some(ended));
    }
    Ok(answers)
}

type Ended = std::result::Result<(usize, Result<Once<ItemView>>), tokio::task::JoinError>;

fn settle(answers: &mut [Option<Result<Once<ItemView>>>], ended: Option<Ended>) {
    if let Some(Ok((row, answer))) = ended
        && let Some(slot) = answers.get_mut(row)
    {
        *slot = Some(answer);
    }
}

/// A client's keys hold no blank, so a row's key meets no other.
fn row_key(key: &IdempotencyKey, row: usize) -> IdempotencyKey {
    IdempotencyKey {
        key: format!("{} row {row}", key.key),
        request_hash: key.request_hash,
    }
}

async fn carry_out(
    store: &Arc<Store>,
    caller: &Caller,
    act: ItemAct,
    key: Option<IdempotencyKey>,
) -> std::result::Result<Once<ItemView>, UseCaseError> {
    match act {
        ItemAct::Add(item) => add_item(store, caller, *item, key).await,
        ItemAct::Update(item, patch) => update_item(store, caller, item, *patch, key).await,
        ItemAct::Move(command) => move_item(store, caller, command, key).await,
        ItemAct::Withdraw(item, reason) => withdraw_item(store, caller, item, reason, key).await,
    }
}
