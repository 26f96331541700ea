//! A draft of rules: from the text of a published version, or from a text of one's own. Nothing is checked yet but its size:
//! a draft may be wrong while somebody works on it.

use std::sync::Arc;

use serde_json::json;

use super::once::once;
use super::rule_place::Layered;
use super::rule_view::RuleDraftView;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::domain::rules_layer::MAX_SOURCE_BYTES;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::rule_drafts::RuleDraftRow;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// Drafts there may be at once.
pub const MAX_DRAFTS: i64 = 200;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CreateRuleDraft {
    /// Whose rules; `None` is the network's.
    pub unit_code: Option<String>,
    /// The version to begin with; with `toml` left out, too, the one in force.
    pub from_version: Option<i64>,
    /// The text to begin with.
    pub toml: Option<String>,
    pub note: String,
}

/// Begins a draft.
///
/// # Errors
/// `Invalid` naming every wrong field; `Forbidden` outside the caller's subtree; `State` when there are too many.
pub async fn create_rule_draft(
    store: &Arc<Store>,
    caller: &Caller,
    command: CreateRuleDraft,
    key: Option<IdempotencyKey>,
) -> Result<Once<RuleDraftView>> {
    caller.require_somewhere(Right::DraftRules)?;
    once(store, caller, key, 2, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &CreateRuleDraft, mut ids: IdRun) -> Result<RuleDraftView> {
    let network = tx.network()?;
    let layer = Layered::named(&network, command.unit_code.as_deref())?;
    layer.require(caller, Right::DraftRules, &network)?;
    let source = source(tx, layer, command)?;
    if tx.count_rule_drafts()? >= MAX_DRAFTS {
        let text = format!("there are {MAX_DRAFTS} drafts already: publish or discard some");
        return Err(UseCaseError::State(text));
    }
    let now = tx.now();
    let draft = RuleDraftRow {
        id: ids.next(),
        unit_id: layer.unit.map(UnitId::get),
        base_version: tx.next_rules_version()? - 1,
        source,
        note: command.note.clone(),
        revision: 1,
        created_at: now.timestamp_millis(),
        updated_at: now.timestamp_millis(),
    };
    tx.insert_rule_draft(&draft)?;
    append(
        tx,
        caller,
        layer,
        json!({"changed": "draft_created", "draft_id": draft.id}),
        ids.next(),
    )?;
    Ok(RuleDraftView::of(&draft, &network))
}

/// The event of a change to a layer or its drafts: nothing personal but who did it.
pub(super) fn append(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    layer: Layered,
    detail: serde_json::Value,
    id: i64,
) -> Result<()> {
    let event = Event::new(EventKind::RulesChanged, tx.now(), layer.place, caller.own_channel())
        .by(caller.staff(), caller.device())
        .detail(detail);
    Ok(tx.append_event(id, &event)?)
}

fn source(tx: &mut ReadTx<'_>, layer: Layered, command: &CreateRuleDraft) -> Result<String> {
    match (&command.toml, command.from_version) {
        (Some(_), Some(_)) => Err(UseCaseError::field(
            "from_version",
            "must be left out when toml is given",
        )),
        (Some(toml), None) => {
            check_size(toml)?;
            Ok(toml.clone())
        }
        (None, from) => text_of(tx, layer, "from_version", from),
    }
}

/// A text that is too long is no draft at all.
pub(super) fn check_size(toml: &str) -> Result<()> {
    if toml.len() > MAX_SOURCE_BYTES {
        let reason = format!("has {} bytes, at most {MAX_SOURCE_BYTES} are allowed", toml.len());
        return Err(UseCaseError::field("toml", reason));
    }
    Ok(())
}

/// What a layer said in a set; nothing where a unit had no rules of its own. Without a version, the set in force.
///
/// # Errors
/// `Invalid` naming `field` for a version that there is not, or that was withdrawn.
pub(super) fn text_of(
    tx: &mut ReadTx<'_>,
    layer: Layered,
    field: &'static str,
    version: Option<i64>,
) -> Result<String> {
    let timeline = tx.rule_timeline()?;
    let place = match version {
        Some(version) => timeline.place(version),
        None => timeline.at(tx.now()),
    };
    let place = place
        .ok_or_else(|| UseCaseError::field(field, "no version has this number, or it was withdrawn (listRuleSets)"))?;
    let parts = timeline.parts(place);
    let part = parts.iter().find(|part| part.unit_id == layer.unit.map(UnitId::get));
    let Some(part) = part else { return Ok(String::new()) };
    let row = tx.rule_set(part.version)?;
    Ok(row.map(|row| row.source).unwrap_or_default())
}
