//! A reader fetches what lies ready in a machine, or borrows what is in it. Each book is the check-out of every other desk, made
//! before its door opens, with the question whether it was taken.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acting_device::{ActingDevice, acting_device};
use super::check_out::{Desk, hand_over};
use super::compartment_record::{Opening, open, opens_for_ms};
use super::device_board::DeviceBoard;
use super::locker_session::{going_on, not_over};
use super::once::{About, once};
use super::order_device::{RECEIPT_BYTES, new_receipt};
use super::record::{self, Consent, IDS_PER_VERB};
use super::report_compartment::settings;
use super::view::{LoanView, RefusalView, refusal_views};
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::barcode::Barcode;
use crate::domain::compartment_life::{CompartmentState, CompartmentStep, Obstacle};
use crate::domain::device::Capability;
use crate::domain::ids::{LoanId, LockerSessionId, ReaderId};
use crate::domain::network::Network;
use crate::domain::reader::ReaderFacts;
use crate::domain::two_phase::{LoanPhase, deadline};
use crate::store::ids::IdRun;
use crate::store::item_lock::{Candidate, LoadedItem};
use crate::store::lockers::compartments::{Compartment, Content};
use crate::store::lockers::confirmations::Confirmation;
use crate::store::tx::WriteTx;
use crate::store::{Once, Store};

/// Doors that may stand open at once, whatever the configuration says.
const MOST_DOORS: usize = 3;
/// Most holds of one request.
pub const MAX_HOLDS: usize = 50;
/// Ids of one book: the check-out, its order.
const IDS_PER_BOOK: i64 = IDS_PER_VERB + 2;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct LockerPickUp {
    pub session: LockerSessionId,
    pub what: Wanted,
}

/// Which books.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// What lies ready: of these holds, or all.
    Ready(Vec<i64>),
    /// What is behind a door.
    Compartment(u16),
    /// This copy.
    Item(Barcode),
}

/// A book that was lent, and the door that opens for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockerGrant {
    /// The number on the door.
    #[schema(example = 7)]
    pub compartment: u16,
    /// It opens for this turn only.
    #[schema(example = 18)]
    pub turn: i64,
    /// How long the order counts, in milliseconds from the answer.
    #[schema(example = 20000)]
    pub expires_in_ms: i64,
    /// Reserved: confirmed or voided by the machine's report.
    pub loan: LoanView,
}

/// A book that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockerRefusal {
    /// The number on the door.
    #[schema(example = 8)]
    pub compartment: u16,
    #[schema(example = 2002)]
    pub hold_id: Option<i64>,
    #[schema(example = "活着")]
    pub title: String,
    /// Every reason at once.
    pub refusals: Vec<RefusalView>,
}

/// What became of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockerLoans {
    /// Lent: their doors open now.
    pub granted: Vec<LockerGrant>,
    /// Not lent, each with every reason.
    pub refused: Vec<LockerRefusal>,
    /// Holds whose doors open when those before are closed: ask again then.
    #[schema(example = json!([2003]))]
    pub waiting: Vec<i64>,
}

/// Lends what lies ready for the session's reader, or what the reader points at.
///
/// # Errors
/// `Forbidden` for whoever is no machine that lends so; `NotFound`; `LockerSessionEnded`; `CompartmentState`; `Refused` where nothing of
/// what was pointed at may be lent; `Invalid` naming the field; a failure of the store.
pub async fn locker_pick_up(
    store: &Arc<Store>,
    board: &DeviceBoard,
    caller: &Caller,
    command: LockerPickUp,
    key: Option<IdempotencyKey>,
) -> Result<Once<LockerLoans>> {
    caller.require_somewhere(Right::OperateDevice)?;
    let receipts: [[u8; RECEIPT_BYTES]; MOST_DOORS] = std::array::from_fn(|_| new_receipt());
    let ids = IDS_PER_BOOK * i64::try_from(MOST_DOORS).unwrap_or(1);
    let done = once(store, caller, key, ids, (command, receipts), apply).await?;
    if let Some(device) = caller.device() {
        board.wake(device);
    }
    Ok(About::alone(done))
}

/// A book behind a door.
struct Book {
    door: Compartment,
    content: Content,
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (asked, receipts): &(LockerPickUp, [[u8; RECEIPT_BYTES]; MOST_DOORS]),
    mut ids: IdRun,
) -> Result<About<LockerLoans>> {
    let device = acting_device(tx, caller, Some(Capability::TwoPhaseLoans))?;
    let network = tx.network()?;
    caller.require(Right::CheckOut, device.unit, &network)?;
    let unknown = || UseCaseError::NotFound("session");
    let session = tx.locker_session(asked.session)?;
    let session = session
        .filter(|session| session.device == device.id)
        .ok_or_else(unknown)?;
    // Before what is pointed at: who was away too long is told that, not what became of the doors.
    not_over(tx, &session)?;
    let whose = session.reader.ok_or_else(unknown)?;
    let books = books(tx, &device, whose, &asked.what)?;
    let free = usize::from(settings(tx, &device)?.doors_at_once).min(MOST_DOORS);
    let open = usize::try_from(tx.doors_open_in(asked.session)?).unwrap_or(usize::MAX);
    let now_open = free.saturating_sub(open);
    // Bibs and items of all of them in one order, then the reader, then the doors; the session last.
    let mut locked: Vec<(Book, LoadedItem)> = Vec::new();
    for book in sorted(books) {
        let (item, bib) = book.content.item();
        if let Some(item) = tx.lock_item(Candidate::known(item, bib), &network)? {
            locked.push((book, item));
        }
    }
    let mut loans = LockerLoans {
        granted: Vec::new(),
        refused: Vec::new(),
        waiting: Vec::new(),
    };
    let mut reader = None;
    for (book, item) in &locked {
        if loans.granted.len() >= now_open {
            loans.waiting.extend(book.content.hold_id);
            continue;
        }
        // What was lent a moment ago counts to the limits of the next.
        let borrower = borrower(tx, whose, asked.session, &network)?;
        let at = Place {
            device: &device,
            network: &network,
            session: asked.session,
            receipt: receipts[loans.granted.len()],
        };
        match lend(tx, caller, &at, (book, item), &borrower, &mut ids) {
            Ok(grant) => loans.granted.push(grant),
            Err(error) => {
                let (refusals, _) = error.into_refusals()?;
                loans.refused.push(LockerRefusal {
                    compartment: book.door.number,
                    hold_id: book.content.hold_id,
                    title: book.content.title.clone(),
                    refusals: refusal_views(&refusals.0),
                });
            }
        }
        reader = Some(borrower.id);
    }
    going_on(tx, &device, asked.session)?;
    Ok(About::reader(reader.unwrap_or(whose), loans))
}

/// The reader under the lock, with what was lent to them in this session.
fn borrower(tx: &mut WriteTx<'_>, id: ReaderId, session: LockerSessionId, network: &Network) -> Result<ReaderFacts> {
    let mut reader = tx.lock_reader(id, network)?.ok_or(UseCaseError::NotFound("reader"))?;
    let lent = tx.loans_of_session(session)?;
    for loan in reader.loans.iter_mut().filter(|loan| lent.contains(&loan.id)) {
        loan.session = Some(session);
    }
    Ok(reader)
}

/// In the order in which everybody locks.
fn sorted(mut books: Vec<Book>) -> Vec<Book> {
    books.sort_by_key(|book| (book.content.bib_id, book.content.item_id));
    books
}

/// The books that are meant.
fn books(tx: &mut WriteTx<'_>, device: &ActingDevice, reader: ReaderId, wanted: &Wanted) -> Result<Vec<Book>> {
    let doors = tx.compartments_of(device.id)?;
    let mut books = Vec::new();
    for content in tx.contents_of(device.id)? {
        let door = doors.iter().find(|door| door.id.get() == content.compartment_id);
        let Some(door) = door.cloned() else { continue };
        let meant = match wanted {
            Wanted::Ready(holds) => {
                let of_these = holds.is_empty() || content.hold_id.is_some_and(|hold| holds.contains(&hold));
                let ready = content.waits_for(reader) && content.status == "on_hold_shelf";
                of_these && ready && door.state == CompartmentState::Occupied
            }
            Wanted::Compartment(number) => door.number == *number,
            Wanted::Item(barcode) => content.barcode == barcode.as_str(),
        };
        if meant {
            books.push(Book { door, content });
        }
    }
    match wanted {
        Wanted::Ready(holds) => {
            let lies = |hold: &i64| books.iter().any(|book| book.content.hold_id == Some(*hold));
            if holds.iter().all(lies) {
                return Ok(books);
            }
            Err(UseCaseError::field(
                "hold_ids",
                "not all of them lie ready here for this reader",
            ))
        }
        Wanted::Compartment(number) if books.is_empty() => match doors.iter().find(|door| door.number == *number) {
            Some(door) => Err(state_of(door)),
            None => Err(UseCaseError::field("compartment", "the machine has no such door")),
        },
        Wanted::Item(_) if books.is_empty() => Err(UseCaseError::field("item_barcode", "does not lie in this machine")),
        Wanted::Compartment(_) | Wanted::Item(_) => Ok(books),
    }
}

const fn state_of(door: &Compartment) -> UseCaseError {
    UseCaseError::CompartmentState(Obstacle {
        state: door.state,
        step: CompartmentStep::HandOut,
    })
}

/// Where it is lent.
struct Place<'a> {
    device: &'a ActingDevice,
    network: &'a Arc<Network>,
    session: LockerSessionId,
    receipt: [u8; RECEIPT_BYTES],
}

/// Reserves: the check-out, the question, the order to open, all or nothing.
fn lend(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    at: &Place<'_>,
    (book, item): (&Book, &LoadedItem),
    reader: &ReaderFacts,
    ids: &mut IdRun,
) -> Result<LockerGrant> {
    if book.door.state != CompartmentState::Occupied {
        return Err(state_of(&book.door));
    }
    let now = record::now_for(tx, &item.facts);
    let network = tx.as_of(Arc::clone(at.network), now)?;
    let desk = Desk {
        caller,
        unit: at.device.unit,
        network: &network,
        consent: &Consent::default(),
        due_at: None,
        link: None,
        session: Some(at.session),
    };
    let lent = hand_over(tx, &desk, item, reader, ids)?;
    let loan = lent.loan.ok_or_else(|| {
        UseCaseError::State("readers of this category read in the unit: nothing leaves the machine".into())
    })?;
    let opening = Opening {
        device: at.device,
        step: CompartmentStep::HandOut,
        awaited: None,
        receipt: at.receipt,
    };
    let door = open(tx, &opening, &book.door, ids)?;
    let now = tx.now();
    tx.insert_confirmation(&Confirmation {
        loan: LoanId::new(loan.id),
        device: at.device.id,
        compartment: Some(door.id),
        turn: door.turn,
        session: Some(at.session),
        phase: LoanPhase::Reserved,
        reserved_at: now,
        deadline_at: deadline(now),
        decided_at: None,
        decided_by: None,
        opened_at: None,
    })?;
    Ok(LockerGrant {
        compartment: door.number,
        turn: door.turn,
        expires_in_ms: opens_for_ms(),
        loan,
    })
}
