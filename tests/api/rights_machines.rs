//! How the rights matrix asks for what concerns machines.

use serde_json::{Value, json};

use crate::rights_requests::{About, Asked};

/// A public key of no device in particular.
const KEY: &str = "6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw";

/// What staff do with devices: each time with a new one at the unit of the things.
pub fn registry(operation: &str, about: &About<'_>) -> Option<Asked> {
    let nothing = || json!({});
    Some(match operation {
        "registerDevice" => about.body(new_device(about)),
        "approveDevice" | "retireDevice" | "rotateDeviceSecret" | "configureDevice" => {
            about.with(registered(about).id, nothing())
        }
        "suspendDevice" => about.with(at_work(about).id, nothing()),
        "resumeDevice" => {
            let device = at_work(about);
            done(
                about,
                &format!("/api/v1/devices/{}/suspension", device.id),
                &nothing(),
                200,
            );
            about.with(device.id, nothing())
        }
        "getDevice" | "getConfigurationOfDevice" | "listDeviceKeys" | "listCommands" => about.id(registered(about).id),
        "listDevices" | "listDeviceAlarms" => about.query(format!("?unit_code={}", about.unit())),
        "revokeDeviceKey" => {
            let device = at_work(about);
            let body = json!({"public_key": KEY, "journal": 1, "first_sequence": 1});
            let put = about
                .app
                .request("PUT", "/api/v1/device/key")
                .bearer(&device.token(about));
            let key = put.json(&body).send().expect(200).body;
            Asked {
                code: key["key_id"].as_str().expect("an id").to_owned(),
                ..about.with(device.id, nothing())
            }
        }
        "sendCommand" => about.with(at_work(about).id, json!({"kind": "restart"})),
        "cancelCommand" => {
            let device = at_work(about).id;
            let sent = done(
                about,
                &format!("/api/v1/devices/{device}/commands"),
                &json!({"kind": "restart"}),
                201,
            );
            about.with(sent["id"].as_i64().expect("an id"), nothing())
        }
        "settleDeviceAlarm" => about.with(alarm(about), nothing()),
        _ => return None,
    })
}

/// What staff and devices do with journals.
pub fn journals(operation: &str, about: &About<'_>) -> Option<Asked> {
    let upload = || json!({"journal": 1, "sent_at": about.app.clock.now(), "entries": []});
    Some(match operation {
        "uploadJournal" => about.body(upload()),
        "getJournalCursor" | "getOfflinePack" => about.id(0),
        "uploadDeviceJournal" => about.with(registered(about).id, upload()),
        "getDeviceJournal" => about.id(registered(about).id),
        "listQuarantine" | "listConflicts" => about.query(format!("?unit_code={}", about.unit())),
        "settleQuarantine" => {
            let (line, device) = (900_000 + i64::from(about.app.next()), registered(about).id);
            about.app.database.outside().run(&format!(
                "INSERT INTO journal_quarantine (id, device_id, journal, sequence, to_sequence, reason, received_at) \
                 VALUES ({line}, {device}, 1, 1, 2, 'gap', 0)"
            ));
            about.with(line, json!({"settlement": "noted"}))
        }
        "resolveConflict" => {
            let (line, device) = (900_000 + i64::from(about.app.next()), registered(about).id);
            about.app.database.outside().run(&format!(
                "INSERT INTO journal_conflicts (id, device_id, unit_id, reason, happened_at, raised_at) \
                 SELECT {line}, {device}, id, 'said_otherwise', 0, 0 FROM units WHERE code = '{}'",
                about.unit()
            ));
            about.with(line, json!({"resolution": "record_stands", "reason": "已核实"}))
        }
        _ => return None,
    })
}

/// What a device does for itself.
pub fn calls(operation: &str, about: &About<'_>) -> Option<Asked> {
    Some(match operation {
        "heartbeat" => about.body(heartbeat(about, &[])),
        "getDeviceConfiguration" => about.id(0),
        "renewDeviceSecret" | "pullCommands" => about.body(json!({})),
        "setDeviceKey" => about.body(json!({"public_key": KEY, "journal": 1, "first_sequence": 1})),
        "acknowledgeCommand" if about.allowed => {
            let token = &about.scene.device_token;
            let own = about.app.get(token, "/api/v1/devices").expect(200).body;
            let path = format!("/api/v1/devices/{}/commands", own["items"][0]["device"]["id"]);
            done(about, &path, &json!({"kind": "restart"}), 201);
            let told = about
                .app
                .post(token, "/api/v1/device/commands/pull", &json!({}))
                .expect(200)
                .body;
            let command = &told["items"][0];
            let body = json!({"receipt": command["receipt"], "done": true});
            about.with(command["id"].as_i64().expect("an id"), body)
        }
        "acknowledgeCommand" => about.with(1, json!({"receipt": "AAAA", "done": true})),
        _ => return None,
    })
}

struct Made {
    id: i64,
    code: String,
    secret: String,
}

impl Made {
    fn token(&self, about: &About<'_>) -> String {
        let session = about
            .app
            .log_in(&json!({"device_code": self.code, "secret": self.secret}));
        let session = session.expect(201).body;
        session["access_token"].as_str().expect("a token").to_owned()
    }
}

fn done(about: &About<'_>, path: &str, body: &Value, status: u16) -> Value {
    about.app.post(&about.scene.root_token, path, body).expect(status).body
}

fn new_device(about: &About<'_>) -> Value {
    json!({"code": format!("K-{}", about.app.next()), "unit_code": about.unit(), "kind": "kiosk", "name": "自助机"})
}

fn registered(about: &About<'_>) -> Made {
    let made = done(about, "/api/v1/devices", &new_device(about), 201);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    Made {
        id: made["device"]["id"].as_i64().expect("an id"),
        code: text(&made["device"]["code"]),
        secret: text(&made["secret"]),
    }
}

fn at_work(about: &About<'_>) -> Made {
    let made = registered(about);
    done(about, &format!("/api/v1/devices/{}/approval", made.id), &json!({}), 200);
    made
}

fn heartbeat(about: &About<'_>, faults: &[&str]) -> Value {
    json!({"at": about.app.clock.now(), "started_at": "2026-03-01T22:00:00Z", "beat": about.app.next(), "firmware": "1",
        "faults": faults})
}

/// An alarm of a new device.
fn alarm(about: &About<'_>) -> i64 {
    let device = at_work(about);
    let body = heartbeat(about, &["printer_jam"]);
    let beaten = about.app.post(&device.token(about), "/api/v1/device/heartbeats", &body);
    beaten.expect(200);
    let path = format!("/api/v1/device-alarms?device_id={}", device.id);
    let listed = about.app.get(&about.scene.root_token, &path).expect(200).body;
    listed["items"][0]["id"].as_i64().expect("an alarm")
}
