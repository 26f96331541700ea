//! Devices: registered and approved, suspended and retired; two secrets at once; heartbeats, alarms, configurations, keys.

use serde_json::{Value, json};
use tongjie::domain::machine_jobs::SILENCE_ALARMS;
use tongjie::usecase::alarm_silence::AlarmSilence;
use tongjie::usecase::flush_heartbeats::flush_heartbeats;
use tongjie::usecase::run_job::run_job;

use crate::app::TestApp;
use crate::client::Answer;
use crate::notices::later;

on_both!(
    a_device_works_once_it_is_registered_and_approved,
    what_cannot_be_registered_is_told_field_by_field,
    a_repeated_registration_makes_one_device_and_tells_no_secret,
    a_suspended_device_ends_at_once_and_comes_back,
    a_retired_device_never_comes_back_and_its_code_is_not_given_again,
    a_device_of_another_unit_is_not_there,
    both_secrets_count_until_the_new_one_is_used,
    the_old_secret_ends_after_three_days,
    a_leaked_secret_ends_with_its_sessions,
    a_heartbeat_is_judged_and_never_refused_for_what_it_says,
    what_a_heartbeat_says_that_is_new_is_written_at_once,
    alarms_begin_once_count_and_are_settled_by_people,
    a_silent_device_is_told_of_until_its_next_heartbeat,
    a_configuration_is_judged_as_a_whole_and_its_versions_stay,
    a_further_key_is_proven_by_the_one_before,
);

/// Somebody who manages M1, and a locker there.
pub struct Machine {
    pub manager: String,
    pub id: i64,
    pub code: String,
    pub secret: String,
}

/// A registered locker at M1 that nobody has approved.
fn registered(app: &TestApp) -> Machine {
    if app.get(&app.root_token(), "/api/v1/units/M1").status == 404 {
        app.small_network();
    }
    let manager = app.staff("unit_manager", "M1");
    let code = format!("JC-L{}", app.next());
    let made = app.post(&manager, "/api/v1/devices", &locker(&code)).expect(201).body;
    assert_eq!(made["device"]["state"], "pending");
    Machine {
        manager,
        id: made["device"]["id"].as_i64().expect("an id"),
        code,
        secret: made["secret"].as_str().expect("a secret").to_owned(),
    }
}

fn locker(code: &str) -> Value {
    json!({"code": code, "unit_code": "M1", "kind": "locker", "name": "取书柜",
        "capabilities": ["door_bank", "item_sensor", "two_phase_loans"]})
}

/// The same at work.
pub fn machine(app: &TestApp) -> Machine {
    let machine = registered(app);
    machine.step(app, "approval").expect(200);
    machine
}

impl Machine {
    pub fn path(&self, rest: &str) -> String {
        format!("/api/v1/devices/{}{rest}", self.id)
    }

    pub fn step(&self, app: &TestApp, what: &str) -> Answer {
        app.post(&self.manager, &self.path(&format!("/{what}")), &json!({}))
    }

    fn log_in(&self, app: &TestApp) -> Answer {
        self.log_in_with(app, &self.secret)
    }

    fn log_in_with(&self, app: &TestApp, secret: &str) -> Answer {
        app.log_in(&json!({"device_code": self.code, "secret": secret}))
    }

    pub fn token(&self, app: &TestApp) -> String {
        let session = self.log_in(app).expect(201).body;
        session["access_token"].as_str().expect("a token").to_owned()
    }

    pub fn shown(&self, app: &TestApp) -> Value {
        app.get(&self.manager, &self.path("")).expect(200).body
    }
}

pub fn beat(app: &TestApp, number: u64) -> Value {
    json!({"at": app.clock.now(), "started_at": "2026-03-01T22:00:00Z", "beat": number, "firmware": "1.4",
        "configuration_version": 0, "faults": [], "stock": {"paper": 40}})
}

pub fn beats(app: &TestApp, token: &str, body: &Value) -> Value {
    app.post(token, "/api/v1/device/heartbeats", body).expect(200).body
}

fn secret_of(answer: &Answer) -> String {
    answer.body["secret"].as_str().expect("a secret").to_owned()
}

fn a_device_works_once_it_is_registered_and_approved(app: &TestApp) {
    let machine = registered(app);
    machine.log_in(app).expect_problem(403, "device_not_approved");
    machine
        .log_in_with(app, "another secret")
        .expect_problem(401, "unauthenticated");
    let approved = machine.step(app, "approval").expect(200).body;
    assert_eq!(approved["state"], "active");
    assert!(machine.log_in(app).expect(201).body["unit_code"] == "M1");
    machine.step(app, "approval").expect_problem(409, "wrong_state");
    assert_eq!(machine.shown(app)["device"]["capabilities"][0], "door_bank");
    app.assert_sound();
}

fn what_cannot_be_registered_is_told_field_by_field(app: &TestApp) {
    let machine = registered(app);
    let register = |body: &Value| app.post(&machine.manager, "/api/v1/devices", body);
    register(&locker(&machine.code)).expect_fields(422, &["code"]);
    let mut gate = locker("G 1");
    gate["kind"] = "gate".into();
    register(&gate).expect_fields(422, &["code", "capabilities"]);
    let mut lacking = locker("L2");
    lacking["capabilities"] = json!(["item_sensor"]);
    register(&lacking).expect_fields(422, &["capabilities"]);
    let nowhere = json!({"code": "L3", "unit_code": "nowhere", "kind": "toaster", "name": "x"});
    register(&nowhere).expect_fields(422, &["unit_code", "kind"]);
    let mut elsewhere = locker("L4");
    elsewhere["unit_code"] = "M2".into();
    register(&elsewhere).expect_problem(403, "forbidden");
}

fn a_repeated_registration_makes_one_device_and_tells_no_secret(app: &TestApp) {
    let machine = registered(app);
    let register = || {
        let request = app.request("POST", "/api/v1/devices").bearer(&machine.manager);
        request.key("once").json(&locker("L-once")).send().expect(201).body
    };
    let (first, second) = (register(), register());
    assert_eq!(first["device"], second["device"]);
    assert!(first["secret"].is_string() && second["secret"].is_null());
}

fn a_suspended_device_ends_at_once_and_comes_back(app: &TestApp) {
    let machine = machine(app);
    let session = machine.log_in(app).expect(201).body;
    let token = session["access_token"].as_str().expect("a token").to_owned();
    beats(app, &token, &beat(app, 1));
    machine.step(app, "suspension").expect(200);
    let told = app.post(&token, "/api/v1/device/heartbeats", &beat(app, 2));
    told.expect_problem(403, "forbidden");
    let refresh = json!({"refresh_token": session["refresh_token"]});
    let refreshed = app.request("POST", "/api/v1/sessions/refresh").json(&refresh).send();
    refreshed.expect_problem(401, "unauthenticated");
    machine.log_in(app).expect_problem(403, "device_suspended");
    machine.step(app, "suspension/end").expect(200);
    beats(app, &machine.token(app), &beat(app, 3));
}

fn a_retired_device_never_comes_back_and_its_code_is_not_given_again(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    assert_eq!(machine.step(app, "retirement").expect(200).body["state"], "retired");
    machine.log_in(app).expect_problem(401, "unauthenticated");
    app.post(&token, "/api/v1/device/heartbeats", &beat(app, 1))
        .expect_problem(403, "forbidden");
    for step in ["approval", "suspension", "suspension/end", "retirement", "secret"] {
        machine.step(app, step).expect_problem(409, "wrong_state");
    }
    let again = app.post(&machine.manager, "/api/v1/devices", &locker(&machine.code));
    again.expect_fields(422, &["code"]);
}

fn a_device_of_another_unit_is_not_there(app: &TestApp) {
    let machine = machine(app);
    let other = app.staff("unit_manager", "M2");
    app.get(&other, &machine.path("")).expect_problem(404, "not_found");
    app.post(&other, &machine.path("/suspension"), &json!({}))
        .expect_problem(404, "not_found");
    let listed = app.get(&other, "/api/v1/devices").expect(200).body;
    assert_eq!(listed["items"], json!([]));
    app.get(&other, "/api/v1/devices?unit_code=M1")
        .expect_problem(403, "forbidden");
    let listed = app
        .get(&machine.manager, "/api/v1/devices?unit_code=M1")
        .expect(200)
        .body;
    assert_eq!(listed["items"][0]["device"]["id"], machine.id);
    let own = app.get(&machine.token(app), "/api/v1/devices").expect(200).body;
    assert_eq!(own["items"].as_array().map(Vec::len), Some(1));
}

fn both_secrets_count_until_the_new_one_is_used(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    let renewed = app.post(&token, "/api/v1/device/secret", &json!({})).expect(200);
    machine.log_in(app).expect(201);
    // The answer was lost: the next one counts, and so does the one it has.
    let again = app.post(&token, "/api/v1/device/secret", &json!({})).expect(200);
    machine.log_in(app).expect(201);
    machine
        .log_in_with(app, &secret_of(&renewed))
        .expect_problem(401, "unauthenticated");
    machine.log_in_with(app, &secret_of(&again)).expect(201);
    machine.log_in(app).expect_problem(401, "unauthenticated");
}

fn the_old_secret_ends_after_three_days(app: &TestApp) {
    let machine = machine(app);
    let rotated = machine.step(app, "secret").expect(200);
    later(app, 3 * 86_400 - 1);
    machine.log_in(app).expect(201);
    later(app, 1);
    machine.log_in(app).expect_problem(401, "unauthenticated");
    machine.log_in_with(app, &secret_of(&rotated)).expect(201);
}

fn a_leaked_secret_ends_with_its_sessions(app: &TestApp) {
    let machine = machine(app);
    let session = machine.log_in(app).expect(201).body;
    let rotated = app.post(&machine.manager, &machine.path("/secret"), &json!({"leaked": true}));
    let rotated = rotated.expect(200);
    machine.log_in(app).expect_problem(401, "unauthenticated");
    let refresh = json!({"refresh_token": session["refresh_token"]});
    let refreshed = app.request("POST", "/api/v1/sessions/refresh").json(&refresh).send();
    refreshed.expect_problem(401, "unauthenticated");
    let left = session["access_token"].as_str().expect("a token");
    app.post(left, "/api/v1/device/secret", &json!({}))
        .expect_problem(401, "unauthenticated");
    machine.log_in_with(app, &secret_of(&rotated)).expect(201);
}

fn a_heartbeat_is_judged_and_never_refused_for_what_it_says(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    let mut number = 0;
    let mut off = |seconds: i64| {
        number += 1;
        let mut said = beat(app, number);
        said["at"] = json!(app.clock.now() + chrono::TimeDelta::seconds(seconds));
        let told = beats(app, &token, &said);
        (
            told["clock"].as_str().expect("a word").to_owned(),
            told["from_future"] == true,
        )
    };
    for (seconds, clock, future) in [
        (0, "good", false),
        (-30, "drifting", false),
        (3_600, "wrong", true),
        (-86_400 * 365, "wrong", false),
    ] {
        assert_eq!(off(seconds), (clock.to_owned(), future), "{seconds}");
    }
    let late = beats(app, &token, &beat(app, 2));
    assert_eq!((&late["stale"], &late["clock"]), (&json!(true), &json!("wrong")));
    assert_eq!(machine.shown(app)["alarms"], json!(["clock_wrong"]));
    beats(app, &token, &beat(app, 9));
    assert_eq!(machine.shown(app)["alarms"], json!([]));
    let mut foolish = beat(app, 10);
    foolish["faults"] = json!(["a,b"]);
    let told = app.post(&token, "/api/v1/device/heartbeats", &foolish);
    told.expect_fields(422, &["faults[0]"]);
}

fn what_a_heartbeat_says_that_is_new_is_written_at_once(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    beats(app, &token, &beat(app, 1));
    let first = app.clock.now();
    let row = |app: &TestApp| {
        let of = format!("FROM device_status WHERE device_id = {}", machine.id);
        let mut outside = app.database.outside();
        (
            outside.number(&format!("SELECT last_seen_at AS n {of}")),
            outside.number(&format!("SELECT beat AS n {of}")),
        )
    };
    later(app, 60);
    beats(app, &token, &beat(app, 2));
    assert_eq!(row(app), (first.timestamp_millis(), 1), "nothing was new");
    let seen = machine.shown(app)["status"]["last_seen_at"].clone();
    assert_eq!(seen, json!(app.clock.now()), "the board knows");
    let flush = || {
        app.block_on(flush_heartbeats(&app.app.store, &app.app.board))
            .expect("written")
    };
    assert_eq!((flush(), flush()), (1, 0));
    assert_eq!(row(app), (app.clock.now().timestamp_millis(), 2));
    later(app, 60);
    let mut updated = beat(app, 3);
    updated["firmware"] = "1.5".into();
    beats(app, &token, &updated);
    assert_eq!(row(app), (app.clock.now().timestamp_millis(), 3));
    assert_eq!(machine.shown(app)["status"]["firmware"], "1.5");
}

fn alarms_begin_once_count_and_are_settled_by_people(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    let body = json!({"settings": {"low_stock": {"paper": 10}}});
    let configured = app.request("PUT", &machine.path("/configuration"));
    configured.bearer(&machine.manager).json(&body).send().expect(200);
    let mut bad = beat(app, 1);
    bad["stock"] = json!({"paper": 3});
    bad["faults"] = json!(["bin_full:3", "printer_jam"]);
    beats(app, &token, &bad);
    bad["beat"] = 2.into();
    beats(app, &token, &bad);
    let list = || {
        let listed = app
            .get(&machine.manager, "/api/v1/device-alarms?unit_code=M1")
            .expect(200);
        listed.body["items"].as_array().expect("alarms").clone()
    };
    let mut kinds: Vec<String> = list().iter().map(|alarm| alarm["kind"].to_string()).collect();
    kinds.sort();
    assert_eq!(kinds, ["\"bin_full\"", "\"fault\"", "\"stock_low\""]);
    assert!(
        list().iter().all(|alarm| alarm["times"] == 1),
        "said once more is not more"
    );
    let jam = list()
        .into_iter()
        .find(|alarm| alarm["kind"] == "fault")
        .expect("stands");
    let path = format!("/api/v1/device-alarms/{}/settlement", jam["id"]);
    let other = app.staff("librarian", "M2");
    app.post(&other, &path, &json!({})).expect_problem(404, "not_found");
    let settled = app
        .post(&machine.manager, &path, &json!({"note": "已清除卡纸"}))
        .expect(200);
    assert_eq!(settled.body["ended_how"], "settled");
    app.post(&machine.manager, &path, &json!({}))
        .expect_problem(409, "wrong_state");
    beats(app, &token, &beat(app, 3));
    assert!(list().is_empty(), "what is over ends by itself");
}

fn a_silent_device_is_told_of_until_its_next_heartbeat(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    beats(app, &token, &beat(app, 1));
    let look = || {
        let pass = std::sync::Arc::new(AlarmSilence { flush_seconds: 30 });
        app.block_on(run_job(&app.app.store, "a", SILENCE_ALARMS, &pass, || false))
            .expect("runs");
        machine.shown(app)["alarms"].clone()
    };
    later(app, 180 + 30);
    assert_eq!(look(), json!([]));
    later(app, 61);
    assert_eq!(look(), json!(["silent"]));
    later(app, 61);
    assert_eq!(look(), json!(["silent"]), "once");
    beats(app, &machine.token(app), &beat(app, 2));
    assert_eq!(machine.shown(app)["alarms"], json!([]));
}

fn a_configuration_is_judged_as_a_whole_and_its_versions_stay(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    let configure = |body: &Value, seen: Option<&str>| {
        let request = app
            .request("PUT", &machine.path("/configuration"))
            .bearer(&machine.manager);
        let request = match seen {
            Some(tag) => request.header("If-Match", tag),
            None => request,
        };
        request.json(body).send()
    };
    let own = || app.get(&token, "/api/v1/device/configuration").expect(200).body;
    assert_eq!(
        (&own()["version"], &own()["settings"]["screens"]),
        (&json!(0), &json!(1))
    );
    let foolish =
        json!({"driver": "telepathy", "settings": {"heartbeat_seconds": 5, "screens": 99, "door_means_taken": true}});
    configure(&foolish, None).expect_fields(
        422,
        &[
            "driver",
            "settings.heartbeat_seconds",
            "settings.screens",
            "settings.door_means_taken",
        ],
    );
    configure(&json!({"settings": {"volume": 11}}), None).expect_problem(400, "malformed_request");
    beats(app, &token, &beat(app, 1));
    let first = configure(&json!({"settings": {"doors_at_once": 2}}), None).expect(200);
    assert_eq!(
        (first.body["version"].as_i64(), first.header("etag")),
        (Some(1), Some("\"1\""))
    );
    let told = beats(app, &token, &beat(app, 2));
    assert_eq!(told["configuration_version"], 1, "the next heartbeat says so");
    configure(&json!({}), Some("\"7\"")).expect_problem(412, "precondition_failed");
    configure(&json!({}), Some("\"1\"")).expect(200);
    assert_eq!(
        (&own()["version"], &own()["settings"]["doors_at_once"]),
        (&json!(2), &json!(1))
    );
    let kept = app
        .database
        .outside()
        .number("SELECT count(*) AS n FROM device_configurations");
    assert_eq!(kept, 2);
}

fn a_further_key_is_proven_by_the_one_before(app: &TestApp) {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ed25519_dalek::{Signer, SigningKey};

    let machine = machine(app);
    let token = machine.token(app);
    let key = |byte: u8| SigningKey::from_bytes(&[byte; 32]);
    let public = |byte: u8| URL_SAFE_NO_PAD.encode(key(byte).verifying_key().as_bytes());
    let give = |body: &Value| {
        app.request("PUT", "/api/v1/device/key")
            .bearer(&token)
            .json(body)
            .send()
    };
    let body = |byte: u8, first: u64| json!({"public_key": public(byte), "journal": 1, "first_sequence": first});
    let first = give(&body(1, 1)).expect(200).body;
    assert_eq!(give(&body(1, 1)).expect(200).body, first, "the same again");
    give(&json!({"public_key": "AAAA", "journal": 1, "first_sequence": 9})).expect_fields(422, &["public_key"]);
    give(&body(2, 100)).expect_fields(422, &["proof"]);
    let line = |byte: u8, first: u64| format!("tongjie-key-1\n{}\n1\n{first}\n{}", machine.code, public(byte));
    let proven = |byte: u8, first: u64, by: u8| {
        let mut body = body(byte, first);
        let signature = key(by).sign(line(byte, first).as_bytes());
        body["proof"] = URL_SAFE_NO_PAD.encode(signature.to_bytes()).into();
        body
    };
    give(&proven(2, 100, 3)).expect_fields(422, &["proof"]);
    let mut moved = proven(2, 100, 1);
    moved["first_sequence"] = 50.into();
    give(&moved).expect_fields(422, &["proof"]);
    give(&proven(2, 100, 1)).expect(200);
    give(&proven(3, 40, 2)).expect_fields(422, &["first_sequence"]);
    let path = machine.path(&format!(
        "/keys/{}/revocation",
        first["key_id"].as_str().expect("an id")
    ));
    app.post(&machine.manager, &path, &json!({})).expect(200);
    app.post(&machine.manager, &path, &json!({}))
        .expect_problem(409, "wrong_state");
    let listed = app.get(&machine.manager, &machine.path("/keys")).expect(200).body;
    assert!(listed["items"][0]["revoked_at"].is_string() && listed["items"][1]["revoked_at"].is_null());
}
