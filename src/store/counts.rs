//! Plain counts, for health, metrics and audits. Nothing here decides anything.

use chrono::NaiveDate;
use diesel::prelude::*;

use super::error::StoreError;
use super::readers::day_text;
use super::schema::{event_personal, events, items, loans};
use super::tx::ReadTx;
use crate::domain::ids::ReaderId;
use crate::domain::item::ItemStatus;

impl ReadTx<'_> {
    /// What was sent on a day, after `after`: number of the event, the unit that sent it, and what the event says.
    pub fn dispatches_on(
        &mut self,
        day: NaiveDate,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, i64, String)>, StoreError> {
        // The kind stands in the text: the index of what was sent is only looked at for it.
        Ok(events::table
            .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("kind = 'transit_sent'"))
            .filter(events::day.eq(day_text(day)).and(events::seq.gt(after)))
            .order(events::seq)
            .limit(limit)
            .select((events::seq, events::unit_id, events::detail))
            .load(self.conn)?)
    }

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

    /// Side rows of events that name a reader: what an erasure has to remove.
    pub fn count_personal_rows(&mut self, reader: ReaderId) -> Result<i64, StoreError> {
        Ok(event_personal::table
            .filter(event_personal::reader_id.eq(reader.get()))
            .count()
            .get_result(self.conn)?)
    }
}
