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
        )
    };
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

    /// Bibs after `after` whose search text holds every word; words are normalised as the text was.
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
        let mut query = bibs::table.filter(bibs::id.gt(after)).into_boxed();
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

    /// Bibs after `after` with this normalised ISBN.
    pub fn bibs_by_isbn(&mut self, isbn: &str, after: i64, limit: i64) -> Result<Vec<BibView>, StoreError> {
        Ok(bibs::table
            .inner_join(bib_isbns::table.on(bib_isbns::bib_id.eq(bibs::id)))
            .filter(bib_isbns::isbn.eq(isbn).and(bibs::id.gt(after)))
            .order(bibs::id)
            .limit(limit)
            .select(view_columns!())
            .load(self.conn)?)
    }

    /// Bibs after `after` with this control number.
    pub fn bibs_by_control_number(&mut self, number: &str, after: i64, limit: i64) -> Result<Vec<BibView>, StoreError> {
        Ok(bibs::table
            .filter(bibs::control_number.eq(number).and(bibs::id.gt(after)))
            .order(bibs::id)
            .limit(limit)
            .select(view_columns!())
            .load(self.conn)?)
    }

    /// Matching for the import: the first bib with one of the ISBNs, else with the control number.
    pub fn matching_bib(
        &mut self,
        isbns: &[String],
        control_number: Option<&str>,
    ) -> Result<Option<BibId>, StoreError> {
        for isbn in isbns {
            let found: Option<i64> = bib_isbns::table
                .filter(bib_isbns::isbn.eq(isbn))
                .select(bib_isbns::bib_id)
                .order(bib_isbns::bib_id)
                .first(self.conn)
                .optional()?;
            if let Some(id) = found {
                return Ok(Some(BibId::new(id)));
            }
        }
        let Some(number) = control_number else { return Ok(None) };
        let found: Option<i64> = bibs::table
            .filter(bibs::control_number.eq(number))
            .select(bibs::id)
            .order(bibs::id)
            .first(self.conn)
            .optional()?;
        Ok(found.map(BibId::new))
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

    /// Locks a bib and answers how many open holds it has; `None` if there is no such bib.
    pub fn lock_bib(&mut self, id: BibId) -> Result<Option<u32>, StoreError> {
        let query = bibs::table.find(id.get()).select(bibs::open_holds);
        let found: Option<i32> = match &mut *self.conn {
            super::connection::AnyConnection::Sqlite(conn) => query.first(conn).optional()?,
            super::connection::AnyConnection::Postgres(conn) => query.for_no_key_update().first(conn).optional()?,
        };
        Ok(found.map(|count| u32::try_from(count).unwrap_or(0)))
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
