//! What guardians did for a reader: the reader sees it, and every guardian who may act.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::LINK;
use super::page::{Page, PageRequest};
use super::view::unit_code;
use super::{Caller, Result, act_for};
use crate::clock::from_millis;
use crate::domain::event::EventKind;
use crate::store::Store;

/// What is told: anything else that names a link is about the link itself.
const ACTS: [EventKind; 4] = [
    EventKind::LoanMade,
    EventKind::LoanRenewed,
    EventKind::HoldPlaced,
    EventKind::HoldCancelled,
];

/// One act of a guardian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardianActView {
    pub id: i64,
    /// When it was done (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub done_at: DateTime<Utc>,
    /// `loan_made` (collected or borrowed with the guardian's card), `loan_renewed`, `hold_placed` or `hold_cancelled`.
    #[schema(example = "hold_placed")]
    pub what: String,
    /// Where; of an act in the portal the unit whose rules decided.
    pub unit_code: String,
    pub bib_id: Option<i64>,
    /// Number of the link by which the guardian acted.
    #[schema(example = 1060)]
    pub guardianship_id: i64,
    /// What the guardian is to the ward: `parent`, `guardian`, `school` or `other`.
    #[schema(example = "parent")]
    pub relation: String,
    /// Who it was; absent once they are erased.
    #[schema(example = "李国华")]
    pub guardian_name: Option<String>,
}

/// Lists what guardians did for the reader who asks, or for the ward the caller acts for, the latest first. An act is there as soon
/// as its event is sealed, and until it is unlinked.
///
/// # Errors
/// `Forbidden` for anybody but a reader; `Invalid` naming `ward`; a failure of the store.
pub async fn list_my_guardian_acts(
    store: &Arc<Store>,
    caller: &Caller,
    page: PageRequest,
) -> Result<Page<GuardianActView>> {
    let reader = caller.itself()?;
    let who = caller.clone();
    store
        .read(move |tx| {
            act_for::resolved(tx, &who)?;
            let network = tx.network()?;
            let kinds = ACTS.map(EventKind::code);
            let rows = tx.acts_by_link(reader, LINK, &kinds, page.before_id(), page.fetch())?;
            Ok(page.cut(rows, |row| row.seq).map(|row| GuardianActView {
                id: row.seq,
                done_at: from_millis(row.at),
                what: row.kind,
                unit_code: unit_code(&network, row.unit_id),
                bib_id: row.bib_id,
                guardianship_id: row.link,
                relation: row.relation,
                guardian_name: Some(row.guardian_name).filter(|name| !name.is_empty()),
            }))
        })
        .await
}
