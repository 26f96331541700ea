//! Changing who may log in: staff with their roles, secrets, and the sessions a change ends.

use diesel::prelude::*;

use super::error::StoreError;
use super::schema::{readers, refresh_tokens, staff, staff_contacts, staff_roles};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{ReaderId, StaffId, UnitId};

/// A member of staff as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffRow {
    pub id: i64,
    pub username: String,
    pub name: String,
    pub active: bool,
    /// Role codes with the unit whose subtree they are valid in.
    pub roles: Vec<(String, UnitId)>,
    /// The mail address, in part.
    pub mail: Option<String>,
}

impl ReadTx<'_> {
    /// Members of staff after an id, in the order of their ids.
    pub fn staff_after(&mut self, after: i64, limit: i64) -> Result<Vec<StaffRow>, StoreError> {
        let members: Vec<(i64, String, String, bool, Option<String>)> = staff::table
            .left_join(staff_contacts::table.on(staff_contacts::staff_id.eq(staff::id)))
            .filter(staff::id.gt(after))
            .order(staff::id)
            .limit(limit)
            .select((
                staff::id,
                staff::username,
                staff::name,
                staff::active,
                staff_contacts::shown.nullable(),
            ))
            .load(self.conn)?;
        let ids: Vec<i64> = members.iter().map(|member| member.0).collect();
        let roles: Vec<(i64, String, i64)> = staff_roles::table
            .filter(staff_roles::staff_id.eq_any(ids))
            .order((staff_roles::staff_id, staff_roles::role, staff_roles::unit_id))
            .select((staff_roles::staff_id, staff_roles::role, staff_roles::unit_id))
            .load(self.conn)?;
        let of = |id: i64| {
            let own = roles.iter().filter(move |row| row.0 == id);
            own.map(|(_, role, unit)| (role.clone(), UnitId::new(*unit))).collect()
        };
        Ok(members
            .into_iter()
            .map(|(id, username, name, active, mail)| StaffRow {
                id,
                username,
                name,
                active,
                roles: of(id),
                mail,
            })
            .collect())
    }

    /// One member of staff.
    pub fn staff_member(&mut self, id: StaffId) -> Result<Option<StaffRow>, StoreError> {
        let found = self.staff_after(id.get().saturating_sub(1), 1)?;
        Ok(found.into_iter().find(|row| row.id == id.get()))
    }

    /// The hash a member's password is compared with.
    pub fn password_of_staff(&mut self, id: StaffId) -> Result<Option<String>, StoreError> {
        Ok(staff::table
            .find(id.get())
            .select(staff::password_hash)
            .first(self.conn)
            .optional()?)
    }

    /// The hash a reader's PIN is compared with; the outer `None` when there is no such reader.
    pub fn pin_of_reader(&mut self, id: ReaderId) -> Result<Option<Option<String>>, StoreError> {
        Ok(readers::table
            .find(id.get())
            .select(readers::pin_hash)
            .first(self.conn)
            .optional()?)
    }
}

impl WriteTx<'_> {
    /// Writes name and state of a member of staff, and all roles anew.
    pub fn update_staff(&mut self, row: &StaffRow) -> Result<(), StoreError> {
        diesel::update(staff::table.find(row.id))
            .set((staff::name.eq(&row.name), staff::active.eq(row.active)))
            .execute(self.conn)?;
        diesel::delete(staff_roles::table.filter(staff_roles::staff_id.eq(row.id))).execute(self.conn)?;
        for (role, unit) in &row.roles {
            diesel::insert_into(staff_roles::table)
                .values((
                    staff_roles::staff_id.eq(row.id),
                    staff_roles::role.eq(role),
                    staff_roles::unit_id.eq(unit.get()),
                ))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Ends every session of somebody but the one `kept`: no refresh token of theirs counts any more.
    pub fn end_sessions_of(
        &mut self,
        audience: &str,
        subject: i64,
        kept: Option<i64>,
        at_millis: i64,
    ) -> Result<(), StoreError> {
        // No family has the number 0.
        let theirs = refresh_tokens::subject_id
            .eq(subject)
            .and(refresh_tokens::audience.eq(audience))
            .and(refresh_tokens::family.ne(kept.unwrap_or(0)))
            .and(refresh_tokens::revoked_at.is_null());
        // As in `revoke_family`: look until none is left.
        while diesel::update(refresh_tokens::table.filter(theirs))
            .set(refresh_tokens::revoked_at.eq(at_millis))
            .execute(self.conn)?
            > 0
        {}
        Ok(())
    }
}
