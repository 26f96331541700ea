//! Internet borrowing: a reader asks online for several bibs or copies at once, to be brought to a desk or sent home. Each
//! accepted line is a hold; what is refused is told line by line.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{NaiveTime, TimeZone, Utc};
use serde_json::json;

use super::consent::{Fault, tell};
use super::delivery_view::{DeliveryLineView, DeliveryOutcome};
use super::merge_bibs::standing;
use super::once::once;
use super::record::{self, About, Consent, settle};
use super::target_holds::{PULLS_PER_VERB, serve_bib};
use super::view::{HoldView, refusal_views};
use super::{Caller, FieldError, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::act::Act;
use crate::domain::barcode::CardNumber;
use crate::domain::delivery::{Address, Delivery, Online, Rest};
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, HoldId, ItemId, UnitId};
use crate::domain::network::Network;
use crate::domain::place_hold::{self, Existing, Facts, Plan};
use crate::domain::reader::ReaderFacts;
use crate::domain::refusal::{Refusal, Refusals, Verb};
use crate::store::deliveries::RequestRow;
use crate::store::events::Event;
use crate::store::holds::NewHold;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// One bib or copy that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub bib: BibId,
    /// This copy only.
    pub item: Option<ItemId>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RequestDelivery {
    /// Staff say whose request it is; a reader asks for itself.
    pub card_number: Option<CardNumber>,
    pub lines: Vec<Line>,
    pub delivery: Delivery,
    /// The desk, or the unit that packs.
    pub unit_code: String,
    pub address: Option<Address>,
    pub all_or_nothing: bool,
    pub rest: Rest,
    pub consent: Consent,
}

/// Ids a line uses up: the hold and its event, and what is fetched for its bib.
const IDS_PER_LINE: i64 = 2 + PULLS_PER_VERB;

/// Accepts what may be delivered of a request.
///
/// # Errors
/// `Refused` with every reason when nothing is left of it; `Invalid` naming the field; a failure of the store.
pub async fn request_delivery(
    store: &Arc<Store>,
    caller: &Caller,
    command: RequestDelivery,
    key: Option<IdempotencyKey>,
) -> Result<Once<DeliveryOutcome>> {
    caller.require_somewhere(Right::PlaceHold)?;
    let ids = 2 + IDS_PER_LINE * i64::try_from(command.lines.len()).unwrap_or(i64::MAX / 4);
    once(store, caller, key, ids, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &RequestDelivery, mut ids: IdRun) -> Result<DeliveryOutcome> {
    let network = tx.network()?;
    let pickup = record::unit_by_code(&network, "unit_code", &command.unit_code)?;
    let unit = caller.unit.unwrap_or(pickup);
    caller.require(Right::PlaceHold, unit, &network)?;
    check_request(command)?;
    lock_bibs(tx, &command.lines)?;
    let mut reader = record::lock_whose(tx, caller, command.card_number.as_ref(), &network)?;
    let now = tx.now();
    let network = tx.as_of(network, now)?;
    let asking = Asking {
        caller,
        act: record::act_of(caller, unit, &network, &command.consent, None),
        network: &network,
        consent: &command.consent,
        lines: text_of(&command.lines),
        pickup,
        online: Online {
            delivery: command.delivery,
            packs: tx.packs(pickup)?,
        },
    };
    let request = RequestRow {
        id: ids.next(),
        reader_id: Some(reader.id.get()),
        unit_id: pickup.get(),
        delivery: command.delivery.code().to_owned(),
        rest: command.rest.code().to_owned(),
        asked_at: tx.now().timestamp_millis(),
    };
    tx.insert_request(&request, command.address.as_ref())?;
    let Asked {
        answers,
        refused,
        doubt,
    } = ask_each(tx, &asking, &command.lines, &request, &mut reader, &mut ids)?;
    if !refused.is_empty() && (command.all_or_nothing || answers.iter().all(|line| line.hold.is_none())) {
        let about = asking.about(&reader);
        return Err(tell(
            &command.consent,
            &about,
            &asking.act,
            doubt,
            Refusals(refused),
            tx.now(),
        ));
    }
    append_request(tx, caller, &asking, (&request, &reader), &answers, ids.next())?;
    Ok(DeliveryOutcome {
        id: request.id,
        reader_id: request.reader_id,
        delivery: request.delivery,
        unit_code: command.unit_code.clone(),
        rest: request.rest,
        fee_pending: command.delivery == Delivery::Parcel,
        lines: answers,
    })
}

/// What became of the lines.
struct Asked {
    answers: Vec<DeliveryLineView>,
    refused: Vec<Refusal>,
    /// Why what staff said to a refusal does not count.
    doubt: Option<Fault>,
}

fn ask_each(
    tx: &mut WriteTx<'_>,
    asking: &Asking<'_>,
    lines: &[Line],
    request: &RequestRow,
    reader: &mut ReaderFacts,
    ids: &mut IdRun,
) -> Result<Asked> {
    let mut answers = Vec::with_capacity(lines.len());
    let (mut refused, mut doubt) = (Vec::new(), None);
    let mut holds_today = placed_today(tx, asking, reader)?;
    for line in lines {
        match ask(tx, asking, *line, reader, holds_today) {
            Ok(plan) => {
                let hold = HoldId::new(ids.next());
                place(
                    tx,
                    asking.caller,
                    asking,
                    (*line, &plan),
                    (request, reader),
                    (hold, ids.next()),
                )?;
                reader.open_holds += 1;
                holds_today += 1;
                serve_bib(tx, asking.network, line.bib, ids)?;
                answers.push(accepted(tx, *line, hold, &plan, asking.network)?);
            }
            Err(error) => {
                let (refusals, fault) = error.into_refusals()?;
                doubt = doubt.or(fault);
                answers.push(DeliveryLineView::refused(*line, refusal_views(&refusals.0)));
                refused.extend(refusals.0.into_iter().map(|mut one| {
                    one.with("bib_id", line.bib.get());
                    one
                }));
            }
        }
    }
    Ok(Asked {
        answers,
        refused,
        doubt,
    })
}

/// The event of the request as a whole; each hold has its own.
fn append_request(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    asking: &Asking<'_>,
    (request, reader): (&RequestRow, &ReaderFacts),
    answers: &[DeliveryLineView],
    event_id: i64,
) -> Result<()> {
    let now = tx.now();
    let accepted = answers.iter().filter(|line| line.hold.is_some()).count();
    let event = Event::new(
        EventKind::DeliveryRequested,
        now,
        asking.act.unit,
        asking.act.channel.code(),
    )
    .of_reader(
        reader.id,
        reader.category,
        record::age_band(reader, asking.network, now),
    )
    .by(caller.staff(), caller.device())
    .detail(
        json!({"request_id": request.id, "delivery": asking.online.delivery, "unit_id": asking.pickup,
            "lines": answers.len(), "accepted": accepted}),
    );
    Ok(tx.append_event(event_id, &event)?)
}

/// An address for a parcel and for nothing else; no line twice.
fn check_request(command: &RequestDelivery) -> Result<()> {
    let mut faults = Vec::new();
    match (command.delivery, &command.address) {
        (Delivery::Parcel, None) => faults.push(FieldError::new("address", "is needed for a parcel")),
        (Delivery::Desk, Some(_)) => faults.push(FieldError::new("address", "is for parcels only: leave it out")),
        _ => {}
    }
    let mut seen = BTreeSet::new();
    for (at, line) in command.lines.iter().enumerate() {
        if !seen.insert(line) {
            faults.push(FieldError::new(format!("lines[{at}]"), "is asked for twice"));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(UseCaseError::Invalid(faults))
    }
}

/// Locks all bibs at once, ascending; each must be there and stand for itself.
fn lock_bibs(tx: &mut WriteTx<'_>, lines: &[Line]) -> Result<()> {
    let mut bibs: Vec<BibId> = lines.iter().map(|line| line.bib).collect();
    bibs.sort_unstable();
    bibs.dedup();
    let mut there = BTreeSet::new();
    for bib in tx.lock_bibs(&bibs)? {
        there.insert(standing(bib)?.id);
    }
    let missing = lines.iter().enumerate().filter(|(_, line)| !there.contains(&line.bib));
    let faults: Vec<FieldError> = missing
        .map(|(at, _)| FieldError::new(format!("lines[{at}].bib_id"), "there is no such bib"))
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(UseCaseError::Invalid(faults))
    }
}

/// What all lines of a request share.
struct Asking<'a> {
    caller: &'a Caller,
    act: Act,
    network: &'a Network,
    consent: &'a Consent,
    /// What staff said is bound to the lines together.
    lines: String,
    pickup: UnitId,
    online: Online,
}

impl Asking<'_> {
    fn about(&self, reader: &ReaderFacts) -> About<'_> {
        About {
            caller: self.caller,
            verb: Verb::PlaceHold,
            reader: Some(reader.id),
            bib: None,
            item: None,
            also: &self.lines,
        }
    }
}

fn text_of(lines: &[Line]) -> String {
    let each = lines.iter().map(|line| match line.item {
        Some(item) => format!("{}/{}", line.bib.get(), item.get()),
        None => line.bib.get().to_string(),
    });
    each.collect::<Vec<_>>().join(",")
}

/// What the reader placed today before this request.
fn placed_today(tx: &mut WriteTx<'_>, asking: &Asking<'_>, reader: &ReaderFacts) -> Result<u32> {
    let (network, now) = (asking.network, tx.now());
    let midnight = network.local_day(now).and_time(NaiveTime::MIN);
    let since = network
        .zone()
        .from_local_datetime(&midnight)
        .earliest()
        .map_or(now, |at| at.with_timezone(&Utc));
    Ok(tx.holds_placed_since(reader.id, since)?)
}

fn ask(tx: &mut WriteTx<'_>, asking: &Asking<'_>, line: Line, reader: &ReaderFacts, holds_today: u32) -> Result<Plan> {
    let (network, now) = (asking.network, tx.now());
    let copies = tx.copies_of_bib(line.bib)?;
    let open = tx.open_holds_on_bib(reader.id, line.bib)?;
    let hold_types = tx.types_of_open_holds(reader.id, network)?;
    let facts = Facts {
        act: &asking.act,
        network,
        reader,
        bib: line.bib,
        item: line.item,
        volume: None,
        copies: &copies,
        pickup: asking.pickup,
        existing: Existing {
            same_target: open
                .iter()
                .find(|hold| (hold.item, hold.volume) == (line.item, None))
                .map(|hold| hold.id),
            of_bib: u32::try_from(open.len()).unwrap_or(u32::MAX),
        },
        hold_types: &hold_types,
        holds_today,
        queue_length: tx.queue_length(line.bib)?,
        not_before: None,
        wanted_until: None,
        online: Some(asking.online),
        compartment_fits: true,
    };
    settle(asking.consent, &asking.about(reader), &asking.act, now, |act| {
        place_hold::decide(&Facts { act, ..facts }, now)
    })
}

fn place(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    asking: &Asking<'_>,
    (line, plan): (Line, &Plan),
    (request, reader): (&RequestRow, &ReaderFacts),
    (hold, event_id): (HoldId, i64),
) -> Result<()> {
    let now = tx.now();
    let queue_rank = tx.next_rank(line.bib, 0, now.timestamp_millis())?;
    tx.insert_hold(&NewHold {
        id: hold.get(),
        bib_id: line.bib.get(),
        item_id: line.item.map(ItemId::get),
        reader_id: Some(reader.id.get()),
        pickup_unit_id: asking.pickup.get(),
        priority: 0,
        placed_at: now.timestamp_millis(),
        not_before: None,
        wanted_until: None,
        volume: None,
        queue_rank,
        waives_home_only: plan.waived.home_only,
        waives_new_item: plan.waived.new_item,
    })?;
    tx.join_request(hold, request.id)?;
    let mut event = Event::new(EventKind::HoldPlaced, now, asking.act.unit, asking.act.channel.code())
        .of_reader(
            reader.id,
            reader.category,
            record::age_band(reader, asking.network, now),
        )
        .by(caller.staff(), caller.device())
        .detail(
            json!({"hold_id": hold, "pickup_unit_id": asking.pickup, "rule_id": plan.rule, "request_id": request.id,
            "rules_version": plan.rules_version, "consent": record::consent_detail(&plan.passed)}),
        )
        .personal(record::consent_reason(&plan.passed, asking.consent));
    event.bib = Some(line.bib);
    event.item = line.item;
    Ok(tx.append_event(event_id, &event)?)
}

fn accepted(
    tx: &mut WriteTx<'_>,
    line: Line,
    hold: HoldId,
    plan: &Plan,
    network: &Network,
) -> Result<DeliveryLineView> {
    let row = tx.hold_view(hold)?.ok_or(UseCaseError::NotFound("hold"))?;
    Ok(DeliveryLineView {
        bib_id: line.bib.get(),
        item_id: line.item.map(ItemId::get),
        hold: Some(HoldView::of(row, Some(i64::from(plan.position)), network)),
        refusals: Vec::new(),
        notices: refusal_views(&plan.passed.notices),
    })
}
