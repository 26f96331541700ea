//! The published versions of the rules, the newest first; one of them as it decides; its text.

use std::sync::Arc;

use super::create_rule_draft::text_of;
use super::page::{Page, PageRequest};
use super::rule_place::Layered;
use super::rule_view::{RuleSetLine, RuleSetView};
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::rules_layer::ReadLayer;
use crate::store::Store;

/// Lists the changes of one layer, or of all.
///
/// # Errors
/// `Forbidden`; `Invalid` for an unknown unit; a failure of the store.
pub async fn list_rule_sets(
    store: &Arc<Store>,
    caller: &Caller,
    unit_code: Option<String>,
    page: PageRequest,
) -> Result<Page<RuleSetLine>> {
    caller.require_somewhere(Right::ExplainRule)?;
    store
        .read(move |tx| {
            let (network, timeline, now) = (tx.network()?, tx.rule_timeline()?, tx.now());
            let layer = match &unit_code {
                Some(code) => Some(Layered::named(&network, Some(code))?.unit),
                None => None,
            };
            let rows = tx.rule_sets_before(layer, page.before_id(), page.fetch())?;
            let page = page.cut(rows, |row| row.version);
            Ok(page.map(|row| RuleSetLine::of(&row, &timeline, &network, now)))
        })
        .await
}

/// The whole set in force from a version on; of a withdrawn one nothing but that.
///
/// # Errors
/// `NotFound`; `Forbidden`; `State` for a withdrawn version; a failure of the store.
pub async fn get_rule_set(store: &Arc<Store>, caller: &Caller, version: i64) -> Result<RuleSetView> {
    caller.require_somewhere(Right::ExplainRule)?;
    store
        .read(move |tx| {
            let (network, timeline, now) = (tx.network()?, tx.rule_timeline()?, tx.now());
            let row = tx.rule_set(version)?.ok_or(UseCaseError::NotFound("version"))?;
            let line = RuleSetLine::of(&row, &timeline, &network, now);
            let gone = || UseCaseError::State("it was withdrawn before it took effect".to_owned());
            let place = timeline.place(version).ok_or_else(gone)?;
            let layers = tx.rule_layers(&network, &timeline, place)?;
            let read = ReadLayer {
                layer: layers.network.clone(),
                ..ReadLayer::default()
            };
            let at = (version, from_millis(row.effective_from));
            let judged = network.judge_layer(None, &read, &layers, at);
            let broken = || UseCaseError::Internal(format!("rule set {version} is not valid any more"));
            let as_then = judged.network.ok_or_else(broken)?;
            Ok(RuleSetView::of(line, &timeline.parts(place), &as_then))
        })
        .await
}

/// The document of a layer in a set, as it was written; of the set in force without a version.
///
/// # Errors
/// `NotFound` for a version that there is not, or that was withdrawn; `Forbidden`; `Invalid` for an unknown unit.
pub async fn export_rule_set(
    store: &Arc<Store>,
    caller: &Caller,
    version: Option<i64>,
    unit_code: Option<String>,
) -> Result<String> {
    caller.require_somewhere(Right::ExplainRule)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let layer = Layered::named(&network, unit_code.as_deref())?;
            if let Some(version) = version {
                let timeline = tx.rule_timeline()?;
                timeline.place(version).ok_or(UseCaseError::NotFound("version"))?;
            }
            text_of(tx, layer, "version", version)
        })
        .await
}
