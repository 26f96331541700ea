//! Guardian links: who answers for whom, and the consent that is on record.
//! Not for: who may answer for whom (see `domain::guardian`).

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::domain::ids::ReaderId;
use crate::store::error::StoreError;
use crate::store::schema::{guardianships, readers};
use crate::store::tx::{ReadTx, WriteTx};

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = guardianships)]
pub struct GuardianRow {
    pub id: i64,
    pub guardian_reader_id: i64,
    pub ward_reader_id: i64,
    pub relation: String,
    pub may_act: bool,
    pub consent_form: Option<String>,
    pub consented_on: Option<String>,
    pub started_at: i64,
    pub ended_at: Option<i64>,
}

/// A ward of a guardian, and the link.
pub type WardRow = (GuardianRow, (String, i64, i64));

macro_rules! link_columns {
    () => {
        (
            guardianships::id,
            guardianships::guardian_reader_id,
            guardianships::ward_reader_id,
            guardianships::relation,
            guardianships::may_act,
            guardianships::consent_form,
            guardianships::consented_on,
            guardianships::started_at,
            guardianships::ended_at,
        )
    };
}

impl ReadTx<'_> {
    /// One link.
    pub fn guardianship(&mut self, id: i64) -> Result<Option<GuardianRow>, StoreError> {
        Ok(guardianships::table
            .find(id)
            .select(link_columns!())
            .first(self.conn)
            .optional()?)
    }

    /// The open links of a ward.
    pub fn guardians_of(&mut self, ward: ReaderId) -> Result<Vec<GuardianRow>, StoreError> {
        Ok(guardianships::table
            .filter(guardianships::ward_reader_id.eq(ward.get()))
            .filter(guardianships::ended_at.is_null())
            .order(guardianships::id)
            .select(link_columns!())
            .load(self.conn)?)
    }

    /// The wards of a guardian after a link: each with name, category and home.
    pub fn wards_of(&mut self, guardian: ReaderId, after: i64, limit: i64) -> Result<Vec<WardRow>, StoreError> {
        Ok(guardianships::table
            .inner_join(readers::table.on(readers::id.eq(guardianships::ward_reader_id)))
            .filter(guardianships::guardian_reader_id.eq(guardian.get()))
            .filter(guardianships::ended_at.is_null().and(guardianships::id.gt(after)))
            .order(guardianships::id)
            .limit(limit)
            .select((
                link_columns!(),
                (readers::name, readers::category_id, readers::home_unit_id),
            ))
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Adds a link.
    ///
    /// # Errors
    /// `Conflict` when the two are linked already.
    pub fn insert_guardianship(&mut self, row: &GuardianRow) -> Result<(), StoreError> {
        diesel::insert_into(guardianships::table)
            .values(row.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends a link; answers whether it was open.
    pub fn end_guardianship(&mut self, id: i64, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let open = guardianships::table.filter(guardianships::id.eq(id).and(guardianships::ended_at.is_null()));
        let ended = diesel::update(open)
            .set(guardianships::ended_at.eq(now.timestamp_millis()))
            .execute(self.conn)?;
        Ok(ended == 1)
    }
}
