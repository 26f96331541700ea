//! Devices as time goes on: heard by two nodes, thresholds that move, tokens that outlive a suspension, full queues, retirement, and
//! what is erased.

use std::sync::Arc;

use serde_json::{Value, json};
use tongjie::domain::device_heartbeat::Beat;
use tongjie::domain::ids::{DeviceId, UnitId};
use tongjie::domain::machine_jobs::{MACHINE_ERASURE, SILENCE_ALARMS};
use tongjie::domain::reader::Channel;
use tongjie::usecase::alarm_silence::AlarmSilence;
use tongjie::usecase::device_board::DeviceBoard;
use tongjie::usecase::erase_machine_records::EraseMachineRecords;
use tongjie::usecase::flush_heartbeats::{flush_heartbeats, watch_commands};
use tongjie::usecase::heartbeat::heartbeat;
use tongjie::usecase::run_job::run_job;
use tongjie::usecase::{Caller, Who};

use crate::app::TestApp;
use crate::client::Answer;
use crate::devices::{Machine, beat, beats, machine};
use crate::gates;
use crate::notices::later;

on_both!(
    a_fault_that_another_node_heard_of_ends_with_the_next_heartbeats,
    a_silence_that_another_node_told_of_ends_when_the_node_that_heard_it_writes,
    a_heartbeat_is_late_after_a_start_of_the_server_too,
    another_threshold_is_followed_though_the_stock_stays,
    a_suspended_device_lends_and_takes_back_nothing_with_its_token,
    a_full_queue_of_one_device_hides_no_other,
    the_alarms_of_a_retired_device_end_with_it,
    a_device_that_is_configured_while_it_logs_in_is_let_in,
    what_is_long_over_is_erased_and_what_is_open_stays,
);

fn flush(app: &TestApp) {
    app.block_on(flush_heartbeats(&app.app.store, &app.app.board))
        .expect("written");
}

fn alarms(app: &TestApp, machine: &Machine) -> Value {
    machine.shown(app)["alarms"].clone()
}

/// A heartbeat by way of another node, which has a memory of its own.
fn beats_elsewhere(app: &TestApp, machine: &Machine, node: &DeviceBoard, number: u64, faults: &[&str]) {
    let unit = app
        .database
        .outside()
        .number(&format!("SELECT unit_id AS n FROM devices WHERE id = {}", machine.id));
    let caller = Caller {
        who: Who::Device {
            id: DeviceId::new(machine.id),
            channel: Channel::Locker,
        },
        unit: Some(UnitId::new(unit)),
        session: 1,
    };
    let started_at = "2026-03-01T22:00:00Z".parse().expect("a moment");
    let said = Beat {
        at: app.clock.now(),
        started_at,
        beat: number,
        firmware: "1.4".to_owned(),
        configuration_version: 0,
        faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
        stock: vec![("paper".to_owned(), 40)],
    };
    app.block_on(heartbeat(&app.app.store, node, &caller, said))
        .expect("taken");
}

fn a_fault_that_another_node_heard_of_ends_with_the_next_heartbeats(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    let other = DeviceBoard::default();
    beats(app, &token, &beat(app, 1));
    beats_elsewhere(app, &machine, &other, 2, &["printer_jam"]);
    assert_eq!(alarms(app, &machine), json!(["fault"]));
    // To this node it never had a fault: nothing is new.
    beats(app, &token, &beat(app, 3));
    later(app, 1);
    beats(app, &token, &beat(app, 4));
    flush(app);
    beats(app, &token, &beat(app, 5));
    assert_eq!(alarms(app, &machine), json!([]));
    app.assert_sound();
}

fn a_silence_that_another_node_told_of_ends_when_the_node_that_heard_it_writes(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    for number in 1..=6 {
        beats(app, &token, &beat(app, number));
        later(app, 60);
    }
    // What this node has heard is not written: to all others the device is silent.
    let pass = Arc::new(AlarmSilence { flush_seconds: 30 });
    app.block_on(run_job(&app.app.store, "b", SILENCE_ALARMS, &pass, || false))
        .expect("runs");
    assert_eq!(alarms(app, &machine), json!(["silent"]));
    flush(app);
    assert_eq!(alarms(app, &machine), json!(["silent"]), "it was not heard of since");
    beats(app, &token, &beat(app, 7));
    flush(app);
    assert_eq!(alarms(app, &machine), json!([]));
}

fn a_heartbeat_is_late_after_a_start_of_the_server_too(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    let mut fine = beat(app, 5);
    fine["started_at"] = "2026-03-01T22:00:00.123456789Z".into();
    assert_eq!(beats(app, &token, &fine)["stale"], false);
    app.app.board.forget(DeviceId::new(machine.id));
    assert_eq!(beats(app, &token, &fine)["stale"], true);
}

fn another_threshold_is_followed_though_the_stock_stays(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    let configure = |low: &Value| {
        let request = app.request("PUT", &machine.path("/configuration"));
        let body = json!({"settings": {"low_stock": low}});
        request.bearer(&machine.manager).json(&body).send().expect(200);
    };
    configure(&json!({"ink": 5}));
    let mut number = 0;
    let mut after_the_next = || {
        number += 1;
        beats(app, &token, &beat(app, number));
        alarms(app, &machine)
    };
    assert_eq!(after_the_next(), json!([]));
    configure(&json!({"paper": 50}));
    assert_eq!(after_the_next(), json!(["stock_low"]));
    configure(&json!({"paper": 45, "ink": 5}));
    assert_eq!(after_the_next(), json!(["stock_low"]));
    let mut outside = app.database.outside();
    let once = outside.number("SELECT max(times) AS n FROM device_alarms WHERE kind = 'stock_low'");
    assert_eq!(once, 1, "as low as before is not told again");
    configure(&json!({"paper": 40}));
    assert_eq!(after_the_next(), json!([]));
}

fn a_suspended_device_lends_and_takes_back_nothing_with_its_token(app: &TestApp) {
    app.small_network();
    let (desk, root) = (app.staff("librarian", "B1"), app.root_token());
    let card = app.reader("adult", "B1").1;
    let book = |title: &str| app.item(app.bib(title, None), "B1", &json!({})).1;
    let (first, second) = (book("三国演义"), book("水浒传"));
    let kiosk = gates::machine(app, "kiosk", "B1", "tag_reader,card_reader");
    let id = app
        .database
        .outside()
        .number("SELECT id AS n FROM devices WHERE kind = 'kiosk'");
    let step = |what: &str| {
        let path = format!("/api/v1/devices/{id}/{what}");
        app.post(&root, &path, &json!({})).expect(200);
    };
    let check_out = |who: &str, barcode: &str| -> Answer {
        let body = json!({"item_barcode": barcode, "card_number": card});
        app.post(who, "/api/v1/check-outs", &body)
    };
    let lent = check_out(&kiosk, &first).expect(201).body;
    let loan = lent["loan"]["id"].as_i64().expect("an id");
    let in_force = [
        ("/api/v1/check-ins".to_owned(), json!({"item_barcode": first})),
        (format!("/api/v1/loans/{loan}/renewals"), json!({})),
        (format!("/api/v1/loans/{loan}/void"), json!({"reason": "门未打开"})),
    ];
    step("suspension");
    check_out(&kiosk, &second).expect_problem(403, "forbidden");
    for (path, body) in &in_force {
        app.post(&kiosk, path, body).expect_problem(403, "forbidden");
    }
    // Nothing of it has happened, and who stands at the desk goes on.
    check_out(&desk, &second).expect(201);
    let as_it_was = format!("SELECT count(*) AS n FROM loans WHERE id = {loan} AND closed_at IS NULL AND renewals = 0");
    assert_eq!(app.database.outside().number(&as_it_was), 1);
    step("suspension/end");
    let (path, body) = &in_force[2];
    app.post(&kiosk, path, body).expect(200);
    app.assert_sound();
}

fn a_full_queue_of_one_device_hides_no_other(app: &TestApp) {
    let (full, other) = (machine(app), machine(app));
    let token = other.token(app);
    let body = json!({"kind": "show_message", "body": {"text": "闭馆"}});
    app.post(&full.manager, &full.path("/commands"), &body).expect(201);
    // Ordered on another node: this one is not woken by it.
    let mut outside = app.database.outside();
    let mut order = |device: i64, count: i64| {
        outside.run(&format!(
            "INSERT INTO device_commands (id, device_id, kind, body, receipt, status, queued_at, expires_at) \
             WITH RECURSIVE orders(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM orders WHERE n < {count}) \
             SELECT last.id + n, {device}, kind, body, receipt, status, queued_at, expires_at FROM orders, \
             (SELECT * FROM device_commands ORDER BY id DESC LIMIT 1) AS last"
        ));
    };
    order(full.id, 2_000);
    order(other.id, 1);
    app.block_on(watch_commands(&app.app.store, &app.app.board))
        .expect("looked");
    let told = beats(app, &token, &beat(app, 1));
    assert_eq!(told["commands_waiting"], true);
}

fn the_alarms_of_a_retired_device_end_with_it(app: &TestApp) {
    let (gone, stays) = (machine(app), machine(app));
    for one in [&gone, &stays] {
        let mut jammed = beat(app, 1);
        jammed["faults"] = json!(["printer_jam"]);
        beats(app, &one.token(app), &jammed);
        assert_eq!(alarms(app, one), json!(["fault"]));
    }
    gone.step(app, "retirement").expect(200);
    assert_eq!(alarms(app, &gone), json!([]));
    assert_eq!(alarms(app, &stays), json!(["fault"]));
}

fn a_device_that_is_configured_while_it_logs_in_is_let_in(app: &TestApp) {
    let machine = machine(app);
    let requests: Vec<_> = (0..60)
        .map(|number| {
            let request = app.request("PUT", &machine.path("/configuration"));
            let body = json!({"settings": {"low_stock": {"paper": number}}});
            request.bearer(&machine.manager).json(&body)
        })
        .collect();
    let configures = std::thread::spawn(move || {
        for request in requests {
            request.send().expect(200);
        }
    });
    while !configures.is_finished() {
        machine.log_in(app).expect(201);
    }
    configures.join().expect("each one was made");
}

fn what_is_long_over_is_erased_and_what_is_open_stays(app: &TestApp) {
    let machine = machine(app);
    let token = machine.token(app);
    let order = || {
        let body = json!({"kind": "show_message", "body": {"text": "闭馆"}});
        let ordered = app
            .post(&machine.manager, &machine.path("/commands"), &body)
            .expect(201);
        ordered.body["id"].as_i64().expect("an id")
    };
    let cancel = |command: i64| {
        let path = format!("/api/v1/device-commands/{command}/cancellation");
        app.post(&machine.manager, &path, &json!({})).expect(200);
    };
    let mut bad = beat(app, 1);
    bad["faults"] = json!(["printer_jam", "belt"]);
    beats(app, &token, &bad);
    bad["beat"] = 2.into();
    bad["faults"] = json!(["belt"]);
    beats(app, &token, &bad);
    let gate = gates::machine(app, "gate", "M1", "gate");
    for check in ["c-1", "c-2"] {
        let told = json!({"check_id": check, "at": app.clock.now(), "tag": "E004", "decided": "asked", "decision": "alarm",
            "reason": "not_lent"});
        let batch = json!({"batch": check, "checks": [told]});
        app.post(&gate, "/api/v1/device/gate-passages", &batch).expect(200);
    }
    let desk = app.staff("librarian", "M1");
    let first = app.get(&desk, "/api/v1/gate-alarms").expect(200).body["items"][1]["id"].clone();
    let settlement = format!("/api/v1/gate-alarms/{first}/settlement");
    app.post(&desk, &settlement, &json!({"outcome": "mistaken"}))
        .expect(200);
    cancel(order());
    order();
    let erase = || {
        let pass = Arc::new(EraseMachineRecords { days: 180 });
        app.block_on(run_job(&app.app.store, "a", MACHINE_ERASURE, &pass, || false))
            .expect("runs");
        let mut outside = app.database.outside();
        ["device_commands", "device_alarms", "gate_checks"]
            .map(|table| outside.number(&format!("SELECT count(*) AS n FROM {table}")))
    };
    assert_eq!(erase(), [2, 2, 2]);
    later(app, 180 * 86_400);
    assert_eq!(erase(), [2, 2, 2], "not a moment too early");
    later(app, 86_400);
    assert_eq!(erase(), [1, 1, 1], "what is open stays");
    app.assert_sound();
}
