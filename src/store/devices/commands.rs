//! Orders to devices.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::clock::from_millis;
use crate::domain::device_command::{CommandKind, CommandStatus};
use crate::domain::ids::{CommandId, DeviceId};
use crate::store::dialect;
use crate::store::error::StoreError;
use crate::store::schema::device_commands;
use crate::store::tx::{ReadTx, WriteTx};

/// One order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub id: CommandId,
    pub device: DeviceId,
    pub kind: CommandKind,
    /// JSON, nothing personal.
    pub body: String,
    /// What the acknowledgement repeats.
    pub receipt: Vec<u8>,
    pub status: CommandStatus,
    pub queued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// JSON.
    pub result: Option<String>,
    pub late_result: Option<String>,
}

#[derive(Debug, Insertable, Queryable)]
#[diesel(table_name = device_commands)]
struct CommandRow {
    id: i64,
    device_id: i64,
    kind: String,
    body: String,
    receipt: Vec<u8>,
    status: String,
    queued_at: i64,
    expires_at: i64,
    delivered_at: Option<i64>,
    ended_at: Option<i64>,
    result: Option<String>,
    late_result: Option<String>,
}

impl CommandRow {
    fn of(command: &Command) -> Self {
        Self {
            id: command.id.get(),
            device_id: command.device.get(),
            kind: command.kind.code().to_owned(),
            body: command.body.clone(),
            receipt: command.receipt.clone(),
            status: command.status.code().to_owned(),
            queued_at: command.queued_at.timestamp_millis(),
            expires_at: command.expires_at.timestamp_millis(),
            delivered_at: command.delivered_at.map(|at| at.timestamp_millis()),
            ended_at: command.ended_at.map(|at| at.timestamp_millis()),
            result: command.result.clone(),
            late_result: command.late_result.clone(),
        }
    }

    fn read(self) -> Result<Command, StoreError> {
        let id = self.id;
        let corrupt = |what: &str| StoreError::Corrupt(format!("command {id} has an unknown {what}"));
        Ok(Command {
            id: CommandId::new(id),
            device: DeviceId::new(self.device_id),
            kind: CommandKind::from_code(&self.kind).ok_or_else(|| corrupt("kind"))?,
            body: self.body,
            receipt: self.receipt,
            status: CommandStatus::from_code(&self.status).ok_or_else(|| corrupt("status"))?,
            queued_at: from_millis(self.queued_at),
            expires_at: from_millis(self.expires_at),
            delivered_at: self.delivered_at.map(from_millis),
            ended_at: self.ended_at.map(from_millis),
            result: self.result,
            late_result: self.late_result,
        })
    }
}

impl ReadTx<'_> {
    /// A command.
    pub fn command(&mut self, id: CommandId) -> Result<Option<Command>, StoreError> {
        let row: Option<CommandRow> = device_commands::table.find(id.get()).first(self.conn).optional()?;
        row.map(CommandRow::read).transpose()
    }

    /// What a device is still to do, what it was not told yet before the rest and the oldest first; what is overdue is left out.
    pub fn open_commands(&mut self, device: DeviceId, limit: i64) -> Result<Vec<Command>, StoreError> {
        let now = self.now().timestamp_millis();
        let rows: Vec<CommandRow> = device_commands::table
            .filter(device_commands::device_id.eq(device.get()))
            .filter(device_commands::ended_at.is_null())
            .filter(device_commands::expires_at.gt(now))
            // `queued` before `delivered`: what is never acknowledged hides nothing.
            .order((device_commands::status.desc(), device_commands::id))
            .limit(limit)
            .load(self.conn)?;
        rows.into_iter().map(CommandRow::read).collect()
    }

    /// Those of some commands of a device that it is still to do, the oldest first.
    pub fn open_among(&mut self, device: DeviceId, ids: &[i64]) -> Result<Vec<Command>, StoreError> {
        let rows: Vec<CommandRow> = device_commands::table
            .filter(device_commands::device_id.eq(device.get()))
            .filter(device_commands::id.eq_any(ids))
            .filter(device_commands::ended_at.is_null())
            .order(device_commands::id)
            .load(self.conn)?;
        rows.into_iter().map(CommandRow::read).collect()
    }

    /// The oldest that nobody has taken yet; what is overdue is left out.
    pub fn next_queued(&mut self, device: DeviceId) -> Result<Option<Command>, StoreError> {
        let now = self.now().timestamp_millis();
        let row: Option<CommandRow> = device_commands::table
            .filter(device_commands::device_id.eq(device.get()))
            .filter(device_commands::status.eq("queued"))
            .filter(device_commands::ended_at.is_null())
            .filter(device_commands::expires_at.gt(now))
            .order(device_commands::id)
            .first(self.conn)
            .optional()?;
        row.map(CommandRow::read).transpose()
    }

    /// How many commands wait for each of some devices.
    pub fn waiting_commands(&mut self, devices: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        let now = self.now().timestamp_millis();
        Ok(device_commands::table
            .filter(device_commands::device_id.eq_any(devices))
            .filter(device_commands::ended_at.is_null())
            .filter(device_commands::expires_at.gt(now))
            .group_by(device_commands::device_id)
            .select((device_commands::device_id, diesel::dsl::count_star()))
            .load(self.conn)?)
    }

    /// Commands of a device before an id, the newest first.
    pub fn commands_of(&mut self, device: DeviceId, before: i64, limit: i64) -> Result<Vec<Command>, StoreError> {
        let rows: Vec<CommandRow> = device_commands::table
            .filter(device_commands::device_id.eq(device.get()))
            .filter(device_commands::id.lt(before))
            .order(device_commands::id.desc())
            .limit(limit)
            .load(self.conn)?;
        rows.into_iter().map(CommandRow::read).collect()
    }

    /// Devices that have not asked yet for something that is ordered.
    pub fn devices_with_queued(&mut self, limit: i64) -> Result<Vec<DeviceId>, StoreError> {
        let ids: Vec<i64> = device_commands::table
            .filter(device_commands::status.eq("queued"))
            .order(device_commands::device_id)
            .select(device_commands::device_id)
            .distinct()
            .limit(limit)
            .load(self.conn)?;
        Ok(ids.into_iter().map(DeviceId::new).collect())
    }

    /// Some commands that ended before a moment.
    pub fn old_commands(&mut self, before: DateTime<Utc>, at_most: i64) -> Result<Vec<i64>, StoreError> {
        Ok(device_commands::table
            .filter(device_commands::ended_at.lt(before.timestamp_millis()))
            .order(device_commands::ended_at)
            .limit(at_most)
            .select(device_commands::id)
            .load(self.conn)?)
    }

    /// Commands whose time is over though they have not ended, after an id.
    pub fn overdue_commands(
        &mut self,
        now: DateTime<Utc>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<CommandId>, StoreError> {
        let ids: Vec<i64> = device_commands::table
            .filter(device_commands::ended_at.is_null())
            .filter(device_commands::expires_at.le(now.timestamp_millis()))
            .filter(device_commands::id.gt(after))
            .order(device_commands::id)
            .select(device_commands::id)
            .limit(limit)
            .load(self.conn)?;
        Ok(ids.into_iter().map(CommandId::new).collect())
    }
}

impl WriteTx<'_> {
    /// Adds a command.
    pub fn insert_command(&mut self, command: &Command) -> Result<(), StoreError> {
        diesel::insert_into(device_commands::table)
            .values(CommandRow::of(command))
            .execute(self.conn)?;
        Ok(())
    }

    /// A command that nobody else changes until the end of the transaction.
    pub fn lock_command(&mut self, id: CommandId) -> Result<Option<Command>, StoreError> {
        dialect::lock_command(self.conn, id.get())?;
        self.command(id)
    }

    /// Erases commands; answers how many.
    pub fn erase_commands(&mut self, ids: &[i64]) -> Result<usize, StoreError> {
        Ok(diesel::delete(device_commands::table.filter(device_commands::id.eq_any(ids))).execute(self.conn)?)
    }

    /// Says of queued commands of a device that it was told of them.
    pub fn deliver_commands(&mut self, device: DeviceId, ids: &[i64], now: DateTime<Utc>) -> Result<usize, StoreError> {
        let queued = device_commands::table
            .filter(device_commands::device_id.eq(device.get()))
            .filter(device_commands::id.eq_any(ids))
            .filter(device_commands::status.eq("queued"));
        Ok(diesel::update(queued)
            .set((
                device_commands::status.eq("delivered"),
                device_commands::delivered_at.eq(now.timestamp_millis()),
            ))
            .execute(self.conn)?)
    }

    /// Ends a command that has not ended; false when it has.
    pub fn end_command(
        &mut self,
        id: CommandId,
        status: CommandStatus,
        result: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let open = device_commands::table
            .find(id.get())
            .filter(device_commands::ended_at.is_null());
        let n = diesel::update(open)
            .set((
                device_commands::status.eq(status.code()),
                device_commands::ended_at.eq(now.timestamp_millis()),
                device_commands::result.eq(result),
            ))
            .execute(self.conn)?;
        Ok(n == 1)
    }

    /// Keeps what came too late; the first stands.
    pub fn keep_late_result(&mut self, id: CommandId, result: &str) -> Result<(), StoreError> {
        let first = device_commands::table
            .find(id.get())
            .filter(device_commands::late_result.is_null());
        diesel::update(first)
            .set(device_commands::late_result.eq(result))
            .execute(self.conn)?;
        Ok(())
    }

    /// Calls everything back that a device has not ended; answers how many.
    pub fn cancel_commands(&mut self, device: DeviceId, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let open = device_commands::table
            .filter(device_commands::device_id.eq(device.get()))
            .filter(device_commands::ended_at.is_null());
        Ok(diesel::update(open)
            .set((
                device_commands::status.eq("cancelled"),
                device_commands::ended_at.eq(now.timestamp_millis()),
            ))
            .execute(self.conn)?)
    }
}
