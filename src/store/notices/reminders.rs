//! What the walks of reminders look at: open loans in the order of their items, hold shelves by their last day, cards by number.

use chrono::NaiveDate;
use diesel::prelude::*;

use crate::domain::ids::{ReaderId, UnitId};
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::items::parse_day;
use crate::store::readers::day_text;
use crate::store::schema::{cards, holds, loans, readers};
use crate::store::tx::ReadTx;

/// An open loan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable)]
pub struct DueRow {
    pub item_id: i64,
    pub reader_id: i64,
    pub due_at: i64,
}

/// Something of a reader that ends on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndingRow {
    pub id: i64,
    pub reader: ReaderId,
    pub unit: UnitId,
    pub until: NaiveDate,
}

type EndingColumns = (i64, i64, i64, String);

fn ending((id, reader, unit, until): EndingColumns) -> Result<EndingRow, StoreError> {
    Ok(EndingRow {
        id,
        reader: ReaderId::new(reader),
        unit: UnitId::new(unit),
        until: parse_day(&until)?,
    })
}

impl ReadTx<'_> {
    /// The next open loans of readers, by item.
    pub fn walk_reminders(&mut self, after_item: i64, limit: i64) -> Result<Vec<DueRow>, StoreError> {
        let query = loans::table
            .filter(loans::closed_at.is_null().and(loans::item_id.gt(after_item)))
            .filter(loans::reader_id.is_not_null())
            .order(loans::item_id)
            .limit(limit)
            .select((loans::item_id, loans::reader_id.assume_not_null(), loans::due_at));
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }

    /// The next holds whose copy stands on the hold shelf until one of these days, by number.
    pub fn walk_expiring_holds(
        &mut self,
        after: i64,
        from: NaiveDate,
        until: NaiveDate,
        limit: i64,
    ) -> Result<Vec<EndingRow>, StoreError> {
        let query = holds::table
            .filter(holds::closed_at.is_null().and(holds::id.gt(after)))
            .filter(holds::shelf_until.between(day_text(from), day_text(until)))
            .filter(holds::shelf_number.is_not_null().and(holds::reader_id.is_not_null()))
            .order(holds::id)
            .limit(limit)
            .select((
                holds::id,
                holds::reader_id.assume_not_null(),
                holds::pickup_unit_id,
                holds::shelf_until.assume_not_null(),
            ));
        let rows: Vec<EndingColumns> = on_engine!(self.conn, conn => query.load(conn))?;
        rows.into_iter().map(ending).collect()
    }

    /// The next cards by number: how many, the last one, and those that can be used and end some day.
    pub fn walk_cards(&mut self, after: i64, limit: i64) -> Result<(i64, Option<i64>, Vec<EndingRow>), StoreError> {
        let query = cards::table
            .inner_join(readers::table.on(readers::id.eq(cards::reader_id)))
            .filter(cards::id.gt(after))
            .order(cards::id)
            .limit(limit)
            .select((
                cards::id,
                cards::reader_id,
                readers::home_unit_id,
                cards::expires_on,
                cards::status.eq("active"),
            ));
        let rows: Vec<(i64, i64, i64, Option<String>, bool)> = on_engine!(self.conn, conn => query.load(conn))?;
        let looked = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let last = rows.last().map(|row| row.0);
        let usable = rows.into_iter().filter(|row| row.4);
        let ends = usable.filter_map(|(id, reader, unit, until, _)| Some(ending((id, reader, unit, until?))));
        Ok((looked, last, ends.collect::<Result<_, _>>()?))
    }

    /// A reader's home unit.
    pub fn home_of_reader(&mut self, reader: ReaderId) -> Result<Option<UnitId>, StoreError> {
        let home: Option<i64> = readers::table
            .find(reader.get())
            .select(readers::home_unit_id)
            .first(self.conn)
            .optional()?;
        Ok(home.map(UnitId::new))
    }
}
