//! The board: the devices of a unit and below it, and how each is.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::acting_device::within_reach;
use super::device_board::DeviceBoard;
use super::device_view::{DeviceStatusView, DeviceView, status_view, view};
use super::page::{Page, PageRequest};
use super::{Caller, Result, Store, UseCaseError};
use crate::auth::Right;
use crate::domain::ids::DeviceId;
use crate::domain::network::Network;
use crate::store::devices::Device;
use crate::store::tx::ReadTx;

/// A device on the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeviceOnBoard {
    /// As it is registered.
    pub device: DeviceView,
    /// What it said last; absent of one that never said anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<DeviceStatusView>,
    /// Kinds of the alarms that stand; `silent` among them: it is not heard of any more.
    #[schema(example = json!(["stock_low"]))]
    pub alarms: Vec<String>,
    /// Commands that have not ended.
    #[schema(example = 0)]
    pub commands_waiting: i64,
}

/// Which devices.
#[derive(Debug, Clone)]
pub struct ListDevices {
    /// At this unit and below; where the caller may look if absent.
    pub unit_code: Option<String>,
    pub page: PageRequest,
}

/// Devices in the order of their ids. A device sees itself.
///
/// # Errors
/// `Forbidden` without the right there; `Invalid` naming the unit; a failure of the store.
pub async fn list_devices(
    store: &Arc<Store>,
    board: &Arc<DeviceBoard>,
    caller: &Caller,
    query: ListDevices,
) -> Result<Page<DeviceOnBoard>> {
    caller.require_somewhere(Right::ReadDevices)?;
    let (caller, board) = (caller.clone(), Arc::clone(board));
    store
        .read(move |tx| {
            let network = tx.network()?;
            let units = units_in_reach(&caller, query.unit_code.as_deref(), &network)?;
            let rows = match caller.device() {
                Some(own) => tx.device(own)?.into_iter().collect(),
                None => tx.devices_of_units(&units, query.page.after_id(), query.page.fetch())?,
            };
            let page = query.page.cut(rows, |device| device.id.get());
            Ok(Page {
                items: on_board(tx, &board, &page.items, &network)?,
                next: page.next,
            })
        })
        .await
}

/// One device.
///
/// # Errors
/// `Forbidden` without the right anywhere; `NotFound`; a failure of the store.
pub async fn get_device(
    store: &Arc<Store>,
    board: &Arc<DeviceBoard>,
    caller: &Caller,
    id: DeviceId,
) -> Result<DeviceOnBoard> {
    caller.require_somewhere(Right::ReadDevices)?;
    let (caller, board) = (caller.clone(), Arc::clone(board));
    store
        .read(move |tx| {
            let device = tx.device(id)?;
            let device = within_reach(tx, &caller, device, Right::ReadDevices)?;
            let network = tx.network()?;
            let shown = on_board(tx, &board, &[device], &network)?.pop();
            shown.ok_or(UseCaseError::NotFound("device"))
        })
        .await
}

/// The units where the caller may look at devices: at one and below, or all there are.
///
/// # Errors
/// `Forbidden` without the right at the unit that is named; `Invalid` when it names none.
pub(super) fn units_in_reach(caller: &Caller, unit_code: Option<&str>, network: &Network) -> Result<Vec<i64>> {
    let units = network.units();
    let Some(code) = unit_code else {
        let reach = units
            .iter()
            .filter(|unit| caller.may(Right::ReadDevices, unit.id, network));
        return Ok(reach.map(|unit| unit.id.get()).collect());
    };
    let unit = units
        .by_code(code)
        .ok_or_else(|| UseCaseError::field("unit_code", "no unit has this code"))?;
    caller.require(Right::ReadDevices, unit.id, network)?;
    Ok(units.subtree(unit.id).map(|unit| unit.id.get()).collect())
}

fn on_board(
    tx: &mut ReadTx<'_>,
    board: &DeviceBoard,
    devices: &[Device],
    network: &Network,
) -> Result<Vec<DeviceOnBoard>> {
    let ids: Vec<i64> = devices.iter().map(|device| device.id.get()).collect();
    let mut alarms: HashMap<i64, Vec<String>> = HashMap::new();
    for (device, kind) in tx.alarms_of_devices(&ids)? {
        let kinds = alarms.entry(device).or_default();
        if kinds.last() != Some(&kind) {
            kinds.push(kind);
        }
    }
    let waiting: HashMap<i64, i64> = tx.waiting_commands(&ids)?.into_iter().collect();
    let mut statuses: HashMap<i64, _> = tx
        .statuses(&ids)?
        .into_iter()
        .map(|status| (status.device.get(), status))
        .collect();
    let shown = devices.iter().map(|device| {
        let id = device.id.get();
        DeviceOnBoard {
            device: view(device, network),
            status: statuses
                .remove(&id)
                .map(|status| status_view(status, board.last_seen(device.id))),
            alarms: alarms.remove(&id).unwrap_or_default(),
            commands_waiting: waiting.get(&id).copied().unwrap_or(0),
        }
    });
    Ok(shown.collect())
}
