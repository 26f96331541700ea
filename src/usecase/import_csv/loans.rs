//! A row of the loans' file: an item that is out just now. Its due date is the one the reader was told, so it counts as
//! set by hand; the rules of today judge the next renewal.

use super::fields::Fields;
use super::lookup::World;
use super::write::{Judged, New, NewWith};
use crate::domain::barcode::{Barcode, CardNumber};
use crate::domain::event::AgeBand;
use crate::domain::ids::UnitId;
use crate::domain::item::ItemStatus;
use crate::domain::policy::Situation;
use crate::domain::reader::Channel;
use crate::store::imports::{KnownCard, KnownItem};
use crate::store::loans::NewLoan;

/// Where, when and how often renewed.
struct Terms {
    unit: UnitId,
    loaned_at: i64,
    due_at: i64,
    renewals: i32,
}

/// Judges a row; `None` when it has faults.
pub(super) fn judge(fields: &mut Fields<'_>, world: &World) -> Option<Judged> {
    fields.needed("barcode");
    fields.needed("card_number");
    let barcode: Option<Barcode> = fields.number("barcode");
    let number: Option<CardNumber> = fields.number("card_number");
    let owner = fields.unit("owner", &world.network, world.owner);
    let terms = terms(fields, world);
    let card = number.and_then(|number| {
        let card = world.cards.get(number.as_str());
        if card.is_none() {
            fields.fault("card_number", "no reader has this card: import the readers first");
        }
        card
    });
    let (barcode, owner) = (barcode?, owner?);
    fields.claim("barcode", format!("loan {owner} {}", barcode.as_str()));
    let Some(item) = world.items.get(&(owner, barcode.as_str().to_owned())) else {
        fields.fault(
            "barcode",
            "the owner has no item with this barcode: import the items first",
        );
        return None;
    };
    let (card, terms) = (card?, terms?);
    if let Some(open) = world.open_loans.get(&item.id) {
        if open.reader == Some(card.reader.id) && open.loaned_at == terms.loaned_at && fields.faults.is_empty() {
            return Some(Judged::Known);
        }
        fields.duplicate("barcode", "the item is on loan already");
    } else if item.status != ItemStatus::OnShelf {
        fields.fault(
            "barcode",
            format!("the item is not on the shelf but {}", item.status.code()),
        );
    }
    if !fields.faults.is_empty() {
        return None;
    }
    Some(Judged::New(Box::new(NewWith {
        old_id: None,
        new: New::Loan {
            loan: row(world, item, card, &terms),
            item: item.clone(),
            reader: card.reader.clone(),
        },
    })))
}

fn terms(fields: &mut Fields<'_>, world: &World) -> Option<Terms> {
    let zone = world.network.zone();
    let loaned_at = fields.moment("loaned_at", zone, false);
    let due_at = fields.moment("due_at", zone, true);
    let unit = fields.unit("unit", &world.network, world.owner);
    let renewals = fields.whole("renewals", 0..=1_000);
    if loaned_at.is_some_and(|at| at > world.now) {
        fields.fault("loaned_at", "lies in the future");
    }
    if loaned_at.zip(due_at).is_some_and(|(loaned, due)| due < loaned) {
        fields.fault("due_at", "lies before loaned_at");
    }
    Some(Terms {
        unit: unit?,
        loaned_at: loaned_at?.timestamp_millis(),
        due_at: due_at?.timestamp_millis(),
        renewals: i32::try_from(renewals.unwrap_or(0)).unwrap_or(0),
    })
}

fn row(world: &World, item: &KnownItem, card: &KnownCard, terms: &Terms) -> NewLoan {
    let reader = &card.reader;
    let situation = Situation {
        unit: terms.unit,
        category: reader.category,
        item_type: item.item_type,
        owner: item.owner,
        channel: Channel::Desk,
        band: reader.band,
    };
    let lent_on = world.network.local_day(crate::clock::from_millis(terms.loaned_at));
    NewLoan {
        id: 0,
        item_id: item.id.get(),
        bib_id: item.bib.get(),
        reader_id: Some(reader.id.get()),
        card_id: Some(card.id.get()),
        unit_id: terms.unit.get(),
        owner_unit_id: item.owner.get(),
        item_type_id: item.item_type.get(),
        category_id: reader.category.get(),
        age_band: AgeBand::on(reader.birth_date, lent_on).code().to_owned(),
        channel: Channel::Desk.code().to_owned(),
        device_id: None,
        rule_id: world.network.winner(&situation).id.get(),
        rules_version: world.network.rules().version,
        filled_hold_id: None,
        loaned_at: terms.loaned_at,
        due_at: terms.due_at,
        due_by_hand: true,
        renewals: terms.renewals,
        reading_room: false,
    }
}
