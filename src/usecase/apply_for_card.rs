//! Somebody who is no reader yet applies for a card: what they say is kept sealed beside the register, and a code goes to the address
//! they gave. The answer says nothing of who is registered; nothing is a reader until the code comes back (`confirm_application`).

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use super::log_in_attempt::Attempt;
use super::named::Wrong;
use super::reader_contacts::read_address;
use super::register_reader::OLDEST_YEARS;
use super::session::SessionTools;
use super::{Result, UseCaseError};
use crate::auth::Audience;
use crate::auth::one_time::CODE_MINUTES;
use crate::auth::passwords::check_pin;
use crate::auth::tokens::new_refresh;
use crate::domain::event::age_years;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::notice::SendChannel;
use crate::domain::resident_id::ResidentId;
use crate::domain::self_registration::SelfRegistration;
use crate::store::Store;
use crate::store::applications::{ApplicationRow, UNPROVED};
use crate::store::ids::IdRun;
use crate::store::readers::day_text;
use crate::store::tx::WriteTx;

/// Ids of an application: its own, the outbox's.
const IDS: i64 = 2;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ApplyForCard {
    pub name: String,
    /// GB 11643; kept sealed until it is decided.
    pub id_number: SecretString,
    /// Mail or SMS, and the address.
    pub address: (SendChannel, String),
    pub home_unit_code: String,
    pub pin: SecretString,
}

/// An application was taken in, whoever it is about.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ApplicationMade {
    /// What `confirmApplication` and `getMyApplication` know it by; told once, and to nobody else.
    #[schema(example = "q2X5cJ0t1mWb7vKpYH3nZsRdEaUgLf9oT6iBx4Ck8Nw")]
    pub application: String,
    /// How long the code counts that was sent to the address.
    #[schema(example = 10)]
    pub code_minutes: i64,
}

/// Takes an application in and sends a code to its address. Counted like a log-in, by address and by where it comes from.
///
/// # Errors
/// `Invalid` naming every wrong field; `TooManyLogIns`; `Busy`; a failure of the store. Never who is registered.
pub async fn apply_for_card(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    command: ApplyForCard,
    address: IpAddr,
) -> Result<ApplicationMade> {
    let network = store.read(|tx| tx.network().map_err(UseCaseError::from)).await?;
    let said = check(&command, &network, network.local_day(store.clock().now()))?;
    let account = format!("application to {}", said.address);
    Attempt::begin(store, tools, (Audience::Reader, &account), address).await?;
    // Slow on purpose, so outside the transaction.
    let pin_hash = tools.passwords.hash(command.pin).await?;
    let ids = store.take_ids::<UseCaseError>(IDS).await?;
    let (application, token_hash) = new_refresh();
    store
        .write(move |tx| insert(tx, &said, (&token_hash, &pin_hash), ids.clone()))
        .await?;
    Ok(ApplicationMade {
        application,
        code_minutes: CODE_MINUTES,
    })
}

/// What was said, read.
struct Said {
    name: String,
    person: ResidentId,
    channel: SendChannel,
    address: String,
    shown: String,
    unit: UnitId,
}

fn check(command: &ApplyForCard, network: &Network, today: NaiveDate) -> Result<Said> {
    let mut wrong = Wrong::default();
    let unit = wrong.unit(network, "home_unit_code", &command.home_unit_code);
    if let Some(unit) = unit {
        let (how, _) = network.self_registrations().of(network.units(), unit.id);
        if how == SelfRegistration::Closed || !unit.active {
            wrong.say(
                "home_unit_code",
                "takes readers in at its desk only: go there with your ID card",
            );
        }
    }
    let person = ResidentId::parse(command.id_number.expose_secret(), today);
    let person = person.map_err(|error| wrong.say("id_number", error.to_string())).ok();
    if let Some(person) = &person
        && age_years(person.born(), today).is_none_or(|age| age > OLDEST_YEARS)
    {
        wrong.say(
            "id_number",
            format!("names a day of birth more than {OLDEST_YEARS} years ago"),
        );
    }
    if !command.name.chars().all(is_of_a_name) {
        wrong.say(
            "name",
            "has what no name has: letters, spaces, hyphens and middle dots are taken",
        );
    }
    if let Err(violation) = check_pin(command.pin.expose_secret()) {
        wrong.say("pin", violation.to_string());
    }
    let (channel, text) = &command.address;
    let field = match channel {
        SendChannel::Mail => "mail",
        SendChannel::Sms | SendChannel::Wechat => "phone",
    };
    let address = read_address(*channel, text)
        .map_err(|reason| wrong.say(field, reason))
        .ok();
    wrong.check()?;
    let (Some(unit), Some(person), Some((address, shown))) = (unit, person, address) else {
        return Err(UseCaseError::NotFound("unit"));
    };
    Ok(Said {
        name: command.name.clone(),
        person,
        channel: *channel,
        address,
        shown,
        unit: unit.id,
    })
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_alphabetic() || " ·•.-'’".contains(letter)
}

fn insert(tx: &mut WriteTx<'_>, said: &Said, (token_hash, pin_hash): (&[u8], &str), mut ids: IdRun) -> Result<()> {
    let (id, now) = (ids.next(), tx.now());
    let sealed = tx.seal_applicant(id, said.person.expose(), &said.address, now)?;
    tx.insert_application(&ApplicationRow {
        id,
        token_hash: token_hash.to_vec(),
        state: UNPROVED.to_owned(),
        unit_id: said.unit.get(),
        channel: said.channel.code().to_owned(),
        made_at: now.timestamp_millis(),
        code_expires_at: (now + TimeDelta::minutes(CODE_MINUTES)).timestamp_millis(),
        attempts: 0,
        name: Some(said.name.clone()),
        birth_date: Some(day_text(said.person.born())),
        id_tail: Some(said.person.tail().to_owned()),
        key_id: Some(sealed.key_id),
        id_sealed: Some(sealed.id_number),
        address_sealed: Some(sealed.address),
        address_shown: Some(said.shown.clone()),
        pin_hash: Some(pin_hash.to_owned()),
        reasons: String::new(),
        reader_id: None,
        refusal: None,
        decided_at: None,
    })?;
    let (channel, outbox) = (said.channel.code(), ids.next());
    Ok(tx.insert_outbox(outbox, channel, id, &format!("code-{id}-{channel}"))?)
}
