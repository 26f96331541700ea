//! What an act without the network, or a machine, says against the records: a queue for people.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::domain::ids::{LoanId, ReaderId};
use crate::store::dialect;
use crate::store::error::StoreError;
use crate::store::schema::{devices, items, journal_conflicts};
use crate::store::tx::{ReadTx, WriteTx};

/// A contradiction.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = journal_conflicts)]
pub struct ConflictRow {
    pub id: i64,
    pub device_id: i64,
    pub unit_id: i64,
    /// `None`: a machine and a person said otherwise of one loan.
    pub entry_id: Option<i64>,
    pub reason: String,
    pub happened_at: i64,
    pub item_id: Option<i64>,
    /// Of the act, where it is known.
    pub reader_id: Option<i64>,
    /// What stands in its way.
    pub loan_id: Option<i64>,
    /// The act, without the card of a reader who is known; goes when it is settled, or after a while.
    pub body: Option<String>,
    pub raised_at: i64,
    pub resolved_at: Option<i64>,
    pub resolution: Option<String>,
    pub note: Option<String>,
}

/// The same with what people know device and item by.
pub type ConflictSeen = (ConflictRow, String, Option<String>);

impl ReadTx<'_> {
    /// Contradictions of some units before an id, the newest first, with the codes of devices and the barcodes of items.
    pub fn conflicts(
        &mut self,
        units: &[i64],
        resolved: bool,
        before: i64,
        limit: i64,
    ) -> Result<Vec<ConflictSeen>, StoreError> {
        let mut found = journal_conflicts::table
            .inner_join(devices::table.on(devices::id.eq(journal_conflicts::device_id)))
            .left_join(items::table.on(journal_conflicts::item_id.eq(items::id.nullable())))
            .filter(journal_conflicts::unit_id.eq_any(units))
            .filter(journal_conflicts::id.lt(before))
            .order(journal_conflicts::id.desc())
            .limit(limit)
            .select((journal_conflicts::all_columns, devices::code, items::barcode.nullable()))
            .into_boxed();
        found = if resolved {
            found.filter(journal_conflicts::resolved_at.is_not_null())
        } else {
            found.filter(journal_conflicts::resolved_at.is_null())
        };
        Ok(found.load(self.conn)?)
    }

    /// One contradiction.
    pub fn conflict(&mut self, id: i64) -> Result<Option<ConflictSeen>, StoreError> {
        Ok(journal_conflicts::table
            .inner_join(devices::table.on(devices::id.eq(journal_conflicts::device_id)))
            .left_join(items::table.on(journal_conflicts::item_id.eq(items::id.nullable())))
            .filter(journal_conflicts::id.eq(id))
            .select((journal_conflicts::all_columns, devices::code, items::barcode.nullable()))
            .first(self.conn)
            .optional()?)
    }

    /// The question of a loan of which two say otherwise that nobody has answered, and the entry of a journal that it is of.
    pub fn open_question(&mut self, loan: LoanId) -> Result<Option<(i64, Option<i64>)>, StoreError> {
        Ok(journal_conflicts::table
            .filter(journal_conflicts::loan_id.eq(loan.get()))
            .filter(journal_conflicts::reason.eq("said_otherwise"))
            .filter(journal_conflicts::resolved_at.is_null())
            .order(journal_conflicts::id)
            .select((journal_conflicts::id, journal_conflicts::entry_id))
            .first(self.conn)
            .optional()?)
    }

    /// Contradictions that were found before a moment and still have their text, the oldest first.
    pub fn old_conflict_texts(&mut self, before: DateTime<Utc>, at_most: i64) -> Result<Vec<i64>, StoreError> {
        Ok(journal_conflicts::table
            .filter(journal_conflicts::body.is_not_null())
            .filter(journal_conflicts::raised_at.lt(before.timestamp_millis()))
            .order(journal_conflicts::raised_at)
            .limit(at_most)
            .select(journal_conflicts::id)
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// A contradiction that nobody else settles until the end of the transaction.
    pub fn lock_conflict(&mut self, id: i64) -> Result<Option<ConflictSeen>, StoreError> {
        dialect::lock_conflict(self.conn, id)?;
        self.conflict(id)
    }

    /// Adds a contradiction.
    pub fn insert_conflict(&mut self, row: &ConflictRow) -> Result<(), StoreError> {
        diesel::insert_into(journal_conflicts::table)
            .values(row.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// An entry of a journal says what a machine had said.
    pub fn name_entry_of_conflict(&mut self, id: i64, entry: i64, body: Option<&str>) -> Result<(), StoreError> {
        diesel::update(journal_conflicts::table.find(id))
            .set((journal_conflicts::entry_id.eq(entry), journal_conflicts::body.eq(body)))
            .execute(self.conn)?;
        Ok(())
    }

    /// Gives what a reader did at machines against the records to another.
    pub fn move_conflicts(&mut self, from: ReaderId, to: ReaderId) -> Result<(), StoreError> {
        diesel::update(journal_conflicts::table.filter(journal_conflicts::reader_id.eq(from.get())))
            .set(journal_conflicts::reader_id.eq(to.get()))
            .execute(self.conn)?;
        Ok(())
    }

    /// Takes the text out of contradictions: it may hold a card's number. Answers how many.
    pub fn forget_conflict_texts(&mut self, conflicts: &[i64]) -> Result<usize, StoreError> {
        Ok(
            diesel::update(journal_conflicts::table.filter(journal_conflicts::id.eq_any(conflicts)))
                .set(journal_conflicts::body.eq(None::<String>))
                .execute(self.conn)?,
        )
    }

    /// Settles a contradiction; the text of the act goes.
    pub fn resolve_conflict(
        &mut self,
        id: i64,
        resolution: &str,
        note: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::update(journal_conflicts::table.find(id))
            .set((
                journal_conflicts::resolved_at.eq(now.timestamp_millis()),
                journal_conflicts::resolution.eq(resolution),
                journal_conflicts::note.eq(note),
                journal_conflicts::body.eq(None::<String>),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
