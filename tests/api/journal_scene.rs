//! A machine with a journal of its own, for the tests of what happened without the network.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use tongjie::auth::journal_signature::JournalKey;

use crate::app::TestApp;
use crate::client::Answer;

const SECRET: &str = "a random secret";

/// A machine that lends alone.
pub struct Alone {
    pub id: i64,
    pub code: String,
    pub token: String,
    key: SigningKey,
}

/// A network, a reader, a desk at B1 and a book there.
pub struct Scene {
    pub desk: String,
    pub manager: String,
    pub reader: i64,
    pub card: String,
    pub item: i64,
    pub barcode: String,
    pub tag: String,
    pub machine: Alone,
}

pub fn scene(app: &TestApp) -> Scene {
    app.small_network();
    let machine = alone(app, "B1");
    let (item, barcode, tag) = book(app, "B1");
    let (reader, card) = app.reader("adult", "B1");
    let scene = Scene {
        reader,
        card,
        desk: app.staff("librarian", "B1"),
        manager: app.staff("unit_manager", "B1"),
        item,
        barcode,
        tag,
        machine,
    };
    // What lies before is before everything that is told.
    pass(app, 24 * 3600);
    Scene {
        desk: app.staff("librarian", "B1"),
        manager: app.staff("unit_manager", "B1"),
        machine: scene.machine.again(app),
        ..scene
    }
}

pub fn pass(app: &TestApp, seconds: i64) {
    app.clock.set(app.clock.now() + TimeDelta::seconds(seconds));
}

/// A book with a tag: id, barcode, tag.
pub fn book(app: &TestApp, owner: &str) -> (i64, String, String) {
    let tag = format!("E00401500000{:04}", app.next());
    let (item, barcode) = app.item(app.bib("三国演义", None), owner, &json!({"rfid_tag": tag}));
    (item, barcode, tag)
}

/// A kiosk at a unit, with a key.
pub fn alone(app: &TestApp, unit: &str) -> Alone {
    coded(app, unit, &format!("alone-{}", app.next()), 1)
}

pub fn coded(app: &TestApp, unit: &str, code: &str, first_sequence: i64) -> Alone {
    let at = app
        .get(&app.root_token(), &format!("/api/v1/units/{unit}"))
        .expect(200)
        .id();
    app.device(code, at, SECRET);
    let listed = app.get(
        &app.root_token(),
        &format!("/api/v1/devices?unit_code={unit}&limit=200"),
    );
    let listed = listed.expect(200).body;
    let mine = listed["items"].as_array().expect("devices").iter();
    let mine = mine.map(|line| &line["device"]).find(|device| device["code"] == code);
    let seed = [u8::try_from(app.next() % 200).expect("small"); 32];
    let device = Alone {
        id: mine.expect("the device")["id"].as_i64().expect("an id"),
        code: code.to_owned(),
        token: String::new(),
        key: SigningKey::from_bytes(&if code == "JC-L1" { [7; 32] } else { seed }),
    };
    let device = device.again(app);
    let body = json!({"public_key": URL_SAFE_NO_PAD.encode(device.key.verifying_key().as_bytes()), "journal": 1,
        "first_sequence": first_sequence});
    let put = app
        .request("PUT", "/api/v1/device/key")
        .bearer(&device.token)
        .json(&body)
        .send();
    put.expect(200);
    device
}

impl Alone {
    /// Logged in anew: tokens live for minutes.
    pub fn again(self, app: &TestApp) -> Self {
        let session = app.log_in(&json!({"device_code": self.code, "secret": SECRET}));
        let token = session.expect(201).body["access_token"]
            .as_str()
            .expect("a token")
            .to_owned();
        Self { token, ..self }
    }

    pub fn copied(&self) -> Self {
        Self {
            id: self.id,
            code: self.code.clone(),
            token: self.token.clone(),
            key: self.key.clone(),
        }
    }

    pub fn key_id(&self) -> String {
        JournalKey::of(self.key.verifying_key().as_bytes()).expect("a key").id()
    }

    /// One entry, signed.
    pub fn entry(&self, sequence: i64, body: &Value) -> Value {
        self.entry_of(sequence, &body.to_string())
    }

    pub fn entry_of(&self, sequence: i64, body: &str) -> Value {
        let text = format!("tongjie-journal-1\n{}\n1\n{sequence}\n{body}", self.code);
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(text.as_bytes()).to_bytes());
        json!({"sequence": sequence, "key_id": self.key_id(), "body": body, "signature": signature})
    }

    /// The proof that another key follows this one.
    pub fn proof(&self, first_sequence: i64, public: &str) -> String {
        let text = format!("tongjie-key-1\n{}\n1\n{first_sequence}\n{public}", self.code);
        URL_SAFE_NO_PAD.encode(self.key.sign(text.as_bytes()).to_bytes())
    }

    pub fn batch(&self, app: &TestApp, entries: &[Value]) -> Value {
        json!({"journal": 1, "sent_at": app.clock.now(), "entries": entries})
    }

    pub fn send(&self, app: &TestApp, entries: &[Value]) -> Answer {
        app.post(&self.token, "/api/v1/device/journal", &self.batch(app, entries))
    }

    /// Sends what is taken and answers the verdicts in their order.
    pub fn tell(&self, app: &TestApp, entries: &[Value]) -> Vec<String> {
        verdicts(&self.send(app, entries).expect(200).body)
    }
}

pub fn verdicts(body: &Value) -> Vec<String> {
    let results = body["results"].as_array().expect("results");
    let words = results.iter().map(|line| line["verdict"].as_str().expect("a verdict"));
    words.map(str::to_owned).collect()
}

/// So many seconds ago.
pub fn ago(app: &TestApp, seconds: i64) -> DateTime<Utc> {
    app.clock.now() - TimeDelta::seconds(seconds)
}

pub fn lent(at: DateTime<Utc>, tag: &str, card: &str) -> Value {
    json!({"kind": "check_out", "at": at, "item": {"tag": tag}, "card_number": card})
}

pub fn back(at: DateTime<Utc>, tag: &str) -> Value {
    json!({"kind": "check_in", "at": at, "item": {"tag": tag}})
}

pub fn renewed(at: DateTime<Utc>, tag: &str, card: &str) -> Value {
    json!({"kind": "renewal", "at": at, "item": {"tag": tag}, "card_number": card})
}

/// The loans of a reader, open and closed, the newest first.
pub fn loans(app: &TestApp, reader: i64, card: &str) -> Vec<Value> {
    let token = app.reader_token(card);
    let listed = app
        .get(&token, &format!("/api/v1/readers/{reader}/loans?status=all"))
        .expect(200)
        .body;
    listed["items"].as_array().expect("loans").clone()
}

impl Scene {
    /// The loans of the reader, open and closed, the newest first.
    pub fn loans(&self, app: &TestApp) -> Vec<Value> {
        loans(app, self.reader, &self.card)
    }

    /// Lends at the desk.
    pub fn lend(&self, app: &TestApp, card: &str) -> i64 {
        let body = json!({"item_tag": self.tag, "card_number": card});
        let lent = app.post(&self.desk, "/api/v1/check-outs", &body).expect(201).body;
        lent["loan"]["id"].as_i64().expect("an id")
    }

    pub fn resolve(&self, app: &TestApp, conflict: &Value, body: &Value) -> Answer {
        let path = format!("/api/v1/conflicts/{}/resolution", conflict["id"]);
        app.post(&app.root_token(), &path, body)
    }

    pub fn settle(&self, app: &TestApp, line: &Value, body: &Value) -> Answer {
        let path = format!("/api/v1/journal-quarantine/{}/settlement", line["id"]);
        app.post(&app.root_token(), &path, body)
    }

    pub fn status(&self, app: &TestApp) -> Value {
        let path = format!("/api/v1/items/{}", self.item);
        app.get(&app.root_token(), &path).expect(200).body["status"].clone()
    }

    pub fn conflicts(&self, app: &TestApp, query: &str) -> Vec<Value> {
        let path = format!("/api/v1/conflicts?unit_code=B1{query}");
        let listed = app.get(&app.root_token(), &path).expect(200).body;
        listed["items"].as_array().expect("conflicts").clone()
    }

    pub fn quarantine(&self, app: &TestApp, query: &str) -> Vec<Value> {
        let path = format!("/api/v1/journal-quarantine?unit_code=B1{query}");
        let listed = app.get(&app.root_token(), &path).expect(200).body;
        listed["items"].as_array().expect("lines").clone()
    }

    pub fn alarms(&self, app: &TestApp) -> Vec<(String, String)> {
        let listed = app
            .get(&app.root_token(), "/api/v1/device-alarms?unit_code=B1")
            .expect(200)
            .body;
        let lines = listed["items"].as_array().expect("alarms").iter();
        let word = |line: &Value, member: &str| line[member].as_str().expect("a word").to_owned();
        let mut found: Vec<(String, String)> = lines.map(|line| (word(line, "kind"), word(line, "subject"))).collect();
        found.sort();
        found
    }
}
