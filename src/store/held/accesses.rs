//! Who looked at a reader's record.

use chrono::NaiveDate;
use diesel::prelude::*;

use crate::domain::ids::{ReaderId, StaffId, UnitId};
use crate::store::connection::AnyConnection;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::readers::day_text;
use crate::store::schema::{reader_accesses, staff};
use crate::store::tx::{ReadTx, WriteTx};

/// A look to be noted.
#[derive(Debug, Clone, Copy)]
pub struct NewAccess<'a> {
    pub reader: ReaderId,
    pub staff: StaffId,
    pub unit: UnitId,
    /// `record`, `loans`, `holds` or `history`.
    pub what: &'static str,
    pub day: NaiveDate,
    /// Of a look at the history.
    pub reason: Option<&'a str>,
}

/// A look as the reader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct AccessRow {
    pub id: i64,
    pub at: i64,
    pub what: String,
    pub unit_id: i64,
    pub staff_name: Option<String>,
    pub reason: Option<String>,
}

impl ReadTx<'_> {
    /// Whether a look like this was noted already on its day.
    pub fn is_noted(&mut self, look: &NewAccess<'_>) -> Result<bool, StoreError> {
        let query = reader_accesses::table
            .filter(reader_accesses::reader_id.eq(look.reader.get()))
            .filter(reader_accesses::staff_id.eq(look.staff.get()))
            .filter(reader_accesses::unit_id.eq(look.unit.get()))
            .filter(reader_accesses::what.eq(look.what))
            .filter(reader_accesses::day.eq(day_text(look.day)))
            .filter(reader_accesses::reason.is_null())
            .count();
        let n: i64 = on_engine!(self.conn, conn => query.get_result(conn))?;
        Ok(n > 0)
    }

    /// Who looked at a reader's record, the latest first.
    pub fn accesses_of(&mut self, reader: ReaderId, before: i64, limit: i64) -> Result<Vec<AccessRow>, StoreError> {
        let query = reader_accesses::table
            .left_join(staff::table.on(staff::id.eq(reader_accesses::staff_id)))
            .filter(
                reader_accesses::reader_id
                    .eq(reader.get())
                    .and(reader_accesses::id.lt(before)),
            )
            .order(reader_accesses::id.desc())
            .limit(limit)
            .select((
                reader_accesses::id,
                reader_accesses::at,
                reader_accesses::what,
                reader_accesses::unit_id,
                staff::name.nullable(),
                reader_accesses::reason,
            ));
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }
}

impl WriteTx<'_> {
    /// Notes a look, unless one like it was noted that day.
    pub fn note_access(&mut self, id: i64, look: &NewAccess<'_>) -> Result<(), StoreError> {
        let row = (
            reader_accesses::id.eq(id),
            reader_accesses::reader_id.eq(look.reader.get()),
            reader_accesses::staff_id.eq(look.staff.get()),
            reader_accesses::unit_id.eq(look.unit.get()),
            reader_accesses::what.eq(look.what),
            reader_accesses::day.eq(day_text(look.day)),
            reader_accesses::at.eq(self.now().timestamp_millis()),
            reader_accesses::reason.eq(look.reason),
        );
        let insert = diesel::insert_into(reader_accesses::table)
            .values(row)
            .on_conflict_do_nothing();
        match &mut *self.conn {
            AnyConnection::Sqlite(conn) => insert.execute(conn)?,
            AnyConnection::Postgres(conn) => insert.execute(conn)?,
        };
        Ok(())
    }
}
