//! What gates alarmed, and what they let pass with a doubt: a book, a time and a reason, never a person.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, PageRequest};
use super::view::unit_code;
use super::{Caller, Result, UseCaseError, record};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::gates::GateCheckRow;
use crate::store::idempotency::Outcome;

/// Which.
#[derive(Debug, Clone)]
pub struct ListGateAlarms {
    /// Gates at or below this unit; the caller's own by default.
    pub unit_code: Option<String>,
    /// Those that are settled, instead of those that are not.
    pub settled: bool,
    pub page: PageRequest,
}

/// A line of the log of gates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GateAlarmView {
    /// Number of the line.
    #[schema(example = 1043)]
    pub id: i64,
    /// The gate's own number of the passage.
    #[schema(example = "g1-000017")]
    pub check_id: String,
    /// The gate.
    #[schema(example = "C1-GATE-1")]
    pub device_code: String,
    /// Where it stood then.
    #[schema(example = "C1")]
    pub unit_code: String,
    /// When the book passed (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub at: DateTime<Utc>,
    /// `alarm`, or `allow` with a doubt.
    #[schema(example = "alarm")]
    pub decision: String,
    /// Why; of what a gate decided alone: what the records said when it told of it. The list is in docs/DEVICES.md.
    #[schema(example = "not_lent")]
    pub reason: String,
    /// `asked`: the server decided; `locally`: the gate did, because nobody answered.
    #[schema(example = "asked")]
    pub decided: String,
    /// What was read, if it was a tag.
    #[schema(example = "E0040150000004A1")]
    pub tag: Option<String>,
    /// The item, when it means exactly one.
    #[schema(example = 1043)]
    pub item_id: Option<i64>,
    /// Its barcode now.
    #[schema(example = "0100001234567")]
    pub item_barcode: Option<String>,
    /// What staff said became of it: `stopped`, `mistaken`, `let_go` or `nobody_seen`.
    #[schema(example = "stopped")]
    pub outcome: Option<String>,
    /// When they said so (UTC).
    #[schema(example = "2026-03-04T04:05:00Z")]
    pub settled_at: Option<DateTime<Utc>>,
    pub note: Option<String>,
}

impl Outcome for GateAlarmView {}

/// Lists alarms of gates, the newest first.
///
/// # Errors
/// `Forbidden` outside the caller's subtree; `Invalid` naming a unit that does not exist; a failure of the store.
pub async fn list_gate_alarms(
    store: &Arc<Store>,
    caller: &Caller,
    query: ListGateAlarms,
) -> Result<Page<GateAlarmView>> {
    caller.require_somewhere(Right::SettleMachines)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = match &query.unit_code {
                Some(code) => record::unit_by_code(&network, "unit_code", code)?,
                None => caller.working_unit()?,
            };
            caller.require(Right::SettleMachines, unit, &network)?;
            let units: Vec<i64> = network.units().subtree(unit).map(|unit| unit.id.get()).collect();
            let page = query.page;
            let rows = tx.gate_checks(&units, query.settled, page.before_id(), page.fetch())?;
            Ok::<_, UseCaseError>(page.cut(rows, |row| row.id).map(|row| view(row, &network)))
        })
        .await
}

pub(super) fn view(row: GateCheckRow, network: &Network) -> GateAlarmView {
    GateAlarmView {
        id: row.id,
        check_id: row.check_id,
        device_code: row.device_code,
        unit_code: unit_code(network, row.unit_id),
        at: from_millis(row.at),
        decision: row.decision,
        reason: row.reason,
        decided: row.decided,
        tag: row.tag,
        item_id: row.item_id,
        item_barcode: row.item_barcode,
        outcome: row.outcome,
        settled_at: row.settled_at.map(from_millis),
        note: row.note,
    }
}
