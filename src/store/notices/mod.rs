//! Notices: messages to readers, the lines that say by number what they are about, and by which channels they go. Nothing here
//! holds a word of what is sent, nor an address.

pub mod contacts;
pub mod credit;
pub mod letters;
pub mod reminders;
pub mod walk;
pub mod webhooks;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::domain::ids::{ReaderId, UnitId};
use crate::domain::notice::{NoticeKind, SendChannel};
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::schema::{delivery_requests, holds, notice_lines, notice_sendings, notices, outbox, parcels};
use crate::store::tx::{ReadTx, WriteTx};

/// One message to one reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub id: i64,
    pub reader: ReaderId,
    pub kind: NoticeKind,
    pub unit: UnitId,
    pub made_at: i64,
    pub send_at: i64,
}

/// What a line names, and what makes it another time than the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Line {
    pub subject: i64,
    pub occasion: i64,
}

/// The occasion of what is told once and for all.
pub const ONCE: i64 = 0;

/// One notice by one channel.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Sending {
    pub id: i64,
    pub notice_id: i64,
    pub channel: String,
    pub sent_at: Option<i64>,
    pub bounced_at: Option<i64>,
    pub status: Option<String>,
}

/// A sending with what the outbox says of it: done, given up, attempts; `None` once that is forgotten.
pub type SendingState = (Sending, Option<(Option<i64>, Option<i64>, i32)>);

type NoticeColumns = (i64, i64, String, i64, i64, i64);

fn notice((id, reader, kind, unit, made_at, send_at): NoticeColumns) -> Result<Notice, StoreError> {
    let kind = NoticeKind::from_code(&kind)
        .ok_or_else(|| StoreError::Corrupt(format!("notice {id} has the unknown kind {kind}")))?;
    Ok(Notice {
        id,
        reader: ReaderId::new(reader),
        kind,
        unit: UnitId::new(unit),
        made_at,
        send_at,
    })
}

macro_rules! notice_columns {
    () => {
        (
            notices::id,
            notices::reader_id,
            notices::kind,
            notices::unit_id,
            notices::made_at,
            notices::send_at,
        )
    };
}

impl ReadTx<'_> {
    /// A notice.
    pub fn notice(&mut self, id: i64) -> Result<Option<Notice>, StoreError> {
        let found: Option<NoticeColumns> = notices::table
            .find(id)
            .select(notice_columns!())
            .first(self.conn)
            .optional()?;
        found.map(notice).transpose()
    }

    /// A reader's notices before an id, the newest first.
    pub fn notices_of(&mut self, reader: ReaderId, before: i64, limit: i64) -> Result<Vec<Notice>, StoreError> {
        let rows: Vec<NoticeColumns> = notices::table
            .filter(notices::reader_id.eq(reader.get()).and(notices::id.lt(before)))
            .order(notices::id.desc())
            .limit(limit)
            .select(notice_columns!())
            .load(self.conn)?;
        rows.into_iter().map(notice).collect()
    }

    /// What a notice is about, by subject: at most `limit` lines, and how many there are.
    pub fn notice_lines(&mut self, notice: i64, limit: i64) -> Result<(Vec<Line>, i64), StoreError> {
        let of = notice_lines::table.filter(notice_lines::notice_id.eq(notice));
        let rows: Vec<(i64, i64)> = of
            .order((notice_lines::subject_id, notice_lines::occasion))
            .limit(limit)
            .select((notice_lines::subject_id, notice_lines::occasion))
            .load(self.conn)?;
        let all = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let all = if all < limit {
            all
        } else {
            of.count().get_result(self.conn)?
        };
        let line = |(subject, occasion)| Line { subject, occasion };
        Ok((rows.into_iter().map(line).collect(), all))
    }

    /// By which channels notices went, and how that ended.
    pub fn sendings_of(&mut self, of: &[i64]) -> Result<Vec<SendingState>, StoreError> {
        let query = notice_sendings::table
            .left_join(outbox::table.on(outbox::id.eq(notice_sendings::id)))
            .filter(notice_sendings::notice_id.eq_any(of))
            .order(notice_sendings::id)
            .select((
                notice_sendings::all_columns,
                (outbox::done_at, outbox::dead_at, outbox::attempts).nullable(),
            ));
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }

    /// A sending.
    pub fn sending(&mut self, id: i64) -> Result<Option<Sending>, StoreError> {
        Ok(notice_sendings::table.find(id).first(self.conn).optional()?)
    }

    /// Who waits, or waited, by a hold.
    pub fn reader_of_hold(&mut self, hold: i64) -> Result<Option<ReaderId>, StoreError> {
        let reader: Option<Option<i64>> = holds::table
            .find(hold)
            .select(holds::reader_id)
            .first(self.conn)
            .optional()?;
        Ok(reader.flatten().map(ReaderId::new))
    }

    /// Whose parcel it is.
    pub fn reader_of_parcel(&mut self, parcel: i64) -> Result<Option<ReaderId>, StoreError> {
        let reader: Option<Option<i64>> = parcels::table
            .inner_join(delivery_requests::table.on(delivery_requests::id.eq(parcels::request_id)))
            .filter(parcels::id.eq(parcel))
            .select(delivery_requests::reader_id)
            .first(self.conn)
            .optional()?;
        Ok(reader.flatten().map(ReaderId::new))
    }

    /// Some notices that were made before a moment.
    pub fn old_notices(&mut self, before: DateTime<Utc>, at_most: i64) -> Result<Vec<i64>, StoreError> {
        let query = notices::table
            .filter(notices::made_at.lt(before.timestamp_millis()))
            .order(notices::made_at)
            .limit(at_most)
            .select(notices::id);
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }

    /// Which of these lines were made already.
    pub fn known_lines(&mut self, kind: NoticeKind, lines: &[Line]) -> Result<Vec<Line>, StoreError> {
        let subjects: Vec<i64> = lines.iter().map(|line| line.subject).collect();
        let query = notice_lines::table
            .filter(notice_lines::kind.eq(kind.code()))
            .filter(notice_lines::subject_id.eq_any(subjects))
            .select((notice_lines::subject_id, notice_lines::occasion));
        let rows: Vec<(i64, i64)> = on_engine!(self.conn, conn => query.load(conn))?;
        let line = |(subject, occasion)| Line { subject, occasion };
        Ok(rows.into_iter().map(line).filter(|line| lines.contains(line)).collect())
    }
}

impl WriteTx<'_> {
    /// The notice that lines of a kind for a reader may still join; no one else takes it before the end of this transaction.
    /// One whose time has come is closed.
    pub fn gathering_notice(
        &mut self,
        reader: ReaderId,
        kind: NoticeKind,
        unit: UnitId,
    ) -> Result<Option<i64>, StoreError> {
        let now = self.now().timestamp_millis();
        // An update also where nothing changes: it takes the lock.
        let gathering = notices::table
            .filter(notices::reader_id.eq(reader.get()).and(notices::kind.eq(kind.code())))
            .filter(notices::unit_id.eq(unit.get()).and(notices::gathering));
        let update = diesel::update(gathering)
            .set(notices::gathering.eq(notices::send_at.gt(now)))
            .returning((notices::id, notices::gathering));
        let found: Vec<(i64, bool)> = on_engine!(self.conn, conn => update.get_results(conn))?;
        Ok(found.into_iter().find(|(_, open)| *open).map(|(id, _)| id))
    }

    /// A new notice.
    pub fn insert_notice(&mut self, made: &Notice, gathering: bool) -> Result<(), StoreError> {
        diesel::insert_into(notices::table)
            .values((
                notices::id.eq(made.id),
                notices::reader_id.eq(made.reader.get()),
                notices::kind.eq(made.kind.code()),
                notices::unit_id.eq(made.unit.get()),
                notices::made_at.eq(made.made_at),
                notices::send_at.eq(made.send_at),
                notices::gathering.eq(gathering),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Adds a line unless it was made already.
    pub fn insert_notice_line(&mut self, notice: i64, kind: NoticeKind, line: Line) -> Result<(), StoreError> {
        let insert = diesel::insert_into(notice_lines::table)
            .values((
                notice_lines::kind.eq(kind.code()),
                notice_lines::subject_id.eq(line.subject),
                notice_lines::occasion.eq(line.occasion),
                notice_lines::notice_id.eq(notice),
            ))
            .on_conflict_do_nothing();
        on_engine!(self.conn, conn => insert.execute(conn))?;
        Ok(())
    }

    /// A notice goes by a channel, from a moment on: with the row of the outbox of the same number.
    pub fn insert_sending(&mut self, id: i64, made: &Notice, channel: SendChannel) -> Result<(), StoreError> {
        diesel::insert_into(notice_sendings::table)
            .values((
                notice_sendings::id.eq(id),
                notice_sendings::notice_id.eq(made.id),
                notice_sendings::channel.eq(channel.code()),
            ))
            .execute(self.conn)?;
        let key = format!("notice-{}-{}", made.id, channel.code());
        self.insert_outbox_from(id, channel.code(), made.id, &key, made.send_at)
    }

    /// Nothing joins these notices any more: they are being put together.
    pub fn close_notices(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        let closing = diesel::update(notices::table.filter(notices::id.eq_any(ids).and(notices::gathering)))
            .set(notices::gathering.eq(false));
        on_engine!(self.conn, conn => closing.execute(conn))?;
        Ok(())
    }

    /// It was sent.
    pub fn note_sent(&mut self, sending: i64) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        diesel::update(notice_sendings::table.find(sending))
            .set(notice_sendings::sent_at.eq(now))
            .execute(self.conn)?;
        Ok(())
    }

    /// It came back, or was refused for good. False: that is known.
    pub fn note_bounced(&mut self, sending: i64, status: &str) -> Result<bool, StoreError> {
        let now = self.now().timestamp_millis();
        let first = notice_sendings::table
            .find(sending)
            .filter(notice_sendings::bounced_at.is_null());
        let changed = diesel::update(first)
            .set((notice_sendings::bounced_at.eq(now), notice_sendings::status.eq(status)))
            .execute(self.conn)?;
        Ok(changed == 1)
    }

    /// Erases notices with their lines and sendings; answers how many. What still waits in the outbox finds nothing to tell.
    pub fn erase_notices(&mut self, ids: &[i64]) -> Result<usize, StoreError> {
        let lines = notice_lines::table.filter(notice_lines::notice_id.eq_any(ids));
        on_engine!(self.conn, conn => diesel::delete(lines).execute(conn))?;
        let sendings = notice_sendings::table.filter(notice_sendings::notice_id.eq_any(ids));
        on_engine!(self.conn, conn => diesel::delete(sendings).execute(conn))?;
        let gone = notices::table.filter(notices::id.eq_any(ids));
        Ok(on_engine!(self.conn, conn => diesel::delete(gone).execute(conn))?)
    }
}
