//! Configurations of devices: versions that are made once and never changed.

use diesel::prelude::*;

use crate::domain::ids::DeviceId;
use crate::store::error::StoreError;
use crate::store::schema::device_configurations;
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
}

impl WriteTx<'_> {
    /// Adds a version, which is the newest from then on.
    pub fn insert_configuration(&mut self, row: &ConfigurationRow) -> Result<(), StoreError> {
        diesel::insert_into(device_configurations::table)
            .values(row.clone())
            .execute(self.conn)?;
        self.set_newest_configuration(row.device_id, row.version)
    }
}
