//! Devices as the API shows them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::unit_code;
use crate::domain::network::Network;
use crate::store::devices::Device;
use crate::store::devices::status::Status;
use crate::store::idempotency::Outcome;

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceView {
    #[schema(example = 9001)]
    pub id: i64,
    /// What it logs in as; never given twice.
    #[schema(example = "JC-L1")]
    pub code: String,
    /// Where it stands and acts.
    #[schema(example = "P1")]
    pub unit_code: String,
    /// `gate`, `locker`, `kiosk`, `desk_reader` or `sorter`.
    #[schema(example = "locker")]
    pub kind: String,
    /// What people call it.
    #[schema(example = "江汉路地铁站取书柜")]
    pub name: String,
    /// What it can do.
    #[schema(example = json!(["door_bank", "item_sensor", "two_phase_loans"]))]
    pub capabilities: Vec<String>,
    /// `pending`, `active`, `suspended` or `retired`.
    #[schema(example = "active")]
    pub state: String,
    /// When it was registered (UTC); absent of those from before there were approvals.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub registered_at: Option<DateTime<Utc>>,
    /// When it was approved (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-03-04T08:20:00Z")]
    pub approved_at: Option<DateTime<Utc>>,
    /// When it was retired (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2031-03-04T08:20:00Z")]
    pub retired_at: Option<DateTime<Utc>>,
    /// The newest configuration made for it; 0: none, everything is as the default says.
    #[schema(example = 3)]
    pub configuration_version: i64,
}

impl Outcome for DeviceView {}

/// The device as it is shown.
pub(super) fn view(device: &Device, network: &Network) -> DeviceView {
    DeviceView {
        id: device.id.get(),
        code: device.code.clone(),
        unit_code: unit_code(network, device.unit.get()),
        kind: device.kind.code().to_owned(),
        name: device.name.clone(),
        capabilities: device.capabilities.iter().map(|one| one.code().to_owned()).collect(),
        state: device.state().code().to_owned(),
        registered_at: device.registered_at,
        approved_at: device.approved_at,
        retired_at: device.retired_at,
        configuration_version: device.configuration_version,
    }
}

/// What a device said of itself last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceStatusView {
    /// When it was last heard of (UTC).
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub last_seen_at: DateTime<Utc>,
    /// When it was started last, by its own clock (UTC).
    #[schema(example = "2026-03-01T22:00:00Z")]
    pub started_at: DateTime<Utc>,
    /// `good`, `drifting` or `wrong`.
    #[schema(example = "good")]
    pub clock: String,
    /// Its clock less ours, in milliseconds.
    #[schema(example = -120)]
    pub clock_offset_ms: i64,
    /// As it names it.
    #[schema(example = "1.4.2")]
    pub firmware: String,
    /// The configuration it runs.
    #[schema(example = 3)]
    pub configuration_version: i64,
    /// What it says is wrong with it.
    #[schema(example = json!(["printer_jam"]))]
    pub faults: Vec<String>,
    /// What it has left, by its name.
    #[schema(example = json!({"paper": 40}))]
    pub stock: BTreeMap<String, i64>,
}

/// The status as it is shown; the node's memory may have heard of the device since.
pub(super) fn status_view(status: Status, heard: Option<DateTime<Utc>>) -> DeviceStatusView {
    DeviceStatusView {
        last_seen_at: heard.map_or(status.last_seen_at, |heard| heard.max(status.last_seen_at)),
        started_at: status.started_at,
        clock: status.clock.code().to_owned(),
        clock_offset_ms: status.clock_offset_ms,
        firmware: status.firmware,
        configuration_version: status.configuration_version,
        faults: status.faults,
        stock: status.stock,
    }
}
