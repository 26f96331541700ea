//! A row of the cards' file: a further card of a reader who is there already.

use super::fields::Fields;
use super::lookup::World;
use super::write::{Judged, New, NewWith};
use crate::domain::barcode::CardNumber;
use crate::domain::reader::CardStatus;
use crate::store::imports::KnownReader;
use crate::store::readers::{NewCard, day_text};
use crate::usecase::register_reader::CARD_KINDS;

/// Judges a row; `None` when it has faults.
pub(super) fn judge(fields: &mut Fields<'_>, world: &World) -> Option<Judged> {
    fields.needed("card_number");
    fields.no_resident_id("card_number");
    let number: Option<CardNumber> = fields.number("card_number");
    let reader = reader_of(fields, world, "reader_card");
    let kind = fields.word("card_kind", &CARD_KINDS).unwrap_or(CARD_KINDS[0]);
    let status = fields.word("status", &CardStatus::ALL.map(CardStatus::code));
    let expires_on = fields.day("card_expires_on").map(day_text);
    let (number, reader) = (number?, reader?);
    fields.claim("card_number", format!("card {}", number.as_str()));
    if let Some(known) = world.cards.get(number.as_str()) {
        if known.reader.id == reader.id && fields.faults.is_empty() {
            return Some(Judged::Known);
        }
        if known.reader.id != reader.id {
            fields.duplicate("card_number", "is the card of another reader");
        }
    }
    if !fields.faults.is_empty() {
        return None;
    }
    let card = NewCard {
        id: 0,
        number: number.as_str().to_owned(),
        reader_id: reader.id.get(),
        kind: kind.to_owned(),
        status: status.unwrap_or(CardStatus::Active.code()).to_owned(),
        expires_on,
        issued_at: None,
    };
    Some(Judged::New(Box::new(NewWith {
        old_id: None,
        new: New::Card {
            card,
            reader: reader.clone(),
        },
    })))
}

/// The reader a row means, by a card that is there or by the other system's id.
pub(super) fn reader_of<'w>(
    fields: &mut Fields<'_>,
    world: &'w World,
    card_column: &'static str,
) -> Option<&'w KnownReader> {
    let by_card = fields.cell(card_column).map(|number| world.cards.get(number));
    let by_id = fields.cell("reader_old_id").map(|id| world.old_ids.get(id));
    match (by_card, by_id) {
        (None, None) => fields.fault(
            card_column,
            "is empty, and so is reader_old_id: one must name the reader",
        ),
        (Some(None), _) => fields.fault(card_column, "no reader has this card"),
        (_, Some(None)) => fields.fault("reader_old_id", "no imported reader had this id"),
        (Some(Some(card)), Some(Some(reader))) if card.reader.id != reader.id => {
            fields.fault("reader_old_id", "is another reader than the card's");
        }
        (Some(Some(card)), _) => return Some(&card.reader),
        (None, Some(Some(reader))) => return Some(reader),
    }
    None
}
