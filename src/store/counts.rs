//! Plain counts, for health, metrics and audits. Nothing here decides anything.

use diesel::prelude::*;

use super::error::StoreError;
use super::schema::{events, items, loans};
use super::tx::ReadTx;
use crate::domain::item::ItemStatus;

impl ReadTx<'_> {
    /// Open loans.
    pub fn count_open_loans(&mut self) -> Result<i64, StoreError> {
        Ok(loans::table
            .filter(loans::closed_at.is_null())
            .count()
            .get_result(self.conn)?)
    }

    /// Items whose status says they are out.
    pub fn count_items_on_loan(&mut self) -> Result<i64, StoreError> {
        let out = [ItemStatus::OnLoan.code(), ItemStatus::ClaimedReturned.code()];
        let (loan, claimed) = (items::status.eq(out[0]), items::status.eq(out[1]));
        Ok(items::table.filter(loan.or(claimed)).count().get_result(self.conn)?)
    }

    /// Events of a kind.
    pub fn count_events(&mut self, kind: &str) -> Result<i64, StoreError> {
        Ok(events::table
            .filter(events::kind.eq(kind))
            .count()
            .get_result(self.conn)?)
    }
}
