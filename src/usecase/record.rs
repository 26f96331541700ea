//! What the circulation verbs share: finding and locking the item, the circumstances of an act, and carrying out what a
//! plan says about an item's way. Not for: deciding.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::error::OwnerChoice;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::act::{Act, Passed};
use crate::domain::barcode::{Barcode, CardNumber};
use crate::domain::cancel_hold::ItemMoves;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::hold::{CopyFacts, HoldCandidate};
use crate::domain::ids::{ItemId, TransitId, UnitId};
use crate::domain::item::{ItemFacts, ItemStatus};
use crate::domain::item_life::may_become;
use crate::domain::network::Network;
use crate::domain::reader::ReaderFacts;
use crate::domain::route::{Capture, NextStep};
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::transits::{NewTransit, TransitEnd};
use crate::store::tx::WriteTx;

/// Ids a circulation verb may use up: a loan or hold, a transit, the events, and the void of a loan in question.
pub const IDS_PER_VERB: i64 = 14;

pub use super::consent::{About, Consent, settle};

/// The circumstances of an act of this caller at a unit.
pub fn act_of(
    caller: &Caller,
    unit: UnitId,
    network: &Network,
    consent: &Consent,
    due_by_hand: Option<DateTime<Utc>>,
) -> Act {
    let may_override = caller.may(Right::OverrideRefusal, unit, network);
    Act {
        unit,
        channel: caller.channel(),
        device: caller.device(),
        session: None,
        may_override,
        overrides: consent.overrides.clone(),
        confirmed: consent.confirmed.clone(),
        may_set_due: may_override,
        due_by_hand,
    }
}

/// The one item a scan means.
///
/// # Errors
/// `Invalid` naming the field when nobody has the barcode; `Ambiguous` listing the owners when several have.
pub fn find_item(
    tx: &mut WriteTx<'_>,
    network: &Network,
    barcode: &Barcode,
    owner_unit_code: Option<&str>,
) -> Result<Candidate> {
    let owner = owner_of(network, owner_unit_code)?;
    let found = tx.items_by_barcode(barcode.as_str(), owner)?;
    the_one(network, found, "item_barcode", "no item has this barcode")
}

/// The one item whose tag was read.
///
/// # Errors
/// As [`find_item`].
pub fn find_item_by_tag(
    tx: &mut WriteTx<'_>,
    network: &Network,
    tag: &str,
    owner_unit_code: Option<&str>,
) -> Result<Candidate> {
    let owner = owner_of(network, owner_unit_code)?;
    let found = tx.items_by_tag(tag, owner)?;
    the_one(network, found, "item_tag", "no item has this tag")
}

fn owner_of(network: &Network, code: Option<&str>) -> Result<Option<UnitId>> {
    code.map(|code| unit_by_code(network, "owner_unit_code", code))
        .transpose()
}

fn the_one(network: &Network, mut found: Vec<Candidate>, field: &'static str, none: &str) -> Result<Candidate> {
    match found.as_slice() {
        [] => Err(UseCaseError::field(field, none)),
        [_] => Ok(found.swap_remove(0)),
        several => {
            let choices = several.iter().map(|candidate| {
                let unit = network.unit(candidate.owner);
                OwnerChoice {
                    item_id: candidate.id.get(),
                    owner_unit_code: unit.map(|unit| unit.code.clone()).unwrap_or_default(),
                    owner_unit_name: unit.map(|unit| unit.name.clone()).unwrap_or_default(),
                }
            });
            Err(UseCaseError::Ambiguous {
                field,
                choices: choices.collect(),
            })
        }
    }
}

/// A unit by its code.
///
/// # Errors
/// `Invalid` naming the field.
pub fn unit_by_code(network: &Network, field: &'static str, code: &str) -> Result<UnitId> {
    let unit = network.units().by_code(code);
    unit.map(|unit| unit.id)
        .ok_or_else(|| UseCaseError::field(field, "no unit has this code"))
}

/// Locks the reader a request is about: staff name a card, a reader speaks of itself.
///
/// # Errors
/// `Invalid` naming the field.
pub fn lock_whose(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    card_number: Option<&CardNumber>,
    network: &Network,
) -> Result<ReaderFacts> {
    if let Some(own) = caller.reader() {
        if card_number.is_some() {
            return Err(UseCaseError::field(
                "card_number",
                "a reader places holds for itself only",
            ));
        }
        return tx.lock_reader(own, network)?.ok_or(UseCaseError::NotFound("reader"));
    }
    let Some(card) = card_number else {
        return Err(UseCaseError::field("card_number", "must say whose hold it is"));
    };
    let found = tx.lock_reader_of_card(card.as_str(), network)?;
    found.ok_or_else(|| UseCaseError::field("card_number", "no reader holds this card"))
}

/// Now, but never before the item's last event: a clock that is wrong must not reorder what happened.
pub fn now_for(tx: &WriteTx<'_>, item: &ItemFacts) -> DateTime<Utc> {
    tx.now().max(item.last_event_at)
}

/// The first waiting hold a copy may fill; no statement when nobody waits for the bib.
pub fn next_hold(
    tx: &mut WriteTx<'_>,
    network: &Network,
    item: &LoadedItem,
    now: DateTime<Utc>,
) -> Result<Option<HoldCandidate>> {
    if item.open_holds_of_bib == 0 {
        return Ok(None);
    }
    let (copy, today) = (CopyFacts::of(&item.facts), network.local_day(now));
    // What was fetched from the shelf goes to the hold it was fetched for.
    if item.facts.status == ItemStatus::OnShelf
        && let Some(pulled) = tx.pulled_for(network, &copy, today)?
    {
        return Ok(Some(pulled));
    }
    Ok(tx.first_fillable(network, &copy, today)?)
}

/// The place a hold shelf would give next, when a hold may be put there.
pub fn shelf_number(
    tx: &mut WriteTx<'_>,
    item: &LoadedItem,
    next: Option<&HoldCandidate>,
    unit: UnitId,
) -> Result<u32> {
    let arrives = item.facts.captured_for.as_ref().is_some_and(|hold| hold.pickup == unit);
    let waits_here = next.is_some_and(|hold| hold.wish.pickup == unit);
    if arrives || waits_here {
        Ok(tx.next_shelf_number(unit)?)
    } else {
        Ok(1)
    }
}

/// What statistics keep of a reader's age.
pub fn age_band(reader: &ReaderFacts, network: &Network, now: DateTime<Utc>) -> AgeBand {
    AgeBand::on(reader.birth_date, network.local_day(now))
}

/// Overridden and confirmed codes, for the event: nothing personal.
pub fn consent_detail(passed: &Passed) -> Value {
    let codes = |list: &[crate::domain::refusal::Refusal]| -> Vec<&'static str> {
        list.iter().map(|refusal| refusal.code.code()).collect()
    };
    json!({"overridden": codes(&passed.overridden), "confirmed": codes(&passed.confirmed)})
}

/// What staff wrote when they overrode something: beside the codes, where it can be erased.
pub fn consent_reason(passed: &Passed, consent: &Consent) -> Value {
    if passed.overridden.is_empty() {
        return Value::Null;
    }
    json!({"override_reason": consent.overrides.reason})
}

/// The overridden codes, for the answer.
pub fn overridden_codes(passed: &Passed) -> Vec<String> {
    passed
        .overridden_codes()
        .into_iter()
        .map(|code| code.code().to_owned())
        .collect()
}

/// One act on one item: who, where, when, and the ids it uses up.
pub struct Ledger<'a, 'tx> {
    pub tx: &'a mut WriteTx<'tx>,
    pub caller: &'a Caller,
    pub act: &'a Act,
    pub item: &'a ItemFacts,
    pub now: DateTime<Utc>,
    pub ids: &'a mut IdRun,
}

impl<'a> Ledger<'a, '_> {
    /// An event about this item by this caller.
    pub fn event(&self, kind: EventKind) -> Event<'a> {
        let channel = self.caller.event_channel(self.act);
        Event::new(kind, self.now, self.act.unit, channel)
            .of_item(self.item)
            .by(self.caller.staff(), self.caller.device())
    }

    /// Appends an event built by `event`.
    pub fn append_event(&mut self, event: &Event<'_>) -> Result<()> {
        let id = self.ids.next();
        Ok(self.tx.append_event(id, event)?)
    }

    /// Appends an event about this item that names no reader.
    pub fn append(&mut self, kind: EventKind, detail: Value) -> Result<()> {
        let event = self.event(kind).detail(detail);
        self.append_event(&event)
    }

    /// Ends the item's journey.
    pub fn end_transit(&mut self, id: TransitId, how: TransitEnd) -> Result<()> {
        self.tx.close_transit(id, how, self.now)?;
        let kind = match how {
            TransitEnd::Received => EventKind::TransitReceived,
            TransitEnd::Cancelled => EventKind::TransitCancelled,
        };
        self.append(kind, json!({"transit_id": id}))
    }

    /// Sets the item aside for a hold, or gives it its place on the hold shelf: then the hold is ready.
    pub fn capture(&mut self, capture: &Capture) -> Result<()> {
        self.tx.capture_hold(self.item.id, capture, self.now)?;
        let known = self.item.captured_for.as_ref().map(|hold| hold.id);
        if known != Some(capture.hold) {
            let detail = json!({"hold_id": capture.hold, "pickup_unit_id": capture.pickup});
            self.append(EventKind::HoldCaptured, detail)?;
        }
        if let (Some(number), Some(until)) = (capture.shelf_number, capture.expires_on) {
            let detail = json!({"hold_id": capture.hold, "pickup_unit_id": capture.pickup, "shelf_number": number,
                "shelf_until": until});
            self.append(EventKind::HoldReady, detail)?;
        }
        Ok(())
    }

    /// Sends the item elsewhere than where it lies, while nobody scans it: staff find it in a list.
    pub fn move_on(&mut self, moves: &ItemMoves) -> Result<()> {
        if let Some(transit) = moves.cancels_transit {
            self.end_transit(transit, TransitEnd::Cancelled)?;
        }
        if let Some(capture) = &moves.capture {
            self.capture(capture)?;
        }
        self.place(moves.item_status, moves.current)?;
        self.tx.leave_to_clear(moves.item, moves.leaves, self.now)?;
        self.send(moves.current, &moves.next_step)?;
        Ok(())
    }

    /// Puts the item into a crate: opens its journey and answers its id.
    pub fn send(&mut self, from: UnitId, step: &NextStep) -> Result<Option<TransitId>> {
        let NextStep::Crate { to, reason, hold } = step else {
            return Ok(None);
        };
        let id = TransitId::new(self.ids.next());
        let transit = NewTransit {
            id,
            item: self.item.id,
            from,
            to: *to,
            reason: reason.code(),
            hold: *hold,
        };
        self.tx.insert_transit(transit, self.now)?;
        self.append(
            EventKind::TransitOpened,
            json!({"transit_id": id, "to_unit_id": to, "reason": reason}),
        )?;
        Ok(Some(id))
    }

    /// What an act passed over that has no event of its own to say so.
    pub fn append_passed(&mut self, passed: &Passed, consent: &Consent) -> Result<()> {
        if passed.overridden.is_empty() && passed.confirmed.is_empty() {
            return Ok(());
        }
        let event = self.event(EventKind::RefusalsPassed).detail(consent_detail(passed));
        let event = event.personal(consent_reason(passed, consent));
        self.append_event(&event)
    }

    /// Where the item is now. The table of its life has the last word.
    pub fn place(&mut self, status: ItemStatus, current: UnitId) -> Result<()> {
        place(self.tx, self.item.id, (self.item.status, status), current, self.now)
    }
}

/// Stores that an item was in one state and is in another, at a unit. Every state is stored here, but for what leaves with its
/// crate.
///
/// # Errors
/// `Internal` for a step that the table of an item's life does not have; a failure of the store.
pub(super) fn place(
    tx: &mut WriteTx<'_>,
    item: ItemId,
    (from, to): (ItemStatus, ItemStatus),
    current: UnitId,
    at: DateTime<Utc>,
) -> Result<()> {
    step_of_life(from, to)?;
    Ok(tx.set_item_state(item, to, current, at)?)
}

/// The table of an item's life has the last word.
///
/// # Errors
/// `Internal`: whoever decided this made a mistake.
pub(super) fn step_of_life(from: ItemStatus, to: ItemStatus) -> Result<()> {
    if may_become(from, to) {
        return Ok(());
    }
    let (from, to) = (from.code(), to.code());
    Err(UseCaseError::Internal(format!(
        "no act leads an item from {from} to {to}"
    )))
}
