//! A pickup locker and a browsing machine at a service point, with what people and machines do there.

use serde_json::{Value, json};
use tongjie::domain::machine_jobs::COMPARTMENT_DEADLINES;
use tongjie::usecase::compartment_deadlines::CompartmentDeadlines;
use tongjie::usecase::run_job::run_job;

use crate::app::{PIN, TestApp};
use crate::client::Answer;
use crate::holds::put;
use crate::notices::later;

/// A machine of a kind at P1, a service point of B1, with six compartments.
pub struct Locker {
    pub manager: String,
    pub desk: String,
    pub id: i64,
    pub token: String,
}

/// A copy with its tag.
#[derive(Clone)]
pub struct Book {
    pub bib: i64,
    pub item: i64,
    pub barcode: String,
    pub tag: String,
}

pub fn locker(app: &TestApp) -> Locker {
    machine(app, "locker")
}

pub fn browsing(app: &TestApp) -> Locker {
    machine(app, "kiosk")
}

fn machine(app: &TestApp, kind: &str) -> Locker {
    app.small_network();
    app.unit("P1", "point", "B1", &json!({"always_open": true}));
    Locker::at(app, "P1", kind)
}

impl Locker {
    /// One more machine.
    pub fn at(app: &TestApp, unit: &str, kind: &str) -> Self {
        let all = ["door_bank", "item_sensor", "tag_reader", "two_phase_loans"];
        Self::with(app, unit, kind, &all)
    }

    /// The same with these capabilities.
    pub fn with(app: &TestApp, unit: &str, kind: &str, capabilities: &[&str]) -> Self {
        let manager = app.staff("unit_manager", unit);
        let code = format!("L{}", app.next());
        let body = json!({"code": code, "unit_code": unit, "kind": kind, "name": "书柜",
            "capabilities": capabilities});
        let made = app.post(&manager, "/api/v1/devices", &body).expect(201).body;
        let id = made["device"]["id"].as_i64().expect("an id");
        app.post(&manager, &format!("/api/v1/devices/{id}/approval"), &json!({}))
            .expect(200);
        let session = app
            .log_in(&json!({"device_code": code, "secret": made["secret"]}))
            .expect(201);
        let token = session.body["access_token"].as_str().expect("a token").to_owned();
        let purpose = if kind == "kiosk" { "browsing" } else { "pickup" };
        let door = |number: u16, size: &str, purpose: &str| json!({"number": number, "size": size, "purpose": purpose});
        let doors = json!({"compartments": [door(1, "small", purpose), door(2, "medium", purpose),
            door(3, "medium", purpose), door(4, "large", "any"), door(5, "medium", "return"), door(6, "medium", "return")]});
        put(app, &manager, &format!("/api/v1/devices/{id}/compartments"), &doors).expect(200);
        Self {
            desk: app.staff("librarian", unit),
            manager,
            id,
            token,
        }
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/api/v1/devices/{}{rest}", self.id)
    }

    /// What is known of a compartment.
    pub fn door(&self, app: &TestApp, number: u16) -> Value {
        let all = app.get(&self.desk, &self.path("/compartments")).expect(200).body;
        let all = all["compartments"].as_array().expect("compartments");
        let found = all.iter().find(|door| door["number"] == number);
        found.expect("a compartment").clone()
    }

    #[track_caller]
    pub fn expect_door(&self, app: &TestApp, number: u16, state: &str) {
        assert_eq!(self.door(app, number)["state"], state, "compartment {number}");
    }

    pub fn turn(&self, app: &TestApp, number: u16) -> i64 {
        self.door(app, number)["turn"].as_i64().expect("a turn")
    }

    /// The machine's report of the present turn.
    pub fn says(&self, app: &TestApp, number: u16, said: &Value) -> Answer {
        let turn = self.turn(app, number);
        self.says_of(app, number, turn, said)
    }

    pub fn says_of(&self, app: &TestApp, number: u16, turn: i64, said: &Value) -> Answer {
        let mut body = said.clone();
        body["turn"] = turn.into();
        app.post(
            &self.token,
            &format!("/api/v1/device/compartments/{number}/reports"),
            &body,
        )
    }

    pub fn load(&self, app: &TestApp, number: u16, book: &Book) -> Answer {
        let body = json!({"item_barcode": book.barcode});
        app.post(&self.desk, &self.path(&format!("/compartments/{number}/load")), &body)
    }

    /// Puts a book in, and the machine sees it.
    pub fn loaded(&self, app: &TestApp, number: u16, book: &Book) {
        self.load(app, number, book).expect(200);
        self.says(app, number, &tags(&[book])).expect(200);
        self.expect_door(app, number, "occupied");
        later(app, 61);
    }

    pub fn session(&self, app: &TestApp, card: &str) -> Answer {
        let body = json!({"card_number": card, "pin": PIN});
        app.post(&self.token, "/api/v1/device/locker-sessions", &body)
    }

    pub fn pick_up(&self, app: &TestApp, session: i64) -> Answer {
        let path = format!("/api/v1/device/locker-sessions/{session}/pick-ups");
        app.post(&self.token, &path, &json!({}))
    }

    pub fn borrow(&self, app: &TestApp, session: i64, number: u16) -> Answer {
        let path = format!("/api/v1/device/locker-sessions/{session}/loans");
        app.post(&self.token, &path, &json!({"compartment": number}))
    }

    pub fn bring_back(&self, app: &TestApp) -> Value {
        let body = json!({"size": "medium"});
        app.post(&self.token, "/api/v1/device/returns", &body).expect(201).body
    }

    pub fn settle(&self, app: &TestApp, number: u16, found: Option<&Book>) -> Answer {
        let mut body = json!({"reason": "开柜查看"});
        if let Some(book) = found {
            body["item_barcode"] = book.barcode.clone().into();
        }
        app.post(
            &self.desk,
            &self.path(&format!("/compartments/{number}/settlement")),
            &body,
        )
    }

    /// The kinds of the alarms that stand.
    pub fn alarms(&self, app: &TestApp) -> Vec<String> {
        let path = format!("/api/v1/device-alarms?device_id={}", self.id);
        let listed = app.get(&self.manager, &path).expect(200).body;
        let listed = listed["items"].as_array().expect("alarms");
        listed
            .iter()
            .map(|alarm| alarm["kind"].as_str().expect("a kind").to_owned())
            .collect()
    }

    /// What the machine is told to do.
    pub fn orders(&self, app: &TestApp) -> Vec<Value> {
        let told = app
            .post(&self.token, "/api/v1/device/commands/pull", &json!({}))
            .expect(200)
            .body;
        told["items"].as_array().expect("commands").clone()
    }
}

/// A new book of B1.
pub fn book(app: &TestApp, extra: &Value) -> Book {
    let bib = app.bib("活着", None);
    copy(app, bib, extra)
}

pub fn copy(app: &TestApp, bib: i64, extra: &Value) -> Book {
    let tag = format!("E004015000{:06X}", app.next());
    let mut extra = extra.clone();
    extra["rfid_tag"] = tag.clone().into();
    let (item, barcode) = app.item(bib, "B1", &extra);
    Book {
        bib,
        item,
        barcode,
        tag,
    }
}

/// A reader for whom a book is on its way to P1.
pub struct Waiting {
    pub reader: i64,
    pub card: String,
    pub hold: i64,
    pub book: Book,
}

pub fn waiting(app: &TestApp) -> Waiting {
    let (reader, card) = app.reader("adult", "B1");
    waiting_for(app, reader, card)
}

pub fn waiting_for(app: &TestApp, reader: i64, card: String) -> Waiting {
    let book = book(app, &json!({}));
    let desk = app.staff("librarian", "B1");
    // Somebody has it when the hold is placed, and brings it back.
    let (_, other) = app.reader("adult", "B1");
    let out = json!({"item_barcode": book.barcode, "card_number": other});
    app.post(&desk, "/api/v1/check-outs", &out).expect(201);
    let body = json!({"card_number": card, "bib_id": book.bib, "pickup_unit_code": "P1"});
    let placed = app.post(&desk, "/api/v1/holds", &body).expect(201).body;
    let packed = app.post(&desk, "/api/v1/check-ins", &json!({"item_barcode": book.barcode}));
    assert_eq!(packed.expect(200).body["next_step"]["to_unit_code"], "P1");
    Waiting {
        reader,
        card,
        hold: placed["hold"]["id"].as_i64().expect("an id"),
        book,
    }
}

/// The same with the book in compartment 2 and the reader before the machine: the session.
pub fn ready(app: &TestApp, locker: &Locker) -> (Waiting, i64) {
    let waiting = waiting(app);
    locker.loaded(app, 2, &waiting.book);
    let session = locker.session(app, &waiting.card).expect(201).body;
    assert_eq!(session["ready"][0]["hold_id"], waiting.hold);
    (waiting, session["id"].as_i64().expect("an id"))
}

/// The same with the door ordered open: the loan.
pub fn opened(app: &TestApp, locker: &Locker) -> (Waiting, i64) {
    let (waiting, session) = ready(app, locker);
    let lent = locker.pick_up(app, session).expect(200).body;
    assert_eq!(lent["granted"][0]["compartment"], 2);
    locker.expect_door(app, 2, "handing_out");
    (waiting, lent["granted"][0]["loan"]["id"].as_i64().expect("an id"))
}

pub fn closed(inside: &str) -> Value {
    json!({"door": "closed", "inside": inside})
}

pub fn tags(books: &[&Book]) -> Value {
    let tags: Vec<&str> = books.iter().map(|book| book.tag.as_str()).collect();
    json!({"door": "closed", "inside": "tags", "tags": tags})
}

/// Nothing is heard until the deadlines are over.
pub fn silence(app: &TestApp) {
    later(app, 150);
    run_deadlines(app);
}

/// The job that looks after deadlines.
pub fn run_deadlines(app: &TestApp) {
    app.block_on(run_job(
        &app.app.store,
        "a",
        COMPARTMENT_DEADLINES,
        &std::sync::Arc::new(CompartmentDeadlines),
        || false,
    ))
    .expect("runs");
}

pub fn loan_status(app: &TestApp, loan: i64) -> String {
    let sql = format!("SELECT count(*) AS n FROM loans WHERE id = {loan} AND closed_at IS NULL");
    let open = app.database.outside().number(&sql) == 1;
    let voided = format!("SELECT count(*) AS n FROM loans WHERE id = {loan} AND closed_how = 'voided'");
    let voided = app.database.outside().number(&voided) == 1;
    match (open, voided) {
        (true, _) => phase(app, loan),
        (false, true) => "voided".to_owned(),
        (false, false) => "returned".to_owned(),
    }
}

/// Where an open loan at a machine is.
fn phase(app: &TestApp, loan: i64) -> String {
    let is = |state: &str| {
        let sql = format!("SELECT count(*) AS n FROM loan_confirmations WHERE loan_id = {loan} AND state = '{state}'");
        app.database.outside().number(&sql) == 1
    };
    let found = ["reserved", "unconfirmed", "confirmed"]
        .into_iter()
        .find(|state| is(state));
    found.unwrap_or("asked of nobody").to_owned()
}

pub fn item_status(app: &TestApp, book: &Book) -> String {
    let shown = app
        .get(&app.root_token(), &format!("/api/v1/items/{}", book.item))
        .expect(200)
        .body;
    shown["status"].as_str().expect("a status").to_owned()
}
