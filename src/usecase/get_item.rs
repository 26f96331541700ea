//! One item: whose it is, where it is, in what state.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::unit_code;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::deposit::DepositStatus;
use crate::domain::ids::{CollectionId, ItemId, ItemTypeId};
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::deposits::Deposit;
use crate::store::items::ItemView as ItemRow;
use crate::store::tx::ReadTx;

/// One physical copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemView {
    pub id: i64,
    pub bib_id: i64,
    /// Unique per owner.
    pub barcode: String,
    pub rfid_tag: Option<String>,
    /// 产权馆: who owns it.
    pub owner_unit_code: String,
    /// 典藏地: where it is shelved.
    pub home_unit_code: String,
    /// 所在馆: where it is now, or was last seen.
    pub current_unit_code: String,
    /// The deposit it is in: until it is called back, that is where it is shelved.
    #[serde(default)]
    pub deposit: Option<ItemDepositView>,
    pub collection_code: Option<String>,
    pub shelf_location: Option<String>,
    #[schema(example = "I242.4/12")]
    pub call_number: Option<String>,
    /// Which volume or issue it is, as the spine says.
    #[schema(example = "第2卷")]
    pub volume: Option<String>,
    #[schema(example = "book")]
    pub item_type: String,
    /// Price in fen.
    pub price_fen: Option<i64>,
    /// `on_shelf`, `on_loan`, `awaiting_dispatch`, `in_transit`, `on_hold_shelf`, `in_processing`, `damaged`,
    /// `needs_attention`, `missing`, `lost`, `claimed_returned` or `withdrawn`.
    #[schema(example = "on_shelf")]
    pub status: String,
    /// This copy is not lent whatever the rules say.
    pub not_for_loan: bool,
    /// `normal`, `reading_room` (used in the unit only) or `restricted` (shown by staff, never handed out).
    #[serde(default)]
    #[schema(example = "normal")]
    pub lending: String,
    /// The item this one is bound into: only that one is lent.
    #[serde(default)]
    pub bound_into_item_id: Option<i64>,
    /// When something last happened to it.
    pub last_event_at: DateTime<Utc>,
}

/// The deposit of stock a copy is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemDepositView {
    /// Which deposit; `getDeposit` has the rest.
    #[schema(example = 4711)]
    pub deposit_id: i64,
    /// Where its copies stand meanwhile.
    #[schema(example = "B1")]
    pub unit_code: String,
    /// The local day on which it is pulled back.
    #[schema(example = "2026-06-01")]
    pub until: NaiveDate,
    /// It was called back: the copy is on its way home, or goes home with its next return.
    #[schema(example = false)]
    pub recalled: bool,
}

impl ItemDepositView {
    fn of(deposit: &Deposit, network: &Network) -> Self {
        Self {
            deposit_id: deposit.id.get(),
            unit_code: unit_code(network, deposit.to.get()),
            until: deposit.until,
            recalled: deposit.status == DepositStatus::Recalled,
        }
    }
}

impl ItemView {
    /// Items with the deposits they are in.
    pub(super) fn with_deposits(tx: &mut ReadTx<'_>, rows: Vec<ItemRow>, network: &Network) -> Result<Vec<Self>> {
        let deposited = rows.iter().filter(|row| row.deposit_unit_id.is_some());
        let deposited: Vec<i64> = deposited.map(|row| row.id).collect();
        let deposits = tx.deposits_of_items(&deposited)?;
        let views = rows.into_iter().map(|row| {
            let deposit = deposits.get(&row.id);
            Self {
                deposit: deposit.map(|deposit| ItemDepositView::of(deposit, network)),
                ..Self::of(row, network)
            }
        });
        Ok(views.collect())
    }

    /// An item with the deposit it is in.
    pub(super) fn now(tx: &mut ReadTx<'_>, row: ItemRow, network: &Network) -> Result<Self> {
        let found = Self::with_deposits(tx, vec![row], network)?.pop();
        found.ok_or(UseCaseError::NotFound("item"))
    }

    /// A stored item, with the codes of its network; without its deposit.
    pub fn of(row: ItemRow, network: &Network) -> Self {
        let collection = row
            .collection_id
            .and_then(|id| network.collection(CollectionId::new(id)));
        let item_type = network.item_types().get(ItemTypeId::new(row.item_type_id));
        Self {
            id: row.id,
            bib_id: row.bib_id,
            barcode: row.barcode,
            rfid_tag: row.rfid_tag,
            owner_unit_code: unit_code(network, row.owner_unit_id),
            home_unit_code: unit_code(network, row.home_unit_id),
            current_unit_code: unit_code(network, row.current_unit_id),
            deposit: None,
            collection_code: collection.map(|collection| collection.code.clone()),
            shelf_location: row.shelf_location,
            call_number: row.call_number,
            volume: row.volume,
            item_type: item_type.map(|item_type| item_type.code.clone()).unwrap_or_default(),
            price_fen: row.price_fen,
            status: row.status,
            not_for_loan: row.not_for_loan,
            lending: row.lending,
            bound_into_item_id: row.bound_into_item_id,
            last_event_at: from_millis(row.last_event_at),
        }
    }
}

/// Finds an item.
///
/// # Errors
/// `NotFound`; a failure of the store.
pub async fn get_item(store: &Arc<Store>, caller: &Caller, id: ItemId) -> Result<ItemView> {
    caller.require_somewhere(Right::ReadCatalogue)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let row = tx.item_view(id)?.ok_or(UseCaseError::NotFound("item"))?;
            ItemView::now(tx, row, &network)
        })
        .await
}
