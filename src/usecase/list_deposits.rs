//! Deposits and their copies, for both ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::deposit_view::{DepositCopyView, DepositDetail, DepositView, WHEREABOUTS, whereabouts};
use super::page::{Page, PageRequest};
use super::{Caller, Result, UseCaseError, record};
use crate::auth::Right;
use crate::domain::deposit::{DepositStatus, MAX_ITEMS};
use crate::domain::ids::DepositId;
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::deposits::{Deposit, DepositFilter};
use crate::store::tx::ReadTx;

/// Which deposits; without a unit those of the whole network, for who may see it.
#[derive(Debug, Clone)]
pub struct ListDeposits {
    pub from_unit_code: Option<String>,
    pub to_unit_code: Option<String>,
    pub status: Option<String>,
    pub page: PageRequest,
}

/// Lists deposits in the order of their ids.
///
/// # Errors
/// `Forbidden` when neither end lies in the caller's subtree; `Invalid` naming what does not exist.
pub async fn list_deposits(store: &Arc<Store>, caller: &Caller, query: ListDeposits) -> Result<Page<DepositView>> {
    caller.require_somewhere(Right::ReadTransits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let filter = filter(&caller, &query, &network)?;
            let rows = tx.deposits(&filter, query.page.after_id(), query.page.fetch())?;
            let page = query.page.cut(rows, |row| row.id.get());
            Ok(page.map(|row| DepositView::of(row, &network)))
        })
        .await
}

fn filter(caller: &Caller, query: &ListDeposits, network: &Network) -> Result<DepositFilter> {
    let named = |field, code: &Option<String>| {
        let code = code.as_deref();
        code.map(|code| record::unit_by_code(network, field, code)).transpose()
    };
    let from = named("from_unit_code", &query.from_unit_code)?;
    let to = named("to_unit_code", &query.to_unit_code)?;
    let known = |word: &str| {
        let status = DepositStatus::from_code(word);
        status.ok_or_else(|| UseCaseError::field("status", "must be open, recalled or ended"))
    };
    let status = query.status.as_deref().map(known).transpose()?;
    let root = network.units().root().map(|root| root.id);
    let asked = from.into_iter().chain(to);
    let mut units = asked.chain(root.filter(|_| from.is_none() && to.is_none()));
    if !units.any(|unit| caller.may(Right::ReadTransits, unit, network)) {
        return Err(UseCaseError::Forbidden);
    }
    Ok(DepositFilter { from, to, status })
}

/// One deposit, for who may see one of its ends.
fn visible(tx: &mut ReadTx<'_>, caller: &Caller, id: DepositId, network: &Network) -> Result<Deposit> {
    let deposit = tx.deposit(id)?.ok_or(UseCaseError::NotFound("deposit"))?;
    let may = |unit| caller.may(Right::ReadTransits, unit, network);
    if may(deposit.from) || may(deposit.to) {
        Ok(deposit)
    } else {
        Err(UseCaseError::Forbidden)
    }
}

/// One deposit, and how many of its copies are where.
///
/// # Errors
/// `NotFound`; `Forbidden` when neither end lies in the caller's subtree; a failure of the store.
pub async fn get_deposit(store: &Arc<Store>, caller: &Caller, id: DepositId) -> Result<DepositDetail> {
    caller.require_somewhere(Right::ReadTransits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let deposit = visible(tx, &caller, id, &network)?;
            detail(tx, deposit, &network)
        })
        .await
}

fn detail(tx: &mut ReadTx<'_>, deposit: Deposit, network: &Network) -> Result<DepositDetail> {
    let limit = i64::try_from(MAX_ITEMS).unwrap_or(i64::MAX);
    let mut copies = BTreeMap::new();
    for row in tx.deposit_copies(deposit.id, 0, limit)? {
        *copies.entry(whereabouts(&row, deposit.to).to_owned()).or_default() += 1;
    }
    let deposit = DepositView::of(deposit, network);
    Ok(DepositDetail { deposit, copies })
}

/// The copies of a deposit in the order they were asked for, all or those in one place.
///
/// # Errors
/// As `get_deposit`; `Invalid` for a whereabouts that is none.
pub async fn list_deposit_copies(
    store: &Arc<Store>,
    caller: &Caller,
    id: DepositId,
    place: Option<String>,
    page: PageRequest,
) -> Result<Page<DepositCopyView>> {
    caller.require_somewhere(Right::ReadTransits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let deposit = visible(tx, &caller, id, &network)?;
            if place.as_deref().is_some_and(|place| !WHEREABOUTS.contains(&place)) {
                let reason = format!("must be one of {}", WHEREABOUTS.join(", "));
                return Err(UseCaseError::field("whereabouts", reason));
            }
            let limit = i64::try_from(MAX_ITEMS).unwrap_or(i64::MAX);
            let mut rows = tx.deposit_copies(id, page.after_id(), limit)?;
            rows.retain(|row| {
                place
                    .as_deref()
                    .is_none_or(|place| whereabouts(row, deposit.to) == place)
            });
            let page = page.cut(rows, |row| i64::from(row.row_number));
            Ok(page.map(|row| DepositCopyView::of(row, deposit.to, &network)))
        })
        .await
}
