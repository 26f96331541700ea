//! What the job of automatic renewal reads and keeps of open loans. It walks them in the order of their items: there is no index
//! on due dates (see `store::overdue`).

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::clock::from_millis;
use crate::domain::auto_renew::Before;
use crate::domain::ids::{CategoryId, ItemTypeId, LoanId, UnitId};
use crate::domain::policy::Situation;
use crate::domain::refusal::Code;
use crate::store::error::StoreError;
use crate::store::overdue::Walked;
use crate::store::readers::{band_from_code, channel_from_code};
use crate::store::schema::{items, loans, readers};
use crate::store::tx::{ReadTx, WriteTx};

type SituationRow = (i64, i64, i64, i64, i64, String, String);

impl ReadTx<'_> {
    /// The next open loans, and which of them are due from now until a moment and were not refused for that due date.
    pub fn walk_soon_due(
        &mut self,
        after_item: i64,
        (now, until): (DateTime<Utc>, DateTime<Utc>),
        limit: i64,
    ) -> Result<Walked, StoreError> {
        let rows: Vec<(i64, i64, i64, Option<i64>)> = loans::table
            .filter(loans::closed_at.is_null().and(loans::item_id.gt(after_item)))
            .order(loans::item_id)
            .limit(limit)
            .select((loans::id, loans::item_id, loans::due_at, loans::auto_refused_due_at))
            .load(self.conn)?;
        let soon = now.timestamp_millis()..=until.timestamp_millis();
        let due = rows
            .iter()
            .filter(|(_, _, due, refused)| soon.contains(due) && *refused != Some(*due));
        Ok(Walked {
            loans: i64::try_from(rows.len()).unwrap_or(i64::MAX),
            last_item: rows.last().map(|(_, item, ..)| *item),
            found: due.map(|(id, ..)| *id).collect(),
        })
    }

    /// What the terms of some open loans are looked up for now.
    pub fn situations_of_loans(&mut self, ids: &[i64]) -> Result<Vec<(LoanId, Situation)>, StoreError> {
        let rows: Vec<SituationRow> = loans::table
            .inner_join(items::table.on(items::id.eq(loans::item_id)))
            .inner_join(readers::table.on(loans::reader_id.eq(readers::id.nullable())))
            .filter(loans::id.eq_any(ids).and(loans::closed_at.is_null()))
            .order(loans::item_id)
            .select((
                loans::id,
                loans::unit_id,
                loans::category_id,
                items::item_type_id,
                items::owner_unit_id,
                loans::channel,
                readers::credit_band,
            ))
            .load(self.conn)?;
        let situation = |(id, unit, category, item_type, owner, channel, band): SituationRow| {
            let situation = Situation {
                unit: UnitId::new(unit),
                category: CategoryId::new(category),
                item_type: ItemTypeId::new(item_type),
                owner: UnitId::new(owner),
                channel: channel_from_code(&channel)?,
                band: band_from_code(&band)?,
            };
            Ok((LoanId::new(id), situation))
        };
        rows.into_iter().map(situation).collect()
    }
}

impl WriteTx<'_> {
    /// What the job did to a loan before, read under the lock of its item.
    pub fn auto_renewed_before(&mut self, id: LoanId) -> Result<Before, StoreError> {
        let (renewals, refused): (i32, Option<i64>) = loans::table
            .find(id.get())
            .select((loans::auto_renewals, loans::auto_refused_due_at))
            .get_result(self.conn)?;
        Ok(Before {
            renewals: u16::try_from(renewals).unwrap_or(u16::MAX),
            refused_for: refused.map(from_millis),
        })
    }

    /// Counts a renewal that nobody asked for, which was counted as a renewal already.
    pub fn count_auto_renewal(&mut self, id: LoanId) -> Result<(), StoreError> {
        diesel::update(loans::table.find(id.get()))
            .set(loans::auto_renewals.eq(loans::auto_renewals + 1))
            .execute(self.conn)?;
        Ok(())
    }

    /// Keeps why a loan was not renewed by itself, for the due date it has.
    pub fn refuse_auto_renewal(&mut self, id: LoanId, due_at: DateTime<Utc>, codes: &[Code]) -> Result<(), StoreError> {
        let codes: Vec<&str> = codes.iter().map(|code| code.code()).collect();
        diesel::update(loans::table.find(id.get()))
            .set((
                loans::auto_refused_due_at.eq(due_at.timestamp_millis()),
                loans::auto_refusals.eq(serde_json::json!(codes).to_string()),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
