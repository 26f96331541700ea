//! Staff call an item back that somebody needs: its loan is due earlier, within what every reader is promised, and is not
//! renewed any more. Not for: telling the reader, which reads the event.

use std::sync::Arc;

use serde_json::{Value, json};

use super::once::once;
use super::record::{self, Consent, IDS_PER_VERB, Ledger};
use super::report_item::obstacle;
use super::view::{LoanOutcome, LoanView};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{BibId, ItemId};
use crate::domain::recall::{self, Guarantee, Plan};
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::loans::LoadedLoan;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RecallItem {
    pub item: ItemId,
    pub reason: String,
    pub guarantee: Guarantee,
}

/// Recalls the loan of an item.
///
/// # Errors
/// `State` when it is not on loan, or recalled or claimed returned already; `NotFound`; `Forbidden`; a failure of the store.
pub async fn recall_item(
    store: &Arc<Store>,
    caller: &Caller,
    command: RecallItem,
    key: Option<IdempotencyKey>,
) -> Result<Once<LoanOutcome>> {
    caller.require_somewhere(Right::SettleLoan)?;
    once(store, caller, key, IDS_PER_VERB, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &RecallItem, mut ids: IdRun) -> Result<LoanOutcome> {
    let network = tx.network()?;
    let unit = caller.working_unit()?;
    caller.require(Right::SettleLoan, unit, &network)?;
    let missing = || UseCaseError::NotFound("item");
    let known = tx.item_view(command.item)?.ok_or_else(missing)?;
    let candidate = Candidate::known(command.item, BibId::new(known.bib_id));
    let item = tx.lock_item(candidate, &network)?.ok_or_else(missing)?;
    let not_lent = || UseCaseError::State(format!("the item is {}, not on loan", item.facts.status.code()));
    let loaded = item.loan.as_ref().ok_or_else(not_lent)?;
    let now = record::now_for(tx, &item.facts);
    let plan = recall::decide(&network, &loaded.loan, item.facts.status, command.guarantee, now).map_err(obstacle)?;
    let act = record::act_of(caller, unit, &network, &Consent::default(), None);
    let mut ledger = Ledger {
        tx,
        caller,
        act: &act,
        item: &item.facts,
        now,
        ids: &mut ids,
    };
    carry_out(&mut ledger, loaded, &plan, json!({"note": command.reason}))?;
    let row = tx.loan_view(loaded.loan.id)?.ok_or(UseCaseError::NotFound("loan"))?;
    Ok(LoanOutcome {
        loan: LoanView::of(row, &network),
        notices: Vec::new(),
        overridden: Vec::new(),
    })
}

/// Recalls a loan and says so; `personal` is what staff wrote.
pub(super) fn carry_out(ledger: &mut Ledger<'_, '_>, loaded: &LoadedLoan, plan: &Plan, personal: Value) -> Result<()> {
    let loan = &loaded.loan;
    let earlier = plan.earlier.then_some(plan.due_at);
    ledger.tx.recall_loan(loan.id, earlier, ledger.now)?;
    let band = AgeBand::from_code(&loaded.age_band).unwrap_or(AgeBand::Unknown);
    let detail = json!({"loan_id": loan.id, "due_at": plan.due_at.timestamp_millis(),
        "was_due_at": loan.due_at.timestamp_millis()});
    let event = ledger
        .event(EventKind::LoanRecalled)
        .of_reader(loan.reader, loan.category, band)
        .detail(detail)
        .personal(personal);
    ledger.append_event(&event)
}
