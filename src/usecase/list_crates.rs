//! Looking at crates: a list, one with what lies in it, and its slip.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::crate_view::{CrateDetail, CrateItemView, CrateView, shown};
use super::page::{Page, PageRequest};
use super::{Caller, Result, UseCaseError, record};
use crate::auth::Right;
use crate::domain::crate_label::CrateLabel;
use crate::domain::ids::{CrateId, UnitId};
use crate::domain::network::Network;
use crate::domain::transit::CrateStatus;
use crate::store::Store;
use crate::store::crates::{CrateFilter, CrateRow};
use crate::store::tx::ReadTx;

/// Which crates. Without a unit or a label: those that stand at the caller's own unit, or all for who may see the network.
#[derive(Debug, Clone)]
pub struct ListCrates {
    pub label: Option<String>,
    pub from_unit_code: Option<String>,
    pub to_unit_code: Option<String>,
    pub at_unit_code: Option<String>,
    pub status: Option<String>,
    pub page: PageRequest,
}

/// What a crate's slip says, for label printers and for the printed page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CrateSlip {
    /// What the barcode of the crate says.
    #[schema(example = "X000000104276")]
    pub label: String,
    pub from_unit_code: String,
    /// In Chinese, as the unit is named.
    #[schema(example = "江汉区图书馆")]
    pub from_unit_name: String,
    pub to_unit_code: String,
    /// In Chinese, as the unit is named.
    #[schema(example = "青山区图书馆")]
    pub to_unit_name: String,
    /// The route it was opened for or is carried by.
    #[schema(example = "R1")]
    pub route_code: Option<String>,
    /// How many items lie in it now.
    #[schema(example = 12)]
    pub items: usize,
    /// Their barcodes, in the order they were packed.
    #[schema(example = json!(["0100001234567"]))]
    pub item_barcodes: Vec<String>,
}

/// Lists crates in the order of their ids.
///
/// # Errors
/// `Forbidden` when no end lies in the caller's subtree; `Invalid` naming what does not exist; a failure of the store.
pub async fn list_crates(store: &Arc<Store>, caller: &Caller, query: ListCrates) -> Result<Page<CrateView>> {
    caller.require_somewhere(Right::ReadTransits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let filter = filter(&caller, &query, &network)?;
            let rows = tx.crates(&filter, query.page.after_id(), query.page.fetch())?;
            let page = query.page.cut(rows, |row| row.id);
            let mut items = Vec::new();
            for row in page.items {
                // A scanned label finds the crate wherever it is, but shows it to its own people only.
                if filter.label.is_none() || sees(&caller, &row, &network) {
                    items.push(CrateView::of(tx, row, &network)?);
                }
            }
            Ok(Page { items, next: page.next })
        })
        .await
}

/// A crate with its contents.
///
/// # Errors
/// `NotFound`; `Forbidden` when none of its units lies in the caller's subtree; a failure of the store.
pub async fn get_crate(store: &Arc<Store>, caller: &Caller, id: CrateId) -> Result<CrateDetail> {
    caller.require_somewhere(Right::ReadTransits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            seen(tx, &caller, id, &network)?;
            let contents = tx.crate_items(id)?.into_iter().map(CrateItemView::of).collect();
            let view = shown(tx, id, &network)?;
            Ok(CrateDetail { view, contents })
        })
        .await
}

/// What the slip of a crate says.
///
/// # Errors
/// As [`get_crate`].
pub async fn crate_slip(store: &Arc<Store>, caller: &Caller, id: CrateId) -> Result<CrateSlip> {
    caller.require_somewhere(Right::ReadTransits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let row = seen(tx, &caller, id, &network)?;
            let contents = tx.crate_items(id)?;
            let inside = |status: &str| matches!(status, "packed" | "sent" | "missing");
            let item_barcodes: Vec<String> = contents
                .into_iter()
                .filter(|item| inside(&item.status))
                .map(|item| item.barcode)
                .collect();
            let name = |id: i64| network.unit(UnitId::new(id)).map(|unit| unit.name.clone());
            let (from_unit_name, to_unit_name) = (name(row.from_unit_id), name(row.to_unit_id));
            let view = CrateView::of(tx, row, &network)?;
            Ok(CrateSlip {
                from_unit_name: from_unit_name.unwrap_or_default(),
                to_unit_name: to_unit_name.unwrap_or_default(),
                label: view.label,
                from_unit_code: view.from_unit_code,
                to_unit_code: view.to_unit_code,
                route_code: view.route_code,
                items: item_barcodes.len(),
                item_barcodes,
            })
        })
        .await
}

fn seen(tx: &mut ReadTx<'_>, caller: &Caller, id: CrateId, network: &Network) -> Result<CrateRow> {
    let row = tx.crate_row(id)?.ok_or(UseCaseError::NotFound("crate"))?;
    if sees(caller, &row, network) {
        Ok(row)
    } else {
        Err(UseCaseError::Forbidden)
    }
}

/// Its units' people see a crate, and who carries it.
fn sees(caller: &Caller, row: &CrateRow, network: &Network) -> bool {
    let ends = [row.from_unit_id, row.to_unit_id, row.at_unit_id];
    let carries = row.courier_staff_id.is_some() && row.courier_staff_id == caller.staff().map(|staff| staff.get());
    carries
        || ends
            .iter()
            .any(|unit| caller.may(Right::ReadTransits, UnitId::new(*unit), network))
}

fn filter(caller: &Caller, query: &ListCrates, network: &Network) -> Result<CrateFilter> {
    let named = |field, code: &Option<String>| {
        code.as_deref()
            .map(|code| record::unit_by_code(network, field, code))
            .transpose()
    };
    let mut filter = CrateFilter {
        label: query.label.as_deref().map(label).transpose()?,
        from: named("from_unit_code", &query.from_unit_code)?,
        to: named("to_unit_code", &query.to_unit_code)?,
        at: named("at_unit_code", &query.at_unit_code)?,
        status: query.status.as_deref().map(status).transpose()?,
        ended: query.label.is_some(),
    };
    filter.ended |= filter
        .status
        .is_some_and(|status| matches!(status, CrateStatus::Received | CrateStatus::Cancelled));
    let may = |unit: UnitId| caller.may(Right::ReadTransits, unit, network);
    let units: Vec<UnitId> = [filter.from, filter.to, filter.at].into_iter().flatten().collect();
    if filter.label.is_some() || units.iter().any(|unit| may(*unit)) {
        return Ok(filter);
    }
    if !units.is_empty() {
        return Err(UseCaseError::Forbidden);
    }
    if !network.units().root().is_some_and(|root| may(root.id)) {
        filter.at = Some(caller.working_unit()?);
    }
    Ok(filter)
}

fn label(text: &str) -> Result<String> {
    let label = CrateLabel::parse(text).map_err(|error| UseCaseError::field("label", error.to_string()))?;
    Ok(label.to_string())
}

fn status(code: &str) -> Result<CrateStatus> {
    CrateStatus::from_code(code).ok_or_else(|| {
        let known: Vec<&str> = CrateStatus::ALL.iter().map(|status| status.code()).collect();
        UseCaseError::field("status", format!("must be one of {}", known.join(", ")))
    })
}
