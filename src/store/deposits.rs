//! Deposits: batches of copies that stand at another unit for a time.
//! Not for: their copies (see `deposit_rows`).

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::hot::on_engine;
use super::items::parse_day;
use super::readers::day_text;
use super::schema::{deposit_items, deposits};
use super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::deposit::{CopyState, DepositStatus};
use crate::domain::ids::{DepositId, UnitId};

/// A deposit's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deposit {
    pub id: DepositId,
    pub from: UnitId,
    pub to: UnitId,
    /// The local day on which it is pulled back.
    pub until: NaiveDate,
    pub reason: String,
    pub status: DepositStatus,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub recalled_at: Option<DateTime<Utc>>,
    pub recall_reason: Option<String>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// Which deposits.
#[derive(Debug, Clone, Default)]
pub struct DepositFilter {
    pub from: Option<UnitId>,
    pub to: Option<UnitId>,
    pub status: Option<DepositStatus>,
}

type Row = (
    i64,
    i64,
    i64,
    String,
    String,
    String,
    i64,
    i64,
    Option<i64>,
    Option<String>,
    Option<i64>,
);

fn deposit_of(row: Row) -> Result<Deposit, StoreError> {
    let (id, from, to, until, reason, status, version, created_at, recalled_at, recall_reason, ended_at) = row;
    Ok(Deposit {
        id: DepositId::new(id),
        from: UnitId::new(from),
        to: UnitId::new(to),
        until: parse_day(&until)?,
        reason,
        status: DepositStatus::from_code(&status)
            .ok_or_else(|| StoreError::Corrupt(format!("deposit {id} has the unknown status {status}")))?,
        version,
        created_at: from_millis(created_at),
        recalled_at: recalled_at.map(from_millis),
        recall_reason,
        ended_at: ended_at.map(from_millis),
    })
}

impl ReadTx<'_> {
    /// One deposit.
    pub fn deposit(&mut self, id: DepositId) -> Result<Option<Deposit>, StoreError> {
        let row: Option<Row> = deposits::table.find(id.get()).first(self.conn).optional()?;
        row.map(deposit_of).transpose()
    }

    /// Deposits after `after`, by id.
    pub fn deposits(&mut self, filter: &DepositFilter, after: i64, limit: i64) -> Result<Vec<Deposit>, StoreError> {
        let mut query = deposits::table
            .filter(deposits::id.gt(after))
            .order(deposits::id)
            .limit(limit)
            .into_boxed();
        if let Some(from) = filter.from {
            query = query.filter(deposits::from_unit_id.eq(from.get()));
        }
        if let Some(to) = filter.to {
            query = query.filter(deposits::to_unit_id.eq(to.get()));
        }
        if let Some(status) = filter.status {
            query = query.filter(deposits::status.eq(status.code()));
        }
        let rows: Vec<Row> = query.load(self.conn)?;
        rows.into_iter().map(deposit_of).collect()
    }

    /// Deposits after `after` that have not ended, by id.
    pub fn deposits_under_way(&mut self, after: i64, limit: i64) -> Result<Vec<Deposit>, StoreError> {
        let rows: Vec<Row> = deposits::table
            .filter(deposits::id.gt(after).and(deposits::status.ne("ended")))
            .order(deposits::id)
            .limit(limit)
            .load(self.conn)?;
        rows.into_iter().map(deposit_of).collect()
    }

    /// How many have not ended.
    pub fn count_deposits_under_way(&mut self) -> Result<i64, StoreError> {
        let query = deposits::table.filter(deposits::status.ne("ended")).count();
        Ok(query.get_result(self.conn)?)
    }
}

impl ReadTx<'_> {
    /// The deposits that items are in now, by item.
    pub fn deposits_of_items(&mut self, items: &[i64]) -> Result<HashMap<i64, Deposit>, StoreError> {
        if items.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(Option<i64>, Row)> = deposit_items::table
            .inner_join(deposits::table.on(deposits::id.eq(deposit_items::deposit_id)))
            .filter(deposit_items::item_id.eq_any(items))
            .filter(deposit_items::state.eq_any([CopyState::Out.code(), CopyState::Recalled.code()]))
            .select((deposit_items::item_id, deposits::all_columns))
            .load(self.conn)?;
        rows.into_iter()
            .filter_map(|(item, row)| Some((item?, row)))
            .map(|(item, row)| Ok((item, deposit_of(row)?)))
            .collect()
    }
}

impl WriteTx<'_> {
    /// Adds a deposit whose copies are dealt with later.
    pub fn insert_deposit(&mut self, deposit: &Deposit) -> Result<(), StoreError> {
        diesel::insert_into(deposits::table)
            .values((
                deposits::id.eq(deposit.id.get()),
                deposits::from_unit_id.eq(deposit.from.get()),
                deposits::to_unit_id.eq(deposit.to.get()),
                deposits::until_day.eq(day_text(deposit.until)),
                deposits::reason.eq(&deposit.reason),
                deposits::status.eq(deposit.status.code()),
                deposits::version.eq(deposit.version),
                deposits::created_at.eq(deposit.created_at.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// A deposit, which nobody else changes until the end of this transaction.
    pub fn lock_deposit(&mut self, id: DepositId) -> Result<Option<Deposit>, StoreError> {
        let query = deposits::table.find(id.get());
        let row: Option<Row> = match &mut *self.conn {
            AnyConnection::Sqlite(conn) => query.first(conn).optional()?,
            AnyConnection::Postgres(conn) => query.for_no_key_update().first(conn).optional()?,
        };
        row.map(deposit_of).transpose()
    }

    /// Writes what may change of a locked deposit, as its next version.
    pub fn update_deposit(&mut self, deposit: &Deposit) -> Result<(), StoreError> {
        diesel::update(deposits::table.find(deposit.id.get()))
            .set((
                deposits::until_day.eq(day_text(deposit.until)),
                deposits::reason.eq(&deposit.reason),
                deposits::status.eq(deposit.status.code()),
                deposits::version.eq(deposits::version + 1),
                deposits::recalled_at.eq(deposit.recalled_at.map(|at| at.timestamp_millis())),
                deposits::recall_reason.eq(&deposit.recall_reason),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends a recalled deposit of which no copy is out any more; answers whether it ended now.
    pub fn end_deposit(&mut self, id: DepositId, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let under_way = [CopyState::Pending, CopyState::Out, CopyState::Recalled].map(CopyState::code);
        let left = deposit_items::table
            .filter(deposit_items::deposit_id.eq(deposits::id))
            .filter(deposit_items::state.eq_any(under_way));
        let done = deposits::table
            .find(id.get())
            .filter(deposits::status.eq(DepositStatus::Recalled.code()))
            .filter(diesel::dsl::not(diesel::dsl::exists(left)));
        let update = diesel::update(done).set((
            deposits::status.eq(DepositStatus::Ended.code()),
            deposits::version.eq(deposits::version + 1),
            deposits::ended_at.eq(at.timestamp_millis()),
        ));
        Ok(on_engine!(self.conn, conn => update.execute(conn))? == 1)
    }
}
