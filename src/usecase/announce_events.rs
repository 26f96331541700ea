//! Follows the events in commit order and makes notices and webhook deliveries of them. Its place is written together with what it
//! made, so every event is announced once, whatever dies when. Run by a job.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::make_notice::{NOTICE_IDS, NewNotice, make_notice};
use super::run_job::{Look, Pass};
use super::{Result, UseCaseError};
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::notice::{NoticeKind, Subject};
use crate::domain::notice_time::STALE_DAYS;
use crate::store::Store;
use crate::store::ids::IdRun;
use crate::store::notices::walk::{News, Place};
use crate::store::notices::webhooks::Webhook;
use crate::store::notices::{Line, ONCE};
use crate::store::tx::{ReadTx, WriteTx};

/// The word of its place in the database.
const WALK: &str = "news";

/// Events read at a time.
const EVENTS_PER_LOOK: i64 = 500;

/// Notices and deliveries made by one write: some milliseconds.
const MADE_PER_WRITE: usize = 50;

/// The walk over what has happened.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnnounceEvents;

/// Some events after each other, and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    from: Place,
    to: Place,
    notices: Vec<NewNotice>,
    /// Webhook and event.
    deliveries: Vec<(i64, i64)>,
}

impl Step {
    const fn at(place: Place) -> Self {
        Self {
            from: place,
            to: place,
            notices: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.notices.len() + self.deliveries.len() >= MADE_PER_WRITE
    }

    fn ids(&self) -> i64 {
        let count = |n: usize| i64::try_from(n).unwrap_or(0);
        count(self.notices.len()) * NOTICE_IDS + count(self.deliveries.len()) + 1
    }
}

impl Pass for AnnounceEvents {
    type Work = Step;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<Step>> + Send + 'static {
        move |tx| {
            let place = tx.event_place(WALK)?;
            let news = tx.news(place, EVENTS_PER_LOOK)?;
            Ok(Look {
                looked_at: i64::try_from(news.len()).unwrap_or(i64::MAX),
                after: (!news.is_empty()).then_some(after + 1),
                work: steps(tx, place, news, now)?,
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<Step>) -> Result<i64> {
        let mut made = 0;
        for step in work {
            let ids = store.take_ids::<UseCaseError>(step.ids()).await?;
            let done = store.write(move |tx| announce(tx, &step, ids.clone())).await?;
            let Some(done) = done else {
                // Another node is on the way, too.
                return Ok(made);
            };
            made += done;
        }
        Ok(made)
    }
}

/// What follows from some events, in steps that are short to write.
fn steps(tx: &mut ReadTx<'_>, from: Place, news: Vec<News>, now: DateTime<Utc>) -> Result<Vec<Step>> {
    let network = tx.network()?;
    let webhooks = tx.webhooks()?;
    let mut done = Vec::new();
    let mut step = Step::at(from);
    for one in news {
        step.to = one.place;
        if one.at >= now - TimeDelta::days(STALE_DAYS) {
            step.notices.extend(notice_of(tx, &one)?);
            let wanting = webhooks.iter().filter(|webhook| wants(webhook, &one, &network));
            step.deliveries
                .extend(wanting.map(|webhook| (webhook.id, one.place.seq)));
        }
        if step.is_full() {
            let next = Step::at(step.to);
            done.push(std::mem::replace(&mut step, next));
        }
    }
    if step.to != step.from {
        done.push(step);
    }
    Ok(done)
}

/// The notice that an event calls for. An event whose reader was erased, or which names nothing, calls for none.
fn notice_of(tx: &mut ReadTx<'_>, news: &News) -> Result<Option<NewNotice>> {
    let Some(kind) = news.kind.and_then(NoticeKind::of_event) else {
        return Ok(None);
    };
    let Some(subject) = news.number(named_by(kind)) else {
        return Ok(None);
    };
    let seq = news.place.seq;
    let (reader, unit) = match kind.subject() {
        Subject::Hold => {
            let pickup = news.number("pickup_unit_id").map_or(news.unit, UnitId::new);
            (tx.reader_of_hold(subject)?, pickup)
        }
        Subject::Parcel => (tx.reader_of_parcel(subject)?, news.unit),
        _ => (tx.reader_of_event(seq)?, news.unit),
    };
    let unit = match (kind.subject(), reader) {
        (Subject::Entry | Subject::Freeze, Some(reader)) => tx.home_of_reader(reader)?.unwrap_or(unit),
        _ => unit,
    };
    // Whoever is frozen for another reason, too, may not borrow yet.
    let still_frozen = news.detail.get("still_frozen").and_then(Value::as_bool) == Some(true);
    let occasion = match kind.subject() {
        Subject::Entry | Subject::Freeze => ONCE,
        _ => seq,
    };
    Ok(reader.filter(|_| !still_frozen).map(|reader| NewNotice {
        reader,
        kind,
        unit,
        lines: vec![Line { subject, occasion }],
    }))
}

/// The member of an event that names what the notice is about.
const fn named_by(kind: NoticeKind) -> &'static str {
    match kind.subject() {
        Subject::Hold => "hold_id",
        Subject::Parcel => "parcel_id",
        Subject::Entry => "entry_id",
        Subject::Freeze => "freeze_id",
        Subject::Loan => "loan_id",
        Subject::Card => "card_id",
        Subject::Code => "code_id",
    }
}

fn wants(webhook: &Webhook, news: &News, network: &Network) -> bool {
    let kind = news.kind.map(|kind| webhook.wants(kind.code()));
    // What happened before it was there is not for it.
    let since = webhook.created_at <= news.at.timestamp_millis();
    webhook.active && since && kind == Some(true) && network.units().is_within(news.unit, webhook.unit())
}

/// Writes a step. `None`: another node wrote it.
fn announce(tx: &mut WriteTx<'_>, step: &Step, mut ids: IdRun) -> Result<Option<i64>> {
    if !tx.move_event_place(WALK, step.from, step.to)? {
        return Ok(None);
    }
    let mut made = 0;
    for notice in &step.notices {
        made += i64::from(make_notice(tx, &mut ids, notice)?);
    }
    for (webhook, event) in &step.deliveries {
        tx.insert_delivery(ids.next(), *webhook, *event)?;
        made += 1;
    }
    Ok(Some(made))
}
