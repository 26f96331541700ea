//! Alarms of devices: one stands per device, kind and subject, and counts.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::clock::from_millis;
use crate::domain::device_heartbeat::AlarmKind;
use crate::domain::ids::DeviceId;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::schema::{device_alarms, devices};
use crate::store::tx::{ReadTx, WriteTx};

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = device_alarms)]
pub struct AlarmRow {
    pub id: i64,
    pub device_id: i64,
    pub kind: String,
    pub subject: String,
    pub raised_at: i64,
    pub last_at: i64,
    pub times: i64,
    pub ended_at: Option<i64>,
    pub ended_how: Option<String>,
    pub note: Option<String>,
}

/// The one alarm of a device, kind and subject that stands.
macro_rules! standing {
    ($device:expr, $kind:expr, $subject:expr) => {
        device_alarms::table
            .filter(device_alarms::device_id.eq($device.get()))
            .filter(device_alarms::kind.eq($kind.code()))
            .filter(device_alarms::subject.eq($subject))
            .filter(device_alarms::ended_at.is_null())
    };
}

impl ReadTx<'_> {
    /// An alarm, standing or not.
    pub fn alarm(&mut self, id: i64) -> Result<Option<AlarmRow>, StoreError> {
        Ok(device_alarms::table.find(id).first(self.conn).optional()?)
    }

    /// Standing alarms of devices of some units before an id, the newest first; of one device, if it is said.
    pub fn standing_alarms(
        &mut self,
        units: &[i64],
        device: Option<DeviceId>,
        before: i64,
        limit: i64,
    ) -> Result<Vec<AlarmRow>, StoreError> {
        let standing = device_alarms::table
            .inner_join(devices::table.on(devices::id.eq(device_alarms::device_id)))
            .filter(device_alarms::ended_at.is_null())
            .filter(devices::unit_id.eq_any(units))
            .filter(device_alarms::id.lt(before))
            .order(device_alarms::id.desc())
            .limit(limit)
            .select(device_alarms::all_columns);
        Ok(on_engine!(self.conn, conn => match device {
            Some(device) => standing.filter(device_alarms::device_id.eq(device.get())).load(conn),
            None => standing.load(conn),
        })?)
    }

    /// The kinds of what stands of some devices.
    pub fn alarms_of_devices(&mut self, ids: &[i64]) -> Result<Vec<(i64, String)>, StoreError> {
        Ok(device_alarms::table
            .filter(device_alarms::ended_at.is_null())
            .filter(device_alarms::device_id.eq_any(ids))
            .order((device_alarms::device_id, device_alarms::kind, device_alarms::subject))
            .select((device_alarms::device_id, device_alarms::kind))
            .load(self.conn)?)
    }

    /// Those of some devices of which it is said that they are silent, and when that was said last.
    pub fn silent_among(&mut self, ids: &[i64]) -> Result<Vec<(DeviceId, DateTime<Utc>)>, StoreError> {
        let rows: Vec<(i64, i64)> = device_alarms::table
            .filter(device_alarms::ended_at.is_null())
            .filter(device_alarms::device_id.eq_any(ids))
            .filter(device_alarms::kind.eq(AlarmKind::Silent.code()))
            .order(device_alarms::device_id)
            .select((device_alarms::device_id, device_alarms::last_at))
            .load(self.conn)?;
        let said = rows.into_iter();
        Ok(said
            .map(|(id, last_at)| (DeviceId::new(id), from_millis(last_at)))
            .collect())
    }

    /// Some alarms that ended before a moment.
    pub fn old_alarms(&mut self, before: DateTime<Utc>, at_most: i64) -> Result<Vec<i64>, StoreError> {
        Ok(device_alarms::table
            .filter(device_alarms::ended_at.lt(before.timestamp_millis()))
            .order(device_alarms::ended_at)
            .limit(at_most)
            .select(device_alarms::id)
            .load(self.conn)?)
    }

    /// Whether such an alarm stands.
    pub fn has_alarm(&mut self, device: DeviceId, kind: AlarmKind, subject: &str) -> Result<bool, StoreError> {
        let n: i64 = standing!(device, kind, subject).count().get_result(self.conn)?;
        Ok(n > 0)
    }
}

impl WriteTx<'_> {
    /// Counts up an alarm that stands; false when none does.
    pub fn count_alarm(
        &mut self,
        device: DeviceId,
        kind: AlarmKind,
        subject: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let standing = standing!(device, kind, subject);
        let n = diesel::update(standing)
            .set((
                device_alarms::times.eq(device_alarms::times + 1),
                device_alarms::last_at.eq(now.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(n == 1)
    }

    /// Adds an alarm.
    ///
    /// # Errors
    /// `Conflict` when another transaction was first.
    pub fn insert_alarm(
        &mut self,
        id: i64,
        device: DeviceId,
        kind: AlarmKind,
        subject: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let row = AlarmRow {
            id,
            device_id: device.get(),
            kind: kind.code().to_owned(),
            subject: subject.to_owned(),
            raised_at: now.timestamp_millis(),
            last_at: now.timestamp_millis(),
            times: 1,
            ended_at: None,
            ended_how: None,
            note: None,
        };
        diesel::insert_into(device_alarms::table)
            .values(row)
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends an alarm because what it told of is over; false when none stood.
    pub fn clear_alarm(
        &mut self,
        device: DeviceId,
        kind: AlarmKind,
        subject: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let standing = standing!(device, kind, subject);
        let n = diesel::update(standing)
            .set((
                device_alarms::ended_at.eq(now.timestamp_millis()),
                device_alarms::ended_how.eq("cleared"),
            ))
            .execute(self.conn)?;
        Ok(n == 1)
    }

    /// Erases alarms; answers how many.
    pub fn erase_alarms(&mut self, ids: &[i64]) -> Result<usize, StoreError> {
        Ok(diesel::delete(device_alarms::table.filter(device_alarms::id.eq_any(ids))).execute(self.conn)?)
    }

    /// Ends every alarm of a device because the device is gone.
    pub fn end_alarms(&mut self, device: DeviceId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let standing = device_alarms::table
            .filter(device_alarms::device_id.eq(device.get()))
            .filter(device_alarms::ended_at.is_null());
        diesel::update(standing)
            .set((
                device_alarms::ended_at.eq(now.timestamp_millis()),
                device_alarms::ended_how.eq("cleared"),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends an alarm because a person dealt with it; false when it has ended.
    pub fn settle_alarm(&mut self, id: i64, note: Option<&str>, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let standing = device_alarms::table.find(id).filter(device_alarms::ended_at.is_null());
        let n = diesel::update(standing)
            .set((
                device_alarms::ended_at.eq(now.timestamp_millis()),
                device_alarms::ended_how.eq("settled"),
                device_alarms::note.eq(note),
            ))
            .execute(self.conn)?;
        Ok(n == 1)
    }
}
