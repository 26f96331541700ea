//! Overdue days of one loan, charged under its owner's regime: by the nightly pass, and by the return.
//! Not for: which days those are (see `domain::calendar`), what they cost (see `domain::overdue_credit`).

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::Result;
use super::credit_ledger::{Books, Line, month_of, standing};
use super::freeze_reader::MOST_FREEZES;
use crate::domain::credit::{CreditEvent, EntryCause, EntryKind, RegimeKind};
use crate::domain::ids::ReaderId;
use crate::domain::overdue_credit::charge;
use crate::store::credit::feed::OverdueLoan;
use crate::store::credit::freezes::{FreezeCause, FreezeEnd, FreezeRow};
use crate::store::credit::{CreditAccount, CreditReason};

/// Lines of one loan written at once, at most: what is left comes with the next pass.
pub(super) const LINES_AT_ONCE: usize = 40;

impl Books<'_, '_> {
    /// Charges the overdue days of a loan until a day (included) that were not looked at, and freezes its reader where the regime says
    /// so. True: there were some.
    pub(super) fn charge_overdue(
        &mut self,
        account: &mut CreditAccount,
        loan: &OverdueLoan,
        until: NaiveDate,
    ) -> Result<bool> {
        let opened = self.tx.credit_opened_on(account.reader)?;
        self.charge_knowing(account, loan, until, (opened, None))
    }

    /// The same, where the day is known on which the ledger was opened, and perhaps what overdue items cost the reader in these months.
    pub(super) fn charge_knowing(
        &mut self,
        account: &mut CreditAccount,
        loan: &OverdueLoan,
        until: NaiveDate,
        (opened, spent): (Option<NaiveDate>, Option<Vec<(NaiveDate, i64)>>),
    ) -> Result<bool> {
        let days = self.days_to_charge(loan, until, opened);
        let regime = self.rules.regime(self.network.units(), loan.owner).kind;
        if days.is_empty() {
            // The calendar has changed: nothing is left to charge.
            if loan.rest_until.is_some() {
                self.tx.set_overdue_credit(loan.loan, loan.so_far, regime, None)?;
            }
            return Ok(false);
        }
        let spent = match spent {
            Some(spent) => spent,
            None => self.spent(account, &days)?,
        };
        let before = standing(account);
        let charged = charge(self.rules, regime, &days, loan.so_far, before, &spent, LINES_AT_ONCE);
        for line in &charged.lines {
            let reason = CreditReason {
                loan_id: Some(loan.loan),
                ..CreditReason::default()
            };
            let said = Line::by_rule(CreditEvent::Overdue, EntryCause::Loan, line.day, reason);
            self.write(account, &line.posting, said, None)?;
        }
        // The pass comes to open loans by itself.
        let rest = Some(until).filter(|_| charged.unfinished && loan.is_back);
        self.tx.set_overdue_credit(loan.loan, charged.so_far, regime, rest)?;
        if regime == RegimeKind::Lock && !loan.is_back && !loan.excused {
            self.lock_for(account, loan, None)?;
        }
        Ok(true)
    }

    /// The overdue days that were not looked at, none of them from before the ledger was opened.
    pub(super) fn days_to_charge(
        &self,
        loan: &OverdueLoan,
        until: NaiveDate,
        opened: Option<NaiveDate>,
    ) -> Vec<NaiveDate> {
        let is_new = |day: &NaiveDate| loan.so_far.until.is_none_or(|looked_at| *day > looked_at);
        let counts = |day: &NaiveDate| opened.is_none_or(|opened| *day >= opened);
        let mut days = self.overdue_dates(loan, until);
        days.retain(|day| is_new(day) && counts(day));
        days
    }

    fn overdue_dates(&self, loan: &OverdueLoan, until: NaiveDate) -> Vec<NaiveDate> {
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

    /// Freezes a reader for a loan, once; until a moment, or until it is back. Who is frozen often enough is frozen.
    fn lock_for(
        &mut self,
        account: &mut CreditAccount,
        loan: &OverdueLoan,
        until: Option<DateTime<Utc>>,
    ) -> Result<()> {
        let open = self.tx.open_freezes(account.reader)?;
        if open.len() >= MOST_FREEZES || open.iter().any(|freeze| freeze.loan_id == Some(loan.loan)) {
            return Ok(());
        }
        let mut freeze = FreezeRow::new(self.ids.next(), account.reader, FreezeCause::Overdue, self.now);
        freeze.loan_id = Some(loan.loan);
        freeze.until = until.map(|until| until.timestamp_millis());
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
        let lock_days = if was_late { regime.lock_days } else { 0 };
        let until = returned_at + TimeDelta::days(lock_days.into());
        // Late by less than the pass has seen: the lock begins with the return.
        let locks = regime.kind == RegimeKind::Lock && until > self.now && lock_days > 0 && !loan.excused;
        if locks && self.tx.freeze_of_loan(loan.loan)?.is_none() {
            return self.lock_for(account, loan, Some(until));
        }
        self.unlock(account, loan.loan, returned_at, lock_days)
    }

    /// Days that were charged and lie after the true return.
    fn give_back(&mut self, account: &mut CreditAccount, loan: &OverdueLoan, day: NaiveDate) -> Result<()> {
        let Some(until) = loan.so_far.until.filter(|until| *until > day) else {
            return Ok(());
        };
        let lines = self.tx.credit_entries_of_loan(loan.loan, CreditEvent::Overdue)?;
        let mut so_far = loan.so_far;
        let mut undone = 0;
        let too_much = lines
            .iter()
            .filter(|line| line.day.parse().is_ok_and(|on: NaiveDate| on > day));
        for line in too_much.take(LINES_AT_ONCE) {
            let reason = CreditReason {
                loan_id: Some(loan.loan),
                ..CreditReason::default()
            };
            self.undo(account, line, (EntryKind::Reversal, EntryCause::Loan), reason)?;
            so_far.points = (so_far.points + line.points).max(0);
            undone += 1;
        }
        let days = self
            .overdue_dates(loan, until)
            .into_iter()
            .filter(|on| *on > day)
            .count();
        let days = u32::try_from(days).unwrap_or(u32::MAX);
        so_far.days = so_far.days.saturating_sub(days);
        so_far.money_days = so_far.money_days.saturating_sub(days.saturating_sub(undone));
        so_far.until = Some(day);
        let regime = self.rules.regime(self.network.units(), loan.owner).kind;
        Ok(self.tx.set_overdue_credit(loan.loan, so_far, regime, None)?)
    }

    /// A loan that was late has another due date: the lock is over.
    pub(super) fn renewed(&mut self, reader: ReaderId, loan: i64, at: DateTime<Utc>) -> Result<()> {
        self.tx.end_excuse(loan)?;
        if self.tx.freeze_of_loan(loan)?.is_none() {
            return Ok(());
        }
        let mut account = self.open(reader)?;
        self.unlock(&mut account, loan, at, 0)
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
