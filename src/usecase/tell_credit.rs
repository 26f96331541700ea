//! Tells readers once a day what took points from their credit or gave some back, all of it in one notice. What staff and other
//! systems post is told at once (see `announce_events`). Run by a job, in the morning.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::Result;
use super::make_notice::NewNotice;
use super::remind_readers::make_all;
use super::run_job::{Look, Pass};
use crate::domain::ids::ReaderId;
use crate::domain::notice::NoticeKind;
use crate::domain::notice_time::STALE_DAYS;
use crate::store::Store;
use crate::store::notices::credit::PostedRow;
use crate::store::notices::{Line, ONCE};
use crate::store::tx::ReadTx;

/// Lines looked at in one read.
const LINES_PER_LOOK: i64 = 5_000;

/// The walk over what was posted in the last days, by its time.
#[derive(Debug, Clone, Copy, Default)]
pub struct TellCredit;

impl Pass for TellCredit {
    type Work = NewNotice;

    fn look(
        &self,
        after: i64,
        now: DateTime<Utc>,
    ) -> impl FnOnce(&mut ReadTx<'_>) -> Result<Look<NewNotice>> + Send + 'static {
        move |tx| {
            let oldest = (now - TimeDelta::days(STALE_DAYS)).timestamp_millis();
            let rows = whole_moments(tx.walk_posted(after.max(oldest), LINES_PER_LOOK)?);
            Ok(Look {
                looked_at: i64::try_from(rows.len()).unwrap_or(i64::MAX),
                after: rows.last().map(|row| row.posted_at),
                work: by_reader(&rows),
            })
        }
    }

    async fn act(&self, store: &Arc<Store>, work: Vec<NewNotice>) -> Result<i64> {
        make_all(store, &work).await
    }
}

/// Of a full page the last moment may go on beyond it: it comes with the next page.
fn whole_moments(mut rows: Vec<PostedRow>) -> Vec<PostedRow> {
    let full = i64::try_from(rows.len()) == Ok(LINES_PER_LOOK);
    let (first, last) = (
        rows.first().map(|row| row.posted_at),
        rows.last().map(|row| row.posted_at),
    );
    if full && first != last {
        rows.retain(|row| Some(row.posted_at) != last);
    }
    rows
}

fn by_reader(rows: &[PostedRow]) -> Vec<NewNotice> {
    let mut notices: BTreeMap<ReaderId, NewNotice> = BTreeMap::new();
    for row in rows {
        let notice = notices.entry(row.reader).or_insert_with(|| NewNotice {
            reader: row.reader,
            kind: NoticeKind::CreditChanged,
            unit: row.home,
            lines: Vec::new(),
        });
        notice.lines.push(Line {
            subject: row.entry,
            occasion: ONCE,
        });
    }
    notices.into_values().collect()
}
