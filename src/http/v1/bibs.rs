//! The catalogue.

use actix_web::web;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::domain::ids::BibId;
use crate::http::answer::{self, Answer};
use crate::http::extract::Anyone;
use crate::http::input::{Cursor, Limit, PageBody, Text, page, text};
use crate::http::openapi::{ListFailures, LookFailures};
use crate::http::precondition;
use crate::http::query::Parameters;
use crate::usecase::get_bib::{self, BibView};
use crate::usecase::get_item::ItemView;
use crate::usecase::list_bib_items;
use crate::usecase::search_bibs::{self, SearchBibs};

#[derive(utoipa::OpenApi)]
#[openapi(paths(search_bibs, get_bib, list_bib_items))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BibSearch {
    /// Words of title, authors or publisher; all must occur. Exactly one of `q`, `isbn` and `control_number` is needed.
    #[param(value_type = Option<String>, max_length = 200, example = "红楼梦")]
    q: Option<Text<200>>,
    /// An ISBN with 10 or 13 digits, hyphens or not.
    #[param(value_type = Option<String>, max_length = 64)]
    isbn: Option<Text<64>>,
    #[param(value_type = Option<String>, max_length = 100)]
    control_number: Option<Text<100>>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Finds bibs in the order of their ids.
#[utoipa::path(get, path = "/api/v1/bibs", operation_id = "searchBibs", tag = "bibs", params(BibSearch),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of bibs", body = PageBody<BibView>), ListFailures))]
pub async fn search_bibs(app: web::Data<App>, who: Anyone, search: Parameters<BibSearch>) -> Answer {
    let BibSearch {
        q,
        isbn,
        control_number,
        cursor,
        limit,
    } = search.0;
    let query = SearchBibs {
        q: text(q),
        isbn: text(isbn),
        control_number: text(control_number),
    };
    let bibs = search_bibs::search_bibs(&app.store, &who.caller, query, page(cursor, limit)).await?;
    answer::ok(&PageBody::from(bibs))
}

/// One bib.
#[utoipa::path(get, path = "/api/v1/bibs/{id}", operation_id = "getBib", tag = "bibs", params(("id" = i64, Path)),
    security(("bearer" = [])),
    responses((status = 200, description = "The bib", body = BibView, headers(("ETag" = String, description = "Its version, for `If-Match`"))), LookFailures))]
pub async fn get_bib(app: web::Data<App>, who: Anyone, id: web::Path<i64>) -> Answer {
    let bib = get_bib::get_bib(&app.store, &who.caller, BibId::new(*id)).await?;
    precondition::tagged(answer::ok(&bib), bib.version)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ItemsPage {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// The items of a bib.
#[utoipa::path(get, path = "/api/v1/bibs/{id}/items", operation_id = "listBibItems", tag = "bibs",
    params(("id" = i64, Path), ItemsPage), security(("bearer" = [])),
    responses((status = 200, description = "A page of items", body = PageBody<ItemView>), LookFailures))]
pub async fn list_bib_items(
    app: web::Data<App>,
    who: Anyone,
    id: web::Path<i64>,
    asked: Parameters<ItemsPage>,
) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let items = list_bib_items::list_bib_items(&app.store, &who.caller, BibId::new(*id), page).await?;
    answer::ok(&PageBody::from(items))
}
