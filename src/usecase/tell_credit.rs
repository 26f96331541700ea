//! The event that tells of a reader's points, for whoever makes notices of it. Points that a loan or a renewal earns are told to nobody: they
//! stand in the ledger.

use serde_json::json;

use super::Result;
use super::credit_ledger::Books;
use crate::domain::credit::CreditEvent;
use crate::domain::event::EventKind;
use crate::store::credit::CreditAccount;

impl Books<'_, '_> {
    /// Tells how far the balance has moved since it was `before`, and what moved it; nothing when it did not.
    pub(super) fn tell_moved(&mut self, account: &CreditAccount, before: i64, event: CreditEvent) -> Result<()> {
        let points = account.balance - before;
        if points == 0 {
            return Ok(());
        }
        let detail = json!({"points": points, "balance": account.balance, "event": event.code()});
        self.tell(account, EventKind::CreditPosted, detail, None)
    }
}
