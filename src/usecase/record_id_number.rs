//! The ID number of a reader who was registered without one: by an import, or before the card was at hand. And the right one in the
//! place of one that was read wrongly, with the reason.

use std::sync::Arc;

use chrono::NaiveDate;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::issue_card::open_reader;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{CategoryId, ReaderId, UnitId};
use crate::domain::resident_id::ResidentId;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::readers::ReaderView;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RecordIdNumber {
    pub reader: ReaderId,
    pub id_number: SecretString,
    /// Why the number that is recorded is wrong; kept in the erasable part of the event.
    pub correction: Option<String>,
}

/// The number was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdNumberRecorded {
    pub reader_id: i64,
    /// How many credentials were cancelled because they were made of the number before.
    #[schema(example = 0)]
    pub cards_cancelled: usize,
}

impl Outcome for IdNumberRecorded {
    fn reader_id(&self) -> Option<i64> {
        Some(self.reader_id)
    }
}

/// Records a reader's ID number; a birth date that is not known is taken from it. A correction takes the day of birth, too, and
/// cancels what was a credential by the number before.
///
/// # Errors
/// `Invalid` for a number that is none, or does not fit the birth date; `DuplicateReader` where somebody else has it; `State` for a reader
/// who has one and no reason why that is wrong, or nothing to correct; `NotFound`; `Forbidden`; a failure of the store.
pub async fn record_id_number(
    store: &Arc<Store>,
    caller: &Caller,
    command: RecordIdNumber,
    key: Option<IdempotencyKey>,
) -> Result<Once<IdNumberRecorded>> {
    caller.require_somewhere(Right::RegisterReader)?;
    once(store, caller, key, 2, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &RecordIdNumber, mut ids: IdRun) -> Result<IdNumberRecorded> {
    let (network, now) = (tx.network()?, tx.now());
    let today = network.local_day(now);
    let person = ResidentId::parse(command.id_number.expose_secret(), today)
        .map_err(|error| UseCaseError::field("id_number", error.to_string()))?;
    tx.lock_identities()?;
    tx.lock_readers(&[command.reader])?;
    let reader = open_reader(tx, command.reader)?;
    check(tx, command, &person, &reader)?;
    let cards_cancelled = match &command.correction {
        Some(_) => tx.forget_identity(command.reader, now)?,
        None => 0,
    };
    tx.insert_identity(ids.next(), command.reader, &person, now)?;
    tx.set_birth_date(command.reader, person.born())?;
    let at = caller.unit.unwrap_or(UnitId::new(reader.home_unit_id));
    let band = AgeBand::on(Some(person.born()), today);
    let event = Event::new(EventKind::ReaderChanged, now, at, caller.own_channel())
        .of_reader(command.reader, CategoryId::new(reader.category_id), band)
        .by(caller.staff(), caller.device())
        .detail(
            json!({"changed": "id_number", "corrected": command.correction.is_some(), "cards_cancelled": cards_cancelled}),
        );
    let event = match &command.correction {
        Some(reason) => event.personal(json!({"reason": reason})),
        None => event,
    };
    tx.append_event(ids.next(), &event)?;
    Ok(IdNumberRecorded {
        reader_id: command.reader.get(),
        cards_cancelled,
    })
}

fn check(tx: &mut WriteTx<'_>, command: &RecordIdNumber, person: &ResidentId, reader: &ReaderView) -> Result<()> {
    let state = |reason: &str| Err(UseCaseError::State(reason.to_owned()));
    let has_one = tx.identity_tail(command.reader)?.is_some();
    match tx.reader_of_identity(person)? {
        Some(other) if other != command.reader => return Err(UseCaseError::DuplicateReader { reader: other.get() }),
        Some(_) if command.correction.is_some() => return state("this is the ID number that is recorded"),
        _ => {}
    }
    match (&command.correction, has_one) {
        (None, true) => {
            return state("the reader is registered with an ID number already: say in `correction` why it is wrong");
        }
        (Some(_), false) => return state("the reader is registered without an ID number: there is nothing to correct"),
        (Some(_), true) => return Ok(()),
        (None, false) => {}
    }
    let born: Option<NaiveDate> = reader.birth_date.as_deref().and_then(|text| text.parse().ok());
    if born.is_some_and(|born| born != person.born()) {
        let reason = "names another day of birth than the reader's";
        return Err(UseCaseError::field("id_number", reason));
    }
    Ok(())
}
