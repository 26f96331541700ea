//! What devices said of themselves last.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::clock::from_millis;
use crate::domain::device_heartbeat::ClockState;
use crate::domain::ids::DeviceId;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::schema::{device_alarms, device_status, devices};
use crate::store::tx::{ReadTx, WriteTx};

/// What is known of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub device: DeviceId,
    pub last_seen_at: DateTime<Utc>,
    /// By its clock.
    pub started_at: DateTime<Utc>,
    pub beat: u64,
    pub clock_offset_ms: i64,
    pub clock: ClockState,
    pub firmware: String,
    pub configuration_version: i64,
    pub faults: Vec<String>,
    pub stock: BTreeMap<String, i64>,
    pub changed_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Insertable, AsChangeset, Queryable)]
#[diesel(table_name = device_status)]
struct StatusRow {
    device_id: i64,
    last_seen_at: i64,
    started_at: i64,
    beat: i64,
    clock_offset_ms: i64,
    clock: String,
    firmware: String,
    configuration_version: i64,
    faults: String,
    stock: String,
    changed_at: i64,
}

impl StatusRow {
    fn of(status: &Status) -> Result<Self, StoreError> {
        Ok(Self {
            device_id: status.device.get(),
            last_seen_at: status.last_seen_at.timestamp_millis(),
            started_at: status.started_at.timestamp_millis(),
            beat: status.beat.cast_signed(),
            clock_offset_ms: status.clock_offset_ms,
            clock: status.clock.code().to_owned(),
            firmware: status.firmware.clone(),
            configuration_version: status.configuration_version,
            faults: status.faults.join(","),
            stock: serde_json::to_string(&status.stock)
                .map_err(|error| StoreError::Corrupt(format!("stock of a device: {error}")))?,
            changed_at: status.changed_at.timestamp_millis(),
        })
    }

    fn read(self) -> Result<Status, StoreError> {
        let corrupt =
            |what: &str| StoreError::Corrupt(format!("the {what} of device {} cannot be read", self.device_id));
        Ok(Status {
            device: DeviceId::new(self.device_id),
            last_seen_at: from_millis(self.last_seen_at),
            started_at: from_millis(self.started_at),
            beat: self.beat.cast_unsigned(),
            clock_offset_ms: self.clock_offset_ms,
            clock: ClockState::from_code(&self.clock).ok_or_else(|| corrupt("clock"))?,
            configuration_version: self.configuration_version,
            faults: self
                .faults
                .split(',')
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect(),
            stock: serde_json::from_str(&self.stock).map_err(|_| corrupt("stock"))?,
            changed_at: from_millis(self.changed_at),
            firmware: self.firmware,
        })
    }
}

impl ReadTx<'_> {
    /// What some devices said last; nothing of those that never said anything.
    pub fn statuses(&mut self, ids: &[i64]) -> Result<Vec<Status>, StoreError> {
        let rows: Vec<StatusRow> = device_status::table
            .filter(device_status::device_id.eq_any(ids))
            .load(self.conn)?;
        rows.into_iter().map(StatusRow::read).collect()
    }

    /// Devices at work that were last heard of before a moment, after an id, with when that was; those of which it is said
    /// already that they are silent are left out.
    pub fn silent_devices(
        &mut self,
        before: DateTime<Utc>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(DeviceId, DateTime<Utc>, i64)>, StoreError> {
        let silent = device_status::table
            .inner_join(devices::table.on(devices::id.eq(device_status::device_id)))
            .left_join(
                device_alarms::table.on(device_alarms::device_id
                    .eq(device_status::device_id)
                    .and(device_alarms::kind.eq("silent"))
                    .and(device_alarms::ended_at.is_null())),
            )
            .filter(device_alarms::id.is_null())
            .filter(devices::active.eq(true))
            .filter(devices::approved_at.is_not_null())
            .filter(devices::retired_at.is_null())
            .filter(device_status::last_seen_at.lt(before.timestamp_millis()))
            .filter(device_status::device_id.gt(after))
            .order(device_status::device_id)
            .select((
                device_status::device_id,
                device_status::last_seen_at,
                devices::configuration_version,
            ))
            .limit(limit);
        let rows: Vec<(i64, i64, i64)> = on_engine!(self.conn, conn => silent.load(conn))?;
        Ok(rows
            .into_iter()
            .map(|(id, seen, version)| (DeviceId::new(id), from_millis(seen), version))
            .collect())
    }
}

impl WriteTx<'_> {
    /// Keeps what a device says of itself.
    pub fn put_status(&mut self, status: &Status) -> Result<(), StoreError> {
        let row = StatusRow::of(status)?;
        on_engine!(self.conn, conn => diesel::insert_into(device_status::table)
            .values(&row)
            .on_conflict(device_status::device_id)
            .do_update()
            .set(&row)
            .execute(conn))?;
        Ok(())
    }

    /// Keeps when a device was last heard of, and its last beat; never an earlier moment.
    pub fn put_last_seen(&mut self, device: DeviceId, at: DateTime<Utc>, beat: u64) -> Result<(), StoreError> {
        let older = device_status::table
            .find(device.get())
            .filter(device_status::last_seen_at.lt(at.timestamp_millis()));
        diesel::update(older)
            .set((
                device_status::last_seen_at.eq(at.timestamp_millis()),
                device_status::beat.eq(beat.cast_signed()),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
