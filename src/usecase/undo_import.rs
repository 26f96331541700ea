//! Taking a batch of an import back: what nobody has used since is deleted, the rest stays and is told row by row.
//! Not for: anything an import did not make. The events stay: they say that it came and that it went.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::import_csv::{Kind, of_item};
use super::progress::Progress;
use super::{Result, UseCaseError, record};
use crate::clock::from_millis;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{CategoryId, ItemId, ReaderId, UnitId};
use crate::domain::item::ItemStatus;
use crate::store::bulk::PastVisits;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::imports::{BatchRow, ImportRow, KnownItem};
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::undo_imports::LoanNow;
use crate::store::{Store, StoreError};

/// Rows taken back at once.
const ROWS_PER_CHUNK: i64 = 100;

/// A row that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptRow {
    /// The line of the imported file.
    pub row: i64,
    pub reason: String,
}

/// What became of a batch.
#[derive(Debug, Clone, Serialize)]
pub struct UndoReport {
    pub batch: i64,
    pub kind: Kind,
    pub file_name: String,
    pub dry_run: bool,
    pub removed: u64,
    /// Used since, so it stays.
    pub kept: Vec<KeptRow>,
}

/// Takes a batch back. A second run tries what the first one kept.
///
/// # Errors
/// `NotFound` for an unknown batch; a failure of the store: what was taken back before it stays taken back.
pub async fn undo_import(store: &Arc<Store>, batch: i64, dry_run: bool, progress: &dyn Progress) -> Result<UndoReport> {
    let row = store
        .read(move |tx| tx.import_batch(batch)?.ok_or(UseCaseError::NotFound("batch")))
        .await?;
    let kind =
        Kind::from_code(&row.kind).ok_or_else(|| UseCaseError::Internal(format!("unknown kind {}", row.kind)))?;
    let mut report = UndoReport {
        batch,
        kind,
        file_name: row.file_name.clone(),
        dry_run,
        removed: 0,
        kept: Vec::new(),
    };
    progress.begin("undo", None);
    let mut after = 0;
    loop {
        let rows = store
            .read(move |tx| tx.import_rows(batch, after, ROWS_PER_CHUNK).map_err(UseCaseError::from))
            .await?;
        let Some(last) = rows.last() else { break };
        after = last.row_number;
        let count = u64::try_from(rows.len()).unwrap_or(0);
        take_back(store, &row, kind, rows, &mut report).await?;
        progress.advance(count);
    }
    if !dry_run {
        store
            .write(move |tx| {
                let now = tx.now().timestamp_millis();
                tx.mark_undone(batch, now).map_err(UseCaseError::from)
            })
            .await?;
    }
    Ok(report)
}

/// One chunk. If something else refers to a row of it, its rows go one by one, and only that one is kept.
async fn take_back(
    store: &Arc<Store>,
    batch: &BatchRow,
    kind: Kind,
    rows: Vec<ImportRow>,
    report: &mut UndoReport,
) -> Result<()> {
    let rows = Arc::new(rows);
    let (chunk, of) = (Arc::clone(&rows), batch.clone());
    let done = if report.dry_run {
        store.read(move |tx| used(tx, kind, &chunk)).await
    } else {
        let ids = store
            .take_ids::<UseCaseError>(i64::try_from(rows.len()).unwrap_or(0))
            .await?;
        store.write(move |tx| apply(tx, &of, kind, &chunk, ids.clone())).await
    };
    match done {
        Ok(used) => {
            report.removed += u64::try_from(rows.len() - used.len()).unwrap_or(0);
            for row in rows.iter().filter(|row| used.contains_key(&row.subject_id)) {
                report.kept.push(KeptRow {
                    row: row.row_number,
                    reason: used[&row.subject_id].to_owned(),
                });
            }
            Ok(())
        }
        Err(UseCaseError::Store(StoreError::Conflict(_))) if rows.len() == 1 => {
            report.kept.push(KeptRow {
                row: rows[0].row_number,
                reason: "something else refers to it".to_owned(),
            });
            Ok(())
        }
        Err(UseCaseError::Store(StoreError::Conflict(_))) => {
            for row in rows.iter() {
                Box::pin(take_back(store, batch, kind, vec![row.clone()], report)).await?;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Why a thing stays, by its id.
type Used = HashMap<i64, &'static str>;

fn used(tx: &mut ReadTx<'_>, kind: Kind, rows: &[ImportRow]) -> Result<Used> {
    let ids: Vec<i64> = rows.iter().map(|row| row.subject_id).collect();
    match kind {
        Kind::Readers => used_readers(tx, rows, &ids),
        Kind::Cards => used_cards(tx, rows),
        Kind::Items => used_items(tx, rows, &ids),
        Kind::Loans => used_loans(tx, rows, &ids),
        Kind::Deposits => Ok(Used::new()),
    }
}

fn used_readers(tx: &mut ReadTx<'_>, rows: &[ImportRow], ids: &[i64]) -> Result<Used> {
    let mut used = Used::new();
    let mut say = |readers: Vec<i64>, reason| used.extend(readers.into_iter().map(|reader| (reader, reason)));
    let first: HashSet<i64> = rows.iter().filter_map(|row| memo(row)["card"].as_i64()).collect();
    let further = tx
        .cards_of_readers(ids)?
        .into_iter()
        .filter(|(card, _)| !first.contains(card));
    say(further.map(|(_, reader)| reader).collect(), "has another card by now");
    say(tx.readers_with_marks(ids)?, "has a PIN, a block or a debt by now");
    say(tx.readers_with_sessions(ids)?, "has logged in");
    say(tx.readers_with_deposits(ids)?, "has a deposit");
    say(
        tx.readers_with_holds(ids)?.into_iter().flatten().collect(),
        "has placed a hold",
    );
    say(
        tx.readers_with_loans(ids)?.into_iter().flatten().collect(),
        "has borrowed",
    );
    Ok(used)
}

fn used_cards(tx: &mut ReadTx<'_>, rows: &[ImportRow]) -> Result<Used> {
    let readers: Vec<i64> = rows.iter().filter_map(|row| memo(row)["reader"].as_i64()).collect();
    let lent: HashSet<i64> = tx.cards_with_loans(&readers)?.into_iter().flatten().collect();
    let cards = rows.iter().map(|row| row.subject_id).filter(|card| lent.contains(card));
    Ok(cards.map(|card| (card, "something was lent with it")).collect())
}

fn used_items(tx: &mut ReadTx<'_>, rows: &[ImportRow], ids: &[i64]) -> Result<Used> {
    let mut used = Used::new();
    let imported_at: HashMap<i64, Option<i64>> = rows
        .iter()
        .map(|row| (row.subject_id, memo(row)["at"].as_i64()))
        .collect();
    for item in tx.items_with_ids(ids)? {
        if imported_at.get(&item.id.get()) != Some(&Some(item.last_event_at)) {
            used.insert(item.id.get(), "something happened to it");
        }
    }
    let history = tx.items_with_history(ids)?;
    used.extend(
        history
            .into_iter()
            .map(|item| (item, "has a loan, a hold or a journey")),
    );
    Ok(used)
}

fn used_loans(tx: &mut ReadTx<'_>, rows: &[ImportRow], ids: &[i64]) -> Result<Used> {
    let mut used = Used::new();
    let loans = tx.loans_now(ids)?;
    let items = known_items(tx, &loans)?;
    let now: HashMap<i64, LoanNow> = loans.into_iter().map(|loan| (loan.id, loan)).collect();
    for row in rows {
        let memo = memo(row);
        let reason = match now.get(&row.subject_id) {
            None => "it is gone",
            Some(loan) if loan.closed_at.is_some() => "has ended",
            Some(loan) if memo["due_at"] != loan.due_at || memo["renewals"] != loan.renewals => {
                "was renewed or changed"
            }
            Some(loan)
                if items
                    .get(&loan.item_id)
                    .is_none_or(|item| item.status != ItemStatus::OnLoan) =>
            {
                "its item is no longer simply on loan"
            }
            Some(_) => continue,
        };
        used.insert(row.subject_id, reason);
    }
    Ok(used)
}

fn known_items(tx: &mut ReadTx<'_>, loans: &[LoanNow]) -> Result<HashMap<i64, KnownItem>> {
    let ids: Vec<i64> = loans.iter().map(|loan| loan.item_id).collect();
    let items = tx.items_with_ids(&ids)?;
    Ok(items.into_iter().map(|item| (item.id.get(), item)).collect())
}

fn memo(row: &ImportRow) -> Value {
    serde_json::from_str(&row.memo).unwrap_or_default()
}

fn apply(tx: &mut WriteTx<'_>, batch: &BatchRow, kind: Kind, rows: &[ImportRow], mut ids: IdRun) -> Result<Used> {
    tx.lock_matching()?;
    lock(tx, kind, rows)?;
    let used = used(tx, kind, rows)?;
    let gone: Vec<&ImportRow> = rows.iter().filter(|row| !used.contains_key(&row.subject_id)).collect();
    let subjects: Vec<i64> = gone.iter().map(|row| row.subject_id).collect();
    let loans = if kind == Kind::Loans {
        tx.loans_now(&subjects)?
    } else {
        Vec::new()
    };
    let of: Vec<i64> = match kind {
        Kind::Items => subjects.clone(),
        _ => loans.iter().map(|loan| loan.item_id).collect(),
    };
    let items: HashMap<i64, KnownItem> = tx
        .items_with_ids(&of)?
        .into_iter()
        .map(|item| (item.id.get(), item))
        .collect();
    match kind {
        Kind::Readers => tx.delete_readers(&subjects)?,
        Kind::Cards => tx.delete_cards(&subjects)?,
        Kind::Items => tx.delete_items(&subjects)?,
        Kind::Loans => {
            put_back(tx, &gone, &loans, &items)?;
            tx.delete_loans(&subjects)?;
        }
        Kind::Deposits => tx.delete_deposits(&subjects)?,
    }
    let lines: Vec<i64> = gone.iter().map(|row| row.row_number).collect();
    tx.delete_import_rows(batch.id, &lines)?;
    let events: Vec<Event<'_>> = if kind == Kind::Loans {
        loans
            .iter()
            .map(|loan| voided(tx, batch, loan, items.get(&loan.item_id)))
            .collect()
    } else {
        gone.iter()
            .map(|row| told(tx, batch, kind, row, items.get(&row.subject_id)))
            .collect()
    };
    tx.append_events(&mut ids, &PastVisits::new()?, &events)?;
    Ok(used)
}

/// Items before readers, as everywhere.
fn lock(tx: &mut WriteTx<'_>, kind: Kind, rows: &[ImportRow]) -> Result<()> {
    let ids: Vec<i64> = rows.iter().map(|row| row.subject_id).collect();
    match kind {
        Kind::Items => tx.lock_items(&ids)?,
        Kind::Loans => {
            let items: Vec<i64> = tx.loans_now(&ids)?.iter().map(|loan| loan.item_id).collect();
            tx.lock_items(&items)?;
        }
        Kind::Readers => {
            let readers: Vec<ReaderId> = ids.into_iter().map(ReaderId::new).collect();
            tx.lock_readers(&readers)?;
        }
        Kind::Cards | Kind::Deposits => {
            let of = rows.iter().filter_map(|row| memo(row)["reader"].as_i64());
            tx.lock_readers(&of.map(ReaderId::new).collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

/// The items go back to where they stood when their loans were imported. What happened to one since stays its last event: an
/// undo of its own import must see it.
fn put_back(
    tx: &mut WriteTx<'_>,
    gone: &[&ImportRow],
    loans: &[LoanNow],
    items: &HashMap<i64, KnownItem>,
) -> Result<()> {
    let memos: HashMap<i64, Value> = gone.iter().map(|row| (row.subject_id, memo(row))).collect();
    for loan in loans {
        let memo = memos.get(&loan.id).cloned().unwrap_or_default();
        let stood = memo["from_unit"].as_i64().unwrap_or(loan.unit_id);
        let before = memo["last_event_at"].as_i64().unwrap_or(loan.loaned_at);
        let set = before.max(loan.loaned_at);
        let since = items.get(&loan.item_id).map(|item| item.last_event_at);
        let at = since.filter(|at| *at != set).unwrap_or(before);
        let was = items.get(&loan.item_id).map_or(ItemStatus::OnLoan, |item| item.status);
        let (item, step) = (ItemId::new(loan.item_id), (was, ItemStatus::OnShelf));
        record::place(tx, item, step, UnitId::new(stood), from_millis(at))?;
    }
    Ok(())
}

/// The statistics take an imported loan back where it was counted.
fn voided<'a>(tx: &ReadTx<'_>, batch: &BatchRow, loan: &LoanNow, item: Option<&'a KnownItem>) -> Event<'a> {
    let day = tx.day_of(from_millis(loan.loaned_at)).to_string();
    let detail = json!({"loan_id": loan.id, "loan_day": day, "loan_unit_id": loan.unit_id,
        "loan_channel": SYSTEM_CHANNEL, "import_batch": batch.id});
    let event = Event::new(
        EventKind::LoanVoided,
        tx.now(),
        UnitId::new(loan.unit_id),
        SYSTEM_CHANNEL,
    )
    .detail(detail);
    let event = match item {
        Some(item) => of_item(event, item),
        None => event,
    };
    let Some(reader) = loan.reader_id else { return event };
    let band = AgeBand::from_code(&loan.age_band).unwrap_or(AgeBand::Unknown);
    event.of_reader(ReaderId::new(reader), CategoryId::new(loan.category_id), band)
}

/// That something imported is gone.
fn told<'a>(tx: &ReadTx<'_>, batch: &BatchRow, kind: Kind, row: &ImportRow, item: Option<&'a KnownItem>) -> Event<'a> {
    let of = if kind == Kind::Items {
        EventKind::ItemChanged
    } else {
        EventKind::ReaderChanged
    };
    let detail = json!({"changed": "import_undone", "import_batch": batch.id, "row": row.row_number});
    let event = Event::new(of, tx.now(), UnitId::new(batch.owner_unit_id), SYSTEM_CHANNEL).detail(detail);
    match item {
        Some(item) => of_item(event, item),
        None => event,
    }
}
