//! Erasure at a reader's own wish: nothing personal is left, and statistics and the chain of events stay as they are. What
//! waits in a queue is cancelled first; what somebody still has to settle refuses it.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ask_admission::{FAREWELLS, say_farewell};
use super::end_hold::{Ending, end_hold};
use super::old_secret::{OldSecret, Proof};
use super::record::{self, Consent};
use super::session::SessionTools;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Audience;
use crate::domain::erase_reader::{Facts, obstacles};
use crate::domain::event::EventKind;
use crate::domain::hold::HoldStatus;
use crate::domain::ids::{ReaderId, UnitId};
use crate::store::events::Event;
use crate::store::holds::HoldEnd;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Events of the holds it cancels.
const HOLDS: usize = 511;
/// Ids of an erasure: those, its own event, and what the provider is told.
const IDS: i64 = (HOLDS + 1 + FAREWELLS) as i64;

/// It is done. Nothing in it names anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Erased {
    /// Always true.
    #[schema(example = true)]
    pub erased: bool,
    /// Holds that were cancelled for it.
    #[schema(example = 1)]
    pub cancelled_holds: usize,
}

impl Outcome for Erased {
    const OUTLIVES_CALLER: bool = true;
}

/// Erases the reader who asks.
///
/// # Errors
/// `State` with everything that stands against it; `Invalid` for a PIN that is not right, `TooManyLogIns` after too many of
/// those; `Forbidden` for anybody but a reader; `NotFound` once erased; `Busy`; a failure of the store.
pub async fn erase_me(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    caller: &Caller,
    pin: SecretString,
    key: Option<IdempotencyKey>,
    address: IpAddr,
) -> Result<Once<Erased>> {
    let reader = caller.itself()?;
    let proof = prove(store, tools, reader, pin, address).await?;
    let ids = store.take_ids::<UseCaseError>(IDS).await?;
    let who = caller.clone();
    let claim = key.map(|key| key.claim(caller));
    let proof = proof.map(Arc::new);
    let proven = proof.clone();
    let done = store
        .write_once(claim, move |tx| {
            // Erased meanwhile, or before: a repeated call found its answer already.
            let proof = proven.as_ref().ok_or(UseCaseError::NotFound("reader"))?;
            settle(tx, proof, reader)?;
            apply(tx, &who, reader, ids.clone())
        })
        .await;
    if let (Err(UseCaseError::State(_)), Some(proof)) = (&done, proof) {
        // The PIN was right all the same: it does not count as a guess.
        store.write(move |tx| settle(tx, &proof, reader)).await?;
    }
    done
}

fn settle(tx: &mut WriteTx<'_>, proof: &Proof, reader: ReaderId) -> Result<()> {
    proof.settle(tx, |tx| Ok(tx.pin_of_reader(reader)?.flatten()))
}

/// The PIN, unless the reader is erased already.
async fn prove(
    store: &Arc<Store>,
    tools: SessionTools<'_>,
    reader: ReaderId,
    pin: SecretString,
    address: IpAddr,
) -> Result<Option<Proof>> {
    let known = store
        .read(move |tx| -> Result<_> { Ok((tx.is_erased(reader)?, tx.pin_of_reader(reader)?)) })
        .await?;
    let (false, Some(hash)) = known else { return Ok(None) };
    let given = OldSecret {
        audience: Audience::Reader,
        account: reader.get(),
        field: "pin",
        given: Some(pin.clone()),
        new: pin,
        hash,
        replayable: false,
    };
    given.prove(store, tools, address).await.map(Some)
}

fn apply(tx: &mut WriteTx<'_>, caller: &Caller, reader: ReaderId, mut ids: IdRun) -> Result<Erased> {
    let network = tx.network()?;
    let (row, _) = tx.reader_view(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    let cancelled_holds = cancel_holds(tx, caller, reader, &mut ids)?;
    tx.lock_readers(&[reader])?;
    let (row_now, _) = tx.reader_view(reader)?.ok_or(UseCaseError::NotFound("reader"))?;
    let open_holds = usize::try_from(row_now.open_holds).unwrap_or(0);
    let facts = Facts {
        open_loans: tx.open_loans_of(reader)?.len(),
        copies_set_aside: open_holds,
        open_parcels: tx.open_parcels_of(reader)?,
        debt_fen: row_now.debt_fen,
        deposits: tx.count_legacy_deposits(reader)?,
    };
    let found = obstacles(&facts);
    if !found.is_empty() {
        let words: Vec<String> = found.iter().map(ToString::to_string).collect();
        return Err(UseCaseError::State(words.join("; ")));
    }
    let now = tx.now();
    say_farewell(tx, reader, &mut ids)?;
    tx.erase_reader(reader, now)?;
    // Of whom, nobody can tell: the home alone is kept, where it counts.
    let home = network.unit(UnitId::new(row.home_unit_id)).map(|unit| unit.id);
    let unit = home.or_else(|| network.units().root().map(|root| root.id));
    let unit = unit.ok_or(UseCaseError::NotFound("unit"))?;
    let event = Event::new(EventKind::ReaderErased, now, unit, caller.own_channel());
    tx.append_event(ids.next(), &event)?;
    Ok(Erased {
        erased: true,
        cancelled_holds,
    })
}

/// Cancels what waits without a copy. All bibs are locked first, ascending; the reader comes after them.
fn cancel_holds(tx: &mut WriteTx<'_>, caller: &Caller, reader: ReaderId, ids: &mut IdRun) -> Result<usize> {
    let network = tx.network()?;
    let open = tx.open_holds_of(reader)?;
    if open.len() > HOLDS {
        return Err(UseCaseError::State(
            "too many holds: cancel some of them first".to_owned(),
        ));
    }
    let bibs: std::collections::BTreeSet<_> = open.iter().map(|(_, bib)| *bib).collect();
    tx.lock_bibs(&bibs.into_iter().collect::<Vec<_>>())?;
    let mut cancelled = 0;
    for (id, _) in open {
        let Some(hold) = tx.lock_hold(id)? else { continue };
        if hold.facts.status != HoldStatus::Waiting {
            continue;
        }
        let consent = Consent::default();
        let act = record::act_of(caller, hold.facts.pickup, &network, &consent, None);
        let ending = Ending {
            caller,
            act: &act,
            consent: &consent,
            network: &network,
            hold: &hold,
            how: HoldEnd::Cancelled,
        };
        end_hold(tx, &ending, ids)?;
        cancelled += 1;
    }
    Ok(cancelled)
}
