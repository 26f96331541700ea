//! What is ordered of a machine, asked of its driver; and the outcome, as the acknowledgement tells it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::device_command::CommandKind;
use crate::usecase::machine_ports::{Done, DoorBank, DoorOrder, DoorSeen, Machine, Opened, Sensed, WhyNot};
use crate::usecase::pull_commands::DeliveredCommand;

/// What came of an order, as the acknowledgement tells it.
pub(super) struct CarriedOut {
    pub done: bool,
    pub result: Value,
    /// Of an order to open: number and turn, and what is known of the door.
    pub door: Option<((u16, i64), Opened)>,
}

/// Carries an order out.
pub(super) async fn carry_out(machine: &Machine, command: &DeliveredCommand) -> CarriedOut {
    if CommandKind::from_code(&command.kind) == Some(CommandKind::OpenCompartment)
        && let Some(doors) = &machine.doors
    {
        return open(doors.as_ref(), command).await;
    }
    let (done, result) = other(machine, command).await;
    CarriedOut {
        done,
        result,
        door: None,
    }
}

async fn open(doors: &dyn DoorBank, command: &DeliveredCommand) -> CarriedOut {
    let number = command.body.get("number").and_then(Value::as_u64);
    let number = number.and_then(|number| u16::try_from(number).ok());
    let (Some(number), Some(turn)) = (number, command.body.get("turn").and_then(Value::as_i64)) else {
        let (done, result) = not_done(WhyNot::CannotDo);
        return CarriedOut {
            done,
            result,
            door: None,
        };
    };
    let within = Duration::from_millis(u64::try_from(command.expires_in_ms).unwrap_or(0));
    let opened = doors.open(DoorOrder { number, turn, within }).await;
    let (done, result) = match opened {
        Opened::Opened => (true, json!({"outcome": "opened", "number": number, "turn": turn})),
        Opened::NotOpened(why) => (
            false,
            json!({"outcome": "not_opened", "reason": why, "number": number, "turn": turn}),
        ),
        // It was carried out, and nobody saw it: not `failed`, which says that the door is shut.
        Opened::Unknown => (true, json!({"outcome": "unknown", "number": number, "turn": turn})),
    };
    CarriedOut {
        done,
        result,
        door: Some(((number, turn), opened)),
    }
}

async fn other(machine: &Machine, command: &DeliveredCommand) -> (bool, Value) {
    let body = |name: &str| command.body.get(name);
    match (CommandKind::from_code(&command.kind), machine) {
        (Some(CommandKind::TakeInventory), Machine { doors: Some(_), .. }) => (true, inventory(machine).await),
        (
            Some(CommandKind::RejectItem),
            Machine {
                sorter: Some(sorter), ..
            },
        ) => {
            let bin = body("bin").and_then(Value::as_u64);
            let bin = bin.and_then(|bin| u16::try_from(bin).ok()).unwrap_or(0);
            told(sorter.send_to(bin).await)
        }
        (
            Some(CommandKind::Print),
            Machine {
                printer: Some(printer), ..
            },
        ) => {
            let text = body("text").and_then(Value::as_str).unwrap_or_default();
            told(printer.print(text).await)
        }
        // It was begun anew before this; and a driver always runs the newest configuration.
        (Some(CommandKind::Restart | CommandKind::FetchConfiguration), _) => told(Done::Done),
        _ => not_done(WhyNot::CannotDo),
    }
}

fn told(done: Done) -> (bool, Value) {
    match done {
        Done::Done => (true, json!({"outcome": "done"})),
        Done::NotDone(why) => not_done(why),
        Done::Unknown => (true, json!({"outcome": "unknown"})),
    }
}

fn not_done(why: WhyNot) -> (bool, Value) {
    (false, json!({"outcome": "not_done", "reason": why}))
}

/// Which doors are open, behind which something lies, and of which nobody knows.
async fn inventory(machine: &Machine) -> Value {
    let Some(doors) = &machine.doors else { return json!({}) };
    let (mut open, mut unseen, mut items, mut unsensed) = (vec![], vec![], vec![], vec![]);
    for number in 1..=doors.doors() {
        match doors.door(number).await {
            DoorSeen::Open => open.push(number),
            DoorSeen::Shut => {}
            DoorSeen::Unknown => unseen.push(number),
        }
        let inside = match &machine.items {
            Some(sensor) => sensor.inside(number).await,
            None => Sensed::Unknown,
        };
        match inside {
            Sensed::Item => items.push(number),
            Sensed::Empty => {}
            Sensed::Unknown => unsensed.push(number),
        }
    }
    json!({
        "doors": doors.doors(), "open": ranges(&open), "door_unknown": ranges(&unseen),
        "with_item": ranges(&items), "item_unknown": ranges(&unsensed),
    })
}

/// `1-3,7`: short even for a machine of 400 doors.
fn ranges(numbers: &[u16]) -> String {
    let mut found: Vec<(u16, u16)> = Vec::new();
    for number in numbers {
        match found.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => found.push((*number, *number)),
        }
    }
    let words = found.into_iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    words.collect::<Vec<String>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_is_short() {
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), "1-3,7,9-10");
    }
}
