//! Devices that a driver of ours speaks to: their configuration, and what is ordered of them.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::sync::watch;
use tongjie::auth::identity::IdentityKey;
use tongjie::device::runner;
use tongjie::domain::device_command::{CommandKind, CommandStatus};
use tongjie::domain::ids::{CommandId, DeviceId};
use tongjie::domain::schedule::RESEAL_IDENTITIES;
use tongjie::store::StoreError;
use tongjie::store::devices::commands::Command;
use tongjie::usecase::driven_devices::driven_devices;
use tongjie::usecase::reseal_identities::{ResealIdentities, keys_in_use};
use tongjie::usecase::run_job::run_job;

use crate::app::TestApp;
use crate::client::Answer;
use crate::devices::{Machine, machine};

on_both!(
    a_driver_is_known_by_its_name_and_tells_every_wrong_setting,
    a_password_is_kept_and_never_shown,
    a_password_is_sealed_anew_after_a_rotation_and_its_key_is_in_use,
    what_is_ordered_of_a_driven_device_is_carried_out_once,
    an_order_that_was_begun_is_never_begun_again,
);

pub fn configure(app: &TestApp, machine: &Machine, body: &Value) -> Answer {
    app.request("PUT", &machine.path("/configuration"))
        .bearer(&machine.manager)
        .json(body)
        .send()
}

fn driven(app: &TestApp) -> Machine {
    let machine = machine(app);
    let body = json!({"driver": "simulator", "driver_settings": {"doors": 3, "takes_ms": 0}});
    configure(app, &machine, &body).expect(200);
    machine
}

/// An order to open, as a compartment's verb gives it.
pub fn order_open(app: &TestApp, machine: &Machine, (number, turn): (u16, i64), status: CommandStatus) -> i64 {
    let now = app.clock.now();
    let device = DeviceId::new(machine.id);
    app.block_on(async {
        let ids = app.app.store.take_ids::<StoreError>(1).await.expect("ids");
        let id = CommandId::new(ids.clone().next());
        let command = Command {
            id,
            device,
            kind: CommandKind::OpenCompartment,
            body: json!({"number": number, "turn": turn}).to_string(),
            receipt: vec![7; 16],
            status,
            queued_at: now,
            expires_at: now + TimeDelta::seconds(20),
            delivered_at: (status == CommandStatus::Delivered).then_some(now),
            ended_at: None,
            result: None,
            late_result: None,
        };
        let written = app.app.store.write(move |tx| tx.insert_command(&command)).await;
        written.expect("written");
        id.get()
    })
}

/// Runs the drivers until it is so.
pub fn run_until(app: &TestApp, what: &str, so: impl AsyncFn() -> bool) {
    app.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let runner = runner::start(&app.app, &stopped);
        let looked = async {
            while !so().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), looked).await;
        assert!(in_time.is_ok(), "never: {what}");
        stop.send_replace(true);
        runner.await.expect("no panic");
    });
}

/// Runs the drivers until a command has ended.
pub fn run_until_ended(app: &TestApp, command: i64) {
    run_until(app, "the command ends", async || {
        let found = app.app.store.read(move |tx| tx.command(CommandId::new(command))).await;
        found.expect("read").expect("a command").status.is_ended()
    });
}

pub fn told(app: &TestApp, machine: &Machine, command: i64) -> Value {
    let listed = app.get(&machine.manager, &machine.path("/commands")).expect(200).body;
    let commands = listed["items"].as_array().expect("commands");
    commands
        .iter()
        .find(|one| one["id"] == command)
        .expect("listed")
        .clone()
}

fn a_driver_is_known_by_its_name_and_tells_every_wrong_setting(app: &TestApp) {
    let machine = machine(app);
    let wrong = json!({"driver": "modbus_tcp", "driver_settings": {
        "address": "board-7", "unit": 300, "pulse_ms": "long", "doors": 0, "color": "red"}});
    configure(app, &machine, &wrong).expect_fields(
        422,
        &[
            "driver_settings.address",
            "driver_settings.unit",
            "driver_settings.doors",
            "driver_settings.pulse_ms",
            "driver_settings.color",
        ],
    );
    for (driver, settings, field) in [
        ("modbus_rtu", json!({"path": "/etc/passwd"}), "driver_settings.path"),
        (
            "modbus_rtu",
            json!({"path": "/dev/../etc/passwd"}),
            "driver_settings.path",
        ),
        (
            "modbus_rtu",
            json!({"path": "/dev/ttyS0", "baud": 9_601}),
            "driver_settings.baud",
        ),
        ("modbus_tcp", json!({}), "driver_settings.address"),
        (
            "modbus_tcp",
            json!({"address": "b:1", "coil_base": 65_530}),
            "driver_settings.coil_base",
        ),
        (
            "mqtt",
            json!({"url": "http://broker:1883", "prefix": "a"}),
            "driver_settings.url",
        ),
        (
            "mqtt",
            json!({"url": "mqtt://broker:1883", "prefix": "a/#"}),
            "driver_settings.prefix",
        ),
        ("calls_us", json!({"address": "b:1"}), "driver_settings.address"),
    ] {
        let body = json!({"driver": driver, "driver_settings": settings});
        configure(app, &machine, &body).expect_fields(422, &[field]);
    }
    let good = json!({"driver": "modbus_tcp", "driver_settings": {"address": "10.1.2.3:502", "feedback_open": false}});
    let made = configure(app, &machine, &good).expect(200).body;
    assert_eq!((&made["driver"], &made["version"]), (&json!("modbus_tcp"), &json!(1)));
    let body = json!({"code": format!("JC-R{}", app.next()), "unit_code": "M1", "kind": "desk_reader", "name": "Desk 1",
        "capabilities": ["card_reader"]});
    let reader = app.post(&machine.manager, "/api/v1/devices", &body).expect(201).body;
    let path = format!("/api/v1/devices/{}/configuration", reader["device"]["id"]);
    let request = app.request("PUT", &path).bearer(&machine.manager);
    let doors = json!({"driver": "modbus_tcp", "driver_settings": {"address": "10.1.2.4:502"}});
    // Doors are not what a reader of cards has.
    request.json(&doors).send().expect_fields(422, &["driver"]);
}

fn a_password_is_kept_and_never_shown(app: &TestApp) {
    let machine = machine(app);
    let settings = |more: Value| {
        let mut settings = json!({"url": "mqtt://broker:1883", "prefix": "lockers/7", "username": "board-7-of-m1"});
        settings
            .as_object_mut()
            .expect("one")
            .extend(more.as_object().expect("one").clone());
        json!({"driver": "mqtt", "driver_settings": settings})
    };
    let made = configure(app, &machine, &settings(json!({"password": "open sesame"})))
        .expect(200)
        .body;
    assert_eq!(made["driver_settings"]["username"], "board-7-of-m1");
    assert!(made["driver_settings"]["password"].is_null());
    let shown = app
        .get(&machine.manager, &machine.path("/configuration"))
        .expect(200)
        .body;
    assert!(!shown.to_string().contains("sesame"), "{shown}");
    let own = app
        .get(&machine.token(app), "/api/v1/device/configuration")
        .expect(200)
        .body;
    assert!(!own.to_string().contains("sesame"), "{own}");
    // What the driver is given.
    let kept = || {
        let (driven, unread) = app.block_on(driven_devices(&app.app.store)).expect("read");
        assert!(unread.is_empty(), "{unread:?}");
        let password = driven[0].settings.get("password").cloned();
        assert!(!format!("{driven:?}").contains("sesame"));
        password.unwrap_or_default()
    };
    configure(app, &machine, &settings(json!({"doors": 8}))).expect(200);
    assert_eq!(kept(), "open sesame", "left out it stays");
    let in_clear = "SELECT count(*) AS n FROM device_configurations WHERE settings LIKE '%sesame%'";
    assert_eq!(app.database.outside().number(in_clear), 0, "in no version");
    let events = "SELECT count(*) AS n FROM events WHERE detail LIKE '%sesame%'";
    assert_eq!(app.database.outside().number(events), 0);
    configure(app, &machine, &settings(json!({"url": "mqtt://elsewhere:1883"}))).expect(200);
    assert_eq!(kept(), Value::Null, "another broker is not told of it");
    assert_eq!(
        app.database
            .outside()
            .number("SELECT count(*) AS n FROM device_passwords"),
        0
    );
}

fn a_password_is_sealed_anew_after_a_rotation_and_its_key_is_in_use(app: &TestApp) {
    let machine = machine(app);
    let settings =
        json!({"url": "mqtt://broker:1883", "prefix": "lockers/7", "username": "u", "password": "open sesame"});
    configure(app, &machine, &json!({"driver": "mqtt", "driver_settings": settings})).expect(200);
    let first = app.app.identities.current(app.clock.now()).expect("a key");
    let second = IdentityKey::new(b"another key that only this test uses", first.since);
    app.app.identities.replace(vec![first.clone(), second.clone()]);
    let in_use = || app.block_on(keys_in_use(&app.app.store)).expect("read");
    assert_eq!(in_use(), [first.id()]);
    let pass = std::sync::Arc::new(ResealIdentities);
    app.block_on(run_job(&app.app.store, "a", RESEAL_IDENTITIES, &pass, || false))
        .expect("it runs");
    assert_eq!(in_use(), [second.id()]);
    app.app.identities.replace(vec![second]);
    let (driven, _) = app.block_on(driven_devices(&app.app.store)).expect("read");
    assert_eq!(driven[0].settings["password"], "open sesame");
    app.app.identities.replace(vec![first]);
    let (driven, unread) = app.block_on(driven_devices(&app.app.store)).expect("read");
    assert!(
        driven.is_empty() && unread.len() == 1,
        "without its key it does not run"
    );
}

fn what_is_ordered_of_a_driven_device_is_carried_out_once(app: &TestApp) {
    let machine = driven(app);
    let body = json!({"kind": "take_inventory", "body": {}});
    let ordered = app
        .post(&machine.manager, &machine.path("/commands"), &body)
        .expect(201)
        .body;
    let pulled = app
        .post(&machine.token(app), "/api/v1/device/commands/pull", &json!({}))
        .expect(200)
        .body;
    assert_eq!(pulled["items"], json!([]), "its driver does it");
    let opening = order_open(app, &machine, (2, 5), CommandStatus::Queued);
    run_until_ended(app, opening);
    let inventory = told(app, &machine, ordered["id"].as_i64().expect("an id"));
    assert_eq!(inventory["status"], "done");
    let empty = json!({"doors": 3, "open": "", "door_unknown": "", "with_item": "", "item_unknown": ""});
    assert_eq!(inventory["result"], empty);
    let opened = told(app, &machine, opening);
    assert_eq!(
        (&opened["status"], &opened["result"]),
        (&json!("done"), &json!({"outcome": "opened", "number": 2, "turn": 5}))
    );
    let no_such = order_open(app, &machine, (4, 1), CommandStatus::Queued);
    run_until_ended(app, no_such);
    let failed = told(app, &machine, no_such);
    assert_eq!(failed["status"], "failed");
    assert_eq!(
        failed["result"],
        json!({"outcome": "not_opened", "reason": "cannot_do", "number": 4, "turn": 1})
    );
}

/// A node fell with the order in hand: its pulse may have reached the door.
fn an_order_that_was_begun_is_never_begun_again(app: &TestApp) {
    let machine = driven(app);
    let begun = order_open(app, &machine, (1, 1), CommandStatus::Delivered);
    let next = order_open(app, &machine, (2, 1), CommandStatus::Queued);
    run_until_ended(app, next);
    assert_eq!(told(app, &machine, next)["status"], "done");
    assert_eq!(told(app, &machine, begun)["status"], "delivered", "and so it expires");
}
