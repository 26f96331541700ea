//! The demo's bibs: CNMARC records made in memory and taken in exactly as an import takes them.

use std::io::Write;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::super::import_marc::prepare;
use super::super::progress::Progress;
use super::super::{Result, UseCaseError};
use super::random::Random;
use super::words::{CHILDREN, FOREIGN_TITLES, GIVEN, PERIODICALS, PUBLISHERS, SUBJECTS, SUBTITLES, SURNAMES, Subject};
use crate::catalogue::marc::{self, MarcRecord, ReadOptions};
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, UnitId};
use crate::store::Store;
use crate::store::bulk::{BibWithIsbns, PastVisits};
use crate::store::events::{Event, SYSTEM_CHANNEL};

const BIBS_PER_WRITE: usize = 500;
/// ISBNs of one series: the demo has the first, files for trying the import the second.
const ISBNS_PER_SERIES: u64 = 50_000_000;

/// Which numbers records get, so that two series never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Series {
    Demo,
    ForImport,
}

/// What items need to know of their bib.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bib {
    pub id: i64,
    pub class: &'static str,
    /// The code of its items' type.
    pub item_type: &'static str,
    pub price_fen: i64,
}

/// Creates the bibs; answers them in order.
pub(super) async fn seed(
    store: &Arc<Store>,
    (seed, count): (u64, usize),
    root: UnitId,
    at: DateTime<Utc>,
    progress: &dyn Progress,
) -> Result<Vec<Bib>> {
    let mut random = Random::new(seed, "catalogue");
    let mut bibs = Vec::with_capacity(count);
    progress.begin("bibs", u64::try_from(count).ok());
    while bibs.len() < count {
        let numbers = bibs.len()..count.min(bibs.len() + BIBS_PER_WRITE);
        let made = numbers.len();
        let mut ids = store
            .take_ids::<UseCaseError>(2 * i64::try_from(made).unwrap_or(0))
            .await?;
        let mut rows = Vec::with_capacity(made);
        for number in numbers {
            let (mut bib, record) = record(&mut random, Series::Demo, number)?;
            let mut row = taken_in(&record)?;
            bib.id = ids.next();
            row.bib.id = bib.id;
            (row.bib.created_at, row.bib.updated_at) = (at.timestamp_millis(), at.timestamp_millis());
            bibs.push(bib);
            rows.push((bib, row));
        }
        store
            .write(move |tx| -> Result<()> {
                tx.insert_bibs(&rows.iter().map(|(_, row)| row).collect::<Vec<_>>())?;
                let events = rows.iter().map(|(bib, _)| Event {
                    bib: Some(BibId::new(bib.id)),
                    clc_class: Some(bib.class),
                    ..Event::new(EventKind::BibCreated, at, root, SYSTEM_CHANNEL)
                });
                Ok(tx.append_events(&mut ids.clone(), &PastVisits::new()?, &events.collect::<Vec<_>>())?)
            })
            .await?;
        progress.advance(u64::try_from(made).unwrap_or(0));
    }
    Ok(bibs)
}

/// Writes records for trying the import as ISO 2709; none of them is in the demo.
///
/// # Errors
/// When they cannot be written.
pub fn write_records(out: &mut dyn Write, seed: u64, count: usize, progress: &dyn Progress) -> Result<()> {
    let mut random = Random::new(seed, "records for import");
    progress.begin("records", u64::try_from(count).ok());
    for number in 0..count {
        let (_, record) = record(&mut random, Series::ForImport, number)?;
        let written = out.write_all(&record);
        written.map_err(|error| UseCaseError::Internal(format!("the records cannot be written: {error}")))?;
        progress.advance(1);
    }
    Ok(())
}

/// The way of an imported record: read, summarised, kept whole.
fn taken_in(bytes: &[u8]) -> Result<BibWithIsbns> {
    let record = marc::read(bytes, ReadOptions::default()).next();
    let record = record.ok_or_else(|| UseCaseError::Internal("an empty record was made".into()))?;
    record
        .map(prepare)
        .map_err(|error| UseCaseError::Internal(error.to_string()))
}

struct Work {
    title: String,
    subtitle: Option<&'static str>,
    author: String,
    language: &'static str,
    class: &'static str,
    heading: &'static str,
    item_type: &'static str,
}

fn record(random: &mut Random, series: Series, number: usize) -> Result<(Bib, Vec<u8>)> {
    let work = work(random);
    let price_fen = random.between(18, 98) * 100 - 20;
    let record = marc_of(random, series, number, &work, price_fen);
    let bytes = record.map_err(|error| UseCaseError::Internal(error.to_string()))?;
    let bytes = marc::to_iso2709(&bytes).map_err(|error| UseCaseError::Internal(error.to_string()))?;
    Ok((
        Bib {
            id: 0,
            class: work.class,
            item_type: work.item_type,
            price_fen,
        },
        bytes,
    ))
}

fn work(random: &mut Random) -> Work {
    let kinds = [
        ("book", 715),
        ("book_children", 190),
        ("book_foreign", 35),
        ("periodical", 30),
        ("av_disc", 15),
        ("av_audio", 8),
        ("book_braille", 7),
    ];
    let (item_type, _) = kinds[random.weighted(kinds.iter().map(|(_, weight)| *weight))];
    let subject: &Subject = if item_type == "book_children" {
        &CHILDREN
    } else {
        random.pick(SUBJECTS)
    };
    let (title, language) = match item_type {
        "book_foreign" => ((*random.pick(FOREIGN_TITLES)).to_owned(), "eng"),
        "periodical" => (
            format!("{} {}年合订本", random.pick(PERIODICALS), random.between(2005, 2025)),
            "chi",
        ),
        _ => (
            format!("{}{}", random.pick(subject.heads), random.pick(subject.tails)),
            "chi",
        ),
    };
    Work {
        title,
        subtitle: random.per_mille(550).then(|| *random.pick(SUBTITLES)),
        author: person(random),
        language,
        class: if item_type == "book_foreign" {
            "I712.45"
        } else {
            subject.class
        },
        heading: subject.heading,
        item_type,
    }
}

/// A fictional name of two or three characters.
pub(super) fn person(random: &mut Random) -> String {
    let (surname, given) = (random.pick(SURNAMES), random.pick(GIVEN));
    let second = if random.per_mille(600) { *random.pick(GIVEN) } else { "" };
    format!("{surname}{given}{second}")
}

fn marc_of(
    random: &mut Random,
    series: Series,
    number: usize,
    work: &Work,
    price_fen: i64,
) -> std::result::Result<MarcRecord, marc::BuildError> {
    let prefix = match series {
        Series::Demo => "JC",
        Series::ForImport => "IM",
    };
    let year = random.between(1996, 2025);
    let yuan = format!("CNY{}.{:02}", price_fen / 100, price_fen % 100);
    let processing = format!("{year}0611d{year}    em y0{}y50      ea", work.language);
    let publisher = *random.pick(PUBLISHERS);
    let title: Vec<(char, &str)> = [('a', work.title.as_str())]
        .into_iter()
        .chain(work.subtitle.map(|subtitle| ('e', subtitle)))
        .chain([('f', work.author.as_str())])
        .collect();
    MarcRecord::builder("00000nam0 2200000   450 ")
        .control("001", &format!("{prefix}{number:010}"))
        .data("010", "  ", &[('a', &isbn(series, number)), ('d', &yuan)])
        .data("100", "  ", &[('a', &processing)])
        .data("101", "0 ", &[('a', work.language)])
        .data("102", "  ", &[('a', "CN"), ('b', "420000")])
        .data("200", "1 ", &title)
        .data(
            "210",
            "  ",
            &[('a', "江城"), ('c', publisher), ('d', &year.to_string())],
        )
        .data(
            "215",
            "  ",
            &[('a', &format!("{}页", random.between(96, 640))), ('d', "21cm")],
        )
        .data(
            "330",
            "  ",
            &[('a', &format!("本书以{}为线索,讲述{}。", work.heading, work.title))],
        )
        .data("606", "0 ", &[('a', work.heading)])
        .data("690", "  ", &[('a', work.class), ('v', "5")])
        .data("701", " 0", &[('a', &work.author), ('4', "著")])
        .data(
            "801",
            " 0",
            &[('a', "CN"), ('b', "JCLIB"), ('c', &format!("{year}0611"))],
        )
        .build()
}

/// A valid ISBN-13, hyphenated; the step is coprime to the series, so none repeats.
fn isbn(series: Series, number: usize) -> String {
    let number = u64::try_from(number).unwrap_or(0);
    let first = if series == Series::Demo { 0 } else { ISBNS_PER_SERIES };
    let body = first + (number * 7_368_787 + 1_234_567) % ISBNS_PER_SERIES;
    let digits = format!("9787{body:08}");
    let sum: u32 = digits
        .bytes()
        .zip([1, 3].into_iter().cycle())
        .map(|(digit, by)| u32::from(digit - b'0') * by)
        .sum();
    format!("978-7-{}-{}-{}", &digits[4..8], &digits[8..], (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_record_is_taken_in_with_an_isbn_of_its_own() {
        let mut random = Random::new(1, "test");
        let mut isbns = HashSet::new();
        for series in [Series::Demo, Series::ForImport] {
            for number in 0..300 {
                let (_, record) = record(&mut random, series, number).expect("made");
                let row = taken_in(&record).expect("taken in");
                assert_eq!(row.isbns.len(), 1, "the ISBN is valid");
                assert!(isbns.insert(row.isbns[0].clone()), "the ISBN is its own");
                assert!(!row.bib.title.is_empty() && row.bib.clc_class.is_some() && row.bib.format == "cnmarc");
            }
        }
    }
}
