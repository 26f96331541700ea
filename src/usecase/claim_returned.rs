//! A reader says that an item was given back, though the loan is open; and staff who do not believe it. The loan stays open
//! and counts until the item is found (a check-in ends it as of then), the claim is rejected, or the item is declared lost.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::once::once;
use super::record::{self, Consent, IDS_PER_VERB, Ledger};
use super::renew_loan::find;
use super::report_item::obstacle;
use super::view::{LoanOutcome, LoanView};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::LoanId;
use crate::domain::item::ItemStatus;
use crate::domain::loan_life::{self, LoanAct};
use crate::store::ids::IdRun;
use crate::store::item_lock::LoadedItem;
use crate::store::loans::LoadedLoan;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ClaimReturned {
    pub loan: LoanId,
    /// When it was given back, as the reader says; now if absent.
    pub returned_at: Option<DateTime<Utc>>,
    /// Where and to whom, in words.
    pub note: Option<String>,
}

/// Records a claim; a reader's own loans only.
///
/// # Errors
/// `NotFound` for an unknown loan or another reader's; `State` for an ended or claimed one; `Invalid` for a moment before
/// the loan or after now; a failure of the store.
pub async fn claim_returned(
    store: &Arc<Store>,
    caller: &Caller,
    command: ClaimReturned,
    key: Option<IdempotencyKey>,
) -> Result<Once<LoanOutcome>> {
    caller.require_somewhere(Right::ClaimReturned)?;
    let work = |tx: &mut WriteTx<'_>, who: &Caller, command: &ClaimReturned, ids| {
        apply(tx, who, command, Right::ClaimReturned, LoanAct::ClaimReturned, ids)
    };
    once(store, caller, key, IDS_PER_VERB, command, work).await
}

/// Takes a claim off a loan: the item is out as before.
///
/// # Errors
/// As [`claim_returned`]; `State` where there is no claim.
pub async fn reject_claim(
    store: &Arc<Store>,
    caller: &Caller,
    loan: LoanId,
    note: String,
    key: Option<IdempotencyKey>,
) -> Result<Once<LoanOutcome>> {
    caller.require_somewhere(Right::SettleLoan)?;
    let command = ClaimReturned {
        loan,
        returned_at: None,
        note: Some(note),
    };
    let work = |tx: &mut WriteTx<'_>, who: &Caller, command: &ClaimReturned, ids| {
        apply(tx, who, command, Right::SettleLoan, LoanAct::RejectClaim, ids)
    };
    once(store, caller, key, IDS_PER_VERB, command, work).await
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &ClaimReturned,
    right: Right,
    loan_act: LoanAct,
    mut ids: IdRun,
) -> Result<LoanOutcome> {
    let network = tx.network()?;
    if let Some(unit) = caller.unit {
        caller.require(right, unit, &network)?;
    }
    let (item, loaded, _) = find(tx, caller, command.loan, &network)?;
    let loaded = loaded.ok_or_else(|| UseCaseError::State("the loan has ended".to_owned()))?;
    // A reader at home claims as at the unit of the loan.
    let unit = caller.unit.unwrap_or(loaded.loan.unit);
    caller.require(right, unit, &network)?;
    let now = record::now_for(tx, &item.facts);
    loan_life::decide(&loaded.loan, item.facts.status, loan_act).map_err(obstacle)?;
    let act = record::act_of(caller, unit, &network, &Consent::default(), None);
    let mut ledger = Ledger {
        tx,
        caller,
        act: &act,
        item: &item.facts,
        now,
        ids: &mut ids,
    };
    carry_out(&mut ledger, &item, &loaded, command, loan_act)?;
    let row = tx.loan_view(command.loan)?.ok_or(UseCaseError::NotFound("loan"))?;
    Ok(LoanOutcome {
        loan: LoanView::of(row, &network),
        notices: Vec::new(),
        overridden: Vec::new(),
    })
}

fn carry_out(
    ledger: &mut Ledger<'_, '_>,
    item: &LoadedItem,
    loaded: &LoadedLoan,
    command: &ClaimReturned,
    loan_act: LoanAct,
) -> Result<()> {
    let loan = &loaded.loan;
    let (kind, status, claimed) = if loan_act == LoanAct::RejectClaim {
        (EventKind::ClaimRejected, ItemStatus::OnLoan, None)
    } else {
        let at = claimed_at(command.returned_at, loaded, ledger.now)?;
        (EventKind::LoanClaimedReturned, ItemStatus::ClaimedReturned, Some(at))
    };
    ledger.tx.claim_returned(loan.id, claimed)?;
    ledger.place(status, item.facts.current)?;
    let band = AgeBand::from_code(&loaded.age_band).unwrap_or(AgeBand::Unknown);
    let event = ledger
        .event(kind)
        .of_reader(loan.reader, loan.category, band)
        .detail(json!({"loan_id": loan.id, "claimed_returned_at": claimed.map(|at| at.timestamp_millis())}));
    let event = match &command.note {
        Some(note) => event.personal(json!({"note": note})),
        None => event,
    };
    ledger.append_event(&event)
}

/// Within the loan.
fn claimed_at(given: Option<DateTime<Utc>>, loaded: &LoadedLoan, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let at = given.unwrap_or(now);
    if at > now {
        return Err(UseCaseError::field("returned_at", "lies in the future"));
    }
    if at < loaded.loan.loaned_at {
        return Err(UseCaseError::field("returned_at", "lies before the loan began"));
    }
    Ok(at)
}
