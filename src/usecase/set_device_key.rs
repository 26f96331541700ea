//! The public key that a device signs its journal with. The first is believed; each further one is signed with the key before and
//! begins at a number, so that which key an entry must have is arithmetic.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::acting_device::{ActingDevice, acting_device, device_of};
use super::named::Wrong;
use super::once::once;
use super::session::require_session;
use super::{Caller, IdempotencyKey, Result, Store, UseCaseError};
use crate::auth::Right;
use crate::auth::journal_signature::{JournalKey, NewKey};
use crate::clock::from_millis;
use crate::domain::event::EventKind;
use crate::domain::ids::DeviceId;
use crate::store::Once;
use crate::store::devices::keys::KeyRow;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// Keys a device may have had: one a week for years.
const MAX_KEYS: usize = 500;

/// What the device says.
#[derive(Debug, Clone)]
pub struct SetDeviceKey {
    /// 32 bytes in base64url.
    pub public_key: String,
    pub journal: u64,
    /// It signs from this entry on.
    pub first_sequence: u64,
    /// By the key before.
    pub proof: Option<String>,
}

/// A key of a device's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceKeyView {
    /// What an entry names it by: the first 6 bytes of its SHA-256 in base64url.
    #[schema(example = "q83vEjRW")]
    pub key_id: String,
    /// Which journal it signs; another one after the memory was replaced.
    #[schema(example = 1)]
    pub journal: i64,
    /// It signs from this entry on, until the next key begins.
    #[schema(example = 1)]
    pub first_sequence: i64,
    /// When the device gave it (UTC).
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub given_at: DateTime<Utc>,
    /// What arrives from then on is not believed (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-05-04T08:15:00Z")]
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Outcome for DeviceKeyView {}

/// Gives a key. The same again is answered as the first time.
///
/// # Errors
/// `Forbidden` for whoever is no device at work; `Invalid` naming what is no key, begins too early, or is not proven; `State` when it
/// had too many; a failure of the store.
pub async fn set_device_key(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetDeviceKey,
    key: Option<IdempotencyKey>,
) -> Result<Once<DeviceKeyView>> {
    once(store, caller, key, 2, command, give).await
}

/// Every key a device ever gave, in the order of what they sign.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; a failure of the store.
pub async fn list_device_keys(store: &Arc<Store>, caller: &Caller, device: DeviceId) -> Result<Vec<DeviceKeyView>> {
    caller.require_somewhere(Right::ReadDevices)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            device_of(tx, &caller, device, Right::ReadDevices)?;
            Ok(tx.device_keys(device)?.into_iter().map(view).collect())
        })
        .await
}

/// From now on what arrives under a key waits for a person: the device was opened.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; `State` when it is revoked already; a failure of the store.
pub async fn revoke_device_key(
    store: &Arc<Store>,
    caller: &Caller,
    command: (DeviceId, String),
    key: Option<IdempotencyKey>,
) -> Result<Once<DeviceKeyView>> {
    caller.require_somewhere(Right::ManageDevices)?;
    once(store, caller, key, 1, command, revoke).await
}

fn give(tx: &mut WriteTx<'_>, caller: &Caller, asked: &SetDeviceKey, mut ids: IdRun) -> Result<DeviceKeyView> {
    let device = acting_device(tx, caller, None)?;
    require_session(tx, caller)?;
    tx.lock_device(device.id)?;
    let public = JournalKey::read(&asked.public_key).ok_or_else(|| {
        UseCaseError::field(
            "public_key",
            "must be an Ed25519 public key: 32 bytes in base64url without padding",
        )
    })?;
    let keys = tx.device_keys(device.id)?;
    let (journal, first) = (asked.journal.cast_signed(), asked.first_sequence.cast_signed());
    let same =
        |row: &&KeyRow| (row.journal, row.first_sequence) == (journal, first) && row.public_key == public.bytes();
    if let Some(row) = keys.iter().find(same) {
        return Ok(view(row.clone()));
    }
    let taken_in = tx.next_in_journal(device.id, journal)?;
    judge(&device, asked, &public, &keys, taken_in)?;
    let row = KeyRow {
        id: ids.next(),
        device_id: device.id.get(),
        key_id: public.id(),
        public_key: public.bytes().to_vec(),
        journal,
        first_sequence: first,
        given_at: tx.now().timestamp_millis(),
        revoked_at: None,
    };
    tx.insert_device_key(&row)?;
    append(tx, caller, &device, (&row, "given"), ids.next())?;
    Ok(view(row))
}

fn judge(
    device: &ActingDevice,
    asked: &SetDeviceKey,
    public: &JournalKey,
    keys: &[KeyRow],
    taken_in: Option<i64>,
) -> Result<()> {
    if keys.len() >= MAX_KEYS {
        return Err(UseCaseError::State(format!(
            "the device has had {MAX_KEYS} keys: register another one"
        )));
    }
    let mut wrong = Wrong::default();
    let (journal, first) = (asked.journal.cast_signed(), asked.first_sequence.cast_signed());
    if journal < 1 {
        wrong.say("journal", "must be 1 or more");
    }
    if first < 1 {
        wrong.say("first_sequence", "must be 1 or more");
    }
    if keys.iter().any(|row| row.public_key == public.bytes()) {
        wrong.say("public_key", "was given before: a key is not given again");
    }
    if let Some(last) = keys
        .last()
        .filter(|last| (last.journal, last.first_sequence) >= (journal, first))
    {
        let reason = format!(
            "must come after journal {}, sequence {}, where the key before begins",
            last.journal, last.first_sequence
        );
        wrong.say("first_sequence", reason);
    }
    if let Some(next) = taken_in.filter(|next| first < *next) {
        wrong.say(
            "first_sequence",
            format!("must be {next} or more: what comes before was taken in"),
        );
    }
    // Staff revoked it: what it signs proves nothing, and the secret was changed meanwhile.
    let before = keys.iter().rev().find(|row| row.revoked_at.is_none());
    if let Some(before) = before {
        let new = NewKey {
            device_code: &device.code,
            journal: asked.journal,
            first_sequence: asked.first_sequence,
            key: public,
        };
        let known = JournalKey::of(&before.public_key);
        let proven =
            known.is_some_and(|known| asked.proof.as_deref().is_some_and(|proof| known.announces(&new, proof)));
        if !proven {
            wrong.say(
                "proof",
                format!("must be the signature of this change by the key {}", before.key_id),
            );
        }
    }
    wrong.check()
}

fn revoke(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (id, key_id): &(DeviceId, String),
    mut ids: IdRun,
) -> Result<DeviceKeyView> {
    tx.lock_device(*id)?;
    let device = device_of(tx, caller, *id, Right::ManageDevices)?;
    let keys = tx.device_keys(*id)?;
    let mut row = keys
        .into_iter()
        .find(|row| row.key_id == *key_id)
        .ok_or(UseCaseError::NotFound("key"))?;
    let now = tx.now().timestamp_millis();
    if !tx.revoke_device_key(row.id, now)? {
        return Err(UseCaseError::State("the key is revoked already".to_owned()));
    }
    row.revoked_at = Some(now);
    append(tx, caller, &device, (&row, "revoked"), ids.next())?;
    Ok(view(row))
}

fn append(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    device: &ActingDevice,
    (row, what): (&KeyRow, &str),
    id: i64,
) -> Result<()> {
    let detail = json!({
        "device_id": device.id, "key_id": row.key_id, "journal": row.journal,
        "first_sequence": row.first_sequence, "what": what,
    });
    let event = Event::new(EventKind::DeviceKeyChanged, tx.now(), device.unit, caller.own_channel())
        .by(caller.staff(), caller.device())
        .detail(detail);
    Ok(tx.append_event(id, &event)?)
}

fn view(row: KeyRow) -> DeviceKeyView {
    DeviceKeyView {
        key_id: row.key_id,
        journal: row.journal,
        first_sequence: row.first_sequence,
        given_at: from_millis(row.given_at),
        revoked_at: row.revoked_at.map(from_millis),
    }
}
