//! A tag passes a gate on its way out: may it? Answered from the records as they are, without a cache; what must be looked into
//! is written down after the answer, so that no commit stands between a reader and the door.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::acting_device::acting_device;
use super::configure_device::settings_by;
use super::{Caller, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::device::Capability;
use crate::domain::device_heartbeat::{LATEST_FLUSH_SECONDS, is_silent};
use crate::domain::device_settings::Settings;
use crate::domain::gate_exit::{DecidedBy, ExitDecision, ExitReason, Facts, Found, TagBit, decide};
use crate::domain::ids::{DeviceId, ItemId, UnitId};
use crate::domain::item_shown::ItemShown;
use crate::domain::journal::OLDEST;
use crate::store::Store;
use crate::store::gates::{Lender, NewGateCheck};
use crate::store::tx::ReadTx;

/// What a gate asks.
#[derive(Debug, Clone)]
pub struct CheckGateExit {
    /// The gate's own number of the passage.
    pub check_id: String,
    pub read: ItemShown,
    pub bit: TagBit,
}

/// What the gate is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GateDecision {
    /// As it was asked.
    #[schema(example = "g1-000017")]
    pub check_id: String,
    /// `allow` or `alarm`.
    #[schema(example = "alarm")]
    pub decision: String,
    /// Why; the list is in docs/DEVICES.md.
    #[schema(example = "not_lent")]
    pub reason: String,
}

/// Says whether a book may go out.
///
/// # Errors
/// `Forbidden` for what is no gate at work; a failure of the store.
pub async fn check_gate_exit(store: &Arc<Store>, caller: &Caller, asked: CheckGateExit) -> Result<GateDecision> {
    caller.require_somewhere(Right::OperateDevice)?;
    let (who, read, bit) = (caller.clone(), asked.read.clone(), asked.bit);
    let (gate, unit, judged, at) = store
        .read_at_once(move |tx| {
            let gate = acting_device(tx, &who, Some(Capability::Gate))?;
            let judged = judge(tx, gate.unit, &read, bit)?;
            Ok::<_, UseCaseError>((gate.id, gate.unit, judged, tx.now()))
        })
        .await?;
    let decision = judged.reason.decision();
    if judged.reason.is_kept() {
        let passage = Passage {
            gate,
            unit,
            check_id: &asked.check_id,
            at,
            read: &asked.read,
            item: judged.item,
        };
        keep_later(store, passage.line(decision, judged.reason, DecidedBy::Asked));
    }
    Ok(GateDecision {
        check_id: asked.check_id,
        decision: decision.code().to_owned(),
        reason: judged.reason.code().to_owned(),
    })
}

/// What the records say of what was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub reason: ExitReason,
    /// When it is exactly one.
    pub item: Option<ItemId>,
    pub last_event_at: Option<DateTime<Utc>>,
}

/// Judges what was read at a gate of a unit. One statement; a few more only where the tag says lent and we know of no loan.
pub(super) fn judge(tx: &mut ReadTx<'_>, unit: UnitId, read: &ItemShown, bit: TagBit) -> Result<Judged> {
    let rows = tx.found_at_gate(read)?;
    let (found, one) = match rows.as_slice() {
        [] => (Found::Nothing, None),
        [one] => (Found::One(one.seen), Some(*one)),
        _ => (Found::Several, None),
    };
    let facts = Facts {
        found,
        bit,
        offline_here: false,
    };
    let mut reason = decide(&facts);
    let in_doubt = decide(&Facts {
        offline_here: true,
        ..facts
    });
    if in_doubt != reason && lent_offline_perhaps(tx, unit)? {
        reason = in_doubt;
    }
    Ok(Judged {
        reason,
        item: one.map(|one| one.item),
        last_event_at: one.map(|one| one.last_event_at),
    })
}

/// A device of this unit that lends offline is silent, or owes part of its journal.
fn lent_offline_perhaps(tx: &mut ReadTx<'_>, unit: UnitId) -> Result<bool> {
    let now = tx.now();
    for lender in tx.lenders_of(unit)? {
        let settings = settings_by(lender.configuration.as_ref())?;
        if settings.offline_loans && (lender.owes || is_away(&lender, &settings, now)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Silent, however late its row is, but not for so long that what it did would not be believed any more.
fn is_away(lender: &Lender, settings: &Settings, now: DateTime<Utc>) -> bool {
    let interval = TimeDelta::seconds(settings.heartbeat_seconds.into());
    let late = TimeDelta::seconds(LATEST_FLUSH_SECONDS.into());
    lender
        .last_seen_at
        .is_some_and(|seen| is_silent(seen + late, interval, now) && now.signed_duration_since(seen) <= OLDEST)
}

/// What passed where and when.
pub(super) struct Passage<'a> {
    pub gate: DeviceId,
    pub unit: UnitId,
    pub check_id: &'a str,
    pub at: DateTime<Utc>,
    pub read: &'a ItemShown,
    pub item: Option<ItemId>,
}

impl Passage<'_> {
    /// Its line of the log. The id comes when it is written.
    pub(super) fn line(&self, decision: ExitDecision, reason: ExitReason, decided: DecidedBy) -> NewGateCheck {
        let tag = match self.read {
            ItemShown::Tag(tag) => Some(tag.clone()),
            ItemShown::Barcode(_) => None,
        };
        NewGateCheck {
            id: 0,
            device_id: self.gate.get(),
            check_id: self.check_id.to_owned(),
            unit_id: self.unit.get(),
            at: self.at.timestamp_millis(),
            decision: decision.code(),
            reason: reason.code(),
            decided: decided.code(),
            tag,
            item_id: self.item.map(ItemId::get),
        }
    }
}

/// Writes a line while the reader walks on. One that is lost comes again with the gate's next batch.
fn keep_later(store: &Arc<Store>, check: NewGateCheck) {
    let store = Arc::clone(store);
    tokio::spawn(async move {
        if let Err(error) = keep(&store, check).await {
            tracing::warn!(%error, "a line of the log of gates was not written");
        }
    });
}

async fn keep(store: &Arc<Store>, check: NewGateCheck) -> Result<()> {
    let ids = store.take_ids::<UseCaseError>(1).await?;
    store
        .write(move |tx| {
            let mut ids = ids.clone();
            let id = ids.next();
            tx.insert_gate_check(&NewGateCheck { id, ..check.clone() })?;
            Ok(())
        })
        .await
}
