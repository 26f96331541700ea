//! Loans: opened, renewed, closed. The database allows one open loan per item whatever the code thinks.

mod automatic;
mod past;
mod recalls;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::closing::Closing;
use super::error::StoreError;
use super::hot::{InsertLoan, on_engine};
use super::readers::channel_from_code;
use super::schema::{bibs, cards, items, loan_confirmations, loans, readers};
use super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::ids::{BibId, CardId, CategoryId, HoldId, ItemId, LoanId, ReaderId, UnitId};
use crate::domain::loan::OpenLoan;
use crate::domain::reader::ReaderStatus;

/// A new loan's row.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = loans)]
pub struct NewLoan {
    pub id: i64,
    pub item_id: i64,
    pub bib_id: i64,
    pub reader_id: Option<i64>,
    pub card_id: Option<i64>,
    pub unit_id: i64,
    pub owner_unit_id: i64,
    pub item_type_id: i64,
    pub category_id: i64,
    pub age_band: String,
    pub channel: String,
    pub device_id: Option<i64>,
    pub rule_id: i64,
    pub rules_version: i64,
    pub filled_hold_id: Option<i64>,
    pub loaned_at: i64,
    pub due_at: i64,
    pub due_by_hand: bool,
    pub renewals: i32,
    /// For use in the reading room.
    pub reading_room: bool,
}

impl NewLoan {
    pub(super) fn statement(&self) -> InsertLoan<'_> {
        InsertLoan {
            id: self.id,
            item_id: self.item_id,
            bib_id: self.bib_id,
            reader_id: self.reader_id,
            card_id: self.card_id,
            unit_id: self.unit_id,
            owner_unit_id: self.owner_unit_id,
            item_type_id: self.item_type_id,
            category_id: self.category_id,
            age_band: &self.age_band,
            channel: &self.channel,
            device_id: self.device_id,
            rule_id: self.rule_id,
            rules_version: self.rules_version,
            filled_hold_id: self.filled_hold_id,
            loaned_at: self.loaned_at,
            due_at: self.due_at,
            due_by_hand: self.due_by_hand,
            renewals: self.renewals,
            reading_room: self.reading_room,
        }
    }
}

/// How a loan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoanEnd {
    Returned,
    /// Undone: it fills no hold and counts nowhere.
    Voided,
    /// The item will not come back.
    Lost,
}

impl LoanEnd {
    fn code(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Voided => "voided",
            Self::Lost => "lost",
        }
    }
}

/// An open loan with the snapshot its events need.
#[derive(Debug, Clone)]
pub struct LoadedLoan {
    pub loan: OpenLoan,
    pub bib: BibId,
    pub age_band: String,
    pub card: Option<CardId>,
    /// The hold it filled.
    pub filled_hold: Option<HoldId>,
}

/// A loan as people see it.
#[derive(Debug, Clone, Queryable)]
pub struct LoanView {
    pub id: i64,
    pub item_id: i64,
    pub barcode: String,
    pub bib_id: i64,
    pub title: String,
    pub reader_id: Option<i64>,
    pub unit_id: i64,
    pub channel: String,
    pub rule_id: i64,
    pub rules_version: i64,
    pub loaned_at: i64,
    pub due_at: i64,
    pub renewals: i32,
    pub closed_at: Option<i64>,
    pub closed_how: Option<String>,
    pub claimed_returned_at: Option<i64>,
    pub recalled_at: Option<i64>,
    pub auto_renewals: i32,
    pub auto_refused_due_at: Option<i64>,
    pub auto_refusals: Option<String>,
    pub reading_room: bool,
    /// Who uses the card it was made with, where that is an institution's.
    pub borrower: Option<String>,
}

macro_rules! view_columns {
    () => {
        (
            loans::id,
            loans::item_id,
            items::barcode,
            loans::bib_id,
            bibs::title,
            loans::reader_id,
            loans::unit_id,
            loans::channel,
            loans::rule_id,
            loans::rules_version,
            loans::loaned_at,
            loans::due_at,
            loans::renewals,
            loans::closed_at,
            loans::closed_how,
            loans::claimed_returned_at,
            loans::recalled_at,
            loans::auto_renewals,
            loans::auto_refused_due_at,
            loans::auto_refusals,
            loans::reading_room,
            cards::holder_name.nullable(),
        )
    };
}

macro_rules! loan_columns {
    () => {
        (
            loans::id,
            loans::item_id,
            loans::bib_id,
            loans::reader_id,
            loans::card_id,
            loans::category_id,
            loans::unit_id,
            loans::channel,
            loans::age_band,
            loans::loaned_at,
            loans::due_at,
            loans::renewals,
            loans::filled_hold_id,
            loans::claimed_returned_at,
            loans::recalled_at,
            loans::reading_room,
        )
    };
}
use loan_columns;

type LoanRow = (
    i64,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    i64,
    i64,
    String,
    String,
    i64,
    i64,
    i32,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    bool,
);

impl ReadTx<'_> {
    /// The item a loan is of, to lock it before the loan is read; `None` for an unknown loan.
    pub fn item_of_loan(&mut self, id: LoanId) -> Result<Option<(ItemId, BibId, Option<ReaderId>)>, StoreError> {
        let row: Option<(i64, i64, Option<i64>)> = loans::table
            .inner_join(items::table.on(items::id.eq(loans::item_id)))
            .filter(loans::id.eq(id.get()))
            .select((loans::item_id, items::bib_id, loans::reader_id))
            .get_result(self.conn)
            .optional()?;
        Ok(row.map(|(item, bib, reader)| (ItemId::new(item), BibId::new(bib), reader.map(ReaderId::new))))
    }

    /// A loan as people see it: of the bib it was made of, whatever became of that since.
    pub fn loan_view(&mut self, id: LoanId) -> Result<Option<LoanView>, StoreError> {
        Ok(loans::table
            .inner_join(items::table.on(items::id.eq(loans::item_id)))
            .inner_join(bibs::table.on(bibs::id.eq(loans::bib_id)))
            .left_join(cards::table.on(loans::card_id.eq(cards::id.nullable())))
            .filter(loans::id.eq(id.get()))
            .select(view_columns!())
            .get_result(self.conn)
            .optional()?)
    }

    /// A reader's loans before `before` (newest first): open ones, or all.
    pub fn loans_of_reader(
        &mut self,
        reader: ReaderId,
        open_only: bool,
        before: i64,
        limit: i64,
    ) -> Result<Vec<LoanView>, StoreError> {
        let mut query = loans::table
            .inner_join(items::table.on(items::id.eq(loans::item_id)))
            .inner_join(bibs::table.on(bibs::id.eq(loans::bib_id)))
            .left_join(cards::table.on(loans::card_id.eq(cards::id.nullable())))
            .filter(loans::reader_id.eq(reader.get()).and(loans::id.lt(before)))
            .select(view_columns!())
            .order(loans::id.desc())
            .limit(limit)
            .into_boxed();
        if open_only {
            query = query.filter(loans::closed_at.is_null());
        }
        Ok(query.load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// The open loan of an item, read under the item's lock.
    pub fn open_loan(&mut self, item: ItemId) -> Result<Option<LoadedLoan>, StoreError> {
        let query = loans::table
            .inner_join(readers::table.on(loans::reader_id.eq(readers::id.nullable())))
            .filter(loans::item_id.eq(item.get()).and(loans::closed_at.is_null()))
            .left_join(
                loan_confirmations::table.on(loan_confirmations::loan_id
                    .eq(loans::id)
                    .and(loan_confirmations::decided_at.is_null())),
            )
            .select((loan_columns!(), readers::status, loan_confirmations::loan_id.nullable()));
        let row: Option<(LoanRow, String, Option<i64>)> =
            on_engine!(self.conn, conn => query.get_result(conn)).optional()?;
        let Some((row, status, asked)) = row else {
            return Ok(None);
        };
        let mut loaded = loaded_loan(row, &status)?;
        loaded.loan.unconfirmed = asked.is_some();
        Ok(Some(loaded))
    }

    /// Opens a loan.
    ///
    /// # Errors
    /// `Conflict` when the item has an open loan already: somebody was first.
    pub fn insert_loan(&mut self, loan: &NewLoan) -> Result<(), StoreError> {
        self.close_with(Closing::InsertLoan(loan.clone()))
    }

    /// Ends a loan.
    pub fn close_loan(&mut self, id: LoanId, how: LoanEnd, at: DateTime<Utc>, unit: UnitId) -> Result<(), StoreError> {
        self.unlinked_without(at)?;
        self.close_with(Closing::CloseLoan {
            id: id.get(),
            closed_at: at.timestamp_millis(),
            closed_how: how.code(),
            return_unit_id: unit.get(),
        })
    }

    /// Gives a loan a later due date and counts the renewal; a recall that staff passed over ends.
    pub fn renew_loan(&mut self, id: LoanId, due_at: DateTime<Utc>, by_hand: bool) -> Result<(), StoreError> {
        diesel::update(loans::table.find(id.get()))
            .set((
                loans::due_at.eq(due_at.timestamp_millis()),
                loans::due_by_hand.eq(by_hand),
                loans::renewals.eq(loans::renewals + 1),
                loans::recalled_at.eq(None::<i64>),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// The reader says that it was given back at that moment; `None`: nobody says so any more.
    pub fn claim_returned(&mut self, id: LoanId, at: Option<DateTime<Utc>>) -> Result<(), StoreError> {
        diesel::update(loans::table.find(id.get()))
            .set(loans::claimed_returned_at.eq(at.map(|at| at.timestamp_millis())))
            .execute(self.conn)?;
        Ok(())
    }

    /// Calls a loan back; with an earlier due date, set by rule, if there is one.
    pub fn recall_loan(
        &mut self,
        id: LoanId,
        due_at: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::update(loans::table.find(id.get()))
            .set(loans::recalled_at.eq(at.timestamp_millis()))
            .execute(self.conn)?;
        if let Some(due_at) = due_at {
            diesel::update(loans::table.find(id.get()))
                .set((
                    loans::due_at.eq(due_at.timestamp_millis()),
                    loans::due_by_hand.eq(false),
                ))
                .execute(self.conn)?;
        }
        Ok(())
    }
}

fn loaded_loan(row: LoanRow, status: &str) -> Result<LoadedLoan, StoreError> {
    let (
        id,
        item,
        bib,
        reader,
        card,
        category,
        unit,
        channel,
        age_band,
        loaned_at,
        due_at,
        renewals,
        filled_hold,
        claimed,
        recalled,
        reading_room,
    ) = row;
    let reader = reader.ok_or_else(|| StoreError::Corrupt(format!("open loan {id} without a reader")))?;
    Ok(LoadedLoan {
        loan: OpenLoan {
            id: LoanId::new(id),
            item: ItemId::new(item),
            reader: ReaderId::new(reader),
            reader_status: ReaderStatus::from_code(status)
                .ok_or_else(|| StoreError::Corrupt(format!("reader {reader} has the unknown status {status}")))?,
            category: CategoryId::new(category),
            unit: UnitId::new(unit),
            channel: channel_from_code(&channel)?,
            loaned_at: from_millis(loaned_at),
            due_at: from_millis(due_at),
            renewals: u16::try_from(renewals).unwrap_or(u16::MAX),
            claimed_returned_at: claimed.map(from_millis),
            recalled_at: recalled.map(from_millis),
            reading_room,
            unconfirmed: false,
        },
        bib: BibId::new(bib),
        age_band,
        card: card.map(CardId::new),
        filled_hold: filled_hold.map(HoldId::new),
    })
}
