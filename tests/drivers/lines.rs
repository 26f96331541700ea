//! What must not be forgotten of a line, whoever spoke on it and whatever became of him: locks that were let go, answers that are still on
//! their way. And where a line may lead.

use serde_json::{Value, json};
use tongjie::device::driver_list::DriverList;
use tongjie::device::line::Lines;
use tongjie::device::reach::Reach;
use tongjie::domain::machine_outcome::{DoorSeen, Opened, WhyNot};
use tongjie::usecase::machine_ports::Machine;

use crate::{HASTY, Kind, PATIENT, Rig, order, until};

/// The settings of a lock that is let go for long enough to be caught at it.
fn long_pulse() -> Value {
    json!({"pulse_ms": 3_000})
}

impl Rig {
    /// The peer falls while a lock is let go: the door may have opened.
    async fn falls_during_a_pulse(&mut self) {
        let doors = self.doors();
        let opening = tokio::spawn(async move { doors.open(order(3, 1)).await });
        until("the lock lets go", async || self.pulses() == 1).await;
        self.peer.kill();
        assert_eq!(opening.await.expect("no panic"), Opened::Unknown);
    }

    async fn holds_again(&self) {
        until("the lock holds again", async || {
            self.peer.did().iter().any(|line| line == "off 3")
        })
        .await;
        assert_eq!(self.pulses(), 0, "and is not let go once more");
    }
}

/// The coil is switched off as soon as the board is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_was_let_go_holds_again_after_an_outage() {
    if let Some(mut rig) = Rig::start(Kind::ModbusTcp, HASTY, &long_pulse()) {
        rig.falls_during_a_pulse().await;
        rig.peer.revive();
        rig.holds_again().await;
    }
}

/// Nobody speaks to the board any more: it was configured elsewhere, or suspended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_was_let_go_holds_again_though_its_bus_has_ended() {
    if let Some(mut rig) = Rig::start(Kind::ModbusTcp, HASTY, &long_pulse()) {
        rig.falls_during_a_pulse().await;
        let ended = rig.machine.presence.as_ref().expect("a bus").ended();
        rig.machine = Machine::default();
        rig.peer.revive();
        rig.holds_again().await;
        // And only then it has ended.
        ended.await;
    }
}

/// The next configuration counts the coils otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_was_let_go_is_handed_on_with_its_line() {
    if let Some(mut rig) = Rig::start(Kind::ModbusTcp, HASTY, &long_pulse()) {
        rig.falls_during_a_pulse().await;
        rig.configure(&json!({"coil_base": 110, "pulse_ms": 0}));
        rig.peer.revive();
        rig.holds_again().await;
        let doors = rig.doors();
        until("the next is at work", async || doors.door(4).await == DoorSeen::Shut).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_a_fallen_node_let_go_is_found_and_holds_again() {
    for kind in [Kind::ModbusTcp, Kind::ModbusRtu] {
        if let Some(mut rig) = Rig::start(kind, PATIENT, &long_pulse()) {
            let on = |did: &[String]| did.iter().any(|line| line == "on 3");
            rig.falls_once(order(3, 1), "the lock lets go", on).await;
            assert_eq!(rig.switched(), ["on 3"], "{kind:?}");
            rig.configure(&json!({}));
            // A question about another door is enough.
            let doors = rig.doors();
            until("the board answers", async || doors.door(7).await == DoorSeen::Shut).await;
            until("the lock holds again", async || rig.switched() == ["on 3", "off 3"]).await;
        }
    }
}

/// What was asked before this node was there is not answered to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_bus_on_a_serial_line_listens_first() {
    if let Some(mut rig) = Rig::start(Kind::ModbusRtu, HASTY, &json!({})) {
        rig.peer.say("open 3");
        rig.peer.say("late 500");
        let looked = |did: &[String]| did.iter().any(|line| line == "look 3");
        rig.falls_once(order(3, 1), "the board was asked", looked).await;
        rig.configure(&json!({}));
        assert_eq!(rig.doors().door(4).await, DoorSeen::Shut);
    }
}

/// A failure says that it went wrong, not that nothing was done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_that_failed_over_an_order_may_have_carried_it_out() {
    for (feedback, told) in [(true, Opened::Opened), (false, Opened::Unknown)] {
        if let Some(mut rig) = Rig::start(Kind::ModbusTcp, PATIENT, &json!({"feedback": feedback})) {
            rig.peer.say("fail 3");
            assert_eq!(rig.open(3, 1).await, told);
            until("the lock holds again", async || rig.switched() == ["on 3", "off 3"]).await;
        }
    }
}

/// A board that is busy is told again, whether anybody asks for anything else or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_that_refuses_to_hold_a_lock_is_told_until_it_does() {
    if let Some(mut rig) = Rig::start(Kind::ModbusTcp, PATIENT, &json!({})) {
        rig.peer.say("cling 3");
        assert_eq!(rig.open(3, 1).await, Opened::Opened);
        assert_eq!(rig.open(4, 1).await, Opened::Opened, "the others are served");
        assert_eq!(rig.switched(), ["on 3", "on 4", "off 4"]);
        rig.peer.say("yield 3");
        until("the lock holds again", async || {
            rig.switched().last().is_some_and(|line| line == "off 3")
        })
        .await;
    }
}

/// Whatever a setting says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_the_operator_does_not_list_is_not_opened() {
    let Some(rig) = Rig::start(Kind::ModbusTcp, PATIENT, &json!({})) else {
        return;
    };
    let start = DriverList::make(rig.driver, &rig.settings).expect("a driver");
    let elsewhere = Reach::of(&"10.0.0.0/8".parse().expect("a list"));
    let machine = start
        .expect("settings that make sense")
        .begin(&Lines::default(), &elsewhere);
    let presence = machine.presence.expect("a bus");
    assert!(!presence.is_there().await);
    let doors = machine.doors.expect("a door bank");
    assert_eq!(doors.open(order(3, 1)).await, Opened::NotOpened(WhyNot::Unreachable));
    assert!(rig.peer.did().is_empty(), "nothing was asked");
}
