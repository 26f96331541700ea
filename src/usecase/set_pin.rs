//! A reader's PIN: changed by the reader, who knows the old one, or reset by staff. Never at a device.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::get_reader::only_itself;
use super::log_in_attempt::Attempt;
use super::session::{SessionTools, audience_code};
use super::{Caller, IdempotencyKey, Result, UseCaseError, Who};
use crate::auth::passwords::check_pin;
use crate::auth::{Audience, PasswordService, Right};
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{CategoryId, ReaderId, UnitId};
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetPin {
    pub reader: ReaderId,
    pub pin: SecretString,
    /// Needed from the reader; staff have seen the card.
    pub old_pin: Option<SecretString>,
}

/// The PIN was set, and the reader's sessions have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PinSet {
    pub reader_id: i64,
}

/// Sets a reader's PIN and ends the reader's sessions.
///
/// # Errors
/// `NotFound` for a reader who is not there (for a reader: anybody else); `Invalid` for a PIN that is not good enough or an
/// old one that is not right; `TooManyLogIns` after too many of those; `Forbidden`; `Busy`.
pub async fn set_pin(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    caller: &Caller,
    command: SetPin,
    key: Option<IdempotencyKey>,
    address: IpAddr,
) -> Result<Once<PinSet>> {
    let by_reader = match caller.who {
        Who::Reader { .. } => true,
        Who::Staff { .. } => false,
        Who::Device { .. } | Who::System => return Err(UseCaseError::Forbidden),
    };
    if !by_reader {
        caller.require_somewhere(Right::RegisterReader)?;
    }
    only_itself(caller, command.reader)?;
    check_pin(command.pin.expose_secret()).map_err(|violation| UseCaseError::field("pin", violation.to_string()))?;
    let reader = command.reader;
    let old_hash = store
        .read(move |tx| tx.pin_of_reader(reader).map_err(UseCaseError::from))
        .await?;
    let old_hash = old_hash.ok_or(UseCaseError::NotFound("reader"))?;
    let guess = if by_reader {
        // A replay was allowed when it was made: by then the old PIN is the new one.
        let known = Known {
            hash: old_hash.clone(),
            replayable: key.is_some(),
        };
        Some(guess(store, tools, &command, known, address).await?)
    } else {
        None
    };
    // Slow on purpose, so outside the transaction.
    let hash = tools.passwords.hash(command.pin).await?;
    let ids = store.take_ids::<UseCaseError>(1).await?;
    let who = caller.clone();
    let claim = key.map(|key| key.claim(caller));
    store
        .write_once(claim, move |tx| {
            if let Some(guess) = &guess {
                guess.succeeded(tx)?;
            }
            // Somebody set it in the meantime: what was known of it no longer counts.
            if by_reader && tx.pin_of_reader(reader)? != Some(old_hash.clone()) {
                return Err(UseCaseError::field("old_pin", "is not right"));
            }
            apply(tx, &who, reader, &hash, ids.clone())
        })
        .await
}

/// What the old PIN is held against.
struct Known {
    hash: Option<String>,
    replayable: bool,
}

/// Holds the old PIN against what is known. Counted like a log-in: whoever has a stolen token guesses no faster here.
async fn guess(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    command: &SetPin,
    known: Known,
    address: IpAddr,
) -> Result<Attempt> {
    let ids = store.take_ids::<UseCaseError>(1).await?;
    let account = format!("old pin of {}", command.reader);
    let attempt = Attempt::begin(store, tools, (Audience::Reader, &account), address).await?;
    let (judged, why) = match knows_it(tools.passwords, command, known).await {
        Ok(true) => return Ok(attempt),
        Ok(false) => (
            UseCaseError::Unauthenticated,
            UseCaseError::field("old_pin", "is not right"),
        ),
        Err(why) => (UseCaseError::Busy, why),
    };
    attempt.ended(store, &judged, ids).await?;
    Err(why)
}

/// The old PIN is right; for a call that may be a replay, the new one being set already is as good.
async fn knows_it(passwords: &PasswordService, command: &SetPin, known: Known) -> Result<bool> {
    let old = command.old_pin.clone();
    let old = old.ok_or_else(|| UseCaseError::field("old_pin", "is needed"))?;
    if passwords.verify(old, known.hash.clone()).await? {
        return Ok(true);
    }
    Ok(known.replayable && passwords.verify(command.pin.clone(), known.hash).await?)
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, reader: ReaderId, hash: &str, mut ids: IdRun) -> Result<PinSet> {
    let network = tx.network()?;
    let (row, _) = tx.reader_view(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    let now = tx.now();
    tx.set_pin_hash(reader, hash)?;
    tx.end_sessions_of(audience_code(Audience::Reader), reader.get(), now.timestamp_millis())?;
    let born = row.birth_date.as_deref().and_then(|text| text.parse().ok());
    let at = caller.unit.unwrap_or(UnitId::new(row.home_unit_id));
    let event = Event::new(EventKind::ReaderChanged, now, at, caller.channel().code())
        .of_reader(
            reader,
            CategoryId::new(row.category_id),
            AgeBand::on(born, network.local_day(now)),
        )
        .by(caller.staff(), caller.device())
        .detail(json!({"changed": "pin"}));
    tx.append_event(ids.next(), &event)?;
    Ok(PinSet {
        reader_id: reader.get(),
    })
}

impl Outcome for PinSet {
    fn reader_id(&self) -> Option<i64> {
        Some(self.reader_id)
    }
}
