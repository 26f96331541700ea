//! A row of the readers' file: a reader with a first card. PINs are not brought over; readers set them at a desk.

use chrono::NaiveDate;

use super::fields::Fields;
use super::lookup::World;
use super::write::{Judged, New, NewWith};
use crate::domain::barcode::CardNumber;
use crate::domain::event::age_years;
use crate::domain::ids::CategoryId;
use crate::domain::reader::{CardStatus, CreditBand, ReaderStatus};
use crate::store::readers::{NewCard, NewReader, band_code, day_text};
use crate::usecase::register_reader::CARD_KINDS;

const OLDEST_YEARS: u32 = 130;

/// Judges a row; `None` when it has faults.
pub(super) fn judge(fields: &mut Fields<'_>, world: &World) -> Option<Judged> {
    fields.needed("card_number");
    for column in ["card_number", "old_id", "name", "note"] {
        fields.no_resident_id(column);
    }
    let number: Option<CardNumber> = fields.number("card_number");
    let old_id = fields.text("old_id", 64);
    fields.needed("name");
    let name = fields.text("name", 100);
    let born = birth_date(fields, world);
    let reader = reader(fields, world, name.as_deref(), born);
    let card = card(fields);
    let (number, name) = (number?, name?);
    fields.claim("card_number", format!("card {}", number.as_str()));
    if let Some(old_id) = &old_id {
        fields.claim("old_id", format!("old {old_id}"));
    }
    let same = |known: &crate::store::imports::KnownReader| known.name == name && known.birth_date == born;
    if let Some(known) = world.cards.get(number.as_str()) {
        if same(&known.reader) && fields.faults.is_empty() {
            return Some(Judged::Known);
        }
        if !same(&known.reader) {
            fields.duplicate("card_number", "is the card of another reader");
        }
    } else if old_id.as_ref().is_some_and(|old_id| world.old_ids.contains_key(old_id)) {
        fields.duplicate(
            "old_id",
            "was imported before, with another card; bring further cards as cards",
        );
    }
    if !fields.faults.is_empty() {
        return None;
    }
    let (reader, mut card) = (reader?, card?);
    number.as_str().clone_into(&mut card.number);
    let (category, home) = (CategoryId::new(reader.category_id), reader.home_unit_id);
    Some(Judged::New(Box::new(NewWith {
        old_id,
        new: New::Reader {
            reader,
            card,
            category,
            born,
            home: crate::domain::ids::UnitId::new(home),
        },
    })))
}

fn birth_date(fields: &mut Fields<'_>, world: &World) -> Option<NaiveDate> {
    let born = fields.day("birth_date")?;
    if age_years(born, world.today).is_none_or(|age| age > OLDEST_YEARS) {
        fields.fault("birth_date", format!("must be a day of the last {OLDEST_YEARS} years"));
    }
    Some(born)
}

fn reader(fields: &mut Fields<'_>, world: &World, name: Option<&str>, born: Option<NaiveDate>) -> Option<NewReader> {
    let code = fields.needed("category");
    let category = code.and_then(|code| world.network.category_by_code(code));
    if code.is_some() && category.is_none() {
        let known: Vec<&str> = world.network.categories().iter().map(|one| one.code.as_str()).collect();
        fields.fault(
            "category",
            format!("no category has this code; there are {}", known.join(", ")),
        );
    }
    let home = fields.unit("home_unit", &world.network, world.owner);
    let status = fields.word("status", &ReaderStatus::ALL.map(ReaderStatus::code));
    let note = fields.text("note", 500);
    Some(NewReader {
        id: 0,
        name: name?.to_owned(),
        category_id: category?.id.get(),
        home_unit_id: home?.get(),
        status: status.unwrap_or(ReaderStatus::Active.code()).to_owned(),
        barred: false,
        birth_date: born.map(day_text),
        credit_band: band_code(CreditBand::B).to_owned(),
        debt_fen: 0,
        note,
        pin_hash: None,
        open_holds: 0,
        created_at: world.now.timestamp_millis(),
    })
}

/// Kind and end of the first card; a card that has ended comes too, so that its reader can be told.
fn card(fields: &mut Fields<'_>) -> Option<NewCard> {
    let before = fields.faults.len();
    let kind = fields.word("card_kind", &CARD_KINDS).unwrap_or(CARD_KINDS[0]);
    let expires_on = fields.day("card_expires_on").map(day_text);
    (fields.faults.len() == before).then(|| NewCard {
        id: 0,
        number: String::new(),
        reader_id: 0,
        kind: kind.to_owned(),
        status: CardStatus::Active.code().to_owned(),
        expires_on,
        issued_at: None,
    })
}
