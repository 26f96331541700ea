//! The OpenAPI 3.1 document: collected from the handlers, with the failures every operation shares.

use std::collections::BTreeMap;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

use super::problem::{CONTENT_TYPE, FieldProblem, OwnerView, ProblemBody};
use super::{described, health, jwks, v1};
use crate::usecase::view::RefusalView;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tongjie 通借",
        description = "Circulation for a city's library network: borrow anywhere, return anywhere (通借通还).\n\nLog in \
            with `POST /api/v1/sessions` and send the access token as `Authorization: Bearer …`. Every changing \
            operation (sessions excepted) takes an `Idempotency-Key`: sent again with the same body it acts once and \
            answers the same, with `Idempotency-Replayed: true`. Failures are problems (RFC 9457).",
        license(name = "AGPL-3.0-or-later", identifier = "AGPL-3.0-or-later"),
    ),
    paths(health::live, health::ready, jwks::get_card_keys),
    components(schemas(ProblemBody, FieldProblem, OwnerView, RefusalView)),
    modifiers(&Bearer),
    tags(
        (name = "sessions", description = "Log-in, refresh, log-out"),
        (name = "units", description = "The network's tree of units"),
        (name = "staff", description = "Who works where"),
        (name = "readers", description = "Readers, their loans and holds"),
        (name = "cards", description = "Cards and electronic cards (电子读者证): issued, shown, verified, lost, revoked"),
        (name = "me", description = "What a reader does alone"),
        (name = "bibs", description = "The catalogue"),
        (name = "items", description = "Copies"),
        (name = "circulation", description = "Check-out and check-in"),
        (name = "loans", description = "Renewal and void"),
        (name = "holds", description = "Places in the queue"),
        (name = "transits", description = "Journeys between units"),
        (name = "deposits", description = "Copies that stand at another unit for a time"),
        (name = "crates", description = "Boxes of journeys: packed, sent, received"),
        (name = "routes", description = "Rounds with stops and timetables, and the courier's day"),
        (name = "ownership", description = "Who owns what: transfers by a document"),
        (name = "deliveries", description = "Internet borrowing (互联网借阅): online requests, and what readers send back"),
        (name = "parcels", description = "Packing, dispatch, the carrier's reports, receipt"),
        (name = "credit", description = "Credit (信用): ledgers, freezes, appeals, reports of other systems"),
        (name = "me", description = "What readers do alone: everything is about the reader who asks"),
        (name = "rules", description = "Which rule, and why"),
        (name = "health", description = "Of this node"),
    )
)]
struct Root;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        let description =
            "`sha256=` and the HMAC-SHA256 of `Tongjie-Timestamp`, a full stop and the body, in hexadecimal digits";
        let signature = ApiKeyValue::with_description("Tongjie-Signature", description);
        components.add_security_scheme("signature", SecurityScheme::ApiKey(ApiKey::Header(signature)));
    }
}

/// What the handlers declare; `described::document` fills it in.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = Root::openapi();
    for part in v1::documents() {
        document.merge(part);
    }
    document
}

/// The document as it is served: rendered once.
pub struct Document(web::Bytes);

impl Document {
    /// Renders it.
    pub fn render() -> Self {
        Self(web::Bytes::from(described::document().to_string()))
    }
}

/// `GET /api/v1/openapi.json`.
pub async fn serve(document: web::Data<Document>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(document.0.clone())
}

/// The header of changing operations.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes; `extract` reads it")]
pub struct IdempotencyHeader {
    /// 1 to 255 visible ASCII characters, chosen by the client: the same key with the same body acts once.
    #[param(
        rename = "Idempotency-Key",
        pattern = "^[!-~]{1,255}$",
        example = "0d9f6e0c-5b1e-4a53-9a0f-7b4a5e0e6a11"
    )]
    idempotency_key: Option<String>,
}

macro_rules! failures {
    ($($(#[$doc:meta])* $name:ident = $($status:literal)+;)*) => {$(
        $(#[$doc])*
        pub struct $name;
        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$(failure($status)),+].into()
            }
        }
    )*};
}

failures! {
    /// Of log-in and refresh.
    SessionFailures = 400 401 413 415 422 429 500 503;
    /// Of looking at what only the one who made it knows.
    OpenLookFailures = 400 401 404 413 415 422 429 500 503;
    /// Of log-out.
    LogOutFailures = 400 401 413 429 500 503;
    /// Of a list or a search.
    ListFailures = 400 401 403 422 429 500 503;
    /// Of looking at one thing.
    LookFailures = 400 401 403 404 429 500 503;
    /// Of looking at one thing in a way that can be asked for wrongly.
    LookWithFailures = 400 401 403 404 422 429 500 503;
    /// Of the reader's card.
    CardFailures = 400 401 403 406 409 422 429 500 503;
    /// Of a change.
    ChangeFailures = 400 401 403 409 413 415 422 429 500 503;
    /// Of a change to a version that was seen.
    ChangeVersionFailures = 400 401 403 404 409 412 413 415 422 428 429 500 503;
    /// Of a change to one thing that may say which version it saw.
    ChangeSeenFailures = 400 401 403 404 409 412 413 415 422 429 500 503;
    /// Of a change to one thing that must exist.
    ChangeOneFailures = 400 401 403 404 409 413 415 422 429 500 503;
}

fn failure(status: u16) -> (String, RefOr<Response>) {
    let description = match status {
        400 => {
            "The request cannot be read: malformed JSON, a missing, unknown or over-long member, a bad header or parameter; `errors` names it"
        }
        401 => "No token, or not one that counts here; never says why",
        403 => "The caller's rights do not cover this here",
        404 => "There is no such thing, or not for this caller",
        406 => "`Accept` names no form that there is",
        409 => {
            "The rules say no (`refusals` lists every reason), the state excludes it, somebody was first, or a barcode has several owners (`owners`)"
        }
        412 => "It was changed meanwhile; look again",
        428 => "`If-Match` is missing: say which version you saw",
        413 => "The body is over the limit",
        415 => "The body is not JSON in UTF-8",
        422 => {
            "A member names nothing or cannot be what it says (`errors`), or the idempotency key was used with another request"
        }
        429 => "Too many log-ins failed, or this client asks too often; see `Retry-After`",
        503 => "Too much work, or the database is locked, full or gone; nothing was half done; see `Retry-After`",
        _ => "Something broke; `request_id` names it in the log",
    };
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    let response = ResponseBuilder::new()
        .description(description)
        .content(CONTENT_TYPE, content)
        .build();
    (status.to_string(), RefOr::T(response))
}
