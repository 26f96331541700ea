//! Other systems that are told of events, and what each was told.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::domain::ids::UnitId;
use crate::store::error::StoreError;
use crate::store::hot::on_engine;
use crate::store::outbox::OutboxRow;
use crate::store::schema::{outbox, webhook_deliveries, webhooks};
use crate::store::tx::{ReadTx, WriteTx};

/// The word in the outbox.
pub const WEBHOOK: &str = "webhook";

/// Another system.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = webhooks)]
pub struct Webhook {
    pub id: i64,
    pub unit_id: i64,
    pub url: String,
    /// Separated by commas; `*`: every kind.
    pub kinds: String,
    pub active: bool,
    /// Which secret counts.
    pub secret_number: i64,
    pub secret_since: i64,
    pub version: i64,
    pub created_at: i64,
    pub removed_at: Option<i64>,
}

impl Webhook {
    /// It is to be told of events of this kind.
    pub fn wants(&self, kind: &str) -> bool {
        self.kinds.split(',').any(|wanted| wanted == "*" || wanted == kind)
    }

    pub const fn unit(&self) -> UnitId {
        UnitId::new(self.unit_id)
    }
}

/// One event for one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Delivery {
    pub id: i64,
    pub webhook_id: i64,
    pub event_seq: i64,
    pub made_at: i64,
    pub status: Option<i32>,
}

/// Which deliveries of a webhook are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deliveries {
    All,
    Waiting,
    Done,
    Failed,
}

impl ReadTx<'_> {
    /// Webhooks that were not removed, by id.
    pub fn webhooks(&mut self) -> Result<Vec<Webhook>, StoreError> {
        Ok(webhooks::table
            .filter(webhooks::removed_at.is_null())
            .order(webhooks::id)
            .load(self.conn)?)
    }

    /// A webhook that was not removed.
    pub fn webhook(&mut self, id: i64) -> Result<Option<Webhook>, StoreError> {
        Ok(webhooks::table
            .find(id)
            .filter(webhooks::removed_at.is_null())
            .first(self.conn)
            .optional()?)
    }

    /// A delivery.
    pub fn delivery(&mut self, id: i64) -> Result<Option<Delivery>, StoreError> {
        Ok(webhook_deliveries::table.find(id).first(self.conn).optional()?)
    }

    /// Deliveries of a webhook before an id, the newest first, with what the outbox says of them.
    pub fn deliveries_of(
        &mut self,
        webhook: i64,
        which: Deliveries,
        before: i64,
        limit: i64,
    ) -> Result<Vec<(Delivery, OutboxRow)>, StoreError> {
        let told = webhook_deliveries::table
            .inner_join(outbox::table.on(outbox::id.eq(webhook_deliveries::id)))
            .filter(webhook_deliveries::webhook_id.eq(webhook))
            .filter(webhook_deliveries::id.lt(before))
            .order(webhook_deliveries::id.desc())
            .limit(limit)
            .select((webhook_deliveries::all_columns, outbox::all_columns));
        Ok(on_engine!(self.conn, conn => match which {
            Deliveries::All => told.load(conn),
            Deliveries::Waiting => told.filter(outbox::next_at.is_not_null()).load(conn),
            Deliveries::Done => told.filter(outbox::done_at.is_not_null()).load(conn),
            Deliveries::Failed => told.filter(outbox::dead_at.is_not_null()).load(conn),
        })?)
    }

    /// Some deliveries that were made before a moment and are no longer in the outbox.
    pub fn old_deliveries(&mut self, before: DateTime<Utc>, at_most: i64) -> Result<Vec<i64>, StoreError> {
        let kept = outbox::table.filter(outbox::id.eq(webhook_deliveries::id));
        let query = webhook_deliveries::table
            .filter(webhook_deliveries::made_at.lt(before.timestamp_millis()))
            .filter(diesel::dsl::not(diesel::dsl::exists(kept)))
            .limit(at_most)
            .select(webhook_deliveries::id);
        Ok(on_engine!(self.conn, conn => query.load(conn))?)
    }
}

impl WriteTx<'_> {
    /// A new webhook.
    pub fn insert_webhook(&mut self, webhook: &Webhook) -> Result<(), StoreError> {
        diesel::insert_into(webhooks::table)
            .values(webhook.clone())
            .execute(self.conn)?;
        Ok(())
    }

    /// A webhook as it is to be. False: it is not at the version before any more.
    pub fn update_webhook(&mut self, webhook: &Webhook) -> Result<bool, StoreError> {
        let before = webhooks::table.find(webhook.id).filter(
            webhooks::version
                .eq(webhook.version - 1)
                .and(webhooks::removed_at.is_null()),
        );
        let changed = diesel::update(before)
            .set((
                webhooks::url.eq(&webhook.url),
                webhooks::kinds.eq(&webhook.kinds),
                webhooks::active.eq(webhook.active),
                webhooks::secret_number.eq(webhook.secret_number),
                webhooks::secret_since.eq(webhook.secret_since),
                webhooks::version.eq(webhook.version),
                webhooks::removed_at.eq(webhook.removed_at),
            ))
            .execute(self.conn)?;
        Ok(changed == 1)
    }

    /// An event is to be told to a webhook, unless that was said already.
    pub fn insert_delivery(&mut self, id: i64, webhook: i64, event: i64) -> Result<(), StoreError> {
        let now = self.now().timestamp_millis();
        let insert = diesel::insert_into(webhook_deliveries::table)
            .values((
                webhook_deliveries::id.eq(id),
                webhook_deliveries::webhook_id.eq(webhook),
                webhook_deliveries::event_seq.eq(event),
                webhook_deliveries::made_at.eq(now),
            ))
            .on_conflict_do_nothing();
        if on_engine!(self.conn, conn => insert.execute(conn))? == 1 {
            self.insert_outbox(id, WEBHOOK, webhook, &format!("{webhook}-{event}"))?;
        }
        Ok(())
    }

    /// What the other side answered last.
    pub fn note_delivery_status(&mut self, id: i64, status: Option<u16>) -> Result<(), StoreError> {
        diesel::update(webhook_deliveries::table.find(id))
            .set(webhook_deliveries::status.eq(status.map(i32::from)))
            .execute(self.conn)?;
        Ok(())
    }

    /// Tells a delivery again that was told or given up. False: it still waits, or was forgotten.
    pub fn replay_delivery(&mut self, id: i64) -> Result<bool, StoreError> {
        let now = self.now().timestamp_millis();
        let ended = outbox::table
            .find(id)
            .filter(outbox::consumer.eq(WEBHOOK).and(outbox::next_at.is_null()));
        let changed = diesel::update(ended)
            .set((
                outbox::next_at.eq(now),
                outbox::done_at.eq(None::<i64>),
                outbox::dead_at.eq(None::<i64>),
                outbox::attempts.eq(0),
            ))
            .execute(self.conn)?;
        Ok(changed == 1)
    }

    /// Tells some deliveries of a webhook again that were given up; answers how many.
    pub fn replay_failed(&mut self, webhook: i64, at_most: i64) -> Result<usize, StoreError> {
        let now = self.now().timestamp_millis();
        let ids: Vec<i64> = outbox::table
            .filter(outbox::consumer.eq(WEBHOOK).and(outbox::subject_id.eq(webhook)))
            .filter(outbox::dead_at.is_not_null())
            .order(outbox::id)
            .limit(at_most)
            .select(outbox::id)
            .load(self.conn)?;
        Ok(diesel::update(outbox::table.filter(outbox::id.eq_any(ids)))
            .set((
                outbox::next_at.eq(now),
                outbox::dead_at.eq(None::<i64>),
                outbox::attempts.eq(0),
            ))
            .execute(self.conn)?)
    }

    /// Forgets deliveries; answers how many.
    pub fn erase_deliveries(&mut self, ids: &[i64]) -> Result<usize, StoreError> {
        let gone = webhook_deliveries::table.filter(webhook_deliveries::id.eq_any(ids));
        Ok(on_engine!(self.conn, conn => diesel::delete(gone).execute(conn))?)
    }
}
