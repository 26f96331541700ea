//! The outbox: what has to be told to somebody outside once its transaction has committed. A row names its consumer and what
//! it is about, never anything personal; what is told is put together when it is told.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::error::StoreError;
use super::schema::outbox;
use super::tx::{ReadTx, WriteTx};

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct OutboxRow {
    pub id: i64,
    pub consumer: String,
    pub subject_id: i64,
    pub message_key: String,
    pub created_at: i64,
    pub attempts: i32,
    pub next_at: Option<i64>,
    pub done_at: Option<i64>,
    pub dead_at: Option<i64>,
    pub error: Option<String>,
}

impl OutboxRow {
    /// The word for its state.
    pub const fn status(&self) -> &'static str {
        match (self.done_at, self.dead_at, self.attempts) {
            (Some(_), _, _) => "done",
            (None, Some(_), _) => "failed",
            (None, None, 0) => "waiting",
            (None, None, _) => "retrying",
        }
    }
}

impl ReadTx<'_> {
    /// Open rows of a consumer after `after` that are due, by id.
    pub fn outbox_due(
        &mut self,
        consumer: &str,
        after: i64,
        now: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        Ok(outbox::table
            .filter(outbox::consumer.eq(consumer).and(outbox::id.gt(after)))
            .filter(
                outbox::next_at
                    .is_not_null()
                    .and(outbox::next_at.le(now.timestamp_millis())),
            )
            .order(outbox::id)
            .limit(limit)
            .load(self.conn)?)
    }

    /// The newest thing to tell a consumer about a subject.
    pub fn outbox_of(&mut self, consumer: &str, subject: i64) -> Result<Option<OutboxRow>, StoreError> {
        Ok(outbox::table
            .filter(outbox::consumer.eq(consumer).and(outbox::subject_id.eq(subject)))
            .order(outbox::id.desc())
            .first(self.conn)
            .optional()?)
    }
}

impl WriteTx<'_> {
    /// Something to tell, from now on.
    pub fn insert_outbox(&mut self, id: i64, consumer: &str, subject: i64, key: &str) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        self.insert_outbox_from(id, consumer, subject, key, now)
    }

    /// Something to tell, from a moment on.
    pub fn insert_outbox_from(
        &mut self,
        id: i64,
        consumer: &str,
        subject: i64,
        key: &str,
        from: i64,
    ) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        diesel::insert_into(outbox::table)
            .values((
                outbox::id.eq(id),
                outbox::consumer.eq(consumer),
                outbox::subject_id.eq(subject),
                outbox::message_key.eq(key),
                outbox::created_at.eq(now),
                outbox::next_at.eq(from),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Takes a row for one attempt; until `again_at` nobody else tries it. False: another node has it, or it is done.
    pub fn claim_outbox(&mut self, row: &OutboxRow, again_at: DateTime<Utc>) -> Result<bool, StoreError> {
        let claimed = diesel::update(outbox::table.find(row.id))
            .filter(outbox::attempts.eq(row.attempts).and(outbox::next_at.eq(row.next_at)))
            .set((
                outbox::attempts.eq(row.attempts + 1),
                outbox::next_at.eq(again_at.timestamp_millis()),
            ))
            .execute(self.conn)?;
        Ok(claimed == 1)
    }

    /// It was told. False: it is marked already.
    pub fn finish_outbox(&mut self, id: i64) -> Result<bool, StoreError> {
        let now = self.now().timestamp_millis();
        let changed = diesel::update(outbox::table.find(id))
            .filter(outbox::next_at.is_not_null())
            .set((
                outbox::next_at.eq(None::<i64>),
                outbox::done_at.eq(now),
                outbox::error.eq(None::<String>),
            ))
            .execute(self.conn)?;
        Ok(changed == 1)
    }

    /// It could not be told: why, and when it is tried again; `None` gives it up.
    pub fn fail_outbox(&mut self, id: i64, error: &str, again_at: Option<DateTime<Utc>>) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        let open = diesel::update(outbox::table.find(id)).filter(outbox::next_at.is_not_null());
        match again_at {
            Some(at) => open
                .set((outbox::next_at.eq(at.timestamp_millis()), outbox::error.eq(error)))
                .execute(self.conn)?,
            None => open
                .set((
                    outbox::next_at.eq(None::<i64>),
                    outbox::dead_at.eq(now),
                    outbox::error.eq(error),
                ))
                .execute(self.conn)?,
        };
        Ok(())
    }

    /// Tries once more what was given up. False: it was not.
    pub fn revive_outbox(&mut self, id: i64) -> Result<bool, StoreError> {
        let now = self.now().timestamp_millis();
        let changed = diesel::update(outbox::table.find(id))
            .filter(outbox::dead_at.is_not_null())
            .set((
                outbox::next_at.eq(now),
                outbox::dead_at.eq(None::<i64>),
                outbox::attempts.eq(0),
            ))
            .execute(self.conn)?;
        Ok(changed == 1)
    }

    /// Nobody has to tell it any more: it was settled otherwise.
    pub fn withdraw_outbox(&mut self, id: i64) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        diesel::update(outbox::table.find(id))
            .set((
                outbox::next_at.eq(None::<i64>),
                outbox::dead_at.eq(None::<i64>),
                outbox::done_at.eq(now),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Forgets some rows that were told before a moment; answers how many. What was given up stays.
    pub fn forget_told(&mut self, before: DateTime<Utc>, at_most: i64) -> Result<usize, StoreError> {
        let ids: Vec<i64> = outbox::table
            .filter(outbox::done_at.lt(before.timestamp_millis()))
            .limit(at_most)
            .select(outbox::id)
            .load(self.conn)?;
        Ok(diesel::delete(outbox::table.filter(outbox::id.eq_any(ids))).execute(self.conn)?)
    }
}
