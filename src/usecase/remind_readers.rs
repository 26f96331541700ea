//! Reminders: loans that are due soon or overdue, copies on hold shelves and cards whose last day is near. Each is made once per
//! occasion, however often a job runs. Run by jobs, in the morning.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use super::make_notice::{NOTICE_IDS, NewNotice, make_notice};
use super::run_job::{Look, Pass};
use super::{Result, UseCaseError};
use crate::domain::ids::ReaderId;
use crate::domain::notice::NoticeKind;
use crate::domain::notice_time::Reminders;
use crate::store::Store;
use crate::store::ids::IdRun;
use crate::store::notices::Line;
use crate::store::tx::{ReadTx, WriteTx};

/// Rows looked at in one read.
const ROWS_PER_LOOK: i64 = 5_000;

/// Readers who are told by one write: some milliseconds.
const READERS_PER_WRITE: usize = 25;

/// Kinds of reminders that loans of one reader may call for at once.
const LOAN_KINDS: i64 = 4;

/// A day as an occasion.
pub fn day_number(day: NaiveDate) -> i64 {
    i64::from(day.num_days_from_ce())
}

/// The walk over open loans. A basket is told of at once: whoever has a loan that calls for a reminder is told of all.
#[derive(Debug, Clone)]
pub struct RemindOfLoans(pub Reminders);

impl Pass for RemindOfLoans {
    type Work = i64;

    fn expected(&self, tx: &mut ReadTx<'_>) -> Result<Option<i64>> {
        Ok(Some(tx.count_open_loans()?))
    }

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<i64>> + Send + 'static {
        let reminders = self.0.clone();
        move |tx| {
            let today = tx.day_of(now);
            let rows = tx.walk_reminders(after, ROWS_PER_LOOK)?;
            let mut readers = BTreeSet::new();
            for row in &rows {
                let due = tx.day_of(crate::clock::from_millis(row.due_at));
                if reminders.of_due(due, today).is_some() {
                    readers.insert(row.reader_id);
                }
            }
            Ok(Look {
                looked_at: i64::try_from(rows.len()).unwrap_or(i64::MAX),
                after: rows.last().map(|row| row.item_id),
                work: readers.into_iter().collect(),
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<i64>) -> Result<i64> {
        let mut made = 0;
        for some in work.chunks(READERS_PER_WRITE) {
            let count = i64::try_from(some.len()).unwrap_or(i64::MAX);
            let ids = store.take_ids::<UseCaseError>(count * NOTICE_IDS * LOAN_KINDS).await?;
            let (some, reminders) = (some.to_vec(), self.0.clone());
            made += store
                .write(move |tx| {
                    let mut ids = ids.clone();
                    let mut made = 0;
                    for reader in &some {
                        made += remind(tx, &mut ids, ReaderId::new(*reader), &reminders)?;
                    }
                    Ok::<_, UseCaseError>(made)
                })
                .await?;
        }
        Ok(made)
    }
}

/// Tells one reader of all loans that call for it.
fn remind(tx: &mut WriteTx<'_>, ids: &mut IdRun, reader: ReaderId, reminders: &Reminders) -> Result<i64> {
    let today = tx.day_of(tx.now());
    let Some(home) = tx.home_of_reader(reader)? else {
        return Ok(0);
    };
    let mut notices: Vec<NewNotice> = Vec::new();
    for loan in tx.open_loans_of(reader)? {
        let due = tx.day_of(loan.due_at);
        // What travels back in time is not late; what is read in the room goes nowhere.
        let kind = reminders
            .of_due(due, today)
            .filter(|_| !loan.given_back && !loan.reading_room);
        let Some(kind) = kind else { continue };
        let line = Line {
            subject: loan.id.get(),
            occasion: loan.due_at.timestamp_millis(),
        };
        match notices.iter_mut().find(|notice| notice.kind == kind) {
            Some(notice) => notice.lines.push(line),
            None => notices.push(NewNotice {
                reader,
                kind,
                unit: home,
                lines: vec![line],
            }),
        }
    }
    let mut made = 0;
    for notice in &notices {
        made += i64::from(make_notice(tx, ids, notice)?);
    }
    Ok(made)
}

/// The walk over copies on hold shelves whose last day is near.
#[derive(Debug, Clone)]
pub struct RemindOfHolds(pub Reminders);

impl Pass for RemindOfHolds {
    type Work = NewNotice;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<NewNotice>> + Send + 'static {
        let reminders = self.0.clone();
        move |tx| {
            let today = tx.day_of(now);
            let until = today + chrono::Days::new(u64::from(reminders.hold_expiring_days));
            let rows = tx.walk_expiring_holds(after, today, until, ROWS_PER_LOOK)?;
            let near = rows.iter().filter(|row| reminders.is_expiring(row.until, today));
            let work = near.map(|row| NewNotice {
                reader: row.reader,
                kind: NoticeKind::HoldExpiring,
                unit: row.unit,
                lines: vec![Line {
                    subject: row.id,
                    occasion: day_number(row.until),
                }],
            });
            Ok(Look {
                work: work.collect(),
                looked_at: i64::try_from(rows.len()).unwrap_or(i64::MAX),
                after: rows.last().map(|row| row.id),
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<NewNotice>) -> Result<i64> {
        make_all(store, &work).await
    }
}

/// The walk over cards whose last day is near.
#[derive(Debug, Clone)]
pub struct RemindOfCards(pub Reminders);

impl Pass for RemindOfCards {
    type Work = NewNotice;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<NewNotice>> + Send + 'static {
        let reminders = self.0.clone();
        move |tx| {
            let today = tx.day_of(now);
            let (looked, last, rows) = tx.walk_cards(after, ROWS_PER_LOOK)?;
            let near = rows.iter().filter(|row| reminders.is_card_expiring(row.until, today));
            let work = near.map(|row| NewNotice {
                reader: row.reader,
                kind: NoticeKind::CardExpiring,
                unit: row.unit,
                lines: vec![Line {
                    subject: row.id,
                    occasion: day_number(row.until),
                }],
            });
            Ok(Look {
                work: work.collect(),
                looked_at: looked,
                after: last,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<NewNotice>) -> Result<i64> {
        make_all(store, &work).await
    }
}

/// Makes them all, some by some.
pub(super) async fn make_all(store: &Arc<Store>, work: &[NewNotice]) -> Result<i64> {
    let mut made = 0;
    for some in work.chunks(READERS_PER_WRITE) {
        let count = i64::try_from(some.len()).unwrap_or(i64::MAX);
        let ids = store.take_ids::<UseCaseError>(count * NOTICE_IDS).await?;
        let some = some.to_vec();
        made += store
            .write(move |tx| {
                let mut ids = ids.clone();
                let mut made = 0;
                for notice in &some {
                    made += i64::from(make_notice(tx, &mut ids, notice)?);
                }
                Ok::<_, UseCaseError>(made)
            })
            .await?;
    }
    Ok(made)
}
