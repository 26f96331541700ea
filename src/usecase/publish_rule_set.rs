//! Publishing a draft: from now on, or from a moment to come, it decides. One publishes at a time; loans that exist stay as
//! they are.

use std::sync::Arc;

use chrono::{DateTime, Days, Utc};
use serde_json::json;

use super::create_rule_draft::append;
use super::once::once;
use super::rule_place::{Layered, as_fields, draft_of, judge, judge_closely};
use super::rule_view::{PublishedView, RuleSetLine, fault_views};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::rules_fault::Fault;
use crate::store::ids::IdRun;
use crate::store::rule_sets::NewRuleSet;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// How far ahead a change may be published.
const AHEAD_DAYS: u64 = 3_660;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct PublishRuleSet {
    pub draft: i64,
    /// The revision the caller saw.
    pub seen: i64,
    /// `None`: at once.
    pub effective_from: Option<DateTime<Utc>>,
    /// Why; `None` takes the draft's.
    pub note: Option<String>,
}

/// Publishes a draft; it is gone then.
///
/// # Errors
/// `Stale` when the draft was changed meanwhile; `State` when its layer was published anew since it was made; `Invalid`
/// naming every fault; `NotFound`; `Forbidden` outside the caller's subtree.
pub async fn publish_rule_set(
    store: &Arc<Store>,
    caller: &Caller,
    command: PublishRuleSet,
    key: Option<IdempotencyKey>,
) -> Result<Once<PublishedView>> {
    caller.require_somewhere(Right::PublishRules)?;
    let warnings = look_first(store, &command).await?;
    let work = move |tx: &mut WriteTx<'_>, who: &Caller, command: &PublishRuleSet, ids| {
        apply(tx, who, command, &warnings, ids)
    };
    once(store, caller, key, 1, command, work).await
}

/// What looks wrong is looked for before, beside the work of others. The draft may be gone, under a key that is sent again.
async fn look_first(store: &Arc<Store>, command: &PublishRuleSet) -> Result<Vec<Fault>> {
    let (draft, from) = (command.draft, command.effective_from);
    store
        .read(move |tx| {
            let Some(draft) = tx.rule_draft(draft)? else {
                return Ok(Vec::new());
            };
            let layer = Layered::of(draft.unit_id, &*tx.network()?)?;
            let at = (tx.next_rules_version()?, from.unwrap_or(tx.now()));
            Ok(judge_closely(tx, layer, &draft.source, at)?.warnings)
        })
        .await
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &PublishRuleSet,
    warnings: &[Fault],
    mut ids: IdRun,
) -> Result<PublishedView> {
    tx.lock_config()?;
    let network = tx.network()?;
    let (draft, layer) = draft_of(tx, caller, command.draft, Right::PublishRules)?;
    if draft.revision != command.seen {
        return Err(UseCaseError::Stale(draft.revision));
    }
    let same = tx
        .rule_timeline()?
        .0
        .into_iter()
        .filter(|change| change.unit_id == draft.unit_id);
    if let Some(newer) = same
        .map(|change| change.version)
        .max()
        .filter(|newer| *newer > draft.base_version)
    {
        return Err(UseCaseError::State(format!(
            "version {newer} was published after this draft was begun: look what it changed, then update the draft with \
             it as base_version"
        )));
    }
    let text = Text {
        source: draft.source.clone(),
        note: command.note.clone().unwrap_or_else(|| draft.note.clone()),
        effective_from: command.effective_from,
    };
    let set = put_in_force(tx, &network, layer, text)?;
    tx.delete_rule_draft(draft.id, draft.revision)?;
    let detail = json!({"changed": "published", "version": set.version, "draft_id": draft.id,
        "effective_from": set.effective_from.timestamp_millis()});
    append(tx, caller, layer, detail, ids.next())?;
    published(tx, &network, set.version, warnings)
}

/// A layer's new text.
pub(super) struct Text {
    pub source: String,
    pub note: String,
    pub effective_from: Option<DateTime<Utc>>,
}

/// Judges a text and adds it as a version. Under `lock_config`.
pub(super) fn put_in_force(tx: &mut WriteTx<'_>, network: &Network, layer: Layered, text: Text) -> Result<NewRuleSet> {
    let now = tx.now();
    let mut from = effective_from(text.effective_from, now)?;
    if let Some(last) = tx.rule_sets_before(None, i64::MAX, 1)?.first() {
        // A node whose clock goes ahead published last: what comes later must not take effect before it.
        from = from.max(from_millis(last.published_at));
    }
    let version = tx.next_rules_version()?;
    let judged = judge(tx, network, layer, &text.source, (version, from))?;
    if !judged.faults.is_empty() {
        return Err(as_fields("toml", &judged.faults));
    }
    let set = NewRuleSet {
        version,
        effective_from: from,
        source: text.source,
        published_at: now,
        unit: layer.unit,
        note: text.note,
    };
    tx.insert_rule_set(&set)?;
    Ok(set)
}

/// What was published, as it stands now.
pub(super) fn published(
    tx: &mut WriteTx<'_>,
    network: &Network,
    version: i64,
    warnings: &[Fault],
) -> Result<PublishedView> {
    let (timeline, now) = (tx.rule_timeline()?, tx.now());
    let row = tx.rule_set(version)?.ok_or(UseCaseError::NotFound("version"))?;
    Ok(PublishedView {
        rule_set: RuleSetLine::of(&row, &timeline, network, now),
        rule_warnings: fault_views(warnings),
    })
}

/// When a change takes effect: never in the past, where it would have decided already.
pub(super) fn effective_from(asked: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let Some(from) = asked else { return Ok(now) };
    let wrong = |reason: String| Err(UseCaseError::field("effective_from", reason));
    let latest = now.checked_add_days(Days::new(AHEAD_DAYS)).unwrap_or(now);
    if from < now {
        return wrong(format!(
            "lies in the past; it must be {} or later, or left out for now",
            now.to_rfc3339()
        ));
    }
    if from > latest {
        return wrong(format!("must be at most {AHEAD_DAYS} days ahead"));
    }
    Ok(from_millis(from.timestamp_millis()))
}

/// Publishes a text that is no draft: for the command line of the machine itself.
///
/// # Errors
/// As [`publish_rule_set`].
pub async fn publish_text(
    store: &Arc<Store>,
    caller: &Caller,
    unit_code: Option<String>,
    toml: String,
    (note, from): (String, Option<DateTime<Utc>>),
) -> Result<PublishedView> {
    let work = move |tx: &mut WriteTx<'_>, who: &Caller, (): &(), mut ids: IdRun| {
        tx.lock_config()?;
        let network = tx.network()?;
        let layer = Layered::named(&network, unit_code.as_deref())?;
        layer.require(who, Right::PublishRules, &network)?;
        let text = Text {
            source: toml.clone(),
            note: note.clone(),
            effective_from: from,
        };
        let set = put_in_force(tx, &network, layer, text)?;
        let unit = layer.unit.map(UnitId::get);
        let detail = json!({"changed": "published", "version": set.version, "unit_id": unit,
            "effective_from": set.effective_from.timestamp_millis()});
        append(tx, who, layer, detail, ids.next())?;
        published(tx, &network, set.version, &[])
    };
    Ok(once(store, caller, None, 1, (), work).await?.value)
}
