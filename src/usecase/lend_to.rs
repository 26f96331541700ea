//! To whom an item is lent at a desk or machine: to the holder of the card that was shown, or to a ward of the holder. Without being
//! told, a ward it is only where the copy is set aside for that ward: a guardian collects what the ward waits for.

use super::record;
use super::{Result, UseCaseError};
use crate::domain::act::Act;
use crate::domain::ids::ReaderId;
use crate::domain::network::Network;
use crate::domain::proxy::{self, Facts};
use crate::domain::reader::ReaderFacts;
use crate::store::item_lock::LoadedItem;
use crate::store::readers::guardians::StandIn;
use crate::store::tx::WriteTx;

pub(super) const UNKNOWN_CARD: &str = "no reader holds this card";

/// What was shown and said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub act: &'a Act,
    pub network: &'a Network,
    pub card: &'a str,
    /// The ward the item is for, where that was said.
    pub ward: Option<ReaderId>,
}

/// Who borrows, under the lock.
#[derive(Debug)]
pub(super) struct Borrower {
    pub reader: ReaderFacts,
    /// The link by which the holder of the card acts for the reader.
    pub link: Option<i64>,
}

/// Locks the borrower; together with the one who has the item now, in one order, if that is somebody else.
///
/// # Errors
/// `Invalid` for a card that nobody holds; `Refused` for a holder who may not act for the ward.
pub(super) fn lock(tx: &mut WriteTx<'_>, shown: &Shown<'_>, item: &LoadedItem) -> Result<Borrower> {
    match stands_in(tx, shown, item)? {
        Some((link, ward)) => {
            if let Some(open) = &item.facts.open_loan {
                tx.lock_readers(&[ward, open.reader])?;
            }
            let reader = tx
                .lock_reader(ward, shown.network)?
                .ok_or(UseCaseError::NotFound("reader"))?;
            Ok(Borrower {
                reader,
                link: Some(link),
            })
        }
        None => Ok(Borrower {
            reader: lock_holder(tx, shown, item)?,
            link: None,
        }),
    }
}

/// The ward for whom the holder of the card acts. No statement unless a ward is named or the copy is set aside.
fn stands_in(tx: &mut WriteTx<'_>, shown: &Shown<'_>, item: &LoadedItem) -> Result<Option<(i64, ReaderId)>> {
    let set_aside_for = item.facts.captured_for.as_ref().map(|hold| hold.reader);
    let Some(ward) = shown.ward.or(set_aside_for) else {
        return Ok(None);
    };
    let Some(StandIn { card, link }) = tx.stand_in(shown.card, ward)? else {
        return Ok(None);
    };
    let facts = Facts {
        act: shown.act,
        network: shown.network,
        card: &card,
        link: link.as_ref().map(|(_, standing)| standing),
    };
    let now = record::now_for(tx, &item.facts);
    if shown.ward.is_none() && !facts.is_linked(now) {
        return Ok(None);
    }
    proxy::decide(&facts, now)?;
    Ok(link.map(|(link, _)| (link, ward)))
}

fn lock_holder(tx: &mut WriteTx<'_>, shown: &Shown<'_>, item: &LoadedItem) -> Result<ReaderFacts> {
    let unknown = || UseCaseError::field("card_number", UNKNOWN_CARD);
    if let Some(open) = &item.facts.open_loan {
        let reader = tx.reader_of_card(shown.card)?.ok_or_else(unknown)?;
        tx.lock_readers(&[reader, open.reader])?;
    }
    tx.lock_reader_of_card(shown.card, shown.network)?.ok_or_else(unknown)
}
