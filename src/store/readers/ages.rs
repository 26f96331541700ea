//! Readers by their age: what the job walks over that gives them other categories.

use chrono::NaiveDate;
use diesel::prelude::*;

use crate::domain::ids::{CategoryId, ReaderId};
use crate::store::error::StoreError;
use crate::store::items::parse_day;
use crate::store::schema::readers;
use crate::store::tx::{ReadTx, WriteTx};

/// A reader whose age is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aged {
    pub id: ReaderId,
    pub category: CategoryId,
    pub born: NaiveDate,
}

impl ReadTx<'_> {
    /// The next few readers after an id whose birth date is known and who stand for themselves.
    pub fn walk_ages(&mut self, after: i64, limit: i64) -> Result<Vec<Aged>, StoreError> {
        let rows: Vec<(i64, i64, String)> = readers::table
            .filter(readers::id.gt(after))
            .filter(readers::birth_date.is_not_null().and(readers::merged_into.is_null()))
            .order(readers::id)
            .limit(limit)
            .select((readers::id, readers::category_id, readers::birth_date.assume_not_null()))
            .load(self.conn)?;
        let aged = |(id, category, born): (i64, i64, String)| {
            Ok(Aged {
                id: ReaderId::new(id),
                category: CategoryId::new(category),
                born: parse_day(&born)?,
            })
        };
        rows.into_iter().map(aged).collect()
    }
}

impl WriteTx<'_> {
    /// Gives a reader another category.
    pub fn set_category_of_reader(&mut self, id: ReaderId, category: CategoryId) -> Result<(), StoreError> {
        diesel::update(readers::table.find(id.get()))
            .set(readers::category_id.eq(category.get()))
            .execute(self.conn)?;
        Ok(())
    }
}
