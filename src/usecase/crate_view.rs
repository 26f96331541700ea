//! A crate as people see it, and what the verbs on one crate share: locking it, stepping on in its life, telling of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::view::unit_code;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::event::EventKind;
use crate::domain::ids::{CrateId, UnitId};
use crate::domain::network::Network;
use crate::domain::transit::{CrateAct, CrateStatus};
use crate::store::crates::{CrateChange, CrateItem, CrateRow};
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};

/// A box on its way between two units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CrateView {
    pub id: i64,
    /// What its barcode says: `X`, ten digits, two check digits.
    #[schema(example = "X000000104276")]
    pub label: String,
    pub from_unit_code: String,
    pub to_unit_code: String,
    /// Where it stands, or was loaded or handed over last.
    #[schema(example = "M1")]
    pub at_unit_code: String,
    /// `open`, `closed`, `sent`, `delivered`, `received` or `cancelled`.
    pub status: String,
    /// How many items lie in it now.
    #[schema(example = 12)]
    pub items: u32,
    /// How many items it left with.
    #[schema(example = 12)]
    pub items_sent: i32,
    /// The route that carries it, or carried it last.
    #[schema(example = "R1")]
    pub route_code: Option<String>,
    /// Where its courier hands it over: its destination, or where routes meet.
    #[schema(example = "C1")]
    pub leg_to_unit_code: Option<String>,
    /// Number of the member of staff who carries it, or carried it last.
    pub courier_staff_id: Option<i64>,
    /// Number of the member of staff who took it from the courier.
    pub signed_by_staff_id: Option<i64>,
    pub opened_at: DateTime<Utc>,
    /// When it left (UTC).
    pub sent_at: Option<DateTime<Utc>>,
    /// When it was handed over (UTC).
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it was unpacked or given up (UTC).
    pub ended_at: Option<DateTime<Utc>>,
}

/// One item that lies, or lay, in a crate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CrateItemView {
    pub transit_id: i64,
    pub item_id: i64,
    pub item_barcode: String,
    pub title: String,
    /// Why it travels.
    #[schema(example = "return_home")]
    pub reason: String,
    /// Of its journey: `packed`, `sent`, `received`, `missing` or `cancelled`.
    pub status: String,
}

/// A crate and what lies in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CrateDetail {
    #[serde(flatten)]
    pub view: CrateView,
    /// In the order it was packed.
    pub contents: Vec<CrateItemView>,
}

impl CrateItemView {
    /// Of a row of the store.
    pub fn of(row: CrateItem) -> Self {
        Self {
            transit_id: row.transit_id,
            item_id: row.item_id,
            item_barcode: row.barcode,
            title: row.title,
            reason: row.reason,
            status: row.status,
        }
    }
}

impl CrateView {
    /// Of a row of the store.
    ///
    /// # Errors
    /// A failure of the store.
    pub fn of(tx: &mut ReadTx<'_>, row: CrateRow, network: &Network) -> Result<Self> {
        let route_code = match row.route_id {
            Some(route) => tx.route_code(route)?,
            None => None,
        };
        let code = |id: i64| unit_code(network, id);
        Ok(Self {
            id: row.id,
            items: tx.crate_count(CrateId::new(row.id))?,
            label: row.label,
            from_unit_code: code(row.from_unit_id),
            to_unit_code: code(row.to_unit_id),
            at_unit_code: code(row.at_unit_id),
            status: row.status,
            items_sent: row.items_sent,
            route_code,
            leg_to_unit_code: row.leg_to_unit_id.map(code),
            courier_staff_id: row.courier_staff_id,
            signed_by_staff_id: row.signed_by_staff_id,
            opened_at: from_millis(row.opened_at),
            sent_at: row.sent_at.map(from_millis),
            delivered_at: row.delivered_at.map(from_millis),
            ended_at: row.ended_at.map(from_millis),
        })
    }
}

/// The crate as it is now.
pub(super) fn shown(tx: &mut ReadTx<'_>, id: CrateId, network: &Network) -> Result<CrateView> {
    let row = tx.crate_row(id)?.ok_or(UseCaseError::NotFound("crate"))?;
    CrateView::of(tx, row, network)
}

/// The right first, where the crate stands; then its lock.
pub(super) fn locked(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    right: Right,
    id: CrateId,
    network: &Network,
) -> Result<CrateRow> {
    let row = tx.lock_crate(id)?.ok_or(UseCaseError::NotFound("crate"))?;
    caller.require(right, UnitId::new(row.at_unit_id), network)?;
    Ok(row)
}

/// The state after an act.
pub(super) fn step(row: &CrateRow, act: CrateAct) -> Result<CrateStatus> {
    let state = row.state()?;
    state
        .after(act)
        .map_err(|error| UseCaseError::State(format!("{error} (crate {})", row.label)))
}

/// Writes a change and the event that tells of it, at a unit.
pub(super) fn change(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    id: CrateId,
    change: &CrateChange,
    (kind, at, unit, detail): (EventKind, DateTime<Utc>, UnitId, Value),
    ids: &mut IdRun,
) -> Result<()> {
    tx.change_crate(id, change)?;
    let event = Event::new(kind, at, unit, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(detail);
    Ok(tx.append_event(ids.next(), &event)?)
}

impl Outcome for CrateView {}
