//! Bibliographic records: the original MARC kept whole, an indexed summary, and a plain search.
//! Not for: reading MARC (see `catalogue`); the real search engine comes later and never decides anything.

use diesel::prelude::*;

use super::error::StoreError;
use super::schema::{bib_isbns, bibs};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::BibId;

/// Bibs of one step of a search: a few milliseconds.
const SEARCHED_AT_ONCE: i64 = 5_000;

/// A new bib's row.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = bibs)]
pub struct NewBib {
    pub id: i64,
    pub control_number: Option<String>,
    pub format: String,
    pub container: String,
    pub encoding: String,
    pub marc: Vec<u8>,
    pub title: String,
    pub authors: String,
    pub publisher: Option<String>,
    pub publish_year: Option<i32>,
    pub isbn: Option<String>,
    pub clc_class: Option<String>,
    pub language: Option<String>,
    pub search_text: String,
    pub open_holds: i32,
    pub created_at: i64,
    pub updated_at: i64,
}

/// A bib as people see it.
#[derive(Debug, Clone, Queryable)]
pub struct BibView {
    pub id: i64,
    pub control_number: Option<String>,
    pub format: String,
    pub encoding: String,
    pub title: String,
    pub authors: String,
    pub publisher: Option<String>,
    pub publish_year: Option<i32>,
    pub isbn: Option<String>,
    pub clc_class: Option<String>,
    pub language: Option<String>,
    pub open_holds: i32,
    /// From 1; grows with every change of the record.
    pub version: i64,
    /// The bib that stands for it, if it turned out to be a duplicate.
    pub merged_into: Option<i64>,
}

/// A bib under its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockedBib {
    pub id: BibId,
    pub version: i64,
    /// The bib that stands for it: nothing may be added to this one.
    pub merged_into: Option<BibId>,
}

macro_rules! view_columns {
    () => {
        (
            bibs::id,
            bibs::control_number,
            bibs::format,
            bibs::encoding,
            bibs::title,
            bibs::authors,
            bibs::publisher,
            bibs::publish_year,
            bibs::isbn,
            bibs::clc_class,
            bibs::language,
            bibs::open_holds,
            bibs::version,
            bibs::merged_into,
        )
    };
}

/// The bibs of a look-up after `after`, and what stands for the duplicates among them. `$having` is the look-up, asked twice.
macro_rules! look_up {
    ($tx:ident, $having:ident, $after:ident, $limit:ident) => {{
        let own = $having()
            .filter(bibs::merged_into.is_null().and(bibs::id.gt($after)))
            .order(bibs::id)
            .limit($limit)
            .select(view_columns!())
            .load($tx.conn)?;
        let standing = $having()
            .filter(bibs::merged_into.gt($after))
            .order(bibs::merged_into)
            .limit($limit)
            .select(bibs::merged_into)
            .distinct()
            .load($tx.conn)?;
        $tx.with_standing(own, standing, $limit)
    }};
}

impl ReadTx<'_> {
    /// A bib by its id.
    pub fn bib_view(&mut self, id: BibId) -> Result<Option<BibView>, StoreError> {
        Ok(bibs::table
            .find(id.get())
            .select(view_columns!())
            .first(self.conn)
            .optional()?)
    }

    /// The original record, whole.
    pub fn bib_marc(&mut self, id: BibId) -> Result<Option<(String, Vec<u8>)>, StoreError> {
        Ok(bibs::table
            .find(id.get())
            .select((bibs::container, bibs::marc))
            .first(self.conn)
            .optional()?)
    }

    /// Bibs after `after` whose search text holds every word; words are normalised as the text was. Duplicates that were
    /// merged are not found.
    pub fn search_bibs(&mut self, words: &[String], after: i64, limit: i64) -> Result<Vec<BibView>, StoreError> {
        if self.is_postgres() {
            return self.search_bibs_between(words, after, None, limit);
        }
        // PostgreSQL ends a statement that takes too long. SQLite ends none, so there a search goes step by step.
        let (mut found, mut after) = (Vec::new(), after);
        loop {
            self.in_time()?;
            let last = self.nth_bib_after(after, SEARCHED_AT_ONCE)?;
            let missing = limit - i64::try_from(found.len()).unwrap_or(limit);
            found.extend(self.search_bibs_between(words, after, last, missing)?);
            match last {
                Some(last) if i64::try_from(found.len()).unwrap_or(limit) < limit => after = last,
                _ => return Ok(found),
            }
        }
    }

    fn nth_bib_after(&mut self, after: i64, nth: i64) -> Result<Option<i64>, StoreError> {
        let ids = bibs::table.filter(bibs::id.gt(after)).select(bibs::id);
        Ok(ids.order(bibs::id).offset(nth - 1).first(self.conn).optional()?)
    }

    fn search_bibs_between(
        &mut self,
        words: &[String],
        after: i64,
        last: Option<i64>,
        limit: i64,
    ) -> Result<Vec<BibView>, StoreError> {
        let mut query = bibs::table
            .filter(bibs::id.gt(after).and(bibs::merged_into.is_null()))
            .into_boxed();
        if let Some(last) = last {
            query = query.filter(bibs::id.le(last));
        }
        for word in words {
            query = query.filter(bibs::search_text.like(format!("%{}%", escape_like(word))).escape('\\'));
        }
        Ok(query
            .order(bibs::id)
            .limit(limit)
            .select(view_columns!())
            .load(self.conn)?)
    }

    /// Bibs after `after` with this normalised ISBN; for a duplicate that was merged, the bib that stands for it.
    pub fn bibs_by_isbn(&mut self, isbn: &str, after: i64, limit: i64) -> Result<Vec<BibView>, StoreError> {
        let having = || {
            bibs::table
                .inner_join(bib_isbns::table.on(bib_isbns::bib_id.eq(bibs::id)))
                .filter(bib_isbns::isbn.eq(isbn.to_owned()))
        };
        look_up!(self, having, after, limit)
    }

    /// The same by control number.
    pub fn bibs_by_control_number(&mut self, number: &str, after: i64, limit: i64) -> Result<Vec<BibView>, StoreError> {
        let having = || bibs::table.filter(bibs::control_number.eq(number.to_owned()));
        look_up!(self, having, after, limit)
    }

    /// The first `limit` of what was found and of what stands for duplicates that were found, each once.
    fn with_standing(
        &mut self,
        mut found: Vec<BibView>,
        standing: Vec<Option<i64>>,
        limit: i64,
    ) -> Result<Vec<BibView>, StoreError> {
        let new = |id: &i64| found.iter().all(|bib| bib.id != *id);
        let standing: Vec<i64> = standing.into_iter().flatten().filter(new).collect();
        if !standing.is_empty() {
            let rows: Vec<BibView> = bibs::table
                .filter(bibs::id.eq_any(standing))
                .select(view_columns!())
                .load(self.conn)?;
            found.extend(rows);
            found.sort_unstable_by_key(|bib| bib.id);
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        Ok(found)
    }
}

impl WriteTx<'_> {
    /// Adds a bib with all its ISBNs.
    pub fn insert_bib(&mut self, bib: &NewBib, isbns: &[String]) -> Result<(), StoreError> {
        diesel::insert_into(bibs::table)
            .values(bib.clone())
            .execute(self.conn)?;
        for isbn in isbns {
            diesel::insert_into(bib_isbns::table)
                .values((bib_isbns::isbn.eq(isbn), bib_isbns::bib_id.eq(bib.id)))
                .execute(self.conn)?;
        }
        Ok(())
    }

    /// Locks a bib and reads what decides whether it may change; `None` if there is no such bib.
    pub fn lock_bib(&mut self, id: BibId) -> Result<Option<LockedBib>, StoreError> {
        Ok(self.lock_bibs(&[id])?.pop())
    }

    /// Locks bibs in one statement, ascending. Before items and readers.
    pub fn lock_bibs(&mut self, ids: &[BibId]) -> Result<Vec<LockedBib>, StoreError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
        let query = bibs::table.filter(bibs::id.eq_any(ids)).order(bibs::id).select((
            bibs::id,
            bibs::version,
            bibs::merged_into,
        ));
        let rows: Vec<(i64, i64, Option<i64>)> = match &mut *self.conn {
            super::connection::AnyConnection::Sqlite(conn) => query.load(conn)?,
            super::connection::AnyConnection::Postgres(conn) => query.for_no_key_update().load(conn)?,
        };
        let locked = rows.into_iter().map(|(id, version, merged_into)| LockedBib {
            id: BibId::new(id),
            version,
            merged_into: merged_into.map(BibId::new),
        });
        Ok(locked.collect())
    }

    /// Counts a hold on the bib in (`1`) or out (`-1`).
    pub fn count_hold_of_bib(&mut self, bib: BibId, by: i32) -> Result<(), StoreError> {
        diesel::update(bibs::table.find(bib.get()))
            .set(bibs::open_holds.eq(bibs::open_holds + by))
            .execute(self.conn)?;
        Ok(())
    }
}

/// `%`, `_` and the escape itself are searched for as they stand.
fn escape_like(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len());
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
