//! A new reader with a first card.

use std::sync::Arc;

use chrono::NaiveDate;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::add_guardian::{self, AddGuardian, IDS_PER_LINK};
use super::credit_ledger::{Books, IDS_PER_POSTING};
use super::named::Wrong;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::passwords::check_pin;
use crate::auth::{PasswordService, Right};
use crate::domain::barcode::CardNumber;
use crate::domain::event::{AgeBand, EventKind, age_years};
use crate::domain::guardian::{OF_AGE_YEARS, is_of_age};
use crate::domain::ids::{CategoryId, ReaderId, UnitId};
use crate::domain::network::{Category, Network};
use crate::domain::reader::{CardStatus, CreditBand, ReaderStatus};
use crate::domain::resident_id::{self, ResidentId};
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::readers::{NewCard, NewReader, band_code, day_text};
use crate::store::tx::WriteTx;
use crate::store::{Once, Store, StoreError};

/// Kinds of a first card. What is a person's own has no number that could be typed: it is issued to a reader who is there.
pub const CARD_KINDS: [&str; 2] = ["physical", "e_card"];
pub(super) const OLDEST_YEARS: u32 = 130;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RegisterReader {
    pub name: String,
    pub category: String,
    pub home_unit_code: String,
    pub card_number: CardNumber,
    pub card_kind: String,
    pub card_expires_on: Option<NaiveDate>,
    /// GB 11643; kept as a keyed hash and a sealed text only.
    pub id_number: Option<SecretString>,
    pub birth_date: Option<NaiveDate>,
    pub pin: Option<SecretString>,
    pub note: Option<String>,
    /// Who answers for a reader who is not of age, with the consent. The ward is whoever is registered.
    pub guardian: Option<AddGuardian>,
}

/// Ids of a registration: reader, card, ID number, event, a guardian's link, and what the ledger needs.
pub(super) const REGISTRATION_IDS: i64 = 4 + IDS_PER_LINK + IDS_PER_POSTING;

/// A reader was registered. Nothing personal: this answer is kept for a while under the idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegisteredReader {
    pub id: i64,
    #[schema(example = "adult")]
    pub category: String,
    #[schema(example = "B01")]
    pub home_unit_code: String,
}

/// Registers a reader.
///
/// # Errors
/// `Invalid` naming every wrong field; `DuplicateReader` for a person who is there; `Forbidden`; `Busy`; a failure of the store.
pub async fn register_reader(
    store: &Arc<Store>,
    passwords: &PasswordService,
    caller: &Caller,
    command: RegisterReader,
    key: Option<IdempotencyKey>,
) -> Result<Once<RegisteredReader>> {
    caller.require_somewhere(Right::RegisterReader)?;
    let network = store.read(|tx| tx.network().map_err(UseCaseError::from)).await?;
    let claim = key.map(|key| key.claim(caller));
    if check(&command, &network, network.local_day(store.clock().now())).is_err() {
        // What is wrong today may have been right when it was done: a replay is answered as before.
        return store.write_once(claim, move |tx| refuse(tx, &command)).await;
    }
    // Slow on purpose, so outside the transaction.
    let pin_hash = match &command.pin {
        Some(pin) => Some(passwords.hash(pin.clone()).await?),
        None => None,
    };
    let ids = store.take_ids::<UseCaseError>(REGISTRATION_IDS).await?;
    let who = caller.clone();
    store
        .write_once(claim, move |tx| {
            apply(tx, &who, &command, pin_hash.clone(), ids.clone())
        })
        .await
}

fn refuse(tx: &mut WriteTx<'_>, command: &RegisterReader) -> Result<RegisteredReader> {
    let network = tx.network()?;
    check(command, &network, network.local_day(tx.now()))?;
    // Right again within this moment: the caller tries again.
    Err(StoreError::Busy.into())
}

/// Registers a reader in a transaction, with `pin_hash` of a PIN that was looked at before.
///
/// # Errors
/// As [`register_reader`], but for the right.
pub(super) fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &RegisterReader,
    pin_hash: Option<String>,
    mut ids: IdRun,
) -> Result<RegisteredReader> {
    let (network, now) = (tx.network()?, tx.now());
    let Checked {
        category,
        home,
        person,
        born,
    } = check(command, &network, network.local_day(now))?;
    if let Some(person) = &person {
        tx.lock_identities()?;
        if let Some(reader) = tx.reader_of_identity(person)? {
            return Err(UseCaseError::DuplicateReader { reader: reader.get() });
        }
    }
    if tx.card_exists(command.card_number.as_str())? {
        return Err(UseCaseError::field("card_number", "another card has this number"));
    }
    let id = ReaderId::new(ids.next());
    let row = NewReader {
        birth_date: born.map(day_text),
        ..reader_row(command, id, (category.id, home), pin_hash, now.timestamp_millis())
    };
    tx.insert_reader(&row, &first_card(command, id, ids.next(), row.created_at))?;
    if let Some(person) = &person {
        tx.insert_identity(ids.next(), id, person, now)?;
    }
    let band = AgeBand::on(born, network.local_day(now));
    let at = caller.unit.unwrap_or(home);
    let event = Event::new(EventKind::ReaderRegistered, now, at, caller.channel().code())
        .of_reader(id, category.id, band)
        .by(caller.staff(), caller.device())
        .detail(json!({"home_unit_id": home}));
    tx.append_event(ids.next(), &event)?;
    if let Some(guardian) = &command.guardian {
        let link = AddGuardian {
            ward: id,
            ..guardian.clone()
        };
        add_guardian::link(tx, caller, &link, &mut ids).map_err(|error| error.below("guardian"))?;
    }
    if let Some(rules) = network.rules().credit.as_ref() {
        let mut books = Books {
            tx,
            network: &network,
            rules,
            caller,
            now,
            ids: &mut ids,
        };
        books.open(id)?;
    }
    Ok(RegisteredReader {
        id: id.get(),
        category: category.code.clone(),
        home_unit_code: command.home_unit_code.clone(),
    })
}

fn reader_row(
    command: &RegisterReader,
    id: ReaderId,
    (category, home): (CategoryId, UnitId),
    pin_hash: Option<String>,
    now_millis: i64,
) -> NewReader {
    NewReader {
        id: id.get(),
        name: command.name.clone(),
        category_id: category.get(),
        home_unit_id: home.get(),
        status: ReaderStatus::Active.code().to_owned(),
        barred: false,
        birth_date: command.birth_date.map(day_text),
        credit_band: band_code(CreditBand::B).to_owned(),
        debt_fen: 0,
        note: command.note.clone(),
        pin_hash,
        open_holds: 0,
        created_at: now_millis,
    }
}

fn first_card(command: &RegisterReader, reader: ReaderId, id: i64, now_millis: i64) -> NewCard {
    NewCard {
        id,
        number: command.card_number.as_str().to_owned(),
        reader_id: reader.get(),
        kind: command.card_kind.clone(),
        status: CardStatus::Active.code().to_owned(),
        expires_on: command.card_expires_on.map(day_text),
        issued_at: Some(now_millis),
    }
}

/// What was asked for, read.
struct Checked<'n> {
    category: &'n Category,
    home: UnitId,
    person: Option<ResidentId>,
    /// As the ID number says, if there is one.
    born: Option<NaiveDate>,
}

fn check<'n>(command: &RegisterReader, network: &'n Network, today: NaiveDate) -> Result<Checked<'n>> {
    let mut wrong = Wrong::default();
    let category = wrong.category(network, "category", &command.category);
    let home = wrong.unit(network, "home_unit_code", &command.home_unit_code);
    if !CARD_KINDS.contains(&command.card_kind.as_str()) {
        wrong.say("card_kind", format!("must be one of {}", CARD_KINDS.join(", ")));
    }
    if resident_id::stands_in(command.card_number.as_str()) {
        wrong.say("card_number", "is a resident identity number, which is never stored");
    }
    if command.card_expires_on.is_some_and(|day| day < today) {
        wrong.say("card_expires_on", "lies in the past");
    }
    if let Some(Err(violation)) = command.pin.as_ref().map(|pin| check_pin(pin.expose_secret())) {
        wrong.say("pin", violation.to_string());
    }
    let person = read_person(command, today, &mut wrong);
    let born = person.as_ref().map(ResidentId::born).or(command.birth_date);
    if let Some(born) = born {
        check_birth(born, today, category, &mut wrong);
    }
    check_guardian(command, born, category, today, &mut wrong);
    wrong.check()?;
    let found = category.zip(home.map(|unit| unit.id));
    let (category, home) = found.ok_or(UseCaseError::NotFound("category"))?;
    Ok(Checked {
        category,
        home,
        person,
        born,
    })
}

fn read_person(command: &RegisterReader, today: NaiveDate, wrong: &mut Wrong) -> Option<ResidentId> {
    let given = command.id_number.as_ref()?;
    match ResidentId::parse(given.expose_secret(), today) {
        Ok(person) => {
            if command.birth_date.is_some_and(|day| day != person.born()) {
                wrong.say(
                    "birth_date",
                    "differs from the day of birth in the ID number; it may be left out",
                );
            }
            Some(person)
        }
        Err(error) => {
            wrong.say("id_number", error.to_string());
            None
        }
    }
}

fn check_birth(born: NaiveDate, today: NaiveDate, category: Option<&Category>, wrong: &mut Wrong) {
    let Some(age) = age_years(born, today).filter(|age| *age <= OLDEST_YEARS) else {
        wrong.say("birth_date", format!("must be a day of the last {OLDEST_YEARS} years"));
        return;
    };
    let Some(category) = category else { return };
    if category.min_age_years.is_some_and(|min| age < u32::from(min)) {
        wrong.say(
            "birth_date",
            format!("too young for the category {}: {age}", category.code),
        );
    }
    if category.max_age_years.is_some_and(|max| age > u32::from(max)) {
        wrong.say(
            "birth_date",
            format!("too old for the category {}: {age}", category.code),
        );
    }
}

/// A child is registered with a guardian, and whoever is not of age with a guardian's consent.
fn check_guardian(
    command: &RegisterReader,
    born: Option<NaiveDate>,
    category: Option<&Category>,
    today: NaiveDate,
    wrong: &mut Wrong,
) {
    let child = category.is_some_and(|category| category.child);
    let minor = born.map_or(child, |day| day <= today && !is_of_age(born, today));
    match &command.guardian {
        None if minor => wrong.say(
            "guardian",
            format!(
                "is needed for a reader under {OF_AGE_YEARS}, or for a child of unknown age: who answers for them, with the number and \
                 the day of the signed consent"
            ),
        ),
        Some(guardian) if minor && guardian.consent.is_none() => wrong.say(
            "guardian.consent_form",
            format!("is needed for a reader under {OF_AGE_YEARS}"),
        ),
        _ => {}
    }
}

impl Outcome for RegisteredReader {
    fn reader_id(&self) -> Option<i64> {
        Some(self.id)
    }
}
