//! One parcel with its address and what the carrier reported: for the unit that handles it, and for its reader.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::delivery_view::{AddressView, ParcelView, parcel_view};
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::store::Store;

/// A parcel, where it goes, and what was reported of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ParcelDetail {
    /// As it is now.
    pub parcel: ParcelView,
    /// Absent once it was erased, and for a parcel that nobody fetches.
    pub address: Option<AddressView>,
    /// In the order in which it happened.
    pub reports: Vec<ReportView>,
}

/// What the carrier reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReportView {
    /// What happened.
    #[schema(example = "picked_up")]
    pub step: String,
    /// When it happened, as the carrier says (UTC).
    #[schema(example = "2026-03-04T06:00:00Z")]
    pub occurred_at: DateTime<Utc>,
    /// False: it could not follow what was known, and changed nothing.
    #[schema(example = true)]
    pub applied: bool,
}

/// Shows a parcel.
///
/// # Errors
/// `NotFound`, also for another reader's parcel; `Forbidden`; a failure of the store.
pub async fn get_parcel(store: &Arc<Store>, caller: &Caller, id: i64) -> Result<ParcelDetail> {
    if caller.reader().is_none() {
        caller.require_somewhere(Right::HandleParcels)?;
    }
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let parcel = tx.parcel(id)?.ok_or(UseCaseError::NotFound("parcel"))?;
            match caller.reader() {
                Some(own) if parcel.reader != Some(own.get()) => return Err(UseCaseError::NotFound("parcel")),
                Some(_) => {}
                None => caller.require(Right::HandleParcels, parcel.unit, &network)?,
            }
            let address = tx.delivery_address(parcel.request)?.map(AddressView::from);
            let reports = tx.parcel_reports(id)?.into_iter().map(|report| ReportView {
                step: report.step,
                occurred_at: from_millis(report.occurred_at),
                applied: report.applied,
            });
            Ok(ParcelDetail {
                address,
                reports: reports.collect(),
                parcel: parcel_view(tx, parcel, &network)?,
            })
        })
        .await
}
