//! A walk over the events in commit order that keeps its place in the database: what follows events (notices, webhooks) is written
//! together with the place, so that each event is followed up once.

use diesel::prelude::*;

use crate::clock::from_millis;
use crate::domain::event::EventKind;
use crate::domain::ids::{ReaderId, UnitId};
use crate::store::error::StoreError;
use crate::store::schema::{event_cursors, event_personal};
use crate::store::tx::{ReadTx, WriteTx};

/// A place in the commit order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub txid: i64,
    pub seq: i64,
}

/// What is told of an event: nothing personal is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    pub place: Place,
    pub at: chrono::DateTime<chrono::Utc>,
    pub day: String,
    /// `None`: written by a newer program.
    pub kind: Option<EventKind>,
    pub unit: UnitId,
    pub item: Option<i64>,
    pub bib: Option<i64>,
    pub channel: String,
    pub detail: serde_json::Value,
}

impl News {
    /// A number of the event's detail.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.detail.get(name).and_then(serde_json::Value::as_i64)
    }
}

impl ReadTx<'_> {
    /// How far a walk is.
    pub fn event_place(&mut self, walk: &str) -> Result<Place, StoreError> {
        let (txid, seq) = event_cursors::table
            .find(walk)
            .select((event_cursors::txid, event_cursors::seq))
            .first(self.conn)
            .optional()?
            .ok_or_else(|| StoreError::Corrupt(format!("the walk {walk} over the events has no place")))?;
        Ok(Place { txid, seq })
    }

    /// Events after a place that no running transaction can still get in front of.
    pub fn news(&mut self, after: Place, limit: i64) -> Result<Vec<News>, StoreError> {
        let settled = self.settled_events((after.txid, after.seq), limit)?;
        Ok(settled.into_iter().map(|(txid, event)| news(txid, event)).collect())
    }

    /// One event.
    pub fn news_of(&mut self, seq: i64) -> Result<Option<News>, StoreError> {
        Ok(self.event_row(seq)?.map(|event| news(0, event)))
    }

    /// The reader an event is about, or who stands for them now; `None`: nobody, or it was erased.
    pub fn reader_of_event(&mut self, seq: i64) -> Result<Option<ReaderId>, StoreError> {
        let reader: Option<Option<i64>> = event_personal::table
            .find(seq)
            .select(event_personal::reader_id)
            .first(self.conn)
            .optional()?;
        let reader = reader.flatten().map(ReaderId::new);
        reader.map(|reader| self.stands_for(reader)).transpose()
    }
}

fn news(txid: i64, event: crate::store::events::EventRow) -> News {
    News {
        place: Place { txid, seq: event.seq },
        at: from_millis(event.at),
        day: event.day,
        kind: EventKind::from_code(&event.kind),
        unit: UnitId::new(event.unit_id),
        item: event.item_id,
        bib: event.bib_id,
        channel: event.channel,
        detail: serde_json::from_str(&event.detail).unwrap_or_default(),
    }
}

impl WriteTx<'_> {
    /// Moves a walk on. False: another node did.
    pub fn move_event_place(&mut self, walk: &str, from: Place, to: Place) -> Result<bool, StoreError> {
        let here = event_cursors::table
            .find(walk)
            .filter(event_cursors::txid.eq(from.txid).and(event_cursors::seq.eq(from.seq)));
        let moved = diesel::update(here)
            .set((event_cursors::txid.eq(to.txid), event_cursors::seq.eq(to.seq)))
            .execute(self.conn)?;
        Ok(moved == 1)
    }
}
