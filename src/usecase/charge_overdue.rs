//! Overdue days of one loan, charged under its owner's regime: by the nightly pass, and by the return.
//! Not for: which days those are (see `domain::calendar`), what they cost (see `domain::overdue_credit`).

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::Result;
use super::credit_ledger::{Books, Line, month_of, standing};
use crate::domain::credit::{CreditEvent, EntryCause, EntryKind, RegimeKind};
use crate::domain::overdue_credit::{SoFar, charge};
use crate::store::credit::feed::OverdueLoan;
use crate::store::credit::freezes::{FreezeCause, FreezeEnd, FreezeRow};
use crate::store::credit::{CreditAccount, CreditReason};

/// Days charged at once, at most: what is left comes with the next pass, or was overdue for longer than anything is charged for.
pub(super) const DAYS_AT_ONCE: usize = 40;

impl Books<'_, '_> {
    /// Charges the overdue days of a loan until a day (included), and freezes its reader where the regime says so.
    /// True: something was written.
    pub(super) fn charge_overdue(
        &mut self,
        account: &mut CreditAccount,
        loan: &OverdueLoan,
        until: NaiveDate,
    ) -> Result<bool> {
        self.charge_knowing(account, loan, until, None)
    }

    /// The same, where what overdue items cost the reader in these months may be known.
    pub(super) fn charge_knowing(
        &mut self,
        account: &mut CreditAccount,
        loan: &OverdueLoan,
        until: NaiveDate,
        spent: Option<Vec<(NaiveDate, i64)>>,
    ) -> Result<bool> {
        let days = self.overdue_dates(loan, until);
        let known = usize::try_from(loan.so_far.days).unwrap_or(usize::MAX);
        if days.len() <= known {
            return Ok(false);
        }
        let days = &days[..days.len().min(known.saturating_add(DAYS_AT_ONCE))];
        let regime = self.rules.regime(self.network.units(), loan.owner).kind;
        let spent = match spent {
            Some(spent) => spent,
            None => self.spent(account, &days[known..])?,
        };
        let charged = charge(self.rules, regime, days, loan.so_far, standing(account), &spent);
        for line in &charged.lines {
            let reason = CreditReason {
                loan_id: Some(loan.loan),
                ..CreditReason::default()
            };
            let said = Line::by_rule(CreditEvent::Overdue, EntryCause::Loan, line.day, reason);
            self.write(account, &line.posting, said, None)?;
        }
        self.tx.set_overdue_credit(loan.loan, charged.so_far, regime)?;
        if regime == RegimeKind::Lock {
            self.lock_for(account, loan)?;
        }
        Ok(true)
    }

    pub(super) fn overdue_dates(&self, loan: &OverdueLoan, until: NaiveDate) -> Vec<NaiveDate> {
        let due = self.network.local_day(loan.due_at);
        self.network.calendar(loan.unit).overdue_dates(due, until).collect()
    }

    /// What overdue items cost the reader in the months of some days.
    fn spent(&mut self, account: &CreditAccount, days: &[NaiveDate]) -> Result<Vec<(NaiveDate, i64)>> {
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return Ok(Vec::new());
        };
        let Some(rule) = self.rules.rule(CreditEvent::Overdue) else {
            return Ok(Vec::new());
        };
        let span = (month_of(*first).0, month_of(*last).1);
        Ok(self.tx.credit_used(account.reader, &rule.events, span)?)
    }

    fn lock_for(&mut self, account: &mut CreditAccount, loan: &OverdueLoan) -> Result<()> {
        let is_open = self.tx.loan_ended_at(loan.loan)?.is_none();
        if !is_open || self.tx.freeze_of_loan(loan.loan)?.is_some() {
            return Ok(());
        }
        let mut freeze = FreezeRow::new(self.ids.next(), account.reader, FreezeCause::Overdue, self.now);
        freeze.loan_id = Some(loan.loan);
        self.freeze(account, &freeze)
    }

    /// The item is back: the days that the pass has not charged, or what it charged too much; and the lock has an end.
    pub(super) fn settle_overdue(
        &mut self,
        account: &mut CreditAccount,
        loan: &OverdueLoan,
        returned_at: DateTime<Utc>,
    ) -> Result<()> {
        let day = self.network.local_day(returned_at);
        if !self.charge_overdue(account, loan, day)? {
            self.give_back(account, loan, day)?;
        }
        let regime = self.rules.regime(self.network.units(), loan.owner);
        let was_late = !self.overdue_dates(loan, day).is_empty();
        self.unlock(
            account,
            loan.loan,
            returned_at,
            if was_late { regime.lock_days } else { 0 },
        )
    }

    /// Days that were charged and lie after the true return.
    fn give_back(&mut self, account: &mut CreditAccount, loan: &OverdueLoan, day: NaiveDate) -> Result<()> {
        let counted = u32::try_from(self.overdue_dates(loan, day).len()).unwrap_or(u32::MAX);
        if counted >= loan.so_far.days {
            return Ok(());
        }
        let mut points = loan.so_far.points;
        let lines = self.tx.credit_entries_of_loan(loan.loan, CreditEvent::Overdue)?;
        let too_much = lines
            .iter()
            .filter(|line| line.day.parse().is_ok_and(|on: NaiveDate| on > day));
        for line in too_much.take(DAYS_AT_ONCE) {
            let reason = CreditReason {
                loan_id: Some(loan.loan),
                ..CreditReason::default()
            };
            self.undo(account, line, (EntryKind::Reversal, EntryCause::Loan), reason)?;
            points += line.points;
        }
        let so_far = SoFar {
            days: counted,
            points: points.max(0),
        };
        let regime = self.rules.regime(self.network.units(), loan.owner).kind;
        Ok(self.tx.set_overdue_credit(loan.loan, so_far, regime)?)
    }

    /// The freeze for an overdue loan ends: at once, or so many days after it came back.
    pub(super) fn unlock(
        &mut self,
        account: &mut CreditAccount,
        loan: i64,
        from: DateTime<Utc>,
        days: u16,
    ) -> Result<()> {
        let Some(freeze) = self.tx.freeze_of_loan(loan)? else {
            return Ok(());
        };
        let until = from + TimeDelta::days(days.into());
        if days == 0 || until <= self.now {
            return self.lift(account, &freeze, FreezeEnd::Loan, None);
        }
        Ok(self.tx.set_freeze_end(freeze.id, until)?)
    }
}
