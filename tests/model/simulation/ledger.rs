//! What the simulation knows by itself of who has which copy, and how it is held against the database.

use std::collections::{BTreeMap, BTreeSet};

use tongjie::usecase::view::{CheckInOutcome, LoanView};

use super::run::Simulation;

/// Open loans by copy, as the answers told them.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Copy to loan and reader.
    pub out: BTreeMap<i64, (i64, i64)>,
    /// Loans of parcels that were told of.
    pub seen: BTreeSet<i64>,
    /// Holds that were cancelled: they never wait again.
    pub cancelled: BTreeSet<i64>,
}

impl Simulation {
    /// A loan was answered. Staff may have confirmed that the copy's reader before had brought it back.
    pub fn note_loan(&mut self, loan: &LoanView, confirmed: bool) {
        let reader = loan.reader_id.unwrap_or_default();
        if loan.due_at < loan.loaned_at {
            self.violated(format!(
                "loan {} is due at {} before {}",
                loan.id, loan.due_at, loan.loaned_at
            ));
        }
        if let Some(before) = self.ledger.out.insert(loan.item_id, (loan.id, reader))
            && !confirmed
        {
            let now = (loan.id, reader);
            self.violated(format!(
                "item {} was lent as {now:?} while lent as {before:?}",
                loan.item_id
            ));
        }
    }

    /// A copy came back: with the loan that it was out on, or none.
    pub fn note_return(&mut self, verb: &str, outcome: &CheckInOutcome) {
        let known = self.ledger.out.get(&outcome.item_id).copied();
        let closed = outcome.closed_loan.as_ref().map(|loan| loan.id);
        if closed.is_some() {
            self.ledger.out.remove(&outcome.item_id);
        }
        let settled = outcome.next_step.kind == "attention";
        if closed.is_none() && self.note_in_hand(outcome.item_id) {
            return;
        }
        if closed != known.map(|(loan, _)| loan) && !(closed.is_none() && settled) {
            let item = outcome.item_id;
            self.violated(format!(
                "{verb} of item {item} closed {closed:?}, it was out as {known:?}: {outcome:?}"
            ));
        }
    }

    /// A copy came out of a compartment by somebody's hand while its loan was in question: that is undone.
    pub fn note_in_hand(&mut self, item: i64) -> bool {
        let Some((loan, _)) = self.ledger.out.get(&item).copied() else {
            return false;
        };
        let undone = format!(
            "SELECT c.loan_id AS a, l.item_id AS b, l.id AS c FROM loan_confirmations c JOIN loans l ON l.id = c.loan_id \
             WHERE c.loan_id = {loan} AND c.state = 'voided' AND c.opened_at IS NOT NULL AND l.closed_how = 'voided'"
        );
        if self.db.outside().triples(&undone).is_empty() {
            return false;
        }
        self.ledger.out.remove(&item);
        self.counts.entry("came_by_hand").or_default().done += 1;
        true
    }

    /// A loan ended without a return.
    pub fn note_end(&mut self, verb: &str, item: i64, loan: i64) {
        if self.ledger.out.remove(&item).map(|(known, _)| known) != Some(loan) {
            self.violated(format!("{verb} ended loan {loan} of item {item}, which was not open"));
        }
    }

    /// Takes over what the database says of some copies, after calls whose order nobody knows.
    pub fn read_again(&mut self, items: &[i64]) {
        let stored = self.stored();
        for item in items {
            match stored.get(item) {
                Some(loan) => self.ledger.out.insert(*item, *loan),
                None => self.ledger.out.remove(item),
            };
        }
    }

    /// Both must tell the same.
    pub fn compare(&mut self) {
        let stored = self.stored();
        let items: BTreeSet<i64> = stored.keys().chain(self.ledger.out.keys()).copied().collect();
        for item in items {
            let (known, found) = (self.ledger.out.get(&item).copied(), stored.get(&item).copied());
            if known != found {
                self.violated(format!(
                    "item {item} should be out as {known:?}, the database has {found:?}"
                ));
            }
        }
        let open = "SELECT id AS a, reader_id AS b, bib_id AS c FROM holds WHERE closed_at IS NULL";
        for (hold, ..) in self.db.outside().triples(open) {
            if self.ledger.cancelled.contains(&hold) {
                self.violated(format!("hold {hold} was cancelled and is open"));
            }
        }
    }

    fn stored(&self) -> BTreeMap<i64, (i64, i64)> {
        let open = "SELECT item_id AS a, id AS b, COALESCE(reader_id, 0) AS c FROM loans WHERE closed_at IS NULL";
        let rows = self.db.outside().triples(open).into_iter();
        rows.map(|(item, loan, reader)| (item, (loan, reader))).collect()
    }
}
