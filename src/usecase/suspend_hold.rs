//! A hold sleeps until a day or until it is resumed, and keeps its place meanwhile.

use std::sync::Arc;

use serde_json::json;

use super::end_hold::find_hold;
use super::once::once;
use super::record::{self, About, Consent, IDS_PER_VERB, settle};
use super::target_holds::{PULLS_PER_VERB, serve_bib};
use super::view::HoldOutcome;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::act::{Act, Passed};
use crate::domain::event::EventKind;
use crate::domain::ids::HoldId;
use crate::domain::network::Network;
use crate::domain::refusal::Verb;
use crate::domain::suspend_hold::{self, Facts, Sleep};
use crate::store::events::Event;
use crate::store::holds::LoadedHold;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SuspendHold {
    pub hold: HoldId,
    pub sleep: Sleep,
    pub consent: Consent,
}

/// Suspends or resumes a hold; a reader only its own.
///
/// # Errors
/// `NotFound` for an unknown hold or another reader's; `Refused` with every reason; a failure of the store.
pub async fn suspend_hold(
    store: &Arc<Store>,
    caller: &Caller,
    command: SuspendHold,
    key: Option<IdempotencyKey>,
) -> Result<Once<HoldOutcome>> {
    caller.require_somewhere(Right::PlaceHold)?;
    once(store, caller, key, IDS_PER_VERB + PULLS_PER_VERB, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &SuspendHold, mut ids: IdRun) -> Result<HoldOutcome> {
    let network = tx.network()?;
    let hold = find_hold(tx, caller, command.hold)?;
    let unit = caller.unit.unwrap_or(hold.facts.pickup);
    caller.require(Right::PlaceHold, unit, &network)?;
    let act = record::act_of(caller, unit, &network, &command.consent, None);
    let now = tx.now();
    let facts = Facts {
        act: &act,
        network: &network,
        hold: &hold.facts,
        by_reader: caller.reader(),
        wanted_until: hold.wanted_until,
        sleep: command.sleep,
    };
    let wished = format!("sleep {:?}", command.sleep);
    let about = About::hold(caller, Verb::ChangeHold, &hold).with(&wished);
    let passed = settle(&command.consent, &about, &act, now, |act| {
        suspend_hold::decide(&Facts { act, ..facts }, now)
    })?;
    tx.set_sleep(hold.facts.id, command.sleep)?;
    if command.sleep != Sleep::NotAtAll {
        tx.withdraw_pull(hold.facts.id, now)?;
    }
    let kind = match command.sleep {
        Sleep::NotAtAll => EventKind::HoldResumed,
        Sleep::Until(_) | Sleep::UntilResumed => EventKind::HoldSuspended,
    };
    let until = match command.sleep {
        Sleep::Until(day) => Some(day),
        Sleep::UntilResumed | Sleep::NotAtAll => None,
    };
    let change = Change {
        caller,
        act: &act,
        network: &network,
        hold: &hold,
    };
    change.append(tx, kind, json!({"hold_id": hold.facts.id, "until": until}), ids.next())?;
    serve_bib(tx, &network, hold.bib, &mut ids)?;
    change.outcome(tx, &passed)
}

/// Who changed which hold: what the verbs share that leave it open.
pub(super) struct Change<'a> {
    pub caller: &'a Caller,
    pub act: &'a Act,
    pub network: &'a Network,
    pub hold: &'a LoadedHold,
}

impl Change<'_> {
    /// Appends an event about the hold and its reader, whom it locks.
    pub fn append(
        &self,
        tx: &mut WriteTx<'_>,
        kind: EventKind,
        detail: serde_json::Value,
        event_id: i64,
    ) -> Result<()> {
        let reader = tx
            .lock_reader(self.hold.facts.reader, self.network)?
            .ok_or(UseCaseError::NotFound("reader"))?;
        let now = tx.now();
        let mut event = Event::new(kind, now, self.act.unit, self.caller.event_channel(self.act))
            .of_reader(reader.id, reader.category, record::age_band(&reader, self.network, now))
            .by(self.caller.staff(), self.caller.device())
            .detail(detail);
        event.bib = Some(self.hold.bib);
        Ok(tx.append_event(event_id, &event)?)
    }

    /// The hold as it is now.
    pub fn outcome(&self, tx: &mut WriteTx<'_>, passed: &Passed) -> Result<HoldOutcome> {
        HoldOutcome::of(tx, self.hold.facts.id, passed, None, self.network)
    }
}
