//! One unit, with its calendar and membership.

use std::sync::Arc;

use super::unit_view::UnitDetail;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::store::Store;

/// Finds a unit by its code.
///
/// # Errors
/// `NotFound`; a failure of the store.
pub async fn get_unit(store: &Arc<Store>, caller: &Caller, code: &str) -> Result<UnitDetail> {
    caller.require_somewhere(Right::ReadUnits)?;
    let network = store.read(|tx| tx.network().map_err(UseCaseError::from)).await?;
    let unit = network.units().by_code(code).ok_or(UseCaseError::NotFound("unit"))?;
    Ok(UnitDetail::of(unit, &network))
}
