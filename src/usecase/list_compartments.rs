//! The compartments of a machine: what is known of each. For staff, couriers and the machine itself.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acting_device::device_of;
use super::{Caller, Result, Store, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::DeviceId;
use crate::store::idempotency::Outcome;
use crate::store::lockers::compartments::{Compartment, Content};
use crate::store::tx::ReadTx;

/// One compartment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CompartmentView {
    /// The number on the door.
    #[schema(example = 7)]
    pub number: u16,
    /// `small`, `medium` or `large`.
    #[schema(example = "small")]
    pub size: String,
    /// What it is for: `pickup`, `browsing`, `return` or `any`.
    #[schema(example = "pickup")]
    pub purpose: String,
    /// What is known of the inside; docs/LOCKERS.md has the table.
    #[schema(example = "occupied")]
    pub state: String,
    /// Grows with each order to open; a door never opens for an old one.
    #[schema(example = 17)]
    pub turn: i64,
    /// When it was last changed (UTC).
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub changed_at: DateTime<Utc>,
    /// What lies in it, or lay in it when it was last known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0123456789")]
    pub item_barcode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "活着")]
    pub title: Option<String>,
    /// The state of the item in its own life.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "on_hold_shelf")]
    pub item_status: Option<String>,
}

impl Outcome for CompartmentView {}

/// The compartments of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CompartmentsView {
    /// The machine.
    #[schema(example = 42)]
    pub device_id: i64,
    /// By number.
    pub compartments: Vec<CompartmentView>,
}

impl Outcome for CompartmentsView {}

/// Lists the compartments of a machine.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; a failure of the store.
pub async fn list_compartments(store: &Arc<Store>, caller: &Caller, device: DeviceId) -> Result<CompartmentsView> {
    caller.require_somewhere(Right::ReadDevices)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            device_of(tx, &caller, device, Right::ReadDevices)?;
            shown(tx, device)
        })
        .await
}

/// All of a machine.
pub(super) fn shown(tx: &mut ReadTx<'_>, device: DeviceId) -> Result<CompartmentsView> {
    let contents: HashMap<i64, Content> = tx
        .contents_of(device)?
        .into_iter()
        .map(|content| (content.compartment_id, content))
        .collect();
    let compartments = tx.compartments_of(device)?;
    Ok(CompartmentsView {
        device_id: device.get(),
        compartments: compartments
            .iter()
            .map(|one| view(one, contents.get(&one.id.get())))
            .collect(),
    })
}

/// One of them, as it is now.
pub(super) fn shown_one(tx: &mut ReadTx<'_>, one: &Compartment) -> Result<CompartmentView> {
    let all = shown(tx, one.device)?.compartments;
    let found = all.into_iter().find(|view| view.number == one.number);
    found.ok_or(UseCaseError::NotFound("compartment"))
}

fn view(one: &Compartment, content: Option<&Content>) -> CompartmentView {
    CompartmentView {
        number: one.number,
        size: one.size.code().to_owned(),
        purpose: one.purpose.code().to_owned(),
        state: one.state.code().to_owned(),
        turn: one.turn,
        changed_at: one.changed_at,
        item_barcode: content.map(|content| content.barcode.clone()),
        title: content.map(|content| content.title.clone()),
        item_status: content.map(|content| content.status.clone()),
    }
}
