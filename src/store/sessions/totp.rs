//! One-time passwords of the staff: which secret is in force, which step was used last, and what is kept of recovery codes.

use diesel::prelude::*;

use crate::domain::ids::StaffId;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::schema::{staff_recovery_codes, staff_totp};
use crate::store::tx::{ReadTx, WriteTx};

/// The state of one member of staff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = staff_totp)]
pub struct TotpRow {
    pub staff_id: i64,
    /// Of the secret in force.
    pub number: Option<i64>,
    /// Of the secret that waits for its first code.
    pub pending: Option<i64>,
    pub last_step: i64,
}

impl ReadTx<'_> {
    /// The state of a member of staff, if they ever began.
    pub fn totp_of(&mut self, staff: StaffId) -> Result<Option<TotpRow>, StoreError> {
        let query = staff_totp::table.find(staff.get());
        Ok(on_engine!(self.conn, conn => query.first(conn).optional())?)
    }

    /// Whether there is an unused recovery code like this.
    pub fn has_recovery_code(&mut self, staff: StaffId, hash: &[u8; 32]) -> Result<bool, StoreError> {
        let query = staff_recovery_codes::table
            .filter(staff_recovery_codes::staff_id.eq(staff.get()))
            .filter(staff_recovery_codes::code_hash.eq(&hash[..]))
            .filter(staff_recovery_codes::used_at.is_null())
            .count();
        let n: i64 = on_engine!(self.conn, conn => query.get_result(conn))?;
        Ok(n > 0)
    }
}

impl WriteTx<'_> {
    /// Writes the state anew.
    pub fn put_totp(&mut self, row: TotpRow) -> Result<(), StoreError> {
        diesel::delete(staff_totp::table.find(row.staff_id)).execute(self.conn)?;
        diesel::insert_into(staff_totp::table).values(row).execute(self.conn)?;
        Ok(())
    }

    /// Marks a time step as used; false when it was, or a later one.
    pub fn use_totp_step(&mut self, staff: StaffId, step: i64) -> Result<bool, StoreError> {
        let earlier = staff_totp::table
            .find(staff.get())
            .filter(staff_totp::last_step.lt(step));
        let n = diesel::update(earlier)
            .set(staff_totp::last_step.eq(step))
            .execute(self.conn)?;
        Ok(n == 1)
    }

    /// Marks a recovery code as used; false when it was.
    pub fn use_recovery_code(&mut self, staff: StaffId, hash: &[u8; 32], at_millis: i64) -> Result<bool, StoreError> {
        let unused = staff_recovery_codes::table
            .filter(staff_recovery_codes::staff_id.eq(staff.get()))
            .filter(staff_recovery_codes::code_hash.eq(&hash[..]))
            .filter(staff_recovery_codes::used_at.is_null());
        let n = diesel::update(unused)
            .set(staff_recovery_codes::used_at.eq(Some(at_millis)))
            .execute(self.conn)?;
        Ok(n == 1)
    }

    /// Keeps these recovery codes instead of those there were.
    pub fn replace_recovery_codes(&mut self, staff: StaffId, codes: &[(i64, [u8; 32])]) -> Result<(), StoreError> {
        let old = staff_recovery_codes::table.filter(staff_recovery_codes::staff_id.eq(staff.get()));
        diesel::delete(old).execute(self.conn)?;
        for (id, hash) in codes {
            diesel::insert_into(staff_recovery_codes::table)
                .values((
                    staff_recovery_codes::id.eq(id),
                    staff_recovery_codes::staff_id.eq(staff.get()),
                    staff_recovery_codes::code_hash.eq(&hash[..]),
                ))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Takes everything away; false when there was nothing.
    pub fn remove_totp(&mut self, staff: StaffId) -> Result<bool, StoreError> {
        self.replace_recovery_codes(staff, &[])?;
        let n = diesel::delete(staff_totp::table.find(staff.get())).execute(self.conn)?;
        Ok(n == 1)
    }
}
