//! What journals say and is not believed, and what they never said.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, PageRequest};
use super::view::unit_code;
use super::{Caller, Result, Store, UseCaseError, record};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::ids::DeviceId;
use crate::domain::journal::{Quarantine, Settlement};
use crate::domain::network::Network;
use crate::store::idempotency::Outcome;
use crate::store::journal::RELEASED;
use crate::store::journal::quarantine::QuarantineRow;
use crate::store::tx::ReadTx;

/// What a person may answer.
const ANSWERS: [Settlement; 3] = [Settlement::Released, Settlement::Discarded, Settlement::Noted];

/// Which.
#[derive(Debug, Clone)]
pub struct ListQuarantine {
    /// Of devices at or below this unit; the caller's own by default.
    pub unit_code: Option<String>,
    /// Those that are settled, instead of those that are not.
    pub settled: bool,
    pub page: PageRequest,
}

/// A line of the quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuarantineView {
    /// Number of the line.
    #[schema(example = 1043)]
    pub id: i64,
    /// Whose journal.
    #[schema(example = "JC-L1")]
    pub device_code: String,
    /// Where that device stands.
    #[schema(example = "B1")]
    pub unit_code: String,
    /// Which of its journals.
    #[schema(example = 1)]
    pub journal: i64,
    /// Which entry; of a gap the first that is missing.
    #[schema(example = 4711)]
    pub sequence: i64,
    /// The same; of a gap the last that is missing.
    #[schema(example = 4711)]
    pub to_sequence: i64,
    /// Why. The list is in docs/OFFLINE.md.
    #[schema(example = "clock_wrong")]
    pub reason: String,
    /// The key it names.
    #[schema(example = "_oEsEvOr")]
    pub key_id: Option<String>,
    /// As it was sent, until it is settled, or for 180 days.
    #[schema(
        example = "{\"kind\":\"check_in\",\"at\":\"2026-03-04T04:00:00Z\",\"item\":{\"tag\":\"E0040150000004A1\"}}"
    )]
    pub body: Option<String>,
    /// When it happened, by the device's clock.
    #[schema(example = "2026-03-04T05:00:00Z")]
    pub claimed_at: Option<DateTime<Utc>>,
    /// The same by ours, as far as is known (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub shifted_at: Option<DateTime<Utc>>,
    /// When it came, or was given up (UTC).
    #[schema(example = "2026-03-04T06:00:00Z")]
    pub received_at: DateTime<Utc>,
    /// What may be answered: `released`, `discarded`, `noted`.
    #[schema(example = json!(["released", "discarded"]))]
    pub answers: Vec<String>,
    /// What was answered; `came` of a gap whose numbers came after all, and of what was stored once its key was given.
    #[schema(example = "released")]
    pub settlement: Option<String>,
    /// When (UTC).
    #[schema(example = "2026-03-04T08:00:00Z")]
    pub settled_at: Option<DateTime<Utc>>,
    /// Why.
    #[schema(example = "时钟电池已更换")]
    pub note: Option<String>,
    /// Of what was released: what it was judged to be.
    #[schema(example = "accepted")]
    pub verdict: Option<String>,
}

impl Outcome for QuarantineView {}

/// Lists the quarantine, the newest first.
///
/// # Errors
/// `Forbidden` outside the caller's subtree; `Invalid` naming a unit that does not exist; a failure of the store.
pub async fn list_quarantine(
    store: &Arc<Store>,
    caller: &Caller,
    query: ListQuarantine,
) -> Result<Page<QuarantineView>> {
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
            let rows = tx.quarantine_lines(&units, None, query.settled, page.before_id(), page.fetch())?;
            let rows = page.cut(rows, |row| row.id);
            let mut items = Vec::with_capacity(rows.items.len());
            for row in rows.items {
                items.push(view(tx, row, &network)?);
            }
            Ok::<_, UseCaseError>(Page { items, next: rows.next })
        })
        .await
}

pub(super) fn view(tx: &mut ReadTx<'_>, row: QuarantineRow, network: &Network) -> Result<QuarantineView> {
    let device = DeviceId::new(row.device_id);
    let known = tx.device(device)?.ok_or(UseCaseError::NotFound("device"))?;
    let released = row.settled_how.as_deref() == Some(Settlement::Released.code());
    let verdict = if released {
        tx.journal_entries(device, RELEASED, &[row.id])?
            .pop()
            .map(|entry| entry.verdict)
    } else {
        None
    };
    let reason = Quarantine::from_code(&row.reason);
    let open = row.settled_at.is_none();
    let fits = |one: &&Settlement| open && reason.is_some_and(|reason| reason.may(**one));
    Ok(QuarantineView {
        id: row.id,
        device_code: known.code,
        unit_code: unit_code(network, known.unit.get()),
        journal: row.journal,
        sequence: row.sequence,
        to_sequence: row.to_sequence,
        key_id: row.key_id,
        body: row.body,
        claimed_at: row.claimed_at.map(from_millis),
        shifted_at: row.shifted_at.map(from_millis),
        received_at: from_millis(row.received_at),
        answers: ANSWERS.iter().filter(fits).map(|one| one.code().to_owned()).collect(),
        reason: row.reason,
        settlement: row.settled_how,
        settled_at: row.settled_at.map(from_millis),
        note: row.note,
        verdict,
    })
}
