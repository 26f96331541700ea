//! Tells webhooks of events: the body is put together when it is told, from the event alone, which names no reader. The adapter
//! stands in `delivery`.

use std::future::Future;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::Result;
use super::deliver_outbox::{Consumer, Fault};
use super::view::unit_code;
use crate::auth::DerivedSecrets;
use crate::clock::from_millis;
use crate::domain::network::Network;
use crate::store::notices::walk::News;
use crate::store::notices::webhooks::{WEBHOOK, Webhook};
use crate::store::outbox::OutboxRow;
use crate::store::tx::{ReadTx, WriteTx};

/// For how long after a rotation the secret before signs, too.
const OLD_SECRET_HOURS: i64 = 24;

/// An event for one webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub webhook: i64,
    pub url: String,
    /// The newest first.
    pub secrets: Vec<String>,
    pub body: Value,
}

/// Somebody who tells webhooks.
pub trait Hooks: Send + Sync + 'static {
    /// Tells it, in bounded time; answers the HTTP status, one of success.
    fn tell(&self, key: &str, told: Told) -> impl Future<Output = std::result::Result<u16, Fault>> + Send;

    /// False while this webhook does not answer.
    fn is_ready(&self, webhook: i64) -> bool;
}

/// Tells what the outbox holds for webhooks.
#[derive(Debug)]
pub struct TellWebhooks<H> {
    pub hooks: Arc<H>,
    pub secrets: DerivedSecrets,
}

/// What is read for one delivery.
#[derive(Debug, Clone)]
pub struct ToTell {
    webhook: Webhook,
    /// Which secrets sign, the newest first.
    secrets: Vec<i64>,
    body: Value,
}

impl<H: Hooks> Consumer for TellWebhooks<H> {
    const NAME: &'static str = WEBHOOK;
    const ROWS_PER_LOOK: i64 = 64;
    const AT_ONCE: usize = 16;
    const LAPSES: bool = true;
    type Message = ToTell;
    type Receipt = u16;

    fn is_ready_for(&self, row: &OutboxRow) -> bool {
        self.hooks.is_ready(row.subject_id)
    }

    fn prepare(tx: &mut ReadTx<'_>, row: &OutboxRow) -> Result<Option<ToTell>> {
        let Some(webhook) = tx.webhook(row.subject_id)?.filter(|webhook| webhook.active) else {
            return Ok(None);
        };
        let Some(delivery) = tx.delivery(row.id)? else {
            return Ok(None);
        };
        let Some(news) = tx.news_of(delivery.event_seq)? else {
            return Ok(None);
        };
        let network = tx.network()?;
        Ok(Some(ToTell {
            secrets: secrets(&webhook, tx.now()),
            body: body(&row.message_key, &news, &network),
            webhook,
        }))
    }

    async fn send(&self, key: &str, message: ToTell) -> std::result::Result<u16, Fault> {
        let webhook = message.webhook;
        let secret = |number: i64| self.secrets.webhook_secret(webhook.id, number);
        let told = Told {
            webhook: webhook.id,
            secrets: message.secrets.into_iter().map(secret).collect(),
            url: webhook.url,
            body: message.body,
        };
        self.hooks.tell(key, told).await
    }

    fn settle(tx: &mut WriteTx<'_>, row: &OutboxRow, receipt: &u16) -> Result<()> {
        Ok(tx.note_delivery_status(row.id, Some(*receipt))?)
    }
}

/// Which secrets sign now.
fn secrets(webhook: &Webhook, now: DateTime<Utc>) -> Vec<i64> {
    let mut numbers = vec![webhook.secret_number];
    let fresh = now - from_millis(webhook.secret_since) < TimeDelta::hours(OLD_SECRET_HOURS);
    if fresh && webhook.secret_number > 1 {
        numbers.push(webhook.secret_number - 1);
    }
    numbers
}

/// What is told of an event: what statistics know of it, and its detail, neither of which names a reader.
pub fn body(id: &str, news: &News, network: &Network) -> Value {
    json!({
        "id": id,
        "kind": news.kind.map(|kind| kind.code()),
        "at": news.at,
        "day": news.day,
        "unit_code": unit_code(network, news.unit.get()),
        "item_id": news.item,
        "bib_id": news.bib,
        "channel": news.channel,
        "detail": news.detail,
    })
}
