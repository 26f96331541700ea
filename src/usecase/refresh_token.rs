//! Refresh: a token is good for one use and is replaced by the next of its family. One that comes back a second time was
//! stolen or copied, so the whole family ends.

use std::sync::Arc;
use std::time::Duration;

use super::session::{Opened, SessionTools, SessionView, audience_of, grants_at, refresh_row};
use super::{Result, UseCaseError};
use crate::auth::tokens::{hash_refresh, new_refresh};
use crate::auth::{Audience, Identity};
use crate::domain::device::DeviceState;
use crate::domain::ids::{DeviceId, ReaderId, StaffId};
use crate::domain::reader::ReaderStatus;
use crate::store::Store;
use crate::store::ids::IdRun;
use crate::store::sessions::RefreshRow;
use crate::store::tx::WriteTx;

/// What the write decided. A refusal is an `Ok` of the write: ending the family must be committed.
enum Turn {
    Rejected,
    Issued(Opened),
}

/// Replaces a refresh token.
///
/// # Errors
/// `Unauthenticated`, whatever was wrong with it.
pub async fn refresh_token(store: &Arc<Store>, tools: SessionTools<'_>, token: &str) -> Result<SessionView> {
    let ids = store.take_ids::<UseCaseError>(1).await?;
    let shown = hash_refresh(token);
    let (next, hash) = new_refresh();
    let life = tools.refresh_life;
    match store.write(move |tx| turn(tx, &shown, hash, life, ids.clone())).await? {
        Turn::Rejected => Err(UseCaseError::Unauthenticated),
        Turn::Issued(opened) => tools.view(opened, next),
    }
}

fn turn(tx: &mut WriteTx<'_>, shown: &[u8; 32], hash: [u8; 32], life: Duration, mut ids: IdRun) -> Result<Turn> {
    let now = tx.now().timestamp_millis();
    let Some(row) = tx.refresh_token(shown)? else {
        return Ok(Turn::Rejected);
    };
    if row.revoked_at.is_some() || row.expires_at <= now {
        return Ok(Turn::Rejected);
    }
    let fresh = tx.use_refresh_token(row.id, now)?;
    let opened = if fresh { still_valid(tx, &row)? } else { None };
    let Some(opened) = opened else {
        tx.revoke_family(row.family, now)?;
        return Ok(Turn::Rejected);
    };
    tx.insert_refresh_token(&refresh_row(ids.next(), hash, &opened, life))?;
    Ok(Turn::Issued(opened))
}

/// The identity as of now: roles, status and unit may have changed since the log-in.
fn still_valid(tx: &mut WriteTx<'_>, row: &RefreshRow) -> Result<Option<Opened>> {
    let network = tx.network()?;
    let Some(aud) = audience_of(&row.audience) else {
        return Ok(None);
    };
    let (mut grants, mut device_kind) = (Vec::new(), None);
    let valid = match (aud, row.unit()) {
        (Audience::Staff, None) => false,
        (Audience::Staff, Some(unit)) => {
            let roles = tx.active_roles_of(StaffId::new(row.subject_id))?;
            grants = grants_at(&roles, unit, &network);
            !grants.is_empty()
        }
        (Audience::Reader, _) => {
            let found = tx.reader_view(ReaderId::new(row.subject_id))?;
            found.is_some_and(|(reader, _)| reader.status != ReaderStatus::Inactive.code())
        }
        (Audience::Device, at) => {
            let device = tx.device(DeviceId::new(row.subject_id))?;
            let device = device.filter(|device| device.state() == DeviceState::Active && at == Some(device.unit));
            device_kind = device.map(|device| device.kind.code().to_owned());
            device_kind.is_some()
        }
    };
    let unit = row.unit().and_then(|unit| network.unit(unit));
    let (sub, sid, at) = (row.subject_id, row.family, tx.now());
    Ok(valid.then(|| Opened {
        identity: Identity {
            sub,
            aud,
            sid,
            unit: row.unit_id,
            device_kind,
            grants,
        },
        unit_code: unit.map(|unit| unit.code.clone()),
        at,
    }))
}
