//! Lockers that do not call us: the screen logs in as the device, a driver opens the doors, and what it sees of them afterwards decides
//! of loans, loads and returns as a report of the device would. The machine is the simulator.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tongjie::device::runner;
use tongjie::domain::ids::DeviceId;

use crate::app::TestApp;
use crate::holds::{hold, put};
use crate::locker_scene::{Locker, Waiting, item_status, loan_status, silence, waiting};
use crate::notices::later;

on_both!(
    a_driven_locker_is_loaded_lent_from_and_returned_to_by_what_it_sees,
    a_book_that_is_still_sensed_behind_a_driven_door_is_not_lent,
    a_driven_door_that_does_not_open_voids_the_loan,
    a_return_that_a_driven_locker_cannot_read_is_held,
    without_a_sensor_the_configuration_says_what_a_closed_door_means,
    an_order_that_a_fallen_node_had_in_hand_is_settled_by_the_sensor,
    a_driven_door_that_was_given_up_is_looked_at_again,
);

const SENSES: &[&str] = &["door_bank", "item_sensor", "two_phase_loans"];

/// Drivers at work until it is dropped.
struct Drivers {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Drivers {
    fn start(app: &TestApp) -> Self {
        let (stop, stopped) = watch::channel(false);
        let app = Arc::clone(&app.app);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async { runner::start(&app, &stopped).await.expect("no panic") });
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Drivers {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

/// A pickup locker at P1 with a driver.
fn driven(app: &TestApp, capabilities: &[&str]) -> Locker {
    app.small_network();
    app.unit("P1", "point", "B1", &json!({"always_open": true}));
    let locker = Locker::with(app, "P1", "locker", capabilities);
    simulates(app, &locker, &json!({}), &json!({}));
    locker
}

fn simulates(app: &TestApp, locker: &Locker, driver: &Value, settings: &Value) {
    let mut driver = driver.clone();
    for (name, value) in [("doors", 6), ("takes_ms", 0), ("open_ms", 100)] {
        driver[name] = value.into();
    }
    let body = json!({"driver": "simulator", "driver_settings": driver, "settings": settings});
    put(app, &locker.manager, &locker.path("/configuration"), &body).expect(200);
}

fn until(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn until_door(app: &TestApp, locker: &Locker, number: u16, state: &str) {
    until(&format!("compartment {number} is {state}"), || {
        locker.door(app, number)["state"] == state
    });
}

/// A reader for whom a book was loaded into compartment 2, and the drivers.
fn loaded(app: &TestApp, locker: &Locker) -> (Waiting, Drivers) {
    let drivers = Drivers::start(app);
    let waiting = waiting(app);
    locker.load(app, 2, &waiting.book).expect(200);
    until_door(app, locker, 2, "occupied");
    assert_eq!(item_status(app, &waiting.book), "on_hold_shelf");
    later(app, 61);
    (waiting, drivers)
}

/// The reader comes: the loan.
fn fetch(app: &TestApp, locker: &Locker, card: &str) -> i64 {
    let session = locker.session(app, card).expect(201).id();
    let lent = locker.pick_up(app, session).expect(200).body;
    lent["granted"][0]["loan"]["id"].as_i64().expect("a loan")
}

fn a_driven_locker_is_loaded_lent_from_and_returned_to_by_what_it_sees(app: &TestApp) {
    let locker = driven(app, &["door_bank", "item_sensor", "tag_reader", "two_phase_loans"]);
    let waiting = waiting(app);
    let tag = &waiting.book.tag;
    simulates(app, &locker, &json!({"tags": format!("{tag},{tag}")}), &json!({}));
    let _drivers = Drivers::start(app);
    locker.load(app, 2, &waiting.book).expect(200);
    until_door(app, &locker, 2, "occupied");
    later(app, 61);
    let loan = fetch(app, &locker, &waiting.card);
    until_door(app, &locker, 2, "empty");
    assert_eq!(loan_status(app, loan), "confirmed");
    assert_eq!(hold(app, waiting.hold)["status"], "filled");
    app.assert_sound();
    later(app, 61);
    let back = locker.bring_back(app);
    assert_eq!(back["compartment"], 5);
    until_door(app, &locker, 5, "occupied");
    assert_eq!(loan_status(app, loan), "returned");
    assert_eq!(locker.door(app, 5)["item_barcode"], waiting.book.barcode);
    assert_eq!(locker.alarms(app), Vec::<String>::new());
    app.assert_sound();
}

fn a_book_that_is_still_sensed_behind_a_driven_door_is_not_lent(app: &TestApp) {
    let locker = driven(app, SENSES);
    let (waiting, drivers) = loaded(app, &locker);
    drop(drivers);
    // Its reader opens the door and thinks better of it.
    simulates(app, &locker, &json!({"filled": "2", "leaves": 100}), &json!({}));
    let _drivers = Drivers::start(app);
    let loan = fetch(app, &locker, &waiting.card);
    until_door(app, &locker, 2, "occupied");
    assert_eq!(loan_status(app, loan), "voided");
    assert_eq!(hold(app, waiting.hold)["status"], "captured");
    app.assert_sound();
}

fn a_driven_door_that_does_not_open_voids_the_loan(app: &TestApp) {
    let locker = driven(app, SENSES);
    let (waiting, drivers) = loaded(app, &locker);
    drop(drivers);
    simulates(app, &locker, &json!({"filled": "2", "faults": 100}), &json!({}));
    let _drivers = Drivers::start(app);
    let loan = fetch(app, &locker, &waiting.card);
    until_door(app, &locker, 2, "out_of_order");
    assert_eq!(loan_status(app, loan), "voided");
    assert_eq!(hold(app, waiting.hold)["status"], "captured");
    assert_eq!(locker.alarms(app), ["door_jammed"]);
    app.assert_sound();
}

fn a_return_that_a_driven_locker_cannot_read_is_held(app: &TestApp) {
    let locker = driven(app, SENSES);
    let _drivers = Drivers::start(app);
    let back = locker.bring_back(app);
    until_door(app, &locker, 5, "held");
    let held = format!(
        "SELECT count(*) AS n FROM locker_returns WHERE id = {} AND state = 'held'",
        back["return_id"]
    );
    assert_eq!(app.database.outside().number(&held), 1, "its receipt waits for staff");
    app.assert_sound();
}

fn without_a_sensor_the_configuration_says_what_a_closed_door_means(app: &TestApp) {
    for (means_taken, door, phase) in [(true, "empty", "confirmed"), (false, "unsure", "reserved")] {
        let locker = if means_taken {
            driven(app, &["door_bank", "two_phase_loans"])
        } else {
            let one_more = Locker::with(app, "P1", "locker", &["door_bank", "two_phase_loans"]);
            simulates(app, &one_more, &json!({}), &json!({}));
            one_more
        };
        let (waiting, _drivers) = loaded(app, &locker);
        simulates(app, &locker, &json!({}), &json!({"door_means_taken": means_taken}));
        let loan = fetch(app, &locker, &waiting.card);
        until_door(app, &locker, 2, door);
        assert_eq!(loan_status(app, loan), phase);
        if !means_taken {
            silence(app);
            assert_eq!(loan_status(app, loan), "unconfirmed");
        }
        app.assert_sound();
    }
}

/// What is ordered of the machine was taken by a node that fell before it could say what came of it.
fn fallen(app: &TestApp, locker: &Locker) {
    let device = DeviceId::new(locker.id);
    let taken = app.block_on(app.app.store.write(move |tx| {
        let next = tx.next_queued(device)?.expect("an order");
        let now = tx.now();
        tx.deliver_commands(device, &[next.id.get()], now)
    }));
    assert_eq!(taken.expect("written"), 1);
}

fn an_order_that_a_fallen_node_had_in_hand_is_settled_by_the_sensor(app: &TestApp) {
    let locker = driven(app, SENSES);
    let (waiting, drivers) = loaded(app, &locker);
    drop(drivers);
    let loan = fetch(app, &locker, &waiting.card);
    fallen(app, &locker);
    // The book is gone; but its pulse may be on its way until the time of a door is over.
    let _drivers = Drivers::start(app);
    later(app, 121);
    until_door(app, &locker, 2, "empty");
    assert_eq!(loan_status(app, loan), "confirmed");
    app.assert_sound();
}

fn a_driven_door_that_was_given_up_is_looked_at_again(app: &TestApp) {
    let locker = driven(app, SENSES);
    let (waiting, drivers) = loaded(app, &locker);
    drop(drivers);
    let loan = fetch(app, &locker, &waiting.card);
    silence(app);
    locker.expect_door(app, 2, "unsure");
    assert_eq!(loan_status(app, loan), "unconfirmed");
    simulates(app, &locker, &json!({"filled": "2"}), &json!({}));
    let _drivers = Drivers::start(app);
    later(app, 121);
    until_door(app, &locker, 2, "occupied");
    assert_eq!(loan_status(app, loan), "voided", "the book lies there");
    assert_eq!(locker.alarms(app), Vec::<String>::new());
    app.assert_sound();
}
