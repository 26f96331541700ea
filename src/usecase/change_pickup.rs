//! Another pickup unit for a hold; a copy on the hold shelf or in a crate that was not sent is redirected.

use std::sync::Arc;

use serde_json::json;

use super::end_hold::{find_hold, set_aside};
use super::once::once;
use super::record::{self, About, Consent, IDS_PER_VERB, Ledger, settle};
use super::target_holds::{PULLS_PER_VERB, serve_bib};
use super::view::{HoldOutcome, NextStepView};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::act::Act;
use crate::domain::change_pickup::{self, Facts, Plan};
use crate::domain::event::EventKind;
use crate::domain::hold::{HoldStatus, Wish};
use crate::domain::ids::{HoldId, UnitId};
use crate::domain::network::Network;
use crate::domain::reader::ReaderFacts;
use crate::domain::refusal::Verb;
use crate::store::events::Event;
use crate::store::holds::LoadedHold;
use crate::store::ids::IdRun;
use crate::store::item_lock::LoadedItem;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ChangePickup {
    pub hold: HoldId,
    pub pickup_unit_code: String,
    pub consent: Consent,
}

/// Changes the pickup unit of a hold; a reader only of its own.
///
/// # Errors
/// `NotFound` for an unknown hold or another reader's; `Invalid` for an unknown unit; `Refused` with every reason; a failure of
/// the store.
pub async fn change_pickup(
    store: &Arc<Store>,
    caller: &Caller,
    command: ChangePickup,
    key: Option<IdempotencyKey>,
) -> Result<Once<HoldOutcome>> {
    caller.require_somewhere(Right::PlaceHold)?;
    once(store, caller, key, IDS_PER_VERB + PULLS_PER_VERB, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &ChangePickup, mut ids: IdRun) -> Result<HoldOutcome> {
    let network = tx.network()?;
    let hold = find_hold(tx, caller, command.hold)?;
    let unit = caller.unit.unwrap_or(hold.facts.pickup);
    caller.require(Right::PlaceHold, unit, &network)?;
    let pickup = record::unit_by_code(&network, "pickup_unit_code", &command.pickup_unit_code)?;
    let item = set_aside(tx, &hold, &network)?;
    let reader = tx
        .lock_reader(hold.facts.reader, &network)?
        .ok_or(UseCaseError::NotFound("reader"))?;
    let act = record::act_of(caller, unit, &network, &command.consent, None);
    let change = Redirect {
        caller,
        act: &act,
        consent: &command.consent,
        network: &network,
        hold: &hold,
        item: item.as_ref(),
        reader: &reader,
    };
    let plan = change.decide(tx, pickup)?;
    if pickup != hold.facts.pickup {
        change.carry_out(tx, &plan, &mut ids)?;
        serve_bib(tx, &network, hold.bib, &mut ids)?;
    }
    let next = plan.item_moves.as_ref().map(|moves| &moves.next_step);
    let next = next.map(|step| NextStepView::of(step, &network));
    HoldOutcome::of(tx, hold.facts.id, &plan.passed, next, &network)
}

struct Redirect<'a> {
    caller: &'a Caller,
    act: &'a Act,
    consent: &'a Consent,
    network: &'a Network,
    hold: &'a LoadedHold,
    item: Option<&'a LoadedItem>,
    reader: &'a ReaderFacts,
}

impl Redirect<'_> {
    fn decide(&self, tx: &mut WriteTx<'_>, pickup: UnitId) -> Result<Plan> {
        let copies = match self.item {
            Some(_) => Vec::new(),
            None => tx.copies_of_bib(self.hold.bib)?,
        };
        let reader = self.reader;
        let wish = Wish {
            target: self.hold.facts.target,
            pickup,
            category: reader.category,
            band: reader.band,
            child: reader.child,
            reader_home: reader.home,
            birth_date: reader.birth_date,
            waived: self.hold.waived,
        };
        let facts = Facts {
            act: self.act,
            network: self.network,
            hold: &self.hold.facts,
            for_delivery: tx.is_for_delivery(self.hold.facts.id)?,
            by_reader: self.caller.reader(),
            wish: &wish,
            copies: &copies,
            item: self.item.map(|item| &item.facts),
        };
        let (wished, now) = (format!("pickup {pickup}"), tx.now());
        let about = About::hold(self.caller, Verb::ChangeHold, self.hold).with(&wished);
        settle(self.consent, &about, self.act, now, |act| {
            change_pickup::decide(&Facts { act, ..facts }, now)
        })
    }

    fn carry_out(&self, tx: &mut WriteTx<'_>, plan: &Plan, ids: &mut IdRun) -> Result<()> {
        let hold = &self.hold.facts;
        let now = self
            .item
            .map_or_else(|| tx.now(), |item| record::now_for(tx, &item.facts));
        tx.set_pickup(hold.id, plan.pickup, plan.waived)?;
        if hold.status == HoldStatus::Waiting {
            tx.withdraw_pull(hold.id, now)?;
        }
        let band = record::age_band(self.reader, self.network, now);
        let mut event = Event::new(
            EventKind::HoldRedirected,
            now,
            self.act.unit,
            self.caller.event_channel(self.act),
        )
        .of_reader(self.reader.id, self.reader.category, band)
        .by(self.caller.staff(), self.caller.device())
        .detail(
            json!({"hold_id": hold.id, "from_unit_id": hold.pickup, "pickup_unit_id": plan.pickup,
                "consent": record::consent_detail(&plan.passed)}),
        )
        .personal(record::consent_reason(&plan.passed, self.consent));
        event.bib = Some(self.hold.bib);
        tx.append_event(ids.next(), &event)?;
        if let (Some(moves), Some(item)) = (&plan.item_moves, self.item) {
            let mut ledger = Ledger {
                tx,
                caller: self.caller,
                act: self.act,
                item: &item.facts,
                now,
                ids,
            };
            ledger.move_on(moves)?;
        }
        Ok(())
    }
}
