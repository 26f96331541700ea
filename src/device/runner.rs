//! Carries out what is ordered of devices that do not call us: takes each command, asks the driver, and acknowledges with the outcome,
//! as the device itself would. Started like a job.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::driver_list::DriverList;
use crate::app::App;
use crate::domain::device_command::CommandKind;
use crate::domain::ids::{CommandId, DeviceId};
use crate::usecase::UseCaseError;
use crate::usecase::acknowledge_command::{AcknowledgeCommand, acknowledge_command};
use crate::usecase::driven_devices::{DrivenDevice, driven_devices};
use crate::usecase::machine_ports::{Done, DoorOrder, DoorSeen, Machine, Opened, Sensed, WhyNot};
use crate::usecase::pull_commands::DeliveredCommand;
use crate::usecase::take_commands::take_commands;

/// How soon a device that was configured is spoken to.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// One wait for commands.
const WAIT: Duration = Duration::from_secs(10);

/// Rest after the store failed.
const REST: Duration = Duration::from_secs(1);

/// How often an acknowledgement is tried.
const TRIES: u32 = 5;

/// Starts it: one task that looks which devices there are, and one for each.
#[must_use]
pub fn start(app: &Arc<App>, stopped: &watch::Receiver<bool>) -> JoinHandle<()> {
    let (app, mut stopped) = (Arc::clone(app), stopped.clone());
    tokio::spawn(async move {
        let mut at_work: HashMap<DeviceId, (DrivenDevice, Worker)> = HashMap::new();
        while !*stopped.borrow() {
            match driven_devices(&app.store).await {
                Ok(devices) => take_over(&app, &mut at_work, devices).await,
                Err(error) => tracing::warn!(%error, "it cannot be read which devices have a driver"),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                _ = stopped.changed() => {}
            }
        }
        for (_, (_, worker)) in at_work {
            worker.end().await;
        }
    })
}

/// What is not there any more, or configured otherwise, ends; what is new begins.
async fn take_over(
    app: &Arc<App>,
    at_work: &mut HashMap<DeviceId, (DrivenDevice, Worker)>,
    devices: Vec<DrivenDevice>,
) {
    let mut wanted: HashMap<DeviceId, DrivenDevice> = devices.into_iter().map(|device| (device.id, device)).collect();
    let ended: Vec<DeviceId> = at_work
        .iter()
        .filter(|(id, (running, worker))| wanted.get(id) != Some(running) || worker.task.is_finished())
        .map(|(id, _)| *id)
        .collect();
    for id in ended {
        if let Some((_, worker)) = at_work.remove(&id) {
            worker.end().await;
        }
    }
    wanted.retain(|id, _| !at_work.contains_key(id));
    for (id, device) in wanted {
        let worker = Worker::start(app, device.clone());
        at_work.insert(id, (device, worker));
    }
}

/// One device at work. What it has begun it ends: a door that was ordered is waited for.
struct Worker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Worker {
    fn start(app: &Arc<App>, device: DrivenDevice) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(work(Arc::clone(app), device, stopped));
        Self { stop, task }
    }

    async fn end(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::error!("a driver ended by a panic");
        }
    }
}

fn machine_of(device: &DrivenDevice) -> Option<Machine> {
    match DriverList::make(&device.driver, &device.settings) {
        Some(Ok(start)) => Some(start()),
        Some(Err(faults)) => {
            let faults: Vec<String> = faults
                .into_iter()
                .map(|one| format!("{}: {}", one.field, one.reason))
                .collect();
            tracing::error!(
                device = device.code,
                driver = device.driver,
                ?faults,
                "a driver cannot start"
            );
            None
        }
        None => {
            tracing::error!(device = device.code, driver = device.driver, "there is no such driver");
            None
        }
    }
}

async fn work(app: Arc<App>, device: DrivenDevice, mut stopped: watch::Receiver<bool>) {
    // What was configured by another version of the program; its commands expire.
    let Some(mut machine) = machine_of(&device) else {
        let _ = stopped.wait_for(|stop| *stop).await;
        return;
    };
    tracing::info!(
        device = device.code,
        driver = device.driver,
        "a driver speaks to a device"
    );
    while !*stopped.borrow() {
        let taken = tokio::select! {
            taken = take_commands(&app.store, &app.board, &device.caller, WAIT) => taken,
            _ = stopped.changed() => break,
        };
        match taken {
            Ok(commands) => {
                for command in commands {
                    if command.kind == CommandKind::Restart.code() {
                        machine = machine_of(&device).unwrap_or_default();
                    }
                    let (done, result) = carry_out(&machine, &command).await;
                    acknowledge(&app, &device, &command, done, result).await;
                }
            }
            // Suspended, retired, moved: the next look ends this.
            Err(error) => {
                tracing::debug!(device = device.code, %error, "commands of a device cannot be taken");
                tokio::time::sleep(REST).await;
            }
        }
        if app.board.is_stopped() {
            break;
        }
    }
}

/// The outcome, as the acknowledgement tells it.
async fn carry_out(machine: &Machine, command: &DeliveredCommand) -> (bool, Value) {
    let body = |name: &str| command.body.get(name);
    match (CommandKind::from_code(&command.kind), machine) {
        (Some(CommandKind::OpenCompartment), Machine { doors: Some(doors), .. }) => {
            let number = body("number").and_then(Value::as_u64);
            let (number, turn) = (number.and_then(|number| u16::try_from(number).ok()), body("turn"));
            let (Some(number), Some(turn)) = (number, turn.and_then(Value::as_i64)) else {
                return not_done(WhyNot::CannotDo);
            };
            let within = Duration::from_millis(u64::try_from(command.expires_in_ms).unwrap_or(0));
            match doors.open(DoorOrder { number, turn, within }).await {
                Opened::Opened => (true, json!({"outcome": "opened", "number": number, "turn": turn})),
                Opened::NotOpened(why) => (
                    false,
                    json!({"outcome": "not_opened", "reason": why, "number": number, "turn": turn}),
                ),
                // It was carried out, and nobody saw it: not `failed`, which says that the door is shut.
                Opened::Unknown => (true, json!({"outcome": "unknown", "number": number, "turn": turn})),
            }
        }
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

/// Says it until it is heard; what never is expires, as with a machine that fell silent.
async fn acknowledge(app: &App, device: &DrivenDevice, command: &DeliveredCommand, done: bool, result: Value) {
    let said = AcknowledgeCommand {
        command: CommandId::new(command.id),
        receipt: command.receipt.clone(),
        done,
        result,
    };
    for _ in 0..TRIES {
        match acknowledge_command(&app.store, &device.caller, said.clone(), None).await {
            Ok(_) => return,
            Err(UseCaseError::Store(error)) => {
                tracing::warn!(device = device.code, %error, "an acknowledgement is tried again");
                tokio::time::sleep(REST).await;
            }
            Err(error) => {
                tracing::warn!(device = device.code, %error, "an acknowledgement was not taken");
                return;
            }
        }
    }
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
