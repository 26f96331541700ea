//! What a merge of readers reads and moves, and its document. Events stay as they were: they say what was known at their time.
//! Not for: deciding what becomes of holds and standing (see `domain::merge_readers`).

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use crate::clock::from_millis;
use crate::domain::ids::{ItemId, ReaderId};
use crate::domain::merge_bibs::OpenHold;
use crate::domain::merge_readers::{Link, Links, Standing};
use crate::domain::reader::{ManualBlock, ReaderStatus};
use crate::store::error::StoreError;
use crate::store::items::parse_day;
use crate::store::merge_bibs::{HoldRow, open_hold, open_hold_columns};
use crate::store::readers::{band_code, band_from_code, day_text};
use crate::store::schema::{
    cards, delivery_requests, guardianships, holds, legacy_deposits, loans, reader_merges, readers,
};
use crate::store::tx::{ReadTx, WriteTx};

/// What is open of two readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOfBoth {
    /// The items of the loans.
    pub lent: Vec<ItemId>,
    pub holds: Vec<OpenHold>,
}

/// One reader of two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mergeable {
    pub standing: Standing,
    pub merged_into: Option<ReaderId>,
    pub category: i64,
    pub birth_date: Option<NaiveDate>,
    pub open_holds: i32,
}

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    pub open_loans: usize,
    pub closed_loans: usize,
    pub holds: usize,
    pub cards: usize,
}

/// The document of a merge.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = reader_merges)]
pub struct MergeDocument {
    pub id: i64,
    pub survivor_id: i64,
    pub duplicate_id: i64,
    pub reason: String,
    pub unit_id: i64,
    pub staff_id: Option<i64>,
    pub merged_at: i64,
    pub open_loans: i64,
    pub closed_loans: i64,
    pub holds: i64,
    pub holds_cancelled: i64,
    pub cards: i64,
    pub debt_fen: i64,
}

type StandingRow = (
    String,
    bool,
    Option<String>,
    Option<i64>,
    String,
    i64,
    Option<i64>,
    i64,
    Option<String>,
    i32,
);

impl ReadTx<'_> {
    /// What a merge looks at of a reader.
    pub fn mergeable(&mut self, id: ReaderId) -> Result<Option<Mergeable>, StoreError> {
        let row: Option<StandingRow> = readers::table
            .find(id.get())
            .select((
                readers::status,
                readers::barred,
                readers::block_reason,
                readers::block_until,
                readers::credit_band,
                readers::debt_fen,
                readers::merged_into,
                readers::category_id,
                readers::birth_date,
                readers::open_holds,
            ))
            .first(self.conn)
            .optional()?;
        let Some((status, barred, reason, until, band, debt_fen, merged_into, category, birth_date, open_holds)) = row
        else {
            return Ok(None);
        };
        let unknown = || StoreError::Corrupt(format!("reader {id} has the unknown status {status}"));
        Ok(Some(Mergeable {
            standing: Standing {
                status: ReaderStatus::from_code(&status).ok_or_else(unknown)?,
                barred,
                block: reason.map(|reason| ManualBlock {
                    reason,
                    until: until.map(from_millis),
                }),
                band: band_from_code(&band)?,
                debt_fen,
            },
            merged_into: merged_into.map(ReaderId::new),
            category,
            birth_date: birth_date.as_deref().map(parse_day).transpose()?,
            open_holds,
        }))
    }

    /// The open loans and holds of readers, at most `limit` of each.
    pub fn open_of_readers(&mut self, of: &[ReaderId], limit: i64) -> Result<OpenOfBoth, StoreError> {
        let of: Vec<i64> = of.iter().map(|reader| reader.get()).collect();
        let lent: Vec<i64> = loans::table
            .filter(loans::reader_id.eq_any(&of).and(loans::closed_at.is_null()))
            .order(loans::item_id)
            .limit(limit)
            .select(loans::item_id)
            .load(self.conn)?;
        let rows: Vec<HoldRow> = holds::table
            .filter(holds::reader_id.eq_any(&of).and(holds::closed_at.is_null()))
            .order(holds::id)
            .limit(limit)
            .select(open_hold_columns!())
            .load(self.conn)?;
        Ok(OpenOfBoth {
            lent: lent.into_iter().map(ItemId::new).collect(),
            holds: rows.into_iter().map(open_hold).collect::<Result<_, _>>()?,
        })
    }

    /// Owners whose deposits both readers have paid.
    pub fn deposits_of_both(&mut self, one: ReaderId, other: ReaderId) -> Result<bool, StoreError> {
        let owners: Vec<i64> = legacy_deposits::table
            .filter(legacy_deposits::reader_id.eq(one.get()))
            .select(legacy_deposits::owner_unit_id)
            .load(self.conn)?;
        let n: i64 = legacy_deposits::table
            .filter(legacy_deposits::reader_id.eq(other.get()))
            .filter(legacy_deposits::owner_unit_id.eq_any(owners))
            .count()
            .get_result(self.conn)?;
        Ok(n > 0)
    }
}

impl WriteTx<'_> {
    /// Locks items, ascending. After bibs, before readers.
    pub fn lock_items_by_id(&mut self, items: &[ItemId]) -> Result<(), StoreError> {
        let mut ids: Vec<i64> = items.iter().map(|item| item.get()).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(crate::store::dialect::lock_items(self.conn, &ids)?)
    }

    /// Gives everything of one reader to another: loans and holds with their history, deliveries, cards, deposits, guardian links.
    ///
    /// # Errors
    /// `Conflict` when both have what only one may have.
    pub fn move_reader(&mut self, from: ReaderId, to: ReaderId) -> Result<Moved, StoreError> {
        let (from, to) = (from.get(), to.get());
        let of = || loans::table.filter(loans::reader_id.eq(from));
        let open_loans = diesel::update(of().filter(loans::closed_at.is_null()))
            .set(loans::reader_id.eq(to))
            .execute(self.conn)?;
        let closed_loans = diesel::update(of()).set(loans::reader_id.eq(to)).execute(self.conn)?;
        let holds = diesel::update(holds::table.filter(holds::reader_id.eq(from)))
            .set(holds::reader_id.eq(to))
            .execute(self.conn)?;
        diesel::update(delivery_requests::table.filter(delivery_requests::reader_id.eq(from)))
            .set(delivery_requests::reader_id.eq(to))
            .execute(self.conn)?;
        diesel::update(legacy_deposits::table.filter(legacy_deposits::reader_id.eq(from)))
            .set(legacy_deposits::reader_id.eq(to))
            .execute(self.conn)?;
        let cards = diesel::update(cards::table.filter(cards::reader_id.eq(from)))
            .set(cards::reader_id.eq(to))
            .execute(self.conn)?;
        Ok(Moved {
            open_loans,
            closed_loans,
            holds,
            cards,
        })
    }

    /// The open guardian links of two readers.
    pub fn links_of_both(&mut self, one: ReaderId, other: ReaderId) -> Result<Vec<Link>, StoreError> {
        let (from, to) = (one.get(), other.get());
        let open: Vec<(i64, i64, i64, Option<String>)> = guardianships::table
            .filter(guardianships::ended_at.is_null())
            .filter(
                guardianships::ward_reader_id
                    .eq_any([from, to])
                    .or(guardianships::guardian_reader_id.eq_any([from, to])),
            )
            .order(guardianships::id)
            .select((
                guardianships::id,
                guardianships::guardian_reader_id,
                guardianships::ward_reader_id,
                guardianships::consent_form,
            ))
            .load(self.conn)?;
        let link = |(id, guardian, ward, form): (i64, i64, i64, Option<String>)| Link {
            id,
            guardian: ReaderId::new(guardian),
            ward: ReaderId::new(ward),
            consented: form.is_some(),
        };
        Ok(open.into_iter().map(link).collect())
    }

    /// Ends guardian links, and puts the others between the readers they are between now.
    pub fn move_guardianships(&mut self, links: &Links, now: DateTime<Utc>) -> Result<(), StoreError> {
        let ended = guardianships::table.filter(guardianships::id.eq_any(&links.ended));
        diesel::update(ended)
            .set(guardianships::ended_at.eq(now.timestamp_millis()))
            .execute(self.conn)?;
        for link in &links.kept {
            diesel::update(guardianships::table.find(link.id))
                .set((
                    guardianships::guardian_reader_id.eq(link.guardian.get()),
                    guardianships::ward_reader_id.eq(link.ward.get()),
                ))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// What a merged reader says of the person where the one that stays says nothing: the day of birth, and the PIN.
    pub fn complete_reader(&mut self, from: ReaderId, to: ReaderId, born: Option<NaiveDate>) -> Result<(), StoreError> {
        let pin: Option<String> = readers::table
            .find(from.get())
            .select(readers::pin_hash)
            .first(self.conn)?;
        let without_pin = readers::table.filter(readers::id.eq(to.get()).and(readers::pin_hash.is_null()));
        diesel::update(without_pin)
            .set(readers::pin_hash.eq(pin))
            .execute(self.conn)?;
        diesel::update(readers::table.find(to.get()))
            .set(readers::birth_date.eq(born.map(day_text)))
            .execute(self.conn)?;
        Ok(())
    }

    /// Gives a reader another standing and number of open holds.
    pub fn set_standing(&mut self, id: ReaderId, to: &Standing, open_holds: i32) -> Result<(), StoreError> {
        let block = to.block.as_ref();
        diesel::update(readers::table.find(id.get()))
            .set((
                readers::status.eq(to.status.code()),
                readers::barred.eq(to.barred),
                readers::block_reason.eq(block.map(|block| block.reason.as_str())),
                readers::block_until.eq(block
                    .and_then(|block| block.until)
                    .map(|until| until.timestamp_millis())),
                readers::credit_band.eq(band_code(to.band)),
                readers::debt_fen.eq(to.debt_fen),
                readers::open_holds.eq(open_holds),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Empties the reader that was merged and says who stands for it, also for those merged into it before; keeps the document.
    pub fn mark_reader_merged(&mut self, document: &MergeDocument) -> Result<(), StoreError> {
        let (from, into) = (document.duplicate_id, document.survivor_id);
        diesel::update(readers::table.filter(readers::merged_into.eq(from)))
            .set(readers::merged_into.eq(into))
            .execute(self.conn)?;
        diesel::update(readers::table.find(from))
            .set((
                readers::status.eq(ReaderStatus::Inactive.code()),
                readers::barred.eq(false),
                readers::block_reason.eq(None::<String>),
                readers::block_until.eq(None::<i64>),
                readers::debt_fen.eq(0),
                readers::note.eq(None::<String>),
                readers::name.eq(""),
                readers::birth_date.eq(None::<String>),
                readers::pin_hash.eq(None::<String>),
                readers::open_holds.eq(0),
                readers::merged_into.eq(into),
            ))
            .execute(self.conn)?;
        diesel::insert_into(reader_merges::table)
            .values(document.clone())
            .execute(self.conn)?;
        Ok(())
    }
}
