//! Another credential for a reader: a printed card, an electronic one, the reader's own ID card or social-security card, or a card of
//! another city.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::json;

use super::add_guardian::lacks_consent;
use super::card_numbers;
use super::card_view::CardOutcome;
use super::error::FieldError;
use super::named::Wrong;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::{Right, one_time};
use crate::domain::barcode::CardNumber;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{CategoryId, ReaderId, UnitId};
use crate::domain::network::Network;
use crate::domain::reader::{CardKind, CardStatus, ReaderStatus};
use crate::domain::resident_id;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::readers::card_rows::IssuedCard;
use crate::store::readers::{ReaderView, day_text};
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Cards that a reader may hold at once; institutions have one for each who borrows for them.
const MOST_CARDS: usize = 1_000;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct IssueCard {
    pub reader: ReaderId,
    pub kind: String,
    /// Of what bears a number of its own.
    pub number: Option<CardNumber>,
    pub expires_on: Option<NaiveDate>,
    pub issuer: Option<String>,
    pub holder_name: Option<String>,
}

/// Issues a card.
///
/// # Errors
/// `Invalid` naming every wrong field; `State` for a reader who is closed or was merged, or has no ID number to be shown, and for a
/// child without a guardian's consent; `NotFound`;
/// `Forbidden`; a failure of the store.
pub async fn issue_card(
    store: &Arc<Store>,
    caller: &Caller,
    command: IssueCard,
    key: Option<IdempotencyKey>,
) -> Result<Once<CardOutcome>> {
    caller.require_somewhere(Right::ManageCards)?;
    once(store, caller, key, 2, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &IssueCard, mut ids: IdRun) -> Result<CardOutcome> {
    let network = tx.network()?;
    if CardKind::from_code(&command.kind).is_some_and(CardKind::is_of_person) {
        tx.lock_identities()?;
    }
    tx.lock_readers(&[command.reader])?;
    let reader = open_reader(tx, command.reader)?;
    if reader.status == ReaderStatus::Inactive.code() {
        return Err(UseCaseError::State("the reader's account is closed".to_owned()));
    }
    let kind = check(command, &network, &reader, network.local_day(tx.now()))?;
    if lacks_consent(tx, &reader, &network)? {
        return Err(UseCaseError::State(
            "no guardian's consent is on record for this child: link a guardian with the signed form first (addGuardian)".to_owned(),
        ));
    }
    if tx.cards_of(command.reader)?.len() >= MOST_CARDS {
        return Err(UseCaseError::State(format!(
            "the reader has {MOST_CARDS} cards already"
        )));
    }
    let card = Card {
        id: ids.next(),
        reader: command.reader,
        kind,
        number: command.number.as_ref().map(CardNumber::as_str),
        expires_on: command.expires_on,
        issuer: command.issuer.as_deref(),
        holder_name: command.holder_name.as_deref(),
    };
    insert(tx, &card)?;
    let told = Told {
        kind: EventKind::CardIssued,
        card: card.id,
        what: kind,
        reason: None,
    };
    tell(tx, caller, &reader, &told, ids.next())?;
    Ok(CardOutcome {
        card_id: card.id,
        reader_id: command.reader.get(),
        kind: kind.code().to_owned(),
        status: CardStatus::Active.code().to_owned(),
        expires_on: command.expires_on,
        replaces: None,
    })
}

/// A reader who is there and stands for itself, under its lock; also one whose account is closed.
pub(super) fn open_reader(tx: &mut WriteTx<'_>, id: ReaderId) -> Result<ReaderView> {
    let (reader, _) = tx.reader_view(id)?.ok_or(UseCaseError::NotFound("reader"))?;
    match reader.merged_into {
        Some(into) => Err(UseCaseError::State(format!(
            "reader {id} was merged into reader {into}: use that one"
        ))),
        None => Ok(reader),
    }
}

fn check(command: &IssueCard, network: &Network, reader: &ReaderView, today: NaiveDate) -> Result<CardKind> {
    let mut wrong = Wrong::default();
    let kind = CardKind::from_code(&command.kind);
    if kind.is_none() {
        let known = CardKind::ALL.map(CardKind::code).join(", ");
        wrong.say("kind", format!("must be one of {known}"));
    }
    let of_person = kind.is_some_and(CardKind::is_of_person);
    match &command.number {
        Some(_) if of_person => {
            let reason = "is left out: the card is found by the reader's ID number, which is never a card's number";
            wrong.say("number", reason);
        }
        Some(number) if resident_id::stands_in(number.as_str()) => {
            wrong.say(
                "number",
                "is a resident identity number, which is never a card's number",
            );
        }
        None if kind.is_some_and(CardKind::needs_number) => wrong.say("number", "is needed for this kind"),
        _ => {}
    }
    if (kind == Some(CardKind::OtherCity)) != command.issuer.is_some() {
        wrong.say("issuer", "is needed for a card of another city, and for no other");
    }
    if command.expires_on.is_some_and(|day| day < today) {
        wrong.say("expires_on", "lies in the past");
    }
    let category = network.category(CategoryId::new(reader.category_id));
    if command.holder_name.is_some() && !category.is_some_and(|category| category.institutional) {
        wrong.say(
            "holder_name",
            "is for cards of institutions only: anybody else uses their own card",
        );
    }
    wrong.check()?;
    kind.ok_or_else(|| UseCaseError::field("kind", "is needed"))
}

/// A card that is to be.
pub(super) struct Card<'a> {
    pub id: i64,
    pub reader: ReaderId,
    pub kind: CardKind,
    pub number: Option<&'a str>,
    pub expires_on: Option<NaiveDate>,
    pub issuer: Option<&'a str>,
    pub holder_name: Option<&'a str>,
}

/// Writes an active card; an electronic one without a number gets one. The number of a person is hashed, under `lock_identities`.
pub(super) fn insert(tx: &mut WriteTx<'_>, card: &Card<'_>) -> Result<()> {
    let now = tx.now();
    let (number, shown, key_id) = if card.kind.is_of_person() {
        let (number, shown, key) = of_person(tx, card)?;
        (number, Some(shown), Some(key))
    } else {
        let number = match card.number {
            Some(number) if tx.card_exists(number)? => {
                return Err(UseCaseError::field("number", "another card has this number"));
            }
            Some(number) => number.to_owned(),
            // Nobody prints it.
            None if card.kind == CardKind::ECard => {
                let drawn = card_numbers::draw(tx, one_time::new_number())?;
                drawn.as_str().to_owned()
            }
            None => return Err(UseCaseError::field("number", "is needed")),
        };
        (number, None, None)
    };
    Ok(tx.insert_card(&IssuedCard {
        id: card.id,
        number,
        reader_id: card.reader.get(),
        kind: card.kind.code().to_owned(),
        status: CardStatus::Active.code().to_owned(),
        expires_on: card.expires_on.map(day_text),
        shown,
        key_id,
        issuer: card.issuer.map(str::to_owned),
        holder_name: card.holder_name.map(str::to_owned),
        issued_at: Some(now.timestamp_millis()),
    })?)
}

/// What stands in the place of the number, what is shown of it, and its key.
fn of_person(tx: &mut WriteTx<'_>, card: &Card<'_>) -> Result<(String, String, String)> {
    let (person, tail) = match (tx.identity_in_clear(card.reader)?, tx.identity_tail(card.reader)?) {
        (Some(person), Some(tail)) => (person, tail),
        _ => {
            return Err(UseCaseError::State(
                "the reader is registered without an ID number: record it first".to_owned(),
            ));
        }
    };
    let numbers = tx.numbers_of_person(card.kind, &person);
    if tx.numbers_in_use(&numbers)? {
        let reason = format!("the reader's {} is a credential already", card.kind.code());
        return Err(UseCaseError::Invalid(vec![FieldError::new("kind", reason)]));
    }
    tx.retire_numbers(&numbers)?;
    let now = tx.now();
    let (number, key) = tx.number_of_person_now(card.kind, &person, now)?;
    Ok((number, format!("****{tail}"), key))
}

/// What an event of a card says.
pub(super) struct Told<'a> {
    pub kind: EventKind,
    pub card: i64,
    pub what: CardKind,
    pub reason: Option<&'a str>,
}

/// Appends the event of a card. Which card it was can be erased: it leads to its reader.
pub(super) fn tell(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    reader: &ReaderView,
    told: &Told<'_>,
    event_id: i64,
) -> Result<()> {
    let (network, now) = (tx.network()?, tx.now());
    let born = reader.birth_date.as_deref().and_then(|text| text.parse().ok());
    let at = caller.unit.unwrap_or(UnitId::new(reader.home_unit_id));
    let event = Event::new(told.kind, now, at, caller.own_channel())
        .of_reader(
            ReaderId::new(reader.id),
            CategoryId::new(reader.category_id),
            AgeBand::on(born, network.local_day(now)),
        )
        .by(caller.staff(), caller.device())
        .detail(json!({"card_kind": told.what.code()}))
        .personal(json!({"card_id": told.card, "reason": told.reason}));
    Ok(tx.append_event(event_id, &event)?)
}
