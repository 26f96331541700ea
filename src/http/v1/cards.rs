//! Cards: issued, reported lost, found, handed out, given another end, replaced, cancelled.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::barcode::CardNumber;
use crate::domain::card_life::CardAct;
use crate::domain::ids::{CardId, ReaderId};
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesCards, ReportsLostCards};
use crate::http::input::{CodeText, Day, Remark, text};
use crate::http::openapi::{ChangeOneFailures, IdempotencyHeader};
use crate::usecase::card_view::CardOutcome;
use crate::usecase::change_card::{self, ChangeCard};
use crate::usecase::issue_card::{self, IssueCard};
use crate::usecase::replace_card::{self, ReplaceCard};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    issue_card,
    report_card_lost,
    report_card_found,
    renew_card,
    replace_card,
    cancel_card
))]
pub struct Document;

/// Another credential.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCard {
    /// `physical`, `e_card`, `id_card`, `social_security` or `other_city`.
    #[schema(value_type = String, max_length = 32, example = "physical")]
    kind: CodeText,
    /// What the card bears; left out for an ID card and a social-security card, which are found by the reader's ID number;
    /// an electronic card without one gets one.
    #[schema(value_type = Option<String>, pattern = "^ *[!-~]{1,64} *$", example = "JC00012346")]
    number: Option<CardNumber>,
    /// The last day it is good for; without one it does not expire.
    #[schema(value_type = Option<chrono::NaiveDate>)]
    expires_on: Option<Day>,
    /// Who issued a card of another city; for no other kind.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "苏州图书馆")]
    issuer: Option<Remark<100>>,
    /// Who uses a card of an institution; for no other reader.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "王老师")]
    holder_name: Option<Remark<100>>,
}

/// Gives a reader another card. An ID card or social-security card becomes one without a number: whoever shows it is found.
#[utoipa::path(post, path = "/api/v1/readers/{id}/cards", operation_id = "issueCard", tag = "cards",
    params(("id" = i64, Path, description = "The reader's id"), IdempotencyHeader),
    request_body = NewCard, security(("bearer" = [])),
    responses((status = 201, description = "The card", body = CardOutcome), ChangeOneFailures))]
pub async fn issue_card(
    app: web::Data<App>,
    who: ManagesCards,
    id: web::Path<i64>,
    request: Changing<NewCard>,
) -> Answer {
    let card = request.body;
    let command = IssueCard {
        reader: ReaderId::new(*id),
        kind: card.kind.into(),
        number: card.number,
        expires_on: card.expires_on.map(|day| day.0),
        issuer: text(card.issuer),
        holder_name: text(card.holder_name),
    };
    let made = issue_card::issue_card(&app.store, &who.caller, command, request.key).await?;
    answer::created(&made, None)
}

/// Why; usually an empty object.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CardNote {
    /// Kept with the event until the reader is erased.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500, example = "地铁上遗失")]
    reason: Option<Remark<500>>,
}

/// Until when.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CardTerm {
    /// The last day it is good for; without one it does not expire.
    #[schema(value_type = Option<chrono::NaiveDate>)]
    expires_on: Option<Day>,
}

fn noted(id: i64, act: CardAct, note: CardNote) -> ChangeCard {
    ChangeCard {
        card: CardId::new(id),
        act,
        expires_on: None,
        reason: text(note.reason),
    }
}

fn termed(id: i64, act: CardAct, term: CardTerm) -> ChangeCard {
    ChangeCard {
        card: CardId::new(id),
        act,
        expires_on: term.expires_on.map(|day| day.0),
        reason: None,
    }
}

/// Reports a card as lost: from now on it opens nothing. Readers report their own.
#[utoipa::path(post, path = "/api/v1/cards/{id}/loss", operation_id = "reportCardLost", tag = "cards",
    params(("id" = i64, Path, description = "The card's id"), IdempotencyHeader),
    request_body = CardNote, security(("bearer" = [])),
    responses((status = 200, description = "The card", body = CardOutcome), ChangeOneFailures))]
pub async fn report_card_lost(
    app: web::Data<App>,
    who: ReportsLostCards,
    id: web::Path<i64>,
    request: Changing<CardNote>,
) -> Answer {
    let command = noted(*id, CardAct::ReportLost, request.body);
    answer::done(&change_card::change_card(&app.store, &who.caller, command, request.key).await?)
}

/// A card that was reported lost has turned up: it is good again.
#[utoipa::path(post, path = "/api/v1/cards/{id}/loss/end", operation_id = "reportCardFound", tag = "cards",
    params(("id" = i64, Path, description = "The card's id"), IdempotencyHeader),
    request_body = CardNote, security(("bearer" = [])),
    responses((status = 200, description = "The card", body = CardOutcome), ChangeOneFailures))]
pub async fn report_card_found(
    app: web::Data<App>,
    who: ManagesCards,
    id: web::Path<i64>,
    request: Changing<CardNote>,
) -> Answer {
    let command = noted(*id, CardAct::ReportFound, request.body);
    answer::done(&change_card::change_card(&app.store, &who.caller, command, request.key).await?)
}

/// Gives a card another end; one that has expired is good again.
#[utoipa::path(post, path = "/api/v1/cards/{id}/renewals", operation_id = "renewCard", tag = "cards",
    params(("id" = i64, Path, description = "The card's id"), IdempotencyHeader),
    request_body = CardTerm, security(("bearer" = [])),
    responses((status = 200, description = "The card", body = CardOutcome), ChangeOneFailures))]
pub async fn renew_card(
    app: web::Data<App>,
    who: ManagesCards,
    id: web::Path<i64>,
    request: Changing<CardTerm>,
) -> Answer {
    let command = termed(*id, CardAct::Renew, request.body);
    answer::done(&change_card::change_card(&app.store, &who.caller, command, request.key).await?)
}

/// A card in the place of another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    /// What the new card bears; left out for an ID card and a social-security card; an electronic card without one gets one.
    #[schema(value_type = Option<String>, pattern = "^ *[!-~]{1,64} *$", example = "JC00012347")]
    number: Option<CardNumber>,
    /// The last day it is good for; that of the old card by default.
    #[schema(value_type = Option<chrono::NaiveDate>)]
    expires_on: Option<Day>,
    /// Kept with the event until the reader is erased.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500, example = "卡面磨损")]
    reason: Option<Remark<500>>,
}

/// Replaces a card that is lost, worn or expired. Loans, holds, debt and credit stay with the reader.
#[utoipa::path(post, path = "/api/v1/cards/{id}/replacement", operation_id = "replaceCard", tag = "cards",
    params(("id" = i64, Path, description = "The card's id"), IdempotencyHeader),
    request_body = Replacement, security(("bearer" = [])),
    responses((status = 201, description = "The new card", body = CardOutcome), ChangeOneFailures))]
pub async fn replace_card(
    app: web::Data<App>,
    who: ManagesCards,
    id: web::Path<i64>,
    request: Changing<Replacement>,
) -> Answer {
    let card = request.body;
    let command = ReplaceCard {
        card: CardId::new(*id),
        number: card.number,
        expires_on: card.expires_on.map(|day| day.0),
        reason: text(card.reason),
    };
    let made = replace_card::replace_card(&app.store, &who.caller, command, request.key).await?;
    answer::created(&made, None)
}

/// Cancels a card. The last one that is good needs a reader with nothing on loan, on hold or owed.
#[utoipa::path(post, path = "/api/v1/cards/{id}/cancellation", operation_id = "cancelCard", tag = "cards",
    params(("id" = i64, Path, description = "The card's id"), IdempotencyHeader),
    request_body = CardNote, security(("bearer" = [])),
    responses((status = 200, description = "The card", body = CardOutcome), ChangeOneFailures))]
pub async fn cancel_card(
    app: web::Data<App>,
    who: ManagesCards,
    id: web::Path<i64>,
    request: Changing<CardNote>,
) -> Answer {
    let command = noted(*id, CardAct::Cancel, request.body);
    answer::done(&change_card::change_card(&app.store, &who.caller, command, request.key).await?)
}
