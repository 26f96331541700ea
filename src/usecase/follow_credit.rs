//! Credit follows the events: what was lent, renewed, undone, brought back late, lost, refused or left on the hold shelf moves points,
//! in commit order, each event once (decision 0032). Run by a job.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::charge_overdue::LINES_AT_ONCE;
use super::credit_ledger::{Books, IDS_PER_POSTING, Line};
use super::run_job::{Look, Pass, of_one};
use super::{Caller, Result, UseCaseError};
use crate::domain::credit::{CreditEvent, EntryCause, EntryKind};
use crate::domain::event::EventKind;
use crate::domain::ids::ReaderId;
use crate::store::credit::feed::{FedEvent, Feed};
use crate::store::credit::{CreditAccount, CreditReason};
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Store, StoreError};

/// Events of one write: some milliseconds.
const EVENTS_PER_WRITE: usize = 25;

/// What moves credit.
const KINDS: &[EventKind] = &[
    EventKind::LoanMade,
    EventKind::LoanRenewed,
    EventKind::LoanVoided,
    EventKind::LoanReturned,
    EventKind::LoanLost,
    EventKind::HoldExpired,
];

/// Some events of a seal, and where the next begin.
#[derive(Debug, Clone)]
pub struct Batch {
    from: Feed,
    to: Feed,
    events: Vec<FedEvent>,
}

/// The walk over the seals.
#[derive(Debug, Clone, Copy, Default)]
pub struct FollowCredit;

impl Pass for FollowCredit {
    type Work = Batch;

    fn look(&self, _: i64, _: DateTime<Utc>) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<Batch>> + Send + 'static {
        move |tx| {
            let Some(seal) = tx.events_to_credit(KINDS)? else {
                return Ok(Look {
                    work: Vec::new(),
                    looked_at: 0,
                    after: None,
                });
            };
            let work = batches(seal.feed, seal.events);
            Ok(Look {
                looked_at: work
                    .iter()
                    .map(|batch| i64::try_from(batch.events.len()).unwrap_or(0))
                    .sum(),
                work,
                after: Some(seal.feed.position),
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<Batch>) -> Result<i64> {
        let mut posted = 0;
        for batch in work {
            let (seal, whole) = (batch.from.position, batch.clone());
            match of_one(post(store, whole).await, "seal", seal)? {
                Some(done) => posted += done,
                // One of them is broken: alone it keeps no other waiting.
                None => posted += one_by_one(store, batch).await?,
            }
        }
        Ok(posted)
    }
}

/// Cuts a seal; its end is the beginning of the next one.
fn batches(feed: Feed, events: Vec<FedEvent>) -> Vec<Batch> {
    let next_seal = Feed {
        position: feed.position + 1,
        taken: 0,
    };
    let mut cut: Vec<Batch> = Vec::new();
    let mut from = feed;
    for some in events.chunks(EVENTS_PER_WRITE) {
        let last = some.last().map_or(from.taken, |event| event.place + 1);
        let to = Feed { taken: last, ..feed };
        cut.push(Batch {
            from,
            to,
            events: some.to_vec(),
        });
        from = to;
    }
    match cut.last_mut() {
        Some(last) => last.to = next_seal,
        None => cut.push(Batch {
            from,
            to: next_seal,
            events,
        }),
    }
    cut
}

async fn one_by_one(store: &Arc<Store>, batch: Batch) -> Result<i64> {
    let mut posted = 0;
    let mut from = batch.from;
    let count = batch.events.len();
    for (n, event) in batch.events.into_iter().enumerate() {
        let to = if n + 1 == count {
            batch.to
        } else {
            Feed {
                taken: event.place + 1,
                ..batch.from
            }
        };
        let (seq, alone) = (
            event.seq,
            Batch {
                from,
                to,
                events: vec![event],
            },
        );
        let passed = Batch {
            events: Vec::new(),
            ..alone.clone()
        };
        match of_one(post(store, alone).await, "event", seq)? {
            Some(done) => posted += done,
            None => posted += post(store, passed).await?,
        }
        from = to;
    }
    Ok(posted)
}

async fn post(store: &Arc<Store>, batch: Batch) -> Result<i64> {
    let of_event = IDS_PER_POSTING * (i64::try_from(LINES_AT_ONCE).unwrap_or(0) + 2);
    let count = i64::try_from(batch.events.len()).unwrap_or(0);
    let ids = store.take_ids::<UseCaseError>(of_event * count + 1).await?;
    store.write(move |tx| apply(tx, &batch, ids.clone())).await
}

fn apply(tx: &mut WriteTx<'_>, batch: &Batch, mut ids: IdRun) -> Result<i64> {
    let network = tx.network()?;
    if !tx.advance_feed(batch.from, batch.to)? {
        return Ok(0);
    }
    let events = by_reader(under_lock(tx, &batch.events)?);
    let (caller, now) = (Caller::system(), tx.now());
    let known = Known::of(tx, &events)?;
    let mut posted = 0;
    for event in events.iter().filter(|event| !known.is_idle(event)) {
        // An act is judged by the rules of its own time.
        let network = tx.as_of(network.clone(), event.at)?;
        let Some(rules) = network.rules().credit.as_ref() else {
            continue;
        };
        let mut books = Books {
            tx,
            network: &network,
            rules,
            caller: &caller,
            now,
            ids: &mut ids,
        };
        posted += i64::from(books.follow(event)?);
    }
    Ok(posted)
}

/// The events with the readers who stand for those they name, all locked.
fn under_lock(tx: &mut WriteTx<'_>, events: &[FedEvent]) -> Result<Vec<FedEvent>> {
    let named: Vec<ReaderId> = events.iter().map(|event| event.reader).collect();
    let merged = tx.merged_of(&named)?;
    let mut events = events.to_vec();
    for event in &mut events {
        event.reader = merged.get(&event.reader).copied().unwrap_or(event.reader);
    }
    let mut readers: Vec<ReaderId> = events.iter().map(|event| event.reader).collect();
    readers.sort_unstable();
    readers.dedup();
    tx.lock_readers(&readers)?;
    if tx.merged_of(&readers)?.is_empty() {
        return Ok(events);
    }
    // Merged before the locks were there.
    Err(StoreError::Retry(diesel::result::Error::RollbackTransaction).into())
}

/// What is asked once for all events of a write, for most of them move nothing: whether their readers are still there, and of which
/// loans credit knows.
struct Known {
    readers: HashSet<ReaderId>,
    loans: HashSet<i64>,
}

impl Known {
    fn of(tx: &mut WriteTx<'_>, events: &[FedEvent]) -> Result<Self> {
        let mut readers: Vec<ReaderId> = events.iter().map(|event| event.reader).collect();
        readers.dedup();
        let returned = events.iter().filter(|event| event.kind == EventKind::LoanReturned);
        let returned: Vec<i64> = returned.filter_map(|event| event.number("loan_id")).collect();
        let mut loans = tx.loans_in_ledgers(&returned)?;
        // What comes before a return in the same write may bring its loan into the ledger.
        let mut seen = HashSet::new();
        let named = events.iter().filter_map(|event| event.number("loan_id"));
        loans.extend(named.filter(|loan| !seen.insert(*loan)));
        let accounts = tx.credit_accounts(&readers)?;
        Ok(Self {
            readers: accounts.into_iter().map(|account| account.reader).collect(),
            loans,
        })
    }

    /// A record that is gone (merged, erased) has no ledger any more; and most returns are in time, of loans that cost nothing.
    fn is_idle(&self, event: &FedEvent) -> bool {
        let returned_plainly = event.kind == EventKind::LoanReturned
            && !event.was_refused()
            && !event.was_late()
            && event.number("loan_id").is_some_and(|loan| !self.loans.contains(&loan));
        returned_plainly || !self.readers.contains(&event.reader)
    }
}

impl FedEvent {
    fn number(&self, name: &str) -> Option<i64> {
        self.detail.get(name).and_then(serde_json::Value::as_i64)
    }

    fn was_refused(&self) -> bool {
        self.detail.get("parcel").and_then(serde_json::Value::as_str) == Some("refused")
    }

    fn was_late(&self) -> bool {
        self.number("overdue_days").unwrap_or(0) > 0
    }
}

/// One reader after the other; each one's as they happened. Lines are numbered as they are written: among those of one write nobody
/// can tell by their numbers which event, and so which item, was whose, once events have forgotten their readers.
fn by_reader(mut events: Vec<FedEvent>) -> Vec<FedEvent> {
    events.sort_by_key(|event| event.reader);
    events
}

impl Books<'_, '_> {
    /// What an event comes to. True: something may have been posted.
    fn follow(&mut self, event: &FedEvent) -> Result<bool> {
        let loan = event.number("loan_id");
        let says = |name: &str| event.detail.get(name).and_then(serde_json::Value::as_bool) == Some(true);
        match (event.kind, loan) {
            (EventKind::LoanMade, Some(_)) if says("reading_room") => return Ok(false),
            (EventKind::LoanMade, Some(loan)) => self.simple(event, CreditEvent::Loan, Some(loan))?,
            (EventKind::LoanRenewed, Some(loan)) => {
                self.simple(event, CreditEvent::Renewal, Some(loan))?;
                self.renewed(event.reader, loan, event.at)?;
            }
            (EventKind::LoanLost, Some(loan)) => {
                let mut account = self.open(event.reader)?;
                let line = line(event, CreditEvent::Loss, self.network.local_day(event.at), Some(loan));
                self.by_rule(&mut account, 1, line)?;
                self.unlock(&mut account, loan, event.at, 0)?;
            }
            (EventKind::LoanVoided, Some(loan)) => self.take_back(event.reader, loan, event.at)?,
            (EventKind::LoanReturned, Some(loan)) => self.returned(event, loan)?,
            (EventKind::HoldExpired, _) if says("not_collected") => {
                self.simple(event, CreditEvent::HoldNotCollected, None)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn simple(&mut self, event: &FedEvent, what: CreditEvent, loan: Option<i64>) -> Result<()> {
        if self.rules.rule(what).is_none() {
            return Ok(());
        }
        let mut account = self.open(event.reader)?;
        let line = line(event, what, self.network.local_day(event.at), loan);
        self.by_rule(&mut account, 1, line)?;
        Ok(())
    }

    fn returned(&mut self, event: &FedEvent, loan: i64) -> Result<()> {
        let (refused, late) = (event.was_refused(), event.was_late());
        let known = self
            .tx
            .loan_to_charge(loan)?
            .filter(|known| known.reader == event.reader);
        let touched = known.as_ref().is_some_and(|known| known.so_far.days > 0);
        let locked = self.tx.freeze_of_loan(loan)?.is_some();
        if !refused && !late && !touched && !locked {
            return Ok(());
        }
        let mut account = self.open(event.reader)?;
        if refused {
            let line = line(
                event,
                CreditEvent::ParcelRefused,
                self.network.local_day(event.at),
                Some(loan),
            );
            self.by_rule(&mut account, 1, line)?;
        }
        let returned_at = self.tx.loan_ended_at(loan)?.unwrap_or(event.at);
        match known {
            Some(known) => self.settle_overdue(&mut account, &known, returned_at),
            None => self.unlock(&mut account, loan, returned_at, 0),
        }
    }

    /// A loan that was undone has moved nothing.
    fn take_back(&mut self, reader: ReaderId, loan: i64, at: DateTime<Utc>) -> Result<()> {
        let mut lines = Vec::new();
        for event in [CreditEvent::Loan, CreditEvent::Renewal, CreditEvent::Overdue] {
            lines.extend(self.tx.credit_entries_of_loan(loan, event)?);
        }
        let mut account: CreditAccount = self.open(reader)?;
        for entry in lines
            .iter()
            .filter(|line| line.reader_id == reader.get())
            .take(LINES_AT_ONCE)
        {
            let reason = CreditReason {
                loan_id: Some(loan),
                ..CreditReason::default()
            };
            self.undo(&mut account, entry, (EntryKind::Reversal, EntryCause::Loan), reason)?;
        }
        self.unlock(&mut account, loan, at, 0)
    }
}

fn line(event: &FedEvent, what: CreditEvent, day: chrono::NaiveDate, loan: Option<i64>) -> Line {
    let cause = if loan.is_some() {
        EntryCause::Loan
    } else {
        EntryCause::Event
    };
    let reason = CreditReason {
        loan_id: loan,
        hold_id: event.number("hold_id"),
        ..CreditReason::default()
    };
    Line::by_rule(what, cause, day, reason)
}
