//! A line of a ledger is undone by another; nothing is deleted. And the appeals of readers, which may lead there.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;

use super::credit_ledger::{Books, IDS_PER_POSTING, programme};
use super::credit_view::{CreditAppealView, CreditOutcome, outcome_of};
use super::once::once;
use super::page::{Page, PageRequest};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::credit::{EntryCause, EntryKind};
use crate::domain::event::EventKind;
use crate::domain::ids::{ReaderId, StaffId};
use crate::store::credit::{CreditEntryRow, CreditReason};
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// How long a reader may object to a line.
pub const APPEAL_DAYS: i64 = 90;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ReverseCreditEntry {
    pub entry: i64,
    /// Kept with the new line; the reader reads it.
    pub reason: String,
}

/// Undoes a line. An open appeal against it is upheld by that.
///
/// # Errors
/// `NotFound`; `State` for a line that was undone, or that undoes another; `Forbidden`; a failure of the store.
pub async fn reverse_credit_entry(
    store: &Arc<Store>,
    caller: &Caller,
    command: ReverseCreditEntry,
    key: Option<IdempotencyKey>,
) -> Result<Once<CreditOutcome>> {
    caller.require_somewhere(Right::ManageCredit)?;
    once(
        store,
        caller,
        key,
        2 * IDS_PER_POSTING,
        command,
        |tx, who, command, ids| reverse(tx, who, command.entry, &command.reason, ids),
    )
    .await
}

fn reverse(tx: &mut WriteTx<'_>, caller: &Caller, id: i64, reason: &str, mut ids: IdRun) -> Result<CreditOutcome> {
    let network = tx.network()?;
    caller.require(Right::ManageCredit, caller.working_unit()?, &network)?;
    let reader = tx
        .credit_entry(id)?
        .ok_or(UseCaseError::NotFound("credit entry"))?
        .reader_id;
    let reader = ReaderId::new(reader);
    let now = tx.now();
    let mut books = Books {
        tx,
        network: &network,
        rules: programme(&network)?,
        caller,
        now,
        ids: &mut ids,
    };
    let mut account = books.open(reader)?;
    // Read again under the lock: another may have undone it meanwhile.
    let entry = books
        .tx
        .credit_entry(id)?
        .ok_or(UseCaseError::NotFound("credit entry"))?;
    check_reversible(&entry)?;
    let note = CreditReason {
        loan_id: entry.loan_id,
        hold_id: entry.hold_id,
        staff_id: caller.staff().map(StaffId::get),
        note: Some(reason.to_owned()),
    };
    let new = books.undo(&mut account, &entry, (EntryKind::Reversal, EntryCause::Staff), note)?;
    let appeal = books.tx.appeal_of_entry(id)?.filter(|appeal| appeal.status == "open");
    if let Some(appeal) = &appeal {
        books.tx.decide_appeal(appeal.id, true, caller.staff(), reason, now)?;
    }
    let detail = json!({"entry_id": new, "undoes_id": id, "appeal_id": appeal.map(|appeal| appeal.id),
        "balance": account.balance, "band": account.band.code()});
    books.tell(&account, EventKind::CreditReversed, detail, None)?;
    outcome_of(tx, &network, reader, Some(new))
}

fn check_reversible(entry: &CreditEntryRow) -> Result<()> {
    let reason = match entry.kind()? {
        _ if entry.undone_by.is_some() => "it was undone already",
        EntryKind::Reversal | EntryKind::Lapse => "it undoes another line: post points instead",
        EntryKind::Opening | EntryKind::Merge => "a ledger begins with it: post points instead",
        EntryKind::Thaw => "it began after a freeze: freeze the reader or post points instead",
        EntryKind::Rule | EntryKind::Staff => return Ok(()),
    };
    Err(UseCaseError::State(format!(
        "entry {} cannot be undone: {reason}",
        entry.id
    )))
}

/// What a reader objects to.
#[derive(Debug, Clone)]
pub struct AppealCreditEntry {
    pub entry: i64,
    pub reason: String,
}

/// Keeps a reader's objection to a line of their own ledger.
///
/// # Errors
/// `NotFound`, also for somebody else's line; `State` for a line that is too old, gives points, was undone or cannot be, or was objected
/// to; a failure of the store.
pub async fn appeal_credit_entry(
    store: &Arc<Store>,
    caller: &Caller,
    command: AppealCreditEntry,
    key: Option<IdempotencyKey>,
) -> Result<Once<CreditAppealView>> {
    caller.require_somewhere(Right::AppealCredit)?;
    once(store, caller, key, 2 + IDS_PER_POSTING, command, appeal).await
}

fn appeal(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &AppealCreditEntry,
    mut ids: IdRun,
) -> Result<CreditAppealView> {
    let unknown = || UseCaseError::NotFound("credit entry");
    let reader = caller.reader().ok_or(UseCaseError::Forbidden)?;
    let network = tx.network()?;
    let account = tx.lock_credit(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    let entry = tx
        .credit_entry(command.entry)?
        .filter(|entry| entry.reader_id == reader.get());
    let entry = entry.ok_or_else(unknown)?;
    let now = tx.now();
    let state = |reason: &str| Err(UseCaseError::State(format!("entry {}: {reason}", entry.id)));
    if entry.points >= 0 {
        return state("it took no points");
    }
    if entry.undone_by.is_some() {
        return state("it was undone already");
    }
    if check_reversible(&entry).is_err() {
        return state("it follows from another line, or from a document: ask at a desk");
    }
    if now - from_millis(entry.posted_at) > TimeDelta::days(APPEAL_DAYS) {
        return state(&format!("it is older than {APPEAL_DAYS} days"));
    }
    if tx.appeal_of_entry(entry.id)?.is_some() {
        return state("there was an appeal against it");
    }
    let id = ids.next();
    tx.insert_appeal(id, entry.id, reader, &command.reason, now)?;
    let mut books = Books {
        tx,
        network: &network,
        rules: programme(&network)?,
        caller,
        now,
        ids: &mut ids,
    };
    let detail = json!({"appeal_id": id, "entry_id": entry.id});
    books.tell(&account, EventKind::CreditAppealed, detail, None)?;
    view(tx, id)
}

fn view(tx: &mut WriteTx<'_>, id: i64) -> Result<CreditAppealView> {
    let row = tx.appeal(id)?.ok_or(UseCaseError::NotFound("credit appeal"))?;
    Ok(CreditAppealView::from(row))
}

/// Lists the appeals that wait, the oldest first.
///
/// # Errors
/// `Forbidden`; a failure of the store.
pub async fn list_credit_appeals(
    store: &Arc<Store>,
    caller: &Caller,
    page: PageRequest,
) -> Result<Page<CreditAppealView>> {
    caller.require_somewhere(Right::ManageCredit)?;
    store
        .read(move |tx| {
            let rows = tx.open_appeals(page.after_id(), page.fetch())?;
            Ok(page.cut(rows, |row| row.id).map(CreditAppealView::from))
        })
        .await
}

/// What is decided.
#[derive(Debug, Clone)]
pub struct DecideCreditAppeal {
    pub appeal: i64,
    /// The line is undone.
    pub upheld: bool,
    /// The reader reads it.
    pub answer: String,
}

/// Decides an appeal.
///
/// # Errors
/// `NotFound`; `State` for one that is decided; `Forbidden`; a failure of the store.
pub async fn decide_credit_appeal(
    store: &Arc<Store>,
    caller: &Caller,
    command: DecideCreditAppeal,
    key: Option<IdempotencyKey>,
) -> Result<Once<CreditAppealView>> {
    caller.require_somewhere(Right::ManageCredit)?;
    once(store, caller, key, 2 * IDS_PER_POSTING + 1, command, decide).await
}

fn decide(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &DecideCreditAppeal,
    mut ids: IdRun,
) -> Result<CreditAppealView> {
    let network = tx.network()?;
    caller.require(Right::ManageCredit, caller.working_unit()?, &network)?;
    let appeal = tx
        .appeal(command.appeal)?
        .ok_or(UseCaseError::NotFound("credit appeal"))?;
    let reader = ReaderId::new(appeal.reader_id);
    let account = tx.lock_credit(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    let now = tx.now();
    if !tx.decide_appeal(appeal.id, command.upheld, caller.staff(), &command.answer, now)? {
        return Err(UseCaseError::State(format!("appeal {} is decided already", appeal.id)));
    }
    let detail = json!({"appeal_id": appeal.id, "entry_id": appeal.entry_id, "upheld": command.upheld});
    let mut books = Books {
        tx,
        network: &network,
        rules: programme(&network)?,
        caller,
        now,
        ids: &mut ids,
    };
    books.tell(&account, EventKind::CreditAppealDecided, detail, None)?;
    // Undone meanwhile, it is as the reader wished.
    let entry = tx.credit_entry(appeal.entry_id)?;
    if command.upheld && entry.is_some_and(|entry| entry.undone_by.is_none()) {
        reverse(tx, caller, appeal.entry_id, &command.answer, ids)?;
    }
    view(tx, appeal.id)
}
