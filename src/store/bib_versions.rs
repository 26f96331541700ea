//! The versions of a bib's record: the present one in `bibs`, those it replaced in `bib_versions`.
//! Not for: what a record says (see `catalogue`).

use diesel::prelude::*;

use super::bibs::NewBib;
use super::error::StoreError;
use super::schema::{bib_isbns, bib_versions, bibs};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{BibId, StaffId};

/// One version, whole.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = bib_versions)]
pub struct BibVersionRow {
    pub bib_id: i64,
    pub version: i64,
    pub container: String,
    pub encoding: String,
    pub marc: Vec<u8>,
    pub staff_id: Option<i64>,
    pub made_at: i64,
}

/// Who made a version, and when (UTC milliseconds).
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct VersionLine {
    pub version: i64,
    pub staff_id: Option<i64>,
    pub made_at: i64,
}

impl ReadTx<'_> {
    /// The present version of a bib, with its format.
    pub fn present_version(&mut self, bib: BibId) -> Result<Option<(String, BibVersionRow)>, StoreError> {
        Ok(bibs::table
            .find(bib.get())
            .select((
                bibs::format,
                (
                    bibs::id,
                    bibs::version,
                    bibs::container,
                    bibs::encoding,
                    bibs::marc,
                    bibs::changed_by,
                    bibs::updated_at,
                ),
            ))
            .first(self.conn)
            .optional()?)
    }

    /// A version that was replaced.
    pub fn replaced_version(&mut self, bib: BibId, version: i64) -> Result<Option<BibVersionRow>, StoreError> {
        Ok(bib_versions::table
            .find((bib.get(), version))
            .select(bib_versions::all_columns)
            .first(self.conn)
            .optional()?)
    }

    /// Replaced versions before `before`, the newest first.
    pub fn replaced_versions(&mut self, bib: BibId, before: i64, limit: i64) -> Result<Vec<VersionLine>, StoreError> {
        Ok(bib_versions::table
            .filter(bib_versions::bib_id.eq(bib.get()).and(bib_versions::version.lt(before)))
            .order(bib_versions::version.desc())
            .limit(limit)
            .select((bib_versions::version, bib_versions::staff_id, bib_versions::made_at))
            .load(self.conn)?)
    }
}

impl WriteTx<'_> {
    /// Says who made a bib that was just added.
    pub fn sign_bib(&mut self, bib: BibId, staff: Option<StaffId>) -> Result<(), StoreError> {
        diesel::update(bibs::table.find(bib.get()))
            .set(bibs::changed_by.eq(staff.map(StaffId::get)))
            .execute(self.conn)?;
        Ok(())
    }

    /// Keeps the present version aside and puts `new` in its place, with its columns and ISBNs. Under the lock of the bib.
    pub fn replace_bib(
        &mut self,
        present: &BibVersionRow,
        new: &NewBib,
        isbns: &[String],
        staff: Option<StaffId>,
    ) -> Result<(), StoreError> {
        diesel::insert_into(bib_versions::table)
            .values(present.clone())
            .execute(self.conn)?;
        let new = new.clone();
        diesel::update(bibs::table.find(present.bib_id))
            .set((
                bibs::control_number.eq(new.control_number),
                bibs::format.eq(new.format),
                bibs::container.eq(new.container),
                bibs::encoding.eq(new.encoding),
                bibs::marc.eq(new.marc),
                bibs::title.eq(new.title),
                bibs::authors.eq(new.authors),
                bibs::publisher.eq(new.publisher),
                bibs::publish_year.eq(new.publish_year),
                bibs::isbn.eq(new.isbn),
                bibs::clc_class.eq(new.clc_class),
                bibs::language.eq(new.language),
                bibs::search_text.eq(new.search_text),
                bibs::updated_at.eq(new.updated_at),
                bibs::version.eq(present.version + 1),
                bibs::changed_by.eq(staff.map(StaffId::get)),
            ))
            .execute(self.conn)?;
        diesel::delete(bib_isbns::table.filter(bib_isbns::bib_id.eq(present.bib_id))).execute(self.conn)?;
        for isbn in isbns {
            diesel::insert_into(bib_isbns::table)
                .values((bib_isbns::isbn.eq(isbn), bib_isbns::bib_id.eq(present.bib_id)))
                .execute(self.conn)?;
        }
        Ok(())
    }
}
