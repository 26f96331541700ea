//! A reader identifies at a machine: by the code of an electronic card, or by a card or ID card and the PIN. One at a time per screen.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acting_device::{ActingDevice, acting_device};
use super::card_session::{self, CardShown, spend};
use super::log_in_attempt::{Attempt, reader_account};
use super::once::{About, once};
use super::report_compartment::settings;
use super::session::SessionTools;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::{Audience, Right};
use crate::domain::barcode::CardNumber;
use crate::domain::compartment_life::CompartmentState;
use crate::domain::device::{Capability, DeviceKind};
use crate::domain::event::EventKind;
use crate::domain::ids::{LockerSessionId, ReaderId};
use crate::domain::locker_session::{AT_MOST, IDLE, Session, SessionEnd, Start, start};
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::lockers::sessions::LockerSession;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Ids of a start: the session, the event, and one for an attempt that failed.
const IDS: i64 = 2;

/// Who is there.
#[derive(Debug, Clone)]
pub enum Identified {
    /// What an electronic card shows.
    Code(CardShown),
    /// A card, or an ID card that is a credential, and the PIN.
    Pin(CardNumber, SecretString),
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct StartLockerSession {
    pub who: Identified,
    pub screen: u8,
}

/// What lies ready for the reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadyHere {
    #[schema(example = 2001)]
    pub hold_id: i64,
    /// The number on the door.
    #[schema(example = 7)]
    pub compartment: u16,
    #[schema(example = "0123456789")]
    pub item_barcode: String,
    #[schema(example = "活着")]
    pub title: String,
}

/// What anybody may borrow here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BorrowableHere {
    /// The number on the door.
    #[schema(example = 12)]
    pub compartment: u16,
    #[schema(example = "0123456790")]
    pub item_barcode: String,
    #[schema(example = "围城")]
    pub title: String,
}

/// A reader's session at a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockerSessionView {
    #[schema(example = 7001)]
    pub id: i64,
    /// Which screen of the machine.
    #[schema(example = 1)]
    pub screen: u8,
    /// When it began (UTC).
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub opened_at: DateTime<Utc>,
    /// When it ends without another act, unless a door is open (UTC).
    #[schema(example = "2026-03-04T08:16:00Z")]
    pub idle_at: DateTime<Utc>,
    /// When it ends in any case (UTC).
    #[schema(example = "2026-03-04T08:30:00Z")]
    pub ends_at: DateTime<Utc>,
    /// Why it is over, if it is: `ended`, `idle`, `too_long` or `device`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ended")]
    pub ended: Option<String>,
    /// What lies ready for the reader, by number.
    pub ready: Vec<ReadyHere>,
    /// What may be borrowed, by number; of browsing machines.
    pub to_borrow: Vec<BorrowableHere>,
}

impl Outcome for LockerSessionView {}

/// Opens a session, or goes on with that of the same reader.
///
/// # Errors
/// `Forbidden` for whoever is no machine with doors; `Refused` for a code that does not count; `Invalid` for a card or PIN that is wrong;
/// `TooManyLogIns`; `LockerInUse`; a failure of the store.
pub async fn start_locker_session(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    caller: &Caller,
    command: StartLockerSession,
    address: IpAddr,
    key: Option<IdempotencyKey>,
) -> Result<Once<LockerSessionView>> {
    caller.require_somewhere(Right::OperateDevice)?;
    let unit = caller.working_unit()?;
    let screen = command.screen;
    match command.who {
        Identified::Code(shown) => {
            let opened = once(store, caller, key, IDS, (shown.clone(), screen), by_code).await;
            if opened.as_ref().is_err_and(|error| error.may_spend()) {
                spend(store, caller, unit, &shown).await?;
            }
            Ok(About::alone(opened?))
        }
        Identified::Pin(number, pin) => {
            let (attempt, reader) = by_pin(store, tools, &number, pin, address).await?;
            let known = (attempt.clone(), reader, screen);
            let opened = once(
                store,
                caller,
                key,
                IDS,
                known,
                |tx, caller, (attempt, reader, screen), ids| {
                    attempt.succeeded(tx)?;
                    open(tx, caller, *reader, *screen, ids)
                },
            )
            .await;
            if opened.as_ref().map_or(true, |once| once.replayed) {
                let ids = store.take_ids::<UseCaseError>(1).await?;
                attempt.ended(store, &UseCaseError::Busy, ids).await?;
            }
            Ok(About::alone(opened?))
        }
    }
}

impl UseCaseError {
    /// Something was decided: the code was shown, whatever it was.
    fn may_spend(&self) -> bool {
        !matches!(self, Self::Store(_) | Self::Forbidden)
    }
}

fn by_code(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (shown, screen): &(CardShown, u8),
    ids: IdRun,
) -> Result<About<LockerSessionView>> {
    let network = tx.network()?;
    let unit = caller.working_unit()?;
    let number = card_session::card_number(tx, caller, unit, &network, shown)?;
    let reader = tx
        .reader_of_card(&number)?
        .ok_or_else(|| UseCaseError::field("card_token", "no reader holds this card"))?;
    open(tx, caller, reader, *screen, ids)
}

/// Holds the PIN against what is kept; a wrong one slows the next attempt, as every log-in.
async fn by_pin(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    number: &CardNumber,
    pin: SecretString,
    address: IpAddr,
) -> Result<(Attempt, ReaderId)> {
    let account = reader_account(store, number).await?;
    let attempt = Attempt::begin(store, tools, (Audience::Reader, &account), address).await?;
    let asked = number.clone();
    let record = store
        .read(move |tx| tx.pin_of_card(asked.as_str()).map_err(UseCaseError::from))
        .await?;
    let hash = record.as_ref().and_then(|record| record.pin_hash.clone());
    let genuine = tools.passwords.verify(pin, hash).await;
    let wrong = || UseCaseError::field("pin", "card and PIN do not belong together");
    let why = match genuine {
        Ok(true) => match record.filter(|record| record.usable) {
            Some(record) => return Ok((attempt, record.reader)),
            None => UseCaseError::Unauthenticated,
        },
        Ok(false) => UseCaseError::Unauthenticated,
        Err(error) => error.into(),
    };
    let ids = store.take_ids::<UseCaseError>(1).await?;
    attempt.ended(store, &why, ids).await?;
    match why {
        UseCaseError::Unauthenticated => Err(wrong()),
        other => Err(other),
    }
}

fn open(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    reader: ReaderId,
    screen: u8,
    mut ids: IdRun,
) -> Result<About<LockerSessionView>> {
    let device = acting_device(tx, caller, Some(Capability::DoorBank))?;
    let screens = settings(tx, &device)?.screens;
    if screen == 0 || screen > screens {
        return Err(UseCaseError::field("screen", format!("must be 1 to {screens}")));
    }
    // One start after the other at a machine.
    tx.lock_device(device.id)?;
    let now = tx.now();
    let known = tx.open_session_of(device.id, screen)?;
    let standing = match &known {
        Some(session) => standing(tx, session)?,
        None => None,
    };
    let session = match start(standing.as_ref(), reader, now) {
        Start::InUse { free_at } => {
            let wait = free_at.signed_duration_since(now).num_seconds().max(1);
            let wait_s = u32::try_from(wait).unwrap_or(u32::MAX);
            return Err(UseCaseError::LockerInUse { wait_s });
        }
        Start::Continues => {
            let session = known.ok_or(UseCaseError::NotFound("session"))?;
            tx.touch_locker_session(session.id, now)?;
            LockerSession {
                last_act_at: now,
                ..session
            }
        }
        Start::Opens { ends } => {
            if let Some(before) = known {
                tx.end_locker_session(before.id, ends.unwrap_or(SessionEnd::Device), now)?;
            }
            let session = LockerSession {
                id: LockerSessionId::new(ids.next()),
                device: device.id,
                screen,
                reader: Some(reader),
                opened_at: now,
                last_act_at: now,
                ended: None,
            };
            tx.insert_locker_session(&session)?;
            // As every log-in: nobody is named.
            let event = Event::new(EventKind::LoggedIn, now, device.unit, device.kind.channel().code());
            tx.append_event(ids.next(), &event.by(None, Some(device.id)))?;
            session
        }
    };
    Ok(About::reader(reader, view(tx, &device, &session)?))
}

/// The session as decisions see it; `None` for one of a reader who is gone.
pub(super) fn standing(tx: &mut WriteTx<'_>, session: &LockerSession) -> Result<Option<Session>> {
    let doors_open = tx.doors_open_in(session.id)?;
    Ok(session.reader.map(|reader| Session {
        reader,
        opened_at: session.opened_at,
        last_act_at: session.last_act_at,
        doors_open,
    }))
}

/// A reader's session that goes on, for an act in it. Locked; the act is noted.
///
/// # Errors
/// `NotFound`, also for another machine's; `LockerSessionEnded`.
pub(super) fn going_on(
    tx: &mut WriteTx<'_>,
    device: &ActingDevice,
    id: LockerSessionId,
) -> Result<(LockerSession, ReaderId)> {
    let unknown = || UseCaseError::NotFound("session");
    let session = tx
        .lock_locker_session(id)?
        .filter(|session| session.device == device.id)
        .ok_or_else(unknown)?;
    not_over(tx, &session)?;
    let reader = session.reader.ok_or_else(unknown)?;
    let now = tx.now();
    tx.touch_locker_session(id, now)?;
    Ok((session, reader))
}

/// That a session goes on, as far as one knows without its lock.
///
/// # Errors
/// `LockerSessionEnded`, with why.
pub(super) fn not_over(tx: &mut WriteTx<'_>, session: &LockerSession) -> Result<()> {
    let now = tx.now();
    let over = match session.ended {
        Some(how) => Some(how),
        None => standing(tx, session)?.and_then(|standing| standing.ended(now)),
    };
    over.map_or(Ok(()), |how| Err(UseCaseError::LockerSessionEnded(how)))
}

/// Ends a session.
///
/// # Errors
/// `NotFound`, also for another machine's; a failure of the store.
pub async fn end_locker_session(
    store: &Arc<Store>,
    caller: &Caller,
    session: LockerSessionId,
    key: Option<IdempotencyKey>,
) -> Result<Once<LockerSessionView>> {
    caller.require_somewhere(Right::OperateDevice)?;
    once(store, caller, key, 1, session, end).await
}

fn end(tx: &mut WriteTx<'_>, caller: &Caller, id: &LockerSessionId, _: IdRun) -> Result<LockerSessionView> {
    let device = acting_device(tx, caller, Some(Capability::DoorBank))?;
    let session = tx
        .lock_locker_session(*id)?
        .filter(|session| session.device == device.id)
        .ok_or(UseCaseError::NotFound("session"))?;
    let now = tx.now();
    let how = match session.ended {
        Some(how) => how,
        None => {
            tx.end_locker_session(session.id, SessionEnd::Ended, now)?;
            SessionEnd::Ended
        }
    };
    let ended = LockerSession {
        ended: Some(how),
        ..session
    };
    Ok(shown(&ended, Vec::new(), Vec::new()))
}

fn view(tx: &mut WriteTx<'_>, device: &ActingDevice, session: &LockerSession) -> Result<LockerSessionView> {
    let doors = tx.compartments_of(device.id)?;
    let (mut ready, mut to_borrow) = (Vec::new(), Vec::new());
    for content in tx.contents_of(device.id)? {
        let Some(door) = doors
            .iter()
            .find(|door| door.id.get() == content.compartment_id && door.state == CompartmentState::Occupied)
        else {
            continue;
        };
        let waits = session.reader.is_some_and(|reader| content.waits_for(reader));
        match content.hold_id.filter(|_| waits && content.status == "on_hold_shelf") {
            Some(hold_id) => ready.push(ReadyHere {
                hold_id,
                compartment: door.number,
                item_barcode: content.barcode,
                title: content.title,
            }),
            None if device.kind == DeviceKind::Kiosk && content.status == "on_shelf" => {
                to_borrow.push(BorrowableHere {
                    compartment: door.number,
                    item_barcode: content.barcode,
                    title: content.title,
                });
            }
            None => {}
        }
    }
    Ok(shown(session, ready, to_borrow))
}

fn shown(session: &LockerSession, ready: Vec<ReadyHere>, to_borrow: Vec<BorrowableHere>) -> LockerSessionView {
    LockerSessionView {
        id: session.id.get(),
        screen: session.screen,
        opened_at: session.opened_at,
        idle_at: session.last_act_at + IDLE,
        ends_at: session.opened_at + AT_MOST,
        ended: session.ended.map(|how| how.code().to_owned()),
        ready,
        to_borrow,
    }
}
