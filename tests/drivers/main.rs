//! Every real driver against a peer that nobody here wrote: pymodbus by TCP and on a serial pair of socat, mosquitto with its own
//! clients as the board. One suite for all: a further driver is one more `Kind`.
//!
//! `scripts/devices.sh` installs the peers. Where one is missing a line says so and its tests pass without having run;
//! `TONGJIE_TEST_DEVICES=required` makes that a failure.

mod lines;
mod modbus_board;
mod mqtt_board;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tongjie::device::driver_list::DriverList;
use tongjie::device::line::Lines;
use tongjie::device::reach::Reach;
use tongjie::domain::machine_outcome::{DoorSeen, Opened, Sensed, WhyNot};
use tongjie::usecase::machine_ports::{DoorBank, DoorOrder, ItemSensor, Machine};

use crate::modbus_board::ModbusBoard;
use crate::mqtt_board::MqttBoard;

/// How long anything may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// Of a board that answers, nobody ends the wait for it; RTU first listens for four times this.
const PATIENT: &str = r#"{"timeout_ms": 2000, "opens_ms": 10000}"#;

/// Where an answer is waited for in vain.
const HASTY: &str = r#"{"timeout_ms": 800, "opens_ms": 1500}"#;

/// What the peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    ModbusTcp,
    ModbusRtu,
    Mqtt,
}

/// A board at the other end, outside this process.
trait Peer: Send {
    /// The settings of a driver for it.
    fn settings(&self) -> Value;
    /// `stuck N`, `open N`, `shut N`, `refuse N`, `late MS`; comes back when it obeys.
    fn say(&mut self, line: &str);
    /// What it did: `look 3`, `on 3`, `off 3`.
    fn did(&self) -> Vec<String>;
    /// SIGKILL.
    fn kill(&mut self);
    /// At the same place again.
    fn revive(&mut self);
    /// SIGSTOP and SIGCONT.
    fn stall(&mut self);
    fn go_on(&mut self);
}

struct Rig {
    peer: Box<dyn Peer>,
    driver: &'static str,
    settings: Map<String, Value>,
    lines: Lines,
    machine: Machine,
}

impl Rig {
    fn start(kind: Kind, settings: &str, more: &Value) -> Option<Self> {
        let peer: Box<dyn Peer> = match kind {
            Kind::ModbusTcp => Box::new(ModbusBoard::tcp(python()?)),
            Kind::ModbusRtu => Box::new(ModbusBoard::rtu(python()?, &program("socat")?)),
            Kind::Mqtt => Box::new(MqttBoard::start(
                program("mosquitto")?,
                program("mosquitto_pub")?,
                program("mosquitto_sub")?,
            )),
        };
        let driver = match kind {
            Kind::ModbusTcp => "modbus_tcp",
            Kind::ModbusRtu => "modbus_rtu",
            Kind::Mqtt => "mqtt",
        };
        let said: Value = serde_json::from_str(settings).expect("JSON");
        let all =
            [&peer.settings(), &json!({"doors": 8}), &said, more].map(|some| some.as_object().expect("one").clone());
        let settings: Map<String, Value> = all.into_iter().flatten().collect();
        let lines = Lines::default();
        let machine = begin(driver, &settings, &lines);
        Some(Self {
            peer,
            driver,
            settings,
            lines,
            machine,
        })
    }

    /// The machine of another configuration of the same node: the one before ends.
    fn configure(&mut self, more: &Value) {
        self.settings.extend(more.as_object().expect("one").clone());
        self.machine = Machine::default();
        self.machine = begin(self.driver, &self.settings, &self.lines);
    }

    /// A node of its own speaks to the board, and falls as soon as it is so.
    async fn falls_once(&mut self, order: DoorOrder, what: &str, so: impl Fn(&[String]) -> bool) {
        self.machine = Machine::default();
        let (driver, settings) = (self.driver, self.settings.clone());
        let (fall, falls) = std::sync::mpsc::channel::<()>();
        let node = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.spawn(async move {
                let doors = begin(driver, &settings, &Lines::default()).doors.expect("doors");
                doors.open(order).await
            });
            falls.recv().expect("told");
            runtime.shutdown_background();
        });
        until(what, async || so(&self.peer.did())).await;
        fall.send(()).expect("it waits");
        node.join().expect("no panic");
        self.lines = Lines::default();
    }

    fn doors(&self) -> Arc<dyn DoorBank> {
        self.machine.doors.clone().expect("a door bank")
    }

    fn items(&self) -> Arc<dyn ItemSensor> {
        self.machine.items.clone().expect("an item sensor")
    }

    async fn open(&self, number: u16, turn: i64) -> Opened {
        self.doors().open(order(number, turn)).await
    }

    /// Which locks let go and held again, in that order.
    fn switched(&self) -> Vec<String> {
        let did = self.peer.did().into_iter();
        did.filter(|line| !line.starts_with("look")).collect()
    }

    /// How often the locks of the board let go.
    fn pulses(&self) -> usize {
        self.switched().iter().filter(|line| line.starts_with("on ")).count()
    }
}

fn begin(driver: &str, settings: &Map<String, Value>, lines: &Lines) -> Machine {
    let start = DriverList::make(driver, settings).expect("a driver");
    let reach = Reach::of(&"127.0.0.1, /dev/pts/*".parse().expect("a list"));
    start
        .unwrap_or_else(|faults| panic!("settings that make sense: {faults:?}"))
        .begin(lines, &reach)
}

fn order(number: u16, turn: i64) -> DoorOrder {
    let within = Duration::from_secs(60);
    DoorOrder { number, turn, within }
}

/// Asks until it is so: what was stalled needs a moment, and so does the rest after an error.
async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !look().await {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn missing(what: &str) {
    let required = std::env::var("TONGJIE_TEST_DEVICES").is_ok_and(|word| word == "required");
    assert!(!required, "{what} is not installed; see scripts/devices.sh");
    // Past what the test harness keeps to itself of tests that pass.
    let told = writeln!(
        std::io::stderr(),
        "{what} is not installed: this test did nothing (scripts/devices.sh installs it)"
    );
    told.expect("standard error");
}

/// The interpreter with pymodbus that `scripts/devices.sh` makes.
fn python() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let found = root.join("target/devices-venv/bin/python");
    if found.is_file() {
        return Some(found);
    }
    missing("pymodbus");
    None
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let places = path.split(':').chain(["/usr/sbin"]);
    let found = places
        .map(|dir| PathBuf::from(dir).join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        missing(name);
    }
    found
}

/// The order is heard, the door is seen open, and the lock is a lock again.
async fn a_door_opens(rig: Rig) {
    assert_eq!(rig.items().inside(3).await, Sensed::Empty);
    assert_eq!(rig.open(3, 1).await, Opened::Opened);
    assert_eq!(rig.doors().door(3).await, DoorSeen::Open);
    assert_eq!(rig.items().inside(3).await, Sensed::Item);
    assert_eq!(rig.doors().door(4).await, DoorSeen::Shut);
    assert_eq!(rig.switched(), ["on 3", "off 3"]);
}

async fn a_door_that_stays_shut_is_told_as_such(mut rig: Rig) {
    rig.peer.say("stuck 2");
    assert_eq!(rig.open(2, 1).await, Opened::NotOpened(WhyNot::StayedShut));
    assert_eq!(rig.pulses(), 1, "it is not tried again");
    rig.peer.say("refuse 5");
    assert_eq!(rig.open(5, 1).await, Opened::NotOpened(WhyNot::Refused));
    assert_eq!(rig.open(4, 1).await, Opened::Opened);
}

async fn a_killed_peer_opens_nothing_and_is_found_again(mut rig: Rig) {
    assert_eq!(rig.open(1, 1).await, Opened::Opened);
    rig.peer.kill();
    let within = Duration::from_secs(1);
    let opened = rig.doors().open(DoorOrder { within, ..order(2, 1) }).await;
    assert_eq!(opened, Opened::NotOpened(WhyNot::Unreachable));
    rig.peer.revive();
    let doors = rig.doors();
    until("the board is there again", async || {
        doors.door(2).await == DoorSeen::Shut
    })
    .await;
    assert_eq!(rig.pulses(), 0, "what was refused is not done later");
    assert_eq!(rig.open(2, 2).await, Opened::Opened);
}

async fn a_stalled_peer_opens_nothing_later(mut rig: Rig) {
    assert_eq!(rig.open(1, 1).await, Opened::Opened);
    rig.peer.stall();
    let within = Duration::from_secs(1);
    let opened = rig.doors().open(DoorOrder { within, ..order(2, 1) }).await;
    assert_eq!(opened, Opened::NotOpened(WhyNot::Unreachable));
    rig.peer.go_on();
    let doors = rig.doors();
    until("the board answers again", async || {
        doors.door(2).await == DoorSeen::Shut
    })
    .await;
    assert_eq!(rig.pulses(), 1, "only the first");
    assert_eq!(rig.open(2, 2).await, Opened::Opened);
}

/// What comes after its time is not taken for the answer to the next question.
async fn a_late_answer_is_nobodys(mut rig: Rig) {
    rig.peer.say("open 3");
    let doors = rig.doors();
    for _ in 0..3 {
        assert_eq!(doors.door(4).await, DoorSeen::Shut);
        // Longer than `timeout_ms`, shorter than the next question would wait.
        rig.peer.say("late 1200");
        let (third, fourth) = tokio::join!(doors.door(3), doors.door(4));
        assert_eq!(third, DoorSeen::Open);
        assert_eq!(fourth, DoorSeen::Shut);
    }
    assert_eq!(rig.open(4, 1).await, Opened::Opened);
}

async fn two_orders_at_once_are_one_after_the_other(rig: Rig) {
    let doors = rig.doors();
    let (one, other, third) = tokio::join!(
        doors.open(order(1, 1)),
        doors.open(order(2, 1)),
        doors.open(order(6, 1))
    );
    assert_eq!([one, other, third], [Opened::Opened; 3]);
    assert_eq!(rig.switched(), ["on 1", "off 1", "on 2", "off 2", "on 6", "off 6"]);
}

async fn an_order_of_an_old_turn_is_refused(mut rig: Rig) {
    assert_eq!(rig.open(3, 7).await, Opened::Opened);
    rig.peer.say("shut 3");
    for turn in [7, 6] {
        assert_eq!(
            rig.open(3, turn).await,
            Opened::NotOpened(WhyNot::OldTurn),
            "turn {turn}"
        );
    }
    assert_eq!(rig.pulses(), 1);
    assert_eq!(rig.open(3, 8).await, Opened::Opened);
    assert_eq!(
        rig.open(9, 1).await,
        Opened::NotOpened(WhyNot::CannotDo),
        "there are eight"
    );
    assert_eq!(rig.open(0, 1).await, Opened::NotOpened(WhyNot::CannotDo));
}

async fn a_door_has_so_many_pulses_a_minute(mut rig: Rig) {
    for turn in 1..=6 {
        assert_eq!(rig.open(3, turn).await, Opened::Opened);
        rig.peer.say("shut 3");
    }
    assert_eq!(rig.open(3, 7).await, Opened::NotOpened(WhyNot::TooOften));
    assert_eq!(rig.pulses(), 6);
    assert_eq!(rig.open(4, 1).await, Opened::Opened, "another door has its own");
}

async fn an_order_whose_time_is_over_is_not_begun(rig: Rig) {
    let late = DoorOrder {
        within: Duration::ZERO,
        ..order(3, 1)
    };
    assert_eq!(rig.doors().open(late).await, Opened::NotOpened(WhyNot::TooLate));
    assert_eq!(rig.pulses(), 0);
}

/// Each scenario with each driver.
macro_rules! with_every_driver {
    ($settings:ident: $($scenario:ident),+ $(,)?) => {
        $(
            mod $scenario {
                use super::*;

                async fn with(kind: Kind) {
                    if let Some(rig) = Rig::start(kind, $settings, &json!({})) {
                        super::$scenario(rig).await;
                    }
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn modbus_tcp() {
                    with(Kind::ModbusTcp).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn modbus_rtu() {
                    with(Kind::ModbusRtu).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn mqtt() {
                    with(Kind::Mqtt).await;
                }
            }
        )+
    };
}

with_every_driver!(
    PATIENT: a_door_opens,
    two_orders_at_once_are_one_after_the_other,
    an_order_of_an_old_turn_is_refused,
    a_door_has_so_many_pulses_a_minute,
    an_order_whose_time_is_over_is_not_begun,
);

with_every_driver!(
    HASTY: a_door_that_stays_shut_is_told_as_such,
    a_killed_peer_opens_nothing_and_is_found_again,
    a_stalled_peer_opens_nothing_later,
    a_late_answer_is_nobodys,
);

/// The feedback of a board that is wired the other way round.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feedback_has_a_polarity() {
    let turned = json!({"feedback_open": false});
    if let Some(rig) = Rig::start(Kind::ModbusTcp, PATIENT, &turned) {
        assert_eq!(rig.doors().door(3).await, DoorSeen::Open, "its input is off");
        assert_eq!(rig.open(3, 1).await, Opened::Opened, "it stands open: nothing to do");
        assert_eq!(rig.pulses(), 0);
    }
}

/// Without feedback a door may be open or not: nobody knows, and nobody says otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_feedback_nobody_knows() {
    for kind in [Kind::ModbusTcp, Kind::Mqtt] {
        if let Some(rig) = Rig::start(kind, PATIENT, &json!({"feedback": false})) {
            assert_eq!(rig.open(3, 1).await, Opened::Unknown, "{kind:?}");
            assert_eq!(rig.pulses(), 1);
        }
    }
}
