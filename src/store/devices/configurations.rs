//! Configurations of devices: versions that are made once and never changed.

use diesel::prelude::*;

use super::{Device, DeviceRow};
use crate::domain::ids::DeviceId;
use crate::store::dialect;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::schema::{device_configurations, devices};
use crate::store::tx::{ReadTx, WriteTx};

/// One version.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = device_configurations)]
pub struct ConfigurationRow {
    pub device_id: i64,
    pub version: i64,
    /// `calls_us`: none of ours.
    pub driver: String,
    /// JSON: `settings` and `driver_settings`.
    pub settings: String,
    pub made_at: i64,
}

impl ReadTx<'_> {
    /// A version of a device's configuration.
    pub fn configuration(&mut self, device: DeviceId, version: i64) -> Result<Option<ConfigurationRow>, StoreError> {
        Ok(device_configurations::table
            .find((device.get(), version))
            .first(self.conn)
            .optional()?)
    }

    /// Devices that are not retired, at work or not, that one of our drivers is to speak to, with their newest configuration.
    pub fn devices_with_drivers(&mut self, calls_us: &str) -> Result<Vec<(Device, ConfigurationRow)>, StoreError> {
        let newest = device_configurations::device_id
            .eq(devices::id)
            .and(device_configurations::version.eq(devices::configuration_version));
        let driven = devices::table
            .inner_join(device_configurations::table.on(newest))
            .filter(device_configurations::driver.ne(calls_us))
            .filter(devices::retired_at.is_null())
            .order(devices::id)
            .select((devices::all_columns, device_configurations::all_columns));
        let rows: Vec<(DeviceRow, ConfigurationRow)> = on_engine!(self.conn, conn => driven.load(conn))?;
        rows.into_iter()
            .map(|(device, configuration)| Ok((device.read()?, configuration)))
            .collect()
    }
}

impl WriteTx<'_> {
    /// Lets one configuration of a line follow another, until the end of the transaction.
    pub fn lock_lines(&mut self) -> Result<(), StoreError> {
        Ok(dialect::lock_lines(self.conn)?)
    }

    /// Adds a version, which is the newest from then on.
    pub fn insert_configuration(&mut self, row: &ConfigurationRow) -> Result<(), StoreError> {
        diesel::insert_into(device_configurations::table)
            .values(row.clone())
            .execute(self.conn)?;
        self.set_newest_configuration(row.device_id, row.version)
    }
}
