//! What devices said and is not believed, and what they never said: lines for a person.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::domain::ids::DeviceId;
use crate::store::dialect;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::schema::{devices, journal_quarantine};
use crate::store::tx::{ReadTx, WriteTx};

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = journal_quarantine)]
pub struct QuarantineRow {
    pub id: i64,
    pub device_id: i64,
    pub journal: i64,
    pub sequence: i64,
    /// Of a gap: the last number that is missing.
    pub to_sequence: i64,
    pub reason: String,
    pub key_id: Option<String>,
    pub signature: Option<String>,
    /// `None` of a gap, and once it is settled.
    pub body: Option<String>,
    pub body_hash: Option<Vec<u8>>,
    /// By the device's clock.
    pub claimed_at: Option<i64>,
    /// The same by ours, as far as is known.
    pub shifted_at: Option<i64>,
    pub received_at: i64,
    pub settled_at: Option<i64>,
    pub settled_how: Option<String>,
    pub note: Option<String>,
}

impl ReadTx<'_> {
    /// Lines of one journal under these numbers, gaps left out.
    pub fn quarantined(
        &mut self,
        device: DeviceId,
        journal: i64,
        sequences: &[i64],
    ) -> Result<Vec<QuarantineRow>, StoreError> {
        Ok(journal_quarantine::table
            .filter(journal_quarantine::device_id.eq(device.get()))
            .filter(journal_quarantine::journal.eq(journal))
            .filter(journal_quarantine::sequence.eq_any(sequences))
            .filter(journal_quarantine::reason.ne("gap"))
            .order(journal_quarantine::id)
            .load(self.conn)?)
    }

    /// Gaps of one journal that nobody has settled and that have one of these numbers.
    pub fn open_gaps(
        &mut self,
        device: DeviceId,
        journal: i64,
        from: i64,
        to: i64,
    ) -> Result<Vec<QuarantineRow>, StoreError> {
        Ok(journal_quarantine::table
            .filter(journal_quarantine::device_id.eq(device.get()))
            .filter(journal_quarantine::journal.eq(journal))
            .filter(journal_quarantine::reason.eq("gap"))
            .filter(journal_quarantine::settled_at.is_null())
            .filter(journal_quarantine::sequence.le(to))
            .filter(journal_quarantine::to_sequence.ge(from))
            .order(journal_quarantine::id)
            .load(self.conn)?)
    }

    /// One line.
    pub fn quarantine_line(&mut self, id: i64) -> Result<Option<QuarantineRow>, StoreError> {
        Ok(journal_quarantine::table.find(id).first(self.conn).optional()?)
    }

    /// Lines of devices of some units before an id, the newest first; of one device, if it is said.
    pub fn quarantine_lines(
        &mut self,
        units: &[i64],
        device: Option<DeviceId>,
        settled: bool,
        before: i64,
        limit: i64,
    ) -> Result<Vec<QuarantineRow>, StoreError> {
        let mut lines = journal_quarantine::table
            .inner_join(devices::table.on(devices::id.eq(journal_quarantine::device_id)))
            .filter(devices::unit_id.eq_any(units))
            .filter(journal_quarantine::id.lt(before))
            .order(journal_quarantine::id.desc())
            .limit(limit)
            .select(journal_quarantine::all_columns)
            .into_boxed();
        lines = if settled {
            lines.filter(journal_quarantine::settled_at.is_not_null())
        } else {
            lines.filter(journal_quarantine::settled_at.is_null())
        };
        if let Some(device) = device {
            lines = lines.filter(journal_quarantine::device_id.eq(device.get()));
        }
        Ok(lines.load(self.conn)?)
    }

    /// Lines that came before a moment and still have their text, the oldest first.
    pub fn old_quarantine_texts(&mut self, before: DateTime<Utc>, at_most: i64) -> Result<Vec<i64>, StoreError> {
        Ok(journal_quarantine::table
            .filter(journal_quarantine::body.is_not_null())
            .filter(journal_quarantine::received_at.lt(before.timestamp_millis()))
            .order(journal_quarantine::received_at)
            .limit(at_most)
            .select(journal_quarantine::id)
            .load(self.conn)?)
    }

    /// How many lines of a device nobody has settled, for a reason.
    pub fn open_quarantine(&mut self, device: DeviceId, reason: &str) -> Result<i64, StoreError> {
        Ok(on_engine!(self.conn, conn => journal_quarantine::table
            .filter(journal_quarantine::device_id.eq(device.get()))
            .filter(journal_quarantine::reason.eq(reason))
            .filter(journal_quarantine::settled_at.is_null())
            .count()
            .get_result(conn))?)
    }
}

impl WriteTx<'_> {
    /// A line that nobody else settles until the end of the transaction.
    pub fn lock_quarantine(&mut self, id: i64) -> Result<Option<QuarantineRow>, StoreError> {
        dialect::lock_quarantine(self.conn, id)?;
        self.quarantine_line(id)
    }

    /// Adds a line.
    ///
    /// # Errors
    /// `Conflict` when the same content stands there under the same number.
    pub fn insert_quarantine(&mut self, row: &QuarantineRow) -> Result<(), StoreError> {
        diesel::insert_into(journal_quarantine::table)
            .values(row.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// A line that was settled is open again, for another reason: what it let through could not be judged.
    pub fn reopen_quarantine(&mut self, row: &QuarantineRow) -> Result<(), StoreError> {
        diesel::update(journal_quarantine::table.find(row.id))
            .set((
                journal_quarantine::reason.eq(&row.reason),
                journal_quarantine::body.eq(&row.body),
                journal_quarantine::shifted_at.eq(row.shifted_at),
                journal_quarantine::received_at.eq(row.received_at),
                journal_quarantine::settled_at.eq(None::<i64>),
                journal_quarantine::settled_how.eq(None::<String>),
                journal_quarantine::note.eq(None::<String>),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Settles a line; its text goes.
    pub fn settle_quarantine(
        &mut self,
        id: i64,
        how: &str,
        note: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::update(journal_quarantine::table.find(id))
            .set((
                journal_quarantine::settled_at.eq(now.timestamp_millis()),
                journal_quarantine::settled_how.eq(how),
                journal_quarantine::note.eq(note),
                journal_quarantine::body.eq(None::<String>),
                journal_quarantine::signature.eq(None::<String>),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Takes the text out of lines: it may hold a card's number. Answers how many.
    pub fn forget_quarantine_texts(&mut self, lines: &[i64]) -> Result<usize, StoreError> {
        Ok(
            diesel::update(journal_quarantine::table.filter(journal_quarantine::id.eq_any(lines)))
                .set((
                    journal_quarantine::body.eq(None::<String>),
                    journal_quarantine::signature.eq(None::<String>),
                ))
                .execute(self.conn)?,
        )
    }
}
