//! Open parcels of a unit: what waits for the carrier, what is on its way, what comes back, what nobody has heard of.

use std::sync::Arc;

use chrono::TimeDelta;

use super::delivery_view::{ParcelView, parcel_view};
use super::page::{Page, PageRequest};
use super::{Caller, Result, UseCaseError, record};
use crate::auth::Right;
use crate::domain::parcel::{Direction, ParcelState};
use crate::store::Store;
use crate::store::parcels::ParcelFilter;

/// How long nobody may have heard of a parcel.
const DAYS: std::ops::RangeInclusive<u16> = 1..=365;

/// Which parcels.
#[derive(Debug, Clone)]
pub struct ListParcels {
    /// The caller's own if absent.
    pub unit_code: Option<String>,
    pub direction: Option<String>,
    pub state: Option<String>,
    /// Only those that were packed, announced or posted so many days ago and have not come.
    pub older_than_days: Option<u16>,
    /// Only those of which nobody has heard for too long.
    pub alarmed: bool,
    pub page: PageRequest,
}

/// Lists open parcels in the order of their ids.
///
/// # Errors
/// `Forbidden`; `Invalid` for an unknown unit or word; a failure of the store.
pub async fn list_parcels(store: &Arc<Store>, caller: &Caller, query: ListParcels) -> Result<Page<ParcelView>> {
    caller.require_somewhere(Right::HandleParcels)?;
    if query.older_than_days.is_some_and(|days| !DAYS.contains(&days)) {
        let reason = format!("must be a number from {} to {}", DAYS.start(), DAYS.end());
        return Err(UseCaseError::field("older_than_days", reason));
    }
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = match query.unit_code.as_deref() {
                Some(code) => record::unit_by_code(&network, "unit_code", code)?,
                None => caller.working_unit()?,
            };
            caller.require(Right::HandleParcels, unit, &network)?;
            let days = query.older_than_days.map(|days| TimeDelta::days(i64::from(days)));
            let filter = ParcelFilter {
                unit,
                direction: read(
                    query.direction.as_deref(),
                    Direction::from_code,
                    "direction",
                    "must be out or back",
                )?,
                state: read(
                    query.state.as_deref(),
                    ParcelState::from_code,
                    "state",
                    "is no state of a parcel",
                )?,
                silent_since: days.map(|days| tx.now() - days),
                alarmed: query.alarmed,
            };
            let page = query.page;
            let rows = page.cut(tx.open_parcels(&filter, page.after_id(), page.fetch())?, |row| row.id);
            let mut items = Vec::with_capacity(rows.items.len());
            for row in rows.items {
                items.push(parcel_view(tx, row, &network)?);
            }
            Ok(Page { items, next: rows.next })
        })
        .await
}

fn read<T>(
    word: Option<&str>,
    from_code: fn(&str) -> Option<T>,
    field: &'static str,
    wrong: &'static str,
) -> Result<Option<T>> {
    word.map(|word| from_code(word).ok_or_else(|| UseCaseError::field(field, wrong)))
        .transpose()
}
