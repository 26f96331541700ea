//! Readers at a locker: who they are, what they fetch, borrow and bring back.

use actix_web::HttpRequest;
use actix_web::web::{self, ServiceConfig, post, resource};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::barcode::{Barcode, CardNumber};
use crate::domain::compartment_choice::Size;
use crate::domain::ids::LockerSessionId;
use crate::http::answer::{self, Answer};
use crate::http::client_address::client_network;
use crate::http::extract::{Changing, Nothing, Operates};
use crate::http::input::{List, Secret, Text};
use crate::http::openapi::{ChangeFailures, ChangeOneFailures, IdempotencyHeader};
use crate::http::v1::electronic_cards::scanned;
use crate::usecase::UseCaseError;
use crate::usecase::locker_pick_up::{self, LockerLoans, LockerPickUp, MAX_HOLDS, Wanted};
use crate::usecase::locker_return::{self, LockerReturn, LockerReturnView};
use crate::usecase::locker_session::{self, Identified, LockerSessionView, StartLockerSession};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    start_locker_session,
    end_locker_session,
    locker_pick_up,
    locker_borrow,
    locker_return
))]
pub struct Document;

/// Routes below `/api/v1`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/device/locker-sessions").route(post().to(start_locker_session)))
        .service(resource("/device/locker-sessions/{id}/end").route(post().to(end_locker_session)))
        .service(resource("/device/locker-sessions/{id}/pick-ups").route(post().to(locker_pick_up)))
        .service(resource("/device/locker-sessions/{id}/loans").route(post().to(locker_borrow)))
        .service(resource("/device/returns").route(post().to(locker_return)));
}

/// Who is there: `card_token`, or `card_number` and `pin`, or `id_number` and `pin`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLockerSession {
    /// The text of the QR code that an electronic card shows.
    #[schema(value_type = Option<String>, max_length = 512, example = json!(null))]
    card_token: Option<Secret>,
    #[schema(value_type = Option<String>)]
    card_number: Option<CardNumber>,
    /// Of an ID card that is one of the reader's cards. Its number is not kept.
    #[schema(value_type = Option<String>, max_length = 64, example = json!(null))]
    id_number: Option<CardNumber>,
    /// With a number.
    #[schema(value_type = Option<String>, format = Password, max_length = 32, example = "240117")]
    pin: Option<Secret>,
    /// Which screen of the machine; 1 by default.
    #[schema(minimum = 1, maximum = 8, example = 1)]
    screen: Option<u8>,
}

/// A reader identifies at the machine. One session per screen: the same reader goes on with theirs.
#[utoipa::path(post, path = "/api/v1/device/locker-sessions", operation_id = "startLockerSession", tag = "devices",
    params(IdempotencyHeader), request_body = NewLockerSession, security(("bearer" = [])),
    responses((status = 201, description = "The session, and what lies ready", body = LockerSessionView), ChangeFailures))]
pub async fn start_locker_session(
    app: web::Data<App>,
    who: Operates,
    from: HttpRequest,
    request: Changing<NewLockerSession>,
) -> Answer {
    let command = StartLockerSession {
        screen: request.body.screen.unwrap_or(1),
        who: identified(&app, request.body)?,
    };
    let address = client_network(&from);
    let tools = app.session_tools();
    let opened =
        locker_session::start_locker_session(&app.store, tools, &who.caller, command, address, request.key).await?;
    answer::created(&opened, None)
}

fn identified(app: &App, body: NewLockerSession) -> Result<Identified, UseCaseError> {
    let number = match (body.card_number, body.id_number) {
        (Some(_), Some(_)) => {
            return Err(UseCaseError::field(
                "id_number",
                "is given beside card_number: one is enough",
            ));
        }
        (card, id) => card.or(id),
    };
    match (body.card_token, number, body.pin) {
        (Some(token), None, None) => Ok(Identified::Code(scanned(app, &token))),
        (Some(_), _, _) => Err(UseCaseError::field("card_token", "needs nothing beside it")),
        (None, Some(number), Some(pin)) => Ok(Identified::Pin(number, pin.0)),
        (None, Some(_), None) => Err(UseCaseError::field("pin", "is needed with a number")),
        (None, None, _) => Err(UseCaseError::field(
            "card_token",
            "is needed, or card_number and pin, or id_number and pin",
        )),
    }
}

/// Ends a session: the reader is done.
#[utoipa::path(post, path = "/api/v1/device/locker-sessions/{id}/end", operation_id = "endLockerSession",
    tag = "devices",
    params(("id" = i64, Path, description = "The session's id"), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The session", body = LockerSessionView), ChangeOneFailures))]
pub async fn end_locker_session(
    app: web::Data<App>,
    who: Operates,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    let session = LockerSessionId::new(*id);
    answer::done(&locker_session::end_locker_session(&app.store, &who.caller, session, request.key).await?)
}

/// What is fetched.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPickUp {
    /// The holds; none: all that lie ready here.
    #[serde(default)]
    #[schema(value_type = Vec<i64>, max_items = 50, example = json!([2001]))]
    hold_ids: List<i64, 0, MAX_HOLDS>,
}

/// Lends what lies ready for the reader. As many doors open as may stand open at once; the others wait: ask again when those are closed.
#[utoipa::path(post, path = "/api/v1/device/locker-sessions/{id}/pick-ups", operation_id = "lockerPickUp",
    tag = "devices",
    params(("id" = i64, Path, description = "The session's id"), IdempotencyHeader),
    request_body = NewPickUp, security(("bearer" = [])),
    responses((status = 200, description = "What was lent, refused, and waits", body = LockerLoans), ChangeOneFailures))]
pub async fn locker_pick_up(
    app: web::Data<App>,
    who: Operates,
    id: web::Path<i64>,
    request: Changing<NewPickUp>,
) -> Answer {
    let command = LockerPickUp {
        session: LockerSessionId::new(*id),
        what: Wanted::Ready(request.body.hold_ids.0),
    };
    let lent = locker_pick_up::locker_pick_up(&app.store, &app.board, &who.caller, command, request.key).await?;
    answer::done(&lent)
}

/// What is borrowed: exactly one of both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLockerLoan {
    /// The number on the door.
    #[schema(minimum = 1, maximum = 9999, example = 12)]
    compartment: Option<u16>,
    #[schema(value_type = Option<String>)]
    item_barcode: Option<Barcode>,
}

/// Lends the book the reader points at.
#[utoipa::path(post, path = "/api/v1/device/locker-sessions/{id}/loans", operation_id = "lockerBorrow", tag = "devices",
    params(("id" = i64, Path, description = "The session's id"), IdempotencyHeader),
    request_body = NewLockerLoan, security(("bearer" = [])),
    responses((status = 200, description = "What was lent, or refused", body = LockerLoans), ChangeOneFailures))]
pub async fn locker_borrow(
    app: web::Data<App>,
    who: Operates,
    id: web::Path<i64>,
    request: Changing<NewLockerLoan>,
) -> Answer {
    let what = match (request.body.compartment, request.body.item_barcode) {
        (Some(number), None) => Wanted::Compartment(number),
        (None, Some(barcode)) => Wanted::Item(barcode),
        (None, None) => return Err(UseCaseError::field("compartment", "is needed, or item_barcode").into()),
        (Some(_), Some(_)) => {
            let reason = "is given beside compartment: one is enough";
            return Err(UseCaseError::field("item_barcode", reason).into());
        }
    };
    let command = LockerPickUp {
        session: LockerSessionId::new(*id),
        what,
    };
    let lent = locker_pick_up::locker_pick_up(&app.store, &app.board, &who.caller, command, request.key).await?;
    answer::done(&lent)
}

/// What is brought back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLockerReturn {
    /// How large it is: `small`, `medium` (the default) or `large`.
    #[schema(value_type = Option<String>, pattern = "^(small|medium|large)$", example = "small")]
    size: Option<Text<16>>,
    /// The reader's session, if there is one.
    #[schema(example = 7001)]
    session_id: Option<i64>,
}

/// Opens a door for what a reader brings back. Nobody has to identify; what it is, the report of the door says.
#[utoipa::path(post, path = "/api/v1/device/returns", operation_id = "lockerReturn", tag = "devices",
    params(IdempotencyHeader), request_body = NewLockerReturn, security(("bearer" = [])),
    responses((status = 201, description = "The door, and the number on the receipt", body = LockerReturnView),
        ChangeOneFailures))]
pub async fn locker_return(app: web::Data<App>, who: Operates, request: Changing<NewLockerReturn>) -> Answer {
    let size = match request.body.size.map(String::from) {
        None => Size::UNRECORDED,
        Some(word) => {
            Size::from_code(&word).ok_or_else(|| UseCaseError::field("size", "must be small, medium or large"))?
        }
    };
    let command = LockerReturn {
        size,
        session: request.body.session_id.map(LockerSessionId::new),
    };
    let opened = locker_return::locker_return(&app.store, &app.board, &who.caller, command, request.key).await?;
    answer::created(&opened, None)
}
