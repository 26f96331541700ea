//! The drafts of rules that a caller may work on, and one of them.

use std::sync::Arc;

use super::create_rule_draft::MAX_DRAFTS;
use super::page::{Page, PageRequest};
use super::rule_place::{Layered, draft_of};
use super::rule_view::{RuleDraftLine, RuleDraftView};
use super::{Caller, Result};
use crate::auth::Right;
use crate::store::Store;

/// Lists drafts in the order of their ids.
///
/// # Errors
/// `Forbidden`; a failure of the store.
pub async fn list_rule_drafts(store: &Arc<Store>, caller: &Caller, page: PageRequest) -> Result<Page<RuleDraftLine>> {
    caller.require_somewhere(Right::DraftRules)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let mine =
                |unit| Layered::of(unit, &network).is_ok_and(|it| caller.may(Right::DraftRules, it.place, &network));
            let rows = tx.rule_drafts_after(page.after_id(), MAX_DRAFTS)?;
            let rows = rows.into_iter().filter(|row| mine(row.unit_id));
            let rows = rows.take(usize::from(page.limit) + 1).collect();
            Ok(page
                .cut(rows, |row| row.id)
                .map(|row| RuleDraftLine::of(&row, &network)))
        })
        .await
}

/// One draft with its text.
///
/// # Errors
/// `NotFound`; `Forbidden` outside the caller's subtree; a failure of the store.
pub async fn get_rule_draft(store: &Arc<Store>, caller: &Caller, id: i64) -> Result<RuleDraftView> {
    caller.require_somewhere(Right::DraftRules)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let (draft, _) = draft_of(tx, &caller, id, Right::DraftRules)?;
            Ok(RuleDraftView::of(&draft, &*tx.network()?))
        })
        .await
}
