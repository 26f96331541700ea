//! Devices: the registry. What each said of itself, its commands, alarms, keys and configurations stand in files of their own.

pub mod alarms;
pub mod commands;
pub mod configurations;
pub mod keys;
pub mod passwords;
pub mod status;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::dialect;
use super::error::StoreError;
use super::schema::{compartments, devices, journal_cursors, loan_confirmations};
use super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::device::{self, Capabilities, DeviceKind, DeviceState, Left};
use crate::domain::ids::{DeviceId, UnitId};

/// A device as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub id: DeviceId,
    pub code: String,
    pub unit: UnitId,
    pub kind: DeviceKind,
    pub name: String,
    pub capabilities: Capabilities,
    pub secret_hash: String,
    /// The secret before, and until when it counts.
    pub old_secret: Option<(String, DateTime<Utc>)>,
    pub active: bool,
    pub registered_at: Option<DateTime<Utc>>,
    pub approved_at: Option<DateTime<Utc>>,
    pub retired_at: Option<DateTime<Utc>>,
    /// The newest that was made; 0: none.
    pub configuration_version: i64,
}

impl Device {
    /// Where it is in its life.
    pub fn state(&self) -> DeviceState {
        device::state(self.approved_at.is_some(), self.active, self.retired_at.is_some())
    }
}

/// A new device.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = devices)]
pub struct NewDevice {
    pub id: i64,
    pub code: String,
    pub unit_id: i64,
    pub kind: String,
    pub secret_hash: String,
    pub active: bool,
    pub name: String,
    pub capabilities: String,
    pub registered_at: Option<i64>,
    /// `None`: it waits for somebody to approve it.
    pub approved_at: Option<i64>,
}

#[derive(Debug, Queryable)]
pub(super) struct DeviceRow {
    id: i64,
    code: String,
    unit_id: i64,
    kind: String,
    secret_hash: String,
    active: bool,
    name: String,
    capabilities: String,
    registered_at: Option<i64>,
    approved_at: Option<i64>,
    retired_at: Option<i64>,
    old_secret_hash: Option<String>,
    old_secret_until: Option<i64>,
    configuration_version: i64,
}

impl DeviceRow {
    pub(super) fn read(self) -> Result<Device, StoreError> {
        let kind = DeviceKind::from_code(&self.kind)
            .ok_or_else(|| StoreError::Corrupt(format!("device {} is of no kind: {:?}", self.id, self.kind)))?;
        Ok(Device {
            id: DeviceId::new(self.id),
            code: self.code,
            unit: UnitId::new(self.unit_id),
            kind,
            name: self.name,
            capabilities: Capabilities::from_text(&self.capabilities),
            secret_hash: self.secret_hash,
            old_secret: self.old_secret_hash.zip(self.old_secret_until.map(from_millis)),
            active: self.active,
            registered_at: self.registered_at.map(from_millis),
            approved_at: self.approved_at.map(from_millis),
            retired_at: self.retired_at.map(from_millis),
            configuration_version: self.configuration_version,
        })
    }
}

impl ReadTx<'_> {
    /// A device by its id.
    pub fn device(&mut self, id: DeviceId) -> Result<Option<Device>, StoreError> {
        let row: Option<DeviceRow> = devices::table.find(id.get()).first(self.conn).optional()?;
        row.map(DeviceRow::read).transpose()
    }

    /// A device by its code.
    pub fn device_by_code(&mut self, code: &str) -> Result<Option<Device>, StoreError> {
        let row: Option<DeviceRow> = devices::table
            .filter(devices::code.eq(code))
            .first(self.conn)
            .optional()?;
        row.map(DeviceRow::read).transpose()
    }

    /// Devices of some units after an id.
    pub fn devices_of_units(&mut self, units: &[i64], after: i64, limit: i64) -> Result<Vec<Device>, StoreError> {
        let rows: Vec<DeviceRow> = devices::table
            .filter(devices::unit_id.eq_any(units))
            .filter(devices::id.gt(after))
            .order(devices::id)
            .limit(limit)
            .load(self.conn)?;
        rows.into_iter().map(DeviceRow::read).collect()
    }

    /// Devices with these ids.
    pub fn devices_with_ids(&mut self, ids: &[i64]) -> Result<Vec<Device>, StoreError> {
        let rows: Vec<DeviceRow> = devices::table
            .filter(devices::id.eq_any(ids))
            .order(devices::id)
            .load(self.conn)?;
        rows.into_iter().map(DeviceRow::read).collect()
    }

    /// What a device still has to do with.
    pub fn left_of_device(&mut self, id: DeviceId) -> Result<Left, StoreError> {
        let full: i64 = compartments::table
            .filter(compartments::device_id.eq(id.get()))
            .filter(
                compartments::item_id
                    .is_not_null()
                    .or(compartments::state.ne_all(["empty", "out_of_order"])),
            )
            .count()
            .get_result(self.conn)?;
        let unconfirmed: i64 = loan_confirmations::table
            .filter(loan_confirmations::device_id.eq(id.get()))
            .filter(loan_confirmations::state.eq_any(["reserved", "unconfirmed"]))
            .count()
            .get_result(self.conn)?;
        Ok(Left {
            compartments: u32::try_from(full).unwrap_or(u32::MAX),
            unconfirmed: u32::try_from(unconfirmed).unwrap_or(u32::MAX),
        })
    }

    /// Which entry of its newest journal is expected next; `None` before the first.
    pub fn next_of_journal(&mut self, id: DeviceId) -> Result<Option<i64>, StoreError> {
        Ok(journal_cursors::table
            .filter(journal_cursors::device_id.eq(id.get()))
            .order(journal_cursors::journal.desc())
            .select(journal_cursors::next_sequence)
            .first(self.conn)
            .optional()?)
    }

    /// Which entry of one of its journals is expected next; `None` before the first.
    pub fn next_in_journal(&mut self, id: DeviceId, journal: i64) -> Result<Option<i64>, StoreError> {
        Ok(journal_cursors::table
            .find((id.get(), journal))
            .select(journal_cursors::next_sequence)
            .first(self.conn)
            .optional()?)
    }
}

impl WriteTx<'_> {
    /// Adds a device.
    ///
    /// # Errors
    /// `Conflict` when the code is taken.
    pub fn insert_device(&mut self, device: &NewDevice) -> Result<(), StoreError> {
        diesel::insert_into(devices::table)
            .values(device.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// A device that nobody else changes until the end of the transaction.
    pub fn lock_device(&mut self, id: DeviceId) -> Result<Option<Device>, StoreError> {
        dialect::lock_device(self.conn, id.get())?;
        self.device(id)
    }

    /// Keeps where a device is in its life.
    pub fn set_device_life(&mut self, device: &Device) -> Result<(), StoreError> {
        diesel::update(devices::table.find(device.id.get()))
            .set((
                devices::active.eq(device.active),
                devices::approved_at.eq(device.approved_at.map(|at| at.timestamp_millis())),
                devices::retired_at.eq(device.retired_at.map(|at| at.timestamp_millis())),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Gives a device another secret; the one before counts until then, or no longer.
    pub fn set_device_secret(&mut self, id: DeviceId, hash: &str, old: Option<(&str, i64)>) -> Result<(), StoreError> {
        diesel::update(devices::table.find(id.get()))
            .set((
                devices::secret_hash.eq(hash),
                devices::old_secret_hash.eq(old.map(|(hash, _)| hash)),
                devices::old_secret_until.eq(old.map(|(_, until)| until)),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends the secret before the present one.
    pub fn end_old_secret(&mut self, id: DeviceId) -> Result<(), StoreError> {
        diesel::update(devices::table.find(id.get()))
            .set((
                devices::old_secret_hash.eq(None::<String>),
                devices::old_secret_until.eq(None::<i64>),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Says which configuration is a device's newest.
    pub(super) fn set_newest_configuration(&mut self, id: i64, version: i64) -> Result<(), StoreError> {
        diesel::update(devices::table.find(id))
            .set(devices::configuration_version.eq(version))
            .execute(self.conn)?;
        Ok(())
    }
}
