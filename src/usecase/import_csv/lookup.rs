//! What a chunk of rows is judged by: read at once, before any row is looked at.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use super::super::Result;
use super::Kind;
use super::read::Row;
use crate::catalogue::isbn::Isbn13;
use crate::domain::ids::{BibId, CollectionId, ItemId, ReaderId, UnitId};
use crate::domain::network::Network;
use crate::store::bulk::KnownBibs;
use crate::store::imports::{KnownBib, KnownCard, KnownItem, KnownReader, OpenLoan};
use crate::store::tx::ReadTx;

/// The network, and what is there already of what the rows name.
pub(super) struct World {
    pub network: Arc<Network>,
    /// Whose system the file comes from.
    pub owner: UnitId,
    pub now: DateTime<Utc>,
    pub today: NaiveDate,
    pub cards: HashMap<String, KnownCard>,
    pub old_ids: HashMap<String, KnownReader>,
    pub items: HashMap<(UnitId, String), KnownItem>,
    pub open_loans: HashMap<ItemId, OpenLoan>,
    pub bib_ids: HashMap<BibId, Option<String>>,
    /// Which bib stands for a duplicate.
    pub merged: HashMap<BibId, BibId>,
    pub bib_numbers: KnownBibs,
    pub collections: HashMap<(UnitId, String), CollectionId>,
    /// In fen.
    pub deposits: HashMap<ReaderId, i64>,
}

impl World {
    /// Reads what these rows of this kind name.
    pub(super) fn read(tx: &mut ReadTx<'_>, kind: Kind, owner: UnitId, rows: &[Row]) -> Result<Self> {
        let network = tx.network()?;
        let now = tx.now();
        let today = network.local_day(now);
        let mut world = Self {
            network,
            owner,
            now,
            today,
            cards: HashMap::new(),
            old_ids: HashMap::new(),
            items: HashMap::new(),
            open_loans: HashMap::new(),
            bib_ids: HashMap::new(),
            merged: HashMap::new(),
            bib_numbers: KnownBibs::default(),
            collections: HashMap::new(),
            deposits: HashMap::new(),
        };
        match kind {
            Kind::Readers => world.read_readers(tx, rows, &["card_number"], "old_id")?,
            Kind::Cards => world.read_readers(tx, rows, &["card_number", "reader_card"], "reader_old_id")?,
            Kind::Items => world.read_items(tx, rows)?,
            Kind::Loans => world.read_loans(tx, rows)?,
            Kind::Deposits => {
                world.read_readers(tx, rows, &["card_number"], "reader_old_id")?;
                let of_cards = world.cards.values().map(|card| card.reader.id.get());
                let readers: Vec<i64> = of_cards
                    .chain(world.old_ids.values().map(|reader| reader.id.get()))
                    .collect();
                world.deposits = tx.deposits_of(owner, &readers)?.into_iter().collect();
            }
        }
        Ok(world)
    }

    fn read_readers(&mut self, tx: &mut ReadTx<'_>, rows: &[Row], cards: &[&str], old_id: &str) -> Result<()> {
        let numbers: Vec<String> = cards.iter().flat_map(|column| cells(rows, column)).collect();
        let known = tx.cards_with_numbers(&numbers)?;
        self.cards = known.into_iter().map(|card| (card.number.clone(), card)).collect();
        let old_ids = cells(rows, old_id);
        if !old_ids.is_empty() {
            self.old_ids = tx.readers_with_old_ids(self.owner, &old_ids)?.into_iter().collect();
        }
        Ok(())
    }

    fn read_items(&mut self, tx: &mut ReadTx<'_>, rows: &[Row]) -> Result<()> {
        self.keep_items(tx.items_with_barcodes(&cells(rows, "barcode"))?);
        let isbns: Vec<String> = cells(rows, "isbn")
            .iter()
            .filter_map(|text| Some(Isbn13::parse(text).ok()?.as_str().to_owned()))
            .collect();
        self.bib_numbers = tx.known_bibs(&isbns, &cells(rows, "control_number"))?;
        let mut ids: Vec<i64> = cells(rows, "bib_id")
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        let numbers = &self.bib_numbers;
        ids.extend(
            numbers
                .by_isbn
                .values()
                .chain(numbers.by_control_number.values())
                .map(|id| id.get()),
        );
        self.keep_bibs(tx.bibs_with_ids(&ids)?);
        if !self.merged.is_empty() {
            let standing: Vec<i64> = self.merged.values().map(|bib| bib.get()).collect();
            self.keep_bibs(tx.bibs_with_ids(&standing)?);
        }
        self.collections = tx
            .collections_with_codes(&cells(rows, "collection"))?
            .into_iter()
            .collect();
        Ok(())
    }

    fn read_loans(&mut self, tx: &mut ReadTx<'_>, rows: &[Row]) -> Result<()> {
        let known = tx.cards_with_numbers(&cells(rows, "card_number"))?;
        self.cards = known.into_iter().map(|card| (card.number.clone(), card)).collect();
        self.keep_items(tx.items_with_barcodes(&cells(rows, "barcode"))?);
        let ids: Vec<i64> = self.items.values().map(|item| item.id.get()).collect();
        let open = tx.open_loans_of_items(&ids)?;
        self.open_loans = open.into_iter().map(|loan| (loan.item, loan)).collect();
        Ok(())
    }

    fn keep_bibs(&mut self, known: Vec<KnownBib>) {
        for (id, clc_class, standing) in known {
            self.bib_ids.insert(id, clc_class);
            self.merged.extend(standing.map(|bib| (id, bib)));
        }
    }

    fn keep_items(&mut self, known: Vec<KnownItem>) {
        let keyed = known.into_iter().map(|item| ((item.owner, item.barcode.clone()), item));
        self.items = keyed.collect();
    }
}

/// What the rows say in a column.
pub(super) fn cells(rows: &[Row], column: &str) -> Vec<String> {
    rows.iter()
        .filter_map(|row| row.cell(column).map(str::to_owned))
        .collect()
}
