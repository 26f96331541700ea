//! Setting a forgotten password or PIN by a code that was sent. Whoever asks is answered the same whether or not there is such an
//! account, and a code counts for minutes and a few attempts.
//!
//! Not here: sending it. A row of the outbox says that there is a code; whoever tells it derives it from its number.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::log_in_attempt::Attempt;
use super::session::{SessionTools, audience_code};
use super::{Result, UseCaseError};
use crate::auth::passwords::{check_pin, check_staff_password};
use crate::auth::{Audience, TokenService, one_time};
use crate::domain::barcode::CardNumber;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{CategoryId, ReaderId, StaffId, UnitId};
use crate::domain::reader::Channel;
use crate::store::Store;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::sessions::reset_codes::ResetRow;
use crate::store::tx::{ReadTx, WriteTx};

/// How long a code counts.
const LIFE: TimeDelta = TimeDelta::minutes(15);
/// How often one may be tried.
const ATTEMPTS: i32 = 5;
/// Codes for one account within an hour.
const PER_HOUR: i64 = 3;
/// Who tells a code.
pub const CONSUMER: &str = "code";

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

    fn name(&self) -> String {
        let name = match self {
            Self::Staff(username) => username.as_str(),
            Self::Reader(card) => card.as_str(),
        };
        format!("reset of {name}")
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
    Attempt::begin(store, tools, (account.audience(), &account.name()), address).await?;
    let ids = store.take_ids::<UseCaseError>(2).await?;
    store.write(move |tx| make(tx, &account, ids.clone())).await
}

fn make(tx: &mut WriteTx<'_>, account: &Account, mut ids: IdRun) -> Result<()> {
    let Some(subject) = account.find(tx)? else {
        return Ok(());
    };
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
        expires_at: (now + LIFE).timestamp_millis(),
        attempts: 0,
        ended_at: None,
    };
    tx.insert_reset(&row)?;
    Ok(tx.insert_outbox(ids.next(), CONSUMER, row.id, &format!("code-{}", row.id))?)
}

/// Sets another secret with a code, and ends every session of the account.
///
/// # Errors
/// `Invalid` naming `code`, whatever is wrong with it or with the account, or the secret that is not good enough;
/// `TooManyLogIns`; `Busy`; a failure of the store.
pub async fn redeem_reset(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
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
    let attempt = Attempt::begin(store, tools, (account.audience(), &account.name()), address).await?;
    // The same work, whether or not anything fits.
    let hash = tools.passwords.hash(secret).await?;
    let asked = account.clone();
    let row = store.write(move |tx| tried(tx, &asked)).await?;
    let wrong = || UseCaseError::field("code", "is not right, has expired, or was tried too often");
    let row = row.ok_or_else(wrong)?;
    if !is_right(tools.tokens, &row, &code) {
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

/// The code that may be tried; the attempt is counted for good, whatever comes of it.
fn tried(tx: &mut WriteTx<'_>, account: &Account) -> Result<Option<ResetRow>> {
    let Some(subject) = account.find(tx)? else {
        return Ok(None);
    };
    let now = tx.now().timestamp_millis();
    Ok(tx.try_reset(audience_code(account.audience()), subject, now, ATTEMPTS)?)
}

fn is_right(tokens: &TokenService, row: &ResetRow, code: &str) -> bool {
    one_time::is_sent_code(tokens, row.id, code)
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
