//! Readers and cards: the facts decisions read under the reader's lock, and what people see.

pub mod ages;
pub mod card_rows;
pub mod guardian_acts;
pub mod guardians;
mod hold_types;
pub mod identities;
pub mod merging;
pub mod merging_accounts;

use chrono::NaiveDate;
use diesel::prelude::*;

use self::card_rows::CardView;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::hot::on_engine;
use super::items::parse_day;
use super::overdue::given_back_in_time;
use super::schema::{cards, guardianships, loans, parcel_lines, parcels, readers};
use super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::entry_gate::Entry;
use crate::domain::ids::{BibId, CardId, CategoryId, ItemTypeId, LoanId, ReaderId, UnitId};
use crate::domain::network::Network;
use crate::domain::reader::{
    CardFacts, CardStatus, Channel, CreditBand, LoanOfReader, ManualBlock, ReaderFacts, ReaderStatus,
};

#[derive(Debug, Queryable)]
struct ReaderRow {
    id: i64,
    category: i64,
    home: i64,
    status: String,
    barred: bool,
    block_reason: Option<String>,
    block_until: Option<i64>,
    birth_date: Option<String>,
    band: String,
    debt_fen: i64,
    note: Option<String>,
    open_holds: i32,
    admitted_by: Option<String>,
    created_at: i64,
    consented: bool,
}

#[derive(Debug, Queryable)]
struct CardRow {
    id: i64,
    status: String,
    expires_on: Option<String>,
    holder_name: Option<String>,
}

macro_rules! reader_columns {
    () => {
        (
            readers::id,
            readers::category_id,
            readers::home_unit_id,
            readers::status,
            readers::barred,
            readers::block_reason,
            readers::block_until,
            readers::birth_date,
            readers::credit_band,
            readers::debt_fen,
            readers::note,
            readers::open_holds,
            readers::admitted_by,
            readers::created_at,
            diesel::dsl::exists(
                guardianships::table
                    .filter(guardianships::ward_reader_id.eq(readers::id))
                    .filter(guardianships::ended_at.is_null())
                    .filter(guardianships::consent_form.is_not_null()),
            ),
        )
    };
}

macro_rules! card_columns {
    () => {
        (cards::id, cards::status, cards::expires_on, cards::holder_name)
    };
}

/// A new reader's row.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = readers)]
pub struct NewReader {
    pub id: i64,
    pub name: String,
    pub category_id: i64,
    pub home_unit_id: i64,
    pub status: String,
    pub barred: bool,
    pub birth_date: Option<String>,
    pub credit_band: String,
    pub debt_fen: i64,
    pub note: Option<String>,
    pub pin_hash: Option<String>,
    pub open_holds: i32,
    pub created_at: i64,
}

/// A new card's row.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = cards)]
pub struct NewCard {
    pub id: i64,
    pub number: String,
    pub reader_id: i64,
    pub kind: String,
    pub status: String,
    pub expires_on: Option<String>,
    /// `None`: another system did, at a time that is not known.
    pub issued_at: Option<i64>,
}

/// A reader as people see it.
#[derive(Debug, Clone, Queryable)]
pub struct ReaderView {
    pub id: i64,
    pub name: String,
    pub category_id: i64,
    pub home_unit_id: i64,
    pub status: String,
    pub barred: bool,
    pub block_reason: Option<String>,
    pub block_until: Option<i64>,
    pub birth_date: Option<String>,
    pub credit_band: String,
    pub debt_fen: i64,
    pub note: Option<String>,
    pub open_holds: i32,
    pub created_at: i64,
    /// The reader that stands for this one.
    pub merged_into: Option<i64>,
}

/// What log-in needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinRecord {
    pub reader: ReaderId,
    pub pin_hash: Option<String>,
    pub usable: bool,
}

/// An open loan as limits count it.
type CountedRow = (i64, i64, i64, i64, i64, String, i64, bool, bool);

impl ReadTx<'_> {
    /// Who holds a card.
    pub fn reader_of_card(&mut self, number: &str) -> Result<Option<ReaderId>, StoreError> {
        let number = self.kept_number(number)?;
        let id: Option<i64> = cards::table
            .filter(cards::number.eq(number))
            .select(cards::reader_id)
            .first(self.conn)
            .optional()?;
        Ok(id.map(ReaderId::new))
    }

    /// What a log-in with a card compares.
    pub fn pin_of_card(&mut self, number: &str) -> Result<Option<PinRecord>, StoreError> {
        let number = self.kept_number(number)?;
        let row: Option<(i64, Option<String>, String, String)> = cards::table
            .inner_join(readers::table.on(readers::id.eq(cards::reader_id)))
            .filter(cards::number.eq(number))
            .select((readers::id, readers::pin_hash, cards::status, readers::status))
            .first(self.conn)
            .optional()?;
        Ok(row.map(|(id, pin_hash, card, reader)| PinRecord {
            reader: ReaderId::new(id),
            pin_hash,
            usable: card == CardStatus::Active.code() && reader != ReaderStatus::Inactive.code(),
        }))
    }

    /// The reader as people see it, with the cards.
    pub fn reader_view(&mut self, id: ReaderId) -> Result<Option<(ReaderView, Vec<CardView>)>, StoreError> {
        let reader: Option<ReaderView> = readers::table
            .find(id.get())
            .select((
                readers::id,
                readers::name,
                readers::category_id,
                readers::home_unit_id,
                readers::status,
                readers::barred,
                readers::block_reason,
                readers::block_until,
                readers::birth_date,
                readers::credit_band,
                readers::debt_fen,
                readers::note,
                readers::open_holds,
                readers::created_at,
                readers::merged_into,
            ))
            .first(self.conn)
            .optional()?;
        let Some(reader) = reader else { return Ok(None) };
        let held = self.cards_of(id)?;
        Ok(Some((reader, held)))
    }

    /// What limits count of a reader: the open loans, whatever the history. Without the sessions they were made in, see `loans_of_session`.
    pub fn open_loans_of(&mut self, reader: ReaderId) -> Result<Vec<LoanOfReader>, StoreError> {
        let query = loans::table
            .filter(loans::reader_id.eq(reader.get()).and(loans::closed_at.is_null()))
            .select((
                loans::id,
                loans::bib_id,
                loans::item_type_id,
                loans::owner_unit_id,
                loans::unit_id,
                loans::channel,
                loans::due_at,
                loans::reading_room,
                given_back_in_time!(),
            ));
        let rows: Vec<CountedRow> = on_engine!(self.conn, conn => query.load(conn))?;
        rows.into_iter()
            .map(
                |(id, bib, item_type, owner, unit, channel, due_at, reading_room, given_back)| {
                    Ok(LoanOfReader {
                        id: LoanId::new(id),
                        bib_id: BibId::new(bib),
                        item_type: ItemTypeId::new(item_type),
                        owner: UnitId::new(owner),
                        unit: UnitId::new(unit),
                        channel: channel_from_code(&channel)?,
                        due_at: from_millis(due_at),
                        reading_room,
                        given_back,
                        session: None,
                    })
                },
            )
            .collect()
    }

    fn reader_facts(&mut self, row: ReaderRow, card: CardRow, network: &Network) -> Result<ReaderFacts, StoreError> {
        let category = network.category(CategoryId::new(row.category)).ok_or_else(|| {
            StoreError::Corrupt(format!("reader {} has the unknown category {}", row.id, row.category))
        })?;
        let (reading_only, child) = (category.reading_only, category.child);
        Ok(ReaderFacts {
            id: ReaderId::new(row.id),
            category: CategoryId::new(row.category),
            reading_only,
            child,
            home: UnitId::new(row.home),
            status: ReaderStatus::from_code(&row.status).ok_or_else(|| {
                StoreError::Corrupt(format!("reader {} has the unknown status {}", row.id, row.status))
            })?,
            barred: row.barred,
            block: row.block_reason.map(|reason| ManualBlock {
                reason,
                until: row.block_until.map(from_millis),
            }),
            birth_date: row.birth_date.as_deref().map(parse_day).transpose()?,
            band: band_from_code(&row.band)?,
            entry: Entry::of(row.admitted_by.is_some(), from_millis(row.created_at)),
            debt_fen: row.debt_fen,
            note: row.note,
            card: CardFacts {
                id: CardId::new(card.id),
                status: CardStatus::from_code(&card.status).ok_or_else(|| {
                    StoreError::Corrupt(format!("card {} has the unknown status {}", card.id, card.status))
                })?,
                expires_on: card.expires_on.as_deref().map(parse_day).transpose()?,
                holder_name: card.holder_name,
            },
            loans: self.open_loans_of(ReaderId::new(row.id))?,
            open_holds: u32::try_from(row.open_holds).unwrap_or(0),
            consented: row.consented,
        })
    }
}

impl WriteTx<'_> {
    /// Locks the reader of a card (after bibs and items) and reads what decisions look at; loans are counted after the lock.
    pub fn lock_reader_of_card(&mut self, number: &str, network: &Network) -> Result<Option<ReaderFacts>, StoreError> {
        let number = self.kept_number(number)?;
        let query = readers::table
            .inner_join(cards::table.on(cards::reader_id.eq(readers::id)))
            .filter(cards::number.eq(number.as_ref()))
            .select((reader_columns!(), card_columns!()));
        let found: Option<(ReaderRow, CardRow)> = match &mut *self.conn {
            AnyConnection::Sqlite(conn) => query.get_result(conn).optional()?,
            AnyConnection::Postgres(conn) => query.for_no_key_update().get_result(conn).optional()?,
        };
        match found {
            Some((row, card)) => self.reader_facts(row, card, network).map(Some),
            // The hash was exchanged for one under a newer key between the two statements.
            None if card_rows::was_found(&number) => Err(StoreError::Retry(diesel::result::Error::NotFound)),
            None => Ok(None),
        }
    }

    /// The same by the reader's id, with the card that is best to use: an active one if there is any.
    pub fn lock_reader(&mut self, id: ReaderId, network: &Network) -> Result<Option<ReaderFacts>, StoreError> {
        super::dialect::lock_readers(self.conn, &[id.get()])?;
        let query = readers::table
            .inner_join(cards::table.on(cards::reader_id.eq(readers::id)))
            .filter(readers::id.eq(id.get()))
            .order((cards::status.ne(CardStatus::Active.code()), cards::id.desc()))
            .select((reader_columns!(), card_columns!()));
        let found: Option<(ReaderRow, CardRow)> = on_engine!(self.conn, conn => query.first(conn)).optional()?;
        found
            .map(|(row, card)| self.reader_facts(row, card, network))
            .transpose()
    }

    /// Locks readers, ascending, in one statement. Only after bibs and items.
    pub fn lock_readers(&mut self, ids: &[ReaderId]) -> Result<(), StoreError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
        Ok(super::dialect::lock_readers(self.conn, &ids)?)
    }

    /// Adds a reader and the first card.
    ///
    /// # Errors
    /// `Conflict` when the card number is taken.
    pub fn insert_reader(&mut self, reader: &NewReader, card: &NewCard) -> Result<(), StoreError> {
        diesel::insert_into(readers::table)
            .values(reader.clone())
            .execute(self.conn)?;
        diesel::insert_into(cards::table)
            .values(card.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// Sets a reader's PIN.
    pub fn set_pin_hash(&mut self, reader: ReaderId, hash: &str) -> Result<(), StoreError> {
        diesel::update(readers::table.find(reader.get()))
            .set(readers::pin_hash.eq(hash))
            .execute(self.conn)?;
        Ok(())
    }

    /// Whether a card number is taken.
    pub fn card_exists(&mut self, number: &str) -> Result<bool, StoreError> {
        let n: i64 = cards::table
            .filter(cards::number.eq(number))
            .count()
            .get_result(self.conn)?;
        Ok(n > 0)
    }

    /// Counts a hold of the reader in (`1`) or out (`-1`).
    pub fn count_hold_of_reader(&mut self, reader: ReaderId, by: i32) -> Result<(), StoreError> {
        diesel::update(readers::table.find(reader.get()))
            .set(readers::open_holds.eq(readers::open_holds + by))
            .execute(self.conn)?;
        Ok(())
    }
}

/// The band as the database writes it.
pub fn band_code(band: CreditBand) -> &'static str {
    match band {
        CreditBand::A => "a",
        CreditBand::B => "b",
        CreditBand::C => "c",
        CreditBand::Frozen => "frozen",
    }
}

pub(super) fn band_from_code(code: &str) -> Result<CreditBand, StoreError> {
    [CreditBand::A, CreditBand::B, CreditBand::C, CreditBand::Frozen]
        .into_iter()
        .find(|band| band_code(*band) == code)
        .ok_or_else(|| StoreError::Corrupt(format!("'{code}' is not a credit band")))
}

pub(super) fn channel_from_code(code: &str) -> Result<Channel, StoreError> {
    Channel::from_code(code).ok_or_else(|| StoreError::Corrupt(format!("'{code}' is not a channel")))
}

/// An ISO day for a column.
pub fn day_text(day: NaiveDate) -> String {
    day.format("%Y-%m-%d").to_string()
}
