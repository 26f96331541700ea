//! Two ledgers become one: the lines of one stand behind those of the other, and a line takes back that the person began twice.
//! Not for: the rest of a merge (see `merge_readers`).

use super::Result;
use super::credit_ledger::{Books, Line, standing};
use crate::domain::credit::{EntryCause, EntryKind};
use crate::domain::ids::ReaderId;
use crate::domain::post_credit;
use crate::domain::reader::CreditBand;
use crate::store::credit::CreditReason;

impl Books<'_, '_> {
    /// Moves the ledger of one reader behind that of another; answers how many lines. Under both locks, with the stricter band set.
    pub(super) fn merge(&mut self, from: ReaderId, to: ReaderId) -> Result<i64> {
        let moved = self.tx.move_ledger(from, to, self.now)?;
        let Some(mut account) = self.tx.credit_account(to)? else {
            return Ok(moved.entries);
        };
        if let Some(start) = moved.second_start {
            let posting = post_credit::merge(self.rules, start, standing(&account));
            let line = Line {
                kind: EntryKind::Merge,
                event: None,
                cause: EntryCause::Staff,
                day: self.network.local_day(self.now),
                reason: CreditReason {
                    staff_id: self.caller.staff().map(|staff| staff.get()),
                    ..CreditReason::default()
                },
            };
            if posting.points != 0 {
                self.write(&mut account, &posting, line, None)?;
            }
        }
        if account.entries > 0 && account.band != CreditBand::Frozen {
            self.tx.set_credit_band(to, self.rules.band(account.balance))?;
        }
        Ok(moved.entries)
    }
}
