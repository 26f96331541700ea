//! What a merge of bibs reads and moves, many rows a statement: nobody may wait for it for long.
//! Not for: deciding what becomes of the holds (see `domain::merge_bibs`). Closed loans and holds stay with the bib they
//! were of, which stays too; there is no index that would find them.

use chrono::NaiveDate;
use diesel::prelude::*;

use super::error::StoreError;
use super::items::{parse_day, volume_of};
use super::schema::{bibs, holds, items, loans, pulls, readers};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{BibId, CategoryId, HoldId, ItemId, ReaderId};
use crate::domain::merge_bibs::OpenHold;

/// What an event keeps of a reader whose hold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderTraits {
    pub id: ReaderId,
    pub category: CategoryId,
    pub birth_date: Option<NaiveDate>,
}

pub(super) type HoldRow = (
    (i64, i64, Option<i64>),
    (Option<i64>, Option<String>, Option<i64>, i32, i64),
);

macro_rules! open_hold_columns {
    () => {
        (
            (holds::id, holds::bib_id, holds::reader_id),
            (
                holds::item_id,
                holds::volume,
                holds::captured_item_id,
                holds::priority,
                holds::queue_rank,
            ),
        )
    };
}

pub(super) use open_hold_columns;

pub(super) fn open_hold(
    ((id, bib, reader), (item, volume, captured, priority, queue_rank)): HoldRow,
) -> Result<OpenHold, StoreError> {
    let reader = reader.ok_or_else(|| StoreError::Corrupt(format!("open hold {id} without a reader")))?;
    Ok(OpenHold {
        id: HoldId::new(id),
        bib: BibId::new(bib),
        reader: ReaderId::new(reader),
        item: item.map(ItemId::new),
        volume: volume_of(volume.as_deref())?,
        captured: captured.map(ItemId::new),
        priority,
        queue_rank,
    })
}

fn numbers(bibs: &[BibId]) -> Vec<i64> {
    bibs.iter().map(|bib| bib.get()).collect()
}

impl ReadTx<'_> {
    /// At most `limit` bibs that were merged into any of these.
    pub fn merged_into_any(&mut self, into: &[BibId], limit: i64) -> Result<Vec<BibId>, StoreError> {
        let rows: Vec<i64> = bibs::table
            .filter(bibs::merged_into.eq_any(numbers(into)))
            .order(bibs::id)
            .limit(limit)
            .select(bibs::id)
            .load(self.conn)?;
        Ok(rows.into_iter().map(BibId::new).collect())
    }

    /// At most `limit` open holds on any of these bibs.
    pub fn open_holds_of_bibs(&mut self, of: &[BibId], limit: i64) -> Result<Vec<OpenHold>, StoreError> {
        let rows: Vec<HoldRow> = holds::table
            .filter(holds::bib_id.eq_any(numbers(of)).and(holds::closed_at.is_null()))
            .limit(limit)
            .select(open_hold_columns!())
            .load(self.conn)?;
        rows.into_iter().map(open_hold).collect()
    }

    /// The open holds of these readers on a bib.
    pub fn open_holds_of_readers(&mut self, on: BibId, of: &[ReaderId]) -> Result<Vec<OpenHold>, StoreError> {
        let of: Vec<i64> = of.iter().map(|reader| reader.get()).collect();
        let rows: Vec<HoldRow> = holds::table
            .filter(holds::reader_id.eq_any(of))
            .filter(holds::bib_id.eq(on.get()).and(holds::closed_at.is_null()))
            .select(open_hold_columns!())
            .load(self.conn)?;
        rows.into_iter().map(open_hold).collect()
    }

    /// What events keep of readers.
    pub fn reader_traits(&mut self, of: &[ReaderId]) -> Result<Vec<ReaderTraits>, StoreError> {
        let of: Vec<i64> = of.iter().map(|reader| reader.get()).collect();
        let rows: Vec<(i64, i64, Option<String>)> = readers::table
            .filter(readers::id.eq_any(of))
            .select((readers::id, readers::category_id, readers::birth_date))
            .load(self.conn)?;
        rows.into_iter()
            .map(|(id, category, born)| {
                Ok(ReaderTraits {
                    id: ReaderId::new(id),
                    category: CategoryId::new(category),
                    birth_date: born.as_deref().map(parse_day).transpose()?,
                })
            })
            .collect()
    }
}

impl WriteTx<'_> {
    /// Locks the items of bibs, ascending, and answers at most `limit` of them.
    pub fn lock_items_of_bibs(&mut self, of: &[BibId], limit: i64) -> Result<Vec<ItemId>, StoreError> {
        let ids = super::dialect::lock_items_of_bibs(self.conn, &numbers(of), limit)?;
        Ok(ids.into_iter().map(ItemId::new).collect())
    }

    /// Gives items to another bib, with their open loans; answers how many loans. The holds those loans filled go with
    /// them: a void opens such a hold again, and then it must wait for the bib that has the item.
    pub fn move_items(&mut self, moved: &[ItemId], to: BibId) -> Result<usize, StoreError> {
        let ids: Vec<i64> = moved.iter().map(|item| item.get()).collect();
        diesel::update(items::table.filter(items::id.eq_any(&ids)))
            .set(items::bib_id.eq(to.get()))
            .execute(self.conn)?;
        let open = || loans::table.filter(loans::item_id.eq_any(ids.clone()).and(loans::closed_at.is_null()));
        let filled: Vec<Option<i64>> = open()
            .filter(loans::filled_hold_id.is_not_null())
            .select(loans::filled_hold_id)
            .load(self.conn)?;
        let filled: Vec<i64> = filled.into_iter().flatten().collect();
        if !filled.is_empty() {
            diesel::update(holds::table.filter(holds::id.eq_any(filled)))
                .set(holds::bib_id.eq(to.get()))
                .execute(self.conn)?;
        }
        Ok(diesel::update(open())
            .set(loans::bib_id.eq(to.get()))
            .execute(self.conn)?)
    }

    /// Makes a hold one on the copy that is set aside for it.
    pub fn bind_hold(&mut self, hold: HoldId, copy: ItemId) -> Result<(), StoreError> {
        diesel::update(holds::table.find(hold.get()))
            .set((holds::item_id.eq(copy.get()), holds::volume.eq(None::<String>)))
            .execute(self.conn)?;
        Ok(())
    }

    /// Cancels a hold because another of the same reader stands for it; the reader has one less. The bib's are counted by
    /// `move_holds`.
    pub fn replace_hold(
        &mut self,
        hold: HoldId,
        by: HoldId,
        reader: ReaderId,
        at_millis: i64,
    ) -> Result<(), StoreError> {
        let how = super::holds::HoldEnd::Cancelled.code();
        diesel::update(holds::table.find(hold.get()))
            .set((
                holds::closed_at.eq(at_millis),
                holds::closed_how.eq(how),
                holds::replaced_by.eq(by.get()),
            ))
            .execute(self.conn)?;
        self.count_hold_of_reader(reader, -1)
    }

    /// Gives open holds to another bib, with the copies that are being fetched for them. `more` is what that bib then has more of them; the others have none.
    pub fn move_holds(&mut self, moved: &[HoldId], from: &[BibId], to: BibId, more: i32) -> Result<(), StoreError> {
        if !moved.is_empty() {
            let ids: Vec<i64> = moved.iter().map(|hold| hold.get()).collect();
            diesel::update(holds::table.filter(holds::id.eq_any(ids)))
                .set(holds::bib_id.eq(to.get()))
                .execute(self.conn)?;
        }
        let fetched = pulls::table.filter(pulls::bib_id.eq_any(numbers(from)).and(pulls::closed_at.is_null()));
        diesel::update(fetched)
            .set(pulls::bib_id.eq(to.get()))
            .execute(self.conn)?;
        diesel::update(bibs::table.filter(bibs::id.eq_any(numbers(from))))
            .set(bibs::open_holds.eq(0))
            .execute(self.conn)?;
        self.count_hold_of_bib(to, more)
    }

    /// Says which bib stands for these.
    pub fn mark_merged(&mut self, merged: &[BibId], into: BibId) -> Result<(), StoreError> {
        diesel::update(bibs::table.filter(bibs::id.eq_any(numbers(merged))))
            .set(bibs::merged_into.eq(into.get()))
            .execute(self.conn)?;
        Ok(())
    }
}
