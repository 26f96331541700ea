//! Placing a hold: a reader joins the queue of a bib, or waits for one copy.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime, TimeZone, Utc};
use serde_json::json;

use super::compartment_record;
use super::merge_bibs;
use super::once::once;
use super::record::{self, About, Consent, IDS_PER_VERB, settle};
use super::target_holds::{PULLS_PER_VERB, serve_bib};
use super::view::{HoldOutcome, HoldView, refusal_views};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::act::Act;
use crate::domain::barcode::CardNumber;
use crate::domain::event::EventKind;
use crate::domain::hold::CopyFacts;
use crate::domain::ids::{BibId, HoldId, ItemId, UnitId};
use crate::domain::network::Network;
use crate::domain::place_hold::{self, Existing, Facts, Plan};
use crate::domain::reader::ReaderFacts;
use crate::domain::refusal::Verb;
use crate::domain::volume::Volume;
use crate::store::events::Event;
use crate::store::holds::NewHold;
use crate::store::ids::IdRun;
use crate::store::readers::day_text;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct PlaceHold {
    /// Staff say whose hold it is; a reader places its own.
    pub card_number: Option<CardNumber>,
    pub bib: BibId,
    /// This copy only.
    pub item: Option<ItemId>,
    /// A copy of this volume only.
    pub volume: Option<Volume>,
    pub pickup_unit_code: String,
    /// It sleeps until this local day.
    pub not_before: Option<NaiveDate>,
    /// The last local day it is wanted.
    pub wanted_until: Option<NaiveDate>,
    pub consent: Consent,
}

/// Places a hold.
///
/// # Errors
/// `Refused` with every reason; `Invalid` naming the field; a failure of the store.
pub async fn place_hold(
    store: &Arc<Store>,
    caller: &Caller,
    command: PlaceHold,
    key: Option<IdempotencyKey>,
) -> Result<Once<HoldOutcome>> {
    caller.require_somewhere(Right::PlaceHold)?;
    once(store, caller, key, IDS_PER_VERB + PULLS_PER_VERB, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &PlaceHold, mut ids: IdRun) -> Result<HoldOutcome> {
    let network = tx.network()?;
    let pickup = record::unit_by_code(&network, "pickup_unit_code", &command.pickup_unit_code)?;
    let unit = caller.unit.unwrap_or(pickup);
    caller.require(Right::PlaceHold, unit, &network)?;
    merge_bibs::lock_standing(tx, command.bib)?.ok_or_else(|| UseCaseError::field("bib_id", "there is no such bib"))?;
    let copies = tx.copies_of_bib(command.bib)?;
    if command
        .item
        .is_some_and(|item| copies.iter().all(|copy| copy.item != item))
    {
        return Err(UseCaseError::field(
            "item_id",
            "the bib has no such item in circulation",
        ));
    }
    if command.item.is_some() && command.volume.is_some() {
        return Err(UseCaseError::field(
            "volume",
            "cannot be given with item_id: that copy has its own",
        ));
    }
    let reader = record::lock_whose(tx, caller, command.card_number.as_ref(), &network)?;
    let now = tx.now();
    let network = tx.as_of(network, now)?;
    let act = record::act_of(caller, unit, &network, &command.consent, None);
    let plan = decide(tx, caller, command, &network, &act, &reader, &copies, pickup)?;
    let id = HoldId::new(ids.next());
    insert(tx, caller, &act, command, &reader, &plan, (id, ids.next()), &network)?;
    serve_bib(tx, &network, command.bib, &mut ids)?;
    let row = tx.hold_view(id)?.ok_or(UseCaseError::NotFound("hold"))?;
    let position = tx.queue_position(&row)?;
    Ok(HoldOutcome {
        hold: HoldView::of(row, Some(position), &network),
        notices: refusal_views(&plan.passed.notices),
        overridden: record::overridden_codes(&plan.passed),
        next_step: None,
    })
}

#[expect(
    clippy::too_many_arguments,
    reason = "one call site; a struct would only rename them"
)]
fn decide(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &PlaceHold,
    network: &Network,
    act: &Act,
    reader: &ReaderFacts,
    copies: &[CopyFacts],
    pickup: UnitId,
) -> Result<Plan> {
    let now = tx.now();
    let midnight = network.local_day(now).and_time(NaiveTime::MIN);
    let since = network
        .zone()
        .from_local_datetime(&midnight)
        .earliest()
        .map_or(now, |at| at.with_timezone(&Utc));
    let open = tx.open_holds_on_bib(reader.id, command.bib)?;
    let hold_types = tx.types_of_open_holds(reader.id, network)?;
    let facts = Facts {
        act,
        network,
        reader,
        bib: command.bib,
        item: command.item,
        volume: command.volume,
        copies,
        pickup,
        existing: Existing {
            same_target: open
                .iter()
                .find(|hold| (hold.item, hold.volume) == (command.item, command.volume))
                .map(|hold| hold.id),
            of_bib: u32::try_from(open.len()).unwrap_or(u32::MAX),
        },
        hold_types: &hold_types,
        holds_today: tx.holds_placed_since(reader.id, since)?,
        queue_length: tx.queue_length(command.bib)?,
        not_before: command.not_before,
        wanted_until: command.wanted_until,
        online: None,
        compartment_fits: compartment_record::fits(tx, network, pickup, command.item)?,
    };
    let about = About {
        caller,
        verb: Verb::PlaceHold,
        reader: Some(reader.id),
        bib: Some(command.bib),
        item: command.item,
        also: "",
    };
    settle(&command.consent, &about, act, now, |act| {
        place_hold::decide(&Facts { act, ..facts }, now)
    })
}

#[expect(
    clippy::too_many_arguments,
    reason = "one call site; a struct would only rename them"
)]
fn insert(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    act: &Act,
    command: &PlaceHold,
    reader: &ReaderFacts,
    plan: &Plan,
    (id, event_id): (HoldId, i64),
    network: &Network,
) -> Result<()> {
    let now = tx.now();
    let queue_rank = tx.next_rank(command.bib, 0, now.timestamp_millis())?;
    tx.insert_hold(&NewHold {
        id: id.get(),
        bib_id: command.bib.get(),
        item_id: command.item.map(ItemId::get),
        reader_id: Some(reader.id.get()),
        pickup_unit_id: plan.pickup.get(),
        priority: 0,
        placed_at: now.timestamp_millis(),
        not_before: plan.not_before.map(day_text),
        wanted_until: plan.wanted_until.map(day_text),
        volume: command.volume.map(|volume| volume.to_string()),
        queue_rank,
        waives_home_only: plan.waived.home_only,
        waives_new_item: plan.waived.new_item,
    })?;
    let mut event = Event::new(EventKind::HoldPlaced, now, act.unit, act.channel.code())
        .of_reader(reader.id, reader.category, record::age_band(reader, network, now))
        .by(caller.staff(), caller.device())
        .detail(
            json!({"hold_id": id, "pickup_unit_id": plan.pickup, "rule_id": plan.rule,
            "rules_version": plan.rules_version, "consent": record::consent_detail(&plan.passed)}),
        )
        .personal(caller.says(record::consent_reason(&plan.passed, &command.consent)));
    event.bib = Some(command.bib);
    event.item = command.item;
    Ok(tx.append_event(event_id, &event)?)
}
