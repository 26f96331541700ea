//! Cancelling a hold: the reader leaves the queue; a copy set aside goes on to the next one or home.

use std::sync::Arc;

use super::end_hold::{Ending, end_hold, find_hold};
use super::once::once;
use super::record::{self, Consent, IDS_PER_VERB};
use super::view::{HoldOutcome, HoldView, NextStepView, refusal_views};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::cancel_hold::Plan;
use crate::domain::ids::HoldId;
use crate::domain::network::Network;
use crate::store::holds::{HoldEnd, LoadedHold};
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CancelHold {
    pub hold: HoldId,
    pub consent: Consent,
}

/// Cancels a hold; a reader only its own.
///
/// # Errors
/// `NotFound` for an unknown hold or another reader's; `Refused` with every reason; a failure of the store.
pub async fn cancel_hold(
    store: &Arc<Store>,
    caller: &Caller,
    command: CancelHold,
    key: Option<IdempotencyKey>,
) -> Result<Once<HoldOutcome>> {
    caller.require_somewhere(Right::CancelHold)?;
    once(store, caller, key, IDS_PER_VERB, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &CancelHold, mut ids: IdRun) -> Result<HoldOutcome> {
    let network = tx.network()?;
    let hold = find_hold(tx, caller, command.hold)?;
    let unit = caller.unit.unwrap_or(hold.facts.pickup);
    caller.require(Right::CancelHold, unit, &network)?;
    let act = record::act_of(caller, unit, &network, &command.consent, None);
    let ending = Ending {
        caller,
        act: &act,
        consent: &command.consent,
        network: &network,
        hold: &hold,
        how: HoldEnd::Cancelled,
    };
    let plan = end_hold(tx, &ending, &mut ids)?;
    outcome(tx, &plan, &hold, &network)
}

fn outcome(tx: &mut WriteTx<'_>, plan: &Plan, hold: &LoadedHold, network: &Network) -> Result<HoldOutcome> {
    let row = tx.hold_view(hold.facts.id)?.ok_or(UseCaseError::NotFound("hold"))?;
    Ok(HoldOutcome {
        hold: HoldView::of(row, None, network),
        notices: refusal_views(&plan.passed.notices),
        overridden: record::overridden_codes(&plan.passed),
        next_step: plan
            .item_moves
            .as_ref()
            .map(|moves| NextStepView::of(&moves.next_step, network)),
    })
}
