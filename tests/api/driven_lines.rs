//! Lines to machines that do not call us: where they may lead, whose they are, and how it is known that somebody is at the other end.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tongjie::domain::device_command::CommandStatus;
use tongjie::domain::ids::DeviceId;
use tongjie::domain::machine_jobs::SILENCE_ALARMS;
use tongjie::usecase::alarm_silence::AlarmSilence;
use tongjie::usecase::flush_heartbeats::flush_heartbeats;
use tongjie::usecase::run_job::run_job;

use crate::app::TestApp;
use crate::devices::{Machine, beat, beats, machine};
use crate::drivers::{configure, order_open, run_until, run_until_ended, told};
use crate::notices::later;

on_both!(
    drivers_speak_only_where_the_operator_lets_them,
    a_line_serves_one_device,
    two_devices_that_came_to_be_on_one_line_are_told_of,
    a_driven_device_is_heard_of_as_long_as_it_answers,
    a_configuration_that_cannot_be_read_stops_no_other,
);

/// A board of shut doors that speaks Modbus TCP.
struct Board {
    port: u16,
    gone: Arc<AtomicBool>,
    task: Option<JoinHandle<()>>,
}

impl Board {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let gone: Arc<AtomicBool> = Arc::default();
        let seen = Arc::clone(&gone);
        let task = std::thread::spawn(move || {
            for line in listener.incoming().map_while(Result::ok) {
                if seen.load(Ordering::SeqCst) {
                    break;
                }
                std::thread::spawn(move || answer(line));
            }
        });
        Self {
            port,
            gone,
            task: Some(task),
        }
    }

    fn settings(&self) -> Value {
        json!({"driver": "modbus_tcp",
            "driver_settings": {"address": format!("127.0.0.1:{}", self.port), "doors": 1, "timeout_ms": 5_000}})
    }
}

/// Each question has twelve bytes; a read is answered with nothing on, a write as it came.
fn answer(mut line: TcpStream) {
    let mut asked = [0; 12];
    while line.read_exact(&mut asked).is_ok() {
        let answer = match asked[7] {
            5 => asked.to_vec(),
            read => [&asked[..4], &[0, 4, asked[6], read, 1, 0]].concat(),
        };
        if line.write_all(&answer).is_err() {
            return;
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::SeqCst);
        // It waits for somebody.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(task) = self.task.take() {
            task.join().expect("no panic");
        }
    }
}

fn drivers_speak_only_where_the_operator_lets_them(app: &TestApp) {
    let machine = machine(app);
    for (driver, settings, field) in [
        ("modbus_tcp", json!({"address": "8.8.8.8:502"}), "address"),
        ("modbus_tcp", json!({"address": "169.254.169.254:80"}), "address"),
        (
            "modbus_tcp",
            json!({"address": "[::ffff:169.254.169.254]:80"}),
            "address",
        ),
        ("modbus_tcp", json!({"address": "0.0.0.0:502"}), "address"),
        (
            "mqtt",
            json!({"url": "mqtt://100.100.100.200:80", "prefix": "a"}),
            "url",
        ),
        ("modbus_rtu", json!({"path": "/dev/mem"}), "path"),
    ] {
        let body = json!({"driver": driver, "driver_settings": settings});
        let refused = configure(app, &machine, &body);
        refused.expect_fields(422, &[&format!("driver_settings.{field}")]);
    }
    let listed = json!({"driver": "modbus_tcp", "driver_settings": {"address": "192.168.7.9:502"}});
    configure(app, &machine, &listed).expect(200);
}

fn a_line_serves_one_device(app: &TestApp) {
    let (one, other) = (machine(app), machine(app));
    let tcp = |address: &str, unit: u8| json!({"driver": "modbus_tcp", "driver_settings": {"address": address, "unit": unit}});
    let mqtt = |url: &str, prefix: &str| json!({"driver": "mqtt", "driver_settings": {"url": url, "prefix": prefix}});
    let rtu = |path: &str| json!({"driver": "modbus_rtu", "driver_settings": {"path": path}});
    for (first, same, field, another) in [
        // Whichever board behind the gateway is meant.
        (
            tcp("10.1.2.3:502", 1),
            tcp("10.1.2.3:502", 2),
            "address",
            tcp("10.1.2.3:503", 1),
        ),
        (
            mqtt("mqtt://broker:1883", "lockers/7"),
            mqtt("mqtts://Broker.:8883", "lockers/7"),
            "prefix",
            mqtt("mqtt://broker:1883", "lockers/8"),
        ),
        (rtu("/dev/ttyUSB0"), rtu("/dev/ttyUSB0"), "path", rtu("/dev/ttyUSB1")),
    ] {
        configure(app, &one, &first).expect(200);
        let refused = configure(app, &other, &same);
        assert!(refused.body.to_string().contains(&one.code), "{}", refused.body);
        refused.expect_fields(422, &[&format!("driver_settings.{field}")]);
        configure(app, &one, &first).expect(200);
        configure(app, &other, &another).expect(200);
    }
    // Suspended it may come back; retired it does not.
    one.step(app, "suspension").expect(200);
    configure(app, &other, &rtu("/dev/ttyUSB0")).expect_fields(422, &["driver_settings.path"]);
    one.step(app, "retirement").expect(200);
    configure(app, &other, &rtu("/dev/ttyUSB0")).expect(200);
}

/// Kinds of the alarms that stand.
async fn alarms(app: &TestApp, id: i64) -> Vec<String> {
    let found = app.app.store.read(move |tx| tx.alarms_of_devices(&[id])).await;
    found.expect("read").into_iter().map(|(_, kind)| kind).collect()
}

/// As an earlier version of the program let them.
fn two_devices_that_came_to_be_on_one_line_are_told_of(app: &TestApp) {
    let board = Board::start();
    let (one, other) = (machine(app), machine(app));
    configure(app, &one, &board.settings()).expect(200);
    let simulated = json!({"driver": "simulator", "driver_settings": {}});
    configure(app, &other, &simulated).expect(200);
    let sql = format!(
        "UPDATE device_configurations SET driver = 'modbus_tcp', settings = \
            (SELECT settings FROM device_configurations WHERE device_id = {}) WHERE device_id = {}",
        one.id, other.id
    );
    app.database.outside().run(&sql);
    run_until(app, "the second is told of", async || {
        alarms(app, other.id).await == ["configuration_refused"]
    });
    assert_eq!(one.shown(app)["alarms"], json!([]), "the first is spoken to");
    configure(app, &other, &simulated).expect(200);
    run_until(app, "it is over", async || alarms(app, other.id).await.is_empty());
}

fn silence_is_looked_for(app: &TestApp, machine: &Machine) -> Value {
    app.block_on(flush_heartbeats(&app.app.store, &app.app.board))
        .expect("written");
    let pass = Arc::new(AlarmSilence { flush_seconds: 30 });
    app.block_on(run_job(&app.app.store, "a", SILENCE_ALARMS, &pass, || false))
        .expect("runs");
    machine.shown(app)["alarms"].clone()
}

fn a_driven_device_is_heard_of_as_long_as_it_answers(app: &TestApp) {
    let machine = machine(app);
    // It called us, once.
    beats(app, &machine.token(app), &beat(app, 7));
    later(app, 240);
    assert_eq!(silence_is_looked_for(app, &machine), json!(["silent"]));
    let board = Board::start();
    configure(app, &machine, &board.settings()).expect(200);
    let heard = async || app.app.board.last_seen(DeviceId::new(machine.id)) == Some(app.clock.now());
    run_until(app, "it is heard of", heard);
    assert_eq!(silence_is_looked_for(app, &machine), json!([]));
    let status = machine.shown(app)["status"].clone();
    assert_eq!(
        (&status["last_seen_at"], &status["firmware"], &status["clock"]),
        (&json!(app.clock.now()), &json!("modbus_tcp"), &json!("good"))
    );
    // A machine that is started anew is heard of again, and then no more.
    later(app, 240);
    run_until(app, "it is heard of again", heard);
    drop(board);
    later(app, 240);
    let opening = order_open(app, &machine, (1, 1), CommandStatus::Queued);
    run_until_ended(app, opening);
    assert_eq!(told(app, &machine, opening)["result"]["reason"], "unreachable");
    assert_eq!(silence_is_looked_for(app, &machine), json!(["silent"]));
}

fn a_configuration_that_cannot_be_read_stops_no_other(app: &TestApp) {
    let (bad, good) = (machine(app), machine(app));
    let simulated = json!({"driver": "simulator", "driver_settings": {"doors": 3, "takes_ms": 0}});
    configure(app, &bad, &simulated).expect(200);
    configure(app, &good, &simulated).expect(200);
    let sql = format!(
        "UPDATE device_configurations SET settings = '{{' WHERE device_id = {}",
        bad.id
    );
    app.database.outside().run(&sql);
    let opening = order_open(app, &good, (2, 5), CommandStatus::Queued);
    run_until_ended(app, opening);
    assert_eq!(told(app, &good, opening)["status"], "done");
    assert_eq!(bad.shown(app)["alarms"], json!(["configuration_refused"]));
    configure(app, &bad, &simulated).expect(200);
    run_until(app, "it is over", async || alarms(app, bad.id).await.is_empty());
}
