//! What the job of recalls reads: bibs for which somebody waits, and what is out of them.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::{LoanRow, loaded_loan, loan_columns};
use crate::domain::hold::CopyFacts;
use crate::domain::ids::BibId;
use crate::domain::item::ItemStatus;
use crate::domain::recall_for_holds::Lent;
use crate::store::error::StoreError;
use crate::store::readers::band_from_code;
use crate::store::schema::{loans, readers};
use crate::store::tx::ReadTx;

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

impl ReadTx<'_> {
    /// Bibs after `after` for which somebody waits for whom nothing is being fetched, while a copy is out that was not called back.
    pub fn bibs_to_recall(&mut self, after: BibId, limit: i64) -> Result<Vec<BibId>, StoreError> {
        let sql = format!(
            "SELECT DISTINCT h.bib_id AS id FROM holds h WHERE h.closed_at IS NULL AND h.captured_item_id IS NULL \
             AND h.suspended = FALSE AND h.bib_id > {after} \
             AND NOT EXISTS (SELECT 1 FROM pulls p WHERE p.hold_id = h.id AND p.closed_at IS NULL) \
             AND EXISTS (SELECT 1 FROM items i JOIN loans l ON l.item_id = i.id AND l.closed_at IS NULL \
                 WHERE i.bib_id = h.bib_id AND i.status = 'on_loan' AND l.recalled_at IS NULL) \
             ORDER BY 1 LIMIT {limit}"
        );
        let rows: Vec<Id> = diesel::sql_query(sql).load(self.conn)?;
        Ok(rows.into_iter().map(|row| BibId::new(row.id)).collect())
    }

    /// The copies of a bib that are not on loan, not set aside and not being fetched.
    pub fn free_copies(&mut self, bib: BibId) -> Result<Vec<CopyFacts>, StoreError> {
        let copies = self.copies_of_bib(bib)?;
        let is_free = |copy: &CopyFacts| !copy.captured && copy.status != ItemStatus::OnLoan;
        let free = copies.into_iter().filter(is_free).collect();
        self.not_fetched(&[bib.get()], free)
    }

    /// The copies of a bib that are out, with their loans.
    pub fn lent_copies(&mut self, bib: BibId) -> Result<Vec<Lent>, StoreError> {
        let copies = self.copies_of_bibs(&[bib.get()], Some(ItemStatus::OnLoan))?;
        let items: Vec<i64> = copies.iter().map(|copy| copy.item.get()).collect();
        let rows: Vec<(LoanRow, (String, String))> = loans::table
            .inner_join(readers::table.on(loans::reader_id.eq(readers::id.nullable())))
            .filter(loans::item_id.eq_any(items).and(loans::closed_at.is_null()))
            .select((loan_columns!(), (readers::status, readers::credit_band)))
            .load(self.conn)?;
        let mut lent = Vec::with_capacity(rows.len());
        for (row, (status, band)) in rows {
            let loan = loaded_loan(row, &status)?.loan;
            if let Some(copy) = copies.iter().find(|copy| copy.item == loan.item) {
                lent.push(Lent {
                    copy: *copy,
                    loan,
                    band: band_from_code(&band)?,
                });
            }
        }
        Ok(lent)
    }
}
