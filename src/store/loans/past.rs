//! Loans that had ended before they were told of.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::NewLoan;
use crate::domain::ids::UnitId;
use crate::store::error::StoreError;
use crate::store::schema::loans;
use crate::store::tx::WriteTx;

impl WriteTx<'_> {
    /// Adds a loan that is over: it never stands beside the one that is open.
    pub fn insert_past_loan(
        &mut self,
        loan: &NewLoan,
        returned_at: DateTime<Utc>,
        unit: UnitId,
    ) -> Result<(), StoreError> {
        self.unlinked_without(returned_at)?;
        let ended = (
            loans::closed_at.eq(returned_at.timestamp_millis()),
            loans::closed_how.eq("returned"),
            loans::return_unit_id.eq(unit.get()),
        );
        diesel::insert_into(loans::table)
            .values((loan.clone(), ended))
            .execute(self.conn)?;
        Ok(())
    }
}
