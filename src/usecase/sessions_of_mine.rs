//! The sessions of whoever asks: which there are, and ending one of them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::log_out_everywhere::own;
use super::page::{Page, PageRequest};
use super::session::audience_code;
use super::view::unit_code;
use super::{Caller, Result, UseCaseError};
use crate::clock::from_millis;
use crate::domain::ids::UnitId;
use crate::store::Store;

/// A session that can still be refreshed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OpenSession {
    pub id: i64,
    /// When somebody logged in.
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub began_at: DateTime<Utc>,
    /// When it was refreshed last, or began.
    #[schema(example = "2026-03-04T05:00:00Z")]
    pub refreshed_at: DateTime<Utc>,
    /// Until when it can be refreshed.
    #[schema(example = "2026-04-03T05:00:00Z")]
    pub expires_at: DateTime<Utc>,
    /// The desk; readers have none.
    pub unit_code: Option<String>,
    /// It is the one that asks.
    #[schema(example = true)]
    pub current: bool,
}

/// Lists the caller's own sessions, the latest log-in first.
///
/// # Errors
/// `Forbidden` for a caller without sessions; a failure of the store.
pub async fn list_sessions(store: &Arc<Store>, caller: &Caller, page: PageRequest) -> Result<Page<OpenSession>> {
    let (audience, subject) = own(caller)?;
    let current = caller.session;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let rows = tx.live_sessions(audience_code(audience), subject, page.before_id(), page.fetch())?;
            Ok(page.cut(rows, |row| row.family).map(|row| OpenSession {
                id: row.family,
                began_at: from_millis(row.began_at),
                refreshed_at: from_millis(row.refreshed_at),
                expires_at: from_millis(row.expires_at),
                unit_code: row.unit.map(UnitId::get).map(|unit| unit_code(&network, unit)),
                current: row.family == current,
            }))
        })
        .await
}

/// Ends one of the caller's own sessions: its refresh tokens at once, its access token within its minutes. Again: nothing
/// changes.
///
/// # Errors
/// `NotFound` for a session that is not the caller's; `Forbidden`; a failure of the store.
pub async fn end_session(store: &Arc<Store>, caller: &Caller, id: i64) -> Result<()> {
    let (audience, subject) = own(caller)?;
    store
        .write(move |tx| {
            if !tx.is_session_of(id, audience_code(audience), subject)? {
                return Err(UseCaseError::NotFound("session"));
            }
            let now = tx.now().timestamp_millis();
            Ok(tx.revoke_family(id, now)?)
        })
        .await
}
