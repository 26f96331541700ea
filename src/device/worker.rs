//! One device at work: its commands, one after the other, and its heartbeat. What it has begun it ends: a door that was ordered is waited
//! for, and so are locks that are to hold again.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::doors::{Doors, report};
use super::driver_list::{DriverList, Start};
use super::orders::{CarriedOut, carry_out};
use super::runner::Node;
use crate::app::App;
use crate::domain::compartment_report::{Door, Inside};
use crate::domain::device_command::{CommandKind, CommandStatus};
use crate::domain::ids::CommandId;
use crate::usecase::UseCaseError;
use crate::usecase::acknowledge_command::{AcknowledgeCommand, acknowledge_command};
use crate::usecase::driven_devices::DrivenDevice;
use crate::usecase::driver_answers::driver_answered;
use crate::usecase::machine_ports::{Machine, Opened};
use crate::usecase::pull_commands::DeliveredCommand;
use crate::usecase::take_commands::take_commands;

/// One wait for commands.
const WAIT: Duration = Duration::from_secs(10);

/// A machine that nothing is ordered of is asked whether it is there so often, or as often as its heartbeat is configured.
const LOOK_AFTER: Duration = Duration::from_secs(30);

/// Rest after the store failed.
const REST: Duration = Duration::from_secs(1);

/// How often an acknowledgement is tried.
const TRIES: u32 = 5;

/// How long the end of a machine is waited for: what cannot be told that its locks hold would keep the node from stopping.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The task of one device.
pub(super) struct Worker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Worker {
    pub(super) fn start(app: &Arc<App>, node: &Arc<Node>, device: DrivenDevice, start: Start) -> Self {
        let (stop, stopped) = watch::channel(false);
        let at_work = AtWork {
            app: Arc::clone(app),
            node: Arc::clone(node),
            started_at: app.store.clock().now(),
            beats: 0,
            heard: 0,
            look_at: Instant::now(),
            doors: Doors::default(),
            device,
        };
        let task = tokio::spawn(at_work.run(start, stopped));
        Self { stop, task }
    }

    /// It takes no further command. One that waits for some is to be woken.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    pub(super) async fn ended(self) {
        if self.task.await.is_err() {
            tracing::error!("a driver ended by a panic");
        }
    }
}

struct AtWork {
    app: Arc<App>,
    node: Arc<Node>,
    device: DrivenDevice,
    /// Which start of the driver its heartbeats are of.
    started_at: DateTime<Utc>,
    beats: u64,
    /// How many answers of the machine were told of.
    heard: u64,
    /// When it is asked whether it is there, if it does not answer something else before.
    look_at: Instant,
    /// Those that were ordered open.
    doors: Doors,
}

impl AtWork {
    async fn run(mut self, start: Start, stopped: watch::Receiver<bool>) {
        let mut machine = start.begin(&self.node.lines, &self.node.reach);
        while !*stopped.borrow() && !self.app.board.is_stopped() {
            if Instant::now() >= self.look_at {
                if let Some(presence) = &machine.presence
                    && presence.is_there().await
                {
                    self.says_that_it_is_there().await;
                }
                self.heard_of(&machine);
                self.doors.take_up(&self.app, &self.device).await;
            }
            self.doors.look(&self.app, &self.device, &machine).await;
            let wait = self.look_at.saturating_duration_since(Instant::now()).min(WAIT);
            let wait = wait.min(self.doors.rest());
            let (store, board) = (&self.app.store, &self.app.board);
            match take_commands(store, board, &self.device.caller, wait, || *stopped.borrow()).await {
                Ok(commands) => {
                    for command in commands {
                        machine = self.obey(machine, &command).await;
                    }
                }
                // Suspended, retired, moved: the next look ends this.
                Err(error) => {
                    tracing::debug!(device = self.device.code, %error, "commands of a device cannot be taken");
                    tokio::time::sleep(REST).await;
                }
            }
        }
        end(machine).await;
    }

    async fn obey(&mut self, mut machine: Machine, command: &DeliveredCommand) -> Machine {
        if command.kind == CommandKind::Restart.code() {
            end(machine).await;
            machine = self.begin_anew();
        }
        let carried_out = carry_out(&machine, command).await;
        let CarriedOut { done, result, door } = carried_out;
        let status = acknowledge(&self.app, &self.device, command, done, result).await;
        match door {
            // Said after its time, it changed nothing: but it is certain.
            Some((door, Opened::NotOpened(_))) if status.is_none_or(|status| status == CommandStatus::Expired) => {
                report(&self.app, &self.device, door, Door::Jammed, Inside::NoSensor).await;
            }
            Some((_, Opened::NotOpened(_))) | None => {}
            Some((door, opened)) => {
                let now = self.app.store.clock().now();
                self.doors.ordered(door, opened == Opened::Opened, now);
            }
        }
        let answers = machine.presence.as_ref().map_or(0, |presence| presence.answers());
        if answers > self.heard {
            self.says_that_it_is_there().await;
            self.heard_of(&machine);
        }
        machine
    }

    fn begin_anew(&mut self) -> Machine {
        self.heard = 0;
        // It was read once already.
        match DriverList::make(&self.device.driver, &self.device.settings) {
            Some(Ok(start)) => start.begin(&self.node.lines, &self.node.reach),
            _ => Machine::default(),
        }
    }

    fn heard_of(&mut self, machine: &Machine) {
        self.heard = machine.presence.as_ref().map_or(0, |presence| presence.answers());
        self.look_at = Instant::now() + LOOK_AFTER.min(self.device.heartbeat);
    }

    /// As a heartbeat of its own would.
    async fn says_that_it_is_there(&mut self) {
        self.beats += 1;
        let (store, board) = (&self.app.store, &self.app.board);
        if let Err(error) = driver_answered(store, board, &self.device, self.started_at, self.beats).await {
            tracing::debug!(device = self.device.code, %error, "it cannot be said that a device is there");
        }
    }
}

/// Nobody asks a machine any more; its line may still have to tell locks to hold.
async fn end(machine: Machine) {
    let Some(ended) = machine.presence.as_ref().map(|presence| presence.ended()) else {
        return;
    };
    drop(machine);
    if timeout(END_WITHIN, ended).await.is_err() {
        tracing::warn!("a machine that was let go of has locks that are not heard to hold; its line is tried on");
    }
}

/// Says it until it is heard, and answers what became of the command; what never is expires, as with a machine that fell silent.
async fn acknowledge(
    app: &App,
    device: &DrivenDevice,
    command: &DeliveredCommand,
    done: bool,
    result: Value,
) -> Option<CommandStatus> {
    let said = AcknowledgeCommand {
        command: CommandId::new(command.id),
        receipt: command.receipt.clone(),
        done,
        result,
    };
    for _ in 0..TRIES {
        match acknowledge_command(&app.store, &device.caller, said.clone(), None).await {
            Ok(taken) => return CommandStatus::from_code(&taken.value.status),
            Err(UseCaseError::Store(error)) => {
                tracing::warn!(device = device.code, %error, "an acknowledgement is tried again");
                tokio::time::sleep(REST).await;
            }
            Err(error) => {
                tracing::warn!(device = device.code, %error, "an acknowledgement was not taken");
                return None;
            }
        }
    }
    None
}
