//! Many rows at once, for the import and the seed: one statement a row on SQLite, where a statement costs
//! microseconds, and many rows a statement on PostgreSQL, where each one is a round trip.
//! Not for: circulation, which changes one thing at a time.

use std::collections::HashMap;

use diesel::prelude::*;

use super::bibs::NewBib;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::events::{Event, EventRow, SideRow, random_bytes, visit_number};
use super::ids::IdRun;
use super::items::NewItem;
use super::loans::NewLoan;
use super::readers::guardians::GuardianRow;
use super::readers::{NewCard, NewReader, day_text};
use super::schema::{bib_isbns, bibs, cards, event_personal, events, guardianships, items, loans, readers};
use super::tx::{ReadTx, WriteTx};
use crate::domain::ids::{BibId, ReaderId, UnitId};

/// Rows in one statement of PostgreSQL: at 22 columns a row far below the 65,535 parameters it takes.
const ROWS_PER_STATEMENT: usize = 500;

macro_rules! insert_rows {
    ($tx:expr, $table:expr, $rows:expr) => {
        match &mut *$tx.conn {
            AnyConnection::Sqlite(conn) => {
                for row in $rows {
                    diesel::insert_into($table).values(row).execute(conn)?;
                }
            }
            AnyConnection::Postgres(conn) => {
                for rows in $rows.chunks(ROWS_PER_STATEMENT) {
                    diesel::insert_into($table).values(rows).execute(conn)?;
                }
            }
        }
    };
}

/// Which bibs have which numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownBibs {
    pub by_isbn: HashMap<String, BibId>,
    pub by_control_number: HashMap<String, BibId>,
    /// Of these only those that have no ISBN.
    pub without_isbn: HashMap<String, BibId>,
}

/// Control number, first ISBN, the bib, and the bib that stands for it.
type NumberedBib = (Option<String>, Option<String>, i64, Option<i64>);

/// A new bib with every ISBN it is found by.
#[derive(Debug, Clone)]
pub struct BibWithIsbns {
    pub bib: NewBib,
    pub isbns: Vec<String>,
}

/// A loan with its end, if it has ended.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = loans)]
pub struct LoanWithEnd {
    #[diesel(embed)]
    pub loan: NewLoan,
    pub closed_at: Option<i64>,
    pub closed_how: Option<String>,
    pub return_unit_id: Option<i64>,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = bib_isbns)]
struct IsbnRow {
    isbn: String,
    bib_id: i64,
}

/// Numbers the visits of events that are written long after they happened. Nobody keeps it: what it numbered is
/// unlinked from the start.
#[derive(Clone)]
pub struct PastVisits([u8; 32]);

impl PastVisits {
    /// A new random key.
    ///
    /// # Errors
    /// `Unavailable` without randomness.
    pub fn new() -> Result<Self, StoreError> {
        Ok(Self(random_bytes()?))
    }

    fn number(&self, reader: ReaderId, unit: UnitId, day: &str) -> Result<i64, StoreError> {
        visit_number(
            &self.0,
            &[&reader.get().to_be_bytes(), &unit.get().to_be_bytes(), day.as_bytes()],
        )
    }
}

impl ReadTx<'_> {
    /// The bibs that have any of these numbers; of several with one number the oldest. For a duplicate that was merged, the
    /// bib that stands for it.
    pub fn known_bibs(&mut self, isbns: &[String], control_numbers: &[String]) -> Result<KnownBibs, StoreError> {
        let mut known = KnownBibs::default();
        let rows: Vec<(String, i64, Option<i64>)> = if isbns.is_empty() {
            Vec::new()
        } else {
            bib_isbns::table
                .inner_join(bibs::table.on(bibs::id.eq(bib_isbns::bib_id)))
                .filter(bib_isbns::isbn.eq_any(isbns))
                .select((bib_isbns::isbn, bibs::id, bibs::merged_into))
                .order(bibs::id)
                .load(self.conn)?
        };
        for (isbn, bib, standing) in rows {
            known.by_isbn.entry(isbn).or_insert(BibId::new(standing.unwrap_or(bib)));
        }
        let rows: Vec<NumberedBib> = if control_numbers.is_empty() {
            Vec::new()
        } else {
            bibs::table
                .filter(bibs::control_number.eq_any(control_numbers))
                .select((bibs::control_number, bibs::isbn, bibs::id, bibs::merged_into))
                .order(bibs::id)
                .load(self.conn)?
        };
        for (number, isbn, bib, standing) in rows {
            let (number, bib) = (number.unwrap_or_default(), BibId::new(standing.unwrap_or(bib)));
            if isbn.is_none() {
                known.without_isbn.entry(number.clone()).or_insert(bib);
            }
            known.by_control_number.entry(number).or_insert(bib);
        }
        Ok(known)
    }
}

impl WriteTx<'_> {
    /// Lets one import decide at a time: two that race on one ISBN must not both create it. Until the end of the
    /// transaction; SQLite has one writer anyway.
    pub fn lock_matching(&mut self) -> Result<(), StoreError> {
        super::dialect::lock_matching(self.conn)?;
        Ok(())
    }

    /// Adds bibs with all their ISBNs.
    pub fn insert_bibs(&mut self, new: &[&BibWithIsbns]) -> Result<(), StoreError> {
        let rows: Vec<&NewBib> = new.iter().map(|one| &one.bib).collect();
        let isbns: Vec<IsbnRow> = new
            .iter()
            .flat_map(|one| {
                one.isbns.iter().map(|isbn| IsbnRow {
                    isbn: isbn.clone(),
                    bib_id: one.bib.id,
                })
            })
            .collect();
        match &mut *self.conn {
            AnyConnection::Sqlite(conn) => {
                for row in rows {
                    diesel::insert_into(bibs::table).values(row).execute(conn)?;
                }
            }
            AnyConnection::Postgres(conn) => {
                for rows in rows.chunks(ROWS_PER_STATEMENT) {
                    diesel::insert_into(bibs::table).values(rows.to_vec()).execute(conn)?;
                }
            }
        }
        insert_rows!(self, bib_isbns::table, isbns.as_slice());
        Ok(())
    }

    /// Adds items.
    pub fn insert_items(&mut self, new: &[NewItem]) -> Result<(), StoreError> {
        insert_rows!(self, items::table, new);
        Ok(())
    }

    /// Adds readers, then cards.
    pub fn insert_readers(&mut self, new: &[NewReader], with: &[NewCard]) -> Result<(), StoreError> {
        insert_rows!(self, readers::table, new);
        insert_rows!(self, cards::table, with);
        Ok(())
    }

    /// Adds guardian links.
    pub fn insert_guardianships(&mut self, new: &[GuardianRow]) -> Result<(), StoreError> {
        insert_rows!(self, guardianships::table, new);
        Ok(())
    }

    /// Adds loans, open and ended ones.
    pub fn insert_loans(&mut self, new: &[LoanWithEnd]) -> Result<(), StoreError> {
        insert_rows!(self, loans::table, new);
        Ok(())
    }

    /// Tells PostgreSQL's planner about much that is new, rather than letting it find out while people wait.
    pub fn analyze(&mut self) -> Result<(), StoreError> {
        Ok(super::dialect::analyze(self.conn)?)
    }

    /// Appends events in this order. One id each is used up on PostgreSQL only.
    pub fn append_events(&mut self, ids: &mut IdRun, visits: &PastVisits, new: &[Event<'_>]) -> Result<(), StoreError> {
        let mut rows = Vec::with_capacity(new.len());
        let mut sides = Vec::new();
        for event in new {
            let seq = self.next_event_seq(ids.next())?;
            let day = day_text(self.day_of(event.at));
            let visit = event
                .reader
                .filter(|_| event.kind.is_of_visit())
                .map(|reader| visits.number(reader, event.unit, &day))
                .transpose()?;
            let side = SideRow::of(seq, event)?;
            rows.push(EventRow::of(seq, event, day, visit, side.as_ref()));
            sides.extend(side);
        }
        insert_rows!(self, events::table, rows.as_slice());
        insert_rows!(self, event_personal::table, sides.as_slice());
        Ok(())
    }
}
