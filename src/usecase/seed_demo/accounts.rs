//! Who may log in to the demo, and with what: secrets from the operating system's randomness, never derivable, written
//! to one file that its owner alone can read. The same write that creates the log-ins marks the database as a demo.

use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::super::log_in::device_secret_hash;
use super::super::{Result, UseCaseError};
use crate::auth::passwords::{check_pin, check_staff_password};
use crate::auth::{PasswordService, Role};
use crate::domain::event::EventKind;
use crate::domain::ids::{ReaderId, StaffId, UnitId};
use crate::store::Store;
use crate::store::devices::NewDevice;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::staff::NewStaff;
use crate::store::tx::WriteTx;

/// The demo's accounts, as scripts read them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DemoAccounts {
    pub base_url: String,
    pub staff: Vec<StaffAccount>,
    pub readers: Vec<ReaderAccount>,
    pub items_on_shelf: Vec<ShelfItem>,
    pub items_on_loan: Vec<LoanItem>,
    pub bench: BenchCards,
    /// Of a demo made by an earlier version: none.
    #[serde(default)]
    pub devices: Vec<DeviceAccount>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StaffAccount {
    pub username: String,
    pub password: String,
    pub unit_code: String,
    pub role: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReaderAccount {
    pub card_number: String,
    pub pin: String,
    pub category: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShelfItem {
    pub barcode: String,
    pub unit_code: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoanItem {
    pub barcode: String,
    pub card_number: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAccount {
    pub code: String,
    pub secret: String,
    pub kind: String,
}

/// An institution with a long history, and one without.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct BenchCards {
    pub history_card: String,
    pub fresh_card: String,
}

/// A secret with what the database keeps of it.
#[derive(Debug, Clone)]
pub(super) struct Secret {
    pub plain: String,
    pub hash: String,
}

/// The secrets of all accounts, being hashed beside the seeding: it takes seconds by design.
pub(super) struct Hashing(Vec<tokio::task::JoinHandle<Result<Vec<Secret>>>>);

impl Hashing {
    /// Makes and hashes so many staff passwords and PINs, on two threads.
    pub(super) fn start(passwords: &PasswordService, staff: usize, pins: usize) -> Self {
        let half = pins / 2;
        let shares = [(staff, half), (0, pins - half)];
        Self(
            shares
                .into_iter()
                .map(|(staff, pins)| {
                    let passwords = passwords.clone();
                    tokio::task::spawn_blocking(move || {
                        let plain = (0..staff).map(|_| new_password()).chain((0..pins).map(|_| new_pin()));
                        plain.map(|plain| hashed(&passwords, plain)).collect()
                    })
                })
                .collect(),
        )
    }

    /// The secrets: staff first.
    pub(super) async fn finish(self) -> Result<Vec<Secret>> {
        let mut secrets = Vec::new();
        for task in self.0 {
            let made = task
                .await
                .map_err(|_| UseCaseError::Internal("hashing a password panicked".into()))?;
            secrets.extend(made?);
        }
        Ok(secrets)
    }
}

fn hashed(passwords: &PasswordService, plain: String) -> Result<Secret> {
    let hash = passwords.hash_blocking(&SecretString::from(plain.clone()));
    let hash = hash.map_err(|error| UseCaseError::Internal(error.to_string()))?;
    Ok(Secret { plain, hash })
}

/// 16 letters and digits: 95 bits.
fn new_password() -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    made_of(LETTERS, 16, |made| check_staff_password(made).is_ok())
}

/// Eight digits.
fn new_pin() -> String {
    made_of(b"0123456789", 8, |made| check_pin(made).is_ok())
}

fn made_of(letters: &[u8], length: usize, good: impl Fn(&str) -> bool) -> String {
    loop {
        let letter = |_| {
            let random = getrandom::u64().expect("the operating system provides randomness");
            let count = u64::try_from(letters.len()).unwrap_or(1);
            char::from(letters[usize::try_from(random % count).unwrap_or(0)])
        };
        let made: String = (0..length).map(letter).collect();
        if good(&made) {
            return made;
        }
    }
}

/// A member of staff to be.
#[derive(Debug, Clone)]
pub(super) struct StaffPlan {
    pub username: String,
    pub name: String,
    pub role: Role,
    pub unit: UnitId,
}

/// What the last write of the seed does.
pub(super) struct LastStep {
    pub staff: Vec<(StaffPlan, Secret)>,
    pub pins: Vec<(ReaderId, Secret)>,
    pub devices: Vec<DevicePlan>,
}

/// A device, with what it logs in with.
pub(super) struct DevicePlan {
    pub account: DeviceAccount,
    pub capabilities: &'static str,
    pub unit: UnitId,
}

/// Creates the log-ins and devices and marks the database as a demo, all at once: without the mark the log-ins do not
/// exist, and the seed is not finished.
pub(super) async fn write(store: &Arc<Store>, step: LastStep) -> Result<()> {
    let count = 2 * step.staff.len() + 2 * step.devices.len();
    let ids = store
        .take_ids::<UseCaseError>(i64::try_from(count).unwrap_or(0))
        .await?;
    store.write(move |tx| apply(tx, &step, ids.clone())).await
}

fn apply(tx: &mut WriteTx<'_>, step: &LastStep, mut ids: IdRun) -> Result<()> {
    let now = tx.now();
    for (plan, secret) in &step.staff {
        let member = NewStaff {
            id: ids.next(),
            username: plan.username.clone(),
            name: plan.name.clone(),
            password_hash: secret.hash.clone(),
            active: true,
            demo: true,
            created_at: now.timestamp_millis(),
        };
        tx.insert_staff(&member, &[(plan.role.to_string(), plan.unit)])?;
        let created = serde_json::json!({"created_staff_id": StaffId::new(member.id)});
        let event = Event::new(EventKind::StaffCreated, now, plan.unit, SYSTEM_CHANNEL).personal(created);
        tx.append_event(ids.next(), &event)?;
    }
    for (reader, secret) in &step.pins {
        tx.set_pin_hash(*reader, &secret.hash)?;
    }
    for DevicePlan {
        account,
        capabilities,
        unit,
    } in &step.devices
    {
        tx.insert_device(&NewDevice {
            id: ids.next(),
            code: account.code.clone(),
            unit_id: unit.get(),
            kind: account.kind.clone(),
            secret_hash: device_secret_hash(&account.secret),
            active: true,
            name: String::new(),
            capabilities: (*capabilities).to_owned(),
            registered_at: Some(now.timestamp_millis()),
            approved_at: Some(now.timestamp_millis()),
        })?;
        tx.append_event(
            ids.next(),
            &Event::new(EventKind::DeviceRegistered, now, *unit, SYSTEM_CHANNEL),
        )?;
    }
    Ok(tx.mark_demo()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_pass_the_policy_and_none_is_made_twice() {
        let (first, second) = (new_password(), new_password());
        assert!(check_staff_password(&first).is_ok() && first != second);
        assert!(check_pin(&new_pin()).is_ok());
    }
}
