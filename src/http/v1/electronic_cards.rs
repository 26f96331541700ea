//! Electronic cards at desks and machines: opening a session with one, what was revoked, and revoking.

use actix_web::web;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::barcode::CardNumber;
use crate::domain::ids::ReaderId;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Lends, Nothing, RevokesCards};
use crate::http::input::{Cursor, Limit, Secret, page};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader, ListFailures};
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::usecase::UseCaseError;
use crate::usecase::card_session::CardShown;
use crate::usecase::list_card_revocations::{self, CardRevocation};
use crate::usecase::open_card_session::{self, OpenedCard};
use crate::usecase::revoke_card_tokens::{self, CardTokensRevoked};

#[derive(utoipa::OpenApi)]
#[openapi(paths(open_card_session, list_card_revocations, revoke_card_tokens))]
pub struct Document;

/// A code as it was scanned, opened with the keys of this node. What is none of ours is refused by the use case, after the
/// right was asked.
pub(in crate::http) fn scanned(app: &App, token: &Secret) -> CardShown {
    let opened = app.cards.open(token.0.expose_secret(), app.store.clock().now());
    CardShown::Token(opened.ok().map(Box::new))
}

/// How a request names a card: exactly one of both.
///
/// # Errors
/// `Invalid` naming the field.
pub(super) fn shown(app: &App, number: Option<CardNumber>, token: Option<&Secret>) -> Result<CardShown, Problem> {
    match (number, token) {
        (Some(number), None) => Ok(number.into()),
        (None, Some(token)) => Ok(scanned(app, token)),
        (None, None) => Err(UseCaseError::field("card_number", "is needed, or card_token").into()),
        (Some(_), Some(_)) => {
            Err(UseCaseError::field("card_token", "is given beside card_number: one is enough").into())
        }
    }
}

/// What a reader's phone shows.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownCode {
    /// The text of the QR code, as it is.
    #[schema(value_type = String, max_length = 512,
        example = "eyJ0eXAiOiJjYXJkK2p3dCIsImFsZyI6IkVkRFNBIiwia2lkIjoiUTJGeVpFdGxlUSJ9.eyJzdWIiOiIxMDQyIn0.c2lnbmF0dXJl")]
    card_token: Secret,
}

/// Opens a session of the caller with an electronic card, or goes on with it: says whose card it is. From then on the code is
/// refused to anybody else.
#[utoipa::path(post, path = "/api/v1/card-sessions", operation_id = "openCardSession", tag = "cards",
    params(IdempotencyHeader), request_body = ShownCode, security(("bearer" = [])),
    responses((status = 200, description = "Whose card it is", body = OpenedCard), ChangeFailures))]
pub async fn open_card_session(app: web::Data<App>, who: Lends, request: Changing<ShownCode>) -> Answer {
    let shown = scanned(&app, &request.body.card_token);
    answer::done(&open_card_session::open_card_session(&app.store, &who.caller, shown, request.key).await?)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RevocationQuery {
    /// `cursor` of the answer before; everything that still matters by default.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// What a device needs to verify electronic cards offline.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevocationList {
    items: Vec<CardRevocation>,
    /// Keep it, and ask with it the next time.
    #[schema(value_type = String)]
    cursor: Cursor,
    /// There is more already: ask again at once.
    #[schema(example = false)]
    more: bool,
    /// What the `aud` of a token may be where the caller stands: the codes of its unit and of those above it.
    #[schema(example = json!(["B01", "M1", "C1", "network"]))]
    scopes: Vec<String>,
}

/// Lists the cards whose tokens were revoked since a cursor, in the order in which it happened, for a day.
#[utoipa::path(get, path = "/api/v1/card-revocations", operation_id = "listCardRevocations", tag = "cards",
    params(RevocationQuery), security(("bearer" = [])),
    responses((status = 200, description = "What was revoked", body = RevocationList), ListFailures))]
pub async fn list_card_revocations(app: web::Data<App>, who: Lends, asked: Parameters<RevocationQuery>) -> Answer {
    let asked = page(asked.0.cursor, asked.0.limit);
    let list = list_card_revocations::list_card_revocations(&app.store, &who.caller, asked.after, asked.limit).await?;
    answer::ok(&RevocationList {
        items: list.items,
        cursor: Cursor(list.cursor),
        more: list.more,
        scopes: list.scopes,
    })
}

/// Says that a reader's phone is lost: every token made until now is void everywhere, and the reader's other sessions end. By the
/// reader, or by staff who register readers.
#[utoipa::path(post, path = "/api/v1/readers/{id}/card-token-revocations", operation_id = "revokeCardTokens", tag = "cards",
    params(("id" = i64, Path, description = "The reader's id"), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "They are void", body = CardTokensRevoked), ChangeOneFailures))]
pub async fn revoke_card_tokens(
    app: web::Data<App>,
    who: RevokesCards,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    let reader = ReaderId::new(*id);
    let revoked = revoke_card_tokens::revoke_card_tokens(&app.store, &who.caller, reader, request.key).await?;
    answer::done(&revoked)
}
