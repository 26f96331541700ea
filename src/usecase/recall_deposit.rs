//! A deposit changes or is called back: by staff, or by the job on its day. What stands on a shelf is to be packed, what is lent
//! goes home with its next return.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

use super::create_deposit::check_until;
use super::deposit_copies::{By, carry_on};
use super::deposit_view::DepositView;
use super::named::Wrong;
use super::once::once;
use super::run_job::{Look, Pass};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::deposit::DepositStatus;
use crate::domain::event::EventKind;
use crate::domain::ids::DepositId;
use crate::store::deposits::Deposit;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// What may change of a deposit; `None` stays.
#[derive(Debug, Clone)]
pub struct UpdateDeposit {
    pub deposit: DepositId,
    /// The version the change was made from.
    pub seen: i64,
    pub until: Option<NaiveDate>,
    pub reason: Option<String>,
}

impl Outcome for DepositView {}

/// Gives an open deposit another day or reason.
///
/// # Errors
/// `NotFound`; `Forbidden` without the right over the stock it is from; `Stale`; `State` once it is called back; `Invalid`.
pub async fn update_deposit(
    store: &Arc<Store>,
    caller: &Caller,
    command: UpdateDeposit,
    key: Option<IdempotencyKey>,
) -> Result<Once<DepositView>> {
    caller.require_somewhere(Right::ManageItems)?;
    once(store, caller, key, 1, command, apply_update).await
}

fn apply_update(tx: &mut WriteTx<'_>, caller: &Caller, command: &UpdateDeposit, mut ids: IdRun) -> Result<DepositView> {
    let mut deposit = locked(tx, caller, command.deposit)?;
    if deposit.version != command.seen {
        return Err(UseCaseError::Stale(deposit.version));
    }
    if deposit.status != DepositStatus::Open {
        return Err(called_back(&deposit));
    }
    let network = tx.network()?;
    let mut wrong = Wrong::default();
    if let Some(until) = command.until {
        check_until(until, network.local_day(tx.now()), &mut wrong);
    }
    wrong.check()?;
    deposit.until = command.until.unwrap_or(deposit.until);
    deposit.reason = command.reason.clone().unwrap_or(deposit.reason);
    tx.update_deposit(&deposit)?;
    let event = Event::new(
        EventKind::DepositChanged,
        tx.now(),
        deposit.from,
        caller.channel().code(),
    )
    .by(caller.staff(), caller.device())
    .detail(json!({"deposit_id": deposit.id, "until": deposit.until}));
    tx.append_event(ids.next(), &event)?;
    changed(tx, deposit.id)
}

/// Calls a deposit back. Called back already, it stays as it is.
///
/// # Errors
/// `NotFound`; `Forbidden` without the right over the stock it is from; a failure of the store.
pub async fn recall_deposit(
    store: &Arc<Store>,
    caller: &Caller,
    id: DepositId,
    reason: String,
    key: Option<IdempotencyKey>,
) -> Result<Once<DepositView>> {
    caller.require_somewhere(Right::ManageItems)?;
    let work = move |tx: &mut WriteTx<'_>, who: &Caller, reason: &String, ids| {
        let deposit = locked(tx, who, id)?;
        call_back(tx, deposit, Some(reason.clone()), By::caller(who), ids)?;
        changed(tx, id)
    };
    let answer = once(store, caller, key, 1, reason, work).await?;
    carry_on(store, id, By::caller(caller)).await?;
    Ok(answer)
}

fn called_back(deposit: &Deposit) -> UseCaseError {
    UseCaseError::State(format!("the deposit is {}", deposit.status.code()))
}

fn locked(tx: &mut WriteTx<'_>, caller: &Caller, id: DepositId) -> Result<Deposit> {
    let network = tx.network()?;
    let deposit = tx.lock_deposit(id)?.ok_or(UseCaseError::NotFound("deposit"))?;
    caller.require(Right::ManageItems, deposit.from, &network)?;
    Ok(deposit)
}

fn changed(tx: &mut WriteTx<'_>, id: DepositId) -> Result<DepositView> {
    let network = tx.network()?;
    let deposit = tx.deposit(id)?.ok_or(UseCaseError::NotFound("deposit"))?;
    Ok(DepositView::of(deposit, &network))
}

fn call_back(tx: &mut WriteTx<'_>, mut deposit: Deposit, reason: Option<String>, by: By, mut ids: IdRun) -> Result<()> {
    if deposit.status != DepositStatus::Open {
        return Ok(());
    }
    deposit.status = DepositStatus::Recalled;
    deposit.recalled_at = Some(tx.now());
    deposit.recall_reason = reason;
    tx.update_deposit(&deposit)?;
    let event = Event::new(EventKind::DepositRecalled, tx.now(), deposit.from, by.channel)
        .by(by.staff, by.device)
        .detail(json!({"deposit_id": deposit.id, "by_date": deposit.recall_reason.is_none()}));
    Ok(tx.append_event(ids.next(), &event)?)
}

/// The walk over deposits that have not ended: those whose day has come are called back, and what was cut short goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct PullBackDeposits;

/// Deposits looked at in one read.
const DEPOSITS_PER_LOOK: i64 = 200;

impl Pass for PullBackDeposits {
    type Work = DepositId;

    fn expected(&self, tx: &mut ReadTx<'_>) -> Result<Option<i64>> {
        Ok(Some(tx.count_deposits_under_way()?))
    }

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<DepositId>> + Send + 'static {
        move |tx| {
            let today = tx.day_of(now);
            let deposits = tx.deposits_under_way(after, DEPOSITS_PER_LOOK)?;
            let mut work = Vec::new();
            for deposit in &deposits {
                let recalled = deposit.status == DepositStatus::Recalled;
                if recalled || deposit.until <= today || !tx.deposit_rows_to_do(deposit.id, false, 1)?.is_empty() {
                    work.push(deposit.id);
                }
            }
            Ok(Look {
                work,
                looked_at: i64::try_from(deposits.len()).unwrap_or(i64::MAX),
                after: deposits.last().map(|deposit| deposit.id.get()),
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<DepositId>) -> Result<i64> {
        let mut changed = 0;
        for id in work {
            let ids = store.take_ids::<UseCaseError>(1).await?;
            store
                .write(move |tx| {
                    let Some(deposit) = tx.lock_deposit(id)? else {
                        return Ok(());
                    };
                    let due = deposit.until <= tx.day_of(tx.now());
                    if due {
                        call_back(tx, deposit, None, By::SYSTEM, ids.clone())?;
                    }
                    Ok::<(), UseCaseError>(())
                })
                .await?;
            changed += carry_on(store, id, By::SYSTEM).await?;
        }
        Ok(changed)
    }
}
