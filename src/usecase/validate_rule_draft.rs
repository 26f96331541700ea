//! Every fault of a draft of rules at once, and what looks wrong.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::publish_rule_set::effective_from;
use super::rule_place::{Layered, draft_of, judge_closely};
use super::rule_view::RuleValidationView;
use super::{Caller, Result};
use crate::auth::Right;
use crate::store::Store;

/// Judges a draft as if it took effect at a moment, by default now. Changes nothing.
///
/// # Errors
/// `NotFound`; `Invalid` for a moment in the past; `Forbidden` outside the caller's subtree; a failure of the store.
pub async fn validate_rule_draft(
    store: &Arc<Store>,
    caller: &Caller,
    draft: i64,
    from: Option<DateTime<Utc>>,
) -> Result<RuleValidationView> {
    caller.require_somewhere(Right::DraftRules)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let (draft, layer) = draft_of(tx, &caller, draft, Right::DraftRules)?;
            let from = effective_from(from, tx.now())?;
            let version = tx.next_rules_version()?;
            let judged = judge_closely(tx, layer, &draft.source, (version, from))?;
            Ok(RuleValidationView::of(&judged, draft.revision))
        })
        .await
}

/// Judges a text that is no draft: for the command line of the machine itself.
///
/// # Errors
/// `Invalid` for an unknown unit; a failure of the store.
pub async fn validate_text(store: &Arc<Store>, unit_code: Option<String>, toml: String) -> Result<RuleValidationView> {
    store
        .read(move |tx| {
            let network = tx.network()?;
            let layer = Layered::named(&network, unit_code.as_deref())?;
            let version = tx.next_rules_version()?;
            let judged = judge_closely(tx, layer, &toml, (version, tx.now()))?;
            Ok(RuleValidationView::of(&judged, 0))
        })
        .await
}
