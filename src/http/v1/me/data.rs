//! What is held on the reader who asks: to take along, and to erase.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::client_address::client_network;
use crate::http::extract::{Changing, Readers};
use crate::http::input::Secret;
use crate::http::my_data_page;
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader, LookFailures};
use crate::usecase::erase_me::{self, Erased};
use crate::usecase::export_my_data::{self, MyData};

#[derive(utoipa::OpenApi)]
#[openapi(paths(export_my_data, erase_me))]
pub struct Document;

/// Everything that is held on the reader who asks, as JSON, or as a page to read where `Accept` asks for `text/html`.
#[utoipa::path(get, path = "/api/v1/me/data", operation_id = "exportMyData", tag = "me", security(("bearer" = [])),
    responses(
        (status = 200, description = "Everything, table by table", content(
            (MyData = "application/json"), (String = "text/html"))),
        LookFailures))]
pub async fn export_my_data(app: web::Data<App>, who: Readers, asked: HttpRequest) -> Answer {
    let data = export_my_data::export_my_data(&app.store, &who.caller).await?;
    if !wants_page(&asked) {
        return answer::ok(&data);
    }
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("text/html; charset=utf-8")
        .body(my_data_page::draw(&data)))
}

/// Whoever does not ask for a page by name gets JSON.
fn wants_page(asked: &HttpRequest) -> bool {
    let accept = asked.headers().get(header::ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("text/html")
    })
}

/// That it is really meant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureRequest {
    /// The PIN of the reader who asks.
    #[schema(value_type = String, format = Password, max_length = 32, example = "240117")]
    pin: Secret,
}

/// Erases the reader who asks: cards, name, history and everything else that is held. It cannot be undone. Refused while loans,
/// copies set aside, parcels, a debt or a deposit of money are open; holds that only wait are cancelled.
#[utoipa::path(post, path = "/api/v1/me/erasure", operation_id = "eraseMe", tag = "me", params(IdempotencyHeader),
    request_body = ErasureRequest, security(("bearer" = [])),
    responses((status = 200, description = "Nothing is left", body = Erased), ChangeOneFailures))]
pub async fn erase_me(
    app: web::Data<App>,
    from: HttpRequest,
    who: Readers,
    request: Changing<ErasureRequest>,
) -> Answer {
    let (tools, address) = (app.session_tools(), client_network(&from));
    let pin = request.body.pin.0;
    answer::done(&erase_me::erase_me(&app.store, tools, &who.caller, pin, request.key, address).await?)
}
