//! Back to what a layer said before, at once: a new version with an old text. And taking back a version that is not in
//! force yet.

use std::sync::Arc;

use serde_json::json;

use super::create_rule_draft::{append, text_of};
use super::once::once;
use super::publish_rule_set::{Text, published, put_in_force};
use super::rule_place::Layered;
use super::rule_view::PublishedView;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RollBackRules {
    /// What was in force since this version took effect comes back.
    pub to_version: i64,
    /// Whose rules; `None` is the network's.
    pub unit_code: Option<String>,
    pub note: String,
}

/// Publishes an old text of a layer anew, at once.
///
/// # Errors
/// `NotFound` for a version that there is not, or that was withdrawn; `State` when the layer says just that; `Invalid`
/// when the old text is not valid any more; `Forbidden` outside the caller's subtree.
pub async fn roll_back_rules(
    store: &Arc<Store>,
    caller: &Caller,
    command: RollBackRules,
    key: Option<IdempotencyKey>,
) -> Result<Once<PublishedView>> {
    caller.require_somewhere(Right::PublishRules)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &RollBackRules, mut ids: IdRun) -> Result<PublishedView> {
    tx.lock_config()?;
    let network = tx.network()?;
    let layer = Layered::named(&network, command.unit_code.as_deref())?;
    layer.require(caller, Right::PublishRules, &network)?;
    let timeline = tx.rule_timeline()?;
    let (back, now) = (timeline.place(command.to_version), timeline.at(tx.now()));
    let back = back.ok_or(UseCaseError::NotFound("version"))?;
    if now.is_none_or(|now| back > now) {
        let text = "it is not in force yet: there is nothing to go back to".to_owned();
        return Err(UseCaseError::State(text));
    }
    let source = text_of(tx, layer, "version", Some(command.to_version))?;
    if source == text_of(tx, layer, "version", None)? {
        let text = format!("the rules say what they said in version {} already", command.to_version);
        return Err(UseCaseError::State(text));
    }
    let text = Text {
        source,
        note: command.note.clone(),
        effective_from: None,
    };
    let set = put_in_force(tx, &network, layer, text)?;
    let detail = json!({"changed": "rolled_back", "version": set.version, "to_version": command.to_version});
    append(tx, caller, layer, detail, ids.next())?;
    published(tx, &network, set.version, &[])
}

/// Takes a version back before it takes effect.
///
/// # Errors
/// `NotFound`; `State` when it is in force, or was; `Forbidden` outside the caller's subtree.
pub async fn withdraw_rule_set(
    store: &Arc<Store>,
    caller: &Caller,
    version: i64,
    key: Option<IdempotencyKey>,
) -> Result<Once<PublishedView>> {
    caller.require_somewhere(Right::PublishRules)?;
    once(store, caller, key, 1, version, withdraw).await
}

fn withdraw(tx: &mut WriteTx<'_>, caller: &Caller, version: &i64, mut ids: IdRun) -> Result<PublishedView> {
    tx.lock_config()?;
    let network = tx.network()?;
    let row = tx.rule_set(*version)?.ok_or(UseCaseError::NotFound("version"))?;
    let layer = Layered::of(row.unit_id, &network)?;
    layer.require(caller, Right::PublishRules, &network)?;
    let now = tx.now();
    if row.withdrawn_at.is_some() {
        return Err(UseCaseError::State("it was withdrawn already".to_owned()));
    }
    if row.effective_from <= now.timestamp_millis() {
        let text = "it has taken effect: roll back to the version before it".to_owned();
        return Err(UseCaseError::State(text));
    }
    tx.withdraw_rule_set(*version, now)?;
    append(
        tx,
        caller,
        layer,
        json!({"changed": "withdrawn", "version": version}),
        ids.next(),
    )?;
    published(tx, &network, *version, &[])
}
