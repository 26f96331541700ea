//! Receiving a transit: the item has arrived where it was sent, and a check-in decides what comes next.

use std::sync::Arc;

use super::check_in::{Arrival, Told, take_back};
use super::record::{self, Consent, IDS_PER_VERB};
use super::view::CheckInOutcome;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::{TransitId, UnitId};
use crate::store::item_lock::Candidate;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ReceiveTransit {
    pub transit: TransitId,
    pub consent: Consent,
}

/// Takes in an item that was on its way to the caller's unit.
///
/// # Errors
/// `NotFound`; `State` when the transit has ended or goes elsewhere; else as a check-in.
pub async fn receive_transit(
    store: &Arc<Store>,
    caller: &Caller,
    command: ReceiveTransit,
    key: Option<IdempotencyKey>,
) -> Result<Once<CheckInOutcome>> {
    caller.require_somewhere(Right::ReceiveTransit)?;
    let unit = caller.working_unit()?;
    let ids = store.take_ids::<UseCaseError>(IDS_PER_VERB).await?;
    let who = caller.clone();
    let claim = key.map(|key| key.claim(caller));
    store
        .write_once(claim, move |tx| {
            let network = tx.network()?;
            who.require(Right::ReceiveTransit, unit, &network)?;
            let found = tx.item_of_transit(command.transit)?;
            let (id, bib_id) = found.ok_or(UseCaseError::NotFound("transit"))?;
            let candidate = Candidate::known(id, bib_id);
            // Locks the item first, so that two receivers meet here and not at the unique index.
            let item = tx
                .lock_item(candidate.clone(), &network)?
                .ok_or(UseCaseError::NotFound("item"))?;
            let open = item.facts.transit.filter(|open| open.id == command.transit);
            let Some(open) = open else {
                return Err(UseCaseError::State("the transit has already ended".into()));
            };
            if open.to != unit {
                return Err(UseCaseError::State(format!(
                    "the transit goes to {}",
                    name(&network, open.to)
                )));
            }
            let act = record::act_of(&who, unit, &network, &command.consent, None);
            let arrival = Arrival {
                caller: &who,
                act: &act,
                network: &network,
                consent: &command.consent,
                returned_at: None,
                parcel: None,
                into: None,
                told: Told::Now,
            };
            take_back(tx, &arrival, candidate, ids.clone())
        })
        .await
}

fn name(network: &crate::domain::network::Network, unit: UnitId) -> String {
    super::view::unit_code(network, unit.get())
}
