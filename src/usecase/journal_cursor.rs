//! Where the journal of a device stands: what is expected next, and what is missing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acting_device::{acting_device, device_of};
use super::{Caller, Result, Store};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::ids::DeviceId;
use crate::domain::journal::standing_between;
use crate::store::devices::keys::KeyRow;
use crate::store::journal::cursors::CursorRow;
use crate::store::tx::ReadTx;

/// Reasons whose lines do not take the number.
pub(super) const WITHOUT_NUMBER: &[&str] = &["forged", "unknown_key", "sequence_reused"];

/// Most stretches of missing numbers that are told at once.
const MAX_MISSING: usize = 200;

/// Numbers that have not come, the first and the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissingNumbers {
    /// The first.
    #[schema(example = 4707)]
    pub from: i64,
    /// The last.
    #[schema(example = 4709)]
    pub to: i64,
}

impl MissingNumbers {
    pub(super) const fn of((from, to): (u64, u64)) -> Self {
        Self {
            from: from.cast_signed(),
            to: to.cast_signed(),
        }
    }
}

/// Where one journal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalStands {
    /// Which; another one after the memory was replaced.
    #[schema(example = 1)]
    pub journal: i64,
    /// The device may forget everything up to this number; 0: nothing yet.
    #[schema(example = 4706)]
    pub acknowledged_to: i64,
    /// The number that is expected next.
    #[schema(example = 4707)]
    pub next: i64,
    /// Numbers before the last that has come: send them.
    pub missing: Vec<MissingNumbers>,
    /// Until when what follows them waits (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-03-04T04:02:00Z")]
    pub waits_until: Option<chrono::DateTime<chrono::Utc>>,
}

/// Every journal of a device, the newest last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalsStand {
    /// One line for each; none before the first upload.
    pub items: Vec<JournalStands>,
}

/// Where the journals of the calling device stand.
///
/// # Errors
/// `Forbidden` for whoever is no device at work; a failure of the store.
pub async fn get_journal_cursor(store: &Arc<Store>, caller: &Caller) -> Result<JournalsStand> {
    caller.require_somewhere(Right::OperateDevice)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let device = acting_device(tx, &caller, None)?.id;
            stand(tx, device)
        })
        .await
}

/// Where the journals of a device stand, for staff.
///
/// # Errors
/// `NotFound`, also for a device of another unit; a failure of the store.
pub async fn get_device_journal(store: &Arc<Store>, caller: &Caller, device: DeviceId) -> Result<JournalsStand> {
    caller.require_somewhere(Right::SettleMachines)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            device_of(tx, &caller, device, Right::SettleMachines)?;
            stand(tx, device)
        })
        .await
}

fn stand(tx: &mut ReadTx<'_>, device: DeviceId) -> Result<JournalsStand> {
    let mut items = Vec::new();
    for cursor in tx.journal_cursors(device)? {
        let next = cursor.next_sequence;
        let numbers = tx.journal_numbers_from(device, cursor.journal, next, WITHOUT_NUMBER)?;
        let came: Vec<(u64, u64)> = numbers
            .into_iter()
            .map(|(from, to)| (from.cast_unsigned(), to.cast_unsigned()))
            .collect();
        let missing = standing_between(next.cast_unsigned(), &came).missing;
        items.push(JournalStands {
            journal: cursor.journal,
            acknowledged_to: next - 1,
            next,
            missing: missing.into_iter().take(MAX_MISSING).map(MissingNumbers::of).collect(),
            waits_until: cursor
                .gap_since
                .map(|since| from_millis(since) + crate::domain::journal::GAP_WAIT),
        });
    }
    Ok(JournalsStand { items })
}

/// A journal of which nothing has come: it begins where its first key does, for nothing before can be signed.
pub(super) fn begun(device: DeviceId, journal: i64, keys: &[KeyRow]) -> CursorRow {
    let own = keys.iter().filter(|key| key.journal == journal);
    let goes_on = keys.iter().any(|key| key.journal < journal);
    let first = own.map(|key| key.first_sequence).min().filter(|_| !goes_on);
    CursorRow {
        device_id: device.get(),
        journal,
        next_sequence: first.unwrap_or(1),
        last_at: None,
        gap_since: None,
    }
}
