//! Deposits as the API shows them.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::unit_code;
use crate::domain::deposit::CopyState;
use crate::domain::ids::UnitId;
use crate::domain::item::ItemStatus;
use crate::domain::network::Network;
use crate::store::deposit_rows::CopyRow;
use crate::store::deposits::Deposit;

/// A batch of copies that stands at another unit for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DepositView {
    pub id: i64,
    /// The home of its copies, where they go back to.
    #[schema(example = "M1")]
    pub from_unit_code: String,
    /// Where they stand for the time being.
    #[schema(example = "B01")]
    pub to_unit_code: String,
    /// The day on which it is pulled back, in the network's zone.
    #[schema(example = "2026-09-30")]
    pub until: NaiveDate,
    #[schema(example = "2026 年第二季度轮换")]
    pub reason: String,
    /// `open`, `recalled` (its copies are on their way home, or go home with their next return) or `ended`.
    #[schema(example = "open")]
    pub status: String,
    /// Grows with every change; as the `ETag`.
    #[schema(example = 1)]
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub recalled_at: Option<DateTime<Utc>>,
    /// Why it was called back before its day; absent where the day came.
    #[schema(example = "展览提前结束")]
    pub recall_reason: Option<String>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl DepositView {
    /// A stored deposit, with the codes of its network.
    pub fn of(row: Deposit, network: &Network) -> Self {
        Self {
            id: row.id.get(),
            from_unit_code: unit_code(network, row.from.get()),
            to_unit_code: unit_code(network, row.to.get()),
            until: row.until,
            reason: row.reason,
            status: row.status.code().to_owned(),
            version: row.version,
            created_at: row.created_at,
            recalled_at: row.recalled_at,
            recall_reason: row.recall_reason,
            ended_at: row.ended_at,
        }
    }
}

/// A deposit, and how many of its copies are where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DepositDetail {
    #[serde(flatten)]
    pub deposit: DepositView,
    /// Copies by whereabouts; see listDepositCopies for the words.
    #[schema(example = json!({"there": 180, "on_loan": 17, "refused": 3}))]
    pub copies: BTreeMap<String, u32>,
}

/// One copy of a deposit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DepositCopyView {
    /// From 1, as the copies were asked for.
    #[schema(example = 1)]
    pub row: i32,
    pub item_barcode: String,
    /// Absent where no copy was found.
    pub item_id: Option<i64>,
    pub title: Option<String>,
    pub call_number: Option<String>,
    pub shelf_location: Option<String>,
    /// `there` (on the shelf of the deposit's unit), `elsewhere` (on another shelf), `to_pack` (waits for its crate), `on_its_way`,
    /// `on_loan`, `on_hold_shelf`, `missing`, `set_aside` (damaged, in processing, needs attention), `pending` (not dealt with yet);
    /// and at the end `returned`, `lost`, `withdrawn`, or `refused` (was not taken; see `why`).
    #[schema(example = "there")]
    pub whereabouts: String,
    /// Of a refused one: `unknown_item`, `home_elsewhere`, `owner_elsewhere`, `ambiguous_barcode`, `in_a_deposit`, `deposit_recalled`,
    /// or what state it was in: `item_damaged`, `item_missing` and so on.
    #[schema(example = "item_damaged")]
    pub why: Option<String>,
    /// Where it is now, or was last seen.
    pub current_unit_code: Option<String>,
    /// Its open journey, and where that leads.
    pub transit_id: Option<i64>,
    pub transit_to_unit_code: Option<String>,
}

impl DepositCopyView {
    /// A stored row, with the codes of its network.
    pub fn of(row: CopyRow, to: UnitId, network: &Network) -> Self {
        let code = |unit: Option<i64>| unit.map(|unit| unit_code(network, unit));
        Self {
            whereabouts: whereabouts(&row, to).to_owned(),
            row: row.row_number,
            item_barcode: row.barcode,
            item_id: row.item_id,
            title: row.title,
            call_number: row.call_number,
            shelf_location: row.shelf_location,
            why: row.why,
            current_unit_code: code(row.current_unit_id),
            transit_id: row.transit_id,
            transit_to_unit_code: code(row.transit_to_unit_id),
        }
    }
}

/// Every word, for the filter.
pub const WHEREABOUTS: [&str; 13] = [
    "there",
    "elsewhere",
    "to_pack",
    "on_its_way",
    "on_loan",
    "on_hold_shelf",
    "missing",
    "set_aside",
    "pending",
    "returned",
    "lost",
    "withdrawn",
    "refused",
];

/// Where a copy is, in one word.
pub fn whereabouts(row: &CopyRow, to: UnitId) -> &'static str {
    match CopyState::from_code(&row.state) {
        Some(CopyState::Out | CopyState::Recalled) => {}
        Some(state) => return state.code(),
        None => return CopyState::Pending.code(),
    }
    match row.status.as_deref().and_then(ItemStatus::from_code) {
        Some(ItemStatus::OnShelf) if row.current_unit_id == Some(to.get()) => "there",
        Some(ItemStatus::OnShelf) => "elsewhere",
        Some(ItemStatus::AwaitingDispatch) => "to_pack",
        Some(ItemStatus::InTransit) => "on_its_way",
        Some(ItemStatus::OnLoan | ItemStatus::ClaimedReturned) => "on_loan",
        Some(ItemStatus::OnHoldShelf) => "on_hold_shelf",
        Some(ItemStatus::Missing | ItemStatus::Lost | ItemStatus::Withdrawn) | None => "missing",
        Some(ItemStatus::Damaged | ItemStatus::InProcessing | ItemStatus::NeedsAttention) => "set_aside",
    }
}
