//! What acts without the network say against the records: both sides, and what may be answered.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, PageRequest};
use super::view::unit_code;
use super::{Caller, Result, Store, UseCaseError, record};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::ids::LoanId;
use crate::domain::journal_conflict::{ConflictReason, Resolution, settles};
use crate::domain::network::Network;
use crate::store::journal::conflicts::ConflictSeen;
use crate::store::tx::ReadTx;

/// Which.
#[derive(Debug, Clone)]
pub struct ListConflicts {
    /// Of machines at or below this unit; the caller's own by default.
    pub unit_code: Option<String>,
    /// Those that are resolved, instead of those that are not.
    pub resolved: bool,
    pub page: PageRequest,
}

/// A contradiction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConflictView {
    /// Number of the line.
    #[schema(example = 1043)]
    pub id: i64,
    /// Which machine told of it.
    #[schema(example = "JC-L1")]
    pub device_code: String,
    /// Where that stands.
    #[schema(example = "B1")]
    pub unit_code: String,
    /// Why it cannot be recorded. The list is in docs/OFFLINE.md.
    #[schema(example = "on_loan_to_other")]
    pub reason: String,
    /// When it happened (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub happened_at: DateTime<Utc>,
    /// When it was found (UTC).
    #[schema(example = "2026-03-04T06:00:00Z")]
    pub raised_at: DateTime<Utc>,
    /// The act as the machine told it, until it is resolved, for 180 days at most; `***` stands for the card of a reader who is known.
    #[schema(value_type = Option<Object>, example = json!({"kind": "check_out", "item": {"tag": "E0040150000004A1"}}))]
    pub act: Option<serde_json::Value>,
    /// The item, where exactly one is meant.
    #[schema(example = 1043)]
    pub item_id: Option<i64>,
    /// Its barcode now.
    #[schema(example = "0100001234567")]
    pub item_barcode: Option<String>,
    /// Who acted, where that is known.
    #[schema(example = 1042)]
    pub reader_id: Option<i64>,
    /// What stands in its way.
    pub loan: Option<ConflictLoan>,
    /// What may be answered.
    #[schema(example = json!(["act_stands", "record_stands", "item_here"]))]
    pub answers: Vec<String>,
    /// What was answered.
    #[schema(example = "record_stands")]
    pub resolution: Option<String>,
    /// When (UTC).
    #[schema(example = "2026-03-04T08:00:00Z")]
    pub resolved_at: Option<DateTime<Utc>>,
    /// Why.
    #[schema(example = "读者已确认")]
    pub note: Option<String>,
}

/// The loan in the way of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConflictLoan {
    /// Number of the loan.
    #[schema(example = 1043)]
    pub id: i64,
    /// Who has it; absent once that is unlinked.
    #[schema(example = 1044)]
    pub reader_id: Option<i64>,
    /// Since when (UTC).
    #[schema(example = "2026-03-01T04:00:00Z")]
    pub loaned_at: DateTime<Utc>,
    /// When it ended, if it has (UTC).
    #[schema(example = "2026-03-04T09:00:00Z")]
    pub closed_at: Option<DateTime<Utc>>,
}

/// Lists contradictions, the newest first.
///
/// # Errors
/// `Forbidden` outside the caller's subtree; `Invalid` naming a unit that does not exist; a failure of the store.
pub async fn list_conflicts(store: &Arc<Store>, caller: &Caller, query: ListConflicts) -> Result<Page<ConflictView>> {
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
            let rows = tx.conflicts(&units, query.resolved, page.before_id(), page.fetch())?;
            let rows = page.cut(rows, |(row, ..)| row.id);
            let mut items = Vec::with_capacity(rows.items.len());
            for row in rows.items {
                items.push(view(tx, row, &network)?);
            }
            Ok::<_, UseCaseError>(Page { items, next: rows.next })
        })
        .await
}

pub(super) fn view(tx: &mut ReadTx<'_>, seen: ConflictSeen, network: &Network) -> Result<ConflictView> {
    let (row, device_code, item_barcode) = seen;
    let loan = match row.loan_id {
        Some(loan) => tx.loan_view(LoanId::new(loan))?,
        None => None,
    };
    let reason = ConflictReason::from_code(&row.reason);
    let fits = |one: &&Resolution| row.resolution.is_none() && reason.is_some_and(|reason| settles(reason, **one));
    Ok(ConflictView {
        id: row.id,
        device_code,
        unit_code: unit_code(network, row.unit_id),
        happened_at: from_millis(row.happened_at),
        raised_at: from_millis(row.raised_at),
        act: row.body.as_deref().and_then(|body| serde_json::from_str(body).ok()),
        item_id: row.item_id,
        item_barcode,
        reader_id: row.reader_id,
        loan: loan.map(|loan| ConflictLoan {
            id: loan.id,
            reader_id: loan.reader_id,
            loaned_at: from_millis(loan.loaned_at),
            closed_at: loan.closed_at.map(from_millis),
        }),
        answers: Resolution::ALL
            .iter()
            .filter(fits)
            .map(|one| one.code().to_owned())
            .collect(),
        reason: row.reason,
        resolution: row.resolution,
        resolved_at: row.resolved_at.map(from_millis),
        note: row.note,
    })
}
