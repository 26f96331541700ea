//! What log-in and refresh share: opening a session in one transaction, and the tokens that are told once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Caller, Result, UseCaseError};
use crate::auth::{Audience, Grant, Identity, PasswordError, PasswordService, TokenService};
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::store::sessions::RefreshRow;
use crate::store::tx::ReadTx;

/// What sessions need besides the store.
#[derive(Clone, Copy)]
pub struct SessionTools<'a> {
    pub tokens: &'a TokenService,
    pub passwords: &'a PasswordService,
    pub refresh_life: Duration,
}

/// A session as its client sees it. Both tokens are told once and kept nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// Goes into `Authorization: Bearer …`.
    pub access_token: String,
    /// Good for one refresh.
    pub refresh_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: String,
    /// Life of the access token in seconds.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// Life of the refresh token in seconds.
    pub refresh_expires_in: u64,
    /// `staff`, `reader` or `device`.
    #[schema(example = "staff")]
    pub audience: String,
    /// The id of the member of staff, reader or device.
    pub subject_id: i64,
    /// The unit the session works at; readers have none.
    pub unit_code: Option<String>,
}

/// Who a new token speaks of, and until when it may be refreshed.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    pub identity: Identity,
    pub unit_code: Option<String>,
    pub at: DateTime<Utc>,
}

impl SessionTools<'_> {
    /// The row of a refresh token issued now.
    pub(super) fn refresh_row(&self, id: i64, hash: [u8; 32], opened: &Opened) -> RefreshRow {
        refresh_row(id, hash, opened, self.refresh_life)
    }

    /// What the client is told once the row is committed.
    pub(super) fn view(&self, opened: Opened, refresh_token: String) -> Result<SessionView> {
        let Opened {
            identity,
            unit_code,
            at,
        } = opened;
        let (audience, subject_id) = (identity.aud, identity.sub);
        let access_token = self
            .tokens
            .issue(identity, at)
            .map_err(|error| UseCaseError::Internal(error.to_string()))?;
        Ok(SessionView {
            access_token,
            refresh_token,
            token_type: "Bearer".to_owned(),
            expires_in: self.tokens.access_ttl().as_secs(),
            refresh_expires_in: self.refresh_life.as_secs(),
            audience: audience_code(audience).to_owned(),
            subject_id,
            unit_code,
        })
    }
}

/// The row of a refresh token.
pub(super) fn refresh_row(id: i64, hash: [u8; 32], opened: &Opened, life: Duration) -> RefreshRow {
    let life_millis = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
    RefreshRow {
        id,
        family: opened.identity.sid,
        audience: audience_code(opened.identity.aud).to_owned(),
        subject_id: opened.identity.sub,
        unit_id: opened.identity.unit,
        token_hash: hash.to_vec(),
        issued_at: opened.at.timestamp_millis(),
        expires_at: opened.at.timestamp_millis().saturating_add(life_millis),
        used_at: None,
        revoked_at: None,
    }
}

/// An access token outlives its session by minutes; a lost phone must change nothing with it. For readers: staff and devices are
/// asked for their session where they begin.
///
/// # Errors
/// `Unauthenticated` when the reader's session has been ended.
pub(super) fn require_standing(tx: &mut ReadTx<'_>, caller: &Caller) -> Result<()> {
    if caller.reader().is_none() {
        return Ok(());
    }
    require_session(tx, caller)
}

/// Of anybody: for what outlives the session itself, such as a device's secret and key. Who stole a secret must not make another one
/// with the access token that is left.
///
/// # Errors
/// `Unauthenticated` when the session has been ended.
pub(super) fn require_session(tx: &mut ReadTx<'_>, caller: &Caller) -> Result<()> {
    let now = tx.now().timestamp_millis();
    if tx.session_stands(caller.session, now)? {
        Ok(())
    } else {
        Err(UseCaseError::Unauthenticated)
    }
}

/// The word of an audience.
pub(super) fn audience_code(audience: Audience) -> &'static str {
    match audience {
        Audience::Staff => "staff",
        Audience::Reader => "reader",
        Audience::Device => "device",
    }
}

/// Reads the word back.
pub(super) fn audience_of(code: &str) -> Option<Audience> {
    [Audience::Staff, Audience::Reader, Audience::Device]
        .into_iter()
        .find(|one| audience_code(*one) == code)
}

/// The grants that count at `unit`: those made there or above. What a role may do below reaches no further than the
/// unit of the session.
pub(super) fn grants_at(roles: &[(String, UnitId)], unit: UnitId, network: &Network) -> Vec<Grant> {
    let within = |(_, at): &&(String, UnitId)| network.units().is_within(unit, *at);
    roles
        .iter()
        .filter(within)
        .filter_map(|(role, at)| {
            Some(Grant {
                role: role.parse().ok()?,
                unit: at.get(),
            })
        })
        .collect()
}

impl From<PasswordError> for UseCaseError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            other => Self::Internal(format!("password: {other}")),
        }
    }
}
