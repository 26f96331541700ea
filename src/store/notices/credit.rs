//! What notices tell of credit: lines of the ledger and freezes, as they are now; and the walk over what was posted lately.

use diesel::prelude::*;

use super::Line;
use crate::domain::credit::EntryKind;
use crate::domain::ids::{ReaderId, UnitId};
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::schema::{credit_entries, credit_freezes, readers};
use crate::store::tx::ReadTx;

/// A line of a ledger, as a letter tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct EntryLine {
    pub id: i64,
    pub kind: String,
    pub event: Option<String>,
    pub points: i64,
    pub limited_by: Option<String>,
    pub balance: i64,
}

/// A freeze, open or not.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct FreezeLine {
    pub reader_id: i64,
    pub cause: String,
    pub until: Option<i64>,
    pub ended_by: Option<String>,
}

/// A line that was posted lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostedRow {
    pub entry: i64,
    pub posted_at: i64,
    pub reader: ReaderId,
    pub home: UnitId,
}

impl ReadTx<'_> {
    /// Lines of ledgers, the oldest first.
    pub fn entries_told_of(&mut self, lines: &[Line]) -> Result<Vec<EntryLine>, StoreError> {
        let of: Vec<i64> = lines.iter().map(|line| line.subject).collect();
        let query = credit_entries::table
            .filter(credit_entries::id.eq_any(of))
            .order(credit_entries::number)
            .select((
                credit_entries::id,
                credit_entries::kind,
                credit_entries::event,
                credit_entries::points,
                credit_entries::limited_by,
                credit_entries::balance,
            ));
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }

    /// Freezes, the oldest first.
    pub fn freezes_told_of(&mut self, lines: &[Line]) -> Result<Vec<FreezeLine>, StoreError> {
        let of: Vec<i64> = lines.iter().map(|line| line.subject).collect();
        let query = credit_freezes::table
            .filter(credit_freezes::id.eq_any(of))
            .order(credit_freezes::id)
            .select((
                credit_freezes::reader_id,
                credit_freezes::cause,
                credit_freezes::until,
                credit_freezes::ended_by,
            ));
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }

    /// Lines posted after a moment that take points or give some back, in the order of time. What borrowing wins is read in the portal.
    pub fn walk_posted(&mut self, after: i64, limit: i64) -> Result<Vec<PostedRow>, StoreError> {
        let given_back = [EntryKind::Reversal, EntryKind::Lapse, EntryKind::Merge].map(EntryKind::code);
        let query = credit_entries::table
            .inner_join(readers::table.on(readers::id.eq(credit_entries::reader_id)))
            .filter(credit_entries::posted_at.gt(after))
            .filter(
                credit_entries::kind
                    .eq(EntryKind::Rule.code())
                    .and(credit_entries::points.lt(0))
                    .or(credit_entries::kind.eq_any(given_back)),
            )
            .order((credit_entries::posted_at, credit_entries::id))
            .limit(limit)
            .select((
                credit_entries::id,
                credit_entries::posted_at,
                credit_entries::reader_id,
                readers::home_unit_id,
            ));
        let rows: Vec<(i64, i64, i64, i64)> = on_engine!(self.conn, conn => query.load(conn))?;
        let row = |(entry, posted_at, reader, home)| PostedRow {
            entry,
            posted_at,
            reader: ReaderId::new(reader),
            home: UnitId::new(home),
        };
        Ok(rows.into_iter().map(row).collect())
    }
}
