//! What a device must know to verify electronic cards offline: which were revoked since it asked last, and which units' tokens
//! count where it stands.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::card_session::scopes;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::store::Store;

/// One card whose tokens were revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CardRevocation {
    /// The `sub` of its tokens.
    pub card_id: i64,
    /// Tokens made until then are void (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub void_until: DateTime<Utc>,
}

/// A part of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocations {
    pub items: Vec<CardRevocation>,
    /// Where the next part begins, now or later.
    pub cursor: i64,
    pub more: bool,
    /// Codes of the caller's unit and of those above it: what a token's `aud` may say.
    pub scopes: Vec<String>,
}

/// Lists revocations after a cursor, in the order of their commits. Devices go back to the start when the cursor is none of
/// this database's: it was restored from a backup.
///
/// # Errors
/// `Forbidden`; a failure of the store.
pub async fn list_card_revocations(
    store: &Arc<Store>,
    caller: &Caller,
    cursor: Option<i64>,
    limit: u16,
) -> Result<Revocations> {
    caller.require_somewhere(Right::CheckOut)?;
    let unit = caller.working_unit()?;
    let caller = caller.clone();
    store
        .read(move |tx| -> Result<_> {
            let network = tx.network()?;
            caller.require(Right::CheckOut, unit, &network)?;
            let last = tx.last_card_revocation().map_err(UseCaseError::from)?;
            let after = cursor.filter(|cursor| (0..=last).contains(cursor)).unwrap_or(0);
            let mut rows = tx.card_revocations_after(after, i64::from(limit) + 1)?;
            let more = rows.len() > usize::from(limit);
            rows.truncate(usize::from(limit));
            // Past what is forgotten already.
            let cursor = rows.last().filter(|_| more).map_or(last, |row| row.seq);
            let item = |row: crate::store::card_tokens::RevocationRow| CardRevocation {
                card_id: row.card_id,
                void_until: from_millis(row.void_until),
            };
            Ok(Revocations {
                items: rows.into_iter().map(item).collect(),
                cursor,
                more,
                scopes: scopes(&network, unit).into_iter().map(str::to_owned).collect(),
            })
        })
        .await
}
