//! An emergency closing is undone: from today on its units are open again, and what it moved goes back where nobody has changed it
//! since. The days that have passed stay closed: nobody could return anything then.

use std::sync::Arc;

use serde_json::json;

use super::calendar_walk::walk_after;
use super::list_closings::ClosingView;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::store::calendar_changes::ChangeRow;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// Undoes an emergency closing.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; `Invalid` for one that has passed or was undone; a failure of the store.
pub async fn undo_closing(
    store: &Arc<Store>,
    caller: &Caller,
    id: i64,
    key: Option<IdempotencyKey>,
) -> Result<Once<ClosingView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    let mut done = once(store, caller, key, 1, id, apply).await?;
    if walk_after(store, id).await.is_some() {
        done.value = store.read(move |tx| look(tx, id)).await?;
    }
    Ok(done)
}

/// A closing as it stands.
pub(super) fn look(tx: &mut ReadTx<'_>, id: i64) -> Result<ClosingView> {
    let network = tx.network()?;
    ClosingView::of(&closing(tx, id)?, &network)
}

fn closing(tx: &mut ReadTx<'_>, id: i64) -> Result<ChangeRow> {
    let row = tx.calendar_change(id)?.filter(|row| row.kind == "closing");
    row.ok_or(UseCaseError::NotFound("closing"))
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, id: &i64, mut ids: IdRun) -> Result<ClosingView> {
    let network = tx.lock_network()?;
    let row = closing(tx, *id)?;
    let unit = UnitId::new(row.unit_id);
    caller.require(Right::ManageUnits, unit, &network)?;
    let view = ClosingView::of(&row, &network)?;
    let now = tx.now();
    if view.undone_at.is_some() {
        return Err(UseCaseError::field("id", "this closing was undone already"));
    }
    if view.last < network.local_day(now) {
        let reason = format!("this closing has passed: its last day was {}", view.last);
        return Err(UseCaseError::field("id", reason));
    }
    tx.begin_undoing(*id, now)?;
    let event = Event::new(EventKind::UnitChanged, now, unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "closings", "change_id": id, "undone": true}));
    tx.append_event(ids.next(), &event)?;
    look(tx, *id)
}

impl Outcome for ClosingView {}
