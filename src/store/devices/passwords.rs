//! What our drivers log in with where a machine is behind a broker, sealed: one for each device, that of its newest configuration.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::domain::ids::DeviceId;
use crate::store::error::StoreError;
use crate::store::readers::identities::keys;
use crate::store::schema::device_passwords;
use crate::store::tx::{ReadTx, WriteTx};

/// What the sealed text is bound to, besides the row.
const PASSWORD: &str = "device_password";

impl ReadTx<'_> {
    /// The passwords of all devices in clear, to log in with and for nothing else. Each for itself: `Unavailable` when its key is not there,
    /// `Corrupt` when it was changed.
    pub fn device_passwords(&mut self) -> Result<HashMap<DeviceId, Result<String, StoreError>>, StoreError> {
        let rows: Vec<(i64, String, Vec<u8>)> = device_passwords::table
            .select((
                device_passwords::device_id,
                device_passwords::key_id,
                device_passwords::sealed,
            ))
            .load(self.conn)?;
        let identities = &self.shared.identities;
        let opened = rows.into_iter().map(|(id, key, sealed)| {
            let opened = identities.open(PASSWORD, id, &key, &sealed).map_err(keys);
            (DeviceId::new(id), opened)
        });
        Ok(opened.collect())
    }

    /// The next few devices after an id whose password stands under another key than this.
    pub(in crate::store) fn stale_device_passwords(
        &mut self,
        after: i64,
        limit: i64,
        current: &str,
    ) -> Result<Vec<i64>, StoreError> {
        Ok(device_passwords::table
            .filter(device_passwords::device_id.gt(after))
            .filter(device_passwords::key_id.ne(current))
            .order(device_passwords::device_id)
            .limit(limit)
            .select(device_passwords::device_id)
            .load(self.conn)?)
    }

    /// The keys under which passwords stand.
    pub(in crate::store) fn device_password_keys(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(device_passwords::table
            .select(device_passwords::key_id)
            .distinct()
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Another password, or none any more.
    ///
    /// # Errors
    /// `Unavailable` without keys.
    pub fn set_device_password(&mut self, id: DeviceId, password: Option<&str>) -> Result<(), StoreError> {
        diesel::delete(device_passwords::table.find(id.get())).execute(self.conn)?;
        let Some(password) = password else { return Ok(()) };
        let now = self.now();
        let sealed = self.shared.identities.seal(PASSWORD, id.get(), password, now);
        let sealed = sealed.map_err(keys)?;
        diesel::insert_into(device_passwords::table)
            .values((
                device_passwords::device_id.eq(id.get()),
                device_passwords::key_id.eq(sealed.key_id),
                device_passwords::sealed.eq(sealed.sealed),
                device_passwords::changed_at.eq(now.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Seals a device's password anew if it stands under another key than the one in force; answers whether it did.
    ///
    /// # Errors
    /// `Unavailable` when a key is not there; `Corrupt` for a row that was changed.
    pub fn reseal_device_password(&mut self, id: DeviceId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let current = self.shared.identities.current(now).map_err(keys)?.id();
        let row = |tx: &mut Self| {
            device_passwords::table
                .find(id.get())
                .filter(device_passwords::key_id.ne(&current))
                .select((device_passwords::key_id, device_passwords::sealed))
                .first::<(String, Vec<u8>)>(tx.conn)
                .optional()
        };
        if row(self)?.is_none() {
            return Ok(false);
        }
        self.lock_device(id)?;
        let Some((key, sealed)) = row(self)? else {
            return Ok(false);
        };
        let identities = self.shared.identities.clone();
        let password = identities.open(PASSWORD, id.get(), &key, &sealed).map_err(keys)?;
        let sealed = identities.seal(PASSWORD, id.get(), &password, now).map_err(keys)?;
        let changed = diesel::update(device_passwords::table.find(id.get()))
            .set((
                device_passwords::key_id.eq(sealed.key_id),
                device_passwords::sealed.eq(sealed.sealed),
            ))
            .execute(self.conn)?;
        Ok(changed > 0)
    }
}
