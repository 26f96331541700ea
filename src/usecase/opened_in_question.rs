//! A door is opened for staff or a courier while nobody knows whether the reader took the book behind it. They are told, and asked; what
//! comes out of their hands before they have answered was not taken by the reader.
//! Not for: what a report of the door says (`report_compartment`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::confirm_loan::{Teller, say};
use super::report_compartment::ReportedBy;
use super::{Caller, Result};
use crate::domain::ids::DeviceId;
use crate::domain::item::ItemStatus;
use crate::domain::two_phase::{Outcome, Said, SeenOutside, seen_outside};
use crate::store::ids::IdRun;
use crate::store::item_lock::LoadedItem;
use crate::store::lockers::compartments::Compartment;
use crate::store::lockers::confirmations::Confirmation;
use crate::store::tx::{ReadTx, WriteTx};

/// A book of which nobody knows whether its reader took it, behind a door that is opened for staff or a courier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BookInQuestion {
    /// The number on the door.
    #[schema(example = 7)]
    pub compartment: u16,
    /// The loan in question: whoever has looked says with confirmLoan whether the book was taken.
    #[schema(example = 5501)]
    pub loan_id: i64,
    #[schema(example = 1043)]
    pub item_id: i64,
    #[schema(example = "0123456789")]
    pub item_barcode: String,
    #[schema(example = "活着")]
    pub title: String,
}

/// The loan in question of the book that a compartment is said to have.
pub(super) fn in_question(tx: &mut ReadTx<'_>, seen: &Compartment) -> Result<Option<Confirmation>> {
    let Some(lies) = seen.item else { return Ok(None) };
    let Some(asked) = tx.confirmation_in_question(seen.id)? else {
        return Ok(None);
    };
    let of_loan = tx.item_of_loan(asked.loan)?.map(|(item, _, _)| item);
    Ok((of_loan == Some(lies)).then_some(asked))
}

/// Books in question behind doors of a machine that a person could open now.
pub(super) fn books_in_question(
    tx: &mut ReadTx<'_>,
    device: DeviceId,
    doors: &[Compartment],
) -> Result<Vec<BookInQuestion>> {
    let asks = |door: &&Compartment| door.item.is_some() && door.state.needs_a_person();
    let mut found = Vec::new();
    for door in doors.iter().filter(asks) {
        found.extend(book_in_question(tx, device, door)?);
    }
    Ok(found)
}

fn book_in_question(tx: &mut ReadTx<'_>, device: DeviceId, door: &Compartment) -> Result<Option<BookInQuestion>> {
    let Some(asked) = in_question(tx, door)? else {
        return Ok(None);
    };
    let mut contents = tx.contents_of(device)?.into_iter();
    let content = contents.find(|content| content.compartment_id == door.id.get());
    Ok(content.map(|content| BookInQuestion {
        compartment: door.number,
        loan_id: asked.loan.get(),
        item_id: content.item_id,
        item_barcode: content.barcode,
        title: content.title,
    }))
}

/// A door is ordered open for staff or a courier: what they must say of its book.
pub(super) fn opened_for_a_person(tx: &mut WriteTx<'_>, seen: &Compartment) -> Result<Option<BookInQuestion>> {
    let now = tx.now();
    let book = book_in_question(tx, seen.device, seen)?;
    if let Some(asked) = in_question(tx, seen)? {
        tx.opened_in_question(asked.loan, now)?;
    }
    Ok(book)
}

/// How a book is seen outside its compartment.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenBy<'a> {
    pub caller: &'a Caller,
    pub at: DateTime<Utc>,
    /// A reader brings it.
    pub reader: bool,
}

/// A book in question is seen outside: where it came out by the hands of staff or a courier, its loan is undone, and the item is to be read
/// again. Answers whether it was. No statement for a book of which nothing is asked.
pub(super) fn came_by_hand(tx: &mut WriteTx<'_>, item: &LoadedItem, seen: SeenBy<'_>, ids: &mut IdRun) -> Result<bool> {
    let asked = item.loan.as_ref().filter(|loaded| loaded.loan.unconfirmed);
    let Some(loaded) = asked.filter(|_| item.facts.status == ItemStatus::OnLoan) else {
        return Ok(false);
    };
    let loan = loaded.loan.id;
    let Some(asked) = tx.confirmation(loan)?.filter(|asked| asked.phase.is_open()) else {
        return Ok(false);
    };
    let said = seen_outside(&SeenOutside {
        opened_at: asked.opened_at,
        seen_at: seen.at,
        by_reader: seen.reader,
    });
    if said == Said::Taken {
        return Ok(false);
    }
    let by = match seen.caller.device() {
        Some(_) => ReportedBy::Report,
        None => ReportedBy::Person,
    };
    let teller = Teller {
        caller: seen.caller,
        by,
        reason: "its door was opened for staff or a courier, and the book came out of their hands",
        at: seen.at,
    };
    Ok(say(tx, &teller, loan, said, ids)? == Outcome::Void)
}
