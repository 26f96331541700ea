//! Webhooks: other systems that are told of events. Their secrets are derived and kept nowhere; each is shown when it is made.

use std::future::Future;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::named::Wrong;
use super::once::once;
use super::view::unit_code;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::{DerivedSecrets, Right};
use crate::clock::from_millis;
use crate::config::delivery::is_safe_url;
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::notices::webhooks::Webhook;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// Webhooks there may be.
const MAX_WEBHOOKS: usize = 50;
const MAX_URL_CHARS: usize = 500;

/// Another system that is told of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    #[schema(example = 9001)]
    pub id: i64,
    /// Events at this unit and below are told.
    #[schema(example = "C1")]
    pub unit_code: String,
    /// Where each event is posted.
    #[schema(example = "https://city.example.org/library-events")]
    pub url: String,
    /// Kinds of events; `*`: every kind.
    #[schema(example = json!(["loan_made", "loan_returned"]))]
    pub kinds: Vec<String>,
    /// False: nothing is told, and nothing is kept to be told later.
    #[schema(example = true)]
    pub active: bool,
    /// Which secret counts; grows with every rotation.
    #[schema(example = 1)]
    pub secret_number: i64,
    /// Grows with every change.
    #[schema(example = 1)]
    pub version: i64,
    /// When it was made (UTC).
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub created_at: DateTime<Utc>,
}

impl Outcome for WebhookView {}

/// What is asked for; what is left out stays.
#[derive(Debug, Clone, Default)]
pub struct ChangeWebhook {
    pub id: i64,
    pub url: Option<String>,
    pub kinds: Option<Vec<String>>,
    pub active: Option<bool>,
    pub rotate: bool,
    pub remove: bool,
    /// The version the change was made from, if the caller says it.
    pub seen: Option<i64>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    pub unit_code: String,
    pub url: String,
    pub kinds: Vec<String>,
}

/// Where a URL leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// Where webhooks may go.
    Public,
    /// To an address inside, or to one that is nobody's.
    Private,
    /// Its host cannot be found now; each delivery looks again.
    Unknown,
    /// It is no URL.
    Nowhere,
}

/// Somebody who finds out where URLs lead. The adapter stands in `delivery`.
pub trait Places: Sync {
    /// Finds out, in bounded time.
    fn leads(&self, url: &str) -> impl Future<Output = Leads> + Send;
}

/// Every webhook.
///
/// # Errors
/// `Forbidden` without the right at the root; a failure of the store.
pub async fn list_webhooks(store: &Arc<Store>, caller: &Caller) -> Result<Vec<WebhookView>> {
    caller.require_somewhere(Right::ManageUnits)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let (network, _) = at_root(tx, &caller)?;
            let all = tx.webhooks()?;
            Ok(all.iter().map(|webhook| view(webhook, &network)).collect())
        })
        .await
}

/// Makes a webhook. Events from now on are told.
///
/// # Errors
/// `Forbidden` without the right at the root; `Invalid` naming every wrong field; `State` when there are too many; a failure of the
/// store.
pub async fn create_webhook(
    store: &Arc<Store>,
    places: &impl Places,
    caller: &Caller,
    command: NewWebhook,
    key: Option<IdempotencyKey>,
) -> Result<Once<WebhookView>> {
    may_manage(store, caller).await?;
    let leads = places.leads(&command.url).await;
    once(store, caller, key, 2, (command, leads), create).await
}

/// Changes a webhook, gives it another secret, or removes it.
///
/// # Errors
/// `NotFound`; `Stale`; else as [`create_webhook`].
pub async fn change_webhook(
    store: &Arc<Store>,
    places: &impl Places,
    caller: &Caller,
    command: ChangeWebhook,
    key: Option<IdempotencyKey>,
) -> Result<Once<WebhookView>> {
    may_manage(store, caller).await?;
    let leads = match &command.url {
        Some(url) => places.leads(url).await,
        None => Leads::Unknown,
    };
    once(store, caller, key, 1, (command, leads), change).await
}

/// Before anything is looked up for them.
async fn may_manage(store: &Arc<Store>, caller: &Caller) -> Result<()> {
    caller.require_somewhere(Right::ManageUnits)?;
    let caller = caller.clone();
    store.read(move |tx| at_root(tx, &caller).map(|_| ())).await
}

/// The secret that a webhook signs with: shown to who made or rotated it, never kept.
pub fn secret_of(webhook: &WebhookView, secrets: &DerivedSecrets) -> String {
    secrets.webhook_secret(webhook.id, webhook.secret_number)
}

fn create(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (command, leads): &(NewWebhook, Leads),
    mut ids: IdRun,
) -> Result<WebhookView> {
    tx.lock_network()?;
    let (network, root) = at_root(tx, caller)?;
    let unit = network.units().by_code(&command.unit_code).map(|unit| unit.id);
    let mut wrong = Wrong::default();
    if unit.is_none() {
        wrong.say("unit_code", "names no unit");
    }
    judge_url(&mut wrong, &command.url, *leads);
    judge_kinds(&mut wrong, &command.kinds);
    wrong.check()?;
    if tx.webhooks()?.len() >= MAX_WEBHOOKS {
        let reason = format!("there are {MAX_WEBHOOKS} webhooks already: remove one that is not needed");
        return Err(UseCaseError::State(reason));
    }
    let now = tx.now().timestamp_millis();
    let webhook = Webhook {
        id: ids.next(),
        unit_id: unit.unwrap_or(root).get(),
        url: command.url.clone(),
        kinds: command.kinds.join(","),
        active: true,
        secret_number: 1,
        secret_since: now,
        version: 1,
        created_at: now,
        removed_at: None,
    };
    tx.insert_webhook(&webhook)?;
    append(tx, caller, &webhook, "created", ids.next())?;
    Ok(view(&webhook, &network))
}

fn change(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (command, leads): &(ChangeWebhook, Leads),
    mut ids: IdRun,
) -> Result<WebhookView> {
    tx.lock_network()?;
    let (network, _) = at_root(tx, caller)?;
    let mut webhook = tx.webhook(command.id)?.ok_or(UseCaseError::NotFound("webhook"))?;
    if command.seen.is_some_and(|seen| seen != webhook.version) {
        return Err(UseCaseError::Stale(webhook.version));
    }
    let mut wrong = Wrong::default();
    if let Some(url) = &command.url {
        judge_url(&mut wrong, url, *leads);
        webhook.url.clone_from(url);
    }
    if let Some(kinds) = &command.kinds {
        judge_kinds(&mut wrong, kinds);
        webhook.kinds = kinds.join(",");
    }
    wrong.check()?;
    let now = tx.now().timestamp_millis();
    webhook.active = command.active.unwrap_or(webhook.active);
    if command.rotate {
        webhook.secret_number += 1;
        webhook.secret_since = now;
    }
    webhook.removed_at = command.remove.then_some(now);
    webhook.version += 1;
    if !tx.update_webhook(&webhook)? {
        return Err(UseCaseError::Stale(webhook.version));
    }
    let what = match (command.remove, command.rotate) {
        (true, _) => "removed",
        (false, true) => "secret_rotated",
        (false, false) => "changed",
    };
    append(tx, caller, &webhook, what, ids.next())?;
    Ok(view(&webhook, &network))
}

fn at_root(tx: &mut ReadTx<'_>, caller: &Caller) -> Result<(Arc<Network>, UnitId)> {
    let network = tx.network()?;
    let root = network.units().root().ok_or(UseCaseError::NotFound("unit"))?.id;
    caller.require(Right::ManageUnits, root, &network)?;
    Ok((network, root))
}

fn judge_url(wrong: &mut Wrong, url: &str, leads: Leads) {
    if url.chars().count() > MAX_URL_CHARS || !is_safe_url(url) || leads == Leads::Nowhere {
        let reason = format!(
            "must be https://HOST with or without a path, at most {MAX_URL_CHARS} characters; http:// only to the machine itself, where that \
             is admitted"
        );
        wrong.say("url", reason);
    } else if leads == Leads::Private {
        wrong.say(
            "url",
            "leads to a loopback, private, link-local or otherwise reserved address; whoever runs the server admits the networks of \
             their own that webhooks may reach (webhooks.allow_private)",
        );
    }
}

fn judge_kinds(wrong: &mut Wrong, kinds: &[String]) {
    if kinds.is_empty() {
        wrong.say("kinds", "name at least one kind of event, or \"*\" for every kind");
    }
    for (at, kind) in kinds.iter().enumerate() {
        if kind != "*" && EventKind::from_code(kind).is_none() {
            wrong.say(
                format!("kinds[{at}]"),
                "is no kind of event: such as loan_made, or * for every kind",
            );
        } else if kinds[..at].contains(kind) {
            wrong.say(format!("kinds[{at}]"), "is said twice");
        }
    }
}

fn append(tx: &mut WriteTx<'_>, caller: &Caller, webhook: &Webhook, what: &str, id: i64) -> Result<()> {
    // Neither the URL, which may hold a password, nor anything of the secret.
    let detail = json!({"changed": "webhook", "webhook_id": webhook.id, "what": what});
    let event = Event::new(EventKind::UnitChanged, tx.now(), webhook.unit(), caller.own_channel())
        .by(caller.staff(), caller.device())
        .detail(detail);
    Ok(tx.append_event(id, &event)?)
}

fn view(webhook: &Webhook, network: &Network) -> WebhookView {
    WebhookView {
        id: webhook.id,
        unit_code: unit_code(network, webhook.unit_id),
        url: webhook.url.clone(),
        kinds: webhook.kinds.split(',').map(str::to_owned).collect(),
        active: webhook.active,
        secret_number: webhook.secret_number,
        version: webhook.version,
        created_at: from_millis(webhook.created_at),
    }
}
