//! Loans at machines of which nobody has said whether the book was taken: staff find out.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, PageRequest};
use super::record;
use super::{Caller, Result, Store};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::ids::CompartmentId;

/// A loan in question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnconfirmedLoanView {
    #[schema(example = 5501)]
    pub loan_id: i64,
    /// The machine.
    #[schema(example = 42)]
    pub device_id: i64,
    #[schema(example = "JC-L1")]
    pub device_code: String,
    /// The number on the door.
    #[schema(example = 7)]
    pub compartment: Option<u16>,
    #[schema(example = 1043)]
    pub item_id: i64,
    #[schema(example = "0123456789")]
    pub item_barcode: String,
    #[schema(example = "活着")]
    pub title: String,
    #[schema(example = 301)]
    pub reader_id: Option<i64>,
    /// When the door was to open (UTC).
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub reserved_at: DateTime<Utc>,
}

/// Which.
#[derive(Debug, Clone)]
pub struct ListUnconfirmedLoans {
    /// At this unit and below; at the caller's if absent.
    pub unit_code: Option<String>,
    pub page: PageRequest,
}

/// Lists loans in question, the newest first.
///
/// # Errors
/// `Forbidden` outside the caller's subtree; `Invalid` naming a unit that does not exist; a failure of the store.
pub async fn list_unconfirmed_loans(
    store: &Arc<Store>,
    caller: &Caller,
    query: ListUnconfirmedLoans,
) -> Result<Page<UnconfirmedLoanView>> {
    caller.require_somewhere(Right::VoidLoan)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = match &query.unit_code {
                Some(code) => record::unit_by_code(&network, "unit_code", code)?,
                None => caller.working_unit()?,
            };
            caller.require(Right::VoidLoan, unit, &network)?;
            let units: Vec<i64> = network.units().subtree(unit).map(|unit| unit.id.get()).collect();
            let rows = tx.unconfirmed_loans(&units, query.page.before_id(), query.page.fetch())?;
            let page = query.page.cut(rows, |row| row.loan_id);
            let mut shown = Vec::with_capacity(page.items.len());
            for row in page.items {
                let door = match row.compartment_id {
                    Some(id) => tx.compartment(CompartmentId::new(id))?,
                    None => None,
                };
                shown.push(UnconfirmedLoanView {
                    loan_id: row.loan_id,
                    device_id: row.device_id,
                    device_code: row.device_code,
                    compartment: door.map(|door| door.number),
                    item_id: row.item_id,
                    item_barcode: row.barcode,
                    title: row.title,
                    reader_id: row.reader_id,
                    reserved_at: from_millis(row.reserved_at),
                });
            }
            Ok(Page {
                items: shown,
                next: page.next,
            })
        })
        .await
}
