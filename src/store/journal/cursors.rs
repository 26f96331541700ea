//! Where each journal of a device stands.

use diesel::prelude::*;

use super::RELEASED;
use crate::domain::ids::DeviceId;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::schema::{journal_cursors, journal_entries, journal_quarantine};
use crate::store::tx::{ReadTx, WriteTx};

/// Where a journal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Insertable, Queryable, AsChangeset)]
#[diesel(table_name = journal_cursors, treat_none_as_null = true)]
pub struct CursorRow {
    pub device_id: i64,
    pub journal: i64,
    /// Everything below it is stored, quarantined or given up.
    pub next_sequence: i64,
    /// The time of the last act that was stored.
    pub last_at: Option<i64>,
    /// Since when something before what is stored is missing.
    pub gap_since: Option<i64>,
}

impl ReadTx<'_> {
    /// Where one journal stands; `None` before its first entry.
    pub fn journal_cursor(&mut self, device: DeviceId, journal: i64) -> Result<Option<CursorRow>, StoreError> {
        Ok(journal_cursors::table
            .find((device.get(), journal))
            .first(self.conn)
            .optional()?)
    }

    /// Where every journal of a device stands, the newest last.
    pub fn journal_cursors(&mut self, device: DeviceId) -> Result<Vec<CursorRow>, StoreError> {
        Ok(journal_cursors::table
            .filter(journal_cursors::device_id.eq(device.get()))
            .order(journal_cursors::journal)
            .load(self.conn)?)
    }

    /// Numbers from one on that have come: stored, quarantined with their number, or given up. From and to.
    pub fn journal_numbers_from(
        &mut self,
        device: DeviceId,
        journal: i64,
        from: i64,
        without_number: &[&str],
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let stored: Vec<i64> = journal_entries::table
            .filter(journal_entries::device_id.eq(device.get()))
            .filter(journal_entries::journal.eq(journal))
            .filter(journal_entries::sequence.ge(from))
            .order(journal_entries::sequence)
            .select(journal_entries::sequence)
            .load(self.conn)?;
        let mut numbers: Vec<(i64, i64)> = stored.into_iter().map(|one| (one, one)).collect();
        let kept: Vec<(i64, i64)> = on_engine!(self.conn, conn => journal_quarantine::table
            .filter(journal_quarantine::device_id.eq(device.get()))
            .filter(journal_quarantine::journal.eq(journal))
            .filter(journal_quarantine::to_sequence.ge(from))
            .filter(journal_quarantine::reason.ne_all(without_number.to_vec()))
            .select((journal_quarantine::sequence, journal_quarantine::to_sequence))
            .load(conn))?;
        numbers.extend(kept);
        Ok(numbers)
    }

    /// Devices after an id of whose journals something waits, or is missing.
    pub fn devices_to_drain(&mut self, after: i64, limit: i64) -> Result<Vec<DeviceId>, StoreError> {
        let mut found: Vec<i64> = journal_entries::table
            .filter(journal_entries::verdict.eq("waiting"))
            .filter(journal_entries::device_id.gt(after))
            .order(journal_entries::device_id)
            .select(journal_entries::device_id)
            .distinct()
            .limit(limit)
            .load(self.conn)?;
        let gaps: Vec<i64> = journal_cursors::table
            .filter(journal_cursors::gap_since.is_not_null())
            .filter(journal_cursors::device_id.gt(after))
            .order(journal_cursors::device_id)
            .select(journal_cursors::device_id)
            .distinct()
            .limit(limit)
            .load(self.conn)?;
        found.extend(gaps);
        found.sort_unstable();
        found.dedup();
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found.into_iter().map(DeviceId::new).collect())
    }

    /// Journals of a device in which something waits: that of what was released comes first.
    pub fn journals_of_device(&mut self, device: DeviceId) -> Result<Vec<i64>, StoreError> {
        let mut journals: Vec<i64> = journal_cursors::table
            .filter(journal_cursors::device_id.eq(device.get()))
            .order(journal_cursors::journal)
            .select(journal_cursors::journal)
            .load(self.conn)?;
        journals.insert(0, RELEASED);
        Ok(journals)
    }
}

impl WriteTx<'_> {
    /// Stores where a journal stands, of a device that is locked.
    pub fn set_journal_cursor(&mut self, row: &CursorRow) -> Result<(), StoreError> {
        let changed = diesel::update(journal_cursors::table.find((row.device_id, row.journal)))
            .set(*row)
            .execute(self.conn)?;
        if changed == 0 {
            diesel::insert_into(journal_cursors::table)
                .values(*row)
                .execute(self.conn)?;
        }
        Ok(())
    }
}
