//! A phone is lost: whatever it shows is void at once, and it is logged out. Said by the reader, from anywhere else, or by staff.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::get_reader::only_itself;
use super::issue_card::open_reader;
use super::once::once;
use super::session::{audience_code, require_standing};
use super::{Caller, IdempotencyKey, Result, UseCaseError, Who};
use crate::auth::{Audience, Right};
use crate::domain::card_token::LEEWAY_S;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{CategoryId, ReaderId, UnitId};
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Every token made until then is void, and the reader's other sessions have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CardTokensRevoked {
    pub reader_id: i64,
    /// Tokens dated until then count nowhere (UTC): a few seconds from now.
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub void_until: DateTime<Utc>,
    /// How many cards of the reader that is about.
    #[schema(example = 2)]
    pub cards: usize,
}

/// Revokes the tokens of a reader's cards and ends the reader's sessions: all of them, or all but the one that asks.
///
/// # Errors
/// `NotFound` for a reader who is not there (for a reader: anybody else); `State` for one who was merged; `Unauthenticated` for a reader
/// whose own session was ended; `Forbidden`; a failure of the store.
pub async fn revoke_card_tokens(
    store: &Arc<Store>,
    caller: &Caller,
    reader: ReaderId,
    key: Option<IdempotencyKey>,
) -> Result<Once<CardTokensRevoked>> {
    match caller.who {
        Who::Reader { .. } => only_itself(caller, reader)?,
        Who::Staff { .. } => caller.require_somewhere(Right::RegisterReader)?,
        Who::Guardian { .. } | Who::Device { .. } | Who::Operator { .. } | Who::System => {
            return Err(UseCaseError::Forbidden);
        }
    }
    let work = move |tx: &mut WriteTx<'_>, who: &Caller, reader: &ReaderId, ids| apply(tx, who, *reader, ids);
    once(store, caller, key, 1, reader, work).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, reader: ReaderId, mut ids: IdRun) -> Result<CardTokensRevoked> {
    require_standing(tx, caller)?;
    let network = tx.network()?;
    tx.lock_readers(&[reader])?;
    let row = open_reader(tx, reader)?;
    let now = tx.now();
    // What was being made while this waited for its lock, or is made by a server whose clock is ahead, is void, too.
    let void_until = now + TimeDelta::seconds(LEEWAY_S);
    let kept = caller.reader().map(|_| caller.session);
    tx.end_sessions_of(
        audience_code(Audience::Reader),
        reader.get(),
        kept,
        now.timestamp_millis(),
    )?;
    let born = row.birth_date.as_deref().and_then(|text| text.parse().ok());
    let at = caller.unit.unwrap_or(UnitId::new(row.home_unit_id));
    let event = Event::new(EventKind::CardTokensRevoked, now, at, caller.channel().code())
        .of_reader(
            reader,
            CategoryId::new(row.category_id),
            AgeBand::on(born, network.local_day(now)),
        )
        .by(caller.staff(), caller.device())
        .detail(json!({"void_until": void_until.timestamp_millis()}));
    tx.append_event(ids.next(), &event)?;
    // Last: the lock on the numbers of the list is held for the shortest time.
    let cards = tx.revoke_card_tokens(reader, void_until, now)?;
    Ok(CardTokensRevoked {
        reader_id: reader.get(),
        void_until,
        cards,
    })
}

impl Outcome for CardTokensRevoked {
    fn reader_id(&self) -> Option<i64> {
        Some(self.reader_id)
    }
}
