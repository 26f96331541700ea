//! Sends notices: puts a letter together when it is sent, and hands it to a port. One consumer of the outbox per channel. The
//! adapters stand in `delivery`.

use std::future::Future;
use std::sync::Arc;

use serde::Serialize;

use super::Result;
use super::deliver_outbox::{Consumer, Fault};
use super::notice_facts::{Facts, facts};
use super::reader_contacts::CONFIRM;
use super::send_code::code_to_send;
use crate::auth::DerivedSecrets;
use crate::domain::mail_address::MailAddress;
use crate::domain::notice::SendChannel;
use crate::letter::{Letter, builtin, render};
use crate::store::notices::contacts::ContactRow;
use crate::store::outbox::OutboxRow;
use crate::store::tx::{ReadTx, WriteTx};

/// A mail as it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The notice's number: what makes a second attempt the same mail.
    pub notice: i64,
    pub sending: i64,
    /// In the envelope, so that what comes back is known.
    pub bounce_mark: String,
    pub to: MailAddress,
    pub letter: Letter,
}

/// A short message as it leaves: for a gateway that sends SMS or WeChat messages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShortMessage {
    /// `sms` or `wechat`.
    pub channel: &'static str,
    /// The telephone number, or the number of the reader at WeChat.
    pub to: String,
    pub text: String,
    /// The kind of notice: gateways that take approved templates only choose by it.
    pub kind: &'static str,
    /// The values for such a template.
    pub values: serde_json::Value,
}

/// How an attempt ended that was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Whoever it was handed to answers for it now.
    Taken,
    /// There is no such address: what they said, such as `5.1.1`.
    NoSuchAddress(String),
}

/// Somebody who sends mail. The same notice sent again is one mail to its reader.
pub trait Mailer: Send + Sync + 'static {
    /// Sends a mail, in bounded time.
    fn send(&self, mail: Mail) -> impl Future<Output = std::result::Result<Sent, Fault>> + Send;

    /// Mails it takes side by side.
    fn at_once(&self) -> usize;

    /// False while it does not answer.
    fn is_ready(&self) -> bool;
}

/// Somebody who sends short messages. The same key sent again is one message.
pub trait Messenger: Send + Sync + 'static {
    /// Sends a message, in bounded time.
    fn send(&self, key: &str, message: ShortMessage) -> impl Future<Output = std::result::Result<Sent, Fault>> + Send;

    /// False while it does not answer.
    fn is_ready(&self) -> bool;
}

/// What the consumers of all channels need.
#[derive(Debug, Clone)]
pub struct Desk {
    pub secrets: DerivedSecrets,
    /// Where readers look for more; put into letters.
    pub portal_url: Option<String>,
}

/// What is read for one sending.
#[derive(Debug, Clone)]
pub struct ToSend {
    sending: i64,
    facts: Facts,
    /// Or why it cannot be used now.
    address: std::result::Result<String, String>,
    /// Since when the reader has it: what is said of it is not said of the next one.
    address_since: i64,
}

/// What became of a sending, and of which address that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    sent: Sent,
    address_since: i64,
}

/// Reads it; `None` when there is nothing to send, or nowhere.
fn to_send(tx: &mut ReadTx<'_>, row: &OutboxRow, channel: SendChannel) -> Result<Option<ToSend>> {
    let Some(notice) = tx.notice(row.subject_id)? else {
        let to_stranger = code_to_send(tx, row.subject_id, channel)?;
        return Ok(to_stranger.map(|code| ToSend {
            sending: row.id,
            facts: code.facts,
            address: Ok(code.address),
            address_since: 0,
        }));
    };
    let Some(facts) = facts(tx, &notice)? else {
        return Ok(None);
    };
    let contact = tx.contact(notice.reader, channel)?;
    // The code that proves an address goes to the one that waits for it; any other code only to one that is proved.
    let code = match facts.code {
        Some(id) => tx.one_time_code(id)?,
        None => None,
    };
    let proves = code.is_some_and(|code| code.purpose == CONFIRM);
    let contact = if proves {
        contact.map(ContactRow::with_next)
    } else {
        contact
    };
    let Some(contact) = contact.filter(|contact| proves || contact.failing_since.is_none()) else {
        return Ok(None);
    };
    // All else waits until the address is confirmed.
    let address = if proves || contact.is_good() {
        tx.open_contact(&contact).map_err(|error| error.to_string())
    } else {
        Err("the address is not confirmed yet".to_owned())
    };
    Ok(Some(ToSend {
        sending: row.id,
        facts,
        address,
        address_since: contact.changed_at,
    }))
}

/// Lines join no longer.
fn claimed(tx: &mut WriteTx<'_>, row: &OutboxRow) -> Result<()> {
    Ok(tx.close_notices(&[row.subject_id])?)
}

/// Keeps how it ended.
fn settle(tx: &mut WriteTx<'_>, row: &OutboxRow, channel: SendChannel, ended: &Ended) -> Result<()> {
    let notice = tx.notice(row.subject_id)?;
    match &ended.sent {
        Sent::Taken => tx.note_sent(row.id, ended.address_since)?,
        Sent::NoSuchAddress(status) => {
            let first = tx.note_bounced(row.id, status)?;
            if let Some(notice) = notice.filter(|_| first) {
                tx.note_notice_failed(&notice, channel, ended.address_since, true)?;
            }
        }
    }
    Ok(())
}

impl Desk {
    /// The letter and the address. A unit's own template that does not render with these values is passed over: the reader is told in
    /// the program's words.
    fn letter(&self, mut from: ToSend) -> std::result::Result<(ToSend, Letter, String), Fault> {
        let portal = self.portal_url.clone().unwrap_or_default();
        from.facts.values["portal_url"] = portal.into();
        if let Some(code) = from.facts.code {
            from.facts.values["lines"][0]["code"] = self.secrets.code(code).into();
        }
        let facts = &from.facts;
        let usual = || render(builtin(facts.kind, facts.language), &facts.values);
        let letter = match &facts.own {
            Some(own) => render(own, &facts.values).or_else(|fault| {
                let (notice, part, fault) = (facts.notice, fault.part.code(), fault.told());
                tracing::error!(
                    notice,
                    part,
                    fault,
                    "a unit's own template does not render: the program's is sent"
                );
                usual()
            }),
            None => usual(),
        };
        let letter = letter
            .map_err(|fault| Fault::Later(format!("the {} does not render: {}", fault.part.code(), fault.told())))?;
        let address = from.address.clone().map_err(Fault::Later)?;
        Ok((from, letter, address))
    }
}

/// Sends what waits for mail.
#[derive(Debug)]
pub struct SendMail<M> {
    pub desk: Desk,
    pub mailer: Arc<M>,
}

impl<M: Mailer> Consumer for SendMail<M> {
    const NAME: &'static str = SendChannel::Mail.code();
    const ROWS_PER_LOOK: i64 = 256;
    const LAPSES: bool = true;
    type Message = ToSend;
    type Receipt = Ended;

    fn at_once(&self) -> usize {
        self.mailer.at_once()
    }

    fn is_ready(&self) -> bool {
        self.mailer.is_ready()
    }

    fn claimed(tx: &mut WriteTx<'_>, row: &OutboxRow) -> Result<()> {
        claimed(tx, row)
    }

    fn prepare(tx: &mut ReadTx<'_>, row: &OutboxRow) -> Result<Option<ToSend>> {
        to_send(tx, row, SendChannel::Mail)
    }

    async fn send(&self, _key: &str, message: ToSend) -> std::result::Result<Ended, Fault> {
        let address_since = message.address_since;
        let (from, letter, address) = self.desk.letter(message)?;
        // Looked at again: whatever stands in the database, no header and no second recipient comes of it.
        let to = MailAddress::parse(&address).map_err(|reason| Fault::Never(format!("the address {reason}")))?;
        let mail = Mail {
            notice: from.facts.notice,
            sending: from.sending,
            bounce_mark: self.desk.secrets.bounce_mark(from.sending),
            to,
            letter,
        };
        let sent = self.mailer.send(mail).await?;
        Ok(Ended { sent, address_since })
    }

    fn settle(tx: &mut WriteTx<'_>, row: &OutboxRow, receipt: &Ended) -> Result<()> {
        settle(tx, row, SendChannel::Mail, receipt)
    }
}

/// Sends what waits for SMS.
#[derive(Debug)]
pub struct SendSms<M> {
    pub desk: Desk,
    pub messenger: Arc<M>,
}

/// Sends what waits for WeChat.
#[derive(Debug)]
pub struct SendWechat<M> {
    pub desk: Desk,
    pub messenger: Arc<M>,
}

macro_rules! sends_short_messages {
    ($($consumer:ident = $channel:expr),* $(,)?) => {$(
        impl<M: Messenger> Consumer for $consumer<M> {
            const NAME: &'static str = $channel.code();
            const ROWS_PER_LOOK: i64 = 64;
            const AT_ONCE: usize = 8;
            const LAPSES: bool = true;
            type Message = ToSend;
            type Receipt = Ended;

            fn is_ready(&self) -> bool {
                self.messenger.is_ready()
            }

            fn claimed(tx: &mut WriteTx<'_>, row: &OutboxRow) -> Result<()> {
                claimed(tx, row)
            }

            fn prepare(tx: &mut ReadTx<'_>, row: &OutboxRow) -> Result<Option<ToSend>> {
                to_send(tx, row, $channel)
            }

            async fn send(&self, key: &str, message: ToSend) -> std::result::Result<Ended, Fault> {
                let address_since = message.address_since;
                let (from, letter, to) = self.desk.letter(message)?;
                let message = ShortMessage {
                    channel: $channel.code(),
                    to,
                    text: letter.text,
                    kind: from.facts.kind.code(),
                    values: from.facts.values,
                };
                let sent = self.messenger.send(key, message).await?;
                Ok(Ended { sent, address_since })
            }

            fn settle(tx: &mut WriteTx<'_>, row: &OutboxRow, receipt: &Ended) -> Result<()> {
                settle(tx, row, $channel, receipt)
            }
        }
    )*};
}

sends_short_messages!(SendSms = SendChannel::Sms, SendWechat = SendChannel::Wechat);
