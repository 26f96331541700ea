//! What the reader who asks has agreed to, and who looked at their record.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::reader_consent::ConsentKind;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Nothing, Readers};
use crate::http::input::{CodeText, Cursor, Limit, PageBody, page};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader, ListFailures};
use crate::http::query::Parameters;
use crate::usecase::UseCaseError;
use crate::usecase::look_at_reader::{self, AccessView};
use crate::usecase::reader_consents::{self, ConsentView, GiveConsent};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_my_consents, give_my_consent, withdraw_my_consent, list_my_accesses))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MyPage {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// What the reader who asks agreed to, the newest first, with what was withdrawn.
#[utoipa::path(get, path = "/api/v1/me/consents", operation_id = "listMyConsents", tag = "me", params(MyPage),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of consents", body = PageBody<ConsentView>), ListFailures))]
pub async fn list_my_consents(app: web::Data<App>, who: Readers, asked: Parameters<MyPage>) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let consents = reader_consents::list_my_consents(&app.store, &who.caller, page).await?;
    answer::ok(&PageBody::from(consents))
}

/// What is agreed to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsent {
    /// `privacy_notice`, `credit_check`, `research` or `news`.
    #[schema(value_type = String, max_length = 32, example = "privacy_notice")]
    kind: CodeText,
    /// The version of the text that was shown.
    #[schema(value_type = String, max_length = 32, example = "2026-01")]
    text_version: CodeText,
}

/// Agrees to a text. The same version again changes nothing; another one takes the place of the one before.
#[utoipa::path(post, path = "/api/v1/me/consents", operation_id = "giveMyConsent", tag = "me", params(IdempotencyHeader),
    request_body = NewConsent, security(("bearer" = [])),
    responses((status = 201, description = "The consent", body = ConsentView), ChangeFailures))]
pub async fn give_my_consent(app: web::Data<App>, who: Readers, request: Changing<NewConsent>) -> Answer {
    let said = request.body;
    let kind: String = said.kind.into();
    let command = GiveConsent {
        kind: kind_of(&kind)?,
        text_version: said.text_version.into(),
    };
    let given = reader_consents::give_my_consent(&app.store, &who.caller, command, request.key).await?;
    answer::created(&given, None)
}

/// Withdraws what was agreed to.
#[utoipa::path(delete, path = "/api/v1/me/consents/{consent}", operation_id = "withdrawMyConsent", tag = "me",
    params(("consent" = String, Path, description = "`privacy_notice`, `credit_check`, `research` or `news`"), IdempotencyHeader),
    security(("bearer" = [])),
    responses((status = 200, description = "The consent", body = ConsentView), ChangeOneFailures))]
pub async fn withdraw_my_consent(
    app: web::Data<App>,
    who: Readers,
    kind: web::Path<String>,
    request: Changing<Nothing>,
) -> Answer {
    let kind = kind_of(&kind)?;
    let withdrawn = reader_consents::withdraw_my_consent(&app.store, &who.caller, kind, request.key).await?;
    answer::done(&withdrawn)
}

fn kind_of(code: &str) -> Result<ConsentKind, UseCaseError> {
    ConsentKind::from_code(code).ok_or_else(|| {
        let all: Vec<&str> = ConsentKind::ALL.iter().map(|kind| kind.code()).collect();
        UseCaseError::field("kind", format!("must be one of {}", all.join(", ")))
    })
}

/// Who of the staff looked at the record of the reader who asks, the latest first.
#[utoipa::path(get, path = "/api/v1/me/accesses", operation_id = "listMyAccesses", tag = "me", params(MyPage),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of looks", body = PageBody<AccessView>), ListFailures))]
pub async fn list_my_accesses(app: web::Data<App>, who: Readers, asked: Parameters<MyPage>) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let looks = look_at_reader::list_my_accesses(&app.store, &who.caller, page).await?;
    answer::ok(&PageBody::from(looks))
}
