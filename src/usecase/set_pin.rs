//! A reader's PIN: changed by the reader, who knows the old one, or reset by staff. Never at a device.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::get_reader::only_itself;
use super::issue_card::open_reader;
use super::old_secret::OldSecret;
use super::session::{SessionTools, audience_code};
use super::{Caller, IdempotencyKey, Result, UseCaseError, Who};
use crate::auth::passwords::check_pin;
use crate::auth::{Audience, Right};
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

/// The PIN was set, and the reader's other sessions have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PinSet {
    pub reader_id: i64,
}

/// Sets a reader's PIN and ends the reader's sessions: all of them, or all but the one in which the reader changes it.
///
/// # Errors
/// `NotFound` for a reader who is not there (for a reader: anybody else); `State` for one who was merged; `Invalid` for a PIN that is not good enough or an
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
        Who::Guardian { .. } | Who::Device { .. } | Who::Operator { .. } | Who::System => {
            return Err(UseCaseError::Forbidden);
        }
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
    let old = OldSecret {
        audience: Audience::Reader,
        account: reader.get(),
        field: "old_pin",
        given: command.old_pin,
        new: command.pin.clone(),
        hash: old_hash,
        replayable: key.is_some(),
    };
    let proof = match by_reader {
        true => Some(old.prove(store, tools, address).await?),
        false => None,
    };
    // Slow on purpose, so outside the transaction.
    let hash = tools.passwords.hash(command.pin).await?;
    let ids = store.take_ids::<UseCaseError>(1).await?;
    let who = caller.clone();
    let claim = key.map(|key| key.claim(caller));
    store
        .write_once(claim, move |tx| {
            if let Some(proof) = &proof {
                proof.settle(tx, |tx| Ok(tx.pin_of_reader(reader)?.flatten()))?;
            }
            apply(tx, &who, reader, &hash, ids.clone())
        })
        .await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, reader: ReaderId, hash: &str, mut ids: IdRun) -> Result<PinSet> {
    let network = tx.network()?;
    tx.lock_readers(&[reader])?;
    let row = open_reader(tx, reader)?;
    let now = tx.now();
    tx.set_pin_hash(reader, hash)?;
    let kept = caller.reader().map(|_| caller.session);
    tx.end_sessions_of(
        audience_code(Audience::Reader),
        reader.get(),
        kept,
        now.timestamp_millis(),
    )?;
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
