//! What a unit has to pack: requests of which copies lie ready, the oldest first.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, PageRequest};
use super::view::unit_code;
use super::{Caller, Result, record};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::store::Store;
use crate::store::deliveries::RequestLine;

/// A request to be packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PackingView {
    /// Number of the request: `packParcel` names it.
    #[schema(example = 1042)]
    pub request_id: i64,
    /// The unit that packs.
    #[schema(example = "C1")]
    pub unit_code: String,
    /// When it was asked for (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub asked_at: DateTime<Utc>,
    /// What becomes of the lines that are not in the first parcel: `follow` or `cancel`.
    #[schema(example = "follow")]
    pub rest: String,
    /// Copies to take from the hold shelf, by their numbers there.
    pub ready: Vec<PackingLine>,
    /// Lines that still wait for a copy.
    #[schema(example = 1)]
    pub waiting: usize,
}

/// A copy to be packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PackingLine {
    pub hold_id: i64,
    pub item_barcode: String,
    pub title: String,
    /// Its place on the hold shelf.
    pub shelf_number: Option<i32>,
}

/// Lists what a unit has to pack; without a unit the caller's own.
///
/// # Errors
/// `Forbidden`; `Invalid` for an unknown unit; a failure of the store.
pub async fn list_packing(
    store: &Arc<Store>,
    caller: &Caller,
    unit: Option<String>,
    page: PageRequest,
) -> Result<Page<PackingView>> {
    caller.require_somewhere(Right::HandleParcels)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = match unit.as_deref() {
                Some(code) => record::unit_by_code(&network, "unit_code", code)?,
                None => caller.working_unit()?,
            };
            caller.require(Right::HandleParcels, unit, &network)?;
            let rows = page.cut(tx.packing_list(unit, page.after_id(), page.fetch())?, |row| row.id);
            let mut items = Vec::with_capacity(rows.items.len());
            for row in rows.items {
                let lines = tx.request_lines(row.id)?;
                let mut ready = Vec::new();
                for line in lines.iter().filter(|line| line.ready().is_some()) {
                    if tx.parcel_of_hold(line.hold_id)?.is_none() {
                        ready.extend(packing_line(line));
                    }
                }
                ready.sort_by_key(|line| line.shelf_number);
                items.push(PackingView {
                    request_id: row.id,
                    unit_code: unit_code(&network, row.unit_id),
                    asked_at: from_millis(row.asked_at),
                    rest: row.rest,
                    ready,
                    waiting: lines
                        .iter()
                        .filter(|line| line.is_open() && line.ready().is_none())
                        .count(),
                });
            }
            Ok(Page { items, next: rows.next })
        })
        .await
}

fn packing_line(line: &RequestLine) -> Option<PackingLine> {
    let (_, barcode) = line.ready()?;
    Some(PackingLine {
        hold_id: line.hold_id,
        item_barcode: barcode.to_owned(),
        title: line.title.clone(),
        shelf_number: line.shelf_number,
    })
}
