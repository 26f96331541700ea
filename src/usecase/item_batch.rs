//! Many changes to items in one call, each in a transaction of its own: one row that cannot be done stops no other, and no
//! other work waits for more than a few rows.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::add_item::{AddItem, add_item};
use super::get_item::ItemView;
use super::move_item::{MoveItem, move_item};
use super::update_item::{ItemPatch, update_item};
use super::withdraw_item::withdraw_item;
use super::{Caller, IdempotencyKey, Once, Result, Store, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::ItemId;
use crate::store::idempotency::Outcome;

/// Rows of a batch.
pub const MAX_ROWS: usize = 1_000;
/// Rows under way at once, of all batches together: enough to share commits, few enough to leave the queue to the desks.
const UNDER_WAY: usize = 16;

/// One change.
#[derive(Debug, Clone)]
pub enum ItemAct {
    Add(Box<AddItem>),
    Update(ItemId, Box<ItemPatch>),
    Move(MoveItem),
    Withdraw(ItemId, String),
}

/// What one row met.
type Met = Result<Once<ItemView>>;
/// Rows about one copy, in the order they were sent.
type Line = Vec<(usize, ItemAct)>;

/// The batches under way on this node.
#[derive(Debug)]
pub struct Batches {
    places: Arc<Semaphore>,
    rows: Semaphore,
}

/// A place among them, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    batches: Arc<Batches>,
    _taken: OwnedSemaphorePermit,
}

impl Batches {
    /// So many may be under way at once.
    pub fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(at_once)),
            rows: Semaphore::new(UNDER_WAY),
        })
    }

    /// A place for one more; `None` when all are taken.
    pub fn enter(self: &Arc<Self>) -> Option<Place> {
        let taken = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Place {
            batches: Arc::clone(self),
            _taken: taken,
        })
    }
}

/// Carries out the acts; the answers stand in the order of the acts. Rows about one copy happen in that order, others in
/// any. Sent again with the same key, what was done is answered and what was not done is tried again.
///
/// # Errors
/// `Forbidden` for a caller who manages no items at all; `Invalid` for no row or too many; `KeyReused` when the key was used
/// with another batch; a failure of the store before the first row. What one row met stands in its answer.
pub async fn item_batch(
    store: &Arc<Store>,
    caller: &Caller,
    place: &Place,
    acts: Vec<Option<ItemAct>>,
    key: Option<IdempotencyKey>,
) -> Result<Vec<Option<Met>>> {
    caller.require_somewhere(Right::ManageItems)?;
    let count = acts.len();
    if !(1..=MAX_ROWS).contains(&count) {
        let reason = format!("has {count} rows, but must have 1 to {MAX_ROWS}: send the rest as another batch");
        return Err(UseCaseError::field("rows", reason));
    }
    if let Some(key) = &key {
        claim(store, caller, key.clone(), count).await?;
    }
    let mut answers: Vec<Option<Met>> = acts.iter().map(|_| None).collect();
    let mut running = JoinSet::new();
    for line in lines(acts) {
        if running.len() >= UNDER_WAY {
            settle(&mut answers, running.join_next().await);
        }
        let (store, caller, batches) = (Arc::clone(store), caller.clone(), Arc::clone(&place.batches));
        let key = key.clone();
        running.spawn(async move { carry_out_line(&store, &caller, &batches, line, key).await });
    }
    while let Some(ended) = running.join_next().await {
        settle(&mut answers, Some(ended));
    }
    Ok(answers)
}

/// Binds the key to this batch before its first row: another batch under the key is refused whole, also where this one came
/// to nothing.
async fn claim(store: &Arc<Store>, caller: &Caller, key: IdempotencyKey, rows: usize) -> Result<()> {
    let claim = Some(key.claim(caller));
    store.write_once(claim, move |_| Ok(Begun { rows })).await.map(|_| ())
}

/// What stands under the key of a batch: that it began. Its rows have outcomes of their own.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    rows: usize,
}

impl Outcome for Begun {}

/// The copy a row is about.
#[derive(PartialEq, Eq, Hash)]
enum Subject {
    Known(ItemId),
    /// Owner and barcode.
    New(String, String),
}

impl ItemAct {
    fn subject(&self) -> Subject {
        match self {
            Self::Add(item) => Subject::New(item.owner_unit_code.clone(), item.barcode.as_str().to_owned()),
            Self::Update(item, _) | Self::Withdraw(item, _) => Subject::Known(*item),
            Self::Move(command) => Subject::Known(command.item),
        }
    }
}

fn lines(acts: Vec<Option<ItemAct>>) -> Vec<Line> {
    let (mut lines, mut known) = (Vec::<Line>::new(), HashMap::new());
    for (row, act) in acts.into_iter().enumerate() {
        let Some(act) = act else { continue };
        let at = *known.entry(act.subject()).or_insert(lines.len());
        match lines.get_mut(at) {
            Some(line) => line.push((row, act)),
            None => lines.push(vec![(row, act)]),
        }
    }
    lines
}

type Ended = std::result::Result<Vec<(usize, Met)>, tokio::task::JoinError>;

fn settle(answers: &mut [Option<Met>], ended: Option<Ended>) {
    for (row, answer) in ended.and_then(Ended::ok).into_iter().flatten() {
        if let Some(slot) = answers.get_mut(row) {
            *slot = Some(answer);
        }
    }
}

async fn carry_out_line(
    store: &Arc<Store>,
    caller: &Caller,
    batches: &Batches,
    line: Line,
    key: Option<IdempotencyKey>,
) -> Vec<(usize, Met)> {
    let mut met = Vec::with_capacity(line.len());
    for (row, act) in line {
        let key = key.as_ref().map(|key| row_key(key, row));
        // Never closed; a row without a turn would only come earlier.
        let _turn = batches.rows.acquire().await;
        met.push((row, carry_out(store, caller, act, key).await));
    }
    met
}

/// A client's keys hold no blank, so a row's key meets no other.
fn row_key(key: &IdempotencyKey, row: usize) -> IdempotencyKey {
    IdempotencyKey {
        key: format!("{} row {row}", key.key),
        request_hash: key.request_hash,
    }
}

async fn carry_out(store: &Arc<Store>, caller: &Caller, act: ItemAct, key: Option<IdempotencyKey>) -> Met {
    match act {
        ItemAct::Add(item) => add_item(store, caller, *item, key).await,
        ItemAct::Update(item, patch) => update_item(store, caller, item, *patch, key).await,
        ItemAct::Move(command) => move_item(store, caller, command, key).await,
        ItemAct::Withdraw(item, reason) => withdraw_item(store, caller, item, reason, key).await,
    }
}
