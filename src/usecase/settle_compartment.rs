//! A person who has looked says what is in a compartment. What is said of it is said of the loan in question there, too.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::acting_device::{ActingDevice, device_of};
use super::compartment_record::{IDS, at_rest, keep, left};
use super::confirm_loan::{Teller, say};
use super::list_compartments::{CompartmentView, shown_one};
use super::once::once;
use super::opened_in_question::in_question;
use super::record;
use super::report_compartment::{ReportedBy, check_in_at};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::barcode::Barcode;
use crate::domain::compartment_life::{CompartmentState, CompartmentStep, step};
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, DeviceId, ItemId};
use crate::domain::item::ItemStatus;
use crate::domain::two_phase::Said;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::lockers::compartments::Compartment;
use crate::store::lockers::confirmations::Confirmation;
use crate::store::lockers::returns::ReturnRow;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is said.
#[derive(Debug, Clone)]
pub struct SettleCompartment {
    pub device: DeviceId,
    pub number: u16,
    /// The book that lies there; `None`: nothing does.
    pub found: Option<Barcode>,
    /// Says whose item, where a barcode means several.
    pub owner_unit_code: Option<String>,
    pub reason: String,
}

/// Settles what is in a compartment.
///
/// # Errors
/// `NotFound`; `CompartmentState` where nothing is in question; `Invalid` naming the field; a failure of the store.
pub async fn settle_compartment(
    store: &Arc<Store>,
    caller: &Caller,
    command: SettleCompartment,
    key: Option<IdempotencyKey>,
) -> Result<Once<CompartmentView>> {
    caller.require_somewhere(Right::SettleMachines)?;
    once(store, caller, key, IDS, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, asked: &SettleCompartment, mut ids: IdRun) -> Result<CompartmentView> {
    let device = device_of(tx, caller, asked.device, Right::SettleMachines)?;
    let seen = tx
        .compartment_at(device.id, asked.number)?
        .ok_or(UseCaseError::NotFound("compartment"))?;
    let reason = asked.reason.trim();
    if reason.is_empty() {
        return Err(UseCaseError::field(
            "reason",
            "must say who has looked, and what was seen",
        ));
    }
    let network = tx.network()?;
    let found = match &asked.found {
        Some(barcode) => {
            let owner = asked.owner_unit_code.as_deref();
            let item = record::find_item(tx, &network, barcode, owner)?;
            Some((item.id, item.bib_id))
        }
        None => None,
    };
    let taken = match found {
        Some(_) => CompartmentStep::SettleItem,
        None => CompartmentStep::SettleEmpty,
    };
    let state = step(seen.state, taken).map_err(UseCaseError::CompartmentState)?;
    if let Some((gone, asked_loan)) = told_of_loan(tx, &seen, found)? {
        let teller = Teller {
            caller,
            by: ReportedBy::Person,
            reason,
            at: tx.now(),
        };
        let said = if gone { Said::Taken } else { Said::NotTaken };
        say(tx, &teller, asked_loan.loan, said, &mut ids)?;
    }
    let back = tx.held_return(seen.id)?;
    if let Some((item, bib)) = found.filter(|(item, _)| seen.item != Some(*item) || seen.awaited.is_some()) {
        let returned_at = back.as_ref().and_then(ReturnRow::returned_at);
        arrive(tx, &device, &seen, (item, bib), returned_at, &mut ids)?;
    }
    if let Some(row) = back {
        let now = Some(tx.now().timestamp_millis());
        let row = match found {
            Some((item, _)) => row.became("checked_in", Some(item)),
            None => row,
        };
        tx.put_return(&ReturnRow { settled_at: now, ..row })?;
    }
    let item = found.map(|(item, _)| item);
    let after = settle(tx, &seen, (taken, state), item, &mut ids)?;
    let event = Event::new(
        EventKind::CompartmentSettled,
        tx.now(),
        device.unit,
        caller.own_channel(),
    )
    .by(caller.staff(), None)
    .detail(json!({"device_id": device.id, "number": seen.number, "was": seen.state, "item_id": item}))
    .personal(json!({"reason": reason}));
    tx.append_event(ids.next(), &event)?;
    shown_one(tx, &after)
}

/// The loan in question, and whether its book is gone.
fn told_of_loan(
    tx: &mut WriteTx<'_>,
    seen: &Compartment,
    found: Option<(ItemId, BibId)>,
) -> Result<Option<(bool, Confirmation)>> {
    let asked = tx.confirmation_of_turn(seen.device, seen.id, seen.turn)?;
    if let Some(asked) = asked.filter(|asked| asked.phase.is_open()) {
        return Ok(Some((is_gone(tx, &asked, found)?, asked)));
    }
    // Opened for a person since: only that the book is there says something of its loan.
    let Some(asked) = in_question(tx, seen)? else {
        return Ok(None);
    };
    let gone = is_gone(tx, &asked, found)?;
    Ok((!gone).then_some((gone, asked)))
}

/// Whether the book of the loan in question is gone: nothing is there, or another one.
fn is_gone(tx: &mut WriteTx<'_>, loan: &Confirmation, found: Option<(ItemId, BibId)>) -> Result<bool> {
    let of_loan = tx.item_of_loan(loan.loan)?.map(|(item, _, _)| item);
    Ok(found.is_none_or(|(item, _)| Some(item) != of_loan))
}

/// A book that nobody knew to be here is checked in: with the time of the receipt, where it was given back.
fn arrive(
    tx: &mut WriteTx<'_>,
    device: &ActingDevice,
    seen: &Compartment,
    (item, bib): (ItemId, BibId),
    returned_at: Option<DateTime<Utc>>,
    ids: &mut IdRun,
) -> Result<()> {
    let network = tx.network()?;
    let view = tx.item_view(item)?.ok_or(UseCaseError::NotFound("item"))?;
    let rests = [ItemStatus::OnShelf, ItemStatus::OnHoldShelf]
        .iter()
        .any(|status| status.code() == view.status);
    if !(rests && view.current_unit_id == device.unit.get()) {
        check_in_at(tx, device, seen, (item, bib), returned_at, &network, ids)?;
    }
    Ok(())
}

/// The compartment as a person says it is. Another one that was thought to have the book does not.
fn settle(
    tx: &mut WriteTx<'_>,
    seen: &Compartment,
    (taken, state): (CompartmentStep, CompartmentState),
    item: Option<ItemId>,
    ids: &mut IdRun,
) -> Result<Compartment> {
    if let Some(item) = item {
        let other = tx.compartment_with(item)?.map(|one| one.id).filter(|id| *id != seen.id);
        left(tx, other)?;
    }
    let after = at_rest(seen, state, item, tx.now());
    keep(tx, seen, &after, taken, ids)?;
    Ok(after)
}

/// What was said of a loan is said of its compartment, where nobody knows what is in it. A book that is gone lies in none. A machine that
/// was alone says no more of the door: what its journal says of the loan closes that, too.
pub(super) fn follow_loan(
    tx: &mut WriteTx<'_>,
    loan: &Confirmation,
    (gone, by): (bool, ReportedBy),
    ids: &mut IdRun,
) -> Result<()> {
    let Some(id) = loan.compartment else { return Ok(()) };
    let Some(seen) = tx.compartment(id)? else { return Ok(()) };
    if seen.turn != loan.turn {
        // Opened for a person since: its door tells what is inside. A book that was taken is not.
        let of_loan = tx.item_of_loan(loan.loan)?.map(|(item, _, _)| item);
        let lay_there = gone && seen.item.is_some() && seen.item == of_loan;
        return left(tx, lay_there.then_some(seen.id));
    }
    let alone = by == ReportedBy::Journal;
    let (taken, item) = match (seen.state, gone, seen.item) {
        (CompartmentState::HandingOut, true, _) if alone => (CompartmentStep::ClosedEmpty, None),
        (CompartmentState::HandingOut, false, Some(item)) if alone => (CompartmentStep::ClosedKnown, Some(item)),
        (CompartmentState::Unsure, true, _) => (CompartmentStep::SettleEmpty, None),
        (CompartmentState::Unsure, false, Some(item)) => (CompartmentStep::SettleItem, Some(item)),
        (CompartmentState::Held | CompartmentState::OutOfOrder, true, Some(_)) => {
            return left(tx, Some(seen.id));
        }
        _ => return Ok(()),
    };
    let state = step(seen.state, taken).map_err(UseCaseError::CompartmentState)?;
    settle(tx, &seen, (taken, state), item, ids)?;
    Ok(())
}
