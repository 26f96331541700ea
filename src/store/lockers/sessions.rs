//! Readers at machines: one at a time per screen.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::clock::from_millis;
use crate::domain::ids::{DeviceId, LockerSessionId, ReaderId};
use crate::domain::locker_session::{AT_MOST, IDLE, SessionEnd};
use crate::store::dialect;
use crate::store::error::StoreError;
use crate::store::schema::{compartments, loan_confirmations, locker_sessions};
use crate::store::tx::{ReadTx, WriteTx};

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockerSession {
    pub id: LockerSessionId,
    pub device: DeviceId,
    pub screen: u8,
    /// Gone once it has ended and was unlinked.
    pub reader: Option<ReaderId>,
    pub opened_at: DateTime<Utc>,
    pub last_act_at: DateTime<Utc>,
    pub ended: Option<SessionEnd>,
}

#[derive(Debug, Queryable)]
struct SessionRow {
    id: i64,
    device_id: i64,
    screen: i32,
    reader_id: Option<i64>,
    opened_at: i64,
    last_act_at: i64,
    _ended_at: Option<i64>,
    ended_how: Option<String>,
}

impl SessionRow {
    fn read(self) -> LockerSession {
        LockerSession {
            id: LockerSessionId::new(self.id),
            device: DeviceId::new(self.device_id),
            screen: u8::try_from(self.screen).unwrap_or(u8::MAX),
            reader: self.reader_id.map(ReaderId::new),
            opened_at: from_millis(self.opened_at),
            last_act_at: from_millis(self.last_act_at),
            ended: self.ended_how.as_deref().and_then(SessionEnd::from_code),
        }
    }
}

impl ReadTx<'_> {
    /// The open session of a screen.
    pub fn open_session_of(&mut self, device: DeviceId, screen: u8) -> Result<Option<LockerSession>, StoreError> {
        let row: Option<SessionRow> = locker_sessions::table
            .filter(locker_sessions::device_id.eq(device.get()))
            .filter(locker_sessions::screen.eq(i32::from(screen)))
            .filter(locker_sessions::ended_at.is_null())
            .first(self.conn)
            .optional()?;
        Ok(row.map(SessionRow::read))
    }

    /// A session by its id.
    pub fn locker_session(&mut self, id: LockerSessionId) -> Result<Option<LockerSession>, StoreError> {
        let row: Option<SessionRow> = locker_sessions::table.find(id.get()).first(self.conn).optional()?;
        Ok(row.map(SessionRow::read))
    }

    /// Open sessions after an id that are over by now, unless a door keeps them: without an act for a while, or too long.
    pub fn sessions_over(
        &mut self,
        now: DateTime<Utc>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<LockerSessionId>, StoreError> {
        let idle = locker_sessions::last_act_at.le((now - IDLE).timestamp_millis());
        let too_long = locker_sessions::opened_at.le((now - AT_MOST).timestamp_millis());
        let ids: Vec<i64> = locker_sessions::table
            .filter(locker_sessions::ended_at.is_null())
            .filter(idle.or(too_long))
            .filter(locker_sessions::id.gt(after))
            .order(locker_sessions::id)
            .select(locker_sessions::id)
            .limit(limit)
            .load(self.conn)?;
        Ok(ids.into_iter().map(LockerSessionId::new).collect())
    }

    /// Doors that were ordered open in a session and are not known to be closed.
    pub fn doors_open_in(&mut self, session: LockerSessionId) -> Result<u32, StoreError> {
        let n: i64 = loan_confirmations::table
            .inner_join(
                compartments::table.on(loan_confirmations::compartment_id
                    .eq(compartments::id.nullable())
                    .and(loan_confirmations::turn.eq(compartments::turn))),
            )
            .filter(loan_confirmations::session_id.eq(session.get()))
            .filter(compartments::state.eq("handing_out"))
            .count()
            .get_result(self.conn)?;
        Ok(u32::try_from(n).unwrap_or(u32::MAX))
    }
}

impl WriteTx<'_> {
    /// A session that nobody else changes until the end of the transaction.
    pub fn lock_locker_session(&mut self, id: LockerSessionId) -> Result<Option<LockerSession>, StoreError> {
        dialect::lock_locker_session(self.conn, id.get())?;
        self.locker_session(id)
    }

    /// Opens a session.
    ///
    /// # Errors
    /// `Conflict` when the screen has one.
    pub fn insert_locker_session(&mut self, one: &LockerSession) -> Result<(), StoreError> {
        diesel::insert_into(locker_sessions::table)
            .values((
                locker_sessions::id.eq(one.id.get()),
                locker_sessions::device_id.eq(one.device.get()),
                locker_sessions::screen.eq(i32::from(one.screen)),
                locker_sessions::reader_id.eq(one.reader.map(ReaderId::get)),
                locker_sessions::opened_at.eq(one.opened_at.timestamp_millis()),
                locker_sessions::last_act_at.eq(one.last_act_at.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Its reader has acted.
    pub fn touch_locker_session(&mut self, id: LockerSessionId, now: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(locker_sessions::table.find(id.get()))
            .set(locker_sessions::last_act_at.eq(now.timestamp_millis()))
            .execute(self.conn)?;
        Ok(())
    }

    /// Gives a reader's sessions at machines to another; one that goes on ends.
    pub fn move_locker_sessions(&mut self, from: ReaderId, to: ReaderId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let open = locker_sessions::table
            .filter(locker_sessions::reader_id.eq(from.get()))
            .filter(locker_sessions::ended_at.is_null());
        diesel::update(open)
            .set((
                locker_sessions::ended_at.eq(now.timestamp_millis()),
                locker_sessions::ended_how.eq(SessionEnd::Device.code()),
            ))
            .execute(self.conn)?;
        diesel::update(locker_sessions::table.filter(locker_sessions::reader_id.eq(from.get())))
            .set(locker_sessions::reader_id.eq(to.get()))
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends every session of a device that is not at work any more.
    pub fn end_locker_sessions_of(&mut self, device: DeviceId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let open = locker_sessions::table
            .filter(locker_sessions::device_id.eq(device.get()))
            .filter(locker_sessions::ended_at.is_null());
        diesel::update(open)
            .set((
                locker_sessions::ended_at.eq(now.timestamp_millis()),
                locker_sessions::ended_how.eq(SessionEnd::Device.code()),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Ends a session.
    pub fn end_locker_session(
        &mut self,
        id: LockerSessionId,
        how: SessionEnd,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::update(locker_sessions::table.find(id.get()))
            .set((
                locker_sessions::ended_at.eq(now.timestamp_millis()),
                locker_sessions::ended_how.eq(how.code()),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
