//! Webhooks: other systems that are told of events, and what they were told.

use actix_web::web;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::delivery::public_hosts::PublicHosts;
use crate::http::answer::{self, Answer};
use crate::http::extract::{Changing, ManagesUnits, Nothing};
use crate::http::input::{CodeText, Cursor, Limit, PageBody, Text, page};
use crate::http::openapi::{
    ChangeFailures, ChangeOneFailures, ChangeSeenFailures, IdempotencyHeader, ListFailures, LookWithFailures,
};
use crate::http::precondition::{self, IfMatchGiven, IfMatchGivenHeader};
use crate::http::query::Parameters;
use crate::usecase::webhook_deliveries::{
    self, ListedDeliveries, ReplayDeliveries, ReplayedDeliveries, WebhookDeliveryView,
};
use crate::usecase::webhooks::{self, ChangeWebhook, NewWebhook, WebhookView};
use crate::usecase::{Once, UseCaseError};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    list_webhooks,
    create_webhook,
    update_webhook,
    remove_webhook,
    rotate_webhook_secret,
    list_webhook_deliveries,
    replay_webhook_deliveries,
    replay_webhook_delivery
))]
pub struct Document;

/// Every webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookList {
    items: Vec<WebhookView>,
}

/// A webhook with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookWithSecret {
    /// The webhook as it is now.
    webhook: WebhookView,
    /// Signs what is told; shown here and never again.
    #[schema(example = "whsec_3f0c…")]
    secret: String,
}

/// Lists the webhooks.
#[utoipa::path(get, path = "/api/v1/webhooks", operation_id = "listWebhooks", tag = "webhooks", security(("bearer" = [])),
    responses((status = 200, description = "The webhooks", body = WebhookList), ListFailures))]
pub async fn list_webhooks(app: web::Data<App>, who: ManagesUnits) -> Answer {
    let items = webhooks::list_webhooks(&app.store, &who.caller).await?;
    answer::ok(&WebhookList { items })
}

/// A new webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookRequest {
    /// Events at this unit and below are told.
    #[schema(value_type = String, max_length = 32, example = "C1")]
    unit_code: CodeText,
    /// https, or http to the machine itself. Its host may not be or lead to a private or reserved address, unless whoever runs the server
    /// admits its network (`webhooks.allow_private`).
    #[schema(value_type = String, max_length = 500, example = "https://city.example.org/library-events")]
    url: Text<500>,
    /// Kinds of events; `*`: every kind.
    #[schema(min_items = 1, max_items = 100, example = json!(["loan_made", "loan_returned"]))]
    kinds: Vec<String>,
}

/// Makes a webhook. Needs rights at the root of the network.
#[utoipa::path(post, path = "/api/v1/webhooks", operation_id = "createWebhook", tag = "webhooks",
    params(IdempotencyHeader), request_body = WebhookRequest, security(("bearer" = [])),
    responses((status = 201, description = "The webhook", body = WebhookWithSecret), ChangeFailures))]
pub async fn create_webhook(app: web::Data<App>, who: ManagesUnits, request: Changing<WebhookRequest>) -> Answer {
    let command = NewWebhook {
        unit_code: request.body.unit_code.into(),
        url: request.body.url.into(),
        kinds: request.body.kinds,
    };
    let made = webhooks::create_webhook(&app.store, &places(&app), &who.caller, command, request.key).await?;
    answer::created(&with_secret(&app, made), None)
}

fn places(app: &App) -> PublicHosts {
    PublicHosts::of(&app.config.webhooks)
}

fn with_secret(app: &App, made: Once<WebhookView>) -> Once<WebhookWithSecret> {
    Once {
        replayed: made.replayed,
        value: WebhookWithSecret {
            secret: webhooks::secret_of(&made.value, &app.derived()),
            webhook: made.value,
        },
    }
}

/// What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookChange {
    /// https, or http to the machine itself. Its host may not be or lead to a private or reserved address, unless whoever runs the server
    /// admits its network (`webhooks.allow_private`).
    #[schema(value_type = Option<String>, max_length = 500, example = "https://city.example.org/library-events")]
    url: Option<Text<500>>,
    /// Kinds of events; `*`: every kind.
    #[schema(min_items = 1, max_items = 100, example = json!(["*"]))]
    kinds: Option<Vec<String>>,
    /// False: nothing is told, and nothing is kept to be told later.
    #[schema(example = true)]
    active: Option<bool>,
}

/// Changes a webhook. Needs rights at the root of the network.
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", operation_id = "updateWebhook", tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook's id"), IdempotencyHeader, IfMatchGivenHeader),
    request_body = WebhookChange, security(("bearer" = [])),
    responses((status = 200, description = "The webhook", body = WebhookView), ChangeSeenFailures))]
pub async fn update_webhook(
    app: web::Data<App>,
    who: ManagesUnits,
    id: web::Path<i64>,
    seen: IfMatchGiven,
    request: Changing<WebhookChange>,
) -> Answer {
    let command = ChangeWebhook {
        id: *id,
        url: request.body.url.map(String::from),
        kinds: request.body.kinds,
        active: request.body.active,
        seen: seen.0,
        ..ChangeWebhook::default()
    };
    let done = webhooks::change_webhook(&app.store, &places(&app), &who.caller, command, request.key).await?;
    precondition::tagged(answer::done(&done), done.value.version)
}

/// Removes a webhook: what waits for it is not told any more. Needs rights at the root of the network.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", operation_id = "removeWebhook", tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook's id"), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The webhook as it was", body = WebhookView), ChangeOneFailures))]
pub async fn remove_webhook(
    app: web::Data<App>,
    who: ManagesUnits,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    let command = ChangeWebhook {
        id: *id,
        remove: true,
        ..ChangeWebhook::default()
    };
    answer::done(&webhooks::change_webhook(&app.store, &places(&app), &who.caller, command, request.key).await?)
}

/// Gives a webhook another secret; for a day the one before signs, too. Needs rights at the root of the network.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/secret", operation_id = "rotateWebhookSecret", tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook's id"), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "The webhook", body = WebhookWithSecret), ChangeOneFailures))]
pub async fn rotate_webhook_secret(
    app: web::Data<App>,
    who: ManagesUnits,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    let command = ChangeWebhook {
        id: *id,
        rotate: true,
        ..ChangeWebhook::default()
    };
    let done = webhooks::change_webhook(&app.store, &places(&app), &who.caller, command, request.key).await?;
    answer::done(&with_secret(&app, done))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryFilter {
    /// `waiting`, `done` or `failed` (the dead-letter list); all if absent.
    #[param(value_type = Option<String>, max_length = 32)]
    state: Option<CodeText>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Rows of a page; 50 by default.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
}

/// Lists what a webhook was told, the newest first.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", operation_id = "listWebhookDeliveries", tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook's id"), DeliveryFilter), security(("bearer" = [])),
    responses((status = 200, description = "A page of deliveries", body = PageBody<WebhookDeliveryView>), LookWithFailures))]
pub async fn list_webhook_deliveries(
    app: web::Data<App>,
    who: ManagesUnits,
    id: web::Path<i64>,
    asked: Parameters<DeliveryFilter>,
) -> Answer {
    let state = asked.0.state.as_ref().map(AsRef::as_ref);
    let which = ListedDeliveries::from_code(state)
        .ok_or_else(|| UseCaseError::field("state", "must be waiting, done or failed"))?;
    let page = page(asked.0.cursor, asked.0.limit);
    let told = webhook_deliveries::list_webhook_deliveries(&app.store, &who.caller, *id, which, page).await?;
    answer::ok(&PageBody::from(told))
}

/// Tells a webhook again what was given up, a thousand at a time.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/deliveries/replay", operation_id = "replayWebhookDeliveries",
    tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook's id"), IdempotencyHeader), security(("bearer" = [])),
    responses((status = 200, description = "How many", body = ReplayedDeliveries), ChangeOneFailures))]
pub async fn replay_webhook_deliveries(
    app: web::Data<App>,
    who: ManagesUnits,
    id: web::Path<i64>,
    request: Changing<Nothing>,
) -> Answer {
    let command = ReplayDeliveries {
        webhook: *id,
        delivery: None,
    };
    answer::done(&webhook_deliveries::replay_webhook_deliveries(&app.store, &who.caller, command, request.key).await?)
}

/// Tells a webhook one event again, also one that it took.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/deliveries/{delivery}/replay", operation_id = "replayWebhookDelivery",
    tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook's id"), ("delivery" = i64, Path, description = "The delivery's id"),
        IdempotencyHeader),
    security(("bearer" = [])),
    responses((status = 200, description = "One", body = ReplayedDeliveries), ChangeOneFailures))]
pub async fn replay_webhook_delivery(
    app: web::Data<App>,
    who: ManagesUnits,
    path: web::Path<(i64, i64)>,
    request: Changing<Nothing>,
) -> Answer {
    let (webhook, delivery) = path.into_inner();
    let command = ReplayDeliveries {
        webhook,
        delivery: Some(delivery),
    };
    answer::done(&webhook_deliveries::replay_webhook_deliveries(&app.store, &who.caller, command, request.key).await?)
}
