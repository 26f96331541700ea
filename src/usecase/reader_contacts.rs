//! Where a reader is reached: entered at a desk, or by the reader, who proves it by a code. Addresses are kept sealed and shown in
//! part only; an event says that one changed, not what it is.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::get_reader::only_itself;
use super::issue_card::open_reader;
use super::once::{About, once};
use super::session::require_standing;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::one_time::{CODE_ATTEMPTS, CODE_MINUTES};
use crate::auth::{DerivedSecrets, Right};
use crate::clock::from_millis;
use crate::domain::delivery::Phone;
use crate::domain::event::EventKind;
use crate::domain::ids::{ReaderId, UnitId};
use crate::domain::mail_address::MailAddress;
use crate::domain::notice::{NoticeKind, SendChannel};
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::notices::contacts::ContactRow;
use crate::store::notices::letters::CodeRow;
use crate::store::notices::{Line, Notice};
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Codes for one reader within an hour.
const CODES_AN_HOUR: i64 = 5;
/// What a code for an address is for.
pub(super) const CONFIRM: &str = "confirm_contact";
/// Ids that a code needs: its own, the notice's, the sending's.
pub(super) const CODE_IDS: i64 = 3;
const WECHAT_CHARS: usize = 64;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SetContact {
    pub reader: ReaderId,
    pub channel: SendChannel,
    /// `None`: it is taken away.
    pub address: Option<String>,
}

/// An address of a reader, in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContactView {
    /// `mail`, `sms` or `wechat`.
    #[schema(example = "mail")]
    pub channel: String,
    /// Enough to recognise it by; absent: there is none.
    #[schema(example = "l***@example.org")]
    pub shown: Option<String>,
    /// Notices go there: it was entered at a desk, or proved by a code.
    #[schema(example = true)]
    pub confirmed: bool,
    /// The address that takes its place once the code that was sent there is given.
    #[schema(example = "w***@example.org")]
    #[serde(default)]
    pub unproved: Option<String>,
    /// Since when what is sent there comes back (UTC); nothing is sent until it is changed.
    #[schema(example = "2026-03-04T08:15:00Z")]
    pub failing_since: Option<DateTime<Utc>>,
}

impl ContactView {
    fn of(channel: SendChannel, row: Option<&ContactRow>) -> Self {
        Self {
            channel: channel.code().to_owned(),
            shown: row.map(|row| row.shown.clone()),
            confirmed: row.is_some_and(|row| row.confirmed_at.is_some()),
            unproved: row.and_then(|row| row.next_shown.clone()),
            failing_since: row.and_then(|row| row.failing_since).map(from_millis),
        }
    }
}

/// Where a reader is reached.
///
/// # Errors
/// `NotFound`, also for a reader who asks for somebody else; `Forbidden`; a failure of the store.
pub async fn list_reader_contacts(store: &Arc<Store>, caller: &Caller, reader: ReaderId) -> Result<Vec<ContactView>> {
    may(caller, reader)?;
    store
        .read(move |tx| {
            tx.home_of_reader(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
            let rows = tx.contacts_of(reader)?;
            let of = |channel: &SendChannel| {
                let row = rows.iter().find(|row| row.channel == channel.code());
                ContactView::of(*channel, row)
            };
            Ok(SendChannel::ALL.iter().map(of).collect())
        })
        .await
}

/// Says where a reader is reached by a channel. What a reader says must be proved by the code that is sent there.
///
/// # Errors
/// `NotFound`, also for a reader who speaks of somebody else; `Forbidden`; `Unauthenticated` for a reader whose session was ended;
/// `Invalid` for what is no address; `State` when too many codes were sent, or for a reader who was merged; a failure of the store.
pub async fn set_reader_contact(
    store: &Arc<Store>,
    caller: &Caller,
    command: SetContact,
    key: Option<IdempotencyKey>,
) -> Result<Once<ContactView>> {
    may(caller, command.reader)?;
    let reader = command.reader;
    let work = move |tx: &mut WriteTx<'_>, who: &Caller, command: &SetContact, ids| {
        apply(tx, who, command, ids).map(|view| About::reader(reader, view))
    };
    let said = once(store, caller, key, 1 + CODE_IDS, command, work).await?;
    Ok(About::alone(said))
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ConfirmContact {
    pub channel: SendChannel,
    pub code: String,
    pub secrets: DerivedSecrets,
}

/// How an attempt ended: a wrong one counts, so it is kept like a right one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Attempt {
    confirmed: Option<ContactView>,
}

impl Outcome for Attempt {}

/// Proves an address with the code that was sent there.
///
/// # Errors
/// `Forbidden` for anybody but a reader; `Invalid` for a code that is wrong, too old, or was tried too often; a failure of the
/// store.
pub async fn confirm_my_contact(
    store: &Arc<Store>,
    caller: &Caller,
    command: ConfirmContact,
    key: Option<IdempotencyKey>,
) -> Result<Once<ContactView>> {
    caller.reader().ok_or(UseCaseError::Forbidden)?;
    let tried = once(store, caller, key, 1, command, attempt).await?;
    let wrong =
        "is not the one that was sent last, or counts no longer: set the address again, and another one is sent";
    let value = tried
        .value
        .confirmed
        .ok_or_else(|| UseCaseError::field("code", wrong))?;
    Ok(Once {
        value,
        replayed: tried.replayed,
    })
}

fn attempt(tx: &mut WriteTx<'_>, caller: &Caller, command: &ConfirmContact, mut ids: IdRun) -> Result<Attempt> {
    require_standing(tx, caller)?;
    let reader = caller.reader().ok_or(UseCaseError::Forbidden)?;
    tx.lock_readers(&[reader])?;
    let home = UnitId::new(open_reader(tx, reader)?.home_unit_id);
    let channel = command.channel;
    if !take_code(tx, reader, CONFIRM, channel, &command.code, &command.secrets)? {
        return Ok(Attempt { confirmed: None });
    }
    tx.confirm_contact(reader, channel)?;
    let row = tx.contact(reader, channel)?;
    let detail = json!({"changed": "contact", "channel": channel.code(), "confirmed": true});
    append(tx, caller, reader, home, detail, ids.next())?;
    Ok(Attempt {
        confirmed: Some(ContactView::of(channel, row.as_ref())),
    })
}

fn append(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    reader: ReaderId,
    home: UnitId,
    detail: serde_json::Value,
    id: i64,
) -> Result<()> {
    let mut event = Event::new(EventKind::ReaderChanged, tx.now(), home, caller.own_channel())
        .by(caller.staff(), caller.device())
        .detail(detail);
    event.reader = Some(reader);
    Ok(tx.append_event(id, &event)?)
}

fn may(caller: &Caller, reader: ReaderId) -> Result<()> {
    only_itself(caller, reader)?;
    if caller.reader().is_some() || caller.may_somewhere(Right::RegisterReader) {
        return Ok(());
    }
    Err(UseCaseError::Forbidden)
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &SetContact, mut ids: IdRun) -> Result<ContactView> {
    let (reader, channel) = (command.reader, command.channel);
    require_standing(tx, caller)?;
    tx.lock_readers(&[reader])?;
    let home = UnitId::new(open_reader(tx, reader)?.home_unit_id);
    let row = match &command.address {
        Some(text) => Some(row(tx, caller, command, text)?),
        None => None,
    };
    let unproved = row.as_ref().is_some_and(|row| row.confirmed_at.is_none());
    // Notices go on to where they go until the new address is proved.
    let row = match tx.contact(reader, channel)? {
        Some(good) if unproved && good.is_good() => Some(good.waiting_for(row)),
        _ => row,
    };
    tx.set_contact(reader, channel, row.as_ref())?;
    if unproved {
        send_code(tx, &mut ids, reader, CONFIRM, channel)?;
    }
    let detail = json!({"changed": "contact", "channel": channel.code(), "removed": row.is_none()});
    append(tx, caller, reader, home, detail, ids.next())?;
    Ok(ContactView::of(channel, row.as_ref()))
}

fn row(tx: &WriteTx<'_>, caller: &Caller, command: &SetContact, text: &str) -> Result<ContactRow> {
    let row = proved_row(tx, command.reader, command.channel, text)?;
    Ok(ContactRow {
        confirmed_at: row.confirmed_at.filter(|_| caller.reader().is_none()),
        ..row
    })
}

/// An address that is known to be the reader's.
///
/// # Errors
/// `Invalid` for what is no address; a failure of the store.
pub(super) fn proved_row(tx: &WriteTx<'_>, reader: ReaderId, channel: SendChannel, text: &str) -> Result<ContactRow> {
    let now = tx.now();
    let (address, shown) = read_address(channel, text).map_err(|reason| UseCaseError::field("address", reason))?;
    let (key_id, sealed) = tx.seal_contact(reader, channel.code(), &address, now)?;
    let now = now.timestamp_millis();
    Ok(ContactRow {
        reader_id: reader.get(),
        channel: channel.code().to_owned(),
        key_id,
        sealed,
        shown,
        confirmed_at: Some(now),
        soft_bounces: 0,
        failing_since: None,
        changed_at: now,
        next_key_id: None,
        next_sealed: None,
        next_shown: None,
    })
}

/// The address in its one form, and what is shown of it.
pub(super) fn read_address(channel: SendChannel, text: &str) -> std::result::Result<(String, String), String> {
    match channel {
        SendChannel::Mail => {
            let address = MailAddress::parse(text)?;
            Ok((address.as_str().to_owned(), address.shown()))
        }
        SendChannel::Sms => {
            let phone = Phone::parse(text).map_err(|reason| reason.to_string())?;
            Ok((phone.as_str().to_owned(), ending(phone.as_str())))
        }
        SendChannel::Wechat => {
            let text = text.trim();
            let fits = (1..=WECHAT_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
            if !fits {
                return Err(format!(
                    "must be 1 to {WECHAT_CHARS} visible ASCII characters: the number of the reader at WeChat"
                ));
            }
            Ok((text.to_owned(), ending(text)))
        }
    }
}

/// The last four characters.
fn ending(text: &str) -> String {
    let skipped = text.chars().count().saturating_sub(4);
    let end: String = text.chars().skip(skipped).collect();
    format!("***{end}")
}

/// Makes a code for a purpose and sends it by a channel, in this transaction: the one before counts no longer.
///
/// # Errors
/// `State` when too many were sent; a failure of the store.
pub(super) fn send_code(
    tx: &mut WriteTx<'_>,
    ids: &mut IdRun,
    reader: ReaderId,
    purpose: &str,
    channel: SendChannel,
) -> Result<()> {
    let now = tx.now();
    let since = now - TimeDelta::hours(1);
    if tx.codes_since(reader, since.timestamp_millis())? >= CODES_AN_HOUR {
        let reason = format!("{CODES_AN_HOUR} codes were sent within an hour: try again later");
        return Err(UseCaseError::State(reason));
    }
    let unit = tx.home_of_reader(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    let code = CodeRow {
        id: ids.next(),
        reader_id: reader.get(),
        purpose: purpose.to_owned(),
        channel: channel.code().to_owned(),
        made_at: now.timestamp_millis(),
        expires_at: (now + TimeDelta::minutes(CODE_MINUTES)).timestamp_millis(),
        attempts: 0,
        ended_at: None,
    };
    tx.insert_code(&code)?;
    let made = Notice {
        id: ids.next(),
        reader,
        kind: NoticeKind::VerificationCode,
        unit,
        made_at: code.made_at,
        send_at: code.made_at,
    };
    tx.insert_notice(&made, false)?;
    let line = Line {
        subject: code.id,
        occasion: code.made_at,
    };
    tx.insert_notice_line(made.id, made.kind, line)?;
    Ok(tx.insert_sending(ids.next(), &made, channel)?)
}

/// Tries a code; a right one counts no more. The caller commits also when it is wrong, so that the attempt counts.
///
/// # Errors
/// A failure of the store.
pub(super) fn take_code(
    tx: &mut WriteTx<'_>,
    reader: ReaderId,
    purpose: &str,
    channel: SendChannel,
    given: &str,
    secrets: &DerivedSecrets,
) -> Result<bool> {
    let Some(code) = tx.try_code(reader, purpose, channel.code())? else {
        return Ok(false);
    };
    let in_time = tx.now().timestamp_millis() < code.expires_at && code.attempts <= CODE_ATTEMPTS;
    let right = in_time && secrets.is_code(code.id, given.trim());
    if right || !in_time {
        tx.end_code(code.id)?;
    }
    Ok(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_form_and_are_shown_in_part() {
        let mail = read_address(SendChannel::Mail, " Li@Example.org ").expect("an address");
        assert_eq!(mail, ("Li@example.org".to_owned(), "L***@example.org".to_owned()));
        let phone = read_address(SendChannel::Sms, "13800138000").expect("a number");
        assert_eq!(phone, ("+8613800138000".to_owned(), "***8000".to_owned()));
        assert!(read_address(SendChannel::Mail, "li@example.org\nBcc: a@b.cn").is_err());
        assert!(
            read_address(SendChannel::Wechat, "o6_bm 1").is_err()
                && read_address(SendChannel::Wechat, "o6_bm1").is_ok()
        );
    }
}
