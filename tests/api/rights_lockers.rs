//! How the rights matrix asks for what concerns lockers.

use serde_json::{Value, json};

use crate::app::PIN;
use crate::rights_requests::{About, Asked};

/// What people do at a machine with doors: each time with a new one at the unit of the things.
pub fn doors(operation: &str, about: &About<'_>) -> Option<Asked> {
    let nothing = || json!({});
    Some(match operation {
        "listCompartments" => about.id(machine(about).id),
        "setCompartments" => about.with(machine(about).id, compartments()),
        "openCompartment" => about.with(machine(about).id, json!({"reason": "检查"})),
        "unloadCompartment" | "startLoadingRound" => about.with(machine(about).id, nothing()),
        "loadCompartment" => {
            let id = machine(about).id;
            about.with(id, json!({"item_barcode": on_shelf(about)}))
        }
        "settleCompartment" => {
            let machine = machine(about);
            let report = json!({"turn": 0, "door": "forced"});
            machine.does(about, "/api/v1/device/compartments/1/reports", &report, 200);
            about.with(machine.id, json!({"reason": "开柜查看,为空"}))
        }
        "getLoadingRound" | "endLoadingRound" => {
            let machine = machine(about);
            let round = by_root(
                about,
                &format!("/api/v1/devices/{}/loading-rounds", machine.id),
                &nothing(),
                201,
            );
            let asked = match operation {
                "getLoadingRound" => about.id(machine.id),
                _ => about.with(machine.id, nothing()),
            };
            Asked {
                version: round["id"].as_i64().expect("an id"),
                ..asked
            }
        }
        "listUnconfirmedLoans" => about.query(format!("?unit_code={}", about.unit())),
        "confirmLoan" => about.with(lent_by_machine(about), json!({"taken": true, "reason": "监控可见"})),
        _ => return None,
    })
}

/// What a machine does for its readers: always the kiosk of the scene.
pub fn readers(operation: &str, about: &About<'_>) -> Option<Asked> {
    Some(match operation {
        "startLockerSession" => about.body(identified(about)),
        "endLockerSession" => about.with(own_session(about), json!({})),
        "lockerPickUp" => about.with(own_session(about), json!({})),
        "lockerBorrow" => {
            let number = if about.allowed { loaded(about) } else { 1 };
            about.with(own_session(about), json!({"compartment": number}))
        }
        "lockerReturn" => {
            own_compartments(about);
            about.body(json!({"size": "small"}))
        }
        "reportCompartment" => about.body(json!({"turn": own_compartments(about), "door": "open"})),
        _ => return None,
    })
}

struct Made {
    id: i64,
    token: String,
}

impl Made {
    fn does(&self, about: &About<'_>, path: &str, body: &Value, status: u16) -> Value {
        about.app.post(&self.token, path, body).expect(status).body
    }
}

fn by_root(about: &About<'_>, path: &str, body: &Value, status: u16) -> Value {
    about.app.post(&about.scene.root_token, path, body).expect(status).body
}

fn compartments() -> Value {
    let door = |number: u16| json!({"number": number, "size": "large", "purpose": "any"});
    json!({"compartments": (1..=8).map(door).collect::<Vec<_>>()})
}

fn set(about: &About<'_>, id: i64) {
    let put = about.app.request("PUT", &format!("/api/v1/devices/{id}/compartments"));
    put.bearer(&about.scene.root_token)
        .json(&compartments())
        .send()
        .expect(200);
}

/// A new browsing machine at work at the unit of the things.
fn machine(about: &About<'_>) -> Made {
    let code = format!("KD-{}", about.app.next());
    let body = json!({"code": code, "unit_code": about.unit(), "kind": "kiosk", "name": "书柜",
        "capabilities": ["door_bank", "item_sensor", "two_phase_loans"]});
    let made = by_root(about, "/api/v1/devices", &body, 201);
    let id = made["device"]["id"].as_i64().expect("an id");
    by_root(about, &format!("/api/v1/devices/{id}/approval"), &json!({}), 200);
    set(about, id);
    let session = about
        .app
        .log_in(&json!({"device_code": code, "secret": made["secret"]}));
    let token = session.expect(201).body["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    Made { id, token }
}

/// The barcode of a new copy on the shelf of the unit of the things.
fn on_shelf(about: &About<'_>) -> String {
    let path = format!("/api/v1/items/{}", about.new_item());
    let item = about.app.get(&about.scene.root_token, &path).expect(200).body;
    item["barcode"].as_str().expect("a barcode").to_owned()
}

/// A loan of a new machine that nobody has confirmed. Who may not asks about any.
fn lent_by_machine(about: &About<'_>) -> i64 {
    if !about.allowed {
        return about.things.loan;
    }
    let machine = machine(about);
    let load = json!({"item_barcode": on_shelf(about)});
    by_root(
        about,
        &format!("/api/v1/devices/{}/compartments/1/load", machine.id),
        &load,
        200,
    );
    let seen = json!({"turn": 1, "door": "closed", "inside": "something"});
    machine.does(about, "/api/v1/device/compartments/1/reports", &seen, 200);
    let (_, card) = about.app.reader("adult", about.unit());
    let who = json!({"card_number": card, "pin": PIN});
    let session = machine.does(about, "/api/v1/device/locker-sessions", &who, 201);
    let path = format!("/api/v1/device/locker-sessions/{}/loans", session["id"]);
    let lent = machine.does(about, &path, &json!({"compartment": 1}), 200);
    // Nobody can tell what is behind the door, and it is opened for somebody who looks.
    let unread = json!({"turn": lent["granted"][0]["turn"], "door": "closed", "inside": "unread"});
    machine.does(about, "/api/v1/device/compartments/1/reports", &unread, 200);
    let unload = format!("/api/v1/devices/{}/compartments/1/unload", machine.id);
    by_root(about, &unload, &json!({}), 200);
    lent["granted"][0]["loan"]["id"].as_i64().expect("a loan")
}

/// The scene's kiosk has compartments: its id, and they.
fn own_doors(about: &About<'_>) -> (i64, Vec<Value>) {
    let token = &about.scene.device_token;
    let own = about.app.get(token, "/api/v1/devices").expect(200).body;
    let id = own["items"][0]["device"]["id"].as_i64().expect("an id");
    let path = format!("/api/v1/devices/{id}/compartments");
    let listed = about.app.get(token, &path).expect(200).body;
    if listed["compartments"] == json!([]) {
        set(about, id);
    }
    let listed = about.app.get(token, &path).expect(200).body;
    (id, listed["compartments"].as_array().expect("compartments").clone())
}

/// The turn of its first.
fn own_compartments(about: &About<'_>) -> i64 {
    own_doors(about).1[0]["turn"].as_i64().expect("a turn")
}

/// One of them in which a book lies now.
fn loaded(about: &About<'_>) -> i64 {
    let (id, doors) = own_doors(about);
    let empty = doors.iter().find(|door| door["state"] == "empty");
    let number = empty.expect("an empty one")["number"].as_i64().expect("a number");
    let (_, barcode) = about.app.item(about.scene.bib, "M1", &json!({}));
    let path = format!("/api/v1/devices/{id}/compartments/{number}/load");
    let ordered = by_root(about, &path, &json!({"item_barcode": barcode}), 200);
    let seen = json!({"turn": ordered["turn"], "door": "closed", "inside": "something"});
    let path = format!("/api/v1/device/compartments/{number}/reports");
    about.app.post(&about.scene.device_token, &path, &seen).expect(200);
    number
}

/// One and the same reader, who goes on with one session.
fn identified(about: &About<'_>) -> Value {
    own_compartments(about);
    json!({"card_number": about.scene.visitor, "pin": PIN})
}

fn own_session(about: &About<'_>) -> i64 {
    if !about.allowed {
        return 1;
    }
    let path = "/api/v1/device/locker-sessions";
    let opened = about.app.post(&about.scene.device_token, path, &identified(about));
    opened.expect(201).id()
}
