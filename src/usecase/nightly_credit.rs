//! The nightly pass over all readers: overdue days, freezes whose time is over, ledgers that are not opened yet, and bands that the
//! rules have changed. And the deductions that end by age. Run by jobs.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Months, NaiveDate, Utc};

use super::charge_overdue::LINES_AT_ONCE;
use super::credit_ledger::{Books, IDS_PER_POSTING, month_of};
use super::run_job::{Look, Pass, of_one};
use super::{Caller, Result, UseCaseError};
use crate::domain::credit::{CreditEvent, CreditRules, EntryCause, EntryKind};
use crate::domain::ids::ReaderId;
use crate::domain::network::Network;
use crate::domain::reader::CreditBand;
use crate::store::Store;
use crate::store::credit::feed::{AccountGlance, OverdueLoan};
use crate::store::credit::freezes::FreezeEnd;
use crate::store::credit::{CreditAccount, CreditReason};
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};

/// Readers looked at in one read.
const READERS_PER_LOOK: i64 = 2_000;
/// Readers of one write: some milliseconds.
const READERS_PER_WRITE: usize = 60;
/// Deductions of one look.
const ENTRIES_PER_LOOK: i64 = 100;

/// What the night has to do for a reader.
#[derive(Debug, Clone, Default)]
pub struct ReaderWork {
    reader: i64,
    overdue: Vec<OverdueLoan>,
    freezes_over: Vec<i64>,
}

/// The walk over all readers.
#[derive(Debug, Clone, Copy, Default)]
pub struct NightlyCredit;

impl Pass for NightlyCredit {
    type Work = ReaderWork;

    fn expected(&self, tx: &mut ReadTx<'_>) -> Result<Option<i64>> {
        Ok(Some(tx.count_accounts()?))
    }

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<ReaderWork>> + Send + 'static {
        move |tx| {
            let network = tx.network()?;
            let accounts = tx.walk_accounts(after, READERS_PER_LOOK)?;
            let last = accounts.last().map(|account| account.reader);
            let work = match (network.rules().credit.as_ref(), last) {
                (Some(rules), Some(last)) => work_of(tx, &network, rules, &accounts, (after, last), now)?,
                _ => Vec::new(),
            };
            Ok(Look {
                work,
                looked_at: i64::try_from(accounts.len()).unwrap_or(i64::MAX),
                after: last.filter(|_| network.rules().credit.is_some()),
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<ReaderWork>) -> Result<i64> {
        let mut changed = 0;
        for some in work.chunks(READERS_PER_WRITE) {
            let first = some.first().map_or(0, |one| one.reader);
            match of_one(write(store, some.to_vec()).await, "reader", first)? {
                Some(done) => changed += done,
                // One of them is broken: alone it keeps no other waiting.
                None => {
                    for one in some {
                        let done = write(store, vec![one.clone()]).await;
                        changed += of_one(done, "reader", one.reader)?.unwrap_or(0);
                    }
                }
            }
        }
        Ok(changed)
    }
}

/// Readers of a span for whom there is something to do, ascending.
fn work_of(
    tx: &mut ReadTx<'_>,
    network: &Network,
    rules: &CreditRules,
    accounts: &[AccountGlance],
    span: (i64, i64),
    now: DateTime<Utc>,
) -> Result<Vec<ReaderWork>> {
    let mut overdue = tx.overdue_loans_between(span, now)?;
    overdue.extend(tx.unfinished_overdue_between(span)?);
    overdue.sort_by_key(|loan| (loan.reader, loan.loan));
    let mut overdue = overdue.into_iter().peekable();
    let mut over = tx.freezes_over(span, now)?.into_iter().peekable();
    let mut work = Vec::new();
    for account in accounts {
        let mut mine = ReaderWork {
            reader: account.reader,
            ..ReaderWork::default()
        };
        while let Some(loan) = overdue.next_if(|loan| loan.reader.get() <= account.reader) {
            if loan.rest_until.is_some() || has_new_days(network, &loan, now) {
                mine.overdue.push(loan);
            }
        }
        while let Some((_, freeze)) = over.next_if(|(reader, _)| *reader <= account.reader) {
            mine.freezes_over.push(freeze);
        }
        let band = rules.band(account.balance).code();
        let stale = account.entries > 0 && account.band != CreditBand::Frozen.code() && account.band != band;
        if account.entries == 0 || stale || !mine.overdue.is_empty() || !mine.freezes_over.is_empty() {
            work.push(mine);
        }
    }
    Ok(work)
}

/// Whether days have ended that were not looked at: today has not.
fn has_new_days(network: &Network, loan: &OverdueLoan, now: DateTime<Utc>) -> bool {
    let Some(yesterday) = network.local_day(now).pred_opt() else {
        return false;
    };
    // From the due date on, or from what was looked at: no day until then counts.
    let due = network.local_day(loan.due_at);
    let from = loan.so_far.until.map_or(due, |until| until.max(due));
    network
        .calendar(loan.unit)
        .overdue_dates(from, yesterday)
        .next()
        .is_some()
}

async fn write(store: &Arc<Store>, work: Vec<ReaderWork>) -> Result<i64> {
    let days = i64::try_from(LINES_AT_ONCE).unwrap_or(0);
    let count = |one: &ReaderWork| {
        let loans = i64::try_from(one.overdue.len()).unwrap_or(0);
        let freezes = i64::try_from(one.freezes_over.len()).unwrap_or(0);
        // The first line; a line for each day, perhaps a lock and its event; a thaw and its event.
        IDS_PER_POSTING + loans * (days + 4) + freezes * IDS_PER_POSTING
    };
    let ids = store.take_ids::<UseCaseError>(work.iter().map(count).sum()).await?;
    store.write(move |tx| apply(tx, &work, ids.clone())).await
}

fn apply(tx: &mut WriteTx<'_>, work: &[ReaderWork], mut ids: IdRun) -> Result<i64> {
    let (network, now, caller) = (tx.network()?, tx.now(), Caller::system());
    let Some(rules) = network.rules().credit.as_ref() else {
        return Ok(0);
    };
    let readers: Vec<ReaderId> = work.iter().map(|one| ReaderId::new(one.reader)).collect();
    tx.lock_readers(&readers)?;
    let mut books = Books {
        tx,
        network: &network,
        rules,
        caller: &caller,
        now,
        ids: &mut ids,
    };
    let known = books.look_again(&readers, work)?;
    let mut changed = 0;
    for one in work {
        changed += i64::from(books.night(one, &known)?);
    }
    Ok(changed)
}

/// What a write needs to know of all its readers, read at once under their locks.
#[derive(Debug, Default)]
struct Known {
    accounts: HashMap<ReaderId, CreditAccount>,
    /// On which day their ledgers were opened.
    opened: HashMap<ReaderId, NaiveDate>,
    /// Open ones, and those of which days are still to be charged.
    loans: HashMap<i64, OverdueLoan>,
    /// What overdue items cost each reader in the months that are charged.
    spent: HashMap<ReaderId, Vec<(NaiveDate, i64)>>,
}

impl Books<'_, '_> {
    fn look_again(&mut self, readers: &[ReaderId], work: &[ReaderWork]) -> Result<Known> {
        let mut known = Known::default();
        for account in self.tx.credit_accounts(readers)? {
            known.accounts.insert(account.reader, account);
        }
        let ids: Vec<i64> = work
            .iter()
            .flat_map(|one| one.overdue.iter().map(|loan| loan.loan))
            .collect();
        if ids.is_empty() {
            return Ok(known);
        }
        for loan in self.tx.loans_to_charge(&ids)? {
            known.loans.insert(loan.loan, loan);
        }
        for (reader, day) in self.tx.credit_opened_by_each(readers)? {
            known.opened.insert(reader, day);
        }
        let (Some(until), Some(rule)) = (self.yesterday(), self.rules.rule(CreditEvent::Overdue)) else {
            return Ok(known);
        };
        let first_new = |loan: &OverdueLoan| {
            let opened = known.opened.get(&loan.reader).copied();
            self.days_to_charge(loan, until, opened).first().copied()
        };
        let first = known.loans.values().filter_map(first_new).min();
        if let Some(first) = first {
            let span = (month_of(first).0, month_of(until).1);
            for (reader, day, points) in self.tx.credit_used_by_each(readers, &rule.events, span)? {
                known.spent.entry(reader).or_default().push((day, points));
            }
        }
        Ok(known)
    }

    fn yesterday(&self) -> Option<NaiveDate> {
        self.network.local_day(self.now).pred_opt()
    }

    /// What a night does for a reader, looked at again under the lock. True: something changed.
    fn night(&mut self, work: &ReaderWork, known: &Known) -> Result<bool> {
        let reader = ReaderId::new(work.reader);
        let Some(before) = known.accounts.get(&reader) else {
            return Ok(false);
        };
        let mut account = before.clone();
        self.begin(&mut account)?;
        let today = self.network.local_day(self.now);
        let opened = Some(known.opened.get(&reader).copied().unwrap_or(today));
        for loan in &work.overdue {
            let again = known.loans.get(&loan.loan);
            let still = again.filter(|again| again.reader == reader && again.due_at == loan.due_at);
            let Some(loan) = still else { continue };
            let until = match loan.is_back {
                true => loan.rest_until,
                false => self.yesterday(),
            };
            if let Some(until) = until {
                // Of several items the later ones must know what the first has cost.
                let alone = work.overdue.len() == 1;
                let spent = alone.then(|| known.spent.get(&reader).cloned().unwrap_or_default());
                self.charge_knowing(&mut account, loan, until, (opened, spent))?;
            }
        }
        let open = match work.freezes_over.is_empty() {
            true => Vec::new(),
            false => self.tx.open_freezes(reader)?,
        };
        let is_over = |until: Option<i64>| until.is_some_and(|until| until <= self.now.timestamp_millis());
        let over: Vec<_> = open
            .into_iter()
            .filter(|freeze| work.freezes_over.contains(&freeze.id) && is_over(freeze.until))
            .collect();
        for freeze in &over {
            self.lift(&mut account, freeze, FreezeEnd::Time, None)?;
        }
        let band = self.rules.band(account.balance);
        if account.band != CreditBand::Frozen && account.band != band {
            self.tx.set_credit_band(reader, band)?;
            account.band = band;
        }
        Ok(account != *before)
    }
}

/// The walk over deductions that are old enough to end.
#[derive(Debug, Clone, Copy, Default)]
pub struct LapseCredit;

impl Pass for LapseCredit {
    type Work = i64;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<i64>> + Send + 'static {
        move |tx| {
            let network = tx.network()?;
            let years = network.rules().credit.as_ref().map(|rules| rules.lapse_years);
            let before = years.and_then(|years| now.checked_sub_months(Months::new(u32::from(years) * 12)));
            let work = match before {
                Some(before) => tx.deductions_to_lapse(before, after, ENTRIES_PER_LOOK)?,
                None => Vec::new(),
            };
            Ok(Look {
                looked_at: i64::try_from(work.len()).unwrap_or(i64::MAX),
                after: work.last().copied(),
                work,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<i64>) -> Result<i64> {
        let mut lapsed = 0;
        for entry in work {
            let ids = store.take_ids::<UseCaseError>(2 * IDS_PER_POSTING).await?;
            let done = store.write(move |tx| lapse(tx, entry, ids.clone())).await;
            lapsed += i64::from(of_one(done, "credit entry", entry)? == Some(true));
        }
        Ok(lapsed)
    }
}

fn lapse(tx: &mut WriteTx<'_>, id: i64, mut ids: IdRun) -> Result<bool> {
    let (network, now, caller) = (tx.network()?, tx.now(), Caller::system());
    let Some(rules) = network.rules().credit.as_ref() else {
        return Ok(false);
    };
    let Some(entry) = tx.credit_entry(id)? else {
        return Ok(false);
    };
    let mut books = Books {
        tx,
        network: &network,
        rules,
        caller: &caller,
        now,
        ids: &mut ids,
    };
    let mut account = books.open(ReaderId::new(entry.reader_id))?;
    let again = books.tx.credit_entry(id)?.filter(|entry| entry.undone_by.is_none());
    let Some(entry) = again else { return Ok(false) };
    let reason = CreditReason::default();
    books.undo(&mut account, &entry, (EntryKind::Lapse, EntryCause::Job), reason)?;
    Ok(true)
}
