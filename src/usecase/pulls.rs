//! What a unit is to fetch from its shelves, and its refusal to.
//! Not for: a copy that was found: scanning it captures it (see `check_in`).

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::once::once;
use super::page::{Page, PageRequest};
use super::record::{self, Consent, IDS_PER_VERB, Ledger};
use super::target_holds::{PULLS_PER_VERB, serve_bib};
use super::view::unit_code;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, ItemId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::network::Network;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::pulls::PullView as PullRow;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// A copy to be fetched from the shelf for a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PullView {
    pub id: i64,
    pub item_id: i64,
    pub item_barcode: String,
    pub bib_id: i64,
    pub title: String,
    pub volume: Option<String>,
    pub call_number: Option<String>,
    pub shelf_location: Option<String>,
    /// The compartment of the unit's machine in which it lies.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = 7)]
    pub compartment: Option<i32>,
    /// Where it stands and is to be fetched.
    pub unit_code: String,
    /// Where its reader picks it up.
    pub pickup_unit_code: String,
    pub hold_id: i64,
    /// When the unit was asked for it.
    pub asked_at: DateTime<Utc>,
    /// The last day on which the unit may answer, in the network's zone; then another unit is asked.
    pub answer_by: NaiveDate,
    /// `open`, `found`, `refused`, `timed_out` or `withdrawn`.
    pub status: String,
}

impl PullView {
    fn of(row: PullRow, network: &Network) -> Self {
        Self {
            id: row.id,
            item_id: row.item_id,
            item_barcode: row.barcode,
            bib_id: row.bib_id,
            title: row.title,
            volume: row.volume,
            call_number: row.call_number,
            shelf_location: row.shelf_location,
            compartment: row.compartment,
            unit_code: unit_code(network, row.unit_id),
            pickup_unit_code: unit_code(network, row.pickup_unit_id),
            hold_id: row.hold_id,
            asked_at: from_millis(row.asked_at),
            answer_by: row.answer_by.parse().unwrap_or_default(),
            status: row.closed_how.unwrap_or_else(|| "open".to_owned()),
        }
    }
}

/// Why a unit does not fetch a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PullRefusal {
    /// It is not where it should be: it becomes `missing`.
    NotFound,
    /// It becomes `damaged`.
    Damaged,
    /// Somebody is reading it here.
    InUse,
    /// The unit cannot send anything now.
    CannotSend,
    Other,
}

impl PullRefusal {
    const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Damaged => "damaged",
            Self::InUse => "in_use",
            Self::CannotSend => "cannot_send",
            Self::Other => "other",
        }
    }

    /// What the copy is from now on.
    const fn makes(self) -> Option<ItemStatus> {
        match self {
            Self::NotFound => Some(ItemStatus::Missing),
            Self::Damaged => Some(ItemStatus::Damaged),
            Self::InUse | Self::CannotSend | Self::Other => None,
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RefusePull {
    pub pull: i64,
    pub reason: PullRefusal,
    pub note: Option<String>,
}

/// Lists what a unit is to fetch, the oldest first.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; a failure of the store.
pub async fn list_pulls(
    store: &Arc<Store>,
    caller: &Caller,
    code: String,
    page: PageRequest,
) -> Result<Page<PullView>> {
    caller.require_somewhere(Right::ManageHolds)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let unit = network.units().by_code(&code).ok_or(UseCaseError::NotFound("unit"))?;
            caller.require(Right::ManageHolds, unit.id, &network)?;
            let rows = tx.pulls_of_unit(unit.id, page.after_id(), page.fetch())?;
            Ok(page.cut(rows, |row| row.id).map(|row| PullView::of(row, &network)))
        })
        .await
}

/// Says that a unit does not fetch a copy; the next unit is asked at once.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; `State` when it has ended; a failure of the store.
pub async fn refuse_pull(
    store: &Arc<Store>,
    caller: &Caller,
    command: RefusePull,
    key: Option<IdempotencyKey>,
) -> Result<Once<PullView>> {
    caller.require_somewhere(Right::ManageHolds)?;
    once(store, caller, key, IDS_PER_VERB + PULLS_PER_VERB, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &RefusePull, mut ids: IdRun) -> Result<PullView> {
    let network = tx.network()?;
    let row = tx.pull(command.pull)?.ok_or(UseCaseError::NotFound("pull"))?;
    let (unit, bib) = (UnitId::new(row.unit_id), BibId::new(row.bib_id));
    caller.require(Right::ManageHolds, unit, &network)?;
    let candidate = Candidate::known(ItemId::new(row.item_id), bib);
    let item = tx
        .lock_item(candidate, &network)?
        .ok_or(UseCaseError::NotFound("item"))?;
    if !tx.is_live_pull(command.pull)? {
        let ended = "the pull has ended: the copy was found, lent or is not needed any more";
        return Err(UseCaseError::State(ended.to_owned()));
    }
    let now = record::now_for(tx, &item.facts);
    tx.refuse_pull(command.pull, command.reason.code(), command.note.as_deref(), now)?;
    let act = record::act_of(caller, unit, &network, &Consent::default(), None);
    let mut ledger = Ledger {
        tx,
        caller,
        act: &act,
        item: &item.facts,
        now,
        ids: &mut ids,
    };
    let detail = json!({"pull_id": command.pull, "hold_id": row.hold_id, "reason": command.reason});
    let event = ledger.event(EventKind::PullRefused).detail(detail);
    let event = event.personal(json!({"note": command.note}));
    ledger.append_event(&event)?;
    if let Some(status) = command.reason.makes() {
        ledger.place(status, unit)?;
    }
    serve_bib(tx, &network, bib, &mut ids)?;
    let row = tx.pull(command.pull)?.ok_or(UseCaseError::NotFound("pull"))?;
    Ok(PullView::of(row, &network))
}

impl Outcome for PullView {}
