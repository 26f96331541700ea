//! What an erasure asks before it is done.

use diesel::prelude::*;

use crate::domain::ids::{BibId, HoldId, ReaderId};
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::schema::{delivery_requests, holds, legacy_deposits, parcels, readers};
use crate::store::tx::ReadTx;

impl ReadTx<'_> {
    /// Whether a reader was erased.
    pub fn is_erased(&mut self, reader: ReaderId) -> Result<bool, StoreError> {
        let query = readers::table.find(reader.get()).select(readers::erased_at);
        let erased: Option<Option<i64>> = on_engine!(self.conn, conn => query.first(conn).optional())?;
        Ok(erased.flatten().is_some())
    }

    /// The open holds of a reader with their bibs, whatever their state.
    pub fn open_holds_of(&mut self, reader: ReaderId) -> Result<Vec<(HoldId, BibId)>, StoreError> {
        let query = holds::table
            .filter(holds::reader_id.eq(reader.get()).and(holds::closed_at.is_null()))
            .order(holds::id)
            .select((holds::id, holds::bib_id));
        let rows: Vec<(i64, i64)> = on_engine!(self.conn, conn => query.load(conn))?;
        let each = rows.into_iter().map(|(id, bib)| (HoldId::new(id), BibId::new(bib)));
        Ok(each.collect())
    }

    /// Parcels to or from a reader that have not ended.
    pub fn open_parcels_of(&mut self, reader: ReaderId) -> Result<i64, StoreError> {
        let query = parcels::table
            .inner_join(delivery_requests::table.on(delivery_requests::id.eq(parcels::request_id)))
            .filter(delivery_requests::reader_id.eq(reader.get()))
            .filter(parcels::closed_at.is_null())
            .count();
        Ok(on_engine!(self.conn, conn => query.get_result(conn))?)
    }

    /// Deposits of money that libraries hold for a reader.
    pub fn count_legacy_deposits(&mut self, reader: ReaderId) -> Result<i64, StoreError> {
        let query = legacy_deposits::table
            .filter(legacy_deposits::reader_id.eq(reader.get()))
            .count();
        Ok(on_engine!(self.conn, conn => query.get_result(conn))?)
    }
}
