//! Another card takes the place of one that is lost, worn or expired. Kind, holder and issuer stay; loans, holds, debt and credit hang on
//! the reader and are not touched.

use std::sync::Arc;

use chrono::NaiveDate;

use super::card_view::CardOutcome;
use super::change_card::{decide, locked};
use super::issue_card::{Card, Told, insert, tell};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::barcode::CardNumber;
use crate::domain::card_life::CardAct;
use crate::domain::event::EventKind;
use crate::domain::ids::CardId;
use crate::domain::reader::{CardKind, CardStatus};
use crate::domain::resident_id;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ReplaceCard {
    pub card: CardId,
    pub number: Option<CardNumber>,
    /// That of the old card if absent.
    pub expires_on: Option<NaiveDate>,
    /// Kept in the erasable part of the event.
    pub reason: Option<String>,
}

/// Replaces a card.
///
/// # Errors
/// `State` where the card's life does not allow it; `Invalid` naming the wrong field; `NotFound`; `Forbidden`; a failure of the store.
pub async fn replace_card(
    store: &Arc<Store>,
    caller: &Caller,
    command: ReplaceCard,
    key: Option<IdempotencyKey>,
) -> Result<Once<CardOutcome>> {
    caller.require_somewhere(Right::ManageCards)?;
    once(store, caller, key, 2, command, apply).await
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &ReplaceCard, mut ids: IdRun) -> Result<CardOutcome> {
    let known = tx.card(command.card)?.ok_or(UseCaseError::NotFound("card"))?;
    if known.card_kind()?.is_of_person() {
        tx.lock_identities()?;
    }
    let (old, reader) = locked(tx, caller, command.card)?;
    let to = decide(tx, &old, &reader, CardAct::Replace)?;
    let kind = old.card_kind()?;
    let end = command.expires_on.or(old.last_day()?);
    check(command, kind, end, tx.network()?.local_day(tx.now()))?;
    let now = tx.now();
    tx.set_card_status(command.card, to, now)?;
    let card = Card {
        id: ids.next(),
        reader: old.reader(),
        kind,
        number: command.number.as_ref().map(CardNumber::as_str),
        expires_on: end,
        issuer: old.issuer.as_deref(),
        holder_name: old.holder_name.as_deref(),
    };
    insert(tx, &card)?;
    tx.set_card_successor(command.card, CardId::new(card.id))?;
    let told = Told {
        kind: EventKind::CardReplaced,
        card: old.id,
        what: kind,
        reason: command.reason.as_deref(),
    };
    tell(tx, caller, &reader, &told, ids.next())?;
    Ok(CardOutcome {
        card_id: card.id,
        reader_id: old.reader_id,
        kind: kind.code().to_owned(),
        status: CardStatus::Active.code().to_owned(),
        expires_on: end,
        replaces: Some(old.id),
    })
}

fn check(command: &ReplaceCard, kind: CardKind, end: Option<NaiveDate>, today: NaiveDate) -> Result<()> {
    let of_person = kind.is_of_person();
    let number = |reason: &str| Err(UseCaseError::field("number", reason));
    match &command.number {
        Some(_) if of_person => {
            return number("is left out: the card is found by the reader's ID number, which is never a card's number");
        }
        Some(given) if resident_id::stands_in(given.as_str()) => {
            return number("is a resident identity number, which is never a card's number");
        }
        None if kind.needs_number() => return number("is needed for this kind"),
        _ => {}
    }
    if end.is_some_and(|day| day < today) {
        let reason = "lies in the past; say until when the new card is good, as the old one has expired";
        return Err(UseCaseError::field("expires_on", reason));
    }
    Ok(())
}
