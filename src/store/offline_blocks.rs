//! The list of cards that devices may not lend to, as hashes, in the order of the commits; and what a device has inside.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::events::random_bytes;
use super::items::parse_day;
use super::schema::{bibs, cards, compartments, items, offline_block_numbers, offline_blocks, readers};
use super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::ids::{DeviceId, ReaderId};
use crate::domain::reader::{CardKind, CardStatus, CreditBand, ReaderStatus};

/// Bytes of a hash.
const HASH_BYTES: usize = 8;

/// The numbers of the list, and what its hashes are salted with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockNumbers {
    pub last: i64,
    /// A cursor before it is too old.
    pub first: i64,
    /// `None`: nothing is hashed yet.
    pub salt: Option<Vec<u8>>,
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct BlockRow {
    pub seq: i64,
    pub card_hash: Vec<u8>,
    pub blocked: bool,
}

/// A card, and all that keeps its holder from borrowing anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardStanding {
    pub card: i64,
    pub number: String,
    pub status: String,
    pub expires_on: Option<NaiveDate>,
    pub reader_status: String,
    pub barred: bool,
    /// By staff; until when, if that is known.
    pub block: Option<Option<DateTime<Utc>>>,
    pub band: String,
}

impl CardStanding {
    /// Whether a device that asks nobody must not lend to it.
    pub fn is_blocked(&self, now: DateTime<Utc>, today: NaiveDate) -> bool {
        self.status != CardStatus::Active.code()
            || self.reader_status != ReaderStatus::Active.code()
            || self.barred
            || self.band == CreditBand::Frozen.code()
            || self.expires_on.is_some_and(|end| end < today)
            || self.block.is_some_and(|until| until.is_none_or(|until| until > now))
    }
}

/// Something in a compartment of a device.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct StockRow {
    pub number: i32,
    pub state: String,
    pub item_id: i64,
    pub barcode: String,
    pub tag: Option<String>,
    pub title: String,
    pub owner_unit_id: i64,
    pub item_type_id: i64,
}

/// The first bytes of SHA-256 of salt, a line feed and the number.
pub fn card_hash(salt: &[u8], number: &str) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(b"\n");
    hash.update(number.as_bytes());
    hash.finalize()[..HASH_BYTES].to_vec()
}

type StandingRow = (
    i64,
    String,
    String,
    Option<String>,
    String,
    bool,
    Option<String>,
    Option<i64>,
    String,
);

macro_rules! standings {
    () => {
        cards::table
            .inner_join(readers::table.on(readers::id.eq(cards::reader_id)))
            // The number of a person's own document is kept as a hash of ours: no device can look for it.
            .filter(cards::kind.ne_all(of_persons()))
            .select((
                cards::id,
                cards::number,
                cards::status,
                cards::expires_on,
                readers::status,
                readers::barred,
                readers::block_reason,
                readers::block_until,
                readers::credit_band,
            ))
            .order(cards::id)
    };
}

fn of_persons() -> Vec<&'static str> {
    let kinds = CardKind::ALL.into_iter().filter(|kind| kind.is_of_person());
    kinds.map(CardKind::code).collect()
}

fn standing(row: StandingRow) -> Result<CardStanding, StoreError> {
    let (card, number, status, expires_on, reader_status, barred, reason, until, band) = row;
    Ok(CardStanding {
        card,
        number,
        status,
        expires_on: expires_on.as_deref().map(parse_day).transpose()?,
        reader_status,
        barred,
        block: reason.map(|_| until.map(from_millis)),
        band,
    })
}

impl ReadTx<'_> {
    /// The numbers of the list.
    pub fn block_numbers(&mut self) -> Result<BlockNumbers, StoreError> {
        let (last, first, salt) = offline_block_numbers::table
            .select((
                offline_block_numbers::last_seq,
                offline_block_numbers::first_seq,
                offline_block_numbers::salt,
            ))
            .first(self.conn)?;
        Ok(BlockNumbers { last, first, salt })
    }

    /// Lines after a number; those that block only, if nothing was told before.
    pub fn blocks_after(&mut self, seq: i64, blocked_only: bool, limit: i64) -> Result<Vec<BlockRow>, StoreError> {
        let mut lines = offline_blocks::table
            .filter(offline_blocks::seq.gt(seq))
            .order(offline_blocks::seq)
            .limit(limit)
            .select((offline_blocks::seq, offline_blocks::card_hash, offline_blocks::blocked))
            .into_boxed();
        if blocked_only {
            lines = lines.filter(offline_blocks::blocked.eq(true));
        }
        Ok(lines.load(self.conn)?)
    }

    /// Cards after an id, with what keeps their holders from borrowing.
    pub fn card_standings(&mut self, after: i64, limit: i64) -> Result<Vec<CardStanding>, StoreError> {
        let rows: Vec<StandingRow> = standings!().filter(cards::id.gt(after)).limit(limit).load(self.conn)?;
        rows.into_iter().map(standing).collect()
    }

    /// The same of one reader.
    pub fn card_standings_of(&mut self, reader: ReaderId) -> Result<Vec<CardStanding>, StoreError> {
        let rows: Vec<StandingRow> = standings!().filter(cards::reader_id.eq(reader.get())).load(self.conn)?;
        rows.into_iter().map(standing).collect()
    }

    /// What the list says of some hashes.
    pub fn blocks_of(&mut self, hashes: &[Vec<u8>]) -> Result<Vec<BlockRow>, StoreError> {
        Ok(offline_blocks::table
            .filter(offline_blocks::card_hash.eq_any(hashes))
            .select((offline_blocks::seq, offline_blocks::card_hash, offline_blocks::blocked))
            .load(self.conn)?)
    }

    /// What lies in the compartments of a device.
    pub fn stock_of_device(&mut self, device: DeviceId) -> Result<Vec<StockRow>, StoreError> {
        Ok(compartments::table
            .inner_join(items::table.on(compartments::item_id.eq(items::id.nullable())))
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .filter(compartments::device_id.eq(device.get()))
            .order(compartments::number)
            .select((
                compartments::number,
                compartments::state,
                items::id,
                items::barcode,
                items::rfid_tag,
                bibs::title,
                items::owner_unit_id,
                items::item_type_id,
            ))
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Holds the numbers until the commit, so that a device that was told one has been told all before it. Answers the salt, which
    /// is made the first time.
    pub fn hold_block_numbers(&mut self) -> Result<Vec<u8>, StoreError> {
        diesel::update(offline_block_numbers::table)
            .set(offline_block_numbers::last_seq.eq(offline_block_numbers::last_seq))
            .execute(self.conn)?;
        if let Some(salt) = self.block_numbers()?.salt {
            return Ok(salt);
        }
        let salt = random_bytes::<16>()?.to_vec();
        diesel::update(offline_block_numbers::table)
            .set(offline_block_numbers::salt.eq(&salt))
            .execute(self.conn)?;
        Ok(salt)
    }

    /// Says of a hash that it is blocked, or not any more, under a new number.
    pub fn set_block(&mut self, hash: &[u8], blocked: bool, now: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(offline_block_numbers::table)
            .set(offline_block_numbers::last_seq.eq(offline_block_numbers::last_seq + 1))
            .execute(self.conn)?;
        let seq = self.block_numbers()?.last;
        diesel::delete(offline_blocks::table.filter(offline_blocks::card_hash.eq(hash))).execute(self.conn)?;
        diesel::insert_into(offline_blocks::table)
            .values((
                offline_blocks::seq.eq(seq),
                offline_blocks::card_hash.eq(hash),
                offline_blocks::blocked.eq(blocked),
                offline_blocks::made_at.eq(now.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Forgets lines made before a moment that block nothing any more; cursors before them are too old from then on.
    pub fn forget_unblocked(&mut self, before: DateTime<Utc>, limit: i64) -> Result<usize, StoreError> {
        let old: Vec<i64> = offline_blocks::table
            .filter(offline_blocks::blocked.eq(false))
            .filter(offline_blocks::made_at.lt(before.timestamp_millis()))
            .order(offline_blocks::seq)
            .limit(limit)
            .select(offline_blocks::seq)
            .load(self.conn)?;
        let Some(last) = old.iter().max() else {
            return Ok(0);
        };
        diesel::update(offline_block_numbers::table.filter(offline_block_numbers::first_seq.lt(*last)))
            .set(offline_block_numbers::first_seq.eq(*last))
            .execute(self.conn)?;
        Ok(diesel::delete(offline_blocks::table.filter(offline_blocks::seq.eq_any(old))).execute(self.conn)?)
    }
}
