//! An applicant proves the address with the code that was sent there, and is a reader at once where the unit admits that and nothing
//! is doubtful; otherwise a desk looks at it (`decide_application`).

use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::add_guardian::AddGuardian;
use super::card_numbers;
use super::reader_contacts::proved_row;
use super::register_reader::{self, REGISTRATION_IDS, RegisterReader};
use super::{Caller, Result, UseCaseError, Who};
use crate::auth::one_time::CODE_ATTEMPTS;
use crate::auth::tokens::hash_refresh;
use crate::auth::{DerivedSecrets, one_time};
use crate::domain::event::age_years;
use crate::domain::ids::{ReaderId, UnitId};
use crate::domain::network::Network;
use crate::domain::notice::SendChannel;
use crate::domain::reader::{CardKind, CardStatus};
use crate::domain::resident_id::ResidentId;
use crate::domain::self_registration::{Facts, category_of_age, waits_for};
use crate::store::Store;
use crate::store::applications::{ApplicationRow, Decided, REGISTERED, UNPROVED};
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};

/// How an application stands, for whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApplicationState {
    /// `unproved`: the code is missing; `waiting`: a desk looks at it, and may want to see the ID card; `registered`; `refused`.
    #[schema(example = "registered")]
    pub state: String,
    /// Of the electronic card, once registered: log in with it and the PIN.
    #[schema(example = "E04829175530")]
    pub card_number: Option<String>,
    /// Why it was refused.
    #[schema(example = "姓名与证件不符")]
    pub refusal: Option<String>,
}

/// Proves the address of an application. The right code sent again answers how the application stands.
///
/// # Errors
/// `Invalid` naming `code` for one that is wrong, too old or was tried too often, and for an application that is not there; `Busy`; a
/// failure of the store.
pub async fn confirm_application(
    store: &Arc<Store>,
    derived: DerivedSecrets,
    application: String,
    code: String,
) -> Result<ApplicationState> {
    let ids = store.take_ids::<UseCaseError>(REGISTRATION_IDS).await?;
    let number = one_time::new_number();
    let tried = store
        .write(move |tx| tried(tx, (&application, &code), &derived, number, ids.clone()))
        .await?;
    tried.ok_or_else(|| UseCaseError::field("code", "is not right, has expired, or was tried too often: apply again"))
}

/// How an application stands.
///
/// # Errors
/// `NotFound`, also for one that was erased since; a failure of the store.
pub async fn get_my_application(store: &Arc<Store>, application: String) -> Result<ApplicationState> {
    store
        .read(move |tx| {
            let row = tx.application_of(&hash_refresh(&application))?;
            state(tx, &row.ok_or(UseCaseError::NotFound("application"))?)
        })
        .await
}

/// `None`: a wrong code, whose attempt counts all the same.
fn tried(
    tx: &mut WriteTx<'_>,
    (application, code): (&str, &str),
    derived: &DerivedSecrets,
    number: i64,
    ids: IdRun,
) -> Result<Option<ApplicationState>> {
    let Some(row) = tx.try_application(&hash_refresh(application), CODE_ATTEMPTS)? else {
        return Ok(None);
    };
    let in_time = tx.now().timestamp_millis() < row.code_expires_at;
    if !in_time || !derived.is_code(row.id, code.trim()) {
        return Ok(None);
    }
    if row.state == UNPROVED {
        decide(tx, &row, number, ids)?;
    }
    let row = tx.application(row.id)?.ok_or(UseCaseError::NotFound("application"))?;
    state(tx, &row).map(Some)
}

fn decide(tx: &mut WriteTx<'_>, row: &ApplicationRow, number: i64, ids: IdRun) -> Result<()> {
    let (network, now) = (tx.network()?, tx.now());
    let applicant = Applicant::of(tx, row, &network, network.local_day(now))?;
    // Of two with one number the second sees the first.
    tx.lock_identities()?;
    let unit = UnitId::new(row.unit_id);
    let facts = Facts {
        how: network.self_registrations().of(network.units(), unit).0,
        age_years: applicant.age_years,
        is_registered: tx.reader_of_identity(&applicant.person)?.is_some(),
        has_namesake: !tx.namesakes(&applicant.name, applicant.person.born())?.is_empty(),
        has_category: applicant.category.is_some(),
    };
    let reasons = waits_for(&facts);
    match &applicant.category {
        Some(category) if reasons.is_empty() => {
            let itself = Caller {
                who: Who::Reader {
                    id: ReaderId::new(ids.clone().next()),
                },
                unit: None,
                session: 0,
            };
            register(tx, &itself, row, &applicant, (category, None), (number, ids))?;
            Ok(())
        }
        _ => Ok(tx.application_waits(row.id, &reasons)?),
    }
}

/// An application that is not decided, opened.
pub(super) struct Applicant {
    pub name: String,
    pub person: ResidentId,
    pub address: String,
    pub age_years: u32,
    /// The code of the category of this age.
    pub category: Option<String>,
}

impl Applicant {
    pub(super) fn of(tx: &ReadTx<'_>, row: &ApplicationRow, network: &Network, today: NaiveDate) -> Result<Self> {
        let gone = || UseCaseError::State("the application is decided".to_owned());
        let (number, address) = tx.open_applicant(row)?.ok_or_else(gone)?;
        let person =
            ResidentId::parse(&number, today).map_err(|error| UseCaseError::field("id_number", error.to_string()))?;
        let age_years = age_years(person.born(), today).unwrap_or_default();
        let category = category_of_age(age_years, &network.categories());
        Ok(Self {
            name: row.name.clone().ok_or_else(gone)?,
            address,
            age_years,
            category: category.map(|category| category.code.clone()),
            person,
        })
    }
}

/// Makes a reader of an applicant, with an electronic card and the address that was proved; the application keeps nothing personal.
///
/// # Errors
/// As [`register_reader`](super::register_reader::register_reader).
pub(super) fn register(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    row: &ApplicationRow,
    applicant: &Applicant,
    (category, guardian): (&str, Option<&AddGuardian>),
    (number, ids): (i64, IdRun),
) -> Result<register_reader::RegisteredReader> {
    let network = tx.network()?;
    let home = network.unit(UnitId::new(row.unit_id));
    let command = RegisterReader {
        name: applicant.name.clone(),
        category: category.to_owned(),
        home_unit_code: home.map(|unit| unit.code.clone()).unwrap_or_default(),
        card_number: card_numbers::draw(tx, number)?,
        card_kind: CardKind::ECard.code().to_owned(),
        card_expires_on: None,
        id_number: Some(applicant.person.expose().to_owned().into()),
        birth_date: None,
        pin: None,
        note: None,
        guardian: guardian.cloned(),
    };
    let made = register_reader::apply(tx, caller, &command, row.pin_hash.clone(), ids)?;
    let reader = ReaderId::new(made.id);
    let channel = SendChannel::from_code(&row.channel).ok_or(UseCaseError::NotFound("channel"))?;
    let contact = proved_row(tx, reader, channel, &applicant.address)?;
    tx.set_contact(reader, channel, Some(&contact))?;
    tx.end_application(row.id, &Decided::Registered(reader))?;
    Ok(made)
}

fn state(tx: &mut ReadTx<'_>, row: &ApplicationRow) -> Result<ApplicationState> {
    let reader = row.reader_id.filter(|_| row.state == REGISTERED).map(ReaderId::new);
    let card_number = match reader {
        Some(reader) => electronic_card(tx, reader)?,
        None => None,
    };
    Ok(ApplicationState {
        state: row.state.clone(),
        card_number,
        refusal: row.refusal.clone(),
    })
}

/// The number of a reader's electronic card that can be used.
fn electronic_card(tx: &mut ReadTx<'_>, reader: ReaderId) -> Result<Option<String>> {
    let usable = |kind: &str, status: &str| kind == CardKind::ECard.code() && status == CardStatus::Active.code();
    let cards = tx.cards_of(reader)?;
    let card = cards.into_iter().find(|card| usable(&card.kind, &card.status));
    Ok(card.map(|card| card.number().to_owned()))
}
