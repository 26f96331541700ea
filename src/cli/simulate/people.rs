//! The people before a machine with doors: two readers who pass books on to each other through it, and whoever works there. At a pickup
//! locker one of them asks for the book, the other brings it, and it is fetched; at a browsing machine it is borrowed and brought back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::client::Client;
use super::locker::{Locker, Meant, Why, number_of};
use super::{Scene, below};
use crate::usecase::seed_demo::{DemoAccounts, ReaderAccount};

/// Books of each machine.
const BOOKS: usize = 2;

/// Doors that a machine without any is given.
const DOORS: u16 = 8;

/// Of a hundred who open a door so many leave the book.
const LEAVE: u64 = 12;

/// Of a hundred who type their PIN so many type another.
const WRONG: u64 = 4;

/// Where a book is, as far as people know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// On its shelf.
    Home,
    /// On its way to the machine.
    Coming,
    /// A reader of the two has it, or is to have it once the door is closed.
    With(usize),
    /// Taken out for the way home.
    Leaving,
    /// Something else became of it.
    Gone,
}

struct Book {
    barcode: String,
    home: String,
    /// Known once it was lent.
    item: i64,
    bib: i64,
    tag: String,
    stage: Stage,
    /// Behind which door it is, or is to be.
    door: Option<u16>,
    /// Who takes it next.
    next: usize,
    /// How many found that it does not wait for them.
    in_vain: u8,
}

/// Staff at work, each at one unit.
struct Desks {
    url: String,
    username: String,
    password: String,
    clients: BTreeMap<String, Client>,
}

impl Desks {
    fn at(&mut self, unit: &str) -> &mut Client {
        let client = || Client::of_staff_at(&self.url, &self.username, &self.password, unit);
        self.clients.entry(unit.to_owned()).or_insert_with(client)
    }
}

pub(super) struct People {
    desks: Desks,
    readers: Vec<(ReaderAccount, Client)>,
    books: Vec<Book>,
    /// Of the machine: id, unit, and whether it is for browsing. Asked for at the first visit.
    machine: Option<(i64, String, bool)>,
    index: usize,
    visits: usize,
}

impl People {
    /// Nobody, where the accounts have no `system`, or not enough readers.
    pub(super) fn at(scene: &Scene, index: usize) -> Option<Self> {
        let accounts = &scene.accounts;
        let staff = accounts.staff.iter().find(|one| one.role == "system")?;
        let readers = readers(accounts, index);
        (readers.len() == 2).then(|| Self {
            desks: Desks {
                url: scene.url.clone(),
                username: staff.username.clone(),
                password: staff.password.clone(),
                clients: BTreeMap::new(),
            },
            readers: readers
                .into_iter()
                .map(|reader| (reader.clone(), Client::of_reader(&scene.url, reader)))
                .collect(),
            books: Vec::new(),
            machine: None,
            index,
            visits: 0,
        })
    }

    /// One of the books moves on.
    pub(super) fn visit(&mut self, locker: &mut Locker, scene: &Scene) -> Result<(), String> {
        if self.machine.is_none() {
            self.begin(locker, scene)?;
        }
        self.visits += 1;
        let Some(index) = self.visits.checked_rem(self.books.len()) else {
            return Ok(());
        };
        match self.move_on(locker, scene, index) {
            Ok(()) => Ok(()),
            Err(error) => scene.refused(&error),
        }
    }

    /// Who the machine is, its doors, and the books.
    fn begin(&mut self, locker: &mut Locker, scene: &Scene) -> Result<(), String> {
        let listed = locker.client.look("/devices")?;
        let device = &listed["items"][0]["device"];
        let unit = device["unit_code"].as_str().unwrap_or_default().to_owned();
        let id = device["id"].as_i64().unwrap_or_default();
        let browsing = device["kind"] == "kiosk";
        let has = |what: &str| {
            let capabilities = device["capabilities"].as_array();
            capabilities.is_some_and(|all| all.iter().any(|one| one == what))
        };
        if has("door_bank") && has("two_phase_loans") {
            let doors = locker.client.look(&format!("/devices/{id}/compartments"))?;
            if doors["compartments"].as_array().is_none_or(Vec::is_empty) {
                let door = |number: u16| json!({"number": number, "size": "large", "purpose": "any"});
                let doors = (1..=DOORS).map(door);
                let built = json!({"compartments": doors.collect::<Vec<Value>>()});
                self.desks
                    .at(&unit)
                    .put(&format!("/devices/{id}/compartments"), &built)?;
            }
            self.books = books(&scene.accounts, self.index, browsing.then_some(unit.as_str()));
            self.go_on(locker, &format!("/devices/{id}/compartments"), &unit)?;
        }
        self.machine = Some((id, unit, browsing));
        Ok(())
    }

    /// What was left by an earlier run: books that one of the two has, and those behind doors.
    fn go_on(&mut self, locker: &mut Locker, doors: &str, unit: &str) -> Result<(), String> {
        for (reader, (_, phone)) in self.readers.iter_mut().enumerate() {
            let loans = phone.look("/me/loans")?;
            for loan in loans["items"].as_array().into_iter().flatten() {
                if let Some(book) = self.books.iter_mut().find(|book| loan["item_barcode"] == book.barcode) {
                    book.knows(loan, self.desks.at(unit))?;
                    (book.stage, book.next) = (Stage::With(reader), reader);
                }
            }
        }
        let doors = locker.client.look(doors)?;
        for door in doors["compartments"].as_array().into_iter().flatten() {
            if let Some(book) = self.books.iter_mut().find(|book| door["item_barcode"] == book.barcode) {
                book.door = Some(number_of(door));
                locker.behind.insert(number_of(door), book.tag.clone());
            }
        }
        Ok(())
    }

    fn here(&self) -> (i64, String, bool) {
        self.machine.clone().unwrap_or_default()
    }

    fn move_on(&mut self, locker: &mut Locker, scene: &Scene, index: usize) -> Result<(), String> {
        let (id, _, browsing) = self.here();
        let doors = locker.client.look(&format!("/devices/{id}/compartments"))?;
        let doors = doors["compartments"].as_array().cloned().unwrap_or_default();
        let book = &mut self.books[index];
        let door = doors.iter().find(|door| book.door == Some(number_of(door)));
        if let (Some(door), Some(number)) = (door, book.door) {
            match door["state"].as_str().unwrap_or_default() {
                // Its report is on its way.
                "receiving" | "handing_out" | "unloading" => return Ok(()),
                "unsure" | "held" | "out_of_order" => return self.look_behind(locker, index, number),
                "occupied" if door["item_barcode"] == book.barcode => return self.take(locker, scene, index, number),
                _ => book.door = None,
            }
        }
        match (book.stage, browsing) {
            (Stage::Home, false) => self.ask_for(index),
            // The shelf is beside a browsing machine.
            (Stage::Home | Stage::Leaving, true) | (Stage::Coming, _) => self.load(locker, &doors, index),
            (Stage::With(reader), _) => self.bring_back(locker, scene, index, reader),
            (Stage::Leaving, false) => self.take_home(index),
            (Stage::Gone, _) => Ok(()),
        }
    }

    /// One reader has it from its desk, the other asks for it at the machine, and it is given back.
    fn ask_for(&mut self, index: usize) -> Result<(), String> {
        let (_, here, _) = self.here();
        let [first, second] = [0, 1].map(|reader: usize| self.readers[reader].0.card_number.clone());
        let book = &mut self.books[index];
        let desk = self.desks.at(&book.home);
        // If it is not there, it may be on its way from an earlier run.
        book.stage = Stage::Coming;
        let lent = desk.change(
            "/check-outs",
            &json!({"item_barcode": book.barcode, "card_number": first}),
        )?;
        book.stage = Stage::Gone;
        book.knows(&lent["loan"], desk)?;
        let hold = json!({"card_number": second, "bib_id": book.bib, "item_id": book.item, "pickup_unit_code": here});
        let placed = desk.change("/holds", &hold);
        let back = desk.change("/check-ins", &json!({"item_barcode": book.barcode}))?;
        placed?;
        if back["next_step"]["to_unit_code"] == here.as_str() {
            (book.stage, book.next) = (Stage::Coming, 1);
        }
        Ok(())
    }

    fn load(&mut self, locker: &mut Locker, doors: &[Value], index: usize) -> Result<(), String> {
        let (id, ..) = self.here();
        let taken: Vec<u16> = self.books.iter().filter_map(|book| book.door).collect();
        let is_free = |door: &&Value| door["state"] == "empty" && !taken.contains(&number_of(door));
        let Some(number) = doors.iter().find(is_free).map(number_of) else {
            return Ok(());
        };
        let book = &mut self.books[index];
        let path = format!("/devices/{id}/compartments/{number}/load");
        if let Err(error) = locker.client.change(&path, &json!({"item_barcode": book.barcode})) {
            book.stage = Stage::Gone;
            return Err(error);
        }
        book.door = Some(number);
        locker.expects(number, Why::Load, Meant::Put(book.tag.clone()));
        Ok(())
    }

    /// Its reader comes for it; what waits for nobody is taken out by a courier.
    fn take(&mut self, locker: &mut Locker, scene: &Scene, index: usize, number: u16) -> Result<(), String> {
        let (id, unit, browsing) = self.here();
        let reader = self.books[index].next;
        let Some(session) = self.identify(locker, scene, reader)? else {
            return Ok(());
        };
        let path = format!("/device/locker-sessions/{}", session["id"]);
        let list = if browsing { "to_borrow" } else { "ready" };
        let lies = session[list].as_array().and_then(|all| {
            let mut all = all.iter();
            all.find(|one| number_of(one) == number).cloned()
        });
        let Some(lies) = lies else {
            locker.client.change(&format!("{path}/end"), &json!({}))?;
            let book = &mut self.books[index];
            (book.next, book.in_vain) = (1 - reader, book.in_vain + 1);
            if book.in_vain < 2 {
                return Ok(());
            }
            (book.stage, book.in_vain) = (Stage::Leaving, 0);
            locker.expects(number, Why::Unload, Meant::Take);
            let path = format!("/devices/{id}/compartments/{number}/unload");
            self.desks.at(&unit).change(&path, &json!({}))?;
            return Ok(());
        };
        let (verb, what, why) = if browsing {
            ("loans", json!({"compartment": number}), Why::Borrow)
        } else {
            ("pick-ups", json!({"hold_ids": [lies["hold_id"]]}), Why::PickUp)
        };
        let asked = locker.client.change(&format!("{path}/{verb}"), &what)?;
        for refused in asked["refused"].as_array().into_iter().flatten() {
            scene.refused_by(&refused["refusals"]);
        }
        if let Some(grant) = asked["granted"].as_array().and_then(|all| all.first()) {
            let leaves = below(&mut locker.random, 100) < LEAVE;
            let book = &mut self.books[index];
            (book.stage, book.in_vain) = (Stage::With(reader), 0);
            if book.tag.is_empty() {
                book.knows(&grant["loan"], self.desks.at(&unit))?;
            }
            locker.behind.insert(number, book.tag.clone());
            locker.expects(number, why, if leaves { Meant::Nothing } else { Meant::Take });
        } else {
            // The other one, then.
            self.books[index].next = 1 - reader;
        }
        locker.client.change(&format!("{path}/end"), &json!({}))?;
        Ok(())
    }

    /// By phone and by card in turns; now and then with a PIN that is wrong.
    fn identify(&mut self, locker: &mut Locker, scene: &Scene, reader: usize) -> Result<Option<Value>, String> {
        let (account, phone) = &mut self.readers[reader];
        let by_pin = |pin: &str| json!({"card_number": account.card_number, "pin": pin});
        let who = if self.visits.is_multiple_of(2) {
            json!({"card_token": phone.look("/me/card")?["token"]})
        } else {
            if below(&mut locker.random, 100) < WRONG
                && let Err(error) = locker.client.change("/device/locker-sessions", &by_pin("00000000"))
            {
                scene.refused(&error)?;
            }
            by_pin(&account.pin)
        };
        match locker.client.change("/device/locker-sessions", &who) {
            Ok(session) => Ok(Some(session)),
            Err(error) => scene.refused(&error).map(|()| None),
        }
    }

    /// At a pickup locker the other reader has asked for it meanwhile.
    fn bring_back(&mut self, locker: &mut Locker, scene: &Scene, index: usize, reader: usize) -> Result<(), String> {
        let (_, unit, browsing) = self.here();
        let (other, book) = (1 - reader, &self.books[index]);
        if !browsing && book.next == reader {
            let card = &self.readers[other].0.card_number;
            let hold = json!({"card_number": card, "bib_id": book.bib, "item_id": book.item, "pickup_unit_code": unit});
            if let Err(error) = self.desks.at(&unit).change("/holds", &hold) {
                scene.refused(&error)?;
            }
        }
        let opened = locker.client.change("/device/returns", &json!({"size": "medium"}))?;
        let book = &mut self.books[index];
        let number = number_of(&opened);
        (book.next, book.door) = (other, Some(number));
        locker.expects(number, Why::Return, Meant::Put(book.tag.clone()));
        Ok(())
    }

    fn take_home(&mut self, index: usize) -> Result<(), String> {
        let book = &mut self.books[index];
        book.stage = Stage::Home;
        let body = json!({"item_barcode": book.barcode});
        self.desks.at(&book.home).change("/check-ins", &body).map(|_| ())
    }

    /// A person says what is behind a door.
    fn look_behind(&mut self, locker: &Locker, index: usize, number: u16) -> Result<(), String> {
        let (id, unit, _) = self.here();
        let book = &self.books[index];
        let mut said = json!({"reason": "tongjie simulate"});
        if locker.behind.contains_key(&number) {
            said["item_barcode"] = json!(book.barcode);
        }
        let path = format!("/devices/{id}/compartments/{number}/settlement");
        self.desks.at(&unit).change(&path, &said).map(|_| ())
    }
}

impl Book {
    fn knows(&mut self, loan: &Value, staff: &mut Client) -> Result<(), String> {
        self.item = loan["item_id"].as_i64().unwrap_or_default();
        self.bib = loan["bib_id"].as_i64().unwrap_or_default();
        let item = staff.look(&format!("/items/{}", self.item))?;
        self.tag = item["rfid_tag"].as_str().unwrap_or_default().to_owned();
        Ok(())
    }
}

/// Two grown-ups without a loan, from the end of the list: whoever tries the demo begins at its start.
fn readers(accounts: &DemoAccounts, index: usize) -> Vec<&ReaderAccount> {
    let borrows = |card: &str| accounts.items_on_loan.iter().any(|loan| loan.card_number == card);
    let bench = &accounts.bench;
    let free = accounts.readers.iter().rev().filter(|reader| {
        let card = &reader.card_number;
        reader.category == "adult" && !borrows(card) && *card != bench.history_card && *card != bench.fresh_card
    });
    let free: Vec<&ReaderAccount> = free.collect();
    if free.len() < 2 {
        return Vec::new();
    }
    [0, 1].map(|one| free[(2 * index + one) % free.len()]).to_vec()
}

/// Books of no other machine, from the end of the list: at the unit, or of any.
fn books(accounts: &DemoAccounts, index: usize, unit: Option<&str>) -> Vec<Book> {
    // Those of browsing machines are not those that travel.
    let kind = usize::from(unit.is_some());
    let shelf = accounts.items_on_shelf.iter().rev().enumerate();
    let mine = shelf.filter(|(place, item)| place % 2 == kind && unit.is_none_or(|unit| item.unit_code == unit));
    let book = |(_, item): (usize, &crate::usecase::seed_demo::ShelfItem)| Book {
        barcode: item.barcode.clone(),
        home: item.unit_code.clone(),
        item: 0,
        bib: 0,
        tag: String::new(),
        stage: Stage::Home,
        door: None,
        next: 0,
        in_vain: 0,
    };
    // Of four machines at most one is of a kind.
    mine.skip(index / 4 * BOOKS).take(BOOKS).map(book).collect()
}
