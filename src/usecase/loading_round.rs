//! A courier at a machine: what of the crates is put into which compartment, and what is taken out.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acting_device::{ActingDevice, device_of};
use super::named::Wrong;
use super::once::once;
use super::opened_in_question::{BookInQuestion, books_in_question};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::compartment_choice::{Compartment as Door, Purpose, Size, choose};
use crate::domain::compartment_life::CompartmentState;
use crate::domain::device::DeviceKind;
use crate::domain::ids::{DeviceId, ItemId};
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::lockers::compartments::{Compartment, Content};
use crate::store::lockers::rounds::{NewLine, RoundRow};
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// Most crates of a round.
pub const MAX_CRATES: usize = 20;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct StartLoadingRound {
    pub device: DeviceId,
    pub crate_labels: Vec<String>,
}

/// One book of a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoundLineView {
    #[schema(example = 1043)]
    pub item_id: i64,
    #[schema(example = "0123456789")]
    pub item_barcode: String,
    #[schema(example = "活着")]
    pub title: String,
    /// `load` or `unload`.
    #[schema(example = "load")]
    pub way: String,
    /// The door that is proposed, or that was used; none: no empty one fits.
    #[schema(example = 7)]
    pub compartment: Option<u16>,
    /// `open`, `done`, `held` or `left`.
    #[schema(example = "open")]
    pub state: String,
}

/// A round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoadingRoundView {
    #[schema(example = 8001)]
    pub id: i64,
    /// When it began (UTC).
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub started_at: DateTime<Utc>,
    /// When it ended (UTC).
    #[schema(example = "2026-03-04T08:45:00Z")]
    pub ended_at: Option<DateTime<Utc>>,
    /// What is put in first, then by number.
    pub lines: Vec<RoundLineView>,
    /// Doors behind which is something that a person must look at: open them, too.
    #[schema(example = json!([9]))]
    pub to_look_at: Vec<u16>,
    /// Of those, the books of which nobody knows whether their reader took them: look, and say it.
    #[serde(default)]
    pub in_question: Vec<BookInQuestion>,
}

impl Outcome for LoadingRoundView {}

/// Begins a round with what of the crates is on its way to the machine's unit, and what is to be taken out.
///
/// # Errors
/// `NotFound`; `State` while another round is under way; `Invalid` naming a label that no crate has; a failure of the store.
pub async fn start_loading_round(
    store: &Arc<Store>,
    caller: &Caller,
    command: StartLoadingRound,
    key: Option<IdempotencyKey>,
) -> Result<Once<LoadingRoundView>> {
    caller.require_somewhere(Right::ReceiveTransit)?;
    once(store, caller, key, 1, command, begin).await
}

fn begin(tx: &mut WriteTx<'_>, caller: &Caller, asked: &StartLoadingRound, mut ids: IdRun) -> Result<LoadingRoundView> {
    tx.lock_device(asked.device)?;
    let device = device_of(tx, caller, asked.device, Right::ReceiveTransit)?;
    if let Some(open) = tx.open_round(device.id)? {
        return Err(UseCaseError::State(format!(
            "round {} is under way: end it first",
            open.id
        )));
    }
    let mut wrong = Wrong::default();
    let mut items: Vec<(i64, Option<String>)> = Vec::new();
    for (place, label) in asked.crate_labels.iter().enumerate() {
        if !tx.is_crate(label)? {
            wrong.say(format!("crate_labels[{place}]"), "no crate has this label");
        }
        items.extend(tx.items_of_crate_to(label, device.unit.get())?);
    }
    wrong.check()?;
    items.sort();
    items.dedup();
    let doors = tx.compartments_of(device.id)?;
    let round = ids.next();
    let mut lines = to_load(round, &device, &doors, &items);
    for content in tx.contents_of(device.id)? {
        if must_go(&device, &doors, &content) && !items.iter().any(|(item, _)| *item == content.item_id) {
            lines.push(NewLine {
                round_id: round,
                item_id: content.item_id,
                way: "unload",
                compartment_id: Some(content.compartment_id),
                state: "open",
                done_at: None,
            });
        }
    }
    let row = RoundRow {
        id: round,
        device_id: device.id.get(),
        started_at: tx.now().timestamp_millis(),
        ended_at: None,
    };
    tx.insert_round(&row, &lines)?;
    shown(tx, &device, &row)
}

/// A door for each: the smallest that fits and was not proposed for another.
fn to_load(round: i64, device: &ActingDevice, doors: &[Compartment], items: &[(i64, Option<String>)]) -> Vec<NewLine> {
    let wanted = match device.kind {
        DeviceKind::Kiosk => Purpose::Browsing,
        _ => Purpose::Pickup,
    };
    let mut free: Vec<Door> = doors
        .iter()
        .map(|door| Door {
            number: door.number,
            size: door.size,
            purpose: door.purpose,
            state: door.state,
        })
        .collect();
    let mut lines = Vec::new();
    for (item, size) in items {
        let least = size.as_deref().and_then(Size::from_code).unwrap_or(Size::UNRECORDED);
        let number = choose(&free, least, wanted).ok();
        free.retain(|door| Some(door.number) != number);
        let door = doors.iter().find(|door| Some(door.number) == number);
        lines.push(NewLine {
            round_id: round,
            item_id: *item,
            way: "load",
            compartment_id: door.map(|door| door.id.get()),
            state: "open",
            done_at: None,
        });
    }
    lines
}

/// It does not wait for anybody here, and nobody may borrow it here.
fn must_go(device: &ActingDevice, doors: &[Compartment], content: &Content) -> bool {
    let at_rest = doors
        .iter()
        .any(|door| door.id.get() == content.compartment_id && door.state == CompartmentState::Occupied);
    let stays = match content.status.as_str() {
        "on_hold_shelf" => content.hold_id.is_some(),
        "on_shelf" => device.kind == DeviceKind::Kiosk && content.current_unit_id == device.unit.get(),
        _ => false,
    };
    at_rest && !stays
}

/// Shows a round.
///
/// # Errors
/// `NotFound`; a failure of the store.
pub async fn get_loading_round(
    store: &Arc<Store>,
    caller: &Caller,
    device: DeviceId,
    round: i64,
) -> Result<LoadingRoundView> {
    caller.require_somewhere(Right::ReceiveTransit)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let device = device_of(tx, &caller, device, Right::ReceiveTransit)?;
            let row = tx.round(device.id, round)?.ok_or(UseCaseError::NotFound("round"))?;
            shown(tx, &device, &row)
        })
        .await
}

/// Ends a round; what was not done is left for the next.
///
/// # Errors
/// `NotFound`; a failure of the store.
pub async fn end_loading_round(
    store: &Arc<Store>,
    caller: &Caller,
    device: DeviceId,
    round: i64,
    key: Option<IdempotencyKey>,
) -> Result<Once<LoadingRoundView>> {
    caller.require_somewhere(Right::ReceiveTransit)?;
    once(store, caller, key, 1, (device, round), end).await
}

fn end(tx: &mut WriteTx<'_>, caller: &Caller, (device, round): &(DeviceId, i64), _: IdRun) -> Result<LoadingRoundView> {
    tx.lock_device(*device)?;
    let device = device_of(tx, caller, *device, Right::ReceiveTransit)?;
    let row = tx.round(device.id, *round)?.ok_or(UseCaseError::NotFound("round"))?;
    let now = tx.now();
    if row.ended_at.is_none() {
        tx.end_round(row.id, now)?;
    }
    let row = tx.round(device.id, *round)?.ok_or(UseCaseError::NotFound("round"))?;
    shown(tx, &device, &row)
}

fn shown(tx: &mut ReadTx<'_>, device: &ActingDevice, row: &RoundRow) -> Result<LoadingRoundView> {
    let lines = tx.lines_of_round(row.id)?;
    let doors = tx.compartments_of(device.id)?;
    let in_question = books_in_question(tx, device.id, &doors)?;
    Ok(LoadingRoundView {
        id: row.id,
        started_at: from_millis(row.started_at),
        ended_at: row.ended_at.map(from_millis),
        lines: lines
            .into_iter()
            .map(|line| RoundLineView {
                item_id: ItemId::new(line.item_id).get(),
                item_barcode: line.barcode,
                title: line.title,
                way: line.way,
                compartment: line.number.and_then(|number| u16::try_from(number).ok()),
                state: line.state,
            })
            .collect(),
        to_look_at: doors
            .iter()
            .filter(|door| door.state.needs_a_person())
            .map(|door| door.number)
            .collect(),
        in_question,
    })
}
