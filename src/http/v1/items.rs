//! Copies.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::barcode::Barcode;
use crate::domain::ids::{BibId, ItemId};
use crate::http::answer::{self, Answer};
use crate::http::extract::{Anyone, Changing, ManagesItems};
use crate::http::input::{CodeText, Text, text};
use crate::http::openapi::{ChangeFailures, IdempotencyHeader, LookFailures};
use crate::usecase::add_item::{self, AddItem};
use crate::usecase::get_item::{self, ItemView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(add_item, get_item))]
pub struct Document;

/// A new copy of a bib.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewItem {
    bib_id: i64,
    /// Unique per owner.
    #[schema(value_type = String, max_length = 64, example = "0100001234567")]
    barcode: Barcode,
    /// 产权馆: who owns it.
    #[schema(value_type = String, max_length = 32, example = "B01")]
    owner_unit_code: CodeText,
    /// 典藏地: where it is shelved; by default the owner.
    #[schema(value_type = Option<String>, max_length = 32)]
    home_unit_code: Option<CodeText>,
    #[schema(value_type = String, max_length = 32, example = "book")]
    item_type: CodeText,
    /// A collection of the home unit.
    #[schema(value_type = Option<String>, max_length = 32)]
    collection_code: Option<CodeText>,
    #[schema(value_type = Option<String>, max_length = 100)]
    shelf_location: Option<Text<100>>,
    #[schema(value_type = Option<String>, max_length = 100, example = "I242.4/12")]
    call_number: Option<Text<100>>,
    #[schema(value_type = Option<String>, max_length = 64)]
    rfid_tag: Option<Text<64>>,
    /// Price in fen.
    #[schema(minimum = 0)]
    price_fen: Option<i64>,
    /// This copy is not lent whatever the rules say.
    #[serde(default)]
    not_for_loan: bool,
    /// A child's card may borrow it.
    #[serde(default)]
    for_children: bool,
    /// Lowest age in whole years that may borrow it.
    #[schema(maximum = 255)]
    min_age_years: Option<u8>,
    /// Staff must read this before handing it over or taking it back.
    #[schema(value_type = Option<String>, max_length = 500)]
    alert_note: Option<Text<500>>,
    /// Loose parts to count (discs, maps); 1 by default: the item alone.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 65535)]
    parts: u16,
}

const fn one() -> u16 {
    1
}

impl From<NewItem> for AddItem {
    fn from(item: NewItem) -> Self {
        Self {
            bib: BibId::new(item.bib_id),
            barcode: item.barcode,
            owner_unit_code: item.owner_unit_code.into(),
            home_unit_code: text(item.home_unit_code),
            item_type: item.item_type.into(),
            collection_code: text(item.collection_code),
            shelf_location: text(item.shelf_location),
            call_number: text(item.call_number),
            rfid_tag: text(item.rfid_tag),
            price_fen: item.price_fen,
            not_for_loan: item.not_for_loan,
            for_children: item.for_children,
            min_age_years: item.min_age_years,
            alert_note: text(item.alert_note),
            parts: item.parts,
        }
    }
}

/// Adds an item to the shelf of its home unit.
#[utoipa::path(post, path = "/api/v1/items", operation_id = "addItem", tag = "items", params(IdempotencyHeader),
    request_body = NewItem, security(("bearer" = [])),
    responses(
        (status = 201, description = "The item", body = ItemView, headers(("Location" = String))),
        ChangeFailures))]
pub async fn add_item(app: web::Data<App>, who: ManagesItems, request: Changing<NewItem>) -> Answer {
    let item = add_item::add_item(&app.store, &who.caller, request.body.into(), request.key).await?;
    let location = format!("/api/v1/items/{}", item.value.id);
    answer::created(&item, Some(location))
}

/// One item.
#[utoipa::path(get, path = "/api/v1/items/{id}", operation_id = "getItem", tag = "items", params(("id" = i64, Path)),
    security(("bearer" = [])),
    responses((status = 200, description = "The item", body = ItemView), LookFailures))]
pub async fn get_item(app: web::Data<App>, who: Anyone, id: web::Path<i64>) -> Answer {
    answer::ok(&get_item::get_item(&app.store, &who.caller, ItemId::new(*id)).await?)
}
