//! Staff post to a reader's ledger: by a rule (damage, loss, volunteer hours), or so many points with a reason.

use std::sync::Arc;

use serde_json::json;

use super::credit_ledger::{Books, IDS_PER_POSTING, Line, programme};
use super::credit_view::{CreditOutcome, outcome_of};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::credit::{CreditEvent, EntryCause, EntryKind};
use crate::domain::event::EventKind;
use crate::domain::ids::{ReaderId, StaffId};
use crate::domain::network::Network;
use crate::store::credit::CreditReason;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// The most that staff may post at once.
pub const MOST_POINTS: i64 = 1_000;

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// What the rule of an event says, so many times.
    ByRule {
        event: CreditEvent,
        quantity: u32,
    },
    Points(i64),
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct PostCreditEntry {
    pub reader: ReaderId,
    pub amount: Amount,
    /// The loan it is about, open or not.
    pub loan: Option<i64>,
    /// Kept with the line; the reader reads it.
    pub reason: String,
}

/// Posts to a reader's ledger.
///
/// # Errors
/// `NotFound` for an unknown reader; `Invalid` for a loan of somebody else, an event without a rule, or points that are none;
/// `State` without a programme; `Forbidden`; a failure of the store.
pub async fn post_credit_entry(
    store: &Arc<Store>,
    caller: &Caller,
    command: PostCreditEntry,
    key: Option<IdempotencyKey>,
) -> Result<Once<CreditOutcome>> {
    caller.require_somewhere(Right::ManageCredit)?;
    once(store, caller, key, IDS_PER_POSTING + 1, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &PostCreditEntry, mut ids: IdRun) -> Result<CreditOutcome> {
    let network = tx.network()?;
    caller.require(Right::ManageCredit, caller.working_unit()?, &network)?;
    check(tx, &network, command)?;
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
    let mut line = Line {
        kind: EntryKind::Staff,
        event: None,
        cause: EntryCause::Staff,
        day: network.local_day(now),
        reason: CreditReason {
            loan_id: command.loan,
            hold_id: None,
            staff_id: caller.staff().map(StaffId::get),
            note: Some(command.reason.clone()),
        },
    };
    let entry = match command.amount {
        Amount::Points(points) => books.by_hand(&mut account, points, line)?,
        Amount::ByRule { event, quantity } => {
            line.kind = EntryKind::Rule;
            line.event = Some(event);
            books.by_rule(&mut account, quantity, line)?
        }
    };
    let detail = json!({"entry_id": entry, "balance": account.balance, "band": account.band.code()});
    books.tell(&account, EventKind::CreditPosted, detail, None)?;
    outcome_of(tx, &network, command.reader, entry)
}

fn check(tx: &mut WriteTx<'_>, network: &Network, command: &PostCreditEntry) -> Result<()> {
    let rules = programme(network)?;
    match command.amount {
        Amount::Points(points) if points == 0 || points.abs() > MOST_POINTS => {
            let reason = format!("must be -{MOST_POINTS} to {MOST_POINTS}, and not 0");
            return Err(UseCaseError::field("points", reason));
        }
        Amount::ByRule { event, .. } if rules.rule(event).is_none() => {
            let known = rules
                .rules
                .iter()
                .flat_map(|rule| &rule.events)
                .map(|event| event.code());
            let known: Vec<&str> = known.collect();
            let reason = format!("the programme has no rule for it; there are {}", known.join(", "));
            return Err(UseCaseError::field("event", reason));
        }
        Amount::Points(_) | Amount::ByRule { .. } => {}
    }
    if let Some(loan) = command.loan
        && tx.reader_of_loan(loan)? != Some(command.reader)
    {
        return Err(UseCaseError::field("loan_id", "is no loan of this reader"));
    }
    Ok(())
}
