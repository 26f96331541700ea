//! Open loans in bulk, and what limits count of their readers: for looking at rules before they are published.
//! Not for: deciding; nothing is locked.

use diesel::prelude::*;

use super::error::StoreError;
use super::overdue::given_back_in_time;
use super::readers::channel_from_code;
use super::schema::{loan_confirmations, loans, parcel_lines, parcels, readers};
use super::tx::ReadTx;
use crate::clock::from_millis;
use crate::domain::ids::{BibId, ItemTypeId, LoanId, LockerSessionId, ReaderId, UnitId};
use crate::domain::reader::LoanOfReader;

/// An open loan.
#[derive(Debug, Clone, Queryable)]
pub struct PreviewLoan {
    pub id: i64,
    pub item_id: i64,
    pub bib_id: i64,
    pub reader_id: Option<i64>,
    pub unit_id: i64,
    pub owner_unit_id: i64,
    pub item_type_id: i64,
    pub category_id: i64,
    pub channel: String,
    pub loaned_at: i64,
    pub due_at: i64,
    pub renewals: i32,
    pub reading_room: bool,
    /// It was given back in time, and a parcel brings it.
    pub given_back: bool,
    /// The session at a machine in which it was made.
    pub session_id: Option<i64>,
}

/// What rules look at in a reader.
#[derive(Debug, Clone, Queryable)]
pub struct PreviewReader {
    pub id: i64,
    pub credit_band: String,
    pub debt_fen: i64,
    pub open_holds: i32,
}

macro_rules! loan_columns {
    () => {
        (
            loans::id,
            loans::item_id,
            loans::bib_id,
            loans::reader_id,
            loans::unit_id,
            loans::owner_unit_id,
            loans::item_type_id,
            loans::category_id,
            loans::channel,
            loans::loaned_at,
            loans::due_at,
            loans::renewals,
            loans::reading_room,
            given_back_in_time!(),
            loan_confirmations::table
                .filter(loan_confirmations::loan_id.eq(loans::id))
                .select(loan_confirmations::session_id)
                .single_value(),
        )
    };
}

impl PreviewLoan {
    /// As limits count it.
    ///
    /// # Errors
    /// `Corrupt` for an unknown channel.
    pub fn counted(&self) -> Result<LoanOfReader, StoreError> {
        Ok(LoanOfReader {
            id: LoanId::new(self.id),
            bib_id: BibId::new(self.bib_id),
            item_type: ItemTypeId::new(self.item_type_id),
            owner: UnitId::new(self.owner_unit_id),
            unit: UnitId::new(self.unit_id),
            channel: channel_from_code(&self.channel)?,
            due_at: from_millis(self.due_at),
            reading_room: self.reading_room,
            given_back: self.given_back,
            session: self.session_id.map(LockerSessionId::new),
        })
    }
}

impl ReadTx<'_> {
    /// Open loans in the order of their items, after an item.
    pub fn open_loans_after(&mut self, item: i64, limit: i64) -> Result<Vec<PreviewLoan>, StoreError> {
        Ok(loans::table
            .filter(loans::closed_at.is_null().and(loans::item_id.gt(item)))
            .order(loans::item_id)
            .limit(limit)
            .select(loan_columns!())
            .load(self.conn)?)
    }

    /// Those of some loans that are open.
    pub fn open_loans_with_ids(&mut self, ids: &[i64]) -> Result<Vec<PreviewLoan>, StoreError> {
        Ok(loans::table
            .filter(loans::closed_at.is_null().and(loans::id.eq_any(ids)))
            .order(loans::item_id)
            .select(loan_columns!())
            .load(self.conn)?)
    }

    /// All open loans of some readers.
    pub fn open_loans_of_readers(&mut self, readers: &[i64]) -> Result<Vec<PreviewLoan>, StoreError> {
        Ok(loans::table
            .filter(loans::closed_at.is_null().and(loans::reader_id.eq_any(readers)))
            .order(loans::item_id)
            .select(loan_columns!())
            .load(self.conn)?)
    }

    /// What rules look at in some readers.
    pub fn preview_readers(&mut self, ids: &[ReaderId]) -> Result<Vec<PreviewReader>, StoreError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
        Ok(readers::table
            .filter(readers::id.eq_any(ids))
            .select((
                readers::id,
                readers::credit_band,
                readers::debt_fen,
                readers::open_holds,
            ))
            .load(self.conn)?)
    }
}
