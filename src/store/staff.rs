//! Staff: who may log in, and with which grants.

use diesel::prelude::*;

use super::error::StoreError;
use super::schema::{network_state, staff, staff_roles};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{StaffId, UnitId};

/// What a staff log-in compares and grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffRecord {
    pub id: StaffId,
    pub password_hash: String,
    pub active: bool,
    /// Role codes with the unit whose subtree they are valid in.
    pub roles: Vec<(String, UnitId)>,
}

/// A new member of staff.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = staff)]
pub struct NewStaff {
    pub id: i64,
    pub username: String,
    pub name: String,
    pub password_hash: String,
    pub active: bool,
    pub demo: bool,
    pub created_at: i64,
}

impl ReadTx<'_> {
    /// A member of staff by user name.
    pub fn staff_by_username(&mut self, username: &str) -> Result<Option<StaffRecord>, StoreError> {
        let row: Option<(i64, String, bool)> = staff::table
            .filter(staff::username.eq(username))
            .select((staff::id, staff::password_hash, staff::active))
            .first(self.conn)
            .optional()?;
        // Nobody's roles are asked for too: an unknown name must not be answered a statement sooner.
        let roles = self.roles_of(StaffId::new(row.as_ref().map_or(0, |(id, ..)| *id)))?;
        Ok(row.map(|(id, password_hash, active)| StaffRecord {
            id: StaffId::new(id),
            password_hash,
            active,
            roles,
        }))
    }

    /// The roles of a member of staff who is active; empty for nobody.
    pub fn active_roles_of(&mut self, id: StaffId) -> Result<Vec<(String, UnitId)>, StoreError> {
        let active: Option<bool> = staff::table
            .find(id.get())
            .select(staff::active)
            .first(self.conn)
            .optional()?;
        if active == Some(true) {
            self.roles_of(id)
        } else {
            Ok(Vec::new())
        }
    }

    /// The roles of a member of staff, active or not; `None` for nobody.
    pub fn roles_of_known(&mut self, id: StaffId) -> Result<Option<Vec<(String, UnitId)>>, StoreError> {
        let known: i64 = staff::table
            .filter(staff::id.eq(id.get()))
            .count()
            .get_result(self.conn)?;
        if known == 0 {
            Ok(None)
        } else {
            self.roles_of(id).map(Some)
        }
    }

    fn roles_of(&mut self, id: StaffId) -> Result<Vec<(String, UnitId)>, StoreError> {
        let rows: Vec<(String, i64)> = staff_roles::table
            .filter(staff_roles::staff_id.eq(id.get()))
            .order((staff_roles::role, staff_roles::unit_id))
            .select((staff_roles::role, staff_roles::unit_id))
            .load(self.conn)?;
        Ok(rows.into_iter().map(|(role, unit)| (role, UnitId::new(unit))).collect())
    }

    /// Demo log-ins exist in this database.
    pub fn is_demo(&mut self) -> Result<bool, StoreError> {
        Ok(network_state::table.select(network_state::demo).first(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Locks a member of staff until the end of the transaction.
    pub fn lock_staff(&mut self, id: StaffId) -> Result<(), StoreError> {
        Ok(super::dialect::lock_staff(self.conn, id.get())?)
    }

    /// Adds a member of staff with roles.
    ///
    /// # Errors
    /// `Conflict` when the user name is taken.
    pub fn insert_staff(&mut self, member: &NewStaff, roles: &[(String, UnitId)]) -> Result<(), StoreError> {
        diesel::insert_into(staff::table)
            .values(member.clone())
            .execute(self.conn)?;
        for (role, unit) in roles {
            diesel::insert_into(staff_roles::table)
                .values((
                    staff_roles::staff_id.eq(member.id),
                    staff_roles::role.eq(role),
                    staff_roles::unit_id.eq(unit.get()),
                ))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Whether a user name is taken.
    pub fn username_exists(&mut self, username: &str) -> Result<bool, StoreError> {
        let n: i64 = staff::table
            .filter(staff::username.eq(username))
            .count()
            .get_result(self.conn)?;
        Ok(n > 0)
    }

    /// Replaces a password hash; false when there is no such user.
    pub fn set_password_hash(&mut self, username: &str, hash: &str) -> Result<bool, StoreError> {
        let n = diesel::update(staff::table.filter(staff::username.eq(username)))
            .set(staff::password_hash.eq(hash))
            .execute(self.conn)?;
        Ok(n == 1)
    }

    /// Marks the database as one with demo log-ins.
    pub fn mark_demo(&mut self) -> Result<(), StoreError> {
        diesel::update(network_state::table)
            .set(network_state::demo.eq(true))
            .execute(self.conn)?;
        Ok(())
    }
}
