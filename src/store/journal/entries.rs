//! What devices did without the network, one row per act. The text goes when the act is judged.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::RELEASED;
use crate::clock::from_millis;
use crate::domain::ids::{DeviceId, ItemId, LoanId, UnitId};
use crate::store::connection::AnyConnection;
use crate::store::error::StoreError;
use crate::store::schema::{devices, journal_entries, loans};
use crate::store::tx::{ReadTx, WriteTx};

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = journal_entries)]
pub struct EntryRow {
    pub id: i64,
    pub device_id: i64,
    pub journal: i64,
    pub sequence: i64,
    pub body_hash: Vec<u8>,
    /// `None` once it is judged.
    pub body: Option<String>,
    /// By our clock.
    pub happened_at: i64,
    pub received_at: i64,
    pub verdict: String,
    /// Separated by commas.
    pub codes: String,
    pub judged_at: Option<i64>,
    pub item_id: Option<i64>,
    pub loan_id: Option<i64>,
    pub kind: Option<String>,
    /// Since when a fault of our own records keeps it from being judged.
    pub failing_since: Option<i64>,
}

/// What an entry was judged to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryJudged {
    pub verdict: &'static str,
    pub codes: String,
    /// The item it was recorded of.
    pub item: Option<i64>,
    pub loan: Option<i64>,
}

/// When a copy was back, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownReturn {
    pub at: DateTime<Utc>,
    pub unit: UnitId,
}

impl ReadTx<'_> {
    /// A loan of an item was made by what a device's journal told.
    pub fn journal_told_of_loan(&mut self, device: DeviceId, item: ItemId, loan: LoanId) -> Result<bool, StoreError> {
        let told: i64 = journal_entries::table
            .filter(journal_entries::item_id.eq(item.get()))
            .filter(journal_entries::device_id.eq(device.get()))
            .filter(journal_entries::loan_id.eq(loan.get()))
            .filter(journal_entries::kind.eq("check_out"))
            .count()
            .get_result(self.conn)?;
        Ok(told > 0)
    }

    /// Entries of one journal with these numbers.
    pub fn journal_entries(
        &mut self,
        device: DeviceId,
        journal: i64,
        sequences: &[i64],
    ) -> Result<Vec<EntryRow>, StoreError> {
        Ok(journal_entries::table
            .filter(journal_entries::device_id.eq(device.get()))
            .filter(journal_entries::journal.eq(journal))
            .filter(journal_entries::sequence.eq_any(sequences))
            .load(self.conn)?)
    }

    /// One entry.
    pub fn journal_entry(&mut self, id: i64) -> Result<Option<EntryRow>, StoreError> {
        Ok(journal_entries::table.find(id).first(self.conn).optional()?)
    }

    /// The entry that came under a number of the journal of another entry, also when it was released from the quarantine since.
    pub fn entry_under_number(&mut self, of: &EntryRow, number: i64) -> Result<Option<EntryRow>, StoreError> {
        let device = DeviceId::new(of.device_id);
        let journal = match of.journal {
            RELEASED => match self.quarantine_line(of.sequence)? {
                Some(line) => line.journal,
                None => return Ok(None),
            },
            journal => journal,
        };
        if let Some(entry) = self.journal_entries(device, journal, &[number])?.pop() {
            return Ok(Some(entry));
        }
        let lines = self.quarantined(device, journal, &[number])?;
        let released = lines
            .iter()
            .find(|line| line.settled_how.as_deref() == Some("released"));
        match released {
            Some(line) => Ok(self.journal_entries(device, RELEASED, &[line.id])?.pop()),
            None => Ok(None),
        }
    }

    /// How many numbers between two have come.
    pub fn entries_between(&mut self, device: DeviceId, journal: i64, from: i64, to: i64) -> Result<i64, StoreError> {
        Ok(journal_entries::table
            .filter(journal_entries::device_id.eq(device.get()))
            .filter(journal_entries::journal.eq(journal))
            .filter(journal_entries::sequence.between(from, to))
            .count()
            .get_result(self.conn)?)
    }

    /// The time of the last entry before a number.
    pub fn entry_time_before(
        &mut self,
        device: DeviceId,
        journal: i64,
        sequence: i64,
    ) -> Result<Option<i64>, StoreError> {
        Ok(journal_entries::table
            .filter(journal_entries::device_id.eq(device.get()))
            .filter(journal_entries::journal.eq(journal))
            .filter(journal_entries::sequence.lt(sequence))
            .order(journal_entries::sequence.desc())
            .select(journal_entries::happened_at)
            .first(self.conn)
            .optional()?)
    }

    /// The first entry of a journal after a number that waits, and for which nothing before it is missing.
    pub fn next_waiting_entry(
        &mut self,
        device: DeviceId,
        journal: i64,
        after: i64,
    ) -> Result<Option<EntryRow>, StoreError> {
        let next = match journal {
            RELEASED => i64::MAX,
            _ => match self.next_in_journal(device, journal)? {
                Some(next) => next,
                None => return Ok(None),
            },
        };
        Ok(journal_entries::table
            .filter(journal_entries::device_id.eq(device.get()))
            .filter(journal_entries::journal.eq(journal))
            .filter(journal_entries::sequence.gt(after))
            .filter(journal_entries::sequence.lt(next))
            .filter(journal_entries::verdict.eq("waiting"))
            .order(journal_entries::sequence)
            .first(self.conn)
            .optional()?)
    }

    /// The first return of a copy after a moment: of a loan, or told by a journal.
    pub fn returned_after(&mut self, item: ItemId, then: DateTime<Utc>) -> Result<Option<KnownReturn>, StoreError> {
        let millis = then.timestamp_millis();
        let of_loan: Option<(Option<i64>, Option<i64>)> = loans::table
            .filter(loans::item_id.eq(item.get()))
            .filter(loans::closed_how.eq("returned"))
            .filter(loans::closed_at.gt(millis))
            .order(loans::closed_at)
            .select((loans::closed_at, loans::return_unit_id))
            .first(self.conn)
            .optional()?;
        let told: Option<(i64, i64)> = journal_entries::table
            .inner_join(devices::table.on(devices::id.eq(journal_entries::device_id)))
            .filter(journal_entries::item_id.eq(item.get()))
            .filter(journal_entries::kind.eq("check_in"))
            .filter(journal_entries::happened_at.gt(millis))
            .order(journal_entries::happened_at)
            .select((journal_entries::happened_at, devices::unit_id))
            .first(self.conn)
            .optional()?;
        let of_loan = of_loan.and_then(|(at, unit)| Some((at?, unit?)));
        let first = of_loan.into_iter().chain(told).min_by_key(|(at, _)| *at);
        Ok(first.map(|(at, unit)| KnownReturn {
            at: from_millis(at),
            unit: UnitId::new(unit),
        }))
    }
}

impl WriteTx<'_> {
    /// Stores entries.
    ///
    /// # Errors
    /// `Conflict` when one of the numbers is taken.
    pub fn insert_journal_entries(&mut self, rows: &[EntryRow]) -> Result<(), StoreError> {
        match &mut *self.conn {
            AnyConnection::Sqlite(conn) => {
                for row in rows {
                    diesel::insert_into(journal_entries::table).values(row).execute(conn)?;
                }
            }
            AnyConnection::Postgres(conn) if !rows.is_empty() => {
                diesel::insert_into(journal_entries::table).values(rows).execute(conn)?;
            }
            AnyConnection::Postgres(_) => {}
        }
        Ok(())
    }

    /// Keeps what became of an entry; its text goes. False when it was judged before.
    pub fn judge_journal_entry(
        &mut self,
        id: i64,
        judged: &EntryJudged,
        kind: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let waiting = journal_entries::table
            .find(id)
            .filter(journal_entries::verdict.eq("waiting"));
        let n = diesel::update(waiting)
            .set((
                journal_entries::verdict.eq(judged.verdict),
                journal_entries::codes.eq(&judged.codes),
                journal_entries::judged_at.eq(now.timestamp_millis()),
                journal_entries::body.eq(None::<String>),
                journal_entries::item_id.eq(judged.item),
                journal_entries::loan_id.eq(judged.loan),
                journal_entries::kind.eq(kind),
            ))
            .execute(self.conn)?;
        Ok(n == 1)
    }

    /// An entry that waits cannot be judged, from now on.
    pub fn entry_fails(&mut self, id: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(journal_entries::table.find(id))
            .set(journal_entries::failing_since.eq(now.timestamp_millis()))
            .execute(self.conn)?;
        Ok(())
    }

    /// Takes an entry that waits out of its journal: it stands in the quarantine.
    pub fn remove_waiting_entry(&mut self, id: i64) -> Result<(), StoreError> {
        let waiting = journal_entries::table
            .find(id)
            .filter(journal_entries::verdict.eq("waiting"));
        diesel::delete(waiting).execute(self.conn)?;
        Ok(())
    }

    /// Says of what an entry was recorded after all.
    pub fn set_entry_subject(&mut self, id: i64, item: Option<i64>, loan: Option<i64>) -> Result<(), StoreError> {
        diesel::update(journal_entries::table.find(id))
            .set((journal_entries::item_id.eq(item), journal_entries::loan_id.eq(loan)))
            .execute(self.conn)?;
        Ok(())
    }
}
