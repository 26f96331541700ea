//! Changes to copies that are there already.

use actix_web::web;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::barcode::Barcode;
use crate::domain::ids::ItemId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesItems};
use crate::http::input::{CodeText, Text, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader};
use crate::usecase::get_item::ItemView;
use crate::usecase::move_item::{self, MoveItem};
use crate::usecase::update_item::{self, ItemPatch};
use crate::usecase::withdraw_item;

#[derive(utoipa::OpenApi)]
#[openapi(paths(update_item, move_item, withdraw_item))]
pub struct Document;

/// Tells `null`, which empties a member, from one that is not there, which leaves it.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// What is to be different about an item. What is left out stays; `null` empties what may be empty.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemCorrection {
    /// Unique per owner.
    #[schema(value_type = Option<String>, max_length = 64, example = "0100001234567")]
    barcode: Option<Barcode>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 64)]
    rfid_tag: Option<Option<Text<64>>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 100)]
    shelf_location: Option<Option<Text<100>>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 100, example = "I242.4/12")]
    call_number: Option<Option<Text<100>>>,
    #[schema(value_type = Option<String>, max_length = 32, example = "book")]
    item_type: Option<CodeText>,
    /// Price in fen.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 0)]
    price_fen: Option<Option<i64>>,
    /// This copy is not lent whatever the rules say.
    not_for_loan: Option<bool>,
    /// A child's card may borrow it.
    for_children: Option<bool>,
    /// Lowest age in whole years that may borrow it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u8>, maximum = 255)]
    min_age_years: Option<Option<u8>>,
    /// Staff must read this before handing it over or taking it back.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 500)]
    alert_note: Option<Option<Text<500>>>,
    /// Loose parts to count (discs, maps); 1: the item alone.
    #[schema(minimum = 1, maximum = 65535)]
    parts: Option<u16>,
}

impl From<ItemCorrection> for ItemPatch {
    fn from(item: ItemCorrection) -> Self {
        Self {
            barcode: item.barcode,
            rfid_tag: item.rfid_tag.map(text),
            shelf_location: item.shelf_location.map(text),
            call_number: item.call_number.map(text),
            item_type: text(item.item_type),
            price_fen: item.price_fen,
            not_for_loan: item.not_for_loan,
            for_children: item.for_children,
            min_age_years: item.min_age_years,
            alert_note: item.alert_note.map(text),
            parts: item.parts,
        }
    }
}

/// Corrects an item.
#[utoipa::path(patch, path = "/api/v1/items/{id}", operation_id = "updateItem", tag = "items",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ItemCorrection, security(("bearer" = [])),
    responses((status = 200, description = "The item", body = ItemView), ChangeOneFailures))]
pub async fn update_item(
    app: web::Data<App>,
    who: ManagesItems,
    id: web::Path<i64>,
    request: Changing<ItemCorrection>,
) -> Answer {
    let patch = request.body.into();
    answer::done(&update_item::update_item(&app.store, &who.caller, ItemId::new(*id), patch, request.key).await?)
}

/// Another home for an item; its owner stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemMove {
    /// 典藏地: where it is to be shelved.
    #[schema(value_type = String, max_length = 32, example = "B01")]
    home_unit_code: CodeText,
    /// A collection of that unit; none by default.
    #[schema(value_type = Option<String>, max_length = 32)]
    collection_code: Option<CodeText>,
    #[schema(value_type = Option<String>, max_length = 100)]
    shelf_location: Option<Text<100>>,
    /// Somebody has seen the copy at its new home: it stands there at once, and no journey begins.
    #[serde(default)]
    already_there: bool,
}

impl ItemMove {
    pub(super) fn of(self, item: ItemId) -> MoveItem {
        MoveItem {
            item,
            home_unit_code: self.home_unit_code.into(),
            collection_code: text(self.collection_code),
            shelf_location: text(self.shelf_location),
            already_there: self.already_there,
        }
    }
}

/// Moves an item, by somebody who manages the items of its owner and of its new home. A copy on the shelf sets out for its new
/// home (a transit, `awaiting_dispatch`), unless it is `already_there`; one that is lent or on its way goes there with its
/// next return.
#[utoipa::path(post, path = "/api/v1/items/{id}/moves", operation_id = "moveItem", tag = "items",
    params(("id" = i64, Path), IdempotencyHeader), request_body = ItemMove, security(("bearer" = [])),
    responses((status = 200, description = "The item", body = ItemView), ChangeOneFailures))]
pub async fn move_item(
    app: web::Data<App>,
    who: ManagesItems,
    id: web::Path<i64>,
    request: Changing<ItemMove>,
) -> Answer {
    let command = request.body.of(ItemId::new(*id));
    answer::done(&move_item::move_item(&app.store, &who.caller, command, request.key).await?)
}

/// Why an item leaves the stock.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    #[schema(value_type = String, max_length = 500, example = "worn out")]
    pub(super) reason: Text<500>,
}

/// Withdraws an item. Not while it is lent, set aside, on its way or waited for.
#[utoipa::path(post, path = "/api/v1/items/{id}/withdrawal", operation_id = "withdrawItem", tag = "items",
    params(("id" = i64, Path), IdempotencyHeader), request_body = Withdrawal, security(("bearer" = [])),
    responses((status = 200, description = "The item", body = ItemView), ChangeOneFailures))]
pub async fn withdraw_item(
    app: web::Data<App>,
    who: ManagesItems,
    id: web::Path<i64>,
    request: Changing<Withdrawal>,
) -> Answer {
    let reason = request.body.reason.into();
    let item = ItemId::new(*id);
    answer::done(&withdraw_item::withdraw_item(&app.store, &who.caller, item, reason, request.key).await?)
}
