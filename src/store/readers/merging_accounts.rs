//! What else a merge moves: where a reader is reached and how, what they were told, the ledger of credit, and the words of staff.
//! Not for: loans, holds, cards and standing (see `merging`).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::domain::credit::EntryKind;
use crate::domain::ids::ReaderId;
use crate::store::credit::freezes::{FreezeCause, FreezeEnd};
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::notices::contacts::ContactRow;
use crate::store::schema::{
    admission_requests, credit_appeals, credit_entries, credit_freezes, notice_preferences, notices, one_time_codes,
    reader_accesses, reader_consents, reader_contacts, readers,
};
use crate::store::tx::{ReadTx, WriteTx};

/// What came of moving a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MovedLedger {
    pub entries: i64,
    /// The points both ledgers began with, where the second beginning must not count.
    pub second_start: Option<i64>,
}

impl ReadTx<'_> {
    /// Who stands for a reader now: itself, or the one it was merged into.
    pub fn stands_for(&mut self, reader: ReaderId) -> Result<ReaderId, StoreError> {
        let into: Option<Option<i64>> = readers::table
            .find(reader.get())
            .select(readers::merged_into)
            .first(self.conn)
            .optional()?;
        Ok(into.flatten().map_or(reader, ReaderId::new))
    }

    /// Those of some readers who were merged, with those they were merged into.
    pub fn merged_of(&mut self, of: &[ReaderId]) -> Result<BTreeMap<ReaderId, ReaderId>, StoreError> {
        let of: Vec<i64> = of.iter().map(|reader| reader.get()).collect();
        let query = readers::table
            .filter(readers::id.eq_any(of).and(readers::merged_into.is_not_null()))
            .select((readers::id, readers::merged_into.assume_not_null()));
        let rows: Vec<(i64, i64)> = on_engine!(self.conn, conn => query.load(conn))?;
        let pair = |(from, into)| (ReaderId::new(from), ReaderId::new(into));
        Ok(rows.into_iter().map(pair).collect())
    }
}

impl WriteTx<'_> {
    /// Gives the addresses, wishes, notices and codes of one reader to another. An address of a channel that the other has, too,
    /// goes, but for a good one in the place of one that is not. Codes that were not used count no longer.
    ///
    /// # Errors
    /// `Unavailable` when the key of an address is not there.
    pub fn move_notices(&mut self, from: ReaderId, to: ReaderId, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.move_contacts(from, to, now)?;
        let (from, to) = (from.get(), to.get());
        let wishes: i64 = notice_preferences::table.find(to).count().get_result(self.conn)?;
        let theirs = notice_preferences::table.find(from);
        if wishes > 0 {
            diesel::delete(theirs).execute(self.conn)?;
        } else {
            diesel::update(theirs)
                .set(notice_preferences::reader_id.eq(to))
                .execute(self.conn)?;
        }
        // Of one kind one gathers: these go as they are.
        diesel::update(notices::table.filter(notices::reader_id.eq(from)))
            .set((notices::reader_id.eq(to), notices::gathering.eq(false)))
            .execute(self.conn)?;
        let codes = || one_time_codes::table.filter(one_time_codes::reader_id.eq(from));
        diesel::update(codes().filter(one_time_codes::ended_at.is_null()))
            .set(one_time_codes::ended_at.eq(now.timestamp_millis()))
            .execute(self.conn)?;
        diesel::update(codes())
            .set(one_time_codes::reader_id.eq(to))
            .execute(self.conn)?;
        Ok(())
    }

    fn move_contacts(&mut self, from: ReaderId, to: ReaderId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let theirs = self.contacts_of(to)?;
        for row in self.contacts_of(from)? {
            let known = theirs.iter().find(|known| known.channel == row.channel);
            diesel::delete(reader_contacts::table.find((from.get(), row.channel.as_str()))).execute(self.conn)?;
            if known.is_some_and(|known| known.is_good() || !row.is_good()) {
                continue;
            }
            // Sealed for one reader: it has to be sealed for the other.
            let address = self.open_contact(&row)?;
            let (key_id, sealed) = self.seal_contact(to, &row.channel, &address, now)?;
            diesel::delete(reader_contacts::table.find((to.get(), row.channel.as_str()))).execute(self.conn)?;
            let moved = ContactRow {
                reader_id: to.get(),
                key_id,
                sealed,
                ..row.waiting_for(None)
            };
            diesel::insert_into(reader_contacts::table)
                .values(moved)
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Puts the lines of one ledger behind those of another, with freezes, appeals and what let the reader in. Under both locks.
    pub fn move_ledger(&mut self, from: ReaderId, to: ReaderId, now: DateTime<Utc>) -> Result<MovedLedger, StoreError> {
        let account = |tx: &mut Self, reader: ReaderId| -> Result<(i64, i64), StoreError> {
            let columns = (readers::credit_balance, readers::credit_entries);
            Ok(readers::table.find(reader.get()).select(columns).first(tx.conn)?)
        };
        let (balance, entries) = account(self, to)?;
        let (moved_balance, moved) = account(self, from)?;
        let lines = || credit_entries::table.filter(credit_entries::reader_id.eq(from.get()));
        let starts: Vec<i64> = lines()
            .filter(credit_entries::kind.eq(EntryKind::Opening.code()))
            .select(credit_entries::points)
            .load(self.conn)?;
        diesel::update(lines())
            .set((
                credit_entries::reader_id.eq(to.get()),
                credit_entries::number.eq(credit_entries::number + entries),
                credit_entries::balance.eq(credit_entries::balance + balance),
            ))
            .execute(self.conn)?;
        for (reader, balance, entries) in [(to, balance + moved_balance, entries + moved), (from, 0, 0)] {
            diesel::update(readers::table.find(reader.get()))
                .set((readers::credit_balance.eq(balance), readers::credit_entries.eq(entries)))
                .execute(self.conn)?;
        }
        self.move_freezes(from, to, now)?;
        diesel::update(credit_appeals::table.filter(credit_appeals::reader_id.eq(from.get())))
            .set(credit_appeals::reader_id.eq(to.get()))
            .execute(self.conn)?;
        self.move_admission(from, to, now)?;
        Ok(MovedLedger {
            entries: moved,
            second_start: (entries > 0 && moved > 0).then(|| starts.into_iter().sum()),
        })
    }

    /// Two freezes at the floor become one, which ends when the later would have.
    fn move_freezes(&mut self, from: ReaderId, to: ReaderId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let at_floor = |tx: &mut Self, reader: ReaderId| -> Result<Option<(i64, Option<i64>)>, StoreError> {
            let open = tx.open_freezes(reader)?;
            let found = open.iter().find(|freeze| freeze.cause == FreezeCause::Floor.code());
            Ok(found.map(|freeze| (freeze.id, freeze.until)))
        };
        if let (Some((kept, until)), Some((ended, later))) = (at_floor(self, to)?, at_floor(self, from)?) {
            self.end_freeze(ended, FreezeEnd::Staff, now)?;
            // One without an end never ends by itself.
            let until = until.zip(later).map(|(one, other)| one.max(other));
            diesel::update(credit_freezes::table.find(kept))
                .set(credit_freezes::until.eq(until))
                .execute(self.conn)?;
        }
        diesel::update(credit_freezes::table.filter(credit_freezes::reader_id.eq(from.get())))
            .set(credit_freezes::reader_id.eq(to.get()))
            .execute(self.conn)?;
        Ok(())
    }

    /// Whoever was let in once stays in; of two questions that are open the other one's counts.
    fn move_admission(&mut self, from: ReaderId, to: ReaderId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let open = |reader: ReaderId| {
            admission_requests::table.filter(
                admission_requests::reader_id
                    .eq(reader.get())
                    .and(admission_requests::decided_at.is_null()),
            )
        };
        let asked: i64 = open(to).count().get_result(self.conn)?;
        if asked > 0 {
            diesel::update(open(from))
                .set((
                    admission_requests::state.eq("failed"),
                    admission_requests::decided_at.eq(now.timestamp_millis()),
                ))
                .execute(self.conn)?;
        }
        diesel::update(admission_requests::table.filter(admission_requests::reader_id.eq(from.get())))
            .set(admission_requests::reader_id.eq(to.get()))
            .execute(self.conn)?;
        let admitted: Option<String> = readers::table
            .find(from.get())
            .select(readers::admitted_by)
            .first(self.conn)?;
        let not_yet = readers::table.filter(readers::id.eq(to.get()).and(readers::admitted_by.is_null()));
        diesel::update(not_yet)
            .set(readers::admitted_by.eq(admitted))
            .execute(self.conn)?;
        Ok(())
    }

    /// Gives what one reader agreed to, and who looked at the record, to another. Of two consents of one kind the other's stays in force.
    pub fn move_privacy(&mut self, from: ReaderId, to: ReaderId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let (from, to) = (from.get(), to.get());
        let in_force = reader_consents::table
            .filter(
                reader_consents::reader_id
                    .eq(to)
                    .and(reader_consents::withdrawn_at.is_null()),
            )
            .select(reader_consents::kind);
        let in_force: Vec<String> = in_force.load(self.conn)?;
        let theirs = || reader_consents::table.filter(reader_consents::reader_id.eq(from));
        let twice = theirs().filter(
            reader_consents::withdrawn_at
                .is_null()
                .and(reader_consents::kind.eq_any(in_force)),
        );
        let ended = reader_consents::withdrawn_at.eq(now.timestamp_millis());
        on_engine!(self.conn, conn => diesel::update(twice).set(ended).execute(conn))?;
        diesel::update(theirs())
            .set(reader_consents::reader_id.eq(to))
            .execute(self.conn)?;
        // A look of the same day at both is one.
        diesel::sql_query(format!(
            "DELETE FROM reader_accesses WHERE reader_id = {from} AND reason IS NULL AND EXISTS (SELECT 1 FROM reader_accesses o \
             WHERE o.reader_id = {to} AND o.reason IS NULL AND o.staff_id = reader_accesses.staff_id \
             AND o.unit_id = reader_accesses.unit_id AND o.what = reader_accesses.what AND o.day = reader_accesses.day)"
        ))
        .execute(self.conn)?;
        diesel::update(reader_accesses::table.filter(reader_accesses::reader_id.eq(from)))
            .set(reader_accesses::reader_id.eq(to))
            .execute(self.conn)?;
        Ok(())
    }

    /// Puts the words of staff about one reader behind those about another.
    pub fn move_note(&mut self, from: ReaderId, to: ReaderId) -> Result<(), StoreError> {
        let mut notes = Vec::new();
        for reader in [to, from] {
            let note: Option<String> = readers::table
                .find(reader.get())
                .select(readers::note)
                .first(self.conn)?;
            notes.extend(note);
        }
        if !notes.is_empty() {
            diesel::update(readers::table.find(to.get()))
                .set(readers::note.eq(notes.join("\n")))
                .execute(self.conn)?;
        }
        Ok(())
    }
}
