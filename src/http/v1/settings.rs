//! What the rules and the stock are sorted by: collections, item types, reader categories. Codes stay, so that rules and
//! files that name them stay true; nothing is deleted.

use actix_web::web;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::units::{PolicyName, policy_of};
use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Anyone, Changing, ManagesUnits};
use crate::http::input::{CodeText, Text, text};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader, ListFailures, LookFailures};
use crate::usecase::set_collection::{self, CollectionView, SetCollection};
use crate::usecase::set_item_type::{self, ItemTypeView, SetItemType};
use crate::usecase::set_reader_category::{self, CategoryView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    list_collections,
    set_collection,
    list_item_types,
    set_item_type,
    list_reader_categories,
    set_reader_category
))]
pub struct Document;

/// The collections of a unit.
#[derive(Debug, Serialize, ToSchema)]
pub struct CollectionList {
    items: Vec<CollectionView>,
}

/// Every item type.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemTypeList {
    items: Vec<ItemTypeView>,
}

/// Every reader category.
#[derive(Debug, Serialize, ToSchema)]
pub struct CategoryList {
    items: Vec<CategoryView>,
}

/// Lists the collections of a unit by code.
#[utoipa::path(get, path = "/api/v1/units/{code}/collections", operation_id = "listCollections", tag = "units",
    params(("code" = String, Path, description = "The unit's code")), security(("bearer" = [])),
    responses((status = 200, description = "The collections", body = CollectionList), LookFailures))]
pub async fn list_collections(app: web::Data<App>, who: Anyone, code: web::Path<String>) -> Answer {
    let items = set_collection::list_collections(&app.store, &who.caller, code.into_inner()).await?;
    answer::ok(&CollectionList { items })
}

/// A collection as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectionSettings {
    #[schema(value_type = String, max_length = 200)]
    name: Text<200>,
    /// Where its items go when they come back elsewhere.
    return_policy: PolicyName,
    /// With `float_with_cap`: how many items may float at one unit.
    float_cap: Option<u32>,
}

/// Creates a collection of a unit, or gives it another name or policy.
#[utoipa::path(put, path = "/api/v1/units/{code}/collections/{collection}", operation_id = "setCollection", tag = "units",
    params(("code" = String, Path, description = "The unit's code"),
        ("collection" = String, Path, description = "The collection's code: letters, digits, `-` and `_`"),
        IdempotencyHeader),
    request_body = CollectionSettings, security(("bearer" = [])),
    responses((status = 200, description = "The collection", body = CollectionView), ChangeOneFailures))]
pub async fn set_collection(
    app: web::Data<App>,
    who: ManagesUnits,
    path: web::Path<(String, String)>,
    request: Changing<CollectionSettings>,
) -> Answer {
    let (unit_code, code) = path.into_inner();
    let command = SetCollection {
        unit_code,
        code,
        name: request.body.name.into(),
        return_policy: policy_of(request.body.return_policy, request.body.float_cap, "float_cap")?,
    };
    answer::done(&set_collection::set_collection(&app.store, &who.caller, command, request.key).await?)
}

/// Lists the item types.
#[utoipa::path(get, path = "/api/v1/item-types", operation_id = "listItemTypes", tag = "rules", security(("bearer" = [])),
    responses((status = 200, description = "The item types", body = ItemTypeList), ListFailures))]
pub async fn list_item_types(app: web::Data<App>, who: Anyone) -> Answer {
    let items = set_item_type::list_item_types(&app.store, &who.caller).await?;
    answer::ok(&ItemTypeList { items })
}

/// An item type as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemTypeSettings {
    #[schema(value_type = String, max_length = 100, example = "图书")]
    name_zh: Text<100>,
    #[schema(value_type = String, max_length = 100, example = "Book")]
    name_en: Text<100>,
    /// The code of the item type whose rules count where this one has none; absent: none.
    #[schema(value_type = Option<String>, max_length = 32, example = "book")]
    parent: Option<CodeText>,
}

/// Creates an item type, or gives it other names or another parent. Needs rights at the root of the network.
#[utoipa::path(put, path = "/api/v1/item-types/{code}", operation_id = "setItemType", tag = "rules",
    params(("code" = String, Path, description = "The item type's code: letters, digits, `-` and `_`"), IdempotencyHeader),
    request_body = ItemTypeSettings, security(("bearer" = [])),
    responses((status = 200, description = "The item type", body = ItemTypeView), ChangeFailures))]
pub async fn set_item_type(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    request: Changing<ItemTypeSettings>,
) -> Answer {
    let command = SetItemType {
        code: code.into_inner(),
        name_zh: request.body.name_zh.into(),
        name_en: request.body.name_en.into(),
        parent: text(request.body.parent),
    };
    answer::done(&set_item_type::set_item_type(&app.store, &who.caller, command, request.key).await?)
}

/// Lists the reader categories.
#[utoipa::path(get, path = "/api/v1/reader-categories", operation_id = "listReaderCategories", tag = "rules",
    security(("bearer" = [])),
    responses((status = 200, description = "The reader categories", body = CategoryList), ListFailures))]
pub async fn list_reader_categories(app: web::Data<App>, who: Anyone) -> Answer {
    let items = set_reader_category::list_reader_categories(&app.store, &who.caller).await?;
    answer::ok(&CategoryList { items })
}

/// A reader category as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CategorySettings {
    #[schema(value_type = String, max_length = 100, example = "成人")]
    name_zh: Text<100>,
    #[schema(value_type = String, max_length = 100, example = "Adult")]
    name_en: Text<100>,
    /// Local use only: an act counts in statistics and makes no loan.
    #[serde(default)]
    reading_only: bool,
    /// Only items and units for children.
    #[serde(default)]
    child: bool,
    /// An institution, not a person.
    #[serde(default)]
    institutional: bool,
    /// Whole years at registration, included; absent: any.
    #[schema(maximum = 255)]
    min_age_years: Option<u8>,
    /// Whole years at registration, included; absent: any.
    #[schema(maximum = 255)]
    max_age_years: Option<u8>,
}

/// Creates a reader category, or changes it. Needs rights at the root of the network. Readers who are there stay in it.
#[utoipa::path(put, path = "/api/v1/reader-categories/{code}", operation_id = "setReaderCategory", tag = "rules",
    params(("code" = String, Path, description = "The category's code: letters, digits, `-` and `_`"), IdempotencyHeader),
    request_body = CategorySettings, security(("bearer" = [])),
    responses((status = 200, description = "The reader category", body = CategoryView), ChangeFailures))]
pub async fn set_reader_category(
    app: web::Data<App>,
    who: ManagesUnits,
    code: web::Path<String>,
    request: Changing<CategorySettings>,
) -> Answer {
    let asked = request.body;
    let command = CategoryView {
        code: code.into_inner(),
        name_zh: asked.name_zh.into(),
        name_en: asked.name_en.into(),
        reading_only: asked.reading_only,
        child: asked.child,
        institutional: asked.institutional,
        min_age_years: asked.min_age_years,
        max_age_years: asked.max_age_years,
    };
    answer::done(&set_reader_category::set_reader_category(&app.store, &who.caller, command, request.key).await?)
}
