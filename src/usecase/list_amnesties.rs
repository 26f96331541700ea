//! The amnesties that count at a unit: its own and those of the units above.

use std::sync::Arc;

use super::add_amnesty::AmnestyView;
use super::page::{Page, PageRequest};
use super::view::unit_code;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::calendar_rows::AmnestyRow;

/// Whose.
#[derive(Debug, Clone)]
pub struct ListAmnesties {
    pub code: String,
    pub page: PageRequest,
}

/// Lists amnesties in the order of their ids.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; a failure of the store.
pub async fn list_amnesties(store: &Arc<Store>, caller: &Caller, query: ListAmnesties) -> Result<Page<AmnestyView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = network
                .units()
                .by_code(&query.code)
                .ok_or(UseCaseError::NotFound("unit"))?;
            caller.require(Right::ManageUnits, unit.id, &network)?;
            let line = network.units().ancestors(unit.id);
            let rows = tx.amnesties(line, query.page.after_id(), query.page.fetch())?;
            let page = query.page.cut(rows, |row| row.0).map(|row| view(row, &network));
            page.items
                .into_iter()
                .collect::<Result<Vec<_>>>()
                .map(|items| Page { items, next: page.next })
        })
        .await
}

fn view((id, unit, first, last, reason): AmnestyRow, network: &Network) -> Result<AmnestyView> {
    let day = |text: String| {
        text.parse()
            .map_err(|_| UseCaseError::Internal(format!("amnesty {id}: '{text}' is not a day")))
    };
    Ok(AmnestyView {
        id,
        unit_code: unit_code(network, unit),
        first: day(first)?,
        last: day(last)?,
        reason,
    })
}
