//! The sessions of whoever asks, one-time passwords of the staff, and secrets that were forgotten.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::barcode::CardNumber;
use crate::domain::ids::StaffId;
use crate::http::answer::{self, Answer};
use crate::http::client_address::client_network;
use crate::http::extract::{Anyone, Changing, ManagesStaff, Nothing, Staff};
use crate::http::input::{CodeText, Cursor, Limit, PageBody, Secret, Text, page};
use crate::http::openapi::{
    ChangeFailures, ChangeOneFailures, IdempotencyHeader, ListFailures, LookFailures, SessionFailures,
};
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::usecase::reset_secret::{self, Account};
use crate::usecase::sessions_of_mine::{self, OpenSession};
use crate::usecase::totp::{self, TotpConfirmed, TotpDisabled, TotpEnrolment};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    list_sessions,
    end_session,
    enrol_totp,
    confirm_totp,
    disable_totp,
    request_reset,
    redeem_reset
))]
pub struct Document;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionPage {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// The caller's own sessions that can still be refreshed, the latest log-in first.
#[utoipa::path(get, path = "/api/v1/sessions", operation_id = "listSessions", tag = "sessions", params(SessionPage),
    security(("bearer" = [])),
    responses((status = 200, description = "A page of sessions", body = PageBody<OpenSession>), ListFailures))]
pub async fn list_sessions(app: web::Data<App>, who: Anyone, asked: Parameters<SessionPage>) -> Answer {
    let page = page(asked.0.cursor, asked.0.limit);
    let sessions = sessions_of_mine::list_sessions(&app.store, &who.caller, page).await?;
    answer::ok(&PageBody::from(sessions))
}

/// Ends one of the caller's own sessions: its refresh tokens at once, its access token within its minutes. Again: nothing
/// changes.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", operation_id = "endSession", tag = "sessions",
    params(("id" = i64, Path, description = "The session's id")), security(("bearer" = [])),
    responses((status = 204, description = "Ended"), LookFailures))]
pub async fn end_session(app: web::Data<App>, who: Anyone, id: web::Path<i64>, _: Changing<Nothing>) -> Answer {
    sessions_of_mine::end_session(&app.store, &who.caller, *id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// That it is the owner of the account who asks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpRequest {
    /// The caller's password.
    #[schema(value_type = String, format = Password, max_length = 128, example = "correct horse battery")]
    password: Secret,
}

/// Begins one-time passwords (TOTP, RFC 6238) for the member of staff who asks: answers a secret for an authenticator. It counts
/// once `confirmTotp` was given its first code; until then nothing changes.
#[utoipa::path(post, path = "/api/v1/totp", operation_id = "enrolTotp", tag = "staff", params(IdempotencyHeader),
    request_body = TotpRequest, security(("bearer" = [])),
    responses((status = 201, description = "The secret", body = TotpEnrolment), ChangeFailures))]
pub async fn enrol_totp(app: web::Data<App>, from: HttpRequest, who: Staff, request: Changing<TotpRequest>) -> Answer {
    let (tools, address) = (app.session_tools(), client_network(&from));
    let password = request.body.password.0;
    let begun = totp::enrol_totp(&app.store, tools, &who.caller, password, request.key, address).await?;
    answer::created(&begun, None)
}

/// A code of the authenticator.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpCode {
    /// Six digits.
    #[schema(value_type = String, max_length = 32, example = "287082")]
    code: CodeText,
}

/// Turns one-time passwords on with the first code: every log-in asks for one from now on. The recovery codes are told once.
#[utoipa::path(post, path = "/api/v1/totp/confirmation", operation_id = "confirmTotp", tag = "staff",
    params(IdempotencyHeader), request_body = TotpCode, security(("bearer" = [])),
    responses((status = 200, description = "It is on", body = TotpConfirmed), ChangeFailures))]
pub async fn confirm_totp(app: web::Data<App>, from: HttpRequest, who: Staff, request: Changing<TotpCode>) -> Answer {
    let (tools, address) = (app.session_tools(), client_network(&from));
    let code = request.body.code.into();
    answer::done(&totp::confirm_totp(&app.store, tools, &who.caller, code, request.key, address).await?)
}

/// Takes one-time passwords away from a member of staff who has lost the device. Nobody does it for themselves.
#[utoipa::path(delete, path = "/api/v1/staff/{id}/totp", operation_id = "disableTotp", tag = "staff",
    params(("id" = i64, Path), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "It is off", body = TotpDisabled), ChangeOneFailures))]
pub async fn disable_totp(
    app: web::Data<App>,
    who: ManagesStaff,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    answer::done(&totp::disable_totp(&app.store, &who.caller, StaffId::new(*id), request.key).await?)
}

/// Whose secret was forgotten: one of both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetRequest {
    /// Of a member of staff.
    #[schema(value_type = Option<String>, max_length = 64, example = "b01.desk")]
    username: Option<Text<64>>,
    /// Of a reader.
    #[schema(value_type = Option<String>, max_length = 64, example = "JC00012345")]
    card_number: Option<CardNumber>,
}

/// Has a code sent to whoever has forgotten a password or PIN: a reader's goes to an address that is proved, one of staff to the mail
/// address of the account. The answer is the same whether or not there is such an account.
#[utoipa::path(post, path = "/api/v1/sessions/resets", operation_id = "requestReset", tag = "sessions",
    request_body = ResetRequest,
    responses((status = 204, description = "If there is such an account, a code is on its way"), SessionFailures))]
pub async fn request_reset(app: web::Data<App>, from: HttpRequest, request: Changing<ResetRequest>) -> Answer {
    let account = account(request.body.username, request.body.card_number)?;
    reset_secret::request_reset(&app.store, app.session_tools(), account, client_network(&from)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The code that was sent, and what it is for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redemption {
    /// Of a member of staff.
    #[schema(value_type = Option<String>, max_length = 64, example = "b01.desk")]
    username: Option<Text<64>>,
    /// Of a reader.
    #[schema(value_type = Option<String>, max_length = 64, example = "JC00012345")]
    card_number: Option<CardNumber>,
    /// The digits that were sent.
    #[schema(value_type = String, max_length = 32, example = "204518")]
    code: CodeText,
    /// Of a member of staff.
    #[schema(value_type = Option<String>, format = Password, max_length = 128, example = "correct horse battery")]
    new_password: Option<Secret>,
    /// Of a reader: at least 6 characters; neither all the same nor only counting up or down.
    #[schema(value_type = Option<String>, format = Password, min_length = 6, max_length = 32, example = "581093")]
    new_pin: Option<Secret>,
}

/// Sets another password or PIN with the code that was sent, and ends all sessions of the account. It counts for ten
/// minutes, five attempts, and once.
#[utoipa::path(post, path = "/api/v1/sessions/resets/redemption", operation_id = "redeemReset", tag = "sessions",
    request_body = Redemption,
    responses((status = 204, description = "It is set: log in with it"), SessionFailures))]
pub async fn redeem_reset(app: web::Data<App>, from: HttpRequest, request: Changing<Redemption>) -> Answer {
    let said = request.body;
    let account = account(said.username, said.card_number)?;
    let (name, given, other) = match account {
        Account::Staff(_) => ("new_password", said.new_password, ("new_pin", said.new_pin.is_some())),
        Account::Reader(_) => ("new_pin", said.new_pin, ("new_password", said.new_password.is_some())),
    };
    if other.1 {
        return Err(Problem::malformed(other.0, "does not belong to this kind of account"));
    }
    let secret = given.ok_or_else(|| Problem::malformed(name, "is needed for this kind of account"))?;
    let (tools, code) = ((app.session_tools(), app.derived()), said.code.into());
    reset_secret::redeem_reset(&app.store, tools, account, code, secret.0, client_network(&from)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn account(username: Option<Text<64>>, card_number: Option<CardNumber>) -> Result<Account, Problem> {
    match (username, card_number) {
        (Some(username), None) => Ok(Account::Staff(username.into())),
        (None, Some(card)) => Ok(Account::Reader(card)),
        (None, None) => Err(Problem::malformed("username", "is needed, or card_number")),
        (Some(_), Some(_)) => Err(Problem::malformed(
            "card_number",
            "only one of username and card_number may be given",
        )),
    }
}
