//! The demo's readers: fictional names, cards whose numbers say nothing, no PIN but for those who may log in.

use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::super::progress::Progress;
use super::super::{Result, UseCaseError};
use super::catalogue::person;
use super::network::Place;
use super::random::Random;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::guardian::Relation;
use crate::domain::ids::{CategoryId, ReaderId};
use crate::domain::network::Network;
use crate::domain::reader::CreditBand;
use crate::store::Store;
use crate::store::bulk::PastVisits;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::readers::guardians::GuardianRow;
use crate::store::readers::{NewCard, NewReader, day_text};

const READERS_PER_WRITE: usize = 1_000;
/// The institution with a long history, and the one without: the first two readers.
pub(super) const HISTORY_READER: usize = 0;
pub(super) const FRESH_READER: usize = 1;

/// Category code, how many in a thousand, and their ages.
const CATEGORIES: &[(&str, usize, (i64, i64))] = &[
    ("adult", 722, (18, 59)),
    ("child", 150, (3, 13)),
    ("senior", 90, (60, 88)),
    ("disabled", 10, (20, 70)),
    ("institution_200", 3, (0, 0)),
    ("reading_only", 25, (16, 70)),
];

#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub id: i64,
    pub card: i64,
    pub category: CategoryId,
    pub category_code: &'static str,
    pub band: CreditBand,
    /// Index of a place.
    pub home: usize,
    pub birth_date: Option<NaiveDate>,
    pub card_end: Option<NaiveDate>,
    /// Open loans planned.
    pub loans: usize,
    pub name: String,
}

impl Reader {
    pub(super) fn is_child(&self) -> bool {
        self.category_code == "child"
    }

    /// A person who may borrow today and for a while.
    pub(super) fn borrows(&self, today: NaiveDate) -> bool {
        let person = matches!(self.category_code, "adult" | "child" | "senior" | "disabled");
        let trusted = matches!(self.band, CreditBand::A | CreditBand::B);
        person && trusted && self.card_end.is_none_or(|end| end > today)
    }
}

/// The number of a card: it says nothing about its holder.
pub(super) fn card_number(index: usize) -> String {
    format!("JC{:08}", 20_000_000 + index)
}

pub(super) fn plan(
    random: &mut Random,
    count: usize,
    places: &[Place],
    network: &Network,
    today: NaiveDate,
) -> Result<Vec<Reader>> {
    (0..count.max(2))
        .map(|index| reader(random, index, places, network, today))
        .collect()
}

fn reader(random: &mut Random, index: usize, places: &[Place], network: &Network, today: NaiveDate) -> Result<Reader> {
    let (code, _, ages) = match index {
        HISTORY_READER | FRESH_READER => ("institution_600", 0, (0, 0)),
        _ => CATEGORIES[random.weighted(CATEGORIES.iter().map(|(_, weight, _)| *weight))],
    };
    let category = network.category_by_code(code);
    let category = category.ok_or_else(|| UseCaseError::Internal(format!("there is no reader category {code}")))?;
    let institution = ages == (0, 0);
    let band = match random.below(1_000) {
        0..=99 if !institution => CreditBand::A,
        100..=129 if !institution => CreditBand::C,
        130..=133 if !institution => CreditBand::Frozen,
        _ => CreditBand::B,
    };
    // Days of a year too few keep everybody within the ages of the category for some months to come.
    let born = today - Days::new(u64::try_from(random.between(ages.0 * 366 + 30, ages.1 * 365)).unwrap_or(0));
    let card_end = match random.below(1_000) {
        0..=99 => Some(today + Days::new(u64::try_from(random.between(20, 900)).unwrap_or(0))),
        100..=114 => Some(today - Days::new(u64::try_from(random.between(1, 90)).unwrap_or(0))),
        _ => None,
    };
    Ok(Reader {
        id: 0,
        card: 0,
        category: category.id,
        category_code: code,
        band,
        home: random.weighted(places.iter().map(|place| place.weight)),
        birth_date: (!institution).then_some(born),
        card_end: card_end.filter(|_| !institution),
        loans: 0,
        name: if institution {
            format!("江城第{}中学图书室", index + 1)
        } else {
            person(random)
        },
    })
}

/// Writes the readers with a card each, and the event that each was registered.
pub(super) async fn write(
    store: &Arc<Store>,
    readers: &[Reader],
    places: &[Place],
    at: DateTime<Utc>,
    progress: &dyn Progress,
) -> Result<()> {
    progress.begin("readers", u64::try_from(readers.len()).ok());
    let mut first = 0;
    for chunk in readers.chunks(READERS_PER_WRITE) {
        // An event for each, and a link for each child.
        let ids = store
            .take_ids::<UseCaseError>(i64::try_from(2 * chunk.len()).unwrap_or(0))
            .await?;
        let rows: Vec<NewReader> = chunk.iter().map(|reader| row(reader, places, at)).collect();
        let cards: Vec<NewCard> = (first..)
            .zip(chunk)
            .map(|(index, reader)| card(reader, index))
            .collect();
        let readers = chunk.to_vec();
        let units: Vec<_> = chunk.iter().map(|reader| places[reader.home].id).collect();
        store
            .write(move |tx| -> Result<()> {
                let mut ids = ids.clone();
                tx.insert_readers(&rows, &cards)?;
                let day = tx.day_of(at);
                tx.insert_guardianships(&links(&readers, &mut ids, day, at))?;
                let events: Vec<Event<'_>> = readers
                    .iter()
                    .zip(&units)
                    .map(|(reader, unit)| {
                        Event::new(EventKind::ReaderRegistered, at, *unit, SYSTEM_CHANNEL).of_reader(
                            ReaderId::new(reader.id),
                            reader.category,
                            AgeBand::on(reader.birth_date, day),
                        )
                    })
                    .collect();
                Ok(tx.append_events(&mut ids, &PastVisits::new()?, &events)?)
            })
            .await?;
        first += chunk.len();
        progress.advance(u64::try_from(chunk.len()).unwrap_or(0));
    }
    Ok(())
}

/// Each child has the adult before it as a guardian, or the first one after it, and the form was signed.
fn links(readers: &[Reader], ids: &mut IdRun, day: NaiveDate, at: DateTime<Utc>) -> Vec<GuardianRow> {
    let mut guardian = readers.iter().find(|reader| reader.category_code == "adult");
    let mut links = Vec::new();
    for reader in readers {
        if reader.category_code == "adult" {
            guardian = Some(reader);
        }
        let Some(guardian) = guardian.filter(|_| reader.is_child()) else {
            continue;
        };
        let id = ids.next();
        links.push(GuardianRow {
            id,
            guardian_reader_id: guardian.id,
            ward_reader_id: reader.id,
            relation: Relation::Parent.code().to_owned(),
            may_act: true,
            consent_form: Some(format!("JC-{id}")),
            consented_on: Some(day_text(day)),
            started_at: at.timestamp_millis(),
            ended_at: None,
        });
    }
    links
}

fn row(reader: &Reader, places: &[Place], at: DateTime<Utc>) -> NewReader {
    NewReader {
        id: reader.id,
        name: reader.name.clone(),
        category_id: reader.category.get(),
        home_unit_id: places[reader.home].id.get(),
        status: "active".to_owned(),
        barred: false,
        birth_date: reader.birth_date.map(day_text),
        credit_band: reader.band.code().to_owned(),
        debt_fen: 0,
        note: None,
        pin_hash: None,
        open_holds: 0,
        created_at: at.timestamp_millis(),
    }
}

fn card(reader: &Reader, index: usize) -> NewCard {
    NewCard {
        id: reader.card,
        number: card_number(index),
        reader_id: reader.id,
        kind: "physical".to_owned(),
        status: "active".to_owned(),
        expires_on: reader.card_end.map(day_text),
        issued_at: None,
    }
}
