//! Codes that let somebody who has forgotten a password or PIN set another.

use diesel::prelude::*;

use crate::domain::ids::StaffId;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::schema::reset_codes;
use crate::store::tx::{ReadTx, WriteTx};

/// One code; the code itself is derived from its number.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = reset_codes)]
pub struct ResetRow {
    pub id: i64,
    pub audience: String,
    pub subject_id: i64,
    pub made_at: i64,
    pub expires_at: i64,
    pub attempts: i32,
    pub ended_at: Option<i64>,
}

impl ReadTx<'_> {
    /// A code.
    pub fn reset(&mut self, id: i64) -> Result<Option<ResetRow>, StoreError> {
        Ok(reset_codes::table.find(id).first(self.conn).optional()?)
    }

    /// How many codes were made for somebody since a moment.
    pub fn resets_since(&mut self, audience: &str, subject: i64, since_millis: i64) -> Result<i64, StoreError> {
        let query = reset_codes::table
            .filter(
                reset_codes::audience
                    .eq(audience)
                    .and(reset_codes::subject_id.eq(subject)),
            )
            .filter(reset_codes::made_at.ge(since_millis))
            .count();
        Ok(on_engine!(self.conn, conn => query.get_result(conn))?)
    }
}

impl WriteTx<'_> {
    /// A new code takes the place of those before.
    pub fn insert_reset(&mut self, row: &ResetRow) -> Result<(), StoreError> {
        let open = reset_codes::table
            .filter(
                reset_codes::audience
                    .eq(&row.audience)
                    .and(reset_codes::subject_id.eq(row.subject_id)),
            )
            .filter(reset_codes::ended_at.is_null());
        diesel::update(open)
            .set(reset_codes::ended_at.eq(Some(row.made_at)))
            .execute(self.conn)?;
        diesel::insert_into(reset_codes::table)
            .values(row.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// The code that may be tried, counting this attempt; none when it expired, was used or tried too often.
    pub fn try_reset(
        &mut self,
        audience: &str,
        subject: i64,
        now_millis: i64,
        most: i32,
    ) -> Result<Option<ResetRow>, StoreError> {
        let open = reset_codes::table
            .filter(
                reset_codes::audience
                    .eq(audience)
                    .and(reset_codes::subject_id.eq(subject)),
            )
            .filter(reset_codes::ended_at.is_null())
            .filter(
                reset_codes::expires_at
                    .gt(now_millis)
                    .and(reset_codes::attempts.lt(most)),
            );
        let counted = diesel::update(open)
            .set(reset_codes::attempts.eq(reset_codes::attempts + 1))
            .returning(reset_codes::all_columns);
        let rows: Vec<ResetRow> = on_engine!(self.conn, conn => counted.get_results(conn))?;
        Ok(rows.into_iter().next_back())
    }

    /// Ends a code.
    pub fn end_reset(&mut self, id: i64, at_millis: i64) -> Result<bool, StoreError> {
        let open = reset_codes::table.find(id).filter(reset_codes::ended_at.is_null());
        let n = diesel::update(open)
            .set(reset_codes::ended_at.eq(Some(at_millis)))
            .execute(self.conn)?;
        Ok(n == 1)
    }

    /// Ends every code of a member of staff.
    pub fn end_resets_of_staff(&mut self, id: StaffId) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        let open = reset_codes::table
            .filter(
                reset_codes::audience
                    .eq("staff")
                    .and(reset_codes::subject_id.eq(id.get())),
            )
            .filter(reset_codes::ended_at.is_null());
        diesel::update(open)
            .set(reset_codes::ended_at.eq(Some(now)))
            .execute(self.conn)?;
        Ok(())
    }

    /// Deletes codes that expired before; answers how many.
    pub fn forget_resets(&mut self, before_millis: i64) -> Result<usize, StoreError> {
        Ok(diesel::delete(reset_codes::table.filter(reset_codes::expires_at.lt(before_millis))).execute(self.conn)?)
    }
}
