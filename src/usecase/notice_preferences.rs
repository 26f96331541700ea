//! What a reader wishes to be told, by which channels, in which language, and when not.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::issue_card::open_reader;
use super::named::Wrong;
use super::once::once;
use super::session::require_standing;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::domain::event::EventKind;
use crate::domain::ids::{ReaderId, UnitId};
use crate::domain::notice::{Language, NoticeKind, SendChannel, WishFault, Wishes};
use crate::domain::notice_time::Quiet;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// The channels of one kind of notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KindChannels {
    /// The kind of notice.
    #[schema(example = "due_soon")]
    pub kind: String,
    /// `mail`, `sms`, `wechat`; none: it is not sent, where it may be declined.
    #[schema(example = json!(["mail"]))]
    pub channels: Vec<String>,
}

/// What a reader wishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticePreferencesView {
    /// `zh-CN` or `en`.
    #[schema(example = "zh-CN")]
    pub language: String,
    /// From when on notices wait, as HH:MM of the network's day. The same as `quiet_until`: never.
    #[schema(example = "21:00")]
    pub quiet_from: String,
    /// Until when they wait.
    #[schema(example = "08:00")]
    pub quiet_until: String,
    /// What is of one kind is gathered in one notice.
    #[schema(example = true)]
    pub gathers: bool,
    /// Every kind that can be chosen, with its channels.
    pub kinds: Vec<KindChannels>,
    /// Grows with every change; 0: nothing was ever said.
    #[schema(example = 1)]
    pub version: i64,
}

impl Outcome for NoticePreferencesView {}

/// What is asked for: what is left out stays.
#[derive(Debug, Clone, Default)]
pub struct ChangePreferences {
    pub language: Option<String>,
    pub quiet_from: Option<String>,
    pub quiet_until: Option<String>,
    pub gathers: Option<bool>,
    pub kinds: Vec<KindChannels>,
    /// The version the change was made from, if the caller says it.
    pub seen: Option<i64>,
}

/// What the calling reader wishes.
///
/// # Errors
/// `Forbidden` for anybody but a reader; a failure of the store.
pub async fn get_my_preferences(store: &Arc<Store>, caller: &Caller) -> Result<NoticePreferencesView> {
    let reader = caller.reader().ok_or(UseCaseError::Forbidden)?;
    store.read(move |tx| view(tx, reader)).await
}

/// Changes what the calling reader wishes.
///
/// # Errors
/// `Forbidden` for anybody but a reader; `Unauthenticated` when the session was ended; `Stale`; `Invalid` naming every wrong field; a failure of the store.
pub async fn update_my_preferences(
    store: &Arc<Store>,
    caller: &Caller,
    command: ChangePreferences,
    key: Option<IdempotencyKey>,
) -> Result<Once<NoticePreferencesView>> {
    caller.reader().ok_or(UseCaseError::Forbidden)?;
    once(store, caller, key, 1, command, apply).await
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    command: &ChangePreferences,
    mut ids: IdRun,
) -> Result<NoticePreferencesView> {
    require_standing(tx, caller)?;
    let reader = caller.reader().ok_or(UseCaseError::Forbidden)?;
    tx.lock_readers(&[reader])?;
    let home = UnitId::new(open_reader(tx, reader)?.home_unit_id);
    let (mut wishes, version) = tx.wishes_of(reader)?;
    if command.seen.is_some_and(|seen| seen != version) {
        return Err(UseCaseError::Stale(version));
    }
    change(&mut wishes, command)?;
    tx.set_wishes(reader, &wishes, version + 1)?;
    let mut event = Event::new(EventKind::ReaderChanged, tx.now(), home, caller.own_channel())
        .detail(json!({"changed": "notice_preferences"}));
    event.reader = Some(reader);
    tx.append_event(ids.next(), &event)?;
    view(tx, reader)
}

/// Puts what is asked for into what is wished.
fn change(wishes: &mut Wishes, command: &ChangePreferences) -> Result<()> {
    let mut wrong = Wrong::default();
    if let Some(language) = &command.language {
        match Language::from_code(language) {
            Some(language) => wishes.language = language,
            None => wrong.say("language", "must be zh-CN or en"),
        }
    }
    for (field, said) in [
        ("quiet_from", &command.quiet_from),
        ("quiet_until", &command.quiet_until),
    ] {
        let Some(said) = said else { continue };
        match (minute(said), field) {
            (Some(minute), "quiet_from") => wishes.quiet.from = minute,
            (Some(minute), _) => wishes.quiet.until = minute,
            (None, _) => wrong.say(field, "must be a time of day such as 21:00"),
        }
    }
    wishes.gathers = command.gathers.unwrap_or(wishes.gathers);
    for (at, said) in command.kinds.iter().enumerate() {
        if let Err(reason) = choose(wishes, said, &command.kinds[..at]) {
            wrong.say(format!("kinds[{at}]"), reason);
        }
    }
    wrong.check()
}

/// Chooses the channels of one kind.
fn choose(wishes: &mut Wishes, said: &KindChannels, before: &[KindChannels]) -> std::result::Result<(), String> {
    let kind = NoticeKind::from_code(&said.kind).ok_or("its kind is none there is: see getMyPreferences")?;
    if before.iter().any(|other| other.kind == said.kind) {
        return Err("its kind is said twice".to_owned());
    }
    let channels: Option<Vec<SendChannel>> = said.channels.iter().map(|code| SendChannel::from_code(code)).collect();
    let channels = channels.ok_or("its channels must be of mail, sms and wechat")?;
    wishes.channels.retain(|(other, _)| *other != kind);
    wishes.channels.push((kind, channels));
    wishes.check().map_err(|fault| match fault {
        WishFault::NotDeclined(kind) => format!("{} is told in any case: name at least one channel", kind.code()),
        WishFault::NotChosen(kind) => format!("{} goes where it was asked for", kind.code()),
        WishFault::Twice(kind) => format!("{} is said twice", kind.code()),
    })
}

fn view(tx: &mut ReadTx<'_>, reader: ReaderId) -> Result<NoticePreferencesView> {
    let (wishes, version) = tx.wishes_of(reader)?;
    let kinds = NoticeKind::ALL.iter().filter(|kind| !kind.is_urgent());
    let channels = |kind: &NoticeKind| KindChannels {
        kind: kind.code().to_owned(),
        channels: wishes
            .channels_of(*kind, SendChannel::ALL)
            .into_iter()
            .map(|channel| channel.code().to_owned())
            .collect(),
    };
    let Quiet { from, until } = wishes.quiet;
    Ok(NoticePreferencesView {
        language: wishes.language.code().to_owned(),
        quiet_from: clock_time(from),
        quiet_until: clock_time(until),
        gathers: wishes.gathers,
        kinds: kinds.map(channels).collect(),
        version,
    })
}

fn clock_time(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// The minute of the day of `HH:MM`.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two =
        |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<u16>().ok());
    let (hours, minutes) = (two(hours)??, two(minutes)??);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_of_a_day_are_read() {
        assert_eq!((minute("00:00"), minute("23:59")), (Some(0), Some(1_439)));
        for text in ["24:00", "8:00", "08:60", "+8:00", "0800", "", "08:0a"] {
            assert_eq!(minute(text), None, "{text}");
        }
    }
}
