//! The units of the network, page by page.

use std::sync::Arc;

use super::page::{Page, PageRequest};
use super::unit_view::UnitView;
use super::{Caller, Result, UseCaseError, record};
use crate::auth::Right;
use crate::domain::unit::{Unit, UnitKind};
use crate::store::Store;

/// Which units.
#[derive(Debug, Clone)]
pub struct ListUnits {
    /// Those directly below this one.
    pub parent_code: Option<String>,
    pub kind: Option<String>,
    pub page: PageRequest,
}

/// Lists units in the order of their ids.
///
/// # Errors
/// `Invalid` naming a filter that names nothing; a failure of the store.
pub async fn list_units(store: &Arc<Store>, caller: &Caller, query: ListUnits) -> Result<Page<UnitView>> {
    caller.require_somewhere(Right::ReadUnits)?;
    let network = store.read(|tx| tx.network().map_err(UseCaseError::from)).await?;
    let parent = query
        .parent_code
        .as_deref()
        .map(|code| record::unit_by_code(&network, "parent", code))
        .transpose()?;
    let kind = query.kind.as_deref().map(kind_of).transpose()?;
    let wanted = |unit: &&Unit| {
        unit.id.get() > query.page.after_id()
            && parent.is_none_or(|parent| unit.parent == Some(parent))
            && kind.is_none_or(|kind| unit.kind == kind)
    };
    let mut units: Vec<&Unit> = network.units().iter().filter(wanted).collect();
    units.sort_by_key(|unit| unit.id);
    let page = query.page.cut(units, |unit| unit.id.get());
    Ok(page.map(|unit| UnitView::of(unit, &network)))
}

fn kind_of(code: &str) -> Result<UnitKind> {
    UnitKind::from_code(code)
        .ok_or_else(|| UseCaseError::field("kind", "must be network, central, main, branch or point"))
}
