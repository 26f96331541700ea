//! The demo's items: where each copy stands and in what state, planned before anything is lent and written after.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::super::progress::Progress;
use super::super::{Result, UseCaseError};
use super::catalogue::Bib;
use super::network::Place;
use super::random::Random;
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, CollectionId, ItemId, ItemTypeId, UnitId};
use crate::domain::item::ItemStatus;
use crate::domain::network::Network;
use crate::domain::unit::UnitKind;
use crate::store::Store;
use crate::store::bulk::PastVisits;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::items::NewItem;

pub(super) const ITEMS_PER_BIB: usize = 6;
const ITEMS_PER_WRITE: usize = 2_000;
/// Barcodes that two owners have both used: a scan of one asks which item is meant.
const SHARED_BARCODES: u64 = 20;
const SHARED_PREFIX: u64 = 99;

/// One copy. `place` and `current` are indices of places, `bib` of bibs.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub id: i64,
    pub bib: usize,
    pub place: usize,
    pub current: usize,
    pub item_type: ItemTypeId,
    pub collection: Option<CollectionId>,
    pub status: ItemStatus,
    pub not_for_loan: bool,
    pub for_children: bool,
    barcode: u64,
    pub last_event_at: i64,
}

impl Item {
    pub(super) fn barcode(&self) -> String {
        format!("{:010}", self.barcode)
    }

    /// Another owner has an item with this barcode too.
    pub(super) fn shares_barcode(&self) -> bool {
        self.barcode / 100_000_000 == SHARED_PREFIX
    }

    /// Anybody may borrow it as it stands there.
    pub(super) fn is_free(&self) -> bool {
        self.status == ItemStatus::OnShelf && !self.not_for_loan
    }
}

/// Plans the copies of all bibs.
pub(super) fn plan(
    random: &mut Random,
    places: &[Place],
    bibs: &[Bib],
    network: &Network,
    at: DateTime<Utc>,
) -> Result<Vec<Item>> {
    let mut numbers: HashMap<UnitId, (u64, u64)> = HashMap::new();
    let target = bibs.len() * ITEMS_PER_BIB;
    let mut items = Vec::with_capacity(target);
    let mut bib = 0;
    while items.len() < target {
        let copies = 1 + random.below(2 * ITEMS_PER_BIB - 1);
        for _ in 0..copies.min(target - items.len()) {
            let place = place_for(random, places, bibs[bib].item_type);
            let barcode = next_barcode(&mut numbers, &places[place]);
            items.push(item(random, (places, place), (bibs, bib), network, barcode, at)?);
        }
        bib = (bib + 1) % bibs.len();
    }
    Ok(items)
}

/// Ordinary books stand everywhere but in the children's central, children's books mostly there, the rest in the large
/// houses.
fn place_for(random: &mut Random, places: &[Place], item_type: &str) -> usize {
    let weight = |place: &Place| match item_type {
        "book" if place.for_children => 0,
        "book" => place.weight,
        "book_children" if place.for_children => 4 * place.weight,
        "book_children" => place.weight.min(40),
        _ if place.kind == UnitKind::Central || place.kind == UnitKind::Main => place.weight,
        _ => 0,
    };
    random.weighted(places.iter().map(weight))
}

/// Two digits of the owner and a number within it; two owners have used the same numbers for a while.
fn next_barcode(numbers: &mut HashMap<UnitId, (u64, u64)>, place: &Place) -> u64 {
    let owners = u64::try_from(numbers.len()).unwrap_or(0);
    let (owner, next) = numbers.entry(place.owner).or_insert((owners + 1, 0));
    *next += 1;
    let shared = matches!(*owner, 3 | 4) && *next <= SHARED_BARCODES;
    let prefix = if shared { SHARED_PREFIX } else { *owner };
    prefix * 100_000_000 + *next
}

fn item(
    random: &mut Random,
    (places, place): (&[Place], usize),
    (bibs, bib): (&[Bib], usize),
    network: &Network,
    barcode: u64,
    at: DateTime<Utc>,
) -> Result<Item> {
    let (at_place, code) = (&places[place], bibs[bib].item_type);
    let item_type = network.item_types().by_code(code);
    let item_type = item_type.ok_or_else(|| UseCaseError::Internal(format!("there is no item type {code}")))?;
    let for_reference = at_place.reference.is_some() && random.per_mille(30);
    let status = match random.below(1_000) {
        0..=4 => ItemStatus::InProcessing,
        5..=7 => ItemStatus::Damaged,
        8..=11 => ItemStatus::Missing,
        12..=14 => ItemStatus::Lost,
        15..=19 => ItemStatus::Withdrawn,
        _ => ItemStatus::OnShelf,
    };
    Ok(Item {
        id: 0,
        bib,
        place,
        current: place,
        item_type: item_type.id,
        collection: if for_reference {
            at_place.reference
        } else {
            at_place.general
        },
        status,
        not_for_loan: for_reference,
        for_children: code == "book_children",
        barcode,
        last_event_at: at.timestamp_millis(),
    })
}

/// Writes the items as they are planned, with the event that each was added.
pub(super) async fn write(
    store: &Arc<Store>,
    items: &[Item],
    (places, bibs): (&[Place], &[Bib]),
    at: DateTime<Utc>,
    progress: &dyn Progress,
) -> Result<()> {
    progress.begin("items", u64::try_from(items.len()).ok());
    for chunk in items.chunks(ITEMS_PER_WRITE) {
        let ids = store
            .take_ids::<UseCaseError>(i64::try_from(chunk.len()).unwrap_or(0))
            .await?;
        let rows: Vec<NewItem> = chunk
            .iter()
            .map(|item| row(item, places, &bibs[item.bib], at))
            .collect();
        let of: Vec<Bib> = chunk.iter().map(|item| bibs[item.bib]).collect();
        store
            .write(move |tx| -> Result<()> {
                tx.insert_items(&rows)?;
                let events: Vec<Event<'_>> = rows.iter().zip(&of).map(|(row, bib)| added(row, bib, at)).collect();
                Ok(tx.append_events(&mut ids.clone(), &PastVisits::new()?, &events)?)
            })
            .await?;
        progress.advance(u64::try_from(chunk.len()).unwrap_or(0));
    }
    Ok(())
}

fn row(item: &Item, places: &[Place], bib: &Bib, at: DateTime<Utc>) -> NewItem {
    let place = &places[item.place];
    let number = item.barcode % 100_000_000;
    NewItem {
        id: item.id,
        bib_id: bib.id,
        barcode: item.barcode(),
        rfid_tag: Some(format!("E00401{:010X}", item.id)),
        owner_unit_id: place.owner.get(),
        home_unit_id: place.id.get(),
        current_unit_id: places[item.current].id.get(),
        collection_id: item.collection.map(CollectionId::get),
        shelf_location: Some(format!(
            "{}区{}排",
            char::from(b'A' + u8::try_from(number % 12).unwrap_or(0)),
            number % 30 + 1
        )),
        call_number: Some(format!("{}/{}", bib.class, item.bib % 900 + 100)),
        item_type_id: item.item_type.get(),
        price_fen: Some(bib.price_fen),
        status: item.status.code().to_owned(),
        not_for_loan: item.not_for_loan,
        min_age_years: None,
        for_children: item.for_children,
        alert_note: None,
        parts: if bib.item_type == "av_disc" { 2 } else { 1 },
        last_event_at: item.last_event_at,
        volume: None,
        created_at: at.timestamp_millis(),
    }
}

fn added(row: &NewItem, bib: &Bib, at: DateTime<Utc>) -> Event<'static> {
    Event {
        item: Some(ItemId::new(row.id)),
        bib: Some(BibId::new(row.bib_id)),
        owner: Some(UnitId::new(row.owner_unit_id)),
        home: Some(UnitId::new(row.home_unit_id)),
        item_type: Some(ItemTypeId::new(row.item_type_id)),
        clc_class: Some(bib.class),
        ..Event::new(EventKind::ItemAdded, at, UnitId::new(row.home_unit_id), SYSTEM_CHANNEL)
    }
}
