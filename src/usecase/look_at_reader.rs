//! Looks of the staff at readers: each is noted, so that the reader can see who looked. What a reader has borrowed before is
//! shown for a reason only, and the look at it is an event.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::page::{Page, PageRequest};
use super::view::unit_code;
use super::{Caller, Result, UseCaseError, Who};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{CategoryId, ReaderId, StaffId, UnitId};
use crate::store::Store;
use crate::store::events::Event;
use crate::store::held::accesses::NewAccess;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;

/// Which loans or holds are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// Only those that are open.
    pub open_only: bool,
    /// Why staff want to see those that have ended.
    pub reason: Option<String>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Record,
    Loans,
    Holds,
    Credit,
}

impl Look {
    const fn code(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Loans => "loans",
            Self::Holds => "holds",
            Self::Credit => "credit",
        }
    }
}

/// One look, as the reader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessView {
    pub id: i64,
    /// The first of the day; of looks at the history each one.
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub looked_at: DateTime<Utc>,
    /// `record`, `loans` (open ones), `holds` (open ones) or `history` (what was borrowed or held before, also as lines of credit tell of it).
    #[schema(example = "history")]
    pub what: String,
    /// Where they worked.
    pub unit_code: String,
    /// Who it was.
    #[schema(example = "王老师")]
    pub staff_name: Option<String>,
    /// Why they looked at the history.
    #[schema(example = "读者咨询逾期记录")]
    pub reason: Option<String>,
}

/// Whether the caller may see loans or holds of a reader: open ones with the right to borrowing, all of them for a reason with
/// the right to the history as well. Readers see their own, guardians the open ones of their wards.
///
/// # Errors
/// `Forbidden`; `Invalid` naming `reason` or `status`.
pub(super) fn require(caller: &Caller, open_only: bool, reason: Option<&str>) -> Result<()> {
    caller.require_somewhere(Right::ReadBorrowing)?;
    if !open_only && matches!(caller.who, Who::Guardian { .. }) {
        let reason = "what a ward has borrowed before is shown to the ward alone: leave it out, or ask for `open`";
        return Err(UseCaseError::field("status", reason));
    }
    if open_only || caller.reader().is_some() {
        return Ok(());
    }
    caller.require_somewhere(Right::ReadHistory)?;
    match reason {
        Some(_) => Ok(()),
        None => Err(UseCaseError::field(
            "reason",
            "is needed: what somebody has borrowed before is shown for a reason, which the reader can see",
        )),
    }
}

/// Notes that staff look at open loans or holds, or at the record. Once a day for each kind of look; what could not be noted
/// is told in the log and hides nothing from a desk that works on.
pub(super) async fn note(store: &Arc<Store>, caller: &Caller, reader: ReaderId, look: Look) {
    let (Some(staff), Some(unit)) = (caller.staff(), caller.unit) else {
        return;
    };
    if let Err(error) = note_once(store, (reader, staff, unit), look).await {
        tracing::warn!(%error, "a look at a reader could not be noted");
    }
}

async fn note_once(store: &Arc<Store>, of: (ReaderId, StaffId, UnitId), look: Look) -> Result<()> {
    let (reader, staff, unit) = of;
    let seen = move |day| NewAccess {
        reader,
        staff,
        unit,
        what: look.code(),
        day,
        reason: None,
    };
    let known = store
        .read(move |tx| -> Result<_> {
            let today = tx.day_of(tx.now());
            Ok(tx.is_noted(&seen(today))?)
        })
        .await?;
    if known {
        return Ok(());
    }
    let id = store.take_ids::<UseCaseError>(1).await?.next();
    store
        .write(move |tx| -> Result<_> {
            let today = tx.day_of(tx.now());
            Ok(tx.note_access(id, &seen(today))?)
        })
        .await
}

/// Notes a look of the staff at the history, with an event, before anything is shown.
///
/// # Errors
/// `NotFound`; a failure of the store.
pub(super) async fn note_history(
    store: &Arc<Store>,
    caller: &Caller,
    reader: ReaderId,
    look: Look,
    reason: Option<String>,
) -> Result<()> {
    let (Some(staff), Some(unit), Some(reason)) = (caller.staff(), caller.unit, reason) else {
        return Ok(());
    };
    let ids = store.take_ids::<UseCaseError>(2).await?;
    let who = caller.clone();
    store
        .write(move |tx| append(tx, &who, (reader, staff, unit), look, &reason, ids.clone()))
        .await
}

fn append(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (reader, staff, unit): (ReaderId, StaffId, UnitId),
    look: Look,
    reason: &str,
    mut ids: IdRun,
) -> Result<()> {
    let network = tx.network()?;
    let (row, _) = tx.reader_view(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    let now = tx.now();
    let access = NewAccess {
        reader,
        staff,
        unit,
        what: "history",
        day: tx.day_of(now),
        reason: Some(reason),
    };
    tx.note_access(ids.next(), &access)?;
    let born = row.birth_date.as_deref().and_then(|text| text.parse().ok());
    let band = AgeBand::on(born, network.local_day(now));
    let event = Event::new(EventKind::HistoryRead, now, unit, caller.own_channel())
        .of_reader(reader, CategoryId::new(row.category_id), band)
        .by(Some(staff), None)
        .detail(json!({"of": look.code()}))
        .personal(json!({"reason": reason}));
    Ok(tx.append_event(ids.next(), &event)?)
}

/// Who looked at the record of the reader who asks, the latest first.
///
/// # Errors
/// `Forbidden` for anybody but a reader; a failure of the store.
pub async fn list_my_accesses(store: &Arc<Store>, caller: &Caller, page: PageRequest) -> Result<Page<AccessView>> {
    let reader = caller.itself()?;
    store
        .read(move |tx| {
            let network = tx.network()?;
            let rows = tx.accesses_of(reader, page.before_id(), page.fetch())?;
            Ok(page.cut(rows, |row| row.id).map(|row| AccessView {
                id: row.id,
                looked_at: from_millis(row.at),
                what: row.what,
                unit_code: unit_code(&network, row.unit_id),
                staff_name: row.staff_name,
                reason: row.reason,
            }))
        })
        .await
}
