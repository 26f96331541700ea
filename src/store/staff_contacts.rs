//! Where the staff are reached when they have forgotten a password, sealed.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::error::StoreError;
use super::readers::identities::keys;
use super::schema::staff_contacts;
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::StaffId;

/// What the sealed text is bound to, besides the row.
const MAIL: &str = "staff_mail";

impl ReadTx<'_> {
    /// A member's mail address in clear, to send something there and for nothing else.
    ///
    /// # Errors
    /// `Unavailable` when its key is not there; `Corrupt` when it was changed.
    pub fn mail_of_staff(&mut self, id: StaffId) -> Result<Option<String>, StoreError> {
        let row: Option<(String, Vec<u8>)> = staff_contacts::table
            .find(id.get())
            .select((staff_contacts::key_id, staff_contacts::sealed))
            .first(self.conn)
            .optional()?;
        let Some((key, sealed)) = row else { return Ok(None) };
        let opened = self.shared.identities.open(MAIL, id.get(), &key, &sealed);
        Ok(Some(opened.map_err(keys)?))
    }

    /// The next few members of staff after an id whose address stands under another key than this.
    pub(in crate::store) fn stale_staff(
        &mut self,
        after: i64,
        limit: i64,
        current: &str,
    ) -> Result<Vec<i64>, StoreError> {
        Ok(staff_contacts::table
            .filter(staff_contacts::staff_id.gt(after))
            .filter(staff_contacts::key_id.ne(current))
            .order(staff_contacts::staff_id)
            .limit(limit)
            .select(staff_contacts::staff_id)
            .load(self.conn)?)
    }

    /// The keys under which addresses stand.
    pub(in crate::store) fn staff_contact_keys(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(staff_contacts::table
            .select(staff_contacts::key_id)
            .distinct()
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Another mail address with what is shown of it, or none any more.
    ///
    /// # Errors
    /// `Unavailable` without keys.
    pub fn set_mail_of_staff(&mut self, id: StaffId, mail: Option<(&str, String)>) -> Result<(), StoreError> {
        diesel::delete(staff_contacts::table.find(id.get())).execute(self.conn)?;
        let Some((address, shown)) = mail else { return Ok(()) };
        let now = self.now();
        let sealed = self
            .shared
            .identities
            .seal(MAIL, id.get(), address, now)
            .map_err(keys)?;
        diesel::insert_into(staff_contacts::table)
            .values((
                staff_contacts::staff_id.eq(id.get()),
                staff_contacts::key_id.eq(sealed.key_id),
                staff_contacts::sealed.eq(sealed.sealed),
                staff_contacts::shown.eq(shown),
                staff_contacts::changed_at.eq(now.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Seals a member's address anew if it stands under another key than the one in force; answers whether it did.
    ///
    /// # Errors
    /// As `mail_of_staff`.
    pub fn reseal_mail_of_staff(&mut self, id: StaffId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let current = self.shared.identities.current(now).map_err(keys)?.id();
        let stale: Option<i64> = staff_contacts::table
            .find(id.get())
            .filter(staff_contacts::key_id.ne(&current))
            .select(staff_contacts::staff_id)
            .first(self.conn)
            .optional()?;
        if stale.is_none() {
            return Ok(false);
        }
        self.lock_staff(id)?;
        let Some(address) = self.mail_of_staff(id)? else {
            return Ok(false);
        };
        let sealed = self
            .shared
            .identities
            .seal(MAIL, id.get(), &address, now)
            .map_err(keys)?;
        let changed = diesel::update(staff_contacts::table.find(id.get()))
            .set((
                staff_contacts::key_id.eq(sealed.key_id),
                staff_contacts::sealed.eq(sealed.sealed),
            ))
            .execute(self.conn)?;
        Ok(changed > 0)
    }
}
