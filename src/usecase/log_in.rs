//! Log-in of staff, readers and devices. An unknown name takes as long as a wrong secret, is answered the same, and slows
//! the next attempt the same.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::log_in_attempt::{Attempt, reader_account};
use super::session::{Opened, SessionTools, SessionView, grants_at};
use super::{Result, UseCaseError};
use crate::auth::one_time::{TotpSecret, recovery_hash};
use crate::auth::tokens::{hash_refresh, new_refresh, secret_matches};
use crate::auth::{Audience, Identity};
use crate::domain::barcode::CardNumber;
use crate::domain::device::{DeviceState, old_secret_counts};
use crate::domain::event::EventKind;
use crate::domain::ids::{DeviceId, StaffId, UnitId};
use crate::domain::network::Network;
use crate::domain::reader::Channel;
use crate::store::Store;
use crate::store::devices::Device;
use crate::store::events::Event;
use crate::store::ids::IdRun;
use crate::store::readers::PinRecord;
use crate::store::staff::StaffRecord;
use crate::store::tx::WriteTx;

/// Ids of a log-in: the family, the refresh token, the event.
const IDS: i64 = 3;

/// Who wants in.
#[derive(Debug, Clone)]
pub enum LogIn {
    /// `unit_code`: the desk; by default the unit of the highest grant.
    Staff {
        username: String,
        password: SecretString,
        unit_code: Option<String>,
        /// A one-time password or a recovery code, where the account has them.
        code: Option<String>,
    },
    Reader {
        card_number: CardNumber,
        pin: SecretString,
    },
    Device {
        code: String,
        secret: SecretString,
    },
}

impl LogIn {
    /// The account that is tried, whether or not there is one.
    async fn account(&self, store: &Arc<Store>) -> Result<(Audience, String)> {
        Ok(match self {
            Self::Staff { username, .. } => (Audience::Staff, username.clone()),
            Self::Reader { card_number, .. } => (Audience::Reader, reader_account(store, card_number).await?),
            Self::Device { code, .. } => (Audience::Device, code.clone()),
        })
    }
}

/// Opens a session for a client at an address.
///
/// # Errors
/// `Unauthenticated`, whatever was wrong with name and secret; `DeviceNotApproved`, `DeviceSuspended`; `TooManyLogIns` after too many of those; `Invalid` naming
/// `unit_code`; `Busy`.
pub async fn log_in(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    command: LogIn,
    address: IpAddr,
) -> Result<SessionView> {
    let mut ids = store.take_ids::<UseCaseError>(IDS).await?;
    let family = ids.next();
    let (audience, account) = command.account(store).await?;
    let attempt = Attempt::begin(store, tools, (audience, &account), address).await?;
    let (opened, held) = match open(store, tools, family, command).await {
        Ok(opened) => opened,
        Err(why) => {
            attempt.ended(store, &why, ids).await?;
            return Err(why);
        }
    };
    let (token, hash) = new_refresh();
    let row = tools.refresh_row(ids.next(), hash, &opened);
    let (who, ids) = (opened.identity.clone(), ids);
    store
        .write(move |tx| {
            attempt.succeeded(tx)?;
            held.require_unchanged(tx)?;
            tx.insert_refresh_token(&row)?;
            append_event(tx, &who, ids.clone())
        })
        .await?;
    tools.view(opened, token)
}

/// What the secret was held against.
enum Held {
    Staff(String, StaffRecord, Option<Factor>),
    Reader(CardNumber, PinRecord),
    /// With the newer of its secrets, or the one before.
    Device(Box<Device>, Secret),
}

/// The second factor that was held against what is kept; it is used up with the log-in.
#[derive(Debug, Clone, Copy)]
enum Factor {
    Step(i64),
    Recovery([u8; 32]),
}

impl Held {
    /// Secrets are hashed slowly. Whoever changed one meanwhile, or closed the account, ended the sessions there were: this
    /// one must not come after.
    fn require_unchanged(&self, tx: &mut WriteTx<'_>) -> Result<()> {
        let unchanged = match self {
            Self::Staff(username, seen, factor) => {
                tx.lock_staff(seen.id)?;
                tx.staff_by_username(username)?.as_ref() == Some(seen) && uses_up(tx, seen.id, *factor)?
            }
            Self::Reader(card, seen) => {
                tx.lock_readers(&[seen.reader])?;
                tx.pin_of_card(card.as_str())?.as_ref() == Some(seen)
            }
            Self::Device(seen, secret) => {
                let same = tx.lock_device(seen.id)?.is_some_and(|now| opens_as(&now, seen));
                // The device has its new secret: the one before is not needed any more.
                if same && *secret == Secret::Newest && seen.old_secret.is_some() {
                    tx.end_old_secret(seen.id)?;
                }
                same
            }
        };
        if unchanged {
            Ok(())
        } else {
            Err(UseCaseError::Unauthenticated)
        }
    }
}

async fn open(store: &Arc<Store>, tools: SessionTools<'_>, family: i64, command: LogIn) -> Result<(Opened, Held)> {
    match command {
        LogIn::Staff {
            username,
            password,
            unit_code,
            code,
        } => staff(store, tools, family, (username, password, code), unit_code).await,
        LogIn::Reader { card_number, pin } => reader(store, tools, family, card_number, pin).await,
        LogIn::Device { code, secret } => device(store, family, code, &secret).await,
    }
}

/// What the store keeps of a device's secret: the text form of its SHA-256.
pub fn device_secret_hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(hash_refresh(secret))
}

async fn staff(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    family: i64,
    (username, password, code): (String, SecretString, Option<String>),
    unit_code: Option<String>,
) -> Result<(Opened, Held)> {
    let asked = username.clone();
    let (record, network) = store
        .read(move |tx| Ok::<_, UseCaseError>((tx.staff_by_username(&asked)?, tx.network()?)))
        .await?;
    let hash = record.as_ref().map(|record| record.password_hash.clone());
    let genuine = tools.passwords.verify(password, hash).await?;
    let record = record
        .filter(|record| genuine && record.active)
        .ok_or(UseCaseError::Unauthenticated)?;
    let factor = second_factor(store, tools, record.id, code).await?;
    let unit = desk(&record, unit_code.as_deref(), &network)?;
    let grants = grants_at(&record.roles, unit, &network);
    let opened = Opened {
        identity: Identity {
            sub: record.id.get(),
            aud: Audience::Staff,
            sid: family,
            unit: Some(unit.get()),
            device_kind: None,
            grants,
        },
        unit_code: network.unit(unit).map(|unit| unit.code.clone()),
        at: store.clock().now(),
    };
    Ok((opened, Held::Staff(username, record, factor)))
}

/// Holds the code against what is kept of the account: an authenticator's of about now that was not used yet, or a recovery
/// code. An account without one-time passwords needs none.
async fn second_factor(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    id: StaffId,
    code: Option<String>,
) -> Result<Option<Factor>> {
    let row = store.read(move |tx| tx.totp_of(id).map_err(UseCaseError::from)).await?;
    let Some((number, last_step)) = row.and_then(|row| Some((row.number?, row.last_step))) else {
        return Ok(None);
    };
    let code = code.ok_or(UseCaseError::SecondFactorNeeded)?;
    let secret = TotpSecret::derive(tools.tokens, id.get(), number);
    if let Some(step) = secret.step_of(code.trim(), store.clock().now(), last_step) {
        return Ok(Some(Factor::Step(step)));
    }
    let hash = recovery_hash(&code);
    let known = store
        .read(move |tx| tx.has_recovery_code(id, &hash).map_err(UseCaseError::from))
        .await?;
    match known {
        true => Ok(Some(Factor::Recovery(hash))),
        false => Err(UseCaseError::Unauthenticated),
    }
}

/// Uses the factor up; false when somebody was first, or when the account has one-time passwords since the secret was looked at.
fn uses_up(tx: &mut WriteTx<'_>, id: StaffId, factor: Option<Factor>) -> Result<bool> {
    let now = tx.now().timestamp_millis();
    Ok(match factor {
        Some(Factor::Step(step)) => tx.use_totp_step(id, step)?,
        Some(Factor::Recovery(hash)) => tx.use_recovery_code(id, &hash, now)?,
        None => tx.totp_of(id)?.is_none_or(|row| row.number.is_none()),
    })
}

/// The unit a member of staff works at.
fn desk(record: &StaffRecord, unit_code: Option<&str>, network: &Network) -> Result<UnitId> {
    let units = network.units();
    let Some(code) = unit_code else {
        let highest = record
            .roles
            .iter()
            .map(|(_, unit)| *unit)
            .min_by_key(|unit| (units.ancestors(*unit).len(), *unit));
        return highest.ok_or(UseCaseError::Unauthenticated);
    };
    units
        .by_code(code)
        .filter(|unit| unit.active && record.roles.iter().any(|(_, at)| units.is_within(unit.id, *at)))
        .map(|unit| unit.id)
        .ok_or_else(|| UseCaseError::field("unit_code", "you hold no role at a unit with this code"))
}

async fn reader(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    family: i64,
    card: CardNumber,
    pin: SecretString,
) -> Result<(Opened, Held)> {
    let asked = card.clone();
    let record = store
        .read(move |tx| tx.pin_of_card(asked.as_str()).map_err(UseCaseError::from))
        .await?;
    let hash = record.as_ref().and_then(|record| record.pin_hash.clone());
    let genuine = tools.passwords.verify(pin, hash).await?;
    let record = record
        .filter(|record| genuine && record.usable)
        .ok_or(UseCaseError::Unauthenticated)?;
    let opened = Opened {
        identity: Identity {
            sub: record.reader.get(),
            aud: Audience::Reader,
            sid: family,
            unit: None,
            device_kind: None,
            grants: Vec::new(),
        },
        unit_code: None,
        at: store.clock().now(),
    };
    Ok((opened, Held::Reader(card, record)))
}

async fn device(store: &Arc<Store>, family: i64, code: String, secret: &SecretString) -> Result<(Opened, Held)> {
    let (record, network) = store
        .read(move |tx| Ok::<_, UseCaseError>((tx.device_by_code(&code)?, tx.network()?)))
        .await?;
    let now = store.clock().now();
    let (which, record) = record
        .and_then(|record| Some((secret_shown(&record, secret, now)?, record)))
        .ok_or(UseCaseError::Unauthenticated)?;
    match record.state() {
        DeviceState::Active => {}
        DeviceState::Pending => return Err(UseCaseError::DeviceNotApproved),
        DeviceState::Suspended => return Err(UseCaseError::DeviceSuspended),
        DeviceState::Retired => return Err(UseCaseError::Unauthenticated),
    }
    let opened = Opened {
        identity: Identity {
            sub: record.id.get(),
            aud: Audience::Device,
            sid: family,
            unit: Some(record.unit.get()),
            device_kind: Some(record.kind.code().to_owned()),
            grants: Vec::new(),
        },
        unit_code: network.unit(record.unit).map(|unit| unit.code.clone()),
        at: now,
    };
    Ok((opened, Held::Device(Box::new(record), which)))
}

/// Which of a device's secrets was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secret {
    Newest,
    /// It still counts, for the new one may be lost on its way.
    Before,
}

/// What a session of a device rests on is as it was. Its name, what it can do and its configuration may change.
fn opens_as(now: &Device, seen: &Device) -> bool {
    now.state() == seen.state()
        && (now.unit, now.kind) == (seen.unit, seen.kind)
        && (&now.secret_hash, &now.old_secret) == (&seen.secret_hash, &seen.old_secret)
}

fn secret_shown(device: &Device, secret: &SecretString, now: DateTime<Utc>) -> Option<Secret> {
    let is = |kept: &str| {
        let kept = URL_SAFE_NO_PAD.decode(kept).unwrap_or_default();
        secret_matches(secret.expose_secret(), &kept)
    };
    if is(&device.secret_hash) {
        return Some(Secret::Newest);
    }
    let (hash, until) = device.old_secret.as_ref()?;
    (old_secret_counts(Some(*until), now) && is(hash)).then_some(Secret::Before)
}

/// Readers are not named: a log-in is no visit, and nothing later needs to know whose it was.
fn append_event(tx: &mut WriteTx<'_>, who: &Identity, mut ids: IdRun) -> Result<()> {
    let root = tx.network()?.units().root().map(|root| root.id);
    let unit = who
        .unit
        .map(UnitId::new)
        .or(root)
        .ok_or(UseCaseError::NotFound("unit"))?;
    let (channel, staff, device) = match who.aud {
        Audience::Staff => (Channel::Desk, Some(StaffId::new(who.sub)), None),
        Audience::Reader => (Channel::Portal, None, None),
        Audience::Device => (Channel::Kiosk, None, Some(DeviceId::new(who.sub))),
    };
    let event = Event::new(EventKind::LoggedIn, tx.now(), unit, channel.code()).by(staff, device);
    Ok(tx.append_event(ids.next(), &event)?)
}
