//! What is known after a report: the compartment, the return for which it was opened, the event, and who must be told.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::acting_device::ActingDevice;
use super::report_compartment::{DoorReport, Known, TAGS_KEPT};
use super::{Result, alarm};
use crate::domain::compartment_life::{CompartmentState, CompartmentStep};
use crate::domain::compartment_report::Inside;
use crate::domain::device_heartbeat::AlarmKind;
use crate::domain::event::EventKind;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::lockers::compartments::Compartment;
use crate::store::lockers::returns::ReturnRow;
use crate::store::tx::WriteTx;

/// The compartment after a step.
pub(super) fn after(
    known: &Known,
    step: CompartmentStep,
    state: CompartmentState,
    taken_in: bool,
    now: DateTime<Utc>,
) -> Compartment {
    let seen = &known.seen;
    let put_in = seen.awaited.or(known.found.map(|(item, _)| item)).filter(|_| taken_in);
    let gone = known.judged.gone == Some(true);
    let item = match (step, state) {
        (_, CompartmentState::Empty) => None,
        (CompartmentStep::ClosedKnown, CompartmentState::Occupied) => {
            put_in.or(seen.item).or(known.expected.map(|(item, _)| item))
        }
        (CompartmentStep::ClosedForeign, _) if gone => None,
        _ => seen.item,
    };
    Compartment {
        state,
        item,
        awaited: seen.awaited.filter(|_| state == CompartmentState::Unsure),
        deadline_at: None,
        changed_at: now,
        ..seen.clone()
    }
}

/// What became of the return for which the door was opened.
pub(super) fn end_return(
    tx: &mut WriteTx<'_>,
    known: &Known,
    step: CompartmentStep,
    after: &Compartment,
    report: &DoorReport,
) -> Result<Option<ReturnRow>> {
    let Some(back) = known.back.clone() else {
        return Ok(None);
    };
    if !back.is_open() {
        return Ok(Some(back));
    }
    let reported = Some(report.at.timestamp_millis());
    let row = match step {
        CompartmentStep::ClosedKnown => ReturnRow {
            reported_at: reported,
            ..back.became("checked_in", after.item)
        },
        CompartmentStep::ClosedForeign => ReturnRow {
            reported_at: reported,
            tags: tags_text(&report.inside),
            ..back.became("held", None)
        },
        CompartmentStep::ClosedEmpty | CompartmentStep::NotOpened => back.became("nothing", None),
        CompartmentStep::Silent => back.became("unsure", None),
        _ => return Ok(Some(back)),
    };
    tx.put_return(&row)?;
    Ok(Some(row))
}

fn tags_text(inside: &Inside) -> String {
    match inside {
        Inside::Tags(tags) => tags.iter().take(TAGS_KEPT).cloned().collect::<Vec<_>>().join(","),
        _ => String::new(),
    }
}

/// The event of what was put in, taken out or held; and the round's line.
pub(super) fn append(
    tx: &mut WriteTx<'_>,
    device: &ActingDevice,
    known: &Known,
    (step, after): (CompartmentStep, &Compartment),
    ids: &mut IdRun,
) -> Result<()> {
    let (seen, now) = (&known.seen, tx.now());
    let (kind, item) = match (step, seen.state) {
        (CompartmentStep::ClosedKnown, _) if seen.item.is_none() => (EventKind::CompartmentLoaded, after.item),
        (CompartmentStep::ClosedEmpty, CompartmentState::Unloading) => (EventKind::CompartmentUnloaded, seen.item),
        (CompartmentStep::ClosedForeign, _) => (EventKind::CompartmentHeld, after.item),
        _ => {
            return vanished(tx, known, after, ids);
        }
    };
    if let Some(item) = item.filter(|_| kind != EventKind::CompartmentHeld) {
        tx.round_line_done(device.id, item, seen.id, now)?;
    }
    let mut detail = json!({"device_id": device.id, "number": seen.number, "turn": seen.turn, "item_id": item});
    if kind == EventKind::CompartmentUnloaded {
        // The receipts of what was held there: nothing that comes later is of their time.
        let held = tx.settle_returns(seen.id, now)?;
        if !held.is_empty() {
            let line = |row: &ReturnRow| json!({"return_id": row.id, "reported_at": row.reported_at});
            detail["returns"] = held.iter().map(line).collect();
        }
    }
    let event = Event::new(kind, now, device.unit, device.kind.channel().code())
        .by(None, Some(device.id))
        .detail(detail);
    tx.append_event(ids.next(), &event)?;
    vanished(tx, known, after, ids)
}

/// A book is not where it lay, and nobody has borrowed it or taken it out: that stands until a person has seen to it.
fn vanished(tx: &mut WriteTx<'_>, known: &Known, after: &Compartment, ids: &mut IdRun) -> Result<()> {
    let seen = &known.seen;
    let explained = known.loan.is_some() || seen.state == CompartmentState::Unloading;
    match seen.item {
        Some(item) if after.item.is_none() && !explained => {
            let subject = format!("{} item {item}", seen.number);
            alarm::raise(tx, seen.device, AlarmKind::CompartmentUnsure, &subject, ids)
        }
        _ => Ok(()),
    }
}
