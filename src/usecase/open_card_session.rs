//! A code is shown at a gate or at a machine that wants to know whose it is before anything is borrowed.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::card_session::{CardShown, judge, spend};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::act::Act;
use crate::domain::card_token::{self, AT_MOST, Admission, CardSession, Facts, Fault, IDLE};
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{CategoryId, ReaderId, UnitId};
use crate::domain::refusal::Verb;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// The session of one caller and one card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenedCard {
    pub card_id: i64,
    pub reader_id: i64,
    /// When it ends if the code is not used again (UTC).
    #[schema(example = "2026-03-04T04:02:00Z")]
    pub idle_until: DateTime<Utc>,
    /// When it ends in any case (UTC).
    #[schema(example = "2026-03-04T04:15:00Z")]
    pub ends_at: DateTime<Utc>,
}

/// Opens the session of a token, or goes on with it.
///
/// # Errors
/// `Refused` for a token that does not count here, or a card that is not good; `Forbidden`; a failure of the store.
pub async fn open_card_session(
    store: &Arc<Store>,
    caller: &Caller,
    shown: CardShown,
    key: Option<IdempotencyKey>,
) -> Result<Once<OpenedCard>> {
    caller.require_somewhere(Right::CheckOut)?;
    let unit = caller.working_unit()?;
    let spent = shown.clone();
    let work = move |tx: &mut WriteTx<'_>, who: &Caller, shown: &CardShown, ids| apply(tx, who, unit, shown, ids);
    let opened = once(store, caller, key, 1, shown, work).await;
    if matches!(opened, Err(UseCaseError::Refused(_))) {
        spend(store, caller, unit, &spent).await?;
    }
    opened
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, unit: UnitId, shown: &CardShown, mut ids: IdRun) -> Result<OpenedCard> {
    let network = tx.network()?;
    caller.require(Right::CheckOut, unit, &network)?;
    let token = match shown {
        CardShown::Token(token) => token.as_deref(),
        CardShown::Number(_) => None,
    };
    let act = Act::at(unit, caller.channel());
    let refused = |fault: Fault| UseCaseError::from(card_token::refusals(fault, Verb::OpenCard, &act));
    let judged = judge(tx, caller, unit, &network, token)?.map_err(refused)?;
    let now = tx.now();
    let facts = Facts {
        act: &act,
        network: &network,
        admitted: judged.admitted,
        card: &judged.card.facts,
    };
    let admission = card_token::decide(&facts, now)?;
    judged.note(tx, caller, admission, now)?.map_err(refused)?;
    let session = judged.card.session.clone().unwrap_or_else(|| CardSession {
        client: caller.client(),
        opened_at: now,
        used_at: now,
    });
    // Whoever shows the same code again has not come again.
    if admission == Admission::Opens {
        tell(tx, caller, unit, judged.card.reader, ids.next())?;
    }
    Ok(OpenedCard {
        card_id: judged.card.facts.id.get(),
        reader_id: judged.card.reader.get(),
        idle_until: (now + IDLE).min(session.opened_at + AT_MOST),
        ends_at: session.opened_at + AT_MOST,
    })
}

fn tell(tx: &mut WriteTx<'_>, caller: &Caller, unit: UnitId, reader: ReaderId, event_id: i64) -> Result<()> {
    let (network, now) = (tx.network()?, tx.now());
    let (row, _) = tx.reader_view(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    let born = row.birth_date.as_deref().and_then(|text| text.parse().ok());
    let event = Event::new(EventKind::CardShown, now, unit, caller.channel().code())
        .of_reader(
            reader,
            CategoryId::new(row.category_id),
            AgeBand::on(born, network.local_day(now)),
        )
        .by(caller.staff(), caller.device());
    Ok(tx.append_event(event_id, &event)?)
}

impl Outcome for OpenedCard {
    fn reader_id(&self) -> Option<i64> {
        Some(self.reader_id)
    }
}
