//! A small network to lend in: a root, a main, items and readers.

use std::sync::Arc;

use chrono::{DateTime, TimeZone, Utc};
use tongjie::auth::{Grant, Role};
use tongjie::clock::Clock;
use tongjie::domain::barcode::{Barcode, CardNumber};
use tongjie::domain::ids::{BibId, StaffId, UnitId};
use tongjie::domain::unit::{Unit, UnitKind};
use tongjie::store::bibs::NewBib;
use tongjie::store::items::NewItem;
use tongjie::store::readers::{NewCard, NewReader};
use tongjie::store::{Store, StoreError};
use tongjie::usecase::check_out::{CheckOut, check_out};
use tongjie::usecase::record::Consent;
use tongjie::usecase::view::CheckOutOutcome;
use tongjie::usecase::{Caller, IdempotencyKey, UseCaseError, Who, bootstrap};

use crate::database::{Database, Engine};

pub struct World {
    pub store: Arc<Store>,
    pub main: UnitId,
    pub db: Database,
}

pub fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 10, 4, 0, 0)
        .single()
        .expect("a real moment")
}

impl World {
    /// Items `I0…`, each of a bib of its own, and `readers` adults with the cards `R0…`.
    pub async fn new(engine: Engine, items: usize, readers: usize) -> Self {
        let db = Database::new(engine);
        let store = db.open(Clock::fixed(noon()));
        Self::fill(db, store, items, readers).await
    }

    pub async fn fill(db: Database, store: Arc<Store>, items: usize, readers: usize) -> Self {
        bootstrap::bootstrap(&store)
            .await
            .expect("an empty database takes the preset");
        let mut ids = store
            .take_ids::<StoreError>((2 * items + 2 * readers + 10) as i64)
            .await
            .expect("ids");
        let (main, bib) = (UnitId::new(ids.next()), BibId::new(ids.next()));
        store
            .write(move |tx| {
                let mut ids = ids.clone();
                let network = tx.network()?;
                let root = network.units().root().expect("the bootstrap made it").clone();
                tx.insert_unit(&unit(main, "main", UnitKind::Main, &root), &mut || ids.next())?;
                tx.insert_bib(&new_bib(bib), &[])?;
                let item_type = network.item_types().by_code("book").expect("of the preset").id;
                let category = network.category_by_code("adult").expect("of the preset").id;
                for n in 0..items {
                    let bib = if n == 0 { bib } else { BibId::new(ids.next()) };
                    if n > 0 {
                        tx.insert_bib(&new_bib(bib), &[])?;
                    }
                    tx.insert_item(&new_item(ids.next(), bib, main, item_type.get(), &format!("I{n}")))?;
                }
                for n in 0..readers {
                    let (id, card) = (ids.next(), ids.next());
                    let (reader, card) = new_reader(id, card, main, category.get(), &format!("R{n}"));
                    tx.insert_reader(&reader, &card)?;
                }
                Ok::<_, StoreError>(())
            })
            .await
            .expect("the world is made");
        Self { store, main, db }
    }

    /// A librarian at the main.
    pub fn librarian(&self) -> Caller {
        Self::librarian_at(self.main)
    }

    pub fn librarian_at(main: UnitId) -> Caller {
        let grants = vec![Grant {
            role: Role::Librarian,
            unit: main.get(),
        }];
        Caller {
            who: Who::Staff {
                id: StaffId::new(1),
                grants,
            },
            unit: Some(main),
            session: 1,
        }
    }

    pub async fn lend(
        &self,
        item: &str,
        card: &str,
        key: Option<&str>,
    ) -> Result<(CheckOutOutcome, bool), UseCaseError> {
        lend(&self.store, &self.librarian(), item, card, key).await
    }
}

pub async fn lend(
    store: &Arc<Store>,
    caller: &Caller,
    item: &str,
    card: &str,
    key: Option<&str>,
) -> Result<(CheckOutOutcome, bool), UseCaseError> {
    let command = CheckOut {
        item: Barcode::parse(item).expect("a barcode").into(),
        owner_unit_code: None,
        card: CardNumber::parse(card).expect("a card number").into(),
        ward: None,
        due_at: None,
        consent: Consent::default(),
        dry_run: false,
    };
    let key = key.map(|key| IdempotencyKey {
        key: key.to_owned(),
        request_hash: [7; 32],
    });
    check_out(store, caller, command, key)
        .await
        .map(|once| (once.value, once.replayed))
}

pub fn unit(id: UnitId, code: &str, kind: UnitKind, parent: &Unit) -> Unit {
    Unit {
        id,
        code: code.to_owned(),
        name: code.to_owned(),
        kind,
        parent: Some(parent.id),
        path: Unit::path_under(Some(parent), id),
        active: true,
        lends: true,
        pickup_point: true,
        adult_only: false,
        latitude: None,
        longitude: None,
        always_open: false,
        hours: None,
        closed: Vec::new(),
        return_policy: None,
        mobile: false,
        stops: Vec::new(),
        dated: tongjie::domain::dated::Dated::default(),
    }
}

pub fn new_bib(id: BibId) -> NewBib {
    NewBib {
        id: id.get(),
        control_number: None,
        format: "cnmarc".into(),
        container: "iso2709".into(),
        encoding: "utf-8".into(),
        marc: vec![0x1d],
        title: "红楼梦".into(),
        authors: "曹雪芹".into(),
        publisher: None,
        publish_year: None,
        isbn: None,
        clc_class: Some("I242.4".into()),
        language: Some("chi".into()),
        search_text: "红楼梦".into(),
        open_holds: 0,
        created_at: 0,
        updated_at: 0,
    }
}

pub fn new_item(id: i64, bib: BibId, unit: UnitId, item_type: i64, barcode: &str) -> NewItem {
    NewItem {
        id,
        bib_id: bib.get(),
        barcode: barcode.to_owned(),
        rfid_tag: None,
        owner_unit_id: unit.get(),
        home_unit_id: unit.get(),
        current_unit_id: unit.get(),
        collection_id: None,
        shelf_location: None,
        call_number: None,
        item_type_id: item_type,
        price_fen: None,
        status: "on_shelf".into(),
        not_for_loan: false,
        min_age_years: None,
        for_children: false,
        alert_note: None,
        parts: 1,
        last_event_at: 0,
        created_at: 0,
        volume: None,
    }
}

pub fn new_reader(id: i64, card: i64, unit: UnitId, category: i64, number: &str) -> (NewReader, NewCard) {
    let reader = NewReader {
        id,
        name: "测试读者".into(),
        category_id: category,
        home_unit_id: unit.get(),
        status: "active".into(),
        barred: false,
        birth_date: Some("1990-01-01".into()),
        credit_band: "b".into(),
        debt_fen: 0,
        note: None,
        pin_hash: None,
        open_holds: 0,
        created_at: 0,
    };
    let card = NewCard {
        id: card,
        number: number.to_owned(),
        reader_id: id,
        kind: "physical".into(),
        status: "active".into(),
        expires_on: None,
        issued_at: None,
    };
    (reader, card)
}
