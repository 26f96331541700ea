//! Public keys of the journals of devices.

use diesel::prelude::*;

use crate::domain::ids::DeviceId;
use crate::store::error::StoreError;
use crate::store::schema::device_keys;
use crate::store::tx::{ReadTx, WriteTx};

/// A key.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = device_keys)]
pub struct KeyRow {
    pub id: i64,
    pub device_id: i64,
    /// What an entry names it by.
    pub key_id: String,
    pub public_key: Vec<u8>,
    pub journal: i64,
    /// It signs from this entry on, until the next begins.
    pub first_sequence: i64,
    pub given_at: i64,
    pub revoked_at: Option<i64>,
}

impl ReadTx<'_> {
    /// Every key a device ever gave, in the order of what they sign.
    pub fn device_keys(&mut self, device: DeviceId) -> Result<Vec<KeyRow>, StoreError> {
        Ok(device_keys::table
            .filter(device_keys::device_id.eq(device.get()))
            .order((device_keys::journal, device_keys::first_sequence))
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Adds a key.
    pub fn insert_device_key(&mut self, row: &KeyRow) -> Result<(), StoreError> {
        diesel::insert_into(device_keys::table)
            .values(row.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// From now on what arrives under a key is not believed; false when it was not believed before.
    pub fn revoke_device_key(&mut self, id: i64, now: i64) -> Result<bool, StoreError> {
        let believed = device_keys::table.find(id).filter(device_keys::revoked_at.is_null());
        let n = diesel::update(believed)
            .set(device_keys::revoked_at.eq(now))
            .execute(self.conn)?;
        Ok(n == 1)
    }
}
