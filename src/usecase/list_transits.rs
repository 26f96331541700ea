//! Items on their way between units.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, PageRequest};
use super::view::unit_code;
use super::{Caller, Result, UseCaseError, record};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::transits::TransitView as TransitRow;

/// Which journeys; without a unit those to the caller's own, or all for who may see the whole network.
#[derive(Debug, Clone)]
pub struct ListTransits {
    pub from_unit_code: Option<String>,
    pub to_unit_code: Option<String>,
    pub page: PageRequest,
}

/// One item's journey between two units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransitView {
    pub id: i64,
    pub item_id: i64,
    pub item_barcode: String,
    pub title: String,
    pub from_unit_code: String,
    pub to_unit_code: String,
    /// `return_home`, `hold`, `redirect`, `move`, `rotation`, `recall`, `request` or `repair`.
    pub reason: String,
    pub hold_id: Option<i64>,
    /// `awaiting_dispatch`, `packed`, `sent`, `received`, `missing` or `cancelled`.
    pub status: String,
    pub opened_at: DateTime<Utc>,
}

/// Lists open transits in the order of their ids.
///
/// # Errors
/// `Forbidden` when neither end lies in the caller's subtree; `Invalid` naming a unit that does not exist.
pub async fn list_transits(store: &Arc<Store>, caller: &Caller, query: ListTransits) -> Result<Page<TransitView>> {
    caller.require_somewhere(Right::ReadTransits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let (from, to) = ends(&caller, &query, &network)?;
            let rows = tx.open_transits(from, to, query.page.after_id(), query.page.fetch())?;
            Ok(query.page.cut(rows, |row| row.id).map(|row| view(row, &network)))
        })
        .await
}

type Ends = (Option<UnitId>, Option<UnitId>);

fn ends(caller: &Caller, query: &ListTransits, network: &Network) -> Result<Ends> {
    let named = |field, code: &Option<String>| {
        code.as_deref()
            .map(|code| record::unit_by_code(network, field, code))
            .transpose()
    };
    let (from, to) = (
        named("from_unit_code", &query.from_unit_code)?,
        named("to_unit_code", &query.to_unit_code)?,
    );
    let may = |unit: UnitId| caller.may(Right::ReadTransits, unit, network);
    if from.is_none() && to.is_none() {
        let everywhere = network.units().root().is_some_and(|root| may(root.id));
        let own = if everywhere { None } else { Some(caller.working_unit()?) };
        return Ok((None, own));
    }
    if from.into_iter().chain(to).any(may) {
        Ok((from, to))
    } else {
        Err(UseCaseError::Forbidden)
    }
}

fn view(row: TransitRow, network: &Network) -> TransitView {
    TransitView {
        id: row.id,
        item_id: row.item_id,
        item_barcode: row.barcode,
        title: row.title,
        from_unit_code: unit_code(network, row.from_unit_id),
        to_unit_code: unit_code(network, row.to_unit_id),
        reason: row.reason,
        hold_id: row.hold_id,
        status: row.status,
        opened_at: from_millis(row.opened_at),
    }
}
