//! What a reader was told, and how they wish to be told.

use actix_web::web;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, Readers};
use crate::http::input::{CodeText, Cursor, Limit, PageBody, page, text};
use crate::http::openapi::{ChangeOneFailures, ChangeSeenFailures, IdempotencyHeader, ListFailures};
use crate::http::precondition::{self, IfMatchGiven, IfMatchGivenHeader};
use crate::http::query::Parameters;
use crate::http::v1::contacts::send_channel;
use crate::usecase::list_my_notices::{self, NoticeView};
use crate::usecase::notice_preferences::{self, ChangePreferences, KindChannels, NoticePreferencesView};
use crate::usecase::reader_contacts::{self, ConfirmContact, ContactView};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list_my_notices, get_my_preferences, update_my_preferences, confirm_my_contact))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NoticePage {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists the notices to the calling reader, the newest first.
#[utoipa::path(get, path = "/api/v1/me/notices", operation_id = "listMyNotices", tag = "me", params(NoticePage),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of notices", body = PageBody<NoticeView>), ListFailures))]
pub async fn list_my_notices(app: web::Data<App>, who: Readers, asked: Parameters<NoticePage>) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let notices = list_my_notices::list_my_notices(&app.store, &who.caller, page).await?;
    answer::ok(&PageBody::from(notices))
}

/// How the calling reader wishes to be told.
#[utoipa::path(get, path = "/api/v1/me/preferences", operation_id = "getMyPreferences", tag = "me",
    security(("bearer" = [])),
    responses((status = 200, description = "The preferences", body = NoticePreferencesView), ListFailures))]
pub async fn get_my_preferences(app: web::Data<App>, who: Readers) -> Answer {
    let preferences = notice_preferences::get_my_preferences(&app.store, &who.caller).await?;
    precondition::tagged(answer::ok(&preferences), preferences.version + 1)
}

/// What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreferenceChange {
    /// `zh-CN` or `en`.
    #[schema(value_type = Option<String>, max_length = 32, example = "zh-CN")]
    language: Option<CodeText>,
    /// From when on notices wait, as HH:MM of the network's day. The same as `quiet_until`: never.
    #[schema(value_type = Option<String>, max_length = 32, example = "21:00")]
    quiet_from: Option<CodeText>,
    /// Until when they wait.
    #[schema(value_type = Option<String>, max_length = 32, example = "08:00")]
    quiet_until: Option<CodeText>,
    /// What is of one kind is gathered in one notice.
    #[schema(example = true)]
    gathers: Option<bool>,
    /// Kinds of notices and their channels; kinds that are not named stay as they are.
    #[schema(max_items = 20)]
    kinds: Option<Vec<KindChannels>>,
}

/// Changes how the calling reader wishes to be told.
#[utoipa::path(patch, path = "/api/v1/me/preferences", operation_id = "updateMyPreferences", tag = "me",
    params(IdempotencyHeader, IfMatchGivenHeader), request_body = PreferenceChange, security(("bearer" = [])),
    responses((status = 200, description = "The preferences", body = NoticePreferencesView), ChangeSeenFailures))]
pub async fn update_my_preferences(
    app: web::Data<App>,
    who: Readers,
    seen: IfMatchGiven,
    request: Changing<PreferenceChange>,
) -> Answer {
    let body = request.body;
    let command = ChangePreferences {
        language: text(body.language),
        quiet_from: text(body.quiet_from),
        quiet_until: text(body.quiet_until),
        gathers: body.gathers,
        kinds: body.kinds.unwrap_or_default(),
        seen: seen.0.map(|seen| seen - 1),
    };
    let done = notice_preferences::update_my_preferences(&app.store, &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&done), done.value.version + 1)
}

/// The code that was sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactCode {
    /// Six digits.
    #[schema(value_type = String, max_length = 32, example = "204518")]
    code: CodeText,
}

/// Proves that an address is the calling reader's, with the code that was sent there.
#[utoipa::path(post, path = "/api/v1/me/contacts/{channel}/confirmation", operation_id = "confirmMyContact", tag = "me",
    params(("channel" = String, Path, description = "`mail`, `sms` or `wechat`"), IdempotencyHeader), request_body = ContactCode,
    security(("bearer" = [])),
    responses((status = 200, description = "The address", body = ContactView), ChangeOneFailures))]
pub async fn confirm_my_contact(
    app: web::Data<App>,
    who: Readers,
    channel: web::Path<String>,
    request: Changing<ContactCode>,
) -> Answer {
    let command = ConfirmContact {
        channel: send_channel(&channel)?,
        code: request.body.code.into(),
        secrets: app.derived(),
    };
    answer::done(&reader_contacts::confirm_my_contact(&app.store, &who.caller, command, request.key).await?)
}
