//! What webhooks were told, what waits, and what was given up; and telling it again.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::once::once;
use super::page::{Page, PageRequest};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::event::EventKind;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::notices::webhooks::{Deliveries, Delivery, Webhook};
use crate::store::outbox::OutboxRow;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// Deliveries told again by one call.
const REPLAYED_AT_ONCE: i64 = 1_000;

/// One event for one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WebhookDeliveryView {
    #[schema(example = 90211)]
    pub id: i64,
    /// The id under which it is told, the same at every attempt.
    #[schema(example = "9001-4711")]
    pub event_id: String,
    /// `waiting`, `retrying`, `done`, or `failed`: given up, until it is replayed.
    #[schema(example = "failed")]
    pub state: String,
    /// How often it was tried since it was made or replayed.
    #[schema(example = 3)]
    pub attempts: i32,
    /// The HTTP status with which it was taken.
    #[schema(example = 204)]
    pub status: Option<i32>,
    /// What went wrong last.
    #[schema(example = "it answered 500")]
    pub error: Option<String>,
    /// When it was made (UTC).
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub made_at: DateTime<Utc>,
    /// When it is tried next (UTC).
    #[schema(example = "2026-03-04T08:16:00Z")]
    pub next_at: Option<DateTime<Utc>>,
    /// When it was taken (UTC).
    #[schema(example = "2026-03-04T08:15:05Z")]
    pub told_at: Option<DateTime<Utc>>,
}

/// How many deliveries are told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayedDeliveries {
    /// Call again for more when it is 1000.
    #[schema(example = 12)]
    pub replayed: i64,
}

impl Outcome for ReplayedDeliveries {}

/// Which deliveries are listed.
#[derive(Debug, Clone, Copy)]
pub struct ListedDeliveries(Deliveries);

impl ListedDeliveries {
    /// All for none; `None` for a word that is none of them.
    pub fn from_code(code: Option<&str>) -> Option<Self> {
        let which = match code {
            None => Deliveries::All,
            Some("waiting") => Deliveries::Waiting,
            Some("done") => Deliveries::Done,
            Some("failed") => Deliveries::Failed,
            Some(_) => return None,
        };
        Some(Self(which))
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct ReplayDeliveries {
    pub webhook: i64,
    /// One delivery, also one that was taken; `None`: all that were given up.
    pub delivery: Option<i64>,
}

/// Lists what a webhook was told, the newest first.
///
/// # Errors
/// `NotFound`; `Forbidden` without the right at the root; a failure of the store.
pub async fn list_webhook_deliveries(
    store: &Arc<Store>,
    caller: &Caller,
    webhook: i64,
    which: ListedDeliveries,
    page: PageRequest,
) -> Result<Page<WebhookDeliveryView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            known(tx, &caller, webhook)?;
            let rows = tx.deliveries_of(webhook, which.0, page.before_id(), page.fetch())?;
            Ok(page.cut(rows, |(row, _)| row.id).map(|(row, told)| view(&row, told)))
        })
        .await
}

/// Tells again what was given up, or one delivery.
///
/// # Errors
/// `NotFound`; `State` for a delivery that waits still; `Forbidden` without the right at the root; a failure of the store.
pub async fn replay_webhook_deliveries(
    store: &Arc<Store>,
    caller: &Caller,
    command: ReplayDeliveries,
    key: Option<IdempotencyKey>,
) -> Result<Once<ReplayedDeliveries>> {
    caller.require_somewhere(Right::ManageUnits)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &ReplayDeliveries,
    mut ids: IdRun,
) -> Result<ReplayedDeliveries> {
    let webhook = known(tx, caller, command.webhook)?;
    let replayed = match command.delivery {
        Some(id) => {
            let delivery = tx.delivery(id)?.filter(|delivery| delivery.webhook_id == webhook.id);
            delivery.ok_or(UseCaseError::NotFound("delivery"))?;
            if !tx.replay_delivery(id)? {
                return Err(UseCaseError::State("it waits to be told already".to_owned()));
            }
            1
        }
        None => i64::try_from(tx.replay_failed(webhook.id, REPLAYED_AT_ONCE)?).unwrap_or(i64::MAX),
    };
    let detail = json!({"changed": "webhook", "webhook_id": webhook.id, "what": "replayed", "deliveries": replayed});
    let event = Event::new(EventKind::UnitChanged, tx.now(), webhook.unit(), caller.own_channel())
        .by(caller.staff(), caller.device())
        .detail(detail);
    tx.append_event(ids.next(), &event)?;
    Ok(ReplayedDeliveries { replayed })
}

fn known(tx: &mut ReadTx<'_>, caller: &Caller, webhook: i64) -> Result<Webhook> {
    let network = tx.network()?;
    let root = network.units().root().ok_or(UseCaseError::NotFound("unit"))?.id;
    caller.require(Right::ManageUnits, root, &network)?;
    tx.webhook(webhook)?.ok_or(UseCaseError::NotFound("webhook"))
}

fn view(row: &Delivery, told: OutboxRow) -> WebhookDeliveryView {
    WebhookDeliveryView {
        id: row.id,
        state: told.status().to_owned(),
        attempts: told.attempts,
        status: row.status,
        made_at: from_millis(row.made_at),
        next_at: told.next_at.map(from_millis),
        told_at: told.done_at.map(from_millis),
        event_id: told.message_key,
        error: told.error,
    }
}
