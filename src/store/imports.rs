//! What an import of another system's files looks up, a chunk of rows at a time, and what it remembers of what it made.
//! Not for: the rows themselves (see `bulk`), or taking them back (see `undo_imports`).

use std::collections::HashMap;

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::items::parse_day;
use super::readers::band_from_code;
use super::schema::{bibs, cards, collections, import_batches, import_rows, items, legacy_deposits, loans, readers};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{BibId, CardId, CategoryId, CollectionId, ItemId, ItemTypeId, LoanId, ReaderId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::reader::CreditBand;

/// Rows in one statement of PostgreSQL.
const ROWS_PER_STATEMENT: usize = 500;

/// A reader, as an import compares and copies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownReader {
    pub id: ReaderId,
    pub name: String,
    pub birth_date: Option<chrono::NaiveDate>,
    pub category: CategoryId,
    pub home: UnitId,
    pub band: CreditBand,
}

/// A card with its reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCard {
    pub id: CardId,
    pub number: String,
    pub reader: KnownReader,
}

/// An item, as an import compares and copies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownItem {
    pub id: ItemId,
    pub bib: BibId,
    pub barcode: String,
    pub owner: UnitId,
    pub home: UnitId,
    pub current: UnitId,
    pub item_type: ItemTypeId,
    pub status: ItemStatus,
    pub last_event_at: i64,
    pub clc_class: Option<String>,
}

/// An open loan, enough to recognise it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenLoan {
    pub id: LoanId,
    pub item: ItemId,
    pub reader: Option<ReaderId>,
    /// UTC milliseconds.
    pub loaned_at: i64,
}

/// A batch's row.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = import_batches)]
pub struct BatchRow {
    pub id: i64,
    pub kind: String,
    pub owner_unit_id: i64,
    pub file_name: String,
    pub created_at: i64,
    pub undone_at: Option<i64>,
    /// Things it made, counted with every chunk.
    pub made: i64,
}

/// What a batch remembers of one thing it made.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = import_rows)]
pub struct ImportRow {
    pub batch_id: i64,
    /// The line of the file.
    pub row_number: i64,
    pub subject_id: i64,
    pub old_id: Option<String>,
    /// JSON.
    pub memo: String,
}

/// A deposit paid in another system.
#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = legacy_deposits)]
pub struct NewDeposit {
    pub id: i64,
    pub reader_id: i64,
    pub owner_unit_id: i64,
    pub amount_fen: i64,
    pub paid_on: Option<String>,
    pub receipt: Option<String>,
    pub created_at: i64,
}

/// A unit and the code of a collection of it.
pub type CollectionKey = (UnitId, String);

/// A bib, its class, and the bib that stands for it, if it is a duplicate.
pub type KnownBib = (BibId, Option<String>, Option<BibId>);

type ReaderColumns = (i64, String, Option<String>, i64, i64, String);

fn known_reader((id, name, born, category, home, band): ReaderColumns) -> Result<KnownReader, StoreError> {
    Ok(KnownReader {
        id: ReaderId::new(id),
        name,
        birth_date: born.as_deref().map(parse_day).transpose()?,
        category: CategoryId::new(category),
        home: UnitId::new(home),
        band: band_from_code(&band)?,
    })
}

type ItemColumns = ((i64, i64, String, i64, i64, i64), (i64, String, i64), Option<String>);

macro_rules! item_columns {
    () => {
        (
            (
                items::id,
                items::bib_id,
                items::barcode,
                items::owner_unit_id,
                items::home_unit_id,
                items::current_unit_id,
            ),
            (items::item_type_id, items::status, items::last_event_at),
            bibs::clc_class,
        )
    };
}

fn known_item(row: ItemColumns) -> Result<KnownItem, StoreError> {
    let ((id, bib, barcode, owner, home, current), (item_type, status, last_event_at), clc_class) = row;
    Ok(KnownItem {
        id: ItemId::new(id),
        bib: BibId::new(bib),
        barcode,
        owner: UnitId::new(owner),
        home: UnitId::new(home),
        current: UnitId::new(current),
        item_type: ItemTypeId::new(item_type),
        status: ItemStatus::from_code(&status)
            .ok_or_else(|| StoreError::Corrupt(format!("item {id} has the unknown status {status}")))?,
        last_event_at,
        clc_class,
    })
}

impl ReadTx<'_> {
    /// The cards with these numbers, with their readers.
    pub fn cards_with_numbers(&mut self, numbers: &[String]) -> Result<Vec<KnownCard>, StoreError> {
        let rows: Vec<(i64, String, ReaderColumns)> = cards::table
            .inner_join(readers::table.on(readers::id.eq(cards::reader_id)))
            .filter(cards::number.eq_any(numbers))
            .select((
                cards::id,
                cards::number,
                (
                    readers::id,
                    readers::name,
                    readers::birth_date,
                    readers::category_id,
                    readers::home_unit_id,
                    readers::credit_band,
                ),
            ))
            .load(self.conn)?;
        rows.into_iter()
            .map(|(id, number, reader)| {
                Ok(KnownCard {
                    id: CardId::new(id),
                    number,
                    reader: known_reader(reader)?,
                })
            })
            .collect()
    }

    /// The readers an owner's other system called by these ids, as earlier imports remember them.
    pub fn readers_with_old_ids(
        &mut self,
        owner: UnitId,
        old_ids: &[String],
    ) -> Result<Vec<(String, KnownReader)>, StoreError> {
        let rows: Vec<(Option<String>, ReaderColumns)> = import_rows::table
            .inner_join(import_batches::table.on(import_batches::id.eq(import_rows::batch_id)))
            .inner_join(readers::table.on(readers::id.eq(import_rows::subject_id)))
            .filter(import_rows::old_id.eq_any(old_ids))
            .filter(import_batches::kind.eq("readers"))
            .filter(import_batches::owner_unit_id.eq(owner.get()))
            .select((
                import_rows::old_id,
                (
                    readers::id,
                    readers::name,
                    readers::birth_date,
                    readers::category_id,
                    readers::home_unit_id,
                    readers::credit_band,
                ),
            ))
            .load(self.conn)?;
        rows.into_iter()
            .map(|(old_id, reader)| Ok((old_id.unwrap_or_default(), known_reader(reader)?)))
            .collect()
    }

    /// The items with these barcodes, of every owner.
    pub fn items_with_barcodes(&mut self, barcodes: &[String]) -> Result<Vec<KnownItem>, StoreError> {
        let rows: Vec<ItemColumns> = items::table
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .filter(items::barcode.eq_any(barcodes))
            .select(item_columns!())
            .load(self.conn)?;
        rows.into_iter().map(known_item).collect()
    }

    /// The items with these ids.
    pub fn items_with_ids(&mut self, ids: &[i64]) -> Result<Vec<KnownItem>, StoreError> {
        let rows: Vec<ItemColumns> = items::table
            .inner_join(bibs::table.on(bibs::id.eq(items::bib_id)))
            .filter(items::id.eq_any(ids))
            .select(item_columns!())
            .load(self.conn)?;
        rows.into_iter().map(known_item).collect()
    }

    /// The open loans of items.
    pub fn open_loans_of_items(&mut self, ids: &[i64]) -> Result<Vec<OpenLoan>, StoreError> {
        let rows: Vec<(i64, i64, Option<i64>, i64)> = loans::table
            .filter(loans::item_id.eq_any(ids).and(loans::closed_at.is_null()))
            .select((loans::id, loans::item_id, loans::reader_id, loans::loaned_at))
            .load(self.conn)?;
        Ok(rows
            .into_iter()
            .map(|(id, item, reader, loaned_at)| OpenLoan {
                id: LoanId::new(id),
                item: ItemId::new(item),
                reader: reader.map(ReaderId::new),
                loaned_at,
            })
            .collect())
    }

    /// Which of these bibs there are, each with its class and, if it is a duplicate, the bib that stands for it.
    pub fn bibs_with_ids(&mut self, ids: &[i64]) -> Result<Vec<KnownBib>, StoreError> {
        let rows: Vec<(i64, Option<String>, Option<i64>)> = bibs::table
            .filter(bibs::id.eq_any(ids))
            .select((bibs::id, bibs::clc_class, bibs::merged_into))
            .load(self.conn)?;
        let known = rows
            .into_iter()
            .map(|(id, class, into)| (BibId::new(id), class, into.map(BibId::new)));
        Ok(known.collect())
    }

    /// The collections with these codes, of every unit.
    pub fn collections_with_codes(
        &mut self,
        codes: &[String],
    ) -> Result<Vec<(CollectionKey, CollectionId)>, StoreError> {
        let rows: Vec<(i64, String, i64)> = collections::table
            .filter(collections::code.eq_any(codes))
            .select((collections::unit_id, collections::code, collections::id))
            .load(self.conn)?;
        Ok(rows
            .into_iter()
            .map(|(unit, code, id)| ((UnitId::new(unit), code), CollectionId::new(id)))
            .collect())
    }

    /// The deposits, in fen, that these readers paid an owner.
    pub fn deposits_of(&mut self, owner: UnitId, ids: &[i64]) -> Result<Vec<(ReaderId, i64)>, StoreError> {
        let rows: Vec<(i64, i64)> = legacy_deposits::table
            .filter(legacy_deposits::reader_id.eq_any(ids))
            .filter(legacy_deposits::owner_unit_id.eq(owner.get()))
            .select((legacy_deposits::reader_id, legacy_deposits::amount_fen))
            .load(self.conn)?;
        Ok(rows
            .into_iter()
            .map(|(reader, fen)| (ReaderId::new(reader), fen))
            .collect())
    }

    /// A batch.
    pub fn import_batch(&mut self, id: i64) -> Result<Option<BatchRow>, StoreError> {
        Ok(import_batches::table.find(id).first(self.conn).optional()?)
    }

    /// The latest batches, each with how many of its things no undo has taken back.
    pub fn latest_import_batches(&mut self, limit: i64) -> Result<Vec<(BatchRow, i64)>, StoreError> {
        let batches: Vec<BatchRow> = import_batches::table
            .order((import_batches::created_at.desc(), import_batches::id.desc()))
            .limit(limit)
            .load(self.conn)?;
        let ids: Vec<i64> = batches.iter().map(|batch| batch.id).collect();
        let left: Vec<(i64, i64)> = import_rows::table
            .filter(import_rows::batch_id.eq_any(&ids))
            .group_by(import_rows::batch_id)
            .select((import_rows::batch_id, diesel::dsl::count_star()))
            .load(self.conn)?;
        let left: HashMap<i64, i64> = left.into_iter().collect();
        let with_left = |batch: BatchRow| {
            let left = left.get(&batch.id).copied().unwrap_or(0);
            (batch, left)
        };
        Ok(batches.into_iter().map(with_left).collect())
    }

    /// How many batches there are.
    pub fn count_import_batches(&mut self) -> Result<i64, StoreError> {
        Ok(import_batches::table.count().get_result(self.conn)?)
    }

    /// What a batch made, after a line of its file.
    pub fn import_rows(&mut self, batch: i64, after: i64, limit: i64) -> Result<Vec<ImportRow>, StoreError> {
        Ok(import_rows::table
            .filter(import_rows::batch_id.eq(batch).and(import_rows::row_number.gt(after)))
            .order(import_rows::row_number)
            .limit(limit)
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Locks items until the end of the transaction, before anything is read of them.
    pub fn lock_items_with_barcodes(&mut self, barcodes: &[String]) -> Result<(), StoreError> {
        Ok(super::dialect::lock_items_with_barcodes(self.conn, barcodes)?)
    }

    /// Begins a batch.
    pub fn insert_import_batch(&mut self, batch: &BatchRow) -> Result<(), StoreError> {
        diesel::insert_into(import_batches::table)
            .values(batch.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// Remembers what a batch made.
    pub fn insert_import_rows(&mut self, batch: i64, rows: &[ImportRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let made = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        diesel::update(import_batches::table.find(batch))
            .set(import_batches::made.eq(import_batches::made + made))
            .execute(self.conn)?;
        match &mut *self.conn {
            AnyConnection::Sqlite(conn) => {
                for row in rows {
                    diesel::insert_into(import_rows::table).values(row).execute(conn)?;
                }
            }
            AnyConnection::Postgres(conn) => {
                for rows in rows.chunks(ROWS_PER_STATEMENT) {
                    diesel::insert_into(import_rows::table).values(rows).execute(conn)?;
                }
            }
        }
        Ok(())
    }

    /// Forgets what other systems called a reader, when the reader is erased or unlinked. Answers how many names there were.
    pub fn forget_old_ids(&mut self, reader: ReaderId) -> Result<usize, StoreError> {
        let of_readers = import_batches::table
            .filter(import_batches::kind.eq("readers"))
            .select(import_batches::id);
        let named = import_rows::table
            .filter(import_rows::subject_id.eq(reader.get()))
            .filter(import_rows::old_id.is_not_null())
            .filter(import_rows::batch_id.eq_any(of_readers));
        Ok(diesel::update(named)
            .set(import_rows::old_id.eq(None::<String>))
            .execute(self.conn)?)
    }

    /// Adds deposits.
    pub fn insert_deposits(&mut self, rows: &[NewDeposit]) -> Result<(), StoreError> {
        for row in rows {
            diesel::insert_into(legacy_deposits::table)
                .values(row.clone())
                .execute(self.conn)?;
        }
        Ok(())
    }
}
