//! Void: a loan that should not have been. It is undone, not returned: no hold is filled, nothing counts.

use std::sync::Arc;

use serde_json::json;

use super::acting_device::require_at_work;
use super::alarm;
use super::once::once;
use super::record::{self, About, Consent, IDS_PER_VERB, Ledger, settle};
use super::renew_loan::find;
use super::view::{LoanOutcome, LoanView, refusal_views};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::device_heartbeat::AlarmKind;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{LoanId, ReaderId, UnitId};
use crate::domain::network::Network;
use crate::domain::refusal::Verb;
use crate::domain::two_phase::LoanPhase;
use crate::domain::void_loan::{self, Facts, FilledHold, Plan, RestoresHold};
use crate::store::ids::IdRun;
use crate::store::item_lock::LoadedItem;
use crate::store::loans::{LoadedLoan, LoanEnd};
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct VoidLoan {
    pub loan: LoanId,
    /// Why: a door that jammed, a tag that was not switched, a wrong card.
    pub reason: String,
    pub consent: Consent,
}

/// Undoes a loan.
///
/// # Errors
/// `NotFound` for an unknown loan; `Refused` with every reason; a failure of the store.
pub async fn void_loan(
    store: &Arc<Store>,
    caller: &Caller,
    command: VoidLoan,
    key: Option<IdempotencyKey>,
) -> Result<Once<LoanOutcome>> {
    caller.require_somewhere(Right::VoidLoan)?;
    once(store, caller, key, IDS_PER_VERB, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &VoidLoan, mut ids: IdRun) -> Result<LoanOutcome> {
    let network = tx.network()?;
    let unit = caller.working_unit()?;
    caller.require(Right::VoidLoan, unit, &network)?;
    require_at_work(tx, caller)?;
    if command.reason.trim().is_empty() {
        return Err(UseCaseError::field("reason", "must say why the loan is undone"));
    }
    let (item, loaded, reader) = find(tx, caller, command.loan, &network)?;
    let undoing = Undoing {
        caller,
        unit,
        network: &network,
        consent: &command.consent,
        reason: &command.reason,
        by: "person",
    };
    let plan = undo(tx, &undoing, &item, loaded.as_ref(), reader, &mut ids)?;
    let row = tx.loan_view(plan.loan)?.ok_or(UseCaseError::NotFound("loan"))?;
    Ok(LoanOutcome {
        loan: LoanView::of(row, &network),
        notices: refusal_views(&plan.passed.notices),
        overridden: record::overridden_codes(&plan.passed),
    })
}

/// Who undoes a loan where, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Undoing<'a> {
    pub caller: &'a Caller,
    pub unit: UnitId,
    pub network: &'a Network,
    pub consent: &'a Consent,
    pub reason: &'a str,
    /// Whose word it is where a machine has not confirmed the loan.
    pub by: &'static str,
}

/// The whole of a void once the item is locked; locks the reader.
pub(super) fn undo(
    tx: &mut WriteTx<'_>,
    undoing: &Undoing<'_>,
    item: &LoadedItem,
    loaded: Option<&LoadedLoan>,
    reader: ReaderId,
    ids: &mut IdRun,
) -> Result<Plan> {
    let Undoing {
        caller,
        unit,
        network,
        consent,
        ..
    } = *undoing;
    tx.lock_readers(&[reader])?;
    let filled = match loaded {
        Some(loaded) => filled_hold(tx, loaded)?,
        None => None,
    };
    let act = record::act_of(caller, unit, network, consent, None);
    let now = record::now_for(tx, &item.facts);
    let facts = Facts {
        act: &act,
        network,
        item: &item.facts,
        loan: loaded.map(|loaded| &loaded.loan),
        filled_hold: filled.as_ref(),
    };
    let about = About::item(caller, Verb::VoidLoan, Some(reader), &item.facts);
    let plan = settle(consent, &about, &act, now, |act| {
        void_loan::decide(&Facts { act, ..facts }, now)
    })?;
    let loaded = loaded.ok_or(UseCaseError::NotFound("loan"))?;
    let mut ledger = Ledger {
        tx,
        caller,
        act: &act,
        item: &item.facts,
        now,
        ids,
    };
    carry_out(&mut ledger, &plan, loaded, undoing)?;
    if loaded.loan.unconfirmed {
        tx.set_loan_phase(plan.loan, LoanPhase::Voided, Some((undoing.by, now)))?;
        if let Some(asked) = tx.confirmation(plan.loan)? {
            alarm::clear(tx, asked.device, AlarmKind::LoanUnconfirmed, &plan.loan.to_string())?;
        }
    }
    Ok(plan)
}

/// The hold the loan filled, unless the reader waits for the same again: then that one stands, and the old one stays filled.
fn filled_hold(tx: &mut WriteTx<'_>, loaded: &LoadedLoan) -> Result<Option<FilledHold>> {
    let Some(id) = loaded.filled_hold else { return Ok(None) };
    let Some(old) = tx.hold(id)? else { return Ok(None) };
    let target = (old.facts.target.item(), old.facts.target.volume());
    let open = tx.open_holds_on_bib(loaded.loan.reader, old.bib)?;
    if open.iter().any(|hold| (hold.item, hold.volume) == target) {
        return Ok(None);
    }
    Ok(tx.filled_hold(id)?)
}

fn carry_out(ledger: &mut Ledger<'_, '_>, plan: &Plan, loaded: &LoadedLoan, undoing: &Undoing<'_>) -> Result<()> {
    let loan = &loaded.loan;
    ledger
        .tx
        .close_loan(plan.loan, LoanEnd::Voided, ledger.now, ledger.act.unit)?;
    match plan.restores_hold {
        None => {}
        Some(RestoresHold::Waiting(hold)) => ledger.tx.reopen_hold(hold, ledger.item.bib_id, loan.reader, None)?,
        Some(RestoresHold::Captured { hold, until, is_new }) => {
            let number = ledger.tx.next_shelf_number(plan.current)?;
            ledger
                .tx
                .reopen_hold(hold, ledger.item.bib_id, loan.reader, Some((number, until)))?;
            if is_new {
                let detail = json!({"hold_id": hold, "pickup_unit_id": plan.current, "shelf_number": number,
                    "shelf_until": until});
                ledger.append(EventKind::HoldReady, detail)?;
            }
        }
    }
    ledger.place(plan.item_status, plan.current)?;
    let loan_day = ledger.tx.day_of(loan.loaned_at).to_string();
    // The statistics take the loan back where it was counted: see `store::seals`.
    let detail = json!({"loan_id": loan.id, "loan_day": loan_day, "loan_unit_id": loan.unit,
        "loan_channel": loan.channel.code(), "consent": record::consent_detail(&plan.passed)});
    let band = AgeBand::from_code(&loaded.age_band).unwrap_or(AgeBand::Unknown);
    let event = ledger
        .event(EventKind::LoanVoided)
        .of_reader(loan.reader, loan.category, band);
    let event = event
        .detail(detail)
        .personal(match record::consent_reason(&plan.passed, undoing.consent) {
            serde_json::Value::Null => json!({"reason": undoing.reason}),
            passed => json!({"reason": undoing.reason, "override_reason": passed["override_reason"]}),
        });
    ledger.append_event(&event)
}
