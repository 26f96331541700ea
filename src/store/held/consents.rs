//! What readers agreed to, in which words, and until when.

use diesel::prelude::*;

use crate::domain::ids::ReaderId;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::schema::reader_consents;
use crate::store::tx::{ReadTx, WriteTx};

/// One consent.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = reader_consents)]
pub struct ConsentRow {
    pub id: i64,
    pub reader_id: i64,
    pub kind: String,
    pub text_version: String,
    pub given_at: i64,
    pub withdrawn_at: Option<i64>,
}

impl ReadTx<'_> {
    /// A reader's consents, the newest first.
    pub fn consents_of(&mut self, reader: ReaderId, before: i64, limit: i64) -> Result<Vec<ConsentRow>, StoreError> {
        let query = reader_consents::table
            .filter(
                reader_consents::reader_id
                    .eq(reader.get())
                    .and(reader_consents::id.lt(before)),
            )
            .order(reader_consents::id.desc())
            .limit(limit);
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }

    /// The consent in force.
    pub fn open_consent(&mut self, reader: ReaderId, kind: &str) -> Result<Option<ConsentRow>, StoreError> {
        let query = reader_consents::table
            .filter(
                reader_consents::reader_id
                    .eq(reader.get())
                    .and(reader_consents::kind.eq(kind)),
            )
            .filter(reader_consents::withdrawn_at.is_null());
        Ok(on_engine!(self.conn, conn => query.first(conn).optional())?)
    }
}

impl WriteTx<'_> {
    /// Adds one. At most one of a kind is in force.
    pub fn insert_consent(&mut self, row: &ConsentRow) -> Result<(), StoreError> {
        diesel::insert_into(reader_consents::table)
            .values(row.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends one.
    pub fn end_consent(&mut self, id: i64, at_millis: i64) -> Result<(), StoreError> {
        diesel::update(reader_consents::table.find(id))
            .set(reader_consents::withdrawn_at.eq(Some(at_millis)))
            .execute(self.conn)?;
        Ok(())
    }
}
