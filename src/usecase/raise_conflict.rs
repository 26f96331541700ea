//! What cannot be recorded goes to a person, with both sides.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Result;
use super::journal_text::without_card;
use super::judge_past::Scene;
use crate::domain::event::EventKind;
use crate::domain::ids::{DeviceId, ItemId, LoanId, ReaderId, UnitId};
use crate::domain::journal_conflict::ConflictReason;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::journal::conflicts::ConflictRow;
use crate::store::tx::WriteTx;

/// A contradiction.
#[derive(Debug, Clone)]
pub(super) struct NewConflict<'a> {
    pub device: DeviceId,
    pub unit: UnitId,
    /// The entry of a journal; `None`: a machine and a person said otherwise of one loan.
    pub entry: Option<i64>,
    pub reason: ConflictReason,
    pub happened_at: DateTime<Utc>,
    pub item: Option<ItemId>,
    /// Of the act.
    pub reader: Option<ReaderId>,
    /// What stands in its way.
    pub loan: Option<LoanId>,
    /// The act as it was told.
    pub body: Option<&'a str>,
}

impl<'a> NewConflict<'a> {
    /// Of an act of which nothing is known but where and when.
    pub(super) fn of(scene: &Scene<'a>, reason: ConflictReason) -> Self {
        Self {
            device: scene.device.id,
            unit: scene.device.unit,
            entry: scene.entry,
            reason,
            happened_at: scene.then,
            item: None,
            reader: None,
            loan: None,
            body: Some(scene.body),
        }
    }

    /// The act as it is kept: of a reader who is known without the card, which may be an ID card.
    fn text(&self) -> Option<String> {
        let known = self.reader.is_some();
        self.body
            .map(|body| if known { without_card(body) } else { body.to_owned() })
    }
}

/// Puts a contradiction into the queue and answers its number. Takes two ids.
pub(super) fn raise_conflict(tx: &mut WriteTx<'_>, conflict: &NewConflict<'_>, ids: &mut IdRun) -> Result<i64> {
    let (id, now) = (ids.next(), tx.now());
    tx.insert_conflict(&ConflictRow {
        id,
        device_id: conflict.device.get(),
        unit_id: conflict.unit.get(),
        entry_id: conflict.entry,
        reason: conflict.reason.code().to_owned(),
        happened_at: conflict.happened_at.timestamp_millis(),
        item_id: conflict.item.map(ItemId::get),
        reader_id: conflict.reader.map(ReaderId::get),
        loan_id: conflict.loan.map(LoanId::get),
        body: conflict.text(),
        raised_at: now.timestamp_millis(),
        resolved_at: None,
        resolution: None,
        note: None,
    })?;
    let detail = json!({"conflict_id": id, "device_id": conflict.device, "entry_id": conflict.entry,
        "item_id": conflict.item, "loan_id": conflict.loan, "reason": conflict.reason,
        "happened_at": conflict.happened_at.timestamp_millis()});
    let event = Event::new(EventKind::ConflictRaised, now, conflict.unit, SYSTEM_CHANNEL)
        .by(None, Some(conflict.device))
        .detail(detail);
    tx.append_event(ids.next(), &event)?;
    Ok(id)
}

/// Asks a person about a loan of which two say otherwise: once, as long as nobody has answered. False where somebody is asked already, and
/// this adds nothing; an entry of a journal names what a machine had said before. At most two ids.
pub(super) fn ask_of_loan(tx: &mut WriteTx<'_>, conflict: &NewConflict<'_>, ids: &mut IdRun) -> Result<bool> {
    let asked = match conflict.loan {
        Some(loan) => tx.open_question(loan)?,
        None => None,
    };
    match (asked, conflict.entry) {
        (None, _) => {
            raise_conflict(tx, conflict, ids)?;
            Ok(true)
        }
        (Some((id, None)), Some(entry)) => {
            tx.name_entry_of_conflict(id, entry, conflict.text().as_deref())?;
            Ok(true)
        }
        (Some(_), _) => Ok(false),
    }
}
