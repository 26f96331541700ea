//! Staff give an item up: its loan ends as lost, and with it what the reader has to answer for begins.
//! Not for: what it costs; the event says what a bill needs.

use std::sync::Arc;

use serde_json::json;

use super::confirm_loan::seen_elsewhere;
use super::once::once;
use super::record::{self, Consent, IDS_PER_VERB, Ledger};
use super::report_item::{ItemLifeOutcome, append, leave, obstacle};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::check_in::overdue_days;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{BibId, ItemId};
use crate::domain::item_life::{self, ItemAct};
use crate::domain::loan_life::{self, LoanAct};
use crate::domain::network::Network;
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::loans::{LoadedLoan, LoanEnd};
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct DeclareLost {
    pub item: ItemId,
    pub reason: String,
}

/// Declares an item lost: one that is on loan, claimed returned, or missing.
///
/// # Errors
/// `State` in any other state; `NotFound`; `Forbidden`; a failure of the store.
pub async fn declare_lost(
    store: &Arc<Store>,
    caller: &Caller,
    command: DeclareLost,
    key: Option<IdempotencyKey>,
) -> Result<Once<ItemLifeOutcome>> {
    caller.require_somewhere(Right::SettleLoan)?;
    once(store, caller, key, IDS_PER_VERB, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &DeclareLost, mut ids: IdRun) -> Result<ItemLifeOutcome> {
    let network = tx.network()?;
    let unit = caller.working_unit()?;
    caller.require(Right::SettleLoan, unit, &network)?;
    let missing = || UseCaseError::NotFound("item");
    let known = tx.item_view(command.item)?.ok_or_else(missing)?;
    let candidate = Candidate::known(command.item, BibId::new(known.bib_id));
    let item = tx.lock_item(candidate, &network)?.ok_or_else(missing)?;
    let plan = item_life::decide(&item.facts, ItemAct::DeclareLost, item.loan.is_some()).map_err(obstacle)?;
    if let Some(loaded) = &item.loan {
        loan_life::decide(&loaded.loan, item.facts.status, LoanAct::DeclareLost).map_err(obstacle)?;
        tx.lock_readers(&[loaded.loan.reader])?;
    }
    let act = record::act_of(caller, unit, &network, &Consent::default(), None);
    let now = record::now_for(tx, &item.facts);
    let mut ledger = Ledger {
        tx,
        caller,
        act: &act,
        item: &item.facts,
        now,
        ids: &mut ids,
    };
    leave(&mut ledger, &plan)?;
    match &item.loan {
        Some(loaded) => end_loan(&mut ledger, loaded, &network, &command.reason)?,
        None => {
            let detail = json!({"was": item.facts.status.code()});
            append(&mut ledger, EventKind::ItemLost, detail, Some(&command.reason))?;
        }
    }
    Ok(ItemLifeOutcome {
        lost_loan_id: item.loan.as_ref().map(|loaded| loaded.loan.id.get()),
        ..ItemLifeOutcome::of(tx, command.item, &network)?
    })
}

fn end_loan(ledger: &mut Ledger<'_, '_>, loaded: &LoadedLoan, network: &Network, reason: &str) -> Result<()> {
    let loan = &loaded.loan;
    ledger
        .tx
        .close_loan(loan.id, LoanEnd::Lost, ledger.now, ledger.act.unit)?;
    seen_elsewhere(ledger, loaded)?;
    let band = AgeBand::from_code(&loaded.age_band).unwrap_or(AgeBand::Unknown);
    let detail = json!({"loan_id": loan.id, "lent_at_unit_id": loan.unit, "was": ledger.item.status.code(),
        "overdue_days": overdue_days(network, loan, ledger.now)});
    let event = ledger
        .event(EventKind::LoanLost)
        .of_reader(loan.reader, loan.category, band)
        .detail(detail)
        .personal(json!({"note": reason}));
    ledger.append_event(&event)
}
