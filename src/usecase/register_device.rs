//! A device gets its place and its secret. Done by the operator at the command line; the registry with approval and
//! rotation belongs to the part about machines.

use std::sync::Arc;

use serde_json::json;

use super::log_in::device_secret_hash;
use super::{Result, Store, UseCaseError};
use crate::auth::tokens;
use crate::domain::event::EventKind;
use crate::domain::ids::UnitId;
use crate::store::events::{COMMAND_CHANNEL, Event};
use crate::store::staff::NewDevice;

/// The kinds the database knows.
const KINDS: [&str; 5] = ["gate", "locker", "kiosk", "desk_reader", "sorter"];

/// Longest code of a device.
const MAX_CODE: usize = 40;

/// Registers a device at a unit and answers its secret, which is stored only as a hash and never told again.
///
/// # Errors
/// `Invalid` naming the field: a code that is taken or too long, an unknown unit or kind.
pub async fn register_device(store: &Arc<Store>, code: String, unit_code: String, kind: String) -> Result<String> {
    if code.is_empty() || code.len() > MAX_CODE || !code.bytes().all(|byte| byte.is_ascii_graphic()) {
        let reason = format!("must be 1 to {MAX_CODE} visible ASCII characters");
        return Err(UseCaseError::field("code", reason));
    }
    if !KINDS.contains(&kind.as_str()) {
        return Err(UseCaseError::field(
            "kind",
            format!("must be one of {}", KINDS.join(", ")),
        ));
    }
    let (secret, _) = tokens::new_refresh();
    let secret_hash = device_secret_hash(&secret);
    let ids = store.take_ids::<UseCaseError>(2).await?;
    store
        .write(move |tx| -> Result<()> {
            let mut ids = ids.clone();
            let network = tx.network()?;
            let unit: UnitId = super::record::unit_by_code(&network, "unit", &unit_code)?;
            if tx.device_by_code(&code)?.is_some() {
                return Err(UseCaseError::field("code", "another device has this code"));
            }
            let id = ids.next();
            tx.insert_device(&NewDevice {
                id,
                code: code.clone(),
                unit_id: unit.get(),
                kind: kind.clone(),
                secret_hash: secret_hash.clone(),
                active: true,
            })?;
            let event = Event::new(EventKind::DeviceRegistered, tx.now(), unit, COMMAND_CHANNEL)
                .detail(json!({"device_id": id, "kind": kind}));
            Ok(tx.append_event(ids.next(), &event)?)
        })
        .await?;
    Ok(secret)
}
