//! Sealing: chains settled events and counts them into the daily statistics, in one short write per batch.
//! Reading and hashing happen in a read transaction, so that no circulation write waits for them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use sha2::{Digest, Sha256};

use super::connection::AnyConnection;
use super::error::StoreError;
use super::events::{EVENT_COLUMNS, EventRow};
use super::hot::{AddToCount, on_engine};
use super::schema::{event_personal, event_seals, events, reader_events, readers};
use super::tx::{ReadTx, WriteTx};
use crate::domain::event::EventKind;
use crate::domain::ids::ReaderId;

/// Events under one seal, at most.
pub const SEAL_EVENTS: i64 = 1_000;

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Seal {
    pub position: i64,
    pub last_txid: i64,
    pub last_seq: i64,
    pub event_count: i64,
    pub hash: Vec<u8>,
}

impl Seal {
    /// Before the first seal. Events that were restored into another cluster have numbers below zero.
    pub fn origin() -> Self {
        Self {
            position: 0,
            last_txid: -i64::MAX,
            last_seq: 0,
            event_count: 0,
            hash: vec![0; 32],
        }
    }

    /// The hash of the next seal over these events.
    pub(super) fn chain(&self, digests: &[[u8; 32]]) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash.update(&self.hash);
        hash.update((self.position + 1).to_be_bytes());
        for digest in digests {
            hash.update(digest);
        }
        hash.finalize().to_vec()
    }
}

impl ReadTx<'_> {
    /// The last seal.
    pub fn last_seal(&mut self) -> Result<Seal, StoreError> {
        let last: Option<Seal> = event_seals::table
            .order(event_seals::position.desc())
            .select((
                event_seals::position,
                event_seals::last_txid,
                event_seals::last_seq,
                event_seals::event_count,
                event_seals::hash,
            ))
            .first(self.conn)
            .optional()?;
        Ok(last.unwrap_or_else(Seal::origin))
    }

    /// One event.
    pub(super) fn event_row(&mut self, seq: i64) -> Result<Option<EventRow>, StoreError> {
        let query = events::table.find(seq).select(EVENT_COLUMNS);
        Ok(on_engine!(self.conn, conn => query.first(conn).optional())?)
    }

    /// Events after a point of the commit order that no running transaction can still get in front of.
    pub(super) fn settled_events(&mut self, after: (i64, i64), limit: i64) -> Result<Vec<(i64, EventRow)>, StoreError> {
        let (txid, seq) = after;
        let columns = (events::txid, EVENT_COLUMNS);
        let settled = match &mut *self.conn {
            // The writer thread numbers events in commit order: the primary key is that order.
            AnyConnection::Sqlite(conn) => events::table
                .filter(events::seq.gt(seq))
                .order(events::seq)
                .limit(limit)
                .select(columns)
                .load(conn)?,
            AnyConnection::Postgres(conn) => {
                let horizon = super::dialect::commit_horizon(conn)?;
                events::table
                    .filter(events::txid.ge(txid).and(events::txid.lt(horizon)))
                    .filter(events::txid.gt(txid).or(events::seq.gt(seq)))
                    .order((events::txid, events::seq))
                    .limit(limit)
                    .select(columns)
                    .load(conn)?
            }
        };
        Ok(settled)
    }
}

/// What one line of the statistics counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CountKey {
    pub day: String,
    pub unit_id: i64,
    pub kind: String,
    pub owner_unit_id: i64,
    pub item_type_id: i64,
    pub category_id: i64,
    pub age_band: String,
    pub channel: String,
}

/// A seal ready to be written, with what its events add to the statistics.
#[derive(Debug, Clone)]
pub struct NextSeal {
    pub seal: Seal,
    /// Reader, event, and when it happened if it is unlinked some day; sorted: neighbours go to the same page.
    readers: Vec<(i64, i64, Option<i64>)>,
    counts: BTreeMap<CountKey, i64>,
}

/// Counts by key.
pub type Counts = BTreeMap<CountKey, i64>;

/// What an event adds. A void takes back the loan it undoes, on the day and at the unit where that loan was counted.
pub(super) fn count_event(event: &EventRow, counts: &mut Counts) {
    let mut key = CountKey {
        day: event.day.clone(),
        unit_id: event.unit_id,
        kind: event.kind.clone(),
        owner_unit_id: event.owner_unit_id.unwrap_or(0),
        item_type_id: event.item_type_id.unwrap_or(0),
        category_id: event.category_id.unwrap_or(0),
        age_band: event.age_band.clone().unwrap_or_default(),
        channel: event.channel.clone(),
    };
    if event.kind == EventKind::LoanVoided.code() {
        let detail: serde_json::Value = serde_json::from_str(&event.detail).unwrap_or_default();
        let text = |name: &str| detail.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
        key.kind = EventKind::LoanMade.code().to_owned();
        key.day = text("loan_day").unwrap_or(key.day);
        key.channel = text("loan_channel").unwrap_or(key.channel);
        key.unit_id = detail
            .get("loan_unit_id")
            .and_then(serde_json::Value::as_i64)
            .unwrap_or(key.unit_id);
        *counts.entry(key).or_default() -= 1;
    } else {
        *counts.entry(key).or_default() += 1;
    }
}

impl ReadTx<'_> {
    /// The next seal, if any event is settled and unsealed.
    pub fn next_seal(&mut self) -> Result<Option<NextSeal>, StoreError> {
        let last = self.last_seal()?;
        let settled = self.settled_events((last.last_txid, last.last_seq), SEAL_EVENTS)?;
        let Some((last_txid, last_event)) = settled.last() else {
            return Ok(None);
        };
        let digests: Vec<[u8; 32]> = settled.iter().map(|(_, event)| event.digest()).collect();
        let mut counts = Counts::new();
        settled.iter().for_each(|(_, event)| count_event(event, &mut counts));
        counts.retain(|_, n| *n != 0);
        let seqs: Vec<i64> = settled.iter().map(|(_, event)| event.seq).collect();
        let query = event_personal::table
            .filter(
                event_personal::seq
                    .eq_any(&seqs)
                    .and(event_personal::reader_id.is_not_null()),
            )
            .select((event_personal::reader_id.assume_not_null(), event_personal::seq))
            .order((event_personal::reader_id, event_personal::seq));
        let named: Vec<(i64, i64)> = on_engine!(self.conn, conn => query.load(conn))?;
        let unlinked: BTreeMap<i64, i64> = settled
            .iter()
            .filter(|(_, event)| event.visit_id.is_some())
            .map(|(_, event)| (event.seq, event.at))
            .collect();
        let at = |(reader, seq)| (reader, seq, unlinked.get(&seq).copied());
        let readers = named.into_iter().map(at).collect();
        let seal = Seal {
            position: last.position + 1,
            last_txid: *last_txid,
            last_seq: last_event.seq,
            event_count: i64::try_from(settled.len()).unwrap_or(i64::MAX),
            hash: last.chain(&digests),
        };
        Ok(Some(NextSeal { seal, readers, counts }))
    }
}

impl WriteTx<'_> {
    /// Writes a seal and its counts. False when another node was first: the position is taken.
    pub fn write_seal(&mut self, next: &NextSeal, at: DateTime<Utc>) -> Result<bool, StoreError> {
        if self.last_seal()?.position + 1 != next.seal.position {
            return Ok(false);
        }
        let seal = &next.seal;
        diesel::insert_into(event_seals::table)
            .values((
                event_seals::position.eq(seal.position),
                event_seals::last_txid.eq(seal.last_txid),
                event_seals::last_seq.eq(seal.last_seq),
                event_seals::event_count.eq(seal.event_count),
                event_seals::hash.eq(&seal.hash),
                event_seals::sealed_at.eq(at.timestamp_millis()),
            ))
            .execute(self.conn)?;
        self.note_readers(&next.readers)?;
        for (key, n) in &next.counts {
            self.add_to_count(key, *n)?;
        }
        Ok(true)
    }

    fn note_readers(&mut self, named: &[(i64, i64, Option<i64>)]) -> Result<(), StoreError> {
        let row = |(reader, seq, at): &(i64, i64, Option<i64>)| {
            (
                reader_events::reader_id.eq(*reader),
                reader_events::seq.eq(*seq),
                reader_events::at.eq(*at),
            )
        };
        // Who was erased between the reading of a batch and its seal.
        let since = (self.now() - TimeDelta::hours(1)).timestamp_millis();
        let query = readers::table.filter(readers::erased_at.ge(since)).select(readers::id);
        let erased: Vec<i64> = on_engine!(self.conn, conn => query.load(conn))?;
        let rows = named.iter().filter(|(reader, ..)| !erased.contains(reader)).map(row);
        match &mut *self.conn {
            AnyConnection::Sqlite(conn) => {
                for row in rows {
                    diesel::insert_into(reader_events::table).values(row).execute(conn)?;
                }
            }
            AnyConnection::Postgres(conn) => {
                diesel::insert_into(reader_events::table)
                    .values(rows.collect::<Vec<_>>())
                    .execute(conn)?;
            }
        }
        Ok(())
    }

    /// Erases the side rows of a reader, and of those merged into it. The chain keeps verifying: it covers the commitment, not the row.
    pub fn erase_events_of(&mut self, reader: ReaderId) -> Result<usize, StoreError> {
        let merged = readers::table
            .filter(readers::merged_into.eq(reader.get()))
            .select(readers::id);
        let mut erased = self.erase_events_of_row(reader.get())?;
        let merged: Vec<i64> = on_engine!(self.conn, conn => merged.load(conn))?;
        for one in merged {
            erased += self.erase_events_of_row(one)?;
        }
        Ok(erased)
    }

    fn erase_events_of_row(&mut self, reader: i64) -> Result<usize, StoreError> {
        let last = self.last_seal()?;
        let noted = reader_events::table.filter(reader_events::reader_id.eq(reader));
        let sealed = event_personal::table.filter(event_personal::seq.eq_any(noted.select(reader_events::seq)));
        let mut erased = on_engine!(self.conn, conn => diesel::delete(sealed).execute(conn))?;
        diesel::delete(noted).execute(self.conn)?;
        // What is not sealed yet is a second's worth: looked through one by one.
        let fresh = event_personal::table.filter(event_personal::reader_id.eq(reader));
        erased += match &mut *self.conn {
            AnyConnection::Sqlite(conn) => {
                diesel::delete(fresh.filter(event_personal::seq.gt(last.last_seq))).execute(conn)?
            }
            AnyConnection::Postgres(conn) => {
                let unsealed = events::table
                    .filter(events::txid.ge(last.last_txid))
                    .select(events::seq);
                diesel::delete(fresh.filter(event_personal::seq.eq_any(unsealed))).execute(conn)?
            }
        };
        Ok(erased)
    }

    fn add_to_count(&mut self, key: &CountKey, n: i64) -> Result<(), StoreError> {
        AddToCount {
            day: &key.day,
            unit_id: key.unit_id,
            kind: &key.kind,
            owner_unit_id: key.owner_unit_id,
            item_type_id: key.item_type_id,
            category_id: key.category_id,
            age_band: &key.age_band,
            channel: &key.channel,
            n,
        }
        .run(self.conn)?;
        Ok(())
    }
}
