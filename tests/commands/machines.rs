//! Machines whose server is killed in the middle: what they send again to the next one is done once, and nothing of it is lost.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use tongjie::auth::journal_signature::JournalKey;
use tongjie::clock::Clock;

use crate::database::Engine;
use crate::demo::{accounts, start};
use crate::process::{PATIENCE, Tongjie};

/// Acts of one upload: as many as it takes.
const ACTS: usize = 200;

/// A request on its way.
struct Sent(TcpStream);

impl Sent {
    fn request(address: &str, (method, path): (&str, &str), headers: &str, body: &Value) -> Self {
        let mut stream = TcpStream::connect(address).expect("it listens");
        let body = body.to_string();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}");
        let length = body.len();
        let text = format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).expect("sent");
        Self(stream)
    }

    /// The body of the answer; nothing if the server went away.
    fn answer(mut self) -> Option<Value> {
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }
}

/// A machine of the demo's first shelf, as it is known to the next server too.
struct Machine {
    code: String,
    secret: String,
    key: SigningKey,
    /// When the test began.
    since: DateTime<Utc>,
}

impl Machine {
    /// Registered by staff, with three compartments.
    fn new(address: &str, accounts: &Value) -> Self {
        let staff = accounts["staff"].as_array().expect("staff").iter();
        let root = staff
            .clone()
            .find(|one| one["role"] == "system")
            .expect("a system account");
        let who = json!({"username": root["username"], "password": root["password"]});
        let token = log_in(address, &who);
        let call = |method: &str, path: &str, body: &Value| {
            let headers = format!("Authorization: Bearer {token}\r\n");
            Sent::request(address, (method, path), &headers, body)
                .answer()
                .expect("answered")
        };
        let unit = &accounts["items_on_shelf"][0]["unit_code"];
        let asked = json!({"code": "killed-1", "unit_code": unit, "kind": "kiosk", "name": "书柜",
            "capabilities": ["door_bank", "item_sensor", "two_phase_loans"]});
        let made = call("POST", "/api/v1/devices", &asked);
        let id = made["device"]["id"].as_i64().expect("an id");
        call("POST", &format!("/api/v1/devices/{id}/approval"), &json!({}));
        let door = |number: u16| json!({"number": number, "size": "large", "purpose": "browsing"});
        let doors = json!({"compartments": [door(1), door(2), door(3)]});
        call("PUT", &format!("/api/v1/devices/{id}/compartments"), &doors);
        let machine = Self {
            code: "killed-1".to_owned(),
            secret: made["secret"].as_str().expect("a secret").to_owned(),
            key: SigningKey::from_bytes(&[9; 32]),
            since: Clock::System.now(),
        };
        let public = URL_SAFE_NO_PAD.encode(machine.key.verifying_key().as_bytes());
        let key = json!({"public_key": public, "journal": 1, "first_sequence": 1});
        machine
            .call(address, ("PUT", "/api/v1/device/key"), "", &key)
            .expect("a key");
        machine
    }

    fn send(&self, address: &str, what: (&str, &str), key: &str, body: &Value) -> Sent {
        let token = log_in(address, &json!({"device_code": self.code, "secret": self.secret}));
        let key = if key.is_empty() {
            String::new()
        } else {
            format!("Idempotency-Key: {key}\r\n")
        };
        Sent::request(address, what, &format!("Authorization: Bearer {token}\r\n{key}"), body)
    }

    fn call(&self, address: &str, what: (&str, &str), key: &str, body: &Value) -> Option<Value> {
        self.send(address, what, key, body).answer()
    }

    fn entry(&self, sequence: usize, body: &Value) -> Value {
        let body = body.to_string();
        let text = format!("tongjie-journal-1\n{}\n1\n{sequence}\n{body}", self.code);
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(text.as_bytes()).to_bytes());
        let key = JournalKey::of(self.key.verifying_key().as_bytes()).expect("a key").id();
        json!({"sequence": sequence, "key_id": key, "body": body, "signature": signature})
    }

    /// The copies of the shelf lent and taken back in turn; the last one is put into compartment 1.
    fn batch(&self, accounts: &Value) -> Value {
        let unit = &accounts["items_on_shelf"][0]["unit_code"];
        let shelf = accounts["items_on_shelf"].as_array().expect("copies").iter();
        let here: Vec<&Value> = shelf.filter(|item| item["unit_code"] == *unit).collect();
        let card = adult(accounts)["card_number"].clone();
        let act = |number: usize| {
            let item = json!({"barcode": here[(number / 2) % here.len()]["barcode"]});
            let at = self.since + TimeDelta::milliseconds(i64::try_from(number).expect("small"));
            let mut act = match number % 2 {
                0 => json!({"kind": "check_out", "at": at, "item": item, "card_number": card}),
                _ => json!({"kind": "check_in", "at": at, "item": item}),
            };
            if number + 1 == ACTS {
                act["compartment"] = 1.into();
            }
            self.entry(number + 1, &act)
        };
        let entries: Vec<Value> = (0..ACTS).map(act).collect();
        json!({"journal": 1, "sent_at": Clock::System.now(), "entries": entries})
    }
}

fn log_in(address: &str, who: &Value) -> String {
    let session = Sent::request(address, ("POST", "/api/v1/sessions"), "", who).answer();
    let session = session.expect("answered");
    session["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{session}"))
        .to_owned()
}

fn adult(accounts: &Value) -> &Value {
    let mut readers = accounts["readers"].as_array().expect("readers").iter();
    readers.find(|reader| reader["category"] == "adult").expect("an adult")
}

#[test]
fn an_upload_and_a_loan_cut_off_by_kills_are_finished_by_their_repetition() {
    for engine in Engine::all() {
        let tongjie = Tongjie::new(engine);
        let (server, address) = start(&tongjie, &["demo", "--scale", "0.005", "--without-machines"]);
        let accounts = accounts(&tongjie);
        let machine = Machine::new(&address, &accounts);
        assert_eq!(server.stop(), Some(0));
        let batch = machine.batch(&accounts);

        let (server, address) = start(&tongjie, &["serve"]);
        let judged = || tongjie.number("SELECT count(*) AS n FROM journal_entries WHERE verdict <> 'waiting'");
        let upload = ("POST", "/api/v1/device/journal");
        let sent = machine.send(&address, upload, "", &batch);
        let end = Instant::now() + PATIENCE;
        while judged() < 10 {
            assert!(Instant::now() < end, "{engine:?}: nothing is judged");
        }
        drop(server); // kill -9
        let (cut_off, done) = (sent.answer(), judged());
        assert!(
            cut_off.is_none() && done < ACTS as i64,
            "{engine:?}: killed too late, after {done}"
        );

        let (server, address) = start(&tongjie, &["serve"]);
        let answer = machine.call(&address, upload, "", &batch).expect("answered");
        assert_eq!(
            (&answer["acknowledged_to"], &answer["counts"]),
            (&json!(ACTS), &json!({"duplicate": ACTS})),
            "{engine:?}"
        );
        let first = answer["results"].as_array().expect("results").iter();
        let taken = first.filter(|line| matches!(line["first"].as_str(), Some("accepted" | "accepted_despite")));
        assert_eq!(taken.count(), ACTS, "{engine:?}: nothing is lost: {answer}");
        let of_machine = "FROM loans WHERE device_id = (SELECT id FROM devices WHERE code = 'killed-1')";
        let loans = || tongjie.number(&format!("SELECT count(*) AS n {of_machine}"));
        assert_eq!(loans(), ACTS as i64 / 2, "{engine:?}: nothing is done twice");
        borrow_cut_off(&tongjie, &machine, &accounts, (server, address), loans);
        assert!(tongjie.succeeds(&["check"]).contains("check: sound"));
    }
}

/// The loan is reserved and the order written when the server is killed, or neither is: the machine asks again under its key.
fn borrow_cut_off(
    tongjie: &Tongjie,
    machine: &Machine,
    accounts: &Value,
    (server, address): (crate::process::Server, String),
    loans: impl Fn() -> i64,
) {
    let reader = adult(accounts);
    let who = json!({"card_number": reader["card_number"], "pin": reader["pin"]});
    let session = ("POST", "/api/v1/device/locker-sessions");
    let session = machine.call(&address, session, "session", &who).expect("answered");
    assert_eq!(session["to_borrow"][0]["compartment"], 1, "{session}");
    let path = format!("/api/v1/device/locker-sessions/{}/loans", session["id"]);
    let (borrow, wanted) = (("POST", path.as_str()), json!({"compartment": 1}));
    let before = loans();
    let sent = machine.send(&address, borrow, "the-loan", &wanted);
    let reserved = || tongjie.number("SELECT count(*) AS n FROM loan_confirmations WHERE state = 'reserved'");
    let end = Instant::now() + PATIENCE;
    while reserved() == 0 {
        assert!(Instant::now() < end, "nothing is reserved");
    }
    drop(server); // kill -9
    let heard = sent.answer();

    let (server, address) = start(tongjie, &["serve"]);
    let granted = machine.call(&address, borrow, "the-loan", &wanted).expect("answered");
    assert_eq!(granted["granted"][0]["compartment"], 1, "{granted}");
    if let Some(heard) = heard {
        assert_eq!(heard, granted, "answered as before");
    }
    let orders = "SELECT count(*) AS n FROM device_commands WHERE kind = 'open_compartment'";
    assert_eq!((loans() - before, reserved(), tongjie.number(orders)), (1, 1, 1));
    let report = ("POST", "/api/v1/device/compartments/1/reports");
    let closed = json!({"turn": granted["granted"][0]["turn"], "door": "closed", "inside": "empty"});
    let said = machine.call(&address, report, "", &closed).expect("answered");
    assert_eq!(said["loan_outcome"], "confirmed", "{said}");
    assert_eq!(server.stop(), Some(0));
}
