//! How often log-ins failed, by scope: an account, an address, or both, each known by a keyed digest only.

use diesel::prelude::*;

use super::dialect;
use super::error::StoreError;
use super::hot::on_engine;
use super::schema::log_in_tallies;
use super::tx::WriteTx;
use crate::clock::from_millis;
use crate::domain::log_in_guard::Tally;

/// What a scope is found under.
pub type Scope = [u8; 16];

/// A tally's row.
#[derive(Debug, Clone, Insertable, AsChangeset, Queryable)]
#[diesel(table_name = log_in_tallies, treat_none_as_null = true)]
pub struct TallyRow {
    pub scope: Vec<u8>,
    pub failures: i64,
    pub failed_at: Option<i64>,
    pub succeeded_at: Option<i64>,
    pub forget_at: i64,
}

impl WriteTx<'_> {
    /// The tallies of scopes, in their order; nobody else changes these until the transaction ends.
    pub fn lock_log_in_tallies<const N: usize>(&mut self, scopes: &[Scope; N]) -> Result<[Tally; N], StoreError> {
        dialect::lock_log_in_scopes(self.conn, scopes)?;
        let keys: Vec<Vec<u8>> = scopes.iter().map(|scope| scope.to_vec()).collect();
        let query = log_in_tallies::table.filter(log_in_tallies::scope.eq_any(keys));
        let rows: Vec<TallyRow> = on_engine!(self.conn, conn => query.load(conn))?;
        Ok(scopes.map(|scope| {
            let row = rows.iter().find(|row| row.scope == scope);
            row.map(tally).unwrap_or_default()
        }))
    }

    /// Keeps a tally; one that says nothing is not kept.
    pub fn put_log_in_tally(&mut self, scope: &Scope, tally: &Tally) -> Result<(), StoreError> {
        let Some(forget_at) = tally.forget_at() else {
            return Ok(());
        };
        let row = TallyRow {
            scope: scope.to_vec(),
            failures: i64::from(tally.failures),
            failed_at: tally.failed_at.map(|at| at.timestamp_millis()),
            succeeded_at: tally.succeeded_at.map(|at| at.timestamp_millis()),
            forget_at: forget_at.timestamp_millis(),
        };
        Ok(dialect::put_log_in_tally(self.conn, &row)?)
    }

    /// Deletes what says nothing any more; answers how many.
    pub fn forget_log_in_tallies(&mut self, now_millis: i64) -> Result<usize, StoreError> {
        let old = log_in_tallies::table.filter(log_in_tallies::forget_at.le(now_millis));
        Ok(diesel::delete(old).execute(self.conn)?)
    }
}

fn tally(row: &TallyRow) -> Tally {
    Tally {
        failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
        failed_at: row.failed_at.map(from_millis),
        succeeded_at: row.succeeded_at.map(from_millis),
    }
}
