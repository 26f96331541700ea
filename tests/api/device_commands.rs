//! Commands to devices: ordered, waited for, acknowledged; late, twice, forged, called back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tongjie::domain::machine_jobs::COMMAND_EXPIRY;
use tongjie::usecase::expire_commands::ExpireCommands;
use tongjie::usecase::run_job::run_job;

use crate::app::TestApp;
use crate::client::{Answer, Request};
use crate::devices::{Machine, machine};
use crate::notices::later;

on_both!(
    a_command_is_told_until_it_is_acknowledged_with_the_same_receipt,
    a_poll_ends_as_soon_as_something_is_ordered,
    a_poll_of_a_device_that_is_suspended_ends_at_once,
    two_polls_at_once_are_told_the_same,
    an_acknowledgement_counts_once,
    a_forged_acknowledgement_changes_nothing_and_is_told_of,
    another_devices_command_is_not_there,
    what_comes_after_its_time_is_kept_and_changes_nothing,
    a_command_is_called_back_until_it_is_told,
    what_makes_no_sense_is_not_ordered,
    a_heartbeat_says_that_something_waits,
);

const PULL: &str = "/api/v1/device/commands/pull";

fn order(app: &TestApp, machine: &Machine, kind: &str) -> Answer {
    let body = json!({"kind": kind, "body": {"text": "闭馆"}});
    app.post(&machine.manager, &machine.path("/commands"), &body)
}

fn pull(app: &TestApp, token: &str) -> Vec<Value> {
    let told = app.post(token, PULL, &json!({})).expect(200).body;
    told["items"].as_array().expect("commands").clone()
}

fn acknowledge(app: &TestApp, token: &str, command: &Value, done: bool) -> Answer {
    let path = format!("/api/v1/device/commands/{}/acknowledgement", command["id"]);
    let body = json!({"receipt": command["receipt"], "done": done, "result": {"shown": done}});
    app.post(token, &path, &body)
}

fn status(app: &TestApp, machine: &Machine) -> Value {
    let listed = app.get(&machine.manager, &machine.path("/commands")).expect(200).body;
    listed["items"][0].clone()
}

fn a_command_is_told_until_it_is_acknowledged_with_the_same_receipt(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    assert_eq!(pull(app, &token), Vec::<Value>::new());
    let ordered = order(app, &machine, "show_message").expect(201).body;
    assert!(ordered["status"] == "queued" && ordered["receipt"].is_null());
    let first = pull(app, &token);
    assert_eq!((first.len(), &first[0]["id"]), (1, &ordered["id"]));
    assert_eq!(first[0]["expires_in_ms"], 120_000);
    assert_eq!(status(app, &machine)["status"], "delivered");
    later(app, 1);
    let again = pull(app, &token);
    assert_eq!(again[0]["receipt"], first[0]["receipt"]);
    assert_eq!(again[0]["expires_in_ms"], 119_000);
    let done = acknowledge(app, &token, &first[0], true).expect(200).body;
    assert_eq!(
        (&done["status"], &done["result"]),
        (&json!("done"), &json!({"shown": true}))
    );
    assert_eq!(pull(app, &token), Vec::<Value>::new());
}

/// A poll from another thread, once it waits.
fn waiting(app: &TestApp, token: &str) -> std::thread::JoinHandle<(Answer, Duration)> {
    let request = app
        .request("POST", PULL)
        .bearer(token)
        .json(&json!({"wait_seconds": 10}));
    let poll = |request: Request| {
        let began = Instant::now();
        let answer = request.send();
        (answer, began.elapsed())
    };
    std::thread::spawn(move || poll(request))
}

fn a_poll_ends_as_soon_as_something_is_ordered(app: &TestApp) {
    let machine = machine(app);
    let poll = waiting(app, &machine.token(app));
    // Before the poll is there or while it waits: either way it is told.
    let ordered = order(app, &machine, "show_message").expect(201).body;
    let (answer, took) = poll.join().expect("answered");
    assert_eq!(answer.expect(200).body["items"][0]["id"], ordered["id"]);
    assert!(took < Duration::from_secs(9), "{took:?}");
}

fn a_poll_of_a_device_that_is_suspended_ends_at_once(app: &TestApp) {
    let machine = machine(app);
    let poll = waiting(app, &machine.token(app));
    machine.step(app, "suspension").expect(200);
    let (answer, took) = poll.join().expect("answered");
    answer.expect_problem(403, "forbidden");
    assert!(took < Duration::from_secs(9), "{took:?}");
}

fn two_polls_at_once_are_told_the_same(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    let polls = [waiting(app, &token), waiting(app, &token)];
    order(app, &machine, "show_message").expect(201);
    let told = polls.map(|poll| poll.join().expect("answered").0.expect(200).body);
    assert!(told[0]["items"][0]["receipt"].is_string());
    assert_eq!(told[0]["items"][0]["receipt"], told[1]["items"][0]["receipt"]);
}

fn an_acknowledgement_counts_once(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    order(app, &machine, "show_message").expect(201);
    let command = pull(app, &token).remove(0);
    let first = acknowledge(app, &token, &command, false).expect(200).body;
    assert_eq!(first["status"], "failed");
    assert_eq!(acknowledge(app, &token, &command, false).expect(200).body, first);
    acknowledge(app, &token, &command, true).expect_problem(409, "conflict");
    assert_eq!(status(app, &machine), first);
}

fn a_forged_acknowledgement_changes_nothing_and_is_told_of(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    let ordered = order(app, &machine, "show_message").expect(201).body;
    // Not even a guess is right before it was delivered.
    let mut forged = json!({"id": ordered["id"], "receipt": "AAAAAAAAAAAAAAAAAAAAAA"});
    acknowledge(app, &token, &forged, true).expect_problem(409, "acknowledgement_forged");
    pull(app, &token);
    for receipt in ["AAAAAAAAAAAAAAAAAAAAAA", "no base64 %%"] {
        forged["receipt"] = receipt.into();
        acknowledge(app, &token, &forged, true).expect_problem(409, "acknowledgement_forged");
    }
    assert_eq!(status(app, &machine)["status"], "delivered");
    let alarms = app.get(&machine.manager, "/api/v1/device-alarms").expect(200).body;
    let alarm = &alarms["items"][0];
    assert_eq!(
        (&alarm["kind"], &alarm["times"]),
        (&json!("acknowledgement_forged"), &json!(3))
    );
    app.assert_sound();
}

fn another_devices_command_is_not_there(app: &TestApp) {
    let (one, other) = (machine(app), machine(app));
    order(app, &one, "show_message").expect(201);
    let command = pull(app, &one.token(app)).remove(0);
    let told = acknowledge(app, &other.token(app), &command, true);
    told.expect_problem(404, "not_found");
    app.get(&other.token(app), &one.path("/commands"))
        .expect_problem(404, "not_found");
    assert_eq!(pull(app, &other.token(app)), Vec::<Value>::new());
}

fn what_comes_after_its_time_is_kept_and_changes_nothing(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    order(app, &machine, "show_message").expect(201);
    let command = pull(app, &token).remove(0);
    later(app, 120);
    assert_eq!(pull(app, &token), Vec::<Value>::new(), "nobody is told of it");
    let expire = || {
        let pass = std::sync::Arc::new(ExpireCommands);
        app.block_on(run_job(&app.app.store, "a", COMMAND_EXPIRY, &pass, || false))
            .expect("runs");
    };
    expire();
    assert_eq!(status(app, &machine)["status"], "expired");
    let late = acknowledge(app, &token, &command, true).expect(200).body;
    assert_eq!((&late["status"], &late["result"]), (&json!("expired"), &Value::Null));
    assert_eq!(late["late_result"], json!({"shown": true}));
}

fn a_command_is_called_back_until_it_is_told(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    let cancel = |command: &Value| {
        let path = format!("/api/v1/device-commands/{}/cancellation", command["id"]);
        app.post(&machine.manager, &path, &json!({}))
    };
    let first = order(app, &machine, "show_message").expect(201).body;
    assert_eq!(cancel(&first).expect(200).body["status"], "cancelled");
    assert_eq!(pull(app, &token), Vec::<Value>::new());
    let second = order(app, &machine, "show_message").expect(201).body;
    pull(app, &token);
    cancel(&second).expect_problem(409, "wrong_state");
    machine.step(app, "suspension").expect(200);
    assert_eq!(status(app, &machine)["status"], "cancelled");
    order(app, &machine, "show_message").expect_problem(409, "wrong_state");
}

fn what_makes_no_sense_is_not_ordered(app: &TestApp) {
    let machine = machine(app);
    for kind in ["open_compartment", "print", "reject_item", "sing"] {
        order(app, &machine, kind).expect_fields(422, &["kind"]);
    }
    let long = json!({"kind": "show_message", "body": {"text": "长".repeat(2_000)}});
    let told = app.post(&machine.manager, &machine.path("/commands"), &long);
    told.expect_fields(422, &["body"]);
    let wait = app.post(&machine.token(app), PULL, &json!({"wait_seconds": 11}));
    wait.expect_fields(422, &["wait_seconds"]);
}

fn a_heartbeat_says_that_something_waits(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    let waits = |beat: u64| {
        let body = json!({"at": app.clock.now(), "started_at": "2026-03-01T22:00:00Z", "beat": beat, "firmware": "1"});
        let told = app.post(&token, "/api/v1/device/heartbeats", &body).expect(200).body;
        told["commands_waiting"] == true
    };
    assert!(!waits(1));
    order(app, &machine, "show_message").expect(201);
    assert!(waits(2));
    pull(app, &token);
    assert!(!waits(3));
}
