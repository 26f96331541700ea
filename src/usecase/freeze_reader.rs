//! Staff freeze a reader, and lift freezes: by decision, or because a quiz or volunteer work has earned it.

use std::sync::Arc;

use chrono::NaiveDate;

use super::credit_ledger::{Books, IDS_PER_POSTING, programme};
use super::credit_view::{CreditOutcome, outcome_of};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::calendar::end_of_day;
use crate::domain::ids::ReaderId;
use crate::domain::reader::CreditBand;
use crate::store::credit::freezes::{FreezeCause, FreezeEnd, FreezeRow};
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Freezes open at once, of all causes.
pub(super) const MOST_FREEZES: usize = 50;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct FreezeReader {
    pub reader: ReaderId,
    /// The last frozen day; `None`: until it is lifted.
    pub until: Option<NaiveDate>,
    pub reason: String,
}

/// Freezes a reader. Open loans stay as they are.
///
/// # Errors
/// `NotFound`; `Invalid` for a day that has passed; `State` when staff have frozen the reader already, or there is no programme;
/// `Forbidden`; a failure of the store.
pub async fn freeze_reader(
    store: &Arc<Store>,
    caller: &Caller,
    command: FreezeReader,
    key: Option<IdempotencyKey>,
) -> Result<Once<CreditOutcome>> {
    caller.require_somewhere(Right::ManageCredit)?;
    once(store, caller, key, IDS_PER_POSTING + 2, command, freeze).await
}

fn freeze(tx: &mut WriteTx<'_>, caller: &Caller, command: &FreezeReader, mut ids: IdRun) -> Result<CreditOutcome> {
    let network = tx.network()?;
    caller.require(Right::ManageCredit, caller.working_unit()?, &network)?;
    let now = tx.now();
    if command.until.is_some_and(|day| day < network.local_day(now)) {
        return Err(UseCaseError::field("until", "lies in the past"));
    }
    let mut books = Books {
        tx,
        network: &network,
        rules: programme(&network)?,
        caller,
        now,
        ids: &mut ids,
    };
    let mut account = books.open(command.reader)?;
    let open = books.tx.open_freezes(command.reader)?;
    if open.iter().any(|one| one.cause == FreezeCause::Staff.code()) || open.len() >= MOST_FREEZES {
        return Err(UseCaseError::State(
            "the reader is frozen already: lift that first".to_owned(),
        ));
    }
    let mut row = FreezeRow::new(books.ids.next(), command.reader, FreezeCause::Staff, now);
    row.until = command
        .until
        .map(|day| end_of_day(network.zone(), day).timestamp_millis());
    row.note = Some(command.reason.clone());
    books.freeze(&mut account, &row)?;
    outcome_of(tx, &network, command.reader, None)
}

/// What has earned it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThawBecause {
    /// Staff decide so: every freeze ends.
    Decision,
    /// A quiz was passed: freezes that allow for it end.
    Quiz,
    /// The hours were worked: freezes that allow for it end.
    Work,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ThawReader {
    pub reader: ReaderId,
    pub because: ThawBecause,
    pub reason: String,
}

/// Lifts freezes of a reader.
///
/// # Errors
/// `NotFound`; `State` when there is nothing to lift, or what there is does not end that way; `Forbidden`; a failure of the store.
pub async fn thaw_reader(
    store: &Arc<Store>,
    caller: &Caller,
    command: ThawReader,
    key: Option<IdempotencyKey>,
) -> Result<Once<CreditOutcome>> {
    caller.require_somewhere(Right::ManageCredit)?;
    let ids = IDS_PER_POSTING * (1 + i64::try_from(MOST_FREEZES).unwrap_or(i64::MAX));
    once(store, caller, key, ids, command, thaw).await
}

fn thaw(tx: &mut WriteTx<'_>, caller: &Caller, command: &ThawReader, mut ids: IdRun) -> Result<CreditOutcome> {
    let network = tx.network()?;
    caller.require(Right::ManageCredit, caller.working_unit()?, &network)?;
    let now = tx.now();
    let mut books = Books {
        tx,
        network: &network,
        rules: programme(&network)?,
        caller,
        now,
        ids: &mut ids,
    };
    let mut account = books.open(command.reader)?;
    let open = books.tx.open_freezes(command.reader)?;
    let ends = |one: &&FreezeRow| match command.because {
        ThawBecause::Decision => true,
        ThawBecause::Quiz => one.quiz,
        ThawBecause::Work => one.minutes_needed.is_some(),
    };
    let how = match command.because {
        ThawBecause::Decision => FreezeEnd::Staff,
        ThawBecause::Quiz => FreezeEnd::Quiz,
        ThawBecause::Work => FreezeEnd::Work,
    };
    let ending: Vec<&FreezeRow> = open.iter().filter(ends).take(MOST_FREEZES).collect();
    // Frozen before there was a ledger: there is no row to end.
    let bare = open.is_empty() && account.band == CreditBand::Frozen && how == FreezeEnd::Staff;
    if ending.is_empty() && !bare {
        let reason = if open.is_empty() {
            "the reader is not frozen"
        } else {
            "no freeze of the reader ends this way"
        };
        return Err(UseCaseError::State(reason.to_owned()));
    }
    for freeze in ending {
        books.lift(&mut account, freeze, how, Some(command.reason.clone()))?;
    }
    if how == FreezeEnd::Staff {
        books.tx.excuse_overdue(command.reader)?;
    }
    if bare {
        let band = books.rules.band(account.balance);
        books.tx.set_credit_band(command.reader, band)?;
        account.band = band;
        let detail = serde_json::json!({"cause": "imported", "how": how.code(), "still_frozen": false});
        books.tell(
            &account,
            crate::domain::event::EventKind::ReaderThawed,
            detail,
            Some(command.reason.clone()),
        )?;
    }
    outcome_of(tx, &network, command.reader, None)
}
