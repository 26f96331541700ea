//! A row of the items' file: a copy of a bib that is in the catalogue already.

use super::fields::Fields;
use super::lookup::World;
use super::write::{Judged, New, NewWith};
use crate::catalogue::isbn::Isbn13;
use crate::domain::barcode::Barcode;
use crate::domain::ids::{BibId, CollectionId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::volume::Volume;
use crate::store::items::NewItem;

/// States in which an item can come over: none that a loan, a journey or a hold stands behind.
const STATUSES: [ItemStatus; 6] = [
    ItemStatus::OnShelf,
    ItemStatus::InProcessing,
    ItemStatus::Damaged,
    ItemStatus::Missing,
    ItemStatus::Lost,
    ItemStatus::Withdrawn,
];

/// Judges a row; `None` when it has faults.
pub(super) fn judge(fields: &mut Fields<'_>, world: &World) -> Option<Judged> {
    fields.needed("barcode");
    let barcode: Option<Barcode> = fields.number("barcode");
    let owner = fields.unit("owner", &world.network, world.owner);
    let bib = bib(fields, world);
    let item = item(fields, world, owner);
    let (barcode, owner) = (barcode?, owner?);
    fields.claim("barcode", format!("item {owner} {}", barcode.as_str()));
    if let (Some(known), Some(bib)) = (world.items.get(&(owner, barcode.as_str().to_owned())), bib) {
        if known.bib == bib && fields.faults.is_empty() {
            return Some(Judged::Known);
        }
        if known.bib != bib {
            fields.duplicate("barcode", "the owner has another item with this barcode");
        }
    }
    if !fields.faults.is_empty() {
        return None;
    }
    let (bib, mut item) = (bib?, item?);
    item.bib_id = bib.get();
    barcode.as_str().clone_into(&mut item.barcode);
    let clc_class = world.bib_ids.get(&bib).cloned().flatten();
    Some(Judged::New(Box::new(NewWith {
        old_id: None,
        new: New::Item { item, clc_class },
    })))
}

/// The bib a row means: by its id here, else by ISBN, else by control number.
fn bib(fields: &mut Fields<'_>, world: &World) -> Option<BibId> {
    if fields.cell("bib_id").is_some() {
        let id = BibId::new(fields.whole("bib_id", 1..=i64::MAX)?);
        if !world.bib_ids.contains_key(&id) {
            fields.fault("bib_id", "there is no such bib");
            return None;
        }
        return Some(world.merged.get(&id).copied().unwrap_or(id));
    }
    let control_number = fields.cell("control_number");
    let by_number = || world.bib_numbers.by_control_number.get(control_number?).copied();
    if let Some(text) = fields.cell("isbn") {
        let found = match Isbn13::parse(text) {
            Ok(isbn) => world.bib_numbers.by_isbn.get(isbn.as_str()).copied(),
            Err(error) => {
                fields.fault("isbn", error.to_string());
                return None;
            }
        };
        // Libraries count from one: a control number says which bib only when no ISBN does.
        let without_isbn = || world.bib_numbers.without_isbn.get(control_number?).copied();
        let found = found.or_else(without_isbn);
        if found.is_none() {
            fields.fault("isbn", "no bib has this ISBN: import the catalogue first");
        }
        return found;
    }
    let found = by_number();
    if found.is_none() {
        match control_number {
            Some(_) => fields.fault(
                "control_number",
                "no bib has this control number: import the catalogue first",
            ),
            None => fields.fault(
                "isbn",
                "is empty, and so are control_number and bib_id: one must name the bib",
            ),
        }
    }
    found
}

fn item(fields: &mut Fields<'_>, world: &World, owner: Option<UnitId>) -> Option<NewItem> {
    let code = fields.needed("item_type");
    let item_type = code.and_then(|code| world.network.item_types().by_code(code));
    if code.is_some() && item_type.is_none() {
        let known: Vec<&str> = world.network.item_types().iter().map(|one| one.code.as_str()).collect();
        fields.fault(
            "item_type",
            format!("no item type has this code; there are {}", known.join(", ")),
        );
    }
    let home = fields.unit("home_unit", &world.network, owner.unwrap_or(world.owner));
    let status = fields.word("status", &STATUSES.map(ItemStatus::code));
    let (home, now) = (home?, world.now.timestamp_millis());
    let row = NewItem {
        id: 0,
        bib_id: 0,
        barcode: String::new(),
        rfid_tag: fields.text("rfid_tag", 64),
        owner_unit_id: owner?.get(),
        home_unit_id: home.get(),
        current_unit_id: home.get(),
        collection_id: collection(fields, world, home).map(CollectionId::get),
        shelf_location: fields.text("shelf_location", 100),
        call_number: fields.text("call_number", 100),
        item_type_id: item_type.map_or(0, |found| found.id.get()),
        price_fen: fields.fen("price_yuan", "price_fen"),
        status: status.unwrap_or(ItemStatus::OnShelf.code()).to_owned(),
        not_for_loan: fields.flag("not_for_loan"),
        min_age_years: fields
            .whole("min_age_years", 0..=130)
            .and_then(|years| i32::try_from(years).ok()),
        for_children: fields.flag("for_children"),
        alert_note: fields.text("alert_note", 500),
        parts: fields
            .whole("parts", 1..=1_000)
            .and_then(|parts| i32::try_from(parts).ok())
            .unwrap_or(1),
        last_event_at: now,
        created_at: now,
        volume: fields.number::<Volume>("volume").map(|volume| volume.to_string()),
    };
    Some(row)
}

fn collection(fields: &mut Fields<'_>, world: &World, home: UnitId) -> Option<CollectionId> {
    let code = fields.cell("collection")?;
    let found = world.collections.get(&(home, code.to_owned())).copied();
    if found.is_none() {
        fields.fault("collection", "the home unit has no collection with this code");
    }
    found
}
