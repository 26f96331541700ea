//! The life of a card after its issue: reported lost, found again, handed out, given another end, cancelled.
//! Not for: another card in its place (see `replace_card`).

use std::sync::Arc;

use chrono::NaiveDate;

use super::card_view::CardOutcome;
use super::issue_card::{Told, open_reader, tell};
use super::once::once;
use super::session::require_standing;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::card_life::{self, CardAct, Facts};
use crate::domain::event::EventKind;
use crate::domain::ids::{CardId, ReaderId};
use crate::domain::reader::CardStatus;
use crate::store::ids::IdRun;
use crate::store::readers::ReaderView;
use crate::store::readers::card_rows::CardView;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store, StoreError};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ChangeCard {
    pub card: CardId,
    pub act: CardAct,
    /// Of a card that is handed out or given another end.
    pub expires_on: Option<NaiveDate>,
    /// Kept in the erasable part of the event.
    pub reason: Option<String>,
}

/// Does something to a card. Readers report their own as lost, and nothing else.
///
/// # Errors
/// `State` where the card's life does not allow it; `Invalid` for a day in the past; `NotFound`, for a reader also for another's
/// card; `Forbidden`; a failure of the store.
pub async fn change_card(
    store: &Arc<Store>,
    caller: &Caller,
    command: ChangeCard,
    key: Option<IdempotencyKey>,
) -> Result<Once<CardOutcome>> {
    caller.require_somewhere(right(command.act))?;
    once(store, caller, key, 1, command, apply).await
}

const fn right(act: CardAct) -> Right {
    match act {
        CardAct::ReportLost => Right::ReportCardLost,
        _ => Right::ManageCards,
    }
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, command: &ChangeCard, mut ids: IdRun) -> Result<CardOutcome> {
    require_standing(tx, caller)?;
    let (card, reader) = locked(tx, caller, command.card)?;
    let to = decide(tx, &card, &reader, command.act)?;
    let today = tx.network()?.local_day(tx.now());
    let end = match command.act {
        CardAct::Approve | CardAct::Renew => command.expires_on,
        _ => card.last_day()?,
    };
    // What is good again must be good today.
    if to == CardStatus::Active && end.is_some_and(|day| day < today) {
        let reason = "lies in the past: the card would not be good for a day";
        return Err(match command.expires_on {
            Some(_) => UseCaseError::field("expires_on", reason),
            None => UseCaseError::State("the card has expired meanwhile: replace it".to_owned()),
        });
    }
    tx.set_card_status(command.card, to, tx.now())?;
    tx.set_card_end(command.card, end)?;
    let kind = card.card_kind()?;
    let told = Told {
        kind: event_kind(command.act),
        card: card.id,
        what: kind,
        reason: command.reason.as_deref(),
    };
    tell(tx, caller, &reader, &told, ids.next())?;
    Ok(CardOutcome {
        card_id: card.id,
        reader_id: card.reader_id,
        kind: card.kind,
        status: to.code().to_owned(),
        expires_on: end,
        replaces: None,
    })
}

/// The card under the lock of its reader. Another reader's card is not there for a reader.
pub(super) fn locked(tx: &mut WriteTx<'_>, caller: &Caller, id: CardId) -> Result<(CardView, ReaderView)> {
    let unknown = || UseCaseError::NotFound("card");
    let before = tx.card(id)?.ok_or_else(unknown)?;
    if caller.reader().is_some_and(|own| own != before.reader()) {
        return Err(unknown());
    }
    tx.lock_readers(&[before.reader()])?;
    let card = tx.card(id)?.ok_or_else(unknown)?;
    if card.reader_id != before.reader_id {
        // Its reader was merged meanwhile.
        return Err(StoreError::Retry(diesel::result::Error::RollbackTransaction).into());
    }
    let reader = open_reader(tx, card.reader())?;
    Ok((card, reader))
}

/// What the card is after an act.
pub(super) fn decide(tx: &mut WriteTx<'_>, card: &CardView, reader: &ReaderView, act: CardAct) -> Result<CardStatus> {
    let today = tx.network()?.local_day(tx.now());
    let others = tx.cards_of(card.reader())?;
    let others = others
        .iter()
        .filter(|other| other.id != card.id && other.is_usable(today));
    let facts = Facts {
        status: card.state()?,
        others: others.count(),
        open_loans: tx.open_loans_of(ReaderId::new(reader.id))?.len(),
        open_holds: u32::try_from(reader.open_holds).unwrap_or(0),
        debt_fen: reader.debt_fen,
    };
    card_life::decide(&facts, act).map_err(|obstacle| UseCaseError::State(obstacle.to_string()))
}

const fn event_kind(act: CardAct) -> EventKind {
    match act {
        CardAct::Approve => EventKind::CardIssued,
        CardAct::ReportLost => EventKind::CardLost,
        CardAct::ReportFound => EventKind::CardFound,
        CardAct::Renew => EventKind::CardRenewed,
        CardAct::Replace => EventKind::CardReplaced,
        CardAct::Expire => EventKind::CardExpired,
        CardAct::Cancel => EventKind::CardCancelled,
    }
}
