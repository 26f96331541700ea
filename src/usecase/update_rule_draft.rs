//! Another text in a draft of rules, made from the revision its editor saw; or no draft any more.

use std::sync::Arc;

use serde_json::json;

use super::create_rule_draft::{append, check_size};
use super::once::once;
use super::rule_place::draft_of;
use super::rule_view::RuleDraftView;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::store::ids::IdRun;
use crate::store::rule_drafts::RuleDraftRow;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct UpdateRuleDraft {
    pub draft: i64,
    /// The revision the change was made from.
    pub seen: i64,
    pub toml: String,
    /// `None` stays as it is.
    pub note: Option<String>,
    /// The newest version of the rules the editor knows of; `None` stays as it is.
    pub base_version: Option<i64>,
}

/// Replaces the text.
///
/// # Errors
/// `Stale` when somebody changed it meanwhile; `NotFound`; `Invalid`; `Forbidden` outside the caller's subtree.
pub async fn update_rule_draft(
    store: &Arc<Store>,
    caller: &Caller,
    command: UpdateRuleDraft,
    key: Option<IdempotencyKey>,
) -> Result<Once<RuleDraftView>> {
    caller.require_somewhere(Right::DraftRules)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &UpdateRuleDraft, mut ids: IdRun) -> Result<RuleDraftView> {
    let (draft, layer) = draft_of(tx, caller, command.draft, Right::DraftRules)?;
    check_size(&command.toml)?;
    let newest = tx.next_rules_version()? - 1;
    let base_version = command.base_version.unwrap_or(draft.base_version);
    if !(draft.base_version..=newest).contains(&base_version) {
        let reason = format!("must be a version from {} to {newest}", draft.base_version);
        return Err(UseCaseError::field("base_version", reason));
    }
    let changed = RuleDraftRow {
        base_version,
        source: command.toml.clone(),
        note: command.note.clone().unwrap_or_else(|| draft.note.clone()),
        revision: command.seen + 1,
        updated_at: tx.now().timestamp_millis(),
        ..draft.clone()
    };
    if draft.revision != command.seen || !tx.replace_rule_draft(&changed, command.seen)? {
        return Err(UseCaseError::Stale(draft.revision.max(command.seen)));
    }
    let detail = json!({"changed": "draft_changed", "draft_id": draft.id, "revision": changed.revision});
    append(tx, caller, layer, detail, ids.next())?;
    Ok(RuleDraftView::of(&changed, &*tx.network()?))
}

/// Throws a draft away.
///
/// # Errors
/// `Stale` when somebody changed it meanwhile; `NotFound`; `Forbidden` outside the caller's subtree.
pub async fn discard_rule_draft(
    store: &Arc<Store>,
    caller: &Caller,
    (draft, seen): (i64, i64),
    key: Option<IdempotencyKey>,
) -> Result<Once<RuleDraftView>> {
    caller.require_somewhere(Right::DraftRules)?;
    once(store, caller, key, 1, (draft, seen), discard).await
}

fn discard(tx: &mut WriteTx<'_>, caller: &Caller, (id, seen): &(i64, i64), mut ids: IdRun) -> Result<RuleDraftView> {
    let (draft, layer) = draft_of(tx, caller, *id, Right::DraftRules)?;
    if draft.revision != *seen || !tx.delete_rule_draft(*id, *seen)? {
        return Err(UseCaseError::Stale(draft.revision));
    }
    append(
        tx,
        caller,
        layer,
        json!({"changed": "draft_discarded", "draft_id": id}),
        ids.next(),
    )?;
    Ok(RuleDraftView::of(&draft, &*tx.network()?))
}
