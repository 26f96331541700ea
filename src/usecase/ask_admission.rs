//! A reader asks to borrow without a deposit, agrees that the provider is asked, and may take it back.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;

use super::admission_view::{AdmissionView, admission_of, tell};
use super::ask_provider::{ADMISSION, SETTLE, call_key, farewell_key};
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::clock::from_millis;
use crate::domain::admission::{AdmissionState, AdmittedBy};
use crate::domain::entry_gate::{Gate, still_closed};
use crate::domain::event::EventKind;
use crate::domain::ids::ReaderId;
use crate::domain::network::Network;
use crate::store::admissions::{AdmissionRow, Newcomer};
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// After a refusal a reader may ask again in so many days.
const REFUSED_REST_DAYS: i64 = 7;
/// What was not decided after so many days comes to nothing when the reader asks again.
const STALE_DAYS: i64 = 7;
/// An old request's end, a request, a row of the outbox, an event.
const IDS: i64 = 5;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct AskAdmission {
    /// The provider that is set up here.
    pub provider: Option<String>,
    /// A fresh key for the order: random, nobody guesses it.
    pub order_key: String,
}

/// A key for an order: 128 random bits.
///
/// # Errors
/// `Internal` without randomness.
pub fn new_key() -> Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| UseCaseError::Internal(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Begins to ask the provider. What is asked already goes on; a provider that was given up is tried again.
///
/// # Errors
/// `State` where a desk has to help, or the provider has just said no; `Forbidden`; a failure of the store.
pub async fn ask_admission(
    store: &Arc<Store>,
    caller: &Caller,
    command: AskAdmission,
    key: Option<IdempotencyKey>,
) -> Result<Once<AdmissionView>> {
    caller.require_somewhere(Right::AppealCredit)?;
    once(store, caller, key, IDS, command, ask).await
}

fn ask(tx: &mut WriteTx<'_>, caller: &Caller, command: &AskAdmission, mut ids: IdRun) -> Result<AdmissionView> {
    let (network, newcomer) = at_the_gate(tx, caller)?;
    let Some(provider) = provider_of(&network, &newcomer, command.provider.as_deref())? else {
        return admission_of(tx, &network, newcomer.reader);
    };
    let known = tx.admission_of(newcomer.reader)?;
    if let Some(open) = known.as_ref().filter(|row| row.decided_at.is_none()) {
        if tx.now() - from_millis(open.asked_at) < TimeDelta::days(STALE_DAYS) {
            try_again(tx, open)?;
            return admission_of(tx, &network, newcomer.reader);
        }
        close(tx, open, ids.next())?;
    }
    let refused = known.filter(|row| row.state == AdmissionState::Refused.code());
    let again_from = refused.and_then(|row| row.decided_at).map(from_millis);
    if let Some(from) = again_from.map(|at| at + TimeDelta::days(REFUSED_REST_DAYS))
        && tx.now() < from
    {
        let day = network.local_day(from);
        return Err(UseCaseError::State(format!(
            "the provider has said no; it can be asked again from {day} on, and a desk can let the reader in"
        )));
    }
    let id = ids.next();
    tx.insert_admission(id, newcomer.reader, &provider, &command.order_key)?;
    tx.insert_outbox(ids.next(), ADMISSION, id, &call_key(&command.order_key, "create"))?;
    let detail = json!({"request_id": id, "provider": provider});
    let event = (ids.next(), EventKind::AdmissionAsked);
    tell(tx, (caller, &network), &newcomer, event, (detail, None))?;
    admission_of(tx, &network, newcomer.reader)
}

/// The reader who asks, locked.
fn at_the_gate(tx: &mut WriteTx<'_>, caller: &Caller) -> Result<(Arc<Network>, Newcomer)> {
    let reader: ReaderId = caller.reader().ok_or(UseCaseError::Forbidden)?;
    let network = tx.network()?;
    tx.lock_readers(&[reader])?;
    let newcomer = tx.newcomer(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    Ok((network, newcomer))
}

/// Who is to be asked; `None`: the reader may borrow.
fn provider_of(network: &Network, newcomer: &Newcomer, set_up: Option<&str>) -> Result<Option<String>> {
    let place = (newcomer.home, newcomer.category);
    let reason = match still_closed(network, place, newcomer.entry) {
        None | Some(Gate::None) => return Ok(None),
        Some(Gate::Deposit { .. }) => "no provider is asked: a desk takes the deposit".to_owned(),
        Some(Gate::ExternalScore { provider, .. }) if set_up == Some(provider) => return Ok(Some(provider.clone())),
        Some(Gate::ExternalScore { provider, .. }) => {
            format!("{provider} is not set up here: a desk can let the reader in")
        }
    };
    Err(UseCaseError::State(reason))
}

fn try_again(tx: &mut WriteTx<'_>, open: &AdmissionRow) -> Result<()> {
    if let Some(row) = tx.outbox_of(ADMISSION, open.id)? {
        tx.revive_outbox(row.id)?;
    }
    Ok(())
}

/// Ends what was not decided; the provider is told to forget it.
fn close(tx: &mut WriteTx<'_>, open: &AdmissionRow, outbox: i64) -> Result<()> {
    tx.decide_admission(open.id, AdmissionState::Failed)?;
    settle(tx, open, outbox)
}

fn settle(tx: &mut WriteTx<'_>, request: &AdmissionRow, outbox: i64) -> Result<()> {
    tx.end_admission(request.id)?;
    if let Some(row) = tx.outbox_of(ADMISSION, request.id)?.filter(|row| row.done_at.is_none()) {
        tx.withdraw_outbox(row.id)?;
    }
    Ok(tx.insert_outbox(outbox, ADMISSION, request.id, &call_key(&request.order_key, SETTLE))?)
}

/// The reader has agreed: the provider is asked how it stands. Sent again it asks again.
///
/// # Errors
/// `State` when nothing is asked, or the provider has not answered yet where to agree; `Forbidden`; a failure of the store.
pub async fn agree_admission(
    store: &Arc<Store>,
    caller: &Caller,
    key: Option<IdempotencyKey>,
) -> Result<Once<AdmissionView>> {
    caller.require_somewhere(Right::AppealCredit)?;
    once(store, caller, key, 1, (), agree).await
}

fn agree(tx: &mut WriteTx<'_>, caller: &Caller, _: &(), mut ids: IdRun) -> Result<AdmissionView> {
    let (network, newcomer) = at_the_gate(tx, caller)?;
    let known = tx.admission_of(newcomer.reader)?;
    let open = known.filter(|row| row.decided_at.is_none());
    let Some(open) = open else {
        // The provider's report may have come first.
        let view = admission_of(tx, &network, newcomer.reader)?;
        let first = || UseCaseError::State("no provider is asked: ask for it first".to_owned());
        return Some(view).filter(|view| view.may_borrow).ok_or_else(first);
    };
    if open.state()? == AdmissionState::Agreed {
        try_again(tx, &open)?;
        return admission_of(tx, &network, newcomer.reader);
    }
    if open.agree_url.is_none() {
        return Err(UseCaseError::State(
            "the provider has not answered yet where to agree: try again in a while".to_owned(),
        ));
    }
    let now = tx.now();
    tx.agree_admission(open.id, now)?;
    tx.insert_outbox(ids.next(), ADMISSION, open.id, &call_key(&open.order_key, "agree"))?;
    admission_of(tx, &network, newcomer.reader)
}

/// The reader takes it back: the provider forgets the order, and a reader whom it let in stands at the gate again.
///
/// # Errors
/// `State` while anything is on loan that was lent because of it; `Forbidden`; a failure of the store.
pub async fn end_admission(
    store: &Arc<Store>,
    caller: &Caller,
    key: Option<IdempotencyKey>,
) -> Result<Once<AdmissionView>> {
    caller.require_somewhere(Right::AppealCredit)?;
    once(store, caller, key, 2, (), end).await
}

fn end(tx: &mut WriteTx<'_>, caller: &Caller, _: &(), mut ids: IdRun) -> Result<AdmissionView> {
    let (network, newcomer) = at_the_gate(tx, caller)?;
    let request = tx.admission_of(newcomer.reader)?.filter(|row| row.ended_at.is_none());
    let state = request.as_ref().map(AdmissionRow::state).transpose()?;
    let Some((request, state)) = request.zip(state).filter(|(_, state)| matters(*state)) else {
        return admission_of(tx, &network, newcomer.reader);
    };
    let let_in = newcomer.admitted_by.as_deref() == Some(AdmittedBy::ExternalScore.code());
    if let_in && !tx.open_loans_of(newcomer.reader)?.is_empty() {
        return Err(UseCaseError::State(
            "return what is on loan first: it was lent because the provider agreed".to_owned(),
        ));
    }
    if let_in {
        tx.send_back_to_gate(newcomer.reader)?;
    }
    if state.is_open() {
        close(tx, &request, ids.next())?;
    } else {
        settle(tx, &request, ids.next())?;
    }
    let detail = json!({"request_id": request.id, "provider": request.provider});
    let event = (ids.next(), EventKind::AdmissionEnded);
    tell(tx, (caller, &network), &newcomer, event, (detail, None))?;
    admission_of(tx, &network, newcomer.reader)
}

/// How many requests a farewell may speak of: the newest, and some whose end the provider has not heard of yet.
pub(super) const FAREWELLS: usize = 16;

/// A reader is about to be erased, under lock: the provider is told to forget every order that it may still know, and asked nothing more.
pub(super) fn say_farewell(tx: &mut WriteTx<'_>, reader: ReaderId, ids: &mut IdRun) -> Result<()> {
    for request in tx.admissions_of(reader)?.into_iter().take(FAREWELLS) {
        let last = tx.outbox_of(ADMISSION, request.id)?;
        let waits = last.filter(|row| row.done_at.is_none());
        if let Some(row) = &waits {
            tx.withdraw_outbox(row.id)?;
        }
        let says = |word: &str| {
            let key = call_key(&request.order_key, word);
            waits.as_ref().filter(|row| row.message_key == key)
        };
        let unheard_of = says("create").is_some_and(|row| row.attempts == 0);
        let stands = request.ended_at.is_none() && matters(request.state()?) && !unheard_of;
        if stands || says(SETTLE).is_some() {
            let key = farewell_key(&request.order_key, &request.provider);
            tx.insert_outbox(ids.next(), ADMISSION, request.id, &key)?;
        }
    }
    Ok(())
}

const fn matters(state: AdmissionState) -> bool {
    state.is_open() || matches!(state, AdmissionState::Passed)
}
