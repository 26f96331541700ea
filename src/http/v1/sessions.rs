//! Log-in, refresh and log-out. These take no idempotency key: a stored answer would be a stored token.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::ExposeSecret;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::log_in_body::LogInBody;
use crate::app::App;
use crate::domain::barcode::CardNumber;
use crate::domain::ids::{ReaderId, StaffId};
use crate::http::answer::{self, Answer};
use crate::http::client_address::client_network;
use crate::http::extract::{Anyone, Changing, Nothing};
use crate::http::input::{CodeText, Secret, Text, text};
use crate::http::openapi::{ChangeOneFailures, LogOutFailures, SessionFailures};
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::usecase::UseCaseError;
use crate::usecase::log_in::{self, LogIn};
use crate::usecase::log_out_everywhere::{self, EndedSessions, Whose};
use crate::usecase::session::SessionView;
use crate::usecase::{log_out, refresh_token};

#[derive(utoipa::OpenApi)]
#[openapi(paths(log_in, refresh_token, log_out, log_out_everywhere))]
pub struct Document;

/// Staff: `username` and `password`, and the desk's `unit_code` where it is not the only one. Readers: `card_number` and
/// `pin`. Devices: `device_code` and `secret`. The document says it in `LogInBody`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogInRequest {
    username: Option<Text<64>>,
    password: Option<Secret>,
    unit_code: Option<CodeText>,
    code: Option<CodeText>,
    card_number: Option<CardNumber>,
    pin: Option<Secret>,
    device_code: Option<Text<64>>,
    secret: Option<Secret>,
}

impl TryFrom<LogInRequest> for LogIn {
    type Error = Problem;

    fn try_from(request: LogInRequest) -> Result<Self, Problem> {
        let named = [
            request.username.is_some(),
            request.card_number.is_some(),
            request.device_code.is_some(),
        ];
        match named {
            [true, false, false] => request.of_staff(),
            [false, true, false] => request.of_reader(),
            [false, false, true] => request.of_device(),
            [false, false, false] => Err(Problem::malformed(
                "username",
                "is needed, or card_number, or device_code",
            )),
            _ => Err(Problem::malformed(
                "username",
                "only one of username, card_number and device_code may be given",
            )),
        }
    }
}

impl LogInRequest {
    fn of_staff(self) -> Result<LogIn, Problem> {
        excluded(&[("pin", self.pin.is_some()), ("secret", self.secret.is_some())])?;
        Ok(LogIn::Staff {
            username: needed("username", self.username)?.into(),
            password: needed("password", self.password)?.0,
            unit_code: text(self.unit_code),
            code: text(self.code),
        })
    }

    fn of_reader(self) -> Result<LogIn, Problem> {
        excluded(&[
            ("password", self.password.is_some()),
            ("secret", self.secret.is_some()),
            ("unit_code", self.unit_code.is_some()),
            ("code", self.code.is_some()),
        ])?;
        Ok(LogIn::Reader {
            card_number: needed("card_number", self.card_number)?,
            pin: needed("pin", self.pin)?.0,
        })
    }

    fn of_device(self) -> Result<LogIn, Problem> {
        excluded(&[
            ("password", self.password.is_some()),
            ("pin", self.pin.is_some()),
            ("unit_code", self.unit_code.is_some()),
            ("code", self.code.is_some()),
        ])?;
        Ok(LogIn::Device {
            code: needed("device_code", self.device_code)?.into(),
            secret: needed("secret", self.secret)?.0,
        })
    }
}

fn needed<T>(field: &str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::malformed(field, "is needed for this kind of log-in"))
}

fn excluded(given: &[(&str, bool)]) -> Result<(), Problem> {
    match given.iter().find(|(_, given)| *given) {
        Some((field, _)) => Err(Problem::malformed(*field, "does not belong to this kind of log-in")),
        None => Ok(()),
    }
}

/// Opens a session. Wrong secrets slow down the next attempts on that account from that address, more with each; after many
/// from everywhere, those of addresses that never logged in to it.
#[utoipa::path(post, path = "/api/v1/sessions", operation_id = "logIn", tag = "sessions", request_body = LogInBody,
    responses(
        (status = 201, description = "A session", body = SessionView,
            headers(("Location" = String, description = "Where it is ended"))),
        SessionFailures))]
pub async fn log_in(app: web::Data<App>, from: HttpRequest, request: Changing<LogInRequest>) -> Answer {
    let command = LogIn::try_from(request.body)?;
    let session = log_in::log_in(&app.store, app.session_tools(), command, client_network(&from)).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, "/api/v1/sessions/current"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(session))
}

/// A refresh token, as log-in or the last refresh answered it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    #[schema(value_type = String, format = Password, max_length = 128)]
    refresh_token: Secret,
}

/// Replaces a refresh token. One used a second time ends its session: somebody else has it.
#[utoipa::path(post, path = "/api/v1/sessions/refresh", operation_id = "refreshToken", tag = "sessions",
    request_body = RefreshRequest,
    responses((status = 200, description = "New tokens", body = SessionView), SessionFailures))]
pub async fn refresh_token(app: web::Data<App>, request: Changing<RefreshRequest>) -> Answer {
    let token = request.body.refresh_token.0;
    let session = refresh_token::refresh_token(&app.store, app.session_tools(), token.expose_secret()).await?;
    answer::ok(&session)
}

/// Ends the session: its refresh tokens at once, its access token within its minutes. Again: nothing changes.
#[utoipa::path(delete, path = "/api/v1/sessions/current", operation_id = "logOut", tag = "sessions",
    security(("bearer" = [])),
    responses((status = 204, description = "Ended"), LogOutFailures))]
pub async fn log_out(app: web::Data<App>, who: Anyone, _: Changing<Nothing>) -> Answer {
    log_out::log_out(&app.store, &who.caller).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Whose sessions end; nobody named: the caller's own.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhoseSessions {
    /// A member of staff, every role of whom the caller could have given.
    staff_id: Option<i64>,
    /// A reader; for staff who register readers.
    reader_id: Option<i64>,
}

/// Ends all sessions of the caller or of the person named: refresh tokens at once, access tokens within their minutes. Again:
/// nothing changes.
#[utoipa::path(delete, path = "/api/v1/sessions", operation_id = "logOutEverywhere", tag = "sessions",
    params(WhoseSessions), security(("bearer" = [])),
    responses((status = 200, description = "Ended", body = EndedSessions), ChangeOneFailures))]
pub async fn log_out_everywhere(app: web::Data<App>, who: Anyone, whose: Parameters<WhoseSessions>) -> Answer {
    let whose = match (whose.0.staff_id, whose.0.reader_id) {
        (None, None) => Whose::Own,
        (Some(id), None) => Whose::Staff(StaffId::new(id)),
        (None, Some(id)) => Whose::Reader(ReaderId::new(id)),
        _ => {
            return Err(UseCaseError::field("reader_id", "only one of staff_id and reader_id may be given").into());
        }
    };
    answer::ok(&log_out_everywhere::log_out_everywhere(&app.store, &who.caller, whose).await?)
}
