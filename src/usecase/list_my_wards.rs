//! The readers for whom a reader answers, with what they have borrowed.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, PageRequest};
use super::view::unit_code;
use super::{Caller, Result, UseCaseError};
use crate::clock::from_millis;
use crate::domain::guardian::last_born_of_age;
use crate::domain::ids::{CategoryId, ReaderId};
use crate::store::Store;

/// A ward, as the guardian sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WardView {
    /// Number of the link.
    #[schema(example = 1060)]
    pub guardianship_id: i64,
    pub reader_id: i64,
    /// As registered.
    #[schema(example = "李小明")]
    pub name: String,
    #[schema(example = "child")]
    pub category: String,
    pub home_unit_code: String,
    /// What the guardian is to the ward: `parent`, `guardian`, `school` or `other`.
    #[schema(example = "parent")]
    pub relation: String,
    /// Whether the guardian may borrow, renew and hold for the ward.
    #[schema(example = true)]
    pub may_act: bool,
    /// How many items are out.
    pub open_loans: usize,
    /// When the link began (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub since: DateTime<Utc>,
}

/// Lists the caller's wards.
///
/// # Errors
/// `Forbidden` for anybody but a reader; a failure of the store.
pub async fn list_my_wards(store: &Arc<Store>, caller: &Caller, page: PageRequest) -> Result<Page<WardView>> {
    let guardian = caller.reader().ok_or(UseCaseError::Forbidden)?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let of_age = last_born_of_age(network.local_day(tx.now()));
            let rows = tx.wards_of(guardian, of_age, page.after_id(), page.fetch())?;
            let cut = page.cut(rows, |(link, _)| link.id);
            let mut items = Vec::with_capacity(cut.items.len());
            for (link, (name, category, home)) in cut.items {
                let category = network.category(CategoryId::new(category));
                items.push(WardView {
                    guardianship_id: link.id,
                    reader_id: link.ward_reader_id,
                    name,
                    category: category.map(|category| category.code.clone()).unwrap_or_default(),
                    home_unit_code: unit_code(&network, home),
                    relation: link.relation,
                    may_act: link.may_act,
                    open_loans: tx.open_loans_of(ReaderId::new(link.ward_reader_id))?.len(),
                    since: from_millis(link.started_at),
                });
            }
            Ok(Page { items, next: cut.next })
        })
        .await
}
