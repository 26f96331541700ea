//! Taking an import back: who uses what a batch made, and deleting what nobody does.
//! Not for: deciding what counts as use (see `usecase::undo_import`).

use diesel::prelude::*;

use super::error::StoreError;
use super::schema::{
    cards, deposit_items, holds, import_batches, import_rows, items, legacy_deposits, loans, pulls, readers,
    refresh_tokens, transits,
};
use super::tx::{ReadTx, WriteTx};

/// An imported loan as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct LoanNow {
    pub id: i64,
    pub item_id: i64,
    pub reader_id: Option<i64>,
    pub category_id: i64,
    pub age_band: String,
    pub unit_id: i64,
    pub loaned_at: i64,
    pub due_at: i64,
    pub renewals: i32,
    pub closed_at: Option<i64>,
}

impl ReadTx<'_> {
    /// Of these readers, those with a loan, open or ended.
    pub fn readers_with_loans(&mut self, ids: &[i64]) -> Result<Vec<Option<i64>>, StoreError> {
        Ok(loans::table
            .filter(loans::reader_id.eq_any(ids))
            .select(loans::reader_id)
            .distinct()
            .load(self.conn)?)
    }

    /// Of these readers, those with a hold, open or ended.
    pub fn readers_with_holds(&mut self, ids: &[i64]) -> Result<Vec<Option<i64>>, StoreError> {
        Ok(holds::table
            .filter(holds::reader_id.eq_any(ids))
            .select(holds::reader_id)
            .distinct()
            .load(self.conn)?)
    }

    /// Of these readers, those with a deposit.
    pub fn readers_with_deposits(&mut self, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
        Ok(legacy_deposits::table
            .filter(legacy_deposits::reader_id.eq_any(ids))
            .select(legacy_deposits::reader_id)
            .distinct()
            .load(self.conn)?)
    }

    /// Of these readers, those who have a PIN or are barred or owe something.
    pub fn readers_with_marks(&mut self, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
        Ok(readers::table
            .filter(readers::id.eq_any(ids))
            .filter(
                readers::pin_hash
                    .is_not_null()
                    .or(readers::barred)
                    .or(readers::block_reason.is_not_null())
                    .or(readers::debt_fen.gt(0)),
            )
            .select(readers::id)
            .load(self.conn)?)
    }

    /// Of these readers, those who have logged in.
    pub fn readers_with_sessions(&mut self, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
        Ok(refresh_tokens::table
            .filter(refresh_tokens::audience.eq("reader"))
            .filter(refresh_tokens::subject_id.eq_any(ids))
            .select(refresh_tokens::subject_id)
            .distinct()
            .load(self.conn)?)
    }

    /// The cards of readers as (card, reader).
    pub fn cards_of_readers(&mut self, ids: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        Ok(cards::table
            .filter(cards::reader_id.eq_any(ids))
            .select((cards::id, cards::reader_id))
            .load(self.conn)?)
    }

    /// Of the cards of these readers, those with which something was lent.
    pub fn cards_with_loans(&mut self, readers: &[i64]) -> Result<Vec<Option<i64>>, StoreError> {
        Ok(loans::table
            .filter(loans::reader_id.eq_any(readers))
            .select(loans::card_id)
            .distinct()
            .load(self.conn)?)
    }

    /// Of these items, those with a loan, a hold, a pull, a journey or a deposit, open or ended.
    pub fn items_with_history(&mut self, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
        let mut used: Vec<i64> = loans::table
            .filter(loans::item_id.eq_any(ids))
            .select(loans::item_id)
            .distinct()
            .load(self.conn)?;
        let held: Vec<(Option<i64>, Option<i64>)> = holds::table
            .filter(holds::item_id.eq_any(ids).or(holds::captured_item_id.eq_any(ids)))
            .select((holds::item_id, holds::captured_item_id))
            .load(self.conn)?;
        used.extend(held.into_iter().flat_map(|(item, captured)| [item, captured]).flatten());
        let moved: Vec<i64> = transits::table
            .filter(transits::item_id.eq_any(ids))
            .select(transits::item_id)
            .distinct()
            .load(self.conn)?;
        used.extend(moved);
        let fetched: Vec<i64> = pulls::table
            .filter(pulls::item_id.eq_any(ids))
            .select(pulls::item_id)
            .distinct()
            .load(self.conn)?;
        used.extend(fetched);
        let deposited: Vec<Option<i64>> = deposit_items::table
            .filter(deposit_items::item_id.eq_any(ids))
            .select(deposit_items::item_id)
            .distinct()
            .load(self.conn)?;
        used.extend(deposited.into_iter().flatten());
        Ok(used)
    }

    /// Loans as they are now.
    pub fn loans_now(&mut self, ids: &[i64]) -> Result<Vec<LoanNow>, StoreError> {
        Ok(loans::table
            .filter(loans::id.eq_any(ids))
            .select((
                loans::id,
                loans::item_id,
                loans::reader_id,
                loans::category_id,
                loans::age_band,
                loans::unit_id,
                loans::loaned_at,
                loans::due_at,
                loans::renewals,
                loans::closed_at,
            ))
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Locks items, ascending, until the end of the transaction.
    pub fn lock_items(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        Ok(super::dialect::lock_items(self.conn, ids)?)
    }

    /// Deletes readers with their cards.
    ///
    /// # Errors
    /// `Conflict` when something refers to one of them.
    pub fn delete_readers(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        diesel::delete(cards::table.filter(cards::reader_id.eq_any(ids))).execute(self.conn)?;
        diesel::delete(readers::table.filter(readers::id.eq_any(ids))).execute(self.conn)?;
        Ok(())
    }

    /// Deletes cards.
    ///
    /// # Errors
    /// `Conflict` when something refers to one of them.
    pub fn delete_cards(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        diesel::delete(cards::table.filter(cards::id.eq_any(ids))).execute(self.conn)?;
        Ok(())
    }

    /// Deletes items.
    ///
    /// # Errors
    /// `Conflict` when something refers to one of them.
    pub fn delete_items(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        diesel::delete(items::table.filter(items::id.eq_any(ids))).execute(self.conn)?;
        Ok(())
    }

    /// Deletes loans; the items are put back by the caller.
    ///
    /// # Errors
    /// `Conflict` when something refers to one of them.
    pub fn delete_loans(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        diesel::delete(loans::table.filter(loans::id.eq_any(ids))).execute(self.conn)?;
        Ok(())
    }

    /// Deletes deposits.
    ///
    /// # Errors
    /// `Conflict` when something refers to one of them.
    pub fn delete_deposits(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        diesel::delete(legacy_deposits::table.filter(legacy_deposits::id.eq_any(ids))).execute(self.conn)?;
        Ok(())
    }

    /// Forgets rows of a batch.
    pub fn delete_import_rows(&mut self, batch: i64, row_numbers: &[i64]) -> Result<(), StoreError> {
        let rows = import_rows::table
            .filter(import_rows::batch_id.eq(batch))
            .filter(import_rows::row_number.eq_any(row_numbers));
        diesel::delete(rows).execute(self.conn)?;
        Ok(())
    }

    /// Marks a batch as undone, whatever of it was kept.
    pub fn mark_undone(&mut self, batch: i64, at_millis: i64) -> Result<(), StoreError> {
        diesel::update(import_batches::table.find(batch))
            .set(import_batches::undone_at.eq(at_millis))
            .execute(self.conn)?;
        Ok(())
    }
}
