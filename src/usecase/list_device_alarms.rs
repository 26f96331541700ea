//! What people must know of devices at a unit and below it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acting_device::device_of;
use super::list_devices::units_in_reach;
use super::page::{Page, PageRequest};
use super::{Caller, Result, Store};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::ids::DeviceId;
use crate::store::devices::Device;
use crate::store::devices::alarms::AlarmRow;
use crate::store::idempotency::Outcome;

/// An alarm of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceAlarmView {
    #[schema(example = 9001)]
    pub id: i64,
    /// The device it is about.
    #[schema(example = 42)]
    pub device_id: i64,
    /// Of that device.
    #[schema(example = "JC-L1")]
    pub device_code: String,
    /// What is wrong.
    #[schema(example = "stock_low")]
    pub kind: String,
    /// Which compartment, command, thing in stock; empty for the whole device.
    #[schema(example = "paper")]
    pub subject: String,
    /// When it began (UTC).
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub raised_at: DateTime<Utc>,
    /// When it was raised last (UTC).
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub last_at: DateTime<Utc>,
    /// How often it was raised.
    #[schema(example = 1)]
    pub times: i64,
    /// When it ended (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-03-04T09:00:00Z")]
    pub ended_at: Option<DateTime<Utc>>,
    /// `cleared`: by itself; `settled`: by a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "settled")]
    pub ended_how: Option<String>,
    /// What the person who settled it wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "已补纸")]
    pub note: Option<String>,
}

impl Outcome for DeviceAlarmView {}

/// Which alarms.
#[derive(Debug, Clone)]
pub struct ListDeviceAlarms {
    /// At this unit and below; where the caller may look if absent.
    pub unit_code: Option<String>,
    pub device: Option<DeviceId>,
    pub page: PageRequest,
}

/// The alarms that stand, the newest first.
///
/// # Errors
/// `Forbidden` without the right there; `Invalid` naming the unit; `NotFound` for the device; a failure of the store.
pub async fn list_device_alarms(
    store: &Arc<Store>,
    caller: &Caller,
    query: ListDeviceAlarms,
) -> Result<Page<DeviceAlarmView>> {
    caller.require_somewhere(Right::ReadDevices)?;
    let caller = caller.clone();
    store
        .read(move |tx| {
            let network = tx.network()?;
            let units = units_in_reach(&caller, query.unit_code.as_deref(), &network)?;
            // A device reads its own.
            let which = query.device.or_else(|| caller.device());
            if let Some(device) = which {
                device_of(tx, &caller, device, Right::ReadDevices)?;
            }
            let rows = tx.standing_alarms(&units, which, query.page.before_id(), query.page.fetch())?;
            let page = query.page.cut(rows, |row| row.id);
            let ids: Vec<i64> = page.items.iter().map(|row| row.device_id).collect();
            let devices = tx.devices_with_ids(&ids)?;
            Ok(page.map(|row| view(row, &devices)))
        })
        .await
}

/// The alarm as it is shown.
pub(super) fn view(row: AlarmRow, devices: &[Device]) -> DeviceAlarmView {
    let code = devices.iter().find(|device| device.id.get() == row.device_id);
    DeviceAlarmView {
        id: row.id,
        device_id: row.device_id,
        device_code: code.map(|device| device.code.clone()).unwrap_or_default(),
        kind: row.kind,
        subject: row.subject,
        raised_at: from_millis(row.raised_at),
        last_at: from_millis(row.last_at),
        times: row.times,
        ended_at: row.ended_at.map(from_millis),
        ended_how: row.ended_how,
        note: row.note,
    }
}
