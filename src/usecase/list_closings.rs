//! Emergency closings, and how far the moving of what was due then is.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::due_moves::DueMoves;
use super::page::{Page, PageRequest};
use super::view::unit_code;
use super::{Caller, Result, UseCaseError, record};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::calendar_changes::ChangeRow;

/// Which closings; without a unit those of every unit in the caller's subtree.
#[derive(Debug, Clone)]
pub struct ListClosings {
    /// Of this unit, the units above it and those below it.
    pub unit_code: Option<String>,
    pub page: PageRequest,
}

/// An emergency closing of a unit and everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClosingView {
    pub id: i64,
    #[schema(example = "M01")]
    pub unit_code: String,
    /// The first closed day.
    pub first: NaiveDate,
    /// The last closed day, as it was declared.
    pub last: NaiveDate,
    #[schema(example = "台风")]
    pub reason: String,
    /// When it was declared (UTC).
    pub made_at: DateTime<Utc>,
    /// When it was undone (UTC): from that day on the unit is open again.
    #[schema(example = "2026-03-05T01:00:00Z")]
    pub undone_at: Option<DateTime<Utc>>,
    /// How far the moving is, or the putting back.
    pub moves: DueMoves,
    /// What the undoing has put back so far, loans and holds.
    #[schema(example = 0)]
    pub put_back: i64,
    /// When moving or putting back ended (UTC).
    #[schema(example = "2026-03-04T04:00:09Z")]
    pub finished_at: Option<DateTime<Utc>>,
}

impl ClosingView {
    pub(super) fn of(row: &ChangeRow, network: &Network) -> Result<Self> {
        let day = |text: &Option<String>| {
            let day = text.as_deref().and_then(|text| text.parse().ok());
            day.ok_or_else(|| UseCaseError::Internal(format!("closing {} has no days", row.id)))
        };
        Ok(Self {
            id: row.id,
            unit_code: unit_code(network, row.unit_id),
            first: day(&row.first_day)?,
            last: day(&row.last_day)?,
            reason: row.reason.clone().unwrap_or_default(),
            made_at: from_millis(row.made_at),
            undone_at: row.undone_at.map(from_millis),
            moves: DueMoves::of(row),
            put_back: row.put_back,
            finished_at: row.finished_at.map(from_millis),
        })
    }
}

/// Lists emergency closings, the newest first.
///
/// # Errors
/// `Forbidden` outside the caller's subtree; `Invalid` naming a unit that does not exist; a failure of the store.
pub async fn list_closings(store: &Arc<Store>, caller: &Caller, query: ListClosings) -> Result<Page<ClosingView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let units = units(&caller, &query, &network)?;
            let rows = tx.closings(units.as_deref(), query.page.before_id(), query.page.fetch())?;
            let page = query.page.cut(rows, |row| row.id);
            let views = page.items.iter().map(|row| ClosingView::of(row, &network));
            Ok(Page {
                items: views.collect::<Result<Vec<_>>>()?,
                next: page.next,
            })
        })
        .await
}

/// `None`: all there are.
fn units(caller: &Caller, query: &ListClosings, network: &Network) -> Result<Option<Vec<UnitId>>> {
    let tree = network.units();
    let may = |unit: UnitId| caller.may(Right::ManageUnits, unit, network);
    let Some(code) = &query.unit_code else {
        if tree.root().is_some_and(|root| may(root.id)) {
            return Ok(None);
        }
        return Ok(Some(
            tree.iter().map(|unit| unit.id).filter(|unit| may(*unit)).collect(),
        ));
    };
    let unit = record::unit_by_code(network, "unit_code", code)?;
    caller.require(Right::ManageUnits, unit, network)?;
    let below = tree.subtree(unit).map(|unit| unit.id);
    Ok(Some(below.chain(tree.ancestors(unit).iter().copied()).collect()))
}
