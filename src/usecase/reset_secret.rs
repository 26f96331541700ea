//! Setting a forgotten password or PIN by a code that was sent. Whoever asks is answered the same whether or not there is such an
//! account, and a code counts for minutes and a few attempts.
//!
//! A reader's code is a one-time code like those that prove addresses, and leaves as a notice to an address that is proved. One of
//! the staff goes to the mail address of the account (`set_staff_contact`); without one an administrator sets another password.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::log_in_attempt::{Attempt, reader_account};
use super::reader_contacts::{CODE_IDS, send_code, take_code};
use super::session::{SessionTools, audience_code};
use super::{Result, UseCaseError};
use crate::auth::one_time::{CODE_ATTEMPTS, CODE_MINUTES};
use crate::auth::passwords::{check_pin, check_staff_password};
use crate::auth::{Audience, DerivedSecrets};
use crate::domain::barcode::CardNumber;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{CategoryId, ReaderId, StaffId, UnitId};
use crate::domain::notice::SendChannel;
use crate::domain::reader::Channel;
use crate::store::Store;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::notices::contacts::ContactRow;
use crate::store::sessions::reset_codes::ResetRow;
use crate::store::tx::{ReadTx, WriteTx};

/// Codes for one account within an hour.
const PER_HOUR: i64 = 3;
/// What a reader's code is for.
const RESET: &str = "reset_pin";

/// Whose secret.
#[derive(Debug, Clone)]
pub enum Account {
    Staff(String),
    Reader(CardNumber),
}

impl Account {
    const fn audience(&self) -> Audience {
        match self {
            Self::Staff(_) => Audience::Staff,
            Self::Reader(_) => Audience::Reader,
        }
    }

    /// What attempts are counted under, whether or not there is such an account.
    async fn counted(&self, store: &Arc<Store>) -> Result<String> {
        let name = match self {
            Self::Staff(username) => username.clone(),
            Self::Reader(card) => reader_account(store, card).await?,
        };
        Ok(format!("reset of {name}"))
    }

    /// The account behind it, if it may log in.
    fn find(&self, tx: &mut ReadTx<'_>) -> Result<Option<i64>> {
        Ok(match self {
            Self::Staff(username) => tx
                .staff_by_username(username)?
                .filter(|record| record.active)
                .map(|record| record.id.get()),
            Self::Reader(card) => tx
                .pin_of_card(card.as_str())?
                .filter(|record| record.usable)
                .map(|record| record.reader.get()),
        })
    }
}

/// Makes a code, if there is such an account, and has it sent. Counted like a log-in, so that nobody floods anybody.
///
/// # Errors
/// `TooManyLogIns`; a failure of the store. Never whether there is such an account.
pub async fn request_reset(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    account: Account,
    address: IpAddr,
) -> Result<()> {
    let counted = account.counted(store).await?;
    Attempt::begin(store, tools, (account.audience(), &counted), address).await?;
    let ids = store.take_ids::<UseCaseError>(CODE_IDS).await?;
    store.write(move |tx| make(tx, &account, ids.clone())).await
}

fn make(tx: &mut WriteTx<'_>, account: &Account, mut ids: IdRun) -> Result<()> {
    let Some(subject) = account.find(tx)? else {
        return Ok(());
    };
    if account.audience() == Audience::Reader {
        return send(tx, ReaderId::new(subject), ids);
    }
    if tx.mail_of_staff(StaffId::new(subject))?.is_none() {
        return Ok(());
    }
    let (now, audience) = (tx.now(), audience_code(account.audience()));
    let since = (now - TimeDelta::hours(1)).timestamp_millis();
    if tx.resets_since(audience, subject, since)? >= PER_HOUR {
        return Ok(());
    }
    let row = ResetRow {
        id: ids.next(),
        audience: audience.to_owned(),
        subject_id: subject,
        made_at: now.timestamp_millis(),
        expires_at: (now + TimeDelta::minutes(CODE_MINUTES)).timestamp_millis(),
        attempts: 0,
        ended_at: None,
    };
    tx.insert_reset(&row)?;
    let mail = SendChannel::Mail.code();
    Ok(tx.insert_outbox(ids.next(), mail, row.id, &format!("code-{}-{mail}", row.id))?)
}

/// To the first address that is proved, mail before SMS; to one without any, nothing is sent.
fn send(tx: &mut WriteTx<'_>, reader: ReaderId, mut ids: IdRun) -> Result<()> {
    tx.lock_readers(&[reader])?;
    let good = tx.contacts_of(reader)?.into_iter().find(ContactRow::is_good);
    let Some(channel) = good.and_then(|row| SendChannel::from_code(&row.channel)) else {
        return Ok(());
    };
    match send_code(tx, &mut ids, reader, RESET, channel) {
        // Too many within the hour: whoever asks learns nothing of it.
        Err(UseCaseError::State(_)) => Ok(()),
        sent => sent,
    }
}

/// Sets another secret with a code, and ends every session of the account.
///
/// # Errors
/// `Invalid` naming `code`, whatever is wrong with it or with the account, or the secret that is not good enough;
/// `TooManyLogIns`; `Busy`; a failure of the store.
pub async fn redeem_reset(
    store: &Arc<Store>,
    (tools, derived): (SessionTools<'_>, DerivedSecrets),
    account: Account,
    code: String,
    secret: SecretString,
    address: IpAddr,
) -> Result<()> {
    let (field, checked) = match account {
        Account::Staff(_) => ("new_password", check_staff_password(secret.expose_secret())),
        Account::Reader(_) => ("new_pin", check_pin(secret.expose_secret())),
    };
    checked.map_err(|violation| UseCaseError::field(field, violation.to_string()))?;
    let counted = account.counted(store).await?;
    let attempt = Attempt::begin(store, tools, (account.audience(), &counted), address).await?;
    // The same work, whether or not anything fits.
    let hash = tools.passwords.hash(secret).await?;
    let wrong = || UseCaseError::field("code", "is not right, has expired, or was tried too often");
    if account.audience() == Audience::Reader {
        let ids = store.take_ids::<UseCaseError>(1).await?;
        let done = store
            .write(move |tx| redeem(tx, (&account, &code, &hash), &derived, &attempt, ids.clone()))
            .await?;
        return if done { Ok(()) } else { Err(wrong()) };
    }
    let asked = account.clone();
    let row = store.write(move |tx| tried(tx, &asked)).await?;
    let row = row.ok_or_else(wrong)?;
    if !derived.is_code(row.id, code.trim()) {
        return Err(wrong());
    }
    let ids = store.take_ids::<UseCaseError>(1).await?;
    let done = store
        .write(move |tx| {
            if !tx.end_reset(row.id, tx.now().timestamp_millis())? {
                return Ok(false);
            }
            attempt.succeeded(tx)?;
            set(tx, &account, row.subject_id, &hash, ids.clone())?;
            Ok::<_, UseCaseError>(true)
        })
        .await?;
    // Somebody was first with the same code.
    if done { Ok(()) } else { Err(wrong()) }
}

/// A reader's code. False: a wrong one, whose attempt counts all the same.
fn redeem(
    tx: &mut WriteTx<'_>,
    (account, code, hash): (&Account, &str, &str),
    derived: &DerivedSecrets,
    attempt: &Attempt,
    ids: IdRun,
) -> Result<bool> {
    let Some(subject) = account.find(tx)? else {
        return Ok(false);
    };
    let reader = ReaderId::new(subject);
    tx.lock_readers(&[reader])?;
    let mut right = false;
    for channel in SendChannel::ALL {
        right |= take_code(tx, reader, RESET, *channel, code, derived)?;
    }
    if right {
        attempt.succeeded(tx)?;
        set(tx, account, subject, hash, ids)?;
    }
    Ok(right)
}

/// The code of staff that may be tried; the attempt is counted for good, whatever comes of it.
fn tried(tx: &mut WriteTx<'_>, account: &Account) -> Result<Option<ResetRow>> {
    let Some(subject) = account.find(tx)? else {
        return Ok(None);
    };
    let now = tx.now().timestamp_millis();
    Ok(tx.try_reset(audience_code(account.audience()), subject, now, CODE_ATTEMPTS)?)
}

fn set(tx: &mut WriteTx<'_>, account: &Account, subject: i64, hash: &str, mut ids: IdRun) -> Result<()> {
    let network = tx.network()?;
    let now = tx.now();
    let root = network.units().root().map(|root| root.id);
    let event = match account {
        Account::Staff(username) => {
            tx.lock_staff(StaffId::new(subject))?;
            tx.set_password_hash(username, hash)?;
            let unit = root.ok_or(UseCaseError::NotFound("unit"))?;
            Event::new(EventKind::StaffChanged, now, unit, Channel::Portal.code())
                .by(Some(StaffId::new(subject)), None)
                .detail(json!({"changed": "password", "by": "code"}))
                .personal(json!({"changed_staff_id": subject}))
        }
        Account::Reader(_) => {
            let reader = ReaderId::new(subject);
            tx.lock_readers(&[reader])?;
            let (row, _) = tx.reader_view(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
            tx.set_pin_hash(reader, hash)?;
            let born = row.birth_date.as_deref().and_then(|text| text.parse().ok());
            let band = AgeBand::on(born, network.local_day(now));
            let home = UnitId::new(row.home_unit_id);
            Event::new(EventKind::ReaderChanged, now, home, Channel::Portal.code())
                .of_reader(reader, CategoryId::new(row.category_id), band)
                .detail(json!({"changed": "pin", "by": "code"}))
        }
    };
    let audience = audience_code(account.audience());
    tx.end_sessions_of(audience, subject, None, now.timestamp_millis())?;
    Ok(tx.append_event(ids.next(), &event)?)
}
